/**
 * The critical path: what a thread's time really went to. Every wait is replaced by what the thread that ended it
 * did meanwhile, and its waits by those of its wakers, as far as there is anybody to follow; what is left is work
 * on a CPU, waiting for one, devices, the network and time. (The same idea as the execution graph of Giraldeau and
 * Dagenais, "Wait analysis of distributed systems using kernel tracing", 2016; ours recurs per wait, so that the
 * parts always add up to the range.)
 */
import type { Thread } from "../kernel/state.js";
import { type Segment, State, type Wait } from "./history.js";
import { isKernelThread } from "./lineage.js";
import type { Recorder } from "./recorder.js";
import { causeOf, type WaitCause, type WaitKind } from "./wait-cause.js";

export type SliceKind =
  | "user"
  | "syscall"
  | "reclaiming"
  | "irq"
  | "softirq"
  | "timer-interrupt"
  | "runnable"
  | "gone"
  | WaitKind;

/** One step from a thread that waited to the one it waited for. */
export interface Link {
  readonly thread: Thread;
  readonly by: Thread;
  readonly wait: Wait | undefined;
  readonly kind: WaitKind;
  readonly target: string;
}

/** A piece of time with one explanation. */
export interface Slice {
  /** Whose time: at the end of the chain. */
  readonly thread: Thread;
  readonly kind: SliceKind;
  readonly beginNs: number;
  readonly endNs: number;
  /** Number of the system call, interrupt, softirq or CPU; see `State`. */
  readonly arg: number;
  readonly wait: Wait | undefined;
  readonly cause: WaitCause | undefined;
  /** From the thread asked about to `thread`; empty where it is the same. */
  readonly chain: readonly Link[];
}

const DEEPEST = 32;
const UNINTERRUPTIBLE = 2;
/** Packets within a machine take no longer, unless something holds them back. */
const NO_WAY_NS = 1e6;
const KINDS: Readonly<Record<State, SliceKind>> = {
  [State.unknown]: "unknown",
  [State.user]: "user",
  [State.syscall]: "syscall",
  [State.reclaim]: "reclaiming",
  [State.irq]: "irq",
  [State.softirq]: "softirq",
  [State.timer]: "timer-interrupt",
  [State.runnable]: "runnable",
  [State.blocked]: "unknown",
  [State.gone]: "gone",
};
const NO_LINKS: readonly Link[] = [];

/** Every nanosecond of a thread between two moments, exactly once, in order; waits are not followed. */
export function timeOf(recorder: Recorder, thread: Thread, beginNs: number, endNs: number): Slice[] {
  return segmentsOf(recorder, thread, beginNs, endNs).map((segment) => sliceOf(thread, segment, NO_LINKS));
}

/** The same time, with waits followed to whoever ended them. */
export function criticalPath(recorder: Recorder, thread: Thread, beginNs: number, endNs: number): Slice[] {
  const out: Slice[] = [];
  follow(recorder, thread, beginNs, endNs, NO_LINKS, out);
  return out;
}

function segmentsOf(recorder: Recorder, thread: Thread, beginNs: number, endNs: number): Segment[] {
  const history = recorder.history(thread);
  if (history !== undefined) return history.segments(beginNs, endNs);
  return beginNs < endNs ? [{ state: State.unknown, arg: 0, wait: undefined, beginNs, endNs }] : [];
}

function sliceOf(thread: Thread, segment: Segment, chain: readonly Link[]): Slice {
  const { state, arg, wait, beginNs, endNs } = segment;
  const cause = wait === undefined ? undefined : causeOf(wait);
  return { thread, kind: cause?.kind ?? KINDS[state], beginNs, endNs, arg, wait, cause, chain };
}

function follow(
  recorder: Recorder,
  thread: Thread,
  beginNs: number,
  endNs: number,
  chain: readonly Link[],
  out: Slice[],
): void {
  let segments = segmentsOf(recorder, thread, beginNs, endNs);
  if (chain.length > 0 && isKernelThread(thread)) segments = sinceItsWork(segments);
  const { parent } = thread;
  segments.forEach((segment, i) => {
    const slice = sliceOf(thread, segment, chain);
    const { wait, cause } = slice;
    let link: Link | undefined;
    if (wait !== undefined && cause?.by !== undefined) {
      link = { thread, by: cause.by, wait, kind: cause.kind, target: cause.target };
    } else if (i === 0 && parent !== undefined && unborn(segments)) {
      // Before it was born, its time was its parent's.
      link = { thread, by: parent, wait: undefined, kind: "thread", target: "" };
    }
    const known = link !== undefined && recorder.history(link.by) !== undefined;
    if (link === undefined || !known || chain.length >= DEEPEST || isInside(chain, link)) out.push(slice);
    else {
      // From another host, or through a queue that holds packets back, it was on its way for a while.
      const sentNs = wait?.wake?.packet?.sentNs ?? Number.NaN;
      const held = wait?.wake?.packet?.device !== "lo" || softirqThread(wait) !== undefined;
      const away = slice.endNs - sentNs > (link.by.host === thread.host ? NO_WAY_NS : 0) && held;
      const leftNs = away ? Math.max(sentNs, slice.beginNs) : slice.endNs;
      if (leftNs > slice.beginNs) follow(recorder, link.by, slice.beginNs, leftNs, [...chain, link], out);
      if (leftNs < slice.endNs) arrive(recorder, { ...slice, beginNs: leftNs }, link, chain, out);
    }
  });
}

/**
 * A worker of the kernel is no server that keeps others waiting while it is idle: what it did at last was asked for
 * by what woke it last from idleness. All time before is what that waker took to come.
 */
function sinceItsWork(segments: readonly Segment[]): Segment[] {
  let last = -1;
  segments.forEach(({ wait }, i) => {
    if (wait !== undefined && wait.call === undefined && (wait.taskState & UNINTERRUPTIBLE) === 0) last = i;
  });
  if (last <= 0) return [...segments];
  return [{ ...segments[last]!, beginNs: segments[0]!.beginNs }, ...segments.slice(last + 1)];
}

/** Whether a thread's life begins after its first segment. */
function unborn(segments: readonly Segment[]): boolean {
  const [first, second] = segments;
  return first?.state === State.unknown && second?.state === State.gone;
}

/** What a packet waits for between its sending and its arrival. */
function arrive(recorder: Recorder, slice: Slice, link: Link, chain: readonly Link[], out: Slice[]): void {
  const softirqs = softirqThread(slice.wait);
  // Within the machine there is no way: the thread that handles softirqs had to get a CPU first.
  if (slice.wait?.wake?.packet?.device === "lo" && softirqs !== undefined) {
    follow(
      recorder,
      softirqs,
      slice.beginNs,
      slice.endNs,
      [...chain, { ...link, by: softirqs, kind: "kernel" }],
      out,
    );
  } else out.push({ ...slice, kind: "network" });
}

/** The kernel's thread that handled the softirq of a wake-up, if it was not done on the way out of something else. */
function softirqThread(wait: Wait | undefined): Thread | undefined {
  const thread = wait?.wake?.interrupted;
  return thread?.name.startsWith("ksoftirqd") === true ? thread : undefined;
}

/** Whether the thread to follow waits in this chain itself: two that wake each other explain nothing. */
function isInside(chain: readonly Link[], { thread, by }: Link): boolean {
  return by === thread || chain.some((link) => link.thread === by);
}
