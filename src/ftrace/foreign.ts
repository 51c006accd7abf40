/** What recordings by other programs have in common: pages by CPU, descriptions, names of threads, a clock. */
import { createHash } from "node:crypto";
import { DataError, PeriscopeError } from "../base/errors.js";
import { BlockReader, type Blocks, type PageForm } from "./blocks.js";
import { littleEndianPages } from "./byte-order.js";
import { parseEventFormat, type TracefsEvent } from "./event-format.js";
import type { Recording } from "./recording.js";
import type { PageLayout } from "./ring-buffer.js";
import type { KnownThread } from "./threads.js";

export interface Source {
  readonly cpu: number;
  /** The pages, from their begin. */
  readonly open: () => Blocks;
}

export interface Foreign {
  /** For messages. */
  readonly path: string;
  /** Of the instance; the top one has none. */
  readonly name: string;
  readonly layout: PageLayout;
  readonly bigEndian: boolean;
  readonly events: readonly TracefsEvent[];
  readonly threads: readonly KnownThread[];
  /** As `trace_clock` has it. */
  readonly clock: string;
  readonly tsc?: { readonly multiplier: bigint; readonly shift: bigint } | undefined;
  /** Added to every moment, in ns. */
  readonly offsetNs: bigint;
  /** As `uname -snrm`. */
  readonly uname: string;
  readonly recordedBy: string;
  readonly lost?: Readonly<Record<number, number>> | undefined;
  readonly sources: readonly Source[];
}

/** Told what is damaged. */
export type Tell = (error: DataError) => void;

export interface ForeignRecording {
  readonly recording: Recording;
  /** Older records were overwritten before it was read. */
  readonly isSnapshot: boolean;
  readonly notes: readonly string[];
}

/** Clocks that count nanoseconds. */
const IN_NS = /^(local|global|perf|uptime|boot|tai|mono|mono_raw|)$/;

/** Undefined: there is no page with records. `identity`: the same for the same recording. */
export function foreignRecording(
  foreign: Foreign,
  identity: string,
  tell: Tell,
): ForeignRecording | undefined {
  const { layout, bigEndian, events, tsc, offsetNs, clock, sources, path } = foreign;
  const reorder = bigEndian ? littleEndianPages(layout, events) : undefined;
  const heads = sources.flatMap(({ cpu, open }) => {
    const found = firstPage(open, layout, reorder, tell);
    return found === undefined ? [] : [{ cpu, open, ...found }];
  });
  if (heads.length === 0) return undefined;
  let origin = heads[0]!.time;
  for (const { time } of heads) if (time < origin) origin = time;
  const toNs = (ticks: bigint) => (tsc === undefined ? ticks : (ticks * tsc.multiplier) >> tsc.shift);
  const beginNs = toNs(origin);
  const form: PageForm = {
    layout,
    origin,
    reorder,
    toNs: tsc && ((ticks) => Number(toNs(origin + BigInt(ticks)) - beginNs)),
    problem: tell,
  };
  // Offsets before the epoch go into the moments themselves.
  const isDated = offsetNs > 0n;
  const recording: Recording = {
    beginNs: isDated ? beginNs : beginNs + offsetNs,
    clock: {
      name: isDated ? "monotonic" : /^[a-z]\w*$/.test(clock) ? clock : "trace_clock",
      description: `trace_clock ${clock || "unknown"}${isDated ? ", with the time of day" : ""}`,
      uuid: uuidOf(`${identity} ${clock}`),
      frequency: 1_000_000_000n,
      offset: isDated ? offsetNs : 0n,
    },
    environment: environmentOf(foreign),
    events,
    lost: foreign.lost,
    laterThreads: foreign.threads,
    openFiles: [],
    uuid: uuidOf(`${identity} trace ${foreign.name}`),
    open: () => heads.map(({ cpu, open }) => new BlockReader(cpu, open(), form)),
  };
  const notes =
    tsc === undefined && !IN_NS.test(clock)
      ? [
          `${path}: the clock ${clock} does not count nanoseconds: one of its ticks is shown as one nanosecond`,
        ]
      : [];
  return { recording, isSnapshot: heads.some(({ isMissing }) => isMissing), notes };
}

/** The first page that has records: its time, and whether there were records before it. */
function firstPage(
  open: () => Blocks,
  { commitOffset, dataOffset, pageBytes }: PageLayout,
  reorder: PageForm["reorder"],
  tell: Tell,
): { time: bigint; isMissing: boolean } | undefined {
  const blocks = open();
  try {
    for (let block = blocks.next(); block !== undefined; block = blocks.next()) {
      const { bytes } = block;
      for (let at = 0; at + pageBytes <= bytes.length; at += pageBytes) {
        const page = new DataView(bytes.buffer, bytes.byteOffset + at, pageBytes);
        reorder?.(page);
        const commit = page.getUint32(commitOffset, true);
        if ((commit & 0x3fff_ffff) === 0 || dataOffset >= pageBytes) continue;
        return { time: page.getBigUint64(0, true), isMissing: (commit & 0x8000_0000) !== 0 };
      }
      // A part of a page: the reader tells.
      if (bytes.length % pageBytes !== 0) return { time: NEVER, isMissing: false };
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    tell(error);
  } finally {
    blocks.close();
  }
  return undefined;
}

/** Of a CPU whose first page is not whole: later than anything. */
const NEVER = (1n << 62n) - 1n;

function environmentOf({ uname, recordedBy, name }: Foreign): Recording["environment"] {
  // Linux NODE RELEASE … MACHINE: what lies between is the version, where it is told.
  const words = uname.trim().split(/\s+/);
  const machine = words.find((word) =>
    /^(x86_64|i\d86|aarch64|arm\w*|riscv\w*|ppc\w*|s390\w*|mips\w*)$/.test(word),
  );
  return {
    hostname: words[1] ?? "",
    domain: "kernel",
    sysname: words[0] || "Linux",
    kernel_release: words[2] ?? "",
    kernel_version: "",
    machine: machine ?? "",
    // Whose events, fields and contexts these are: tools look at it before they read.
    tracer_name: "lttng-modules",
    tracer_major: 2,
    tracer_minor: 13,
    tracer_patchlevel: 0,
    trace_buffering_scheme: "global",
    trace_name: name === "" ? "trace" : name,
    recorded_by: recordedBy,
  };
}

function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}

/** Descriptions that can be understood; the others are told. */
export function parseFormats(
  path: string,
  formats: readonly { readonly system: string; readonly text: string; readonly at: number }[],
  tell: Tell,
): TracefsEvent[] {
  return formats.flatMap(({ system, text, at }) => {
    try {
      const event = parseEventFormat(text, system, "format");
      if (event.id > 0xffff)
        throw new PeriscopeError(`event ${event.name} has id ${event.id}, expected 16 bits`);
      return [event];
    } catch (error) {
      if (!(error instanceof PeriscopeError)) throw error;
      // What damaged files hold may be anything.
      const reason = JSON.stringify(error.message).slice(1, -1);
      tell(new DataError(path, at, `an event of ${JSON.stringify(system)}: ${reason}`));
      return [];
    }
  });
}

/** `saved_cmdlines`: a thread and its name a line; `saved_tgids`: a thread and its process. */
export function parseThreads(names: string, processes = ""): KnownThread[] {
  const pids = new Map<number, number>();
  for (const [, tid, pid] of processes.matchAll(/^\s*(\d+) (\d+)$/gm)) pids.set(Number(tid), Number(pid));
  const threads: KnownThread[] = [];
  for (const [, text, name] of names.matchAll(/^\s*(\d+) (.*)$/gm)) {
    const tid = Number(text);
    if (name !== "<...>") threads.push({ tid, pid: pids.get(tid) ?? tid, name: name! });
  }
  return threads;
}
