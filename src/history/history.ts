/**
 * The state history of an experiment: rows of states, tables of what happened, and names, as one pass of the kernel
 * model makes them (`builder.ts`) or a cache file keeps them (`store.ts`). The queries are beside it.
 */
import { PixelReader, type Stretch } from "./pixels.js";
import { StateRow } from "./state-row.js";
import { createTables, type Tables } from "./tables.js";

/** Who a row is about. */
export interface RowName {
  label: string;
  /** Threads: their numbers; CPUs: `tid` is the CPU's number. Else -1. */
  tid: number;
  pid: number;
  process: string;
  /** Kernel threads have no memory of their own. */
  kernelThread: boolean;
  container: string;
  /** Row of the thread that made it; -1 not known. */
  parent: number;
}

export interface Device {
  readonly host: number;
  readonly name: string;
}

/** Interned texts have this many bits in `arg` of a wait; the rest is the system call. */
export const CALL_BITS = 11;

export class History implements Stretch {
  readonly rows: StateRow[] = [];
  /** By row; final once `complete`. */
  readonly names: RowName[] = [];
  readonly tables: Tables = createTables();
  readonly hosts: string[] = [];
  /** Names of system calls by their number in rows and tables. */
  readonly syscallNames: string[] = [];
  /** What waits were for; index 0 is "". */
  readonly targets: string[] = [""];
  readonly devices: Device[] = [];
  /** `host number` to the names of an interrupt's handlers. */
  readonly irqNames = new Map<string, string>();
  originNs = 0n;
  beginNs = 0;
  endNs = 0;
  /** All before is read. */
  knownUntilNs = Number.NEGATIVE_INFINITY;
  complete = false;
  eventRecords = 0;
  problems: readonly string[] = [];
  pageSize = 4096;
  /** Time of each row on a CPU (CPUs: not idle; disks: at work), once somebody has summed it up. */
  activeNs: Float64Array | undefined;
  #pixels: PixelReader | undefined;

  get pixels(): PixelReader {
    this.#pixels ??= new PixelReader(this);
    return this.#pixels;
  }

  /** End of the last state of every row. */
  get untilNs(): number {
    return Math.min(this.endNs, this.knownUntilNs);
  }

  addRow(kind: StateRow["kind"], host: number, name: Partial<RowName>): StateRow {
    const row = new StateRow(this.rows.length, kind, host);
    this.rows.push(row);
    this.names.push({
      label: "",
      tid: -1,
      pid: -1,
      process: "",
      kernelThread: false,
      container: "",
      parent: -1,
      ...name,
    });
    return row;
  }

  /** The row of a thread that lived at `ns`; -1 none. */
  rowOfThread(host: number, tid: number, ns: number): number {
    let best = -1;
    for (const row of this.rows) {
      if (row.kind !== "thread" || row.host !== host || this.names[row.id]!.tid !== tid) continue;
      // Numbers are given again: the latest thread that had begun by then.
      if (best < 0 || (row.length > 0 && row.ns[0]! <= ns)) best = row.id;
    }
    return best;
  }
}
