/** Instances of periods as tracks: each lies below its parent where that nests, instances at the same time beside. */
import type { Label } from "./label.js";
import { type Instance, instancesOf, type Timeline } from "./timeline.js";
import type { TrackSink } from "./tracks.js";

/** A line of slices; what is on it nests. */
interface Lane {
  readonly items: Instance[];
  endNs: number;
}

export function writePeriodTracks(
  timeline: Timeline,
  sink: TrackSink,
  open: (host: number, name: string, thread: number) => void,
): void {
  const { history, range } = timeline;
  const lanes = new Map<string, Lane[]>();
  const placed = new Map<number, { readonly lane: Lane; readonly endNs: number; childEndNs: number }>();
  for (const one of instancesOf(timeline)) {
    const parent = placed.get(one.parent);
    let lane: Lane | undefined;
    // A phase lies below its parent, unless a sibling is still there.
    if (parent !== undefined && parent.childEndNs <= one.beginNs && one.endNs <= parent.endNs) {
      parent.childEndNs = one.endNs;
      lane = parent.lane;
    } else {
      const key = `${one.host}\n${one.path}`;
      const those = lanes.get(key) ?? [];
      lanes.set(key, those);
      lane = those.find(({ endNs }) => endNs <= one.beginNs);
      if (lane === undefined) those.push((lane = { items: [], endNs: 0 }));
      lane.endNs = one.endNs;
    }
    lane.items.push(one);
    placed.set(one.id, { lane, endNs: one.endNs, childEndNs: one.beginNs });
  }
  let thread = 0;
  for (const [key, those] of lanes) {
    const [host, path] = key.split("\n") as [string, string];
    those.forEach(({ items }, i) => {
      open(Math.max(0, history.hosts.indexOf(host)), those.length > 1 ? `${path} #${i + 1}` : path, ++thread);
      const ends: number[] = [];
      for (const one of items) {
        while (ends.length > 0 && ends.at(-1)! <= one.beginNs) sink.end(ends.pop()!);
        sink.begin(Math.max(one.beginNs, range.beginNs), labelOf(one));
        ends.push(Math.min(one.endNs, range.endNs));
      }
      while (ends.length > 0) sink.end(ends.pop()!);
    });
  }
}

function labelOf({ name, captures, tid, completed }: Instance): Label {
  const attributes = [...captures, ["tid", tid] as const, ["completed", `${completed}`] as const];
  return { id: -1, name, category: "period", attributes };
}
