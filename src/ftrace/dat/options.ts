/** Options of a trace.dat file: what is known of the recording. Unknown ones are passed over. */
import type { Cursor } from "./cursor.js";

const DONE = 0;
const DATE = 1;
const CPUSTAT = 2;
const BUFFER = 3;
const TRACECLOCK = 4;
const UNAME = 5;
const OFFSET = 7;
const CPUCOUNT = 8;
const VERSION = 9;
const TIME_SHIFT = 12;
const TSC2NSEC = 14;
const FIRST_SECTION = 16;
const LAST_SECTION = 21;
const BUFFER_TEXT = 22;
/** No machine has more. */
const MOST_CPUS = 1 << 16;

export interface BufferOption {
  readonly name: string;
  readonly offset: number;
  readonly clock: string;
  readonly pageBytes: number;
  readonly cpus: readonly { readonly cpu: number; readonly offset: number; readonly size: number }[];
  /** It holds text, not pages. */
  readonly text: boolean;
}

export class Options {
  /** Added to every moment, in ns: the options DATE and OFFSET. */
  offsetNs = 0n;
  /** Ticks of the clock to ns: ticks * multiplier >> shift. */
  tsc: { readonly multiplier: bigint; readonly shift: bigint } | undefined;
  /** Where the option is that makes it a guest's recording. */
  guestAt: number | undefined;
  hasClock = false;
  clock = "";
  uname = "";
  version = "";
  cpus: number | undefined;
  /** Instances of version 6. */
  readonly instances: { readonly name: string; readonly offset: number }[] = [];
  /** Instances of version 7, the top one among them. */
  readonly buffers: BufferOption[] = [];
  /** Where sections are, by id. */
  readonly sections = new Map<number, number>();
  /** Lost records: instance → CPU → count. */
  readonly lost = new Map<string, Record<number, number>>();
  #statsOf = "";

  /** Reads up to the last one. Answers where the next options are (version 7; 0: nowhere). */
  readAll(cursor: Cursor, endsAtZero: boolean): number {
    for (;;) {
      const at = cursor.section ?? cursor.at;
      const id = cursor.u16("id of an option");
      if (endsAtZero && id === DONE) return 0;
      const size = cursor.u32("size of an option");
      const begin = cursor.at;
      if (size > cursor.left) {
        throw cursor.fault(`option ${id} of ${size} bytes, but only ${cursor.left} bytes follow`, begin - 4);
      }
      if (id === DONE) return size >= 8 ? cursor.size("place of the next options") : 0;
      this.#read(id, size, cursor, at);
      cursor.at = begin + size;
    }
  }

  #read(id: number, size: number, cursor: Cursor, at: number): void {
    const text = () => cursor.text(size, "an option's text").split("\0")[0]!;
    switch (id) {
      case DATE:
        // Microseconds.
        this.offsetNs += 1000n * numberOf(text());
        return;
      case OFFSET:
        this.offsetNs += numberOf(text());
        return;
      case CPUSTAT:
        this.#stats(text());
        return;
      case TRACECLOCK:
        this.hasClock = true;
        this.setClock(text());
        return;
      case UNAME:
        this.uname = text();
        return;
      case VERSION:
        this.version = text();
        return;
      case CPUCOUNT: {
        const count = cursor.u32("number of CPUs");
        if (count > MOST_CPUS)
          throw cursor.fault(`${count} CPUs, expected at most ${MOST_CPUS}`, cursor.at - 4);
        this.cpus = count;
        return;
      }
      case TSC2NSEC: {
        const multiplier = cursor.u32("multiplier of the TSC");
        const shift = cursor.u32("shift of the TSC");
        if (multiplier > 0 && shift < 64) this.tsc = { multiplier: BigInt(multiplier), shift: BigInt(shift) };
        return;
      }
      case TIME_SHIFT:
        this.guestAt = at;
        return;
      case BUFFER:
      case BUFFER_TEXT:
        this.#buffer(id === BUFFER_TEXT, cursor, size);
        return;
      default:
        if (id >= FIRST_SECTION && id <= LAST_SECTION && size >= 8) {
          this.sections.set(id, cursor.size("place of a section"));
        }
    }
  }

  /** `text`: of the file trace_clock, the clock in brackets. */
  setClock(text: string): void {
    this.clock = /\[([\w-]+)\]/.exec(text)?.[1] ?? this.clock;
  }

  #buffer(text: boolean, cursor: Cursor, size: number): void {
    const end = cursor.at + size;
    const offset = cursor.size("place of an instance's pages");
    const name = cursor.name("name of an instance");
    // Version 6 says no more here.
    if (cursor.at >= end) return void this.instances.push({ name, offset });
    const clock = cursor.name("clock of an instance");
    if (text) return void this.buffers.push({ name, offset, clock, pageBytes: 0, cpus: [], text });
    const pageBytes = cursor.u32("size of an instance's pages");
    const count = cursor.u32("number of an instance's CPUs");
    if (pageBytes < 512 || pageBytes > 1 << 24) {
      throw cursor.fault(`pages of ${pageBytes} bytes, expected 512 to 16777216`, cursor.at - 8);
    }
    if (count * 20 > end - cursor.at) {
      throw cursor.fault(`${count} CPUs, but the option has room for ${Math.floor((end - cursor.at) / 20)}`);
    }
    const cpus = Array.from({ length: count }, () => ({
      cpu: cursor.u32("a CPU's number"),
      offset: cursor.size("place of a CPU's pages"),
      size: cursor.size("size of a CPU's pages"),
    }));
    this.buffers.push({ name, offset, clock, pageBytes, cpus, text });
  }

  /** The file `per_cpu/cpuN/stats`; before those of an instance comes a line with its name. */
  #stats(text: string): void {
    const buffer = /^Buffer: (\S+)/m.exec(text);
    if (buffer !== null) this.#statsOf = buffer[1]!;
    const cpu = /^CPU: (\d+)/m.exec(text);
    if (cpu === null) return;
    let lost = 0;
    for (const [, count] of text.matchAll(/^(?:overrun|commit overrun|dropped events): (\d+)/gm))
      lost += Number(count);
    let counts = this.lost.get(this.#statsOf);
    if (counts === undefined) this.lost.set(this.#statsOf, (counts = {}));
    counts[Number(cpu[1])] = lost;
  }
}

/** A number as strtoll() reads it: decimal or hexadecimal, 0 where there is none. */
function numberOf(text: string): bigint {
  const match = /^\s*(-?)(0x[0-9a-f]+|\d+)/i.exec(text);
  if (match === null) return 0n;
  const value = BigInt.asIntN(64, BigInt(match[2]!));
  return match[1] === "-" ? -value : value;
}
