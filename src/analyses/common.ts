/** What the sections of a report share: bounds, distributions, references to threads, ranking. */

import type { Histogram } from "../base/histogram.js";
import type { Process, Thread } from "../kernel/state.js";
import { type ThreadRef, threadRef } from "./table.js";

export { type ThreadRef, threadRef };

/**
 * Bounds of the analysis, `ns` since the source's origin. State before `beginNs` is modelled, not counted.
 * Packets may begin long before their first event record and end after the last: what is not bounded by the
 * user is bounded by the event records themselves, so `endNs` is settled only when all are read. `lastNs`
 * (known from the start) is not below it.
 */
export interface Range {
  readonly beginNs: number;
  readonly endNs: number;
  readonly lastNs: number;
}

/** Rows kept per table; presentation shows fewer. */
export const MAX_ROWS = 50;

export interface ProcessRef {
  readonly host: number;
  readonly pid: number;
  readonly name: string;
}

/** Durations of one sort; quantiles within 1 % (see `Histogram`), the rest exact. All 0 when `count` is 0. */
export interface Distribution {
  readonly count: number;
  readonly totalNs: number;
  readonly minNs: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

export function distribution(h: Histogram | undefined): Distribution {
  if (h === undefined || h.count === 0)
    return { count: 0, totalNs: 0, minNs: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 };
  return {
    count: h.count,
    totalNs: h.sum,
    minNs: h.min,
    p50Ns: h.quantile(0.5),
    p99Ns: h.quantile(0.99),
    maxNs: h.max,
  };
}

export interface HistogramStep {
  readonly fromNs: number;
  readonly toNs: number;
  readonly count: number;
}

/** A table cut to its first rows: how many rows there were in all. */
export interface Ranked<T> {
  readonly rows: readonly T[];
  readonly totalRows: number;
}

export function ranked<T>(rows: T[], value: (row: T) => number, limit = MAX_ROWS): Ranked<T> {
  rows.sort((a, b) => value(b) - value(a));
  return { rows: rows.slice(0, limit), totalRows: rows.length };
}

/** Sums per thread put together per process. The name is that of the leader, else of any thread. */
export function byProcess<A, S>(
  accumulators: readonly (A | undefined)[],
  threads: readonly Thread[],
  create: () => S,
  add: (sum: S, accumulator: A) => void,
): (ProcessRef & S)[] {
  const sums = new Map<Process, { sum: S; thread: Thread }>();
  for (let i = 0; i < accumulators.length; i++) {
    const accumulator = accumulators[i];
    const thread = threads[i];
    if (accumulator === undefined || thread === undefined) continue;
    let entry = sums.get(thread.process);
    if (entry === undefined) {
      entry = { sum: create(), thread };
      sums.set(thread.process, entry);
    } else if (thread.tid === thread.pid) entry.thread = thread;
    add(entry.sum, accumulator);
  }
  const leaders = new Map<Process, string>();
  for (const t of threads) if (t.tid === t.pid && t.name !== "") leaders.set(t.process, t.name);
  return [...sums].map(([process, { sum, thread }]) => ({
    host: thread.host.index,
    pid: thread.pid === -1 ? thread.tid : thread.pid,
    name: leaders.get(process) ?? threadRef(thread).name,
    ...sum,
  }));
}
