/** System calls by name and by thread. A call counts when its end is seen; its time includes being blocked. */

import { Histogram } from "../base/histogram.js";
import type { KernelModel } from "../kernel/model.js";
import {
  type Distribution,
  distribution,
  type Range,
  type Ranked,
  ranked,
  type ThreadRef,
  threadRef,
} from "./common.js";

export interface SyscallRow extends Distribution {
  readonly name: string;
  /** Called by a 32-bit program on a 64-bit kernel. */
  readonly compat: boolean;
  readonly errors: number;
  readonly blockedNs: number;
  /** Begun, but their end was not seen: never returning, in flight at the end, or lost. */
  readonly unfinished: number;
}

export interface ThreadSyscallRow extends Distribution {
  readonly thread: ThreadRef;
  readonly errors: number;
  readonly blockedNs: number;
}

export interface SyscallSection {
  readonly missing: readonly string[];
  readonly count: number;
  readonly errors: number;
  readonly totalNs: number;
  readonly names: Ranked<SyscallRow>;
  readonly threads: Ranked<ThreadSyscallRow>;
}

class Sums {
  readonly latency = new Histogram();
  errors = 0;
  begun = 0;
  blockedNs = 0;
}

/** Every name is kept: there are some hundreds at most. */
const ALL = 2000;

export function attachSyscallStats(model: KernelModel, range: Range): () => SyscallSection {
  const byName: (Sums | undefined)[] = [];
  const byThread: (Sums | undefined)[] = [];

  model.on.syscallBegin.push((thread, ns) => {
    if (ns < range.beginNs) return;
    const id = thread.syscall!.id;
    let sums = byName[id];
    if (sums === undefined) byName[id] = sums = new Sums();
    sums.begun++;
  });
  model.on.syscallEnd.push((thread, ns) => {
    if (ns < range.beginNs) return;
    const id = thread.syscall!.id;
    const spent = ns - thread.syscallBeginNs;
    let sums = byName[id];
    if (sums === undefined) byName[id] = sums = new Sums();
    let own = byThread[thread.id];
    if (own === undefined) byThread[thread.id] = own = new Sums();
    sums.latency.add(spent);
    own.latency.add(spent);
    sums.blockedNs += thread.syscallBlockedNs;
    own.blockedNs += thread.syscallBlockedNs;
    if (thread.syscallRet < 0) {
      sums.errors++;
      own.errors++;
    }
  });

  return () => {
    const names: SyscallRow[] = [];
    byName.forEach((s, id) => {
      if (s === undefined) return;
      const { name, compat } = model.syscalls.all[id]!;
      names.push({
        name,
        compat,
        errors: s.errors,
        blockedNs: s.blockedNs,
        unfinished: Math.max(0, s.begun - s.latency.count),
        ...distribution(s.latency),
      });
    });
    const threads: ThreadSyscallRow[] = [];
    byThread.forEach((s, id) => {
      if (s === undefined) return;
      const thread = threadRef(model.threads[id]!);
      threads.push({ thread, errors: s.errors, blockedNs: s.blockedNs, ...distribution(s.latency) });
    });
    const total = (f: (r: SyscallRow) => number) => names.reduce((sum, r) => sum + f(r), 0);
    return {
      missing: model.names.hasSyscalls ? [] : ["syscall_entry_*", "syscall_exit_*"],
      count: total((r) => r.count),
      errors: total((r) => r.errors),
      totalNs: total((r) => r.totalNs),
      names: ranked(names, (r) => r.totalNs, ALL),
      threads: ranked(threads, (r) => r.totalNs),
    };
  };
}
