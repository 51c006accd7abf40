/**
 * How long a row was in each of its states, in any stretch of time. Long stretches hold millions of states: a row's sums
 * up to every `STEP`-th state are kept, made when they are first needed, so that only the ends of a stretch are walked.
 */
import { lowerBound } from "../base/columns.js";
import { DOINGS } from "./doing.js";
import type { Stretch } from "./pixels.js";
import type { StateRow } from "./state-row.js";

const STEP = 1024;

/** ns of each `Doing` before state 0, `STEP`, 2 `STEP`, …: `DOINGS` numbers each. */
interface Sums {
  before: Float64Array;
  /** How many of these are made. */
  count: number;
}

const sumsOf = new WeakMap<StateRow, Sums>();

/** Time of each `Doing` of a row in the range, ns, by number. States are known until `untilNs`. */
export function timesOf(
  row: StateRow,
  { beginNs, endNs }: Stretch,
  untilNs: number,
  times: Float64Array,
): void {
  times.fill(0);
  const stop = Math.min(endNs, untilNs);
  const first = Math.max(0, row.indexAt(beginNs));
  const end = lowerBound(row.ns, row.length, stop);
  // Whole steps that lie within: the state before `to` ends before `stop`, since another begins.
  const from = Math.ceil((first + 1) / STEP);
  const to = Math.floor((end - 1) / STEP);
  if (to <= from) {
    walk(row, first, end, beginNs, stop, untilNs, times);
    return;
  }
  walk(row, first, from * STEP, beginNs, stop, untilNs, times);
  const before = sumsBefore(row, to);
  for (let doing = 0; doing < DOINGS; doing++)
    times[doing]! += before[to * DOINGS + doing]! - before[from * DOINGS + doing]!;
  walk(row, to * STEP, end, beginNs, stop, untilNs, times);
}

function walk(
  { ns, doing, length }: StateRow,
  first: number,
  end: number,
  beginNs: number,
  stop: number,
  untilNs: number,
  times: Float64Array,
): void {
  for (let i = first; i < end; i++) {
    const from = Math.max(ns[i]!, beginNs);
    const to = Math.min(i + 1 < length ? ns[i + 1]! : untilNs, stop);
    if (to > from) times[doing[i]!]! += to - from;
  }
}

/** Sums up to the state `last * STEP`, which is there: what comes before the last state of a row is final. */
function sumsBefore(row: StateRow, last: number): Float64Array {
  let sums = sumsOf.get(row);
  if (sums === undefined) sumsOf.set(row, (sums = { before: new Float64Array(DOINGS), count: 1 }));
  if (sums.count > last) return sums.before;
  if (sums.before.length < (last + 1) * DOINGS) {
    const grown = new Float64Array(Math.ceil(1.5 * (last + 1)) * DOINGS);
    grown.set(sums.before);
    sums.before = grown;
  }
  const { before } = sums;
  const { ns, doing } = row;
  for (; sums.count <= last; sums.count++) {
    const at = sums.count * DOINGS;
    before.copyWithin(at, at - DOINGS, at);
    for (let i = (sums.count - 1) * STEP; i < sums.count * STEP; i++)
      before[at + doing[i]!]! += ns[i + 1]! - ns[i]!;
  }
  return before;
}
