/**
 * Durations of one sort (system calls, waits for a CPU, interrupts, futexes, periods), each with whose and of what it
 * was, in order of end: what scatter plots, tables, statistics and distributions are made of.
 */
import { lowerBound } from "../base/columns.js";
import { Doing } from "./doing.js";
import type { History } from "./history.js";
import { isWait } from "./labels.js";
import type { PeriodTable } from "./period-table.js";
import type { Stretch } from "./pixels.js";
import { irqLabel } from "./range-summary.js";

export type LatencySource = "syscalls" | "scheduling" | "irqs" | "futexes" | "periods";

export interface Latencies {
  readonly length: number;
  readonly begin: ArrayLike<number>;
  readonly end: ArrayLike<number>;
  /** Of the thread (interrupts: of the CPU); -1 not known. */
  readonly row: (i: number) => number;
  readonly what: (i: number) => string;
}

export interface LatencyLine {
  readonly beginNs: number;
  readonly endNs: number;
  readonly row: number;
  readonly what: string;
}

export interface LatencyStats {
  readonly what: string;
  readonly count: number;
  readonly totalNs: number;
  readonly minNs: number;
  readonly maxNs: number;
  readonly meanNs: number;
  readonly deviationNs: number;
  readonly medianNs: number;
  readonly p99Ns: number;
  /** The shortest and the longest. */
  readonly minAt: Stretch;
  readonly maxAt: Stretch;
}

export function syscallLatencies(history: History): Latencies {
  const { of, length } = history.tables.syscalls;
  return {
    length,
    begin: of.begin,
    end: of.end,
    row: (i) => of.row[i]!,
    what: (i) => history.syscallNames[of.call[i]!] ?? "",
  };
}

export function irqLatencies(history: History): Latencies {
  const { of, length } = history.tables.irqs;
  return {
    length,
    begin: of.begin,
    end: of.end,
    row: (i) => of.row[i]!,
    what: (i) => irqLabel(history, history.rows[of.row[i]!]!.host, of.kind[i]!, of.number[i]!),
  };
}

/** Calls of `futex`: waits for locks and conditions, and what wakes them. */
export function futexLatencies(history: History): Latencies {
  const { of, length } = history.tables.syscalls;
  const isFutex = history.syscallNames.map((name) => /^futex/.test(name));
  const picked: number[] = [];
  for (let i = 0; i < length; i++) if (isFutex[of.call[i]!] === true) picked.push(i);
  return {
    length: picked.length,
    begin: Float64Array.from(picked, (i) => of.begin[i]!),
    end: Float64Array.from(picked, (i) => of.end[i]!),
    row: (i) => of.row[picked[i]!]!,
    what: (i) => history.names[of.row[picked[i]!]!]?.label ?? "",
  };
}

/** From wake-up to running. */
export function schedulingLatencies(history: History): Latencies {
  const lines: { begin: number; end: number; row: number }[] = [];
  for (const row of history.rows) {
    if (row.kind !== "thread") continue;
    const { ns, doing, length } = row;
    for (let i = 1; i + 1 < length; i++) {
      if (doing[i] !== Doing.runnable || !isWait(doing[i - 1] as Doing)) continue;
      const begin = ns[i]!;
      // Moved to another CPU: one wait all the same.
      while (i + 1 < length && doing[i + 1] === Doing.runnable) i++;
      if (i + 1 < length) lines.push({ begin, end: ns[i + 1]!, row: row.id });
    }
  }
  lines.sort((a, b) => a.end - b.end);
  return {
    length: lines.length,
    begin: Float64Array.from(lines, ({ begin }) => begin),
    end: Float64Array.from(lines, ({ end }) => end),
    row: (i) => lines[i]!.row,
    what: (i) => history.names[lines[i]!.row]?.label ?? "",
  };
}

/** Completed instances of periods. */
export function periodLatencies(history: History, table: PeriodTable): Latencies {
  const { of } = table.lines;
  const picked: number[] = [];
  for (let i = 0; i < table.lines.length; i++) if (of.completed[i] === 1) picked.push(i);
  picked.sort((a, b) => of.end[a]! - of.end[b]!);
  return {
    length: picked.length,
    begin: Float64Array.from(picked, (i) => of.begin[i]!),
    end: Float64Array.from(picked, (i) => of.end[i]!),
    row: (i) => {
      const at = picked[i]!;
      const tid = of.tid[at]!;
      return tid < 0 ? -1 : history.rowOfThread(of.host[at]!, tid, of.begin[at]!);
    },
    what: (i) => table.definitions[of.definition[picked[i]!]!]!.path,
  };
}

/** Indices of those that ended in the range. */
function within({ end, length }: Latencies, { beginNs, endNs }: Stretch): { first: number; after: number } {
  const first = lowerBound(end, length, beginNs);
  let after = lowerBound(end, length, endNs);
  while (after < length && end[after]! <= endNs) after++;
  return { first, after };
}

/** Those that ended in the range; beyond `most` the longest. In order of end. */
export function latenciesIn(all: Latencies, range: Stretch, most: number): LatencyLine[] {
  const { first, after } = within(all, range);
  const { begin, end } = all;
  let limit = 0;
  if (after - first > most) {
    const durations = new Float64Array(after - first);
    for (let i = first; i < after; i++) durations[i - first] = end[i]! - begin[i]!;
    durations.sort();
    limit = durations[durations.length - most]!;
  }
  const lines: LatencyLine[] = [];
  for (let i = first; i < after && lines.length < most; i++) {
    if (end[i]! - begin[i]! >= limit) lines.push(lineOf(all, i));
  }
  return lines;
}

/**
 * The one that began nearest to a moment, and of several the one of the nearest duration; of one name (""  of any).
 * Undefined: there is none.
 */
export function nearestLatency(
  all: Latencies,
  ns: number,
  durationNs: number | undefined,
  what: string,
): LatencyLine | undefined {
  const { begin, end, length } = all;
  let best = -1;
  let bestNs = Number.POSITIVE_INFINITY;
  let bestOff = Number.POSITIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const away = Math.abs(begin[i]! - ns);
    if (away > bestNs) continue;
    const off = durationNs === undefined ? 0 : Math.abs(end[i]! - begin[i]! - durationNs);
    if ((away === bestNs && off >= bestOff) || (what !== "" && all.what(i) !== what)) continue;
    [best, bestNs, bestOff] = [i, away, off];
  }
  return best < 0 ? undefined : lineOf(all, best);
}

export function lineOf({ begin, end, row, what }: Latencies, i: number): LatencyLine {
  return { beginNs: begin[i]!, endNs: end[i]!, row: row(i), what: what(i) };
}

/** Statistics of all ("") and by what, of those that ended in the range. */
export function statsIn(all: Latencies, range: Stretch): LatencyStats[] {
  const { first, after } = within(all, range);
  const groups = new Map<string, number[]>([["", []]]);
  const whole = groups.get("")!;
  for (let i = first; i < after; i++) {
    const what = all.what(i);
    const group = groups.get(what);
    if (group === undefined) groups.set(what, [i]);
    else if (what !== "") group.push(i);
    whole.push(i);
  }
  return [...groups]
    .filter(([, group]) => group.length > 0)
    .map(([what, group]) => statsOfGroup(all, what, group))
    .sort((a, b) => (a.what === "" ? -1 : b.what === "" ? 1 : b.totalNs - a.totalNs));
}

function statsOfGroup({ begin, end }: Latencies, what: string, group: readonly number[]): LatencyStats {
  const durations = Float64Array.from(group, (i) => end[i]! - begin[i]!);
  let [total, least, most] = [0, group[0]!, group[0]!];
  durations.forEach((ns, k) => {
    const i = group[k]!;
    total += ns;
    if (ns < end[least]! - begin[least]!) least = i;
    if (ns > end[most]! - begin[most]!) most = i;
  });
  const count = durations.length;
  const mean = total / count;
  const squares = durations.reduce((sum, ns) => sum + (ns - mean) ** 2, 0);
  durations.sort();
  const at = (i: number): Stretch => ({ beginNs: begin[i]!, endNs: end[i]! });
  return {
    what,
    count,
    totalNs: total,
    minNs: durations[0]!,
    maxNs: durations[count - 1]!,
    meanNs: mean,
    deviationNs: count < 2 ? 0 : Math.sqrt(squares / (count - 1)),
    medianNs: durations[Math.floor((count - 1) / 2)]!,
    p99Ns: durations[Math.ceil(0.99 * count) - 1]!,
    minAt: at(least),
    maxAt: at(most),
  };
}

/** How many durations fall into each of `bins` equal parts between the shortest and the longest. */
export function distributionIn(
  all: Latencies,
  range: Stretch,
  bins: number,
  what?: string,
): { readonly ranges: readonly { from: number; to: number }[]; readonly counts: readonly number[] } {
  const { first, after } = within(all, range);
  const { begin, end } = all;
  const durations: number[] = [];
  for (let i = first; i < after; i++) {
    if (what === undefined || what === "" || all.what(i) === what) durations.push(end[i]! - begin[i]!);
  }
  if (durations.length === 0) return { ranges: [], counts: [] };
  let [min, max] = [Number.POSITIVE_INFINITY, 0];
  for (const ns of durations) {
    min = Math.min(min, ns);
    max = Math.max(max, ns);
  }
  const width = Math.max(1, (max - min) / bins);
  const counts = new Array<number>(bins).fill(0);
  for (const ns of durations) counts[Math.min(bins - 1, Math.floor((ns - min) / width))]!++;
  const ranges = counts.map((_, i) => ({ from: min + i * width, to: min + (i + 1) * width }));
  return { ranges, counts };
}
