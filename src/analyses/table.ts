/**
 * Tables: what an analysis says, as rows of typed cells. Cells are the data objects of LAMI 1.0, so that machine
 * output is a plain writing down; text is made from the same cells in `present/`.
 */

import type { Thread } from "../kernel/state.js";
import type { WaterfallLine } from "./waterfall.js";

/** Classes of data of LAMI 1.0. */
export type DataClass =
  | "mixed"
  | "unknown"
  | "bool"
  | "string"
  | "number"
  | "ratio"
  | "timestamp"
  | "duration"
  | "size"
  | "bitrate"
  | "time-range"
  | "syscall"
  | "process"
  | "path"
  | "fd"
  | "irq"
  | "cpu"
  | "disk"
  | "part"
  | "netif";

export type Cell = null | (DataObject & OfHost);

/** Which host it is on, where there are several. LAMI's readers pass over it. */
export interface OfHost {
  readonly host?: string;
}

export type DataObject =
  | { readonly class: "unknown" }
  | { readonly class: "bool"; readonly value: boolean | null }
  | { readonly class: "string"; readonly value: string }
  | {
      readonly class: "number" | "ratio" | "duration" | "size" | "bitrate";
      readonly value: number;
    }
  | Timestamp
  | { readonly class: "time-range"; readonly begin: Timestamp; readonly end: Timestamp }
  | { readonly class: "syscall" | "disk" | "part" | "netif"; readonly name: string }
  | { readonly class: "process"; readonly name: string; readonly pid?: number; readonly tid?: number }
  | { readonly class: "path"; readonly path: string }
  | { readonly class: "fd"; readonly fd: number }
  | { readonly class: "irq"; readonly hard: boolean; readonly nr: number; readonly name: string }
  | { readonly class: "cpu"; readonly id: number };

export interface Timestamp {
  readonly class: "timestamp";
  /** Exact ns since the Unix epoch. */
  readonly value: bigint;
  /** Shown before it in text. */
  readonly mark?: string;
}

/** A column as LAMI's metadata describe it. */
export interface LamiColumn {
  readonly title: string;
  readonly class?: DataClass;
  readonly unit?: string;
}

/** A table class: what a LAMI results object refers to by name. */
export interface TableClass {
  readonly title: string;
  readonly columns: readonly LamiColumn[];
}

/** How a column looks in text. */
export interface Column {
  /** Column of the table class that this is; undefined: told in text only, LAMI has no place for it. */
  readonly lami: LamiColumn | undefined;
  /** Title in text; undefined: not in text. */
  readonly text: string | undefined;
  /** What a column of text only holds, for the width of columns of logs. */
  readonly class?: DataClass | "error";
  /** Columns with the highest numbers are left out first where the terminal is too narrow. */
  readonly drop?: number;
}

/**
 * How the table looks in text. `bars`: the value of one column as a bar, the others as its label; `bins`: rows
 * are a lower bound, an upper bound and a count; `facts`: one line per column; `waterfall`: lines of their own.
 */
export type View =
  | { readonly kind: "table" }
  | { readonly kind: "bars"; readonly value: number }
  | { readonly kind: "bins" }
  | { readonly kind: "facts" }
  | { readonly kind: "waterfall"; readonly lines: readonly WaterfallLine[]; readonly beginNs: bigint };

export type Row = readonly Cell[];

export interface Table {
  /** Name of the table class in LAMI; undefined: text only. */
  readonly class: string | undefined;
  /** Instead of the class's own title. */
  readonly title?: string;
  /** The class has columns of its own, told with the table (LAMI's dynamic table class). */
  readonly dynamic?: boolean;
  /** Heading in text. */
  readonly heading: string;
  readonly columns: readonly Column[];
  readonly rows: Iterable<Row>;
  readonly view: View;
  /** Lines of text below the table: sums, remarks. */
  readonly notes?: readonly string[];
  /** For machines only. */
  readonly hidden?: boolean;
  /** Kept in text also without rows. */
  readonly always?: boolean;
}

export const number = (value: number): Cell => ({ class: "number", value });
export const ratio = (value: number): Cell => ({ class: "ratio", value });
export const size = (value: number): Cell => ({ class: "size", value });
export const text = (value: string): Cell => ({ class: "string", value });
export const UNKNOWN_CELL: Cell = { class: "unknown" };

/** ns; NaN is unknown. */
export function duration(value: number): Cell {
  return Number.isNaN(value) ? UNKNOWN_CELL : { class: "duration", value };
}

/** Exact ns since the Unix epoch. */
export function timeRange(beginNs: bigint, endNs: bigint): Cell {
  return {
    class: "time-range",
    begin: { class: "timestamp", value: beginNs },
    end: { class: "timestamp", value: endNs },
  };
}

/** A thread in a result: plain data. */
export interface ThreadRef {
  /** Index of its host. */
  readonly host: number;
  readonly tid: number;
  /** Null when the trace never tells. */
  readonly pid: number | null;
  /** Last name; `tid N` when the trace never tells. */
  readonly name: string;
  /** Names it had before, oldest first. */
  readonly earlierNames: readonly string[];
}

/** The same as it is called now, for rows of logs. */
export function threadNow(thread: Thread): ThreadRef {
  return {
    host: thread.host.index,
    tid: thread.tid,
    pid: thread.pid === -1 ? null : thread.pid,
    name: thread.name === "" ? `tid ${thread.tid}` : thread.name,
    earlierNames: NO_NAMES,
  };
}

const NO_NAMES: readonly string[] = [];

export function threadRef(thread: Thread): ThreadRef {
  return {
    host: thread.host.index,
    tid: thread.tid,
    pid: thread.pid === -1 ? null : thread.pid,
    name: thread.name === "" ? `tid ${thread.tid}` : thread.name,
    earlierNames: thread.earlierNames ?? [],
  };
}

/** Which host, for cells, where there are several. */
export function hostOf(hosts: readonly string[], host: number): OfHost {
  return hosts.length > 1 ? { host: hosts[host]! } : {};
}

/** `pid: false`: the reference tells the tid alone in this table. */
export function processCell(hosts: readonly string[], thread: ThreadRef, pid = true): Cell {
  const { name, tid } = thread;
  const withPid = pid && thread.pid !== null;
  // Logs have very many: objects are made at once, not put together.
  if (hosts.length > 1) {
    const host = hosts[thread.host]!;
    return withPid
      ? { class: "process", name, pid: thread.pid!, tid, host }
      : { class: "process", name, tid, host };
  }
  return withPid ? { class: "process", name, pid: thread.pid!, tid } : { class: "process", name, tid };
}

export function cpuCell(hosts: readonly string[], host: number, id: number): Cell {
  return hosts.length > 1 ? { class: "cpu", id, host: hosts[host]! } : { class: "cpu", id };
}
