/**
 * What the longest instances of periods waited for and did: pieces of their critical paths, in order of time, which
 * last as long as the instance, to the nanosecond.
 */
import { explainRanges } from "../explain/run.js";
import { type ThreadTime, timeOfThread } from "../explain/thread-time.js";
import { sliceText } from "../present/path-text.js";
import type { EventSource } from "../sources/source.js";
import { type Instance, instancesOf, type Timeline } from "./timeline.js";

export interface PathPiece {
  readonly beginEpochNs: bigint;
  readonly durationNs: number;
  readonly name: string;
  readonly attributes: readonly (readonly [key: string, value: string | number])[];
}

/** By the instance's number. */
export type Paths = ReadonlyMap<number, readonly PathPiece[]>;

/** OpenTelemetry's own limit for the events of a span; viewers show them all at once. */
const MOST_PIECES = 128;
/** All paths together are at most so many times as long as the exported range: work grows with their length. */
const MOST_TIMES = 10;

/**
 * Reads `source` once more for the critical paths of the `most` longest instances, less those with which all together
 * would be longer than ten times the range.
 */
export function criticalPaths(source: EventSource, timeline: Timeline, most: number): Paths {
  const paths = new Map<number, readonly PathPiece[]>();
  const ranges = longest(timeline, most);
  if (ranges.length === 0) return paths;
  explainRanges<Instance>(source, ranges, {
    end(range, recorder) {
      // Who ends it knows what it was for; who began it may have handed it on.
      const thread = recorder.model.hosts[range.hostIndex]?.cpus[range.endCpu]?.current;
      if (thread === undefined || thread.tid === 0) return;
      paths.set(range.id, piecesOf(timeOfThread(recorder, thread, range, source.info.originNs, true)));
    },
  });
  return paths;
}

function longest(timeline: Timeline, most: number): Instance[] {
  // There may be millions: only lengths are kept of all.
  const lengths = new Float64Array(timeline.periods.lines.length);
  let count = 0;
  for (const { beginNs, endNs } of instancesOf(timeline)) lengths[count++] = endNs - beginNs;
  const sorted = lengths.subarray(0, count).sort();
  const leastNs = sorted[Math.max(0, count - most)] ?? 0;
  const found: Instance[] = [];
  for (const one of instancesOf(timeline)) {
    const ns = one.endNs - one.beginNs;
    if (ns > 0 && ns >= leastNs) found.push(one);
  }
  found.sort((a, b) => b.endNs - b.beginNs - (a.endNs - a.beginNs) || a.id - b.id);
  let leftNs = MOST_TIMES * (timeline.range.endNs - timeline.range.beginNs);
  return found.slice(0, most).filter(({ beginNs, endNs }) => {
    const fits = endNs - beginNs <= leftNs;
    if (fits) leftNs -= endNs - beginNs;
    return fits;
  });
}

/** The shortest pieces are told as one with those beside them, where there are too many. */
function piecesOf({ slices }: ThreadTime): PathPiece[] {
  // Between two long pieces may lie one of short ones, and before and after them.
  const long = [...slices].sort((a, b) => b.durationNs - a.durationNs);
  const told = new Set(slices.length <= MOST_PIECES ? long : long.slice(0, (MOST_PIECES - 1) >> 1));
  const out: PathPiece[] = [];
  let short: { beginEpochNs: bigint; durationNs: number; count: number } | undefined;
  const flush = () => {
    if (short === undefined) return;
    const { beginEpochNs, durationNs, count } = short;
    const attributes = [["periscope.pieces", count] as const];
    out.push({
      beginEpochNs,
      durationNs,
      name: `${count} shorter ${count > 1 ? "pieces" : "piece"}`,
      attributes,
    });
    short = undefined;
  };
  for (const slice of slices) {
    if (!told.has(slice)) {
      short ??= { beginEpochNs: slice.beginEpochNs, durationNs: 0, count: 0 };
      short.durationNs += slice.durationNs;
      short.count++;
      continue;
    }
    flush();
    const { beginEpochNs, durationNs, kind, what, thread, via, by, cpu, instead } = slice;
    const attributes: [string, string | number][] = [
      ["periscope.kind", kind],
      ["thread.id", thread.tid],
      ["thread.name", thread.name],
      ["process.pid", thread.pid],
      ["process.executable.name", thread.process],
    ];
    if (what !== "") attributes.push(["periscope.resource", what]);
    if (cpu !== null) attributes.push(["periscope.cpu", cpu]);
    if (via.length > 0) {
      const steps = via.map((link) => `${link.kind} ${link.thread.name} (${link.thread.tid})`);
      attributes.push(["periscope.via", steps.join(", ")]);
    }
    if (by !== null) attributes.push(["periscope.ended_by", `${by.name} (${by.tid})`]);
    if (instead.length > 0) {
      const { name, tid } = instead[0]!.thread;
      attributes.push(["periscope.cpu_taken_by", `${name} (${tid})`]);
    }
    out.push({ beginEpochNs, durationNs, name: sliceText(slice, true), attributes });
  }
  flush();
  return out;
}
