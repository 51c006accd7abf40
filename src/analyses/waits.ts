/**
 * The longest waits that mean trouble: who waited, in which system call, for what, and what ended it.
 *
 * A wait is all the time a thread was blocked within one system call (an fdatasync that sleeps forty times is
 * one wait), or one block outside any call (a page fault, a kernel thread). Most blocked time in a healthy
 * system is waiting for work, and is left out. The rule, in order:
 *
 * 1. Uninterruptible blocks (disk, kernel locks) are kept, except in calls that wait for other processes.
 * 2. Outside system calls nothing else is kept: kernel threads wait for work there.
 * 3. Sleeping, accept, epoll_wait, waits for children and signals, ioctl: waiting for work.
 * 4. poll and select: kept when they wait on a socket that this side connected (an answer is due), or when
 *    they ran into their deadline on some descriptor; not when the same thread does so three times or more,
 *    which is how idle loops look.
 * 5. Reads of files and of sockets that this side connected, and every connect, are kept, as are all writes:
 *    somebody does not take what is offered. Other reads (pipes, accepted sockets) wait for work.
 * 6. futex: kept for locks (FUTEX_WAIT, FUTEX_LOCK_PI), unless the thread spends over half of its time so,
 *    which is how idle pools look. Condition variables and semaphores (FUTEX_WAIT_BITSET) wait for work.
 * 7. Every other call is kept.
 *
 * Waits of threads of the same name in the same call on the same target are told as one row: the longest, and
 * how many others were like it. At most three per thread, call and target are kept while they are collected.
 */

import type { KernelModel } from "../kernel/model.js";
import { softirqName } from "../kernel/names.js";
import {
  BLOCKED,
  type FileEntry,
  type FileKind,
  type SocketSide,
  type Thread,
  type WakerKind,
} from "../kernel/state.js";
import type { Syscall } from "../kernel/syscall-table.js";
import { type Range, type ThreadRef, threadRef } from "./common.js";

const SHORTEST_NS = 1e6;
const PER_CALL = 3;
/** Factors of a numeric key of thread, call and file: 2^20 of the first and the last fit a number. */
const CALLS = 4096;
const FILES = 2 ** 20;
const OTHERS = 20;
const FUTEX_COMMAND = 0x7f;
const FUTEX_LOCKS = new Set([0, 6, 13]);
const LONGEST = 10;
const UNINTERRUPTIBLE = 2;

export interface WaitTarget {
  readonly kind: FileKind;
  /** "" when not known. */
  readonly name: string;
  readonly side: SocketSide;
  readonly fd: number | null;
}

export interface Wait {
  readonly thread: ThreadRef;
  /** Null outside system calls. */
  readonly syscall: string | null;
  readonly target: WaitTarget | null;
  /** Descriptors waited for besides the one in `target`. */
  readonly otherFds: number;
  /** Longest it was ready to wait; null when without limit or not known. */
  readonly timeoutNs: number | null;
  /** Ran into its deadline. */
  readonly timedOut: boolean;
  /** What the call returned; null when it had not. */
  readonly ret: number | null;
  /** Disk or kernel lock (task state D). */
  readonly uninterruptible: boolean;
  readonly beginNs: number;
  readonly durationNs: number;
  readonly blockedNs: number;
  readonly blocks: number;
  /** Ended within the trace. */
  readonly ended: boolean;
  /** What ended its longest block: kind, and name of the interrupt, softirq or thread. */
  readonly endedBy: { readonly kind: WakerKind; readonly name: string; readonly thread: ThreadRef | null };
  /** The others like it, longest first (at most 20, of those kept), and how many there were in all. */
  readonly others: readonly OtherWait[];
  readonly othersCount: number;
}

export interface OtherWait {
  readonly tid: number;
  readonly beginNs: number;
  readonly durationNs: number;
  readonly blockedNs: number;
}

export interface WaitSection {
  readonly missing: readonly string[];
  readonly longest: readonly Wait[];
  /** Waits of a millisecond or more that were taken for waiting for work. */
  readonly leftOut: number;
}

interface Candidate {
  thread: Thread;
  syscall: Syscall | undefined;
  file: FileEntry | undefined;
  fd: number;
  fdCount: number;
  futexOp: number;
  timeoutNs: number;
  ret: number;
  state: number;
  beginNs: number;
  endNs: number;
  blockedNs: number;
  blocks: number;
  ended: boolean;
  wakerKind: WakerKind;
  wakerThread: Thread | undefined;
  wakerNumber: number;
}

/** All waits of one thread in one call on one target. */
interface Group {
  count: number;
  timedOut: number;
  blockedNs: number;
  firstNs: number;
  lastNs: number;
  readonly longest: Candidate[];
}

function isTimeout(c: Candidate): boolean {
  if (Number.isNaN(c.timeoutNs) || c.ret !== 0) return false;
  return c.syscall?.wait === "poll" || c.syscall?.name.startsWith("epoll_") === true;
}

function meansTrouble(c: Candidate, group: Group, range: Range): boolean {
  const { syscall, file } = c;
  const uninterruptible = (c.state & UNINTERRUPTIBLE) !== 0;
  if (syscall === undefined) return uninterruptible;
  if (syscall.wait === "work" || syscall.wait === "sleep") return false;
  if (uninterruptible) return true;
  switch (syscall.wait) {
    case "poll":
      if (c.fdCount === 0) return false;
      if (isTimeout(c)) return group.timedOut < 3;
      return file?.kind === "socket" && file.side === "client";
    case "data":
      if (syscall.kind === "write" || syscall.kind === "connect" || file?.kind === "file") return true;
      return file?.kind === "socket" && file.side === "client";
    case "futex": {
      if (!FUTEX_LOCKS.has(c.futexOp & FUTEX_COMMAND)) return false;
      const span = group.count > 1 ? group.lastNs - group.firstNs : range.endNs - range.beginNs;
      return group.blockedNs < span / 2;
    }
    default:
      return syscall.name !== "ioctl";
  }
}

export function attachWaits(model: KernelModel, range: Range): () => WaitSection {
  const groups = new Map<number, Group>();

  const consider = (
    thread: Thread,
    syscall: Syscall | undefined,
    blockedNs: number,
    ended: boolean,
    ns: number,
  ) => {
    const call = thread.id * CALLS + (syscall === undefined ? CALLS - 1 : syscall.id);
    const fileId = syscall === undefined ? undefined : thread.syscallFile?.id;
    const key = call * FILES + (fileId === undefined ? 0 : (fileId + 1) % FILES);
    let group = groups.get(key);
    if (group === undefined) {
      group = { count: 0, timedOut: 0, blockedNs: 0, firstNs: ns - blockedNs, lastNs: ns, longest: [] };
      groups.set(key, group);
    }
    group.count++;
    group.blockedNs += blockedNs;
    group.lastNs = ns;
    const { longest } = group;
    const within = syscall !== undefined;
    if (within && ended && thread.syscallRet === 0 && !Number.isNaN(thread.syscallTimeoutNs))
      group.timedOut++;
    if (longest.length === PER_CALL && longest[PER_CALL - 1]!.blockedNs >= blockedNs) return;
    longest.push({
      thread,
      syscall,
      file: within ? thread.syscallFile : undefined,
      fd: within ? thread.syscallFd : -1,
      fdCount: within ? thread.syscallFdCount : 0,
      futexOp: within ? thread.syscallArg : 0,
      timeoutNs: within ? thread.syscallTimeoutNs : Number.NaN,
      ret: within && ended ? thread.syscallRet : Number.NaN,
      state: within && ended ? thread.syscallLongestState : thread.blockedState,
      beginNs: within ? thread.syscallBeginNs : thread.blockedNs,
      endNs: ns,
      blockedNs,
      blocks: within ? thread.syscallBlocks + (ended ? 0 : 1) : 1,
      ended,
      wakerKind: within ? thread.syscallLongestWakerKind : thread.wakerKind,
      wakerThread: within ? thread.syscallLongestWakerThread : thread.wakerThread,
      wakerNumber: within ? thread.syscallLongestWakerNumber : thread.wakerNumber,
    });
    longest.sort((a, b) => b.blockedNs - a.blockedNs);
    if (longest.length > PER_CALL) longest.pop();
  };

  model.on.syscallEnd.push((thread, ns) => {
    if (thread.syscallBlockedNs >= SHORTEST_NS && ns >= range.beginNs) {
      consider(thread, thread.syscall, thread.syscallBlockedNs, true, ns);
    }
  });
  model.on.blockEnd.push((thread, _cpu, ns) => {
    if (thread.syscall !== undefined || ns < range.beginNs) return;
    const spent = thread.wokenNs - thread.blockedNs;
    if (spent >= SHORTEST_NS && (thread.blockedState & UNINTERRUPTIBLE) !== 0)
      consider(thread, undefined, spent, true, thread.wokenNs);
  });

  const stillBlocked = (): void => {
    for (const host of model.hosts) {
      for (const thread of host.living()) {
        if (thread.state !== BLOCKED || Number.isNaN(thread.blockedNs)) continue;
        const { syscall } = thread;
        const endNs = Math.min(range.endNs, host.lastNs);
        const blockedNs = endNs - thread.blockedNs + (syscall === undefined ? 0 : thread.syscallBlockedNs);
        if (blockedNs >= SHORTEST_NS) consider(thread, syscall, blockedNs, false, endNs);
      }
    }
  };

  return () => {
    stillBlocked();
    const alike = new Map<string, { candidates: Candidate[]; count: number }>();
    let leftOut = 0;
    for (const group of groups.values()) {
      const { longest } = group;
      const trouble = longest.filter((c) => meansTrouble(c, group, range));
      if (trouble.length === 0) {
        leftOut += group.count;
        continue;
      }
      for (const c of trouble) {
        const key = `${c.thread.host.index} ${c.syscall?.id} ${c.file?.id} ${c.thread.name}`;
        const like = alike.get(key) ?? { candidates: [], count: 0 };
        like.candidates.push(c);
        like.count++;
        alike.set(key, like);
      }
      // What was not kept was shorter, but like the longest.
      const first = trouble[0]!;
      const key = `${first.thread.host.index} ${first.syscall?.id} ${first.file?.id} ${first.thread.name}`;
      if (longest.length === trouble.length) alike.get(key)!.count += group.count - longest.length;
    }
    const rows = [...alike.values()];
    for (const row of rows) row.candidates.sort((a, b) => b.blockedNs - a.blockedNs);
    rows.sort((a, b) => b.candidates[0]!.blockedNs - a.candidates[0]!.blockedNs);
    const longest = rows.slice(0, LONGEST).map((row) => describe(row.candidates, row.count));
    const missing = model.names.missing("schedSwitch");
    if (!model.names.has("schedWaking") && !model.names.has("schedWakeup")) missing.push("sched_waking");
    if (!model.names.hasSyscalls) missing.push("syscall_entry_*", "syscall_exit_*");
    return { missing, longest, leftOut };
  };
}

function describe(candidates: readonly Candidate[], count: number): Wait {
  const c = candidates[0]!;
  const { file } = c;
  return {
    thread: threadRef(c.thread),
    syscall: c.syscall?.name ?? null,
    target:
      file === undefined
        ? null
        : { kind: file.kind, name: file.name, side: file.side, fd: c.fd < 0 ? null : c.fd },
    otherFds: Math.max(0, c.fdCount - 1),
    timeoutNs: Number.isNaN(c.timeoutNs) ? null : c.timeoutNs,
    timedOut: isTimeout(c),
    ret: Number.isNaN(c.ret) ? null : c.ret,
    uninterruptible: (c.state & UNINTERRUPTIBLE) !== 0,
    beginNs: c.beginNs,
    durationNs: c.endNs - c.beginNs,
    blockedNs: c.blockedNs,
    blocks: c.blocks,
    ended: c.ended,
    endedBy: { kind: c.ended ? c.wakerKind : "unknown", ...wakerName(c) },
    others: candidates.slice(1, OTHERS + 1).map((o) => ({
      tid: o.thread.tid,
      beginNs: o.beginNs,
      durationNs: o.endNs - o.beginNs,
      blockedNs: o.blockedNs,
    })),
    othersCount: count - 1,
  };
}

function wakerName(c: Candidate): { name: string; thread: ThreadRef | null } {
  if (!c.ended) return { name: "", thread: null };
  switch (c.wakerKind) {
    case "irq":
      return { name: c.thread.host.irqName(c.wakerNumber) || `irq ${c.wakerNumber}`, thread: null };
    case "softirq":
      return { name: softirqName(c.wakerNumber), thread: null };
    case "thread":
      return { name: "", thread: c.wakerThread === undefined ? null : threadRef(c.wakerThread) };
    default:
      return { name: "", thread: null };
  }
}
