/** The selector values of a TSDL variant's options: those of the labels that have the options' names. */

import { stripUnderscore } from "./field-classes.js";
import type { IntRange, Mapping } from "./types.js";

/**
 * For each option's name (as written), the ranges of its label. A label as written comes before one that is
 * the same without its underscore. Where labels overlap, the option that comes first has the value: so the
 * ranges of different options never overlap.
 */
export function optionsByLabel(names: readonly string[], mappings: readonly Mapping[]): IntRange[][] {
  const exact = new Map<string, readonly IntRange[]>();
  const stripped = new Map<string, readonly IntRange[]>();
  for (const { label, ranges } of mappings) {
    exact.set(label, ranges);
    const short = stripUnderscore(label);
    if (!stripped.has(short)) stripped.set(short, ranges);
  }
  const taken: IntRange[] = [];
  return names.map((name) => {
    const ranges = exact.get(name) ?? stripped.get(stripUnderscore(name)) ?? [];
    return ranges.flatMap((range) => takeFree(range, taken));
  });
}

/** The parts of `range` that are not in `taken` (sorted, disjoint), to which they are added. */
function takeFree(range: IntRange, taken: IntRange[]): IntRange[] {
  const free: IntRange[] = [];
  let lower = range.lower;
  let i = lowerBound(taken, lower);
  const first = i;
  for (; i < taken.length && taken[i]!.lower <= range.upper; i++) {
    if (taken[i]!.lower > lower) free.push({ lower, upper: taken[i]!.lower - 1n });
    lower = taken[i]!.upper + 1n;
  }
  if (lower <= range.upper) free.push({ lower, upper: range.upper });
  if (free.length === 0) return free;
  // What was between the new parts and the new parts themselves are now one stretch.
  const merged = taken.slice(first, i);
  const start = merged.length > 0 && merged[0]!.lower < range.lower ? merged[0]!.lower : range.lower;
  const last = merged[merged.length - 1];
  const end = last !== undefined && last.upper > range.upper ? last.upper : range.upper;
  taken.splice(first, i - first, { lower: start, upper: end });
  return free;
}

/** Index of the first range that ends at `value` or later. */
function lowerBound(ranges: readonly IntRange[], value: bigint): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.upper < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
