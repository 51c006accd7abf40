/** Which of many durations are far above the others. */

/**
 * Six standard deviations above the median, and half as long again: longer is worth a look. The deviation is estimated
 * from the median distance to the median (times 1.4826), which outliers cannot spoil unless half of them are such.
 * `sorted` is ascending and not empty.
 */
export function spreadLimit(sorted: Float64Array): number {
  const middle = Math.floor(0.5 * sorted.length);
  const median = sorted[middle]!;
  const distances = sorted.map((value) => Math.abs(value - median)).sort();
  return Math.max(median + 6 * 1.4826 * distances[middle]!, 1.5 * median);
}
