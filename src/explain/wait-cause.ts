/**
 * What a wait was for, and whom it was for: from what the thread had asked of the kernel and from what ended it.
 *
 * The context in which a thread was woken decides (thread, softirq, interrupt, timer), then what happened there: a
 * block request completed, a packet arrived. A thread that runs in user space cannot wake anybody: an interrupt
 * did that which the trace does not show, most often the clock's.
 */
import type { Thread } from "../kernel/state.js";
import type { Wait } from "./history.js";
import { isKernelThread } from "./lineage.js";

export type WaitKind =
  /** A request to a disk. */
  | "disk"
  /** The same, outside of system calls: a page of a file or of swap. */
  | "page-fault"
  /** Held back while writing, because too many pages are dirty. */
  | "dirty-pages"
  /** Reclaim of memory for itself. */
  | "reclaim"
  /** A packet from another machine. */
  | "network"
  /** A process of this machine, over a socket. */
  | "socket"
  | "pipe"
  /** A futex: a lock, a condition, another thread of its own. */
  | "lock"
  | "child"
  /** The passing of time. */
  | "timer"
  /** Another thread, by other means. */
  | "thread"
  /** Work of the kernel (a worker, a journal). */
  | "kernel"
  | "unknown";

export interface WaitCause {
  readonly kind: WaitKind;
  /** The thread that ended it, where what it did meanwhile explains the wait. */
  readonly by: Thread | undefined;
  /** Name of the file, or `address:port` of the peer; "" not known. */
  readonly target: string;
  /** How long it was ready to wait, ns; NaN: no limit is known. */
  readonly timeoutNs: number;
  /** It ended because that time had passed. */
  readonly timedOut: boolean;
}

const UNINTERRUPTIBLE = 2;
const TIMER_SOFTIRQ = 1;
const NET_RX = 3;
const HRTIMER_SOFTIRQ = 8;
/** Timers fire late, clocks are coarse. */
const SLACK_NS = 2e6;
const CHILD_CALLS = new Set(["wait4", "waitid", "waitpid", "vfork", "clone", "clone3"]);
const FUTEX_CALLS = new Set(["futex", "futex_waitv", "futex_time64"]);
/** In these a client waits for an answer; a peer is what the socket is connected to. */
const NO_PEER = /^(unix|unconnected|socketpair|netlink|family \d+|pipe)?$/;

export function causeOf(wait: Wait): WaitCause {
  const { call, wake, thread, taskState } = wait;
  const file = call?.file;
  const isSocket = file?.kind === "socket";
  const peer = isSocket && !NO_PEER.test(file.name) ? file.name : "";
  const timeoutNs = call?.timeoutNs ?? Number.NaN;
  const elapsed = wake !== undefined && call !== undefined && wake.ns - call.beginNs >= timeoutNs - SLACK_NS;
  const cause = (kind: WaitKind, extra: Partial<WaitCause> = {}): WaitCause => ({
    kind,
    by: undefined,
    target: peer !== "" ? peer : (file?.name ?? ""),
    timeoutNs,
    timedOut: false,
    ...extra,
  });
  const uninterruptible = (taskState & UNINTERRUPTIBLE) !== 0;
  /** Time passed; for whoever waits for an answer that means that none came. */
  const late = (): WaitCause => {
    if (peer !== "" && !isLocal(peer)) return cause("network", { timedOut: true });
    if (uninterruptible && (call?.syscall.kind === "write" || call?.syscall.kind === "copy"))
      return cause("dirty-pages");
    // On its way back to user space: held back by the memory limit of its cgroup (memory.high).
    if (uninterruptible && call === undefined && !isKernelThread(thread)) return cause("reclaim");
    return cause("timer", { timedOut: true });
  };

  if (wait.reclaim && wake?.kind !== "thread") return cause("reclaim");
  if (wake === undefined) {
    if (peer !== "" && !isLocal(peer)) return cause("network");
    if (call?.syscall.wait === "sleep") return cause("timer");
    if (call !== undefined && FUTEX_CALLS.has(call.syscall.name)) return cause("lock");
    return cause("unknown");
  }
  if (wake.request !== undefined) {
    const fault = call === undefined && wake.request.kind === "read" && !isKernelThread(thread);
    return cause(fault ? "page-fault" : "disk");
  }
  if (wake.kind === "softirq" && wake.number !== NET_RX && wake.packet === undefined) {
    if (wake.number === TIMER_SOFTIRQ || wake.number === HRTIMER_SOFTIRQ) return late();
    // Read-copy-update, tasklets: the kernel's own business.
    return cause(uninterruptible ? "kernel" : "unknown");
  }
  if (wake.kind === "timer") return late();
  if (wake.packet !== undefined || (wake.kind === "softirq" && wake.number === NET_RX)) {
    const { packet } = wake;
    const sender = packet?.sender;
    if (sender !== undefined && sender !== thread) {
      return cause("socket", { by: sender, target: peer !== "" ? peer : packet!.from });
    }
    // Without packet events: who was sending when the softirq came is who sent, on a machine that talks to itself.
    const other = wake.interrupted;
    if (packet === undefined && other !== undefined && other !== thread && wake.syscall?.kind === "write") {
      return cause("socket", { by: other });
    }
    const from = packet?.from ?? "";
    return cause("network", { target: peer !== "" ? peer : from });
  }
  const waker = wake.thread;
  const awake =
    waker !== undefined &&
    waker !== thread &&
    (wake.syscall !== undefined || isKernelThread(waker) || waker.exited);
  if (wake.kind === "thread" && awake) {
    if (call !== undefined && FUTEX_CALLS.has(call.syscall.name)) return cause("lock", { by: waker });
    if (call !== undefined && CHILD_CALLS.has(call.syscall.name)) return cause("child", { by: waker });
    if (isKernelThread(waker)) return cause("kernel", { by: waker });
    if (file?.kind === "pipe") return cause("pipe", { by: waker });
    if (isSocket) return cause("socket", { by: waker });
    return cause("thread", { by: waker });
  }
  // An interrupt that was not recorded.
  if (call?.syscall.wait === "sleep" || (elapsed && !Number.isNaN(timeoutNs))) return late();
  if (peer !== "" && !isLocal(peer)) return cause("network");
  if (wake.kind === "irq" && uninterruptible) return cause("disk");
  return cause("unknown");
}

/** Addresses of this machine itself: who answers there is in the trace. */
export function isLocal(peer: string): boolean {
  return /^(127\.|\[::1\]|\[0:0:0:0:0:0:0:1\])/.test(peer);
}
