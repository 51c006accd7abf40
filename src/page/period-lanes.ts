/** Periods as lanes: instances below their parents, side by side where they overlap. */
import { spreadLimit } from "../base/outliers.js";
import type { PeriodInfo, PeriodLine } from "./contract.js";
import type { Range } from "./view.js";

export interface Lane {
  /** Definition that it is of. */
  readonly period: number;
  readonly depth: number;
  /** Of its definition, from 0. */
  readonly number: number;
  /** In order of begin, not overlapping. */
  readonly instances: PeriodLine[];
}

/** More instances at once share the last lane. */
const MOST_LANES = 6;

/** Lanes of all definitions that have instances, parents before their children. */
export function lanesOf(periods: readonly PeriodInfo[], instances: readonly PeriodLine[]): Lane[] {
  const byPeriod: PeriodLine[][] = periods.map(() => []);
  for (const line of instances) byPeriod[line[1]]?.push(line);
  const depthOf = (period: number): number => {
    const parent = periods[period]?.parent ?? -1;
    return parent < 0 ? 0 : 1 + depthOf(parent);
  };
  const lanes: Lane[] = [];
  const add = (period: number): void => {
    const own = byPeriod[period]!;
    const found: Lane[] = [];
    for (const line of own) {
      let lane = found.find((one) => one.instances.at(-1)![3] <= line[2]);
      if (lane === undefined && found.length < MOST_LANES) {
        lane = { period, depth: depthOf(period), number: found.length, instances: [] };
        found.push(lane);
      }
      (lane ?? found.at(-1)!).instances.push(line);
    }
    lanes.push(...found);
    periods.forEach((one, child) => {
      if (one.parent === period) add(child);
    });
  };
  periods.forEach((one, period) => {
    if (one.parent < 0) add(period);
  });
  return lanes;
}

/** Index of the first instance of a lane that ends after `ns`. */
export function firstAfter(lane: Lane, ns: number): number {
  let [low, high] = [0, lane.instances.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lane.instances[middle]![3] < ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function instanceAt(lane: Lane, { beginNs, endNs }: Range): PeriodLine | undefined {
  let best: PeriodLine | undefined;
  for (let i = firstAfter(lane, beginNs); i < lane.instances.length; i++) {
    const one = lane.instances[i]!;
    if (one[2] > endNs) break;
    if (best === undefined || one[3] - one[2] > best[3] - best[2]) best = one;
  }
  return best;
}

/** Fewer instances have no outliers. */
const LEAST = 5;

/**
 * Durations above this are outliers of a definition, by the rule of `periscope why`. Instances that the trace's end
 * (`traceEndNs`) cut off do not count.
 */
export function outlierLimits(
  periods: readonly PeriodInfo[],
  instances: readonly PeriodLine[],
  traceEndNs = Number.POSITIVE_INFINITY,
): number[] {
  const durations: number[][] = periods.map(() => []);
  for (const [, period, beginNs, endNs] of instances)
    if (endNs < traceEndNs) durations[period]?.push(endNs - beginNs);
  return durations.map((list) =>
    list.length < LEAST ? Number.POSITIVE_INFINITY : spreadLimit(Float64Array.from(list).sort()),
  );
}
