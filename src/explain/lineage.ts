/** Who a thread is: its process, its program, and the chain of parents down to the job that started it. */
import type { Thread } from "../kernel/state.js";

const KTHREADD = 2;
const KERNEL_NAMES =
  /^(kworker\/|ksoftirqd\/|kswapd|kcompactd|migration\/|rcu_|rcuc\/|jbd2\/|kthreadd$|khugepaged|kblockd|watchdog|irq\/|writeback|flush-|khungtaskd|oom_reaper|cpuhp\/|scsi_|nvme|xfs|ext4-|md\d|dm-|loop\d|btrfs-|kdevtmpfs|kauditd|idle_inject|ksmd|napi\/)/;

/** A thread as results name it. */
export interface Who {
  readonly tid: number;
  /** -1: not known. */
  readonly pid: number;
  /** Name of the thread; of its process where that is another. */
  readonly name: string;
  readonly process: string;
  readonly host: string;
  /** Path of the program, "" where its start was not seen. */
  readonly executable: string;
  /** Names of its ancestors, the nearest first. */
  readonly parents: readonly Ancestor[];
}

export interface Ancestor {
  readonly pid: number;
  readonly name: string;
  readonly executable: string;
}

/** Work of the kernel itself, which does nothing for its own sake. */
export function isKernelThread(thread: Thread): boolean {
  return thread.parent?.tid === KTHREADD || thread.tid === KTHREADD || KERNEL_NAMES.test(thread.name);
}

/** The main thread of a thread's process, if it is known. */
export function leaderOf(thread: Thread): Thread {
  if (thread.pid < 0 || thread.pid === thread.tid) return thread;
  const leader = thread.host.find(thread.pid);
  if (leader !== undefined && leader.process === thread.process) return leader;
  for (let at = thread.parent; at !== undefined; at = at.parent) if (at.tid === thread.pid) return at;
  return thread;
}

const MOST_PARENTS = 12;

export function parentsOf(thread: Thread): Ancestor[] {
  const out: Ancestor[] = [];
  let last = leaderOf(thread);
  for (let at = last.parent; at !== undefined && out.length < MOST_PARENTS; at = leaderOf(at).parent) {
    const one = leaderOf(at);
    // A thread's maker may be another thread of its own process.
    if (one.process === last.process) continue;
    out.push({ pid: one.pid < 0 ? one.tid : one.pid, name: one.name, executable: one.executable });
    last = one;
  }
  return out;
}

export function whoIs(thread: Thread): Who {
  const leader = leaderOf(thread);
  return {
    tid: thread.tid,
    pid: thread.pid,
    name: thread.name,
    process: leader.name,
    host: thread.host.name,
    executable: leader.executable,
    parents: parentsOf(thread),
  };
}
