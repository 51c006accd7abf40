/**
 * A timeline as tracks with slices that nest, which is what trace viewers show: CPUs, threads by process, disks'
 * queues, periods. Each track is told from its begin to its end; tracks come one after the other.
 */
import { DOING_LABELS, Doing } from "../history/doing.js";
import { isWait, stateLabel, threadName } from "../history/labels.js";
import type { StateRow } from "../history/state-row.js";
import { type Instance, instancesOf, type Timeline } from "./timeline.js";

export interface Track {
  /** Dense, from 1. */
  readonly id: number;
  /** Number of the process that it is shown in: unique over all hosts. */
  readonly process: number;
  /** Number of the thread in it. */
  readonly thread: number;
  readonly name: string;
  readonly kind: "slices" | "counter";
}

export type Attributes = Readonly<Record<string, string | number>>;

/** Writes one format. Moments are `ns` since the origin. */
export interface TrackSink {
  process(number: number, name: string): void;
  track(track: Track): void;
  begin(
    track: Track,
    ns: number,
    name: string,
    category: string,
    attributes: Attributes,
    flow: number | undefined,
  ): void;
  end(track: Track, ns: number): void;
  /** Somebody does something to somebody: the flow ends at the slice that begins with the same number. */
  instant(track: Track, ns: number, name: string, flow: number): void;
  counter(track: Track, ns: number, value: number): void;
}

/** Processes of a host: its number times this, and the pid. Pids are below 2^22. */
const HOST_STEP = 2 ** 23;
const CPUS = HOST_STEP - 1;
const DISKS = HOST_STEP - 2;
const PERIODS = HOST_STEP - 3;

export function writeTracks(timeline: Timeline, sink: TrackSink): void {
  const { history } = timeline;
  const several = history.hosts.length > 1;
  const onHost = (name: string, host: number) => (several ? `${name} (${history.hosts[host]})` : name);
  const processes = new Set<number>();
  let tracks = 0;
  const open = (number: number, processName: string, track: Omit<Track, "id" | "process">): Track => {
    if (!processes.has(number)) {
      processes.add(number);
      sink.process(number, processName);
    }
    const made = { id: ++tracks, process: number, ...track };
    sink.track(made);
    return made;
  };
  const wakes = new Wakes(timeline);
  writePeriods(timeline, sink, (host, name, thread) =>
    open(host * HOST_STEP + PERIODS, onHost("Periods", host), { thread, name, kind: "slices" }),
  );
  for (const row of history.rows) {
    const { host } = row;
    const name = history.names[row.id]!;
    if (row.kind === "disk") {
      const label = `requests of ${name.label}`;
      const track = open(host * HOST_STEP + DISKS, onHost("Disks", host), {
        thread: row.id,
        name: label,
        kind: "counter",
      });
      writeCounter(timeline, row, track, sink);
      continue;
    }
    if (row.kind === "cpu") {
      const track = open(host * HOST_STEP + CPUS, onHost("CPUs", host), {
        thread: name.tid,
        name: name.label,
        kind: "slices",
      });
      writeStates(timeline, row, track, sink, undefined);
      continue;
    }
    if (!hasStates(timeline, row)) continue;
    const pid = name.pid >= 0 ? name.pid : name.tid;
    const track = open(host * HOST_STEP + pid, onHost(name.process || `process ${pid}`, host), {
      thread: name.tid,
      name: name.label || `${name.tid}`,
      kind: "slices",
    });
    writeStates(timeline, row, track, sink, wakes);
  }
}

function hasStates({ range }: Timeline, row: StateRow): boolean {
  const first = Math.max(0, row.indexAt(range.beginNs));
  for (let i = first; i < row.length && row.ns[i]! <= range.endNs; i++) {
    if (row.doing[i]! > Doing.unknown) return true;
  }
  return false;
}

function writeStates(
  { history, range }: Timeline,
  row: StateRow,
  track: Track,
  sink: TrackSink,
  wakes: Wakes | undefined,
): void {
  const made = wakes?.madeBy(row.id) ?? [];
  let nextWake = 0;
  for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
    const beginNs = row.ns[i]!;
    if (beginNs > range.endNs) break;
    const endNs = Math.min(row.endOf(i, history.untilNs), range.endNs);
    const doing = row.doing[i] as Doing;
    if (doing <= Doing.unknown || doing === Doing.idle || endNs < range.beginNs) continue;
    const label = stateLabel(history, row.id, doing, row.arg[i]!);
    const isCpu = row.kind === "cpu";
    const name = isCpu || doing === Doing.syscall || doing === Doing.irq ? label : DOING_LABELS[doing];
    const attributes: Attributes = isCpu || label === "" ? {} : { detail: label };
    const flow = doing === Doing.runnable ? wakes?.of(row.id, beginNs) : undefined;
    const from = Math.max(beginNs, range.beginNs);
    sink.begin(track, from, name || DOING_LABELS[doing], category(doing), attributes, flow);
    for (; nextWake < made.length && made[nextWake]!.ns <= endNs; nextWake++) {
      const { ns, to, number } = made[nextWake]!;
      if (ns >= from) sink.instant(track, ns, `wakes ${threadName(history, to)}`, number);
    }
    sink.end(track, endNs);
  }
}

function category(doing: Doing): string {
  if (isWait(doing)) return "wait";
  return doing === Doing.runnable ? "runnable" : "running";
}

function writeCounter({ range }: Timeline, row: StateRow, track: Track, sink: TrackSink): void {
  for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
    if (row.ns[i]! > range.endNs) break;
    sink.counter(track, Math.max(row.ns[i]!, range.beginNs), row.doing[i] === Doing.busy ? row.arg[i]! : 0);
  }
}

/** Wake-ups of threads by threads, numbered from 1. */
class Wakes {
  readonly #made = new Map<number, { ns: number; to: number; number: number }[]>();
  readonly #of = new Map<string, number>();

  constructor({ history, range }: Timeline) {
    const { of, length } = history.tables.wakes;
    for (let i = 0; i < length; i++) {
      const [ns, from, to] = [of.ns[i]!, of.from[i]!, of.to[i]!];
      if (from < 0 || ns < range.beginNs || ns > range.endNs) continue;
      const list = this.#made.get(from);
      const wake = { ns, to, number: i + 1 };
      if (list === undefined) this.#made.set(from, [wake]);
      else list.push(wake);
      this.#of.set(`${to} ${ns}`, i + 1);
    }
  }

  madeBy(row: number): readonly { readonly ns: number; readonly to: number; readonly number: number }[] {
    return this.#made.get(row) ?? [];
  }

  of(row: number, ns: number): number | undefined {
    return this.#of.get(`${row} ${ns}`);
  }
}

/** A line of slices; what is on it nests. */
interface Lane {
  readonly items: Instance[];
  endNs: number;
}

function writePeriods(
  timeline: Timeline,
  sink: TrackSink,
  open: (host: number, name: string, thread: number) => Track,
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
      const name = those.length > 1 ? `${path} #${i + 1}` : path;
      const track = open(Math.max(0, history.hosts.indexOf(host)), name, ++thread);
      const ends: number[] = [];
      for (const one of items) {
        while (ends.length > 0 && ends.at(-1)! <= one.beginNs) sink.end(track, ends.pop()!);
        const attributes = {
          ...Object.fromEntries(one.captures),
          tid: one.tid,
          completed: `${one.completed}`,
        };
        sink.begin(track, Math.max(one.beginNs, range.beginNs), one.name, "period", attributes, undefined);
        ends.push(Math.min(one.endNs, range.endNs));
      }
      while (ends.length > 0) sink.end(track, ends.pop()!);
    });
  }
}
