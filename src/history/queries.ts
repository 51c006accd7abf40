/** What viewers ask of a history in a range of time: states, arrows, densities, series. Ranges are `ns`. */
import { lowerBound } from "../base/columns.js";
import type { Doing } from "./doing.js";
import { ON_CPU_BITS } from "./doing.js";
import type { History } from "./history.js";
import { stateLabel } from "./labels.js";
import type { Stretch } from "./pixels.js";
import type { StateRow } from "./state-row.js";
import { BUCKETS, REQUEST_KINDS } from "./tables.js";

export type StateLine = readonly [beginNs: number, endNs: number, doing: Doing, label: string];

/** Whole states that touch the range and last `leastNs` or longer; undefined: more than `most`. */
export function statesIn(
  history: History,
  row: StateRow,
  { beginNs, endNs }: Stretch,
  most: number,
  leastNs = 0,
): StateLine[] | undefined {
  const first = Math.max(0, row.indexAt(beginNs));
  const end = lowerBound(row.ns, row.length, endNs);
  if (leastNs === 0 && end - first > most) return undefined;
  const lines: StateLine[] = [];
  const { untilNs } = history;
  for (let i = first; i < end; i++) {
    const to = row.endOf(i, untilNs);
    if (to < beginNs || to - row.ns[i]! < leastNs) continue;
    if (lines.length === most) return undefined;
    const doing = row.doing[i] as Doing;
    lines.push([row.ns[i]!, to, doing, stateLabel(history, row.id, doing, row.arg[i]!)]);
  }
  return lines;
}

export type WakeLine = readonly [ns: number, from: number, to: number];

/** Who woke whom between rows of `wanted` (undefined: any), at most `most`, spread evenly. */
export function wakesIn(
  history: History,
  { beginNs, endNs }: Stretch,
  wanted: ReadonlySet<number> | undefined,
  most: number,
): { readonly tooMany: boolean; readonly wakes: readonly WakeLine[] } {
  const { of, length } = history.tables.wakes;
  const { ns, from, to } = of;
  const isWanted = new Uint8Array(history.rows.length).fill(wanted === undefined ? 1 : 0);
  for (const row of wanted ?? []) isWanted[row] = 1;
  // There may be millions: only what is given becomes a line.
  const found: number[] = [];
  for (let i = lowerBound(ns, length, beginNs); i < length && ns[i]! <= endNs; i++) {
    // Rows of -1, whoever is not known, are wanted by nobody.
    if (isWanted[from[i]!] === 1 && isWanted[to[i]!] === 1) found.push(i);
  }
  const line = (i: number): WakeLine => [ns[i]!, from[i]!, to[i]!];
  if (found.length <= most) return { tooMany: false, wakes: found.map(line) };
  const step = found.length / most;
  return { tooMany: true, wakes: Array.from({ length: most }, (_, i) => line(found[Math.floor(i * step)]!)) };
}

/** Event records in each of `pixels` equal parts of the range; finer than the history's buckets it is spread evenly. */
export function densityIn(history: History, { beginNs, endNs }: Stretch, pixels: number): number[] {
  // What is rounded are the counts up to an edge: their differences add up to what there is.
  const counts = Array.from({ length: pixels + 1 }, (_, i) =>
    Math.round(eventRecordsBefore(history, beginNs + (i * (endNs - beginNs)) / pixels)),
  );
  return Array.from({ length: pixels }, (_, i) => counts[i + 1]! - counts[i]!);
}

/** Event records before a moment, interpolated within a bucket. */
export function eventRecordsBefore(history: History, ns: number): number {
  return cumulated(history, history.tables.events.of.count, history.tables.events.length, ns);
}

function cumulated(history: History, values: ArrayLike<number>, length: number, ns: number): number {
  const at = ((ns - history.beginNs) / Math.max(1, history.endNs - history.beginNs)) * BUCKETS;
  if (length === 0 || at <= 0) return 0;
  const bucket = Math.floor(at);
  if (bucket >= length) return values[length - 1]!;
  const before = bucket === 0 ? 0 : values[bucket - 1]!;
  return before + (values[bucket]! - before) * (at - bucket);
}

export interface Series {
  readonly name: string;
  readonly unit: "share" | "bytes/s" | "bytes";
  readonly values: readonly number[];
}

/** Use of the CPUs (0 … 1 of all), bytes a second of disks and network, memory taken since the trace began. */
export function seriesIn(history: History, range: Stretch, pixels: number): Series[] {
  const { beginNs, endNs } = range;
  const pixelNs = (endNs - beginNs) / pixels;
  const series: Series[] = [{ name: "cpu", unit: "share", values: cpuShareIn(history, range, pixels) }];
  const { requests, packets, memory } = history.tables;
  const rates = (name: string, add: (into: Float64Array) => void): void => {
    const sums = new Float64Array(pixels);
    add(sums);
    series.push({ name, unit: "bytes/s", values: Array.from(sums, (bytes) => (bytes * 1e9) / pixelNs) });
  };
  const bin = (ns: number): number => Math.min(pixels - 1, Math.floor((ns - beginNs) / pixelNs));
  for (const kind of ["read", "write"] as const) {
    const wanted = REQUEST_KINDS.indexOf(kind);
    rates(`disk ${kind}`, (into) => {
      const { of, length } = requests;
      for (let i = lowerBound(of.end, length, beginNs); i < length && of.end[i]! < endNs; i++) {
        if (of.kind[i] === wanted) into[bin(of.end[i]!)]! += of.bytes[i]!;
      }
    });
  }
  for (const [name, sent] of [
    ["network in", 0],
    ["network out", 1],
  ] as const) {
    rates(name, (into) => {
      const { of, length } = packets;
      for (let i = lowerBound(of.ns, length, beginNs); i < length && of.ns[i]! < endNs; i++) {
        if (of.sent[i] === sent) into[bin(of.ns[i]!)]! += of.bytes[i]!;
      }
    });
  }
  series.push({
    name: "memory",
    unit: "bytes",
    values: Array.from(
      { length: pixels },
      (_, i) =>
        cumulated(history, memory.of.pages, memory.length, beginNs + (i + 1) * pixelNs) * history.pageSize,
    ),
  });
  return series;
}

/** Share of all CPUs' time that was used, for each pixel. */
export function cpuShareIn(history: History, { beginNs, endNs }: Stretch, pixels: number): number[] {
  const pixelNs = (endNs - beginNs) / pixels;
  const sums = new Float64Array(pixels);
  const cpus = history.rows.filter(({ kind }) => kind === "cpu");
  for (const row of cpus) addUse(row, beginNs, endNs, pixelNs, history.untilNs, sums);
  return Array.from(sums, (ns) => ns / (pixelNs * Math.max(1, cpus.length)));
}

/** Adds the time that a row was on a CPU to the pixels. */
export function addUse(
  row: StateRow,
  beginNs: number,
  endNs: number,
  pixelNs: number,
  untilNs: number,
  sums: Float64Array,
): void {
  const { ns, doing, length } = row;
  for (let i = Math.max(0, row.indexAt(beginNs)); i < length && ns[i]! < endNs; i++) {
    if (((ON_CPU_BITS >> doing[i]!) & 1) === 0) continue;
    let from = Math.max(ns[i]!, beginNs);
    const to = Math.min(i + 1 < length ? ns[i + 1]! : untilNs, endNs);
    while (from < to) {
      const pixel = Math.min(sums.length - 1, Math.floor((from - beginNs) / pixelNs));
      const edge = pixel === sums.length - 1 ? to : Math.min(to, beginNs + (pixel + 1) * pixelNs);
      sums[pixel]! += edge - from;
      // Rounding must not stop the walk.
      if (edge <= from) break;
      from = edge;
    }
  }
}
