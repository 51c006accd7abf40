/**
 * The states of one row (a thread, a CPU, a disk) over time, in columns: each lasts until the next begins, the last
 * one until what is known ends. A row is appended to while the trace is read and asked at the same time.
 */
import { Columns } from "../base/columns.js";
import { Doing } from "./doing.js";

export type RowKind = "cpu" | "thread" | "disk";

const COLUMNS = { ns: "f64", doing: "u8", arg: "i32" } as const;
type StateColumns = Columns<keyof typeof COLUMNS>;

/** Reads the columns of a row that were left in a file. Throws `DamagedHistory`. */
export type LoadRow = (columns: StateColumns) => void;

export class StateRow {
  readonly #columns: StateColumns = new Columns(COLUMNS);
  /** Set until the columns are needed for the first time. */
  load: LoadRow | undefined = undefined;
  /** States that are in the file, before they are loaded. */
  stored = 0;

  constructor(
    /** Dense, from 0. */
    readonly id: number,
    readonly kind: RowKind,
    readonly host: number,
  ) {}

  get columns(): StateColumns {
    if (this.load !== undefined) {
      this.load(this.#columns);
      this.load = undefined;
    }
    return this.#columns;
  }

  get length(): number {
    return this.load === undefined ? this.#columns.length : this.stored;
  }

  get ns(): Float64Array {
    return this.columns.of.ns as Float64Array;
  }

  get doing(): Uint8Array {
    return this.columns.of.doing as Uint8Array;
  }

  /** Of system calls, waits, interrupts and CPUs: see `labels.ts`. */
  get arg(): Int32Array {
    return this.columns.of.arg as Int32Array;
  }

  get lastDoing(): Doing {
    const { length } = this.#columns;
    return length === 0 ? Doing.none : (this.doing[length - 1] as Doing);
  }

  /** From `ns` on. Moments do not go back; what lasted no time is not kept. */
  push(doing: Doing, arg: number, ns: number): void {
    const columns = this.#columns;
    const { of } = columns;
    let i = columns.length - 1;
    if (i >= 0) {
      if (of.doing[i] === doing && of.arg[i] === arg) return;
      if (of.ns[i]! >= ns) {
        of.doing[i] = doing;
        of.arg[i] = arg;
        return;
      }
    }
    i = columns.add();
    columns.of.ns[i] = ns;
    columns.of.doing[i] = doing;
    columns.of.arg[i] = arg;
  }

  /** Says better what the last state is. */
  amend(doing: Doing, arg: number): void {
    const columns = this.#columns;
    const i = columns.length - 1;
    columns.of.doing[i] = doing;
    columns.of.arg[i] = arg;
  }

  /** Index of the state at `ns`; -1 before the first. */
  indexAt(ns: number): number {
    const values = this.ns;
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! <= ns) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** End of the state with this index, where `untilNs` is the end of all that is known. */
  endOf(index: number, untilNs: number): number {
    return index + 1 < this.length ? this.ns[index + 1]! : untilNs;
  }
}
