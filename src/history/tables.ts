/** What happened, one line each, in columns: what rows of states cannot say. All moments are `ns` since the origin. */
import { Columns } from "../base/columns.js";

/** Buckets of the whole trace in which event records and memory are counted. */
export const BUCKETS = 4096;

/** Values of `kind` in the table of interrupts. */
export const IrqKind = { irq: 0, softirq: 1, timer: 2 } as const;

/** Values of `kind` in the table of disk requests. */
export const REQUEST_KINDS = ["read", "write", "discard", "flush"] as const;

export function createTables() {
  return {
    /** In order of end. `row` of the thread, `call` is a number of `History.syscallNames`. */
    syscalls: new Columns({ begin: "f64", end: "f64", row: "i32", call: "i32", ret: "i32" }),
    /** In order of time: `from` is the row of the thread that woke the one of row `to`; -1: an interrupt did. */
    wakes: new Columns({ ns: "f64", from: "i32", to: "i32" }),
    /** In order of end; `row` of the CPU. */
    irqs: new Columns({ begin: "f64", end: "f64", row: "i32", kind: "u8", number: "i32" }),
    /** In order of completion; `row` of the disk, `thread` of who asked (-1 not known); queued is NaN if not known. */
    requests: new Columns({
      queued: "f64",
      begin: "f64",
      end: "f64",
      bytes: "f64",
      sector: "f64",
      row: "i32",
      thread: "i32",
      kind: "u8",
    }),
    /** In order of time; `device` is an index of `History.devices`. */
    packets: new Columns({ ns: "f64", bytes: "i32", device: "i32", sent: "u8" }),
    /** Pages allocated less pages freed, by bucket of `History.buckets`. */
    memory: new Columns({ pages: "f64" }),
    /** Event records read before each bucket's end, by bucket. */
    events: new Columns({ count: "f64" }),
    /** Stretches of which event records are lost. */
    holes: new Columns({ begin: "f64", end: "f64", host: "i32", count: "f64" }),
  };
}

export type Tables = ReturnType<typeof createTables>;
