/**
 * Event records by their place in the trace: one pass counts them and remembers the moment of every so-manyth, pages
 * are then read from the nearest such moment on.
 */
import { ByteWriter } from "../base/byte-writer.js";
import { UsageError } from "../base/errors.js";
import { Merge } from "../ctf/merge.js";
import { payloadPrinter } from "../ctf/print/payload-printer.js";
import type { CtfSource } from "../sources/ctf.js";

export interface EventQuery {
  /** Place of the first line, or the moment that it is at or after. */
  readonly index?: number;
  readonly ns?: number;
  readonly count: number;
  /** Lines that match all of these, by column; the first line is then the next (or previous) that does. */
  readonly search?: Readonly<Record<string, string>>;
  readonly backwards?: boolean;
}

export interface EventLine {
  readonly index: number;
  readonly ns: number;
  readonly host: number;
  readonly cpu: number;
  readonly name: string;
  /** The payload as babeltrace2's text sink writes it. */
  readonly text: string;
}

export interface EventPage {
  readonly index: number;
  readonly total: number;
  readonly lines: readonly EventLine[];
}

/** Columns that can be searched. */
export const EVENT_COLUMNS = ["time", "host", "cpu", "name", "text"] as const;
const EVERY = 4096;
const MOST_LINES = 5000;
/** Event records between looks at whether more are wanted. */
const MOST_IN_TURN = 256;

export class EventLog {
  /** Moment of record `i * EVERY`, and how many records before it have the same moment. */
  readonly #moments: number[] = [];
  readonly #same: number[] = [];
  #total = 0;
  #endNs = Number.NaN;

  constructor(private readonly open: () => CtfSource) {
    const source = open();
    let lastNs = Number.NaN;
    let same = 0;
    source.subscribe({
      matches: () => true,
      fields: {},
      handle: ({ ns }) => {
        same = ns === lastNs ? same + 1 : 0;
        lastNs = ns;
        if (this.#total++ % EVERY === 0) {
          this.#moments.push(ns);
          this.#same.push(same);
        }
      },
    });
    source.run();
    this.#endNs = lastNs;
  }

  /** Throws `UsageError` for a wrong expression. */
  page({ index, ns, count, search, backwards }: EventQuery): EventPage {
    const most = Math.min(MOST_LINES, Math.max(0, count));
    const test = search === undefined ? undefined : matcher(search);
    let first = ns !== undefined ? this.#indexAt(ns) : (index ?? 0);
    if (test !== undefined) {
      const found = backwards === true ? this.#previous(first, test) : this.#next(first, test);
      if (found < 0) return { index: -1, total: this.#total, lines: [] };
      first = found;
    }
    first = Math.max(0, Math.min(first, this.#total));
    const lines: EventLine[] = [];
    this.#read(first, (line) => {
      lines.push(line());
      return lines.length < most;
    });
    return { index: first, total: this.#total, lines: most === 0 ? [] : lines };
  }

  /** Calls `each` for records from `first` on, while it answers true. */
  #read(first: number, each: (line: () => EventLine) => boolean): void {
    if (first >= this.#total) return;
    const checkpoint = Math.floor(first / EVERY);
    const beginNs = this.#moments[checkpoint]!;
    const { info, experiment } = this.open();
    let at = checkpoint * EVERY - this.#same[checkpoint]!;
    let going = true;
    const out = new ByteWriter(-1, 1 << 12);
    const decoders = payloadPrinter(out, experiment.generate, (reader, event) => {
      const index = at++;
      if (!going || index < first) return;
      const { trace } = info.streams[reader.index]!;
      going = each(() => ({
        index,
        ns: reader.ns,
        host: info.traces[trace]!.host,
        cpu: reader.cpu,
        name: event.name ?? "",
        text: Buffer.from(out.u8.buffer, 0, out.at).toString(),
      }));
    });
    const merge = new Merge(experiment.readers(decoders, { beginNs }).readers, { beginNs });
    while (going && merge.turn(MOST_IN_TURN)) {}
    merge.close();
  }

  #indexAt(ns: number): number {
    let checkpoint = this.#moments.findIndex((moment) => moment >= ns);
    if (checkpoint < 0) checkpoint = this.#moments.length;
    if (ns > this.#endNs) return Math.max(0, this.#total - 1);
    let found = Math.max(0, this.#total - 1);
    this.#read(Math.max(0, checkpoint - 1) * EVERY, (line) => {
      const one = line();
      if (one.ns < ns) return true;
      found = one.index;
      return false;
    });
    return found;
  }

  #next(first: number, test: (line: EventLine) => boolean): number {
    let found = -1;
    this.#read(Math.max(0, first), (line) => {
      const one = line();
      if (!test(one)) return true;
      found = one.index;
      return false;
    });
    return found;
  }

  #previous(first: number, test: (line: EventLine) => boolean): number {
    let end = Math.min(first, this.#total - 1);
    while (end >= 0) {
      const begin = Math.floor(end / EVERY) * EVERY;
      let found = -1;
      this.#read(begin, (line) => {
        const one = line();
        if (one.index > end) return false;
        if (test(one)) found = one.index;
        return one.index < end;
      });
      if (found >= 0) return found;
      end = begin - 1;
    }
    return -1;
  }
}

function matcher(search: Readonly<Record<string, string>>): (line: EventLine) => boolean {
  const tests = Object.entries(search).map(([column, text]) => {
    let regexp: RegExp;
    try {
      regexp = new RegExp(text, "i");
    } catch {
      throw new UsageError(`"${text}": expected a regular expression`);
    }
    return (line: EventLine): boolean => {
      if (column === "any") return regexp.test(line.name) || regexp.test(line.text);
      const value = column === "time" ? line.ns : (line as unknown as Record<string, unknown>)[column];
      return regexp.test(String(value));
    };
  });
  return (line) => tests.every((one) => one(line));
}
