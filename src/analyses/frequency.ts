/** Distributions in equal bins: tables for the families that have `--freq`. */

import type { Bin, Series } from "../base/series.js";
import { type Column, duration, type LamiColumn, number, type Table } from "./table.js";

/** Options of families with distributions. */
export interface FrequencyOptions {
  readonly freq: boolean;
  /** Number of bins. */
  readonly freqResolution: number;
  /** The same bounds for all distributions of a kind. */
  readonly freqUniform: boolean;
  /** All of a kind in one table, a column each. */
  readonly freqSeries: boolean;
  /** Durations outside are not counted; also the bounds of the bins. ns. */
  readonly minNs?: number;
  readonly maxNs?: number;
}

export const FREQUENCY_DEFAULTS = {
  freq: false,
  freqResolution: 20,
  freqUniform: false,
  freqSeries: false,
} as const;

/** One distribution: its name in titles, and its bins (none when all values are equal). */
export interface Distribution {
  readonly name: string;
  readonly bins: readonly Bin[];
}

/** Distributions of a kind, with common bounds where asked for. */
export function distributions(
  all: readonly { readonly name: string; readonly series: Series }[],
  options: FrequencyOptions,
): Distribution[] {
  const { minNs, maxNs, freqResolution } = options;
  const uniform = options.freqUniform || options.freqSeries;
  const filled = all.filter(({ series }) => series.count > 0);
  const low = Math.min(...filled.map(({ series }) => series.min));
  const high = Math.max(...filled.map(({ series }) => series.max));
  return all.map(({ name, series }) => ({
    name,
    bins: series.bins(
      freqResolution,
      minNs ?? (uniform ? low : series.min),
      maxNs ?? (uniform ? high : series.max),
    ),
  }));
}

export interface FrequencyTexts {
  readonly class: string;
  readonly columns: readonly LamiColumn[];
  /** `NAME` in it is replaced by the distribution's. */
  readonly title: string;
  readonly heading: string;
  /** Instead of both for a distribution without a name: the one over all. */
  readonly plainHeading: string;
  readonly seriesTitle: string;
  readonly unit: string;
}

/** A table per distribution, or one for all with `freqSeries`. Those without bins are left out. */
export function frequencyTables(
  all: readonly Distribution[],
  texts: FrequencyTexts,
  options: FrequencyOptions,
): Table[] {
  const filled = all.filter(({ bins }) => bins.length > 0);
  if (filled.length === 0) return [];
  const [low, high, count] = texts.columns;
  if (options.freqSeries && filled[0]!.name !== "") {
    const columns: Column[] = [
      { lami: low, text: "From" },
      { lami: high, text: "To" },
      ...filled.map(({ name }) => {
        const column: LamiColumn = { title: name, class: "number", unit: texts.unit };
        return { lami: column, text: name };
      }),
    ];
    const rows = filled[0]!.bins.map(({ from, to }, i) => [
      duration(from),
      duration(to),
      ...filled.map(({ bins }) => number(bins[i]?.count ?? 0)),
    ]);
    const { seriesTitle: title } = texts;
    return [
      { class: texts.class, dynamic: true, title, heading: title, columns, rows, view: { kind: "table" } },
    ];
  }
  return filled.map(({ name, bins }) => ({
    class: texts.class,
    ...(name === "" ? {} : { title: texts.title.replace("NAME", name) }),
    heading: name === "" ? texts.plainHeading : texts.heading.replace("NAME", name),
    view: { kind: "bins" },
    columns: [
      { lami: low, text: "From" },
      { lami: high, text: "To" },
      { lami: count, text: "Count" },
    ],
    rows: bins.map((bin) => [duration(bin.from), duration(bin.to), number(bin.count)]),
  }));
}
