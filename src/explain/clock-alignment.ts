/**
 * How far the clocks of traced hosts are apart, from the packets that they sent each other.
 *
 * A packet arrives after it was sent. Every matched packet from one host to the other therefore bounds the
 * difference of their clocks from above, every one back from below; over time these bounds form two hulls, and any
 * straight line between them is a possible difference (Duda et al., "Estimating global time in distributed systems",
 * 1987; the convex-hull method). We take the line with the widest margin, and how far other possible lines are from
 * it bounds the error.
 */
import type { ClockCorrection } from "../ctf/stream/clock.js";
import { resolveNames } from "../kernel/names.js";
import type { EventSource } from "../sources/source.js";
import { segmentKey } from "./packets.js";

/** What the clock of `host` shows more than that of `reference`: `offsetNs + drift * (t - atNs)`. */
export interface ClockDifference {
  readonly host: number;
  readonly reference: number;
  /** `ns` since the source's origin, by the reference's clock. */
  readonly atNs: number;
  readonly offsetNs: number;
  /** ns per ns. */
  readonly drift: number;
  /** The true difference is this close, at any moment of the trace; ns. Infinity: packets went one way only. */
  readonly boundNs: number;
  /** Packets that were matched. */
  readonly packets: number;
}

/** A bound on the difference at one moment: `x` by the reference's clock, `y` host's minus reference's. */
export interface Bound {
  readonly x: number;
  readonly y: number;
}

/** Clocks of computers run this much too fast or slow at most. */
const MOST_DRIFT = 1e-3;
/** Packets whose other end was not seen. */
const MOST_PENDING = 200_000;

/**
 * The difference that fits between upper and lower bounds, with the widest margin. Undefined: no line fits (a clock
 * was set meanwhile), or there are no bounds at all.
 */
export function fitDifference(
  upper: readonly Bound[],
  lower: readonly Bound[],
  beginNs: number,
  endNs: number,
): Pick<ClockDifference, "atNs" | "offsetNs" | "drift" | "boundNs"> | undefined {
  const atNs = (beginNs + endNs) / 2;
  const shift = (bounds: readonly Bound[]) => bounds.map(({ x, y }) => ({ x: x - atNs, y }));
  const [above, below] = [hull(shift(upper), 1), hull(shift(lower), -1)];
  if (above.length === 0 && below.length === 0) return undefined;
  // With packets one way only, the fastest of them took no time as far as we can know.
  if (above.length === 0 || below.length === 0) {
    const ys = (above.length === 0 ? below : above).map(({ y }) => y);
    const offsetNs = above.length === 0 ? Math.max(...ys) : Math.min(...ys);
    return { atNs, offsetNs, drift: 0, boundNs: Number.POSITIVE_INFINITY };
  }
  const most = (drift: number) => Math.min(...above.map(({ x, y }) => y - drift * x));
  const least = (drift: number) => Math.max(...below.map(({ x, y }) => y - drift * x));
  const margin = (drift: number) => most(drift) - least(drift);
  const drift = maximum(margin, -MOST_DRIFT, MOST_DRIFT);
  if (margin(drift) < 0) return undefined;
  const offsetNs = (most(drift) + least(drift)) / 2;
  // The possible drifts are those with a margin; at each, offsets from `least` to `most` are possible.
  const slowest = edge(margin, drift, -MOST_DRIFT);
  const fastest = edge(margin, drift, MOST_DRIFT);
  let boundNs = 0;
  for (const x of [beginNs - atNs, endNs - atNs]) {
    const at = offsetNs + drift * x;
    const high = maximum((b) => most(b) + b * x, slowest, fastest);
    const low = maximum((b) => -(least(b) + b * x), slowest, fastest);
    boundNs = Math.max(boundNs, most(high) + high * x - at, at - (least(low) + low * x));
  }
  return { atNs, offsetNs, drift, boundNs };
}

/** Of the bounds those that no line between two others makes superfluous: the lower hull (1) or the upper one (-1). */
function hull(bounds: readonly Bound[], side: 1 | -1): Bound[] {
  const out: Bound[] = [];
  for (const bound of [...bounds].sort((a, b) => a.x - b.x || side * (a.y - b.y))) {
    while (out.length >= 2) {
      const [a, b] = [out[out.length - 2]!, out[out.length - 1]!];
      const turn = (b.x - a.x) * (bound.y - a.y) - (b.y - a.y) * (bound.x - a.x);
      if (side * turn > 0) break;
      out.pop();
    }
    out.push(bound);
  }
  return out;
}

/** Where a concave function is largest. */
function maximum(f: (x: number) => number, from: number, to: number): number {
  let [low, high] = [from, to];
  for (let i = 0; i < 200 && high - low > 1e-15; i++) {
    const third = (high - low) / 3;
    if (f(low + third) < f(high - third)) low += third;
    else high -= third;
  }
  return (low + high) / 2;
}

/** How far from `inside` towards `limit` a concave function stays at or above 0. */
function edge(f: (x: number) => number, inside: number, limit: number): number {
  if (f(limit) >= 0) return limit;
  let [good, bad] = [inside, limit];
  for (let i = 0; i < 200; i++) {
    const middle = (good + bad) / 2;
    if (f(middle) >= 0) good = middle;
    else bad = middle;
  }
  return good;
}

interface Pending {
  readonly host: number;
  readonly ns: number;
  readonly sent: boolean;
}

/** Reads a source of several hosts once. Hosts that exchanged no packets with others are not in the result. */
export function clockDifferences(source: EventSource): ClockDifference[] {
  const { info } = source;
  const names = resolveNames(info);
  const pending = new Map<string, Pending>();
  /** By `from * hosts + to`: when sent, when received. */
  const ways = new Map<number, { sent: number[]; received: number[] }>();
  const seen = (key: string, end: Pending): void => {
    const other = pending.get(key);
    if (other === undefined) {
      if (pending.size >= MOST_PENDING) pending.delete(pending.keys().next().value!);
      pending.set(key, end);
      return;
    }
    // Seen twice on one host: sent again, or passing through.
    if (other.host === end.host || other.sent === end.sent) return;
    pending.delete(key);
    const [sent, received] = end.sent ? [end, other] : [other, end];
    const id = sent.host * info.hosts.length + received.host;
    let way = ways.get(id);
    if (way === undefined) ways.set(id, (way = { sent: [], received: [] }));
    way.sent.push(sent.ns);
    way.received.push(received.ns);
  };
  for (const [role, sent] of [
    ["netQueue", true],
    ["netReceive", false],
  ] as const) {
    source.subscribe({
      matches: names.is(role),
      fields: { header: { from: "network_header", kind: "value" } },
      handle(r) {
        const key = segmentKey(r.header);
        if (key !== "") seen(key, { host: r.host, ns: r.ns, sent });
      },
    });
  }
  source.run();
  return spanning(info.hosts.length, (host, reference) => {
    const upper: Bound[] = [];
    const lower: Bound[] = [];
    const there = ways.get(reference * info.hosts.length + host);
    const back = ways.get(host * info.hosts.length + reference);
    for (const [i, x] of there?.sent.entries() ?? []) upper.push({ x, y: there!.received[i]! - x });
    for (const [i, x] of back?.received.entries() ?? []) lower.push({ x, y: back!.sent[i]! - x });
    const fit = fitDifference(upper, lower, info.beginNs, info.endNs);
    return fit === undefined ? undefined : { host, reference, ...fit, packets: upper.length + lower.length };
  });
}

/** Differences to hosts that are nearer to the first one, each host once. */
function spanning(
  hosts: number,
  difference: (host: number, reference: number) => ClockDifference | undefined,
): ClockDifference[] {
  const out: ClockDifference[] = [];
  const known = [0];
  const todo = new Set(Array.from({ length: hosts - 1 }, (_, i) => i + 1));
  for (const reference of known) {
    for (const host of [...todo]) {
      const found = difference(host, reference);
      if (found === undefined) continue;
      out.push(found);
      known.push(host);
      todo.delete(host);
    }
  }
  return out;
}

/** What makes the clocks of all hosts show what the first one's shows, by name of host. */
export function corrections(
  source: EventSource,
  differences: readonly ClockDifference[],
): Map<string, ClockCorrection> {
  const { originNs, hosts } = source.info;
  const out = new Map<string, ClockCorrection>();
  /** Of each host to the first one: at `atNs` of the first one's clock. */
  const sums = new Map<number, { offsetNs: number; drift: number }>([[0, { offsetNs: 0, drift: 0 }]]);
  for (const { host, reference, atNs, offsetNs, drift } of differences) {
    const before = sums.get(reference)!;
    const sum = { offsetNs: before.offsetNs + offsetNs, drift: before.drift + drift };
    sums.set(host, sum);
    const at = originNs + BigInt(Math.round(atNs + sum.offsetNs));
    out.set(hosts[host]!.name, {
      atNs: at,
      shiftNs: BigInt(-Math.round(sum.offsetNs)),
      rate: 1 / (1 + sum.drift),
    });
  }
  return out;
}
