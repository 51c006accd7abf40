/**
 * A timeline as tracks with slices that nest, which is what trace viewers show: threads by process, CPUs, disks'
 * queues, periods. Each track is told from its begin to its end, in order of time; tracks come one after the other.
 * A thread's system call is one slice from its entry to its exit, in which lie the waits.
 */
import { Doing } from "../history/doing.js";
import { CALL_BITS } from "../history/history.js";
import { isWait } from "../history/labels.js";
import type { StateRow } from "../history/state-row.js";
import { type Label, Labels } from "./label.js";
import { writePeriodTracks } from "./period-tracks.js";
import type { Timeline } from "./timeline.js";
import { Wakes } from "./wakes.js";

/** What tracks are shown in: a process, or all of a kind that have no process. */
export interface TrackGroup {
  /** Of a process: its pid, else beyond all pids; unique over all hosts. */
  readonly number: number;
  readonly name: string;
  readonly isProcess: boolean;
}

export interface Track {
  /** Dense, from 1. */
  readonly id: number;
  readonly group: TrackGroup;
  /** In processes, the thread's number, unique over all hosts; else a number within the group. */
  readonly thread: number;
  readonly name: string;
  readonly kind: "slices" | "counter";
}

/** Writes one format. Moments are `ns` since the origin, and do not go back on a track. */
export interface TrackSink {
  group(group: TrackGroup): void;
  /** All calls until the next one are about this track. */
  track(track: Track): void;
  begin(ns: number, label: Label): void;
  end(ns: number): void;
  /**
   * One end of a flow: it goes from the thread that wakes to the one that is woken. There it is a nanosecond later:
   * viewers order what has the same moment by its place in the file, and would let half of the arrows go back.
   */
  instant(ns: number, label: Label, flow: number, end: "from" | "to"): void;
  counter(ns: number, value: number): void;
}

export interface TrackOptions {
  /** Who runs where, who waits for a CPU, interrupts: only where the format has nothing better for them. */
  readonly scheduling: boolean;
}

/** See `TrackSink.instant`. */
const ARRIVAL_NS = 1;
/** Numbers of threads on the first host are the kernel's (below 2^22); the next hosts' begin at multiples of this. */
const HOST_STEP = 2 ** 23;
const CPUS = HOST_STEP - 1;
const DISKS = HOST_STEP - 2;
const PERIODS = HOST_STEP - 3;

/** The number of a thread or process that tells hosts apart. */
export function numberOn(host: number, tid: number): number {
  return host * HOST_STEP + tid;
}

export function writeTracks(timeline: Timeline, sink: TrackSink, { scheduling }: TrackOptions): void {
  const { history } = timeline;
  const several = history.hosts.length > 1;
  const onHost = (name: string, host: number) => (several ? `${name} (${history.hosts[host]})` : name);
  const groups = new Map<number, TrackGroup>();
  let tracks = 0;
  const open = (host: number, own: number, groupName: string, track: Omit<Track, "id" | "group">): void => {
    const number = numberOn(host, own);
    let group = groups.get(number);
    if (group === undefined) {
      group = { number, name: onHost(groupName, host), isProcess: own < PERIODS };
      groups.set(number, group);
      sink.group(group);
    }
    sink.track({ id: ++tracks, group, ...track });
  };
  const labels = new Labels(history);
  const wakes = new Wakes(timeline);
  writePeriodTracks(timeline, sink, (host, name, thread) =>
    open(host, PERIODS, "Periods", { thread, name, kind: "slices" }),
  );
  for (const row of history.rows) {
    const { host } = row;
    const name = history.names[row.id]!;
    if (row.kind === "disk") {
      open(host, DISKS, "Disks", { thread: row.id, name: `requests of ${name.label}`, kind: "counter" });
      writeCounter(timeline, row, sink);
    } else if (row.kind === "cpu") {
      const label = scheduling ? name.label : `timers of ${name.label}`;
      const begin = () => open(host, CPUS, "CPUs", { thread: name.tid, name: label, kind: "slices" });
      writeCpu(timeline, row, sink, labels, scheduling, begin);
    } else {
      const pid = name.pid >= 0 ? name.pid : name.tid;
      const begin = () =>
        open(host, pid, name.process || `process ${pid}`, {
          thread: numberOn(host, name.tid),
          name: name.label || `${name.tid}`,
          kind: "slices",
        });
      new ThreadTrack(timeline, row, sink, labels, wakes, scheduling, begin).write();
    }
  }
}

/** Hot: one step for each state of a thread. Nothing is allocated, but for what is seen for the first time. */
class ThreadTrack {
  #begun = false;
  /** Number of the system call whose slice is open; -1 none. */
  #call = -1;
  #madeAt: number;
  #gotAt: number;

  constructor(
    private readonly timeline: Timeline,
    private readonly row: StateRow,
    private readonly sink: TrackSink,
    private readonly labels: Labels,
    private readonly wakes: Wakes,
    private readonly scheduling: boolean,
    private readonly open: () => void,
  ) {
    this.#madeAt = wakes.made.first[row.id]!;
    this.#gotAt = wakes.got.first[row.id]!;
  }

  write(): void {
    const { row, sink, scheduling } = this;
    const { history, range } = this.timeline;
    const { untilNs } = history;
    const { ns, doing: doings, arg: args, length } = row;
    let lastNs = range.beginNs;
    let before: number = Doing.none;
    const first = Math.max(0, row.indexAt(range.beginNs));
    if (first < length) this.#instants(Math.max(ns[first]!, range.beginNs));
    for (let i = first; i < length; i++) {
      if (ns[i]! > range.endNs) break;
      const beginNs = Math.max(ns[i]!, range.beginNs);
      const endNs = Math.min(row.endOf(i, untilNs), range.endNs);
      const doing = doings[i] as Doing;
      const arg = args[i]!;
      lastNs = endNs;
      this.#inCall(beginNs, doing, arg, before);
      before = doing;
      const isShown = isWait(doing) || (scheduling && doing > Doing.unknown && doing !== Doing.syscall);
      if (isShown) {
        this.#begin();
        sink.begin(beginNs, this.labels.thread(row.id, doing, arg));
      }
      this.#instants(endNs);
      if (isShown) sink.end(endNs);
    }
    this.#instants(Number.POSITIVE_INFINITY);
    if (this.#call >= 0) sink.end(lastNs);
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.open();
  }

  /** Opens and closes the slice of a system call, as the state from `ns` on says. */
  #inCall(ns: number, doing: Doing, arg: number, before: number): void {
    let call: number;
    if (doing === Doing.syscall) call = arg;
    else if (isWait(doing)) call = (arg & (2 ** CALL_BITS - 1)) - 1;
    else if (doing <= Doing.user) call = -1;
    // Interrupted, or without a CPU: whatever it was doing goes on.
    else return;
    // Two calls may follow each other at once.
    const again = doing === Doing.syscall && before === Doing.syscall;
    if (call === this.#call && !again) return;
    if (this.#call >= 0) this.sink.end(ns);
    this.#call = call;
    if (call < 0) return;
    this.#begin();
    this.sink.begin(ns, this.labels.call(call));
  }

  /** Both ends of wake-ups before `untilNs`. */
  #instants(untilNs: number): void {
    const { wakes, row, labels } = this;
    const { made, got } = wakes;
    const madeEnd = made.first[row.id + 1]!;
    const gotEnd = got.first[row.id + 1]!;
    for (;;) {
      const madeNs = this.#madeAt < madeEnd ? wakes.ns[made.lines[this.#madeAt]!]! : Number.POSITIVE_INFINITY;
      const gotNs = this.#gotAt < gotEnd ? wakes.ns[got.lines[this.#gotAt]!]! : Number.POSITIVE_INFINITY;
      if (!(Math.min(madeNs, gotNs) < untilNs)) return;
      this.#begin();
      if (madeNs <= gotNs) {
        const line = made.lines[this.#madeAt++]!;
        this.sink.instant(madeNs, labels.wakes(wakes.to[line]!), line + 1, "from");
      } else {
        const line = got.lines[this.#gotAt++]!;
        this.sink.instant(gotNs + ARRIVAL_NS, labels.wokenBy(wakes.from[line]!), line + 1, "to");
      }
    }
  }
}

/** Who runs on it and interrupts; without `scheduling` expired timers only, which ftrace's viewers do not show. */
function writeCpu(
  { history, range }: Timeline,
  row: StateRow,
  sink: TrackSink,
  labels: Labels,
  scheduling: boolean,
  open: () => void,
): void {
  let begun = false;
  for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
    const beginNs = Math.max(row.ns[i]!, range.beginNs);
    if (beginNs > range.endNs) break;
    const doing = row.doing[i] as Doing;
    const arg = row.arg[i]!;
    const isTimer = doing === Doing.irq && arg < 0;
    if (!isTimer && (!scheduling || doing <= Doing.unknown || doing === Doing.idle)) continue;
    if (!begun) open();
    begun = true;
    sink.begin(beginNs, labels.cpu(row.id, doing, arg));
    sink.end(Math.min(row.endOf(i, history.untilNs), range.endNs));
  }
}

function writeCounter({ range }: Timeline, row: StateRow, sink: TrackSink): void {
  for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
    if (row.ns[i]! > range.endNs) break;
    sink.counter(Math.max(row.ns[i]!, range.beginNs), row.doing[i] === Doing.busy ? row.arg[i]! : 0);
  }
}
