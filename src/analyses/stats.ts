/** Statistics of durations as plain data, and their columns. */

import type { Series } from "../base/series.js";
import { type Cell, type Column, duration, type LamiColumn, number } from "./table.js";

/** Durations, ns. With `count` 0 all are 0, with 1 the deviation is null. */
export interface Stats {
  readonly count: number;
  readonly totalNs: number;
  readonly minNs: number;
  readonly avgNs: number;
  readonly maxNs: number;
  /** Of a sample (n - 1); null under two values. */
  readonly stdevNs: number | null;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  /** The quantiles are exact; else within 1 %. */
  readonly exact: boolean;
}

export function statsOf(series: Series | undefined): Stats {
  if (series === undefined || series.count === 0) {
    const none = { count: 0, totalNs: 0, minNs: 0, avgNs: 0, maxNs: 0, stdevNs: null, exact: true };
    return { ...none, p50Ns: 0, p90Ns: 0, p99Ns: 0, p999Ns: 0 };
  }
  return {
    count: series.count,
    totalNs: series.sum,
    minNs: series.min,
    avgNs: series.mean,
    maxNs: series.max,
    stdevNs: series.count < 2 ? null : series.deviation,
    p50Ns: series.quantile(0.5),
    p90Ns: series.quantile(0.9),
    p99Ns: series.quantile(0.99),
    p999Ns: series.quantile(0.999),
    exact: series.exact,
  };
}

/** Columns of statistics: five of the table class, and the quantiles in text. */
export function statsColumns(lami: readonly LamiColumn[], countTitle = "Count"): Column[] {
  return [
    { lami: lami[0], text: countTitle },
    { lami: lami[1], text: "Min", drop: 3 },
    { lami: lami[2], text: "Average" },
    { lami: undefined, text: "p50", drop: 2 },
    { lami: undefined, text: "p90", drop: 4 },
    { lami: undefined, text: "p99" },
    { lami: undefined, text: "p99.9", drop: 5 },
    { lami: lami[3], text: "Max" },
    { lami: lami[4], text: "Stdev", drop: 1 },
  ];
}

export function statsCells(stats: Stats): Cell[] {
  const { count } = stats;
  const quantile = (ns: number): Cell => (count === 0 ? null : duration(ns));
  return [
    number(count),
    duration(stats.minNs),
    duration(stats.avgNs),
    quantile(stats.p50Ns),
    quantile(stats.p90Ns),
    quantile(stats.p99Ns),
    quantile(stats.p999Ns),
    duration(stats.maxNs),
    duration(stats.stdevNs ?? Number.NaN),
  ];
}

/** A remark where quantiles are not exact. */
export function exactness(all: readonly Stats[]): string[] {
  return all.every((stats) => stats.exact)
    ? []
    : ["Quantiles (p50 to p99.9) of the largest counts are within 1 %."];
}
