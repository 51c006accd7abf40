/** The time of one thread in one range, or its critical path: what `waits` and `critical-path` tell. */
import type { Thread } from "../kernel/state.js";
import type { EventSource } from "../sources/source.js";
import { attributedShare, type Certainty, certaintyOf } from "./certainty.js";
import { criticalPath, type Slice, timeOf } from "./critical-path.js";
import { Describer, type SliceInfo } from "./describe.js";
import { State } from "./history.js";
import type { Who } from "./lineage.js";
import type { Recorder } from "./recorder.js";
import { explainRanges, type Range } from "./run.js";

export interface ThreadTime {
  readonly thread: Who;
  readonly beginEpochNs: bigint;
  readonly endEpochNs: bigint;
  readonly durationNs: number;
  /** Pieces that are alike, the largest sum first. */
  readonly groups: readonly SliceGroup[];
  /** In time order; pieces of one sort in a row are one. Their durations add up to `durationNs` exactly. */
  readonly slices: readonly SliceInfo[];
  readonly certainty: Certainty;
  /** 0 … 1. */
  readonly attributed: number;
}

export interface SliceGroup {
  /** The longest of it. */
  readonly longest: SliceInfo;
  ns: number;
  count: number;
  /** Of waits for a CPU: who ran there instead, summed up. */
  readonly instead: { readonly thread: Who; ns: number }[];
  idleNs: number;
}

export interface ThreadTimeResult {
  /** Undefined: there is no such thread. */
  readonly time: ThreadTime | undefined;
  readonly problems: readonly string[];
}

/** Which thread: found when the range begins, or when it ends. */
export type ThreadFinder = (recorder: Recorder, at: "begin" | "end") => Thread | undefined;

/** By its number; the host's name where several are traced. */
export function threadByTid(tid: number, host?: string): ThreadFinder {
  return (recorder, at) => {
    const { hosts, threads } = recorder.model;
    for (const one of hosts) {
      if (host !== undefined && one.name !== host) continue;
      const thread = one.find(tid);
      if (thread !== undefined) return thread;
    }
    // It lived and died within the range.
    const is = (thread: Thread) =>
      thread.tid === tid && tid !== 0 && (host === undefined || thread.host.name === host);
    return at === "begin" ? undefined : threads.find((one) => is(one) && recorder.history(one) !== undefined);
  };
}

export function explainThread(
  source: EventSource,
  range: Range,
  find: ThreadFinder,
  options: {
    readonly follow: boolean;
    readonly onProgress?: (done: number, total: number, records: number) => void;
  },
): ThreadTimeResult {
  let thread: Thread | undefined;
  let time: ThreadTime | undefined;
  const { problems } = explainRanges(source, [range], {
    onProgress: options.onProgress,
    begin(_range, recorder) {
      thread = find(recorder, "begin");
    },
    // A wait at the end of the range is explained by what ends it.
    waitsOn(_range, recorder) {
      thread ??= find(recorder, "end");
      const history = thread === undefined ? undefined : recorder.history(thread);
      if (history === undefined) return false;
      const index = history.indexAt(range.endNs, true);
      if (index < 0) return false;
      const { state, wait } = history.at(index, range.endNs);
      return state === State.blocked && wait?.wake === undefined;
    },
    end(_range, recorder) {
      thread ??= find(recorder, "end");
      if (thread === undefined) return;
      time = timeOfThread(recorder, thread, range, source.info.originNs, options.follow);
    },
  });
  return { time, problems };
}

/** `follow`: its critical path, else its own time. When all event records of the range are handled. */
export function timeOfThread(
  recorder: Recorder,
  thread: Thread,
  range: Range,
  originNs: bigint,
  follow: boolean,
): ThreadTime {
  const { beginNs, endNs } = range;
  const slices = (follow ? criticalPath : timeOf)(recorder, thread, beginNs, endNs);
  const describer = new Describer(recorder, originNs);
  return {
    thread: describer.who(thread),
    beginEpochNs: describer.epoch(beginNs),
    endEpochNs: describer.epoch(endNs),
    durationNs: endNs - beginNs,
    ...describe(describer, slices),
    certainty: certaintyOf(recorder, range, slices),
    attributed: attributedShare(slices, range),
  };
}

function describe(describer: Describer, slices: readonly Slice[]): Pick<ThreadTime, "groups" | "slices"> {
  const out: SliceInfo[] = [];
  const groups = new Map<string, SliceGroup>();
  for (const slice of slices) {
    const info = describer.slice(slice);
    const key = keyOf(info);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, {
        longest: info,
        ns: info.durationNs,
        count: 1,
        instead: info.instead.map((one) => ({ ...one })),
        idleNs: info.idleNs,
      });
    } else {
      group.ns += info.durationNs;
      group.count++;
      group.idleNs += info.idleNs;
      for (const { thread, ns } of info.instead) {
        const known = group.instead.find((one) => one.thread.process === thread.process);
        if (known === undefined) group.instead.push({ thread, ns });
        else known.ns += ns;
      }
      if (info.durationNs > group.longest.durationNs) (group as { longest: SliceInfo }).longest = info;
    }
    const last = out.at(-1);
    if (last !== undefined && keyOf(last) === key && info.request === null && info.packet === null) {
      out[out.length - 1] = {
        ...last,
        durationNs: last.durationNs + info.durationNs,
        idleNs: last.idleNs + info.idleNs,
        instead: [...last.instead, ...info.instead],
      };
    } else out.push(info);
  }
  return { groups: [...groups.values()].sort((a, b) => b.ns - a.ns), slices: out };
}

function keyOf({ kind, what, thread, via, by }: SliceInfo): string {
  return [
    kind,
    what,
    thread.tid,
    by?.name ?? "",
    ...via.map((link) => `${link.kind} ${link.thread.tid}`),
  ].join("\n");
}
