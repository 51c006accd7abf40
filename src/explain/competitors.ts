/** Who had what others waited for: CPUs and disks, over pieces of time. */
import type { Thread } from "../kernel/state.js";
import type { Slice } from "./critical-path.js";
import type { DiskRequest, OwnerBy } from "./history.js";
import { leaderOf } from "./lineage.js";
import { BACKLOG_NS, type Recorder } from "./recorder.js";

export interface CpuUse {
  /** By process, the longest first. */
  readonly users: readonly { readonly thread: Thread; readonly ns: number; readonly threads: number }[];
  /** Nobody ran: the thread was not allowed to. */
  readonly idleNs: number;
  readonly unknownNs: number;
  readonly totalNs: number;
}

/** Who ran on the CPUs on which threads were waiting, while they waited. */
export function cpuUseDuring(recorder: Recorder, waits: readonly Slice[]): CpuUse {
  const byThread = new Map<number, number>();
  let [idleNs, unknownNs, totalNs] = [0, 0, 0];
  for (const { arg, beginNs, endNs, kind } of waits) {
    if (kind !== "runnable") continue;
    totalNs += endNs - beginNs;
    const history = recorder.cpu(arg);
    let known = 0;
    history?.runs(beginNs, endNs, (id, ns) => {
      if (id < 0) return;
      known += ns;
      byThread.set(id, (byThread.get(id) ?? 0) + ns);
    });
    unknownNs += endNs - beginNs - known;
  }
  const users = new Map<Thread, { thread: Thread; ns: number; threads: number }>();
  for (const [id, ns] of byThread) {
    const thread = recorder.model.threads[id]!;
    if (thread.tid === 0) {
      idleNs += ns;
      continue;
    }
    const leader = leaderOf(thread);
    const user = users.get(leader);
    if (user === undefined) users.set(leader, { thread: leader, ns, threads: 1 });
    else {
      user.ns += ns;
      user.threads++;
    }
  }
  return { users: [...users.values()].sort((a, b) => b.ns - a.ns), idleNs, unknownNs, totalNs };
}

/** Who used the CPUs of a host in a range. */
export function cpuUseIn(recorder: Recorder, host: number, beginNs: number, endNs: number): CpuUse {
  const byProcess = new Map<Thread, { thread: Thread; ns: number; threads: Set<number> }>();
  let [idleNs, unknownNs, totalNs] = [0, 0, 0];
  for (const history of recorder.cpus) {
    if (history === undefined || history.cpu.host.index !== host) continue;
    totalNs += endNs - beginNs;
    let known = 0;
    history.runs(beginNs, endNs, (id, ns) => {
      if (id < 0) return;
      known += ns;
      const thread = recorder.model.threads[id]!;
      if (thread.tid === 0) {
        idleNs += ns;
        return;
      }
      const leader = leaderOf(thread);
      const user = byProcess.get(leader) ?? { thread: leader, ns: 0, threads: new Set() };
      user.ns += ns;
      user.threads.add(id);
      byProcess.set(leader, user);
    });
    unknownNs += endNs - beginNs - known;
  }
  const users = [...byProcess.values()]
    .sort((a, b) => b.ns - a.ns)
    .map(({ thread, ns, threads }) => ({ thread, ns, threads: threads.size }));
  return { users, idleNs, unknownNs, totalNs };
}

export interface DiskUser {
  readonly thread: Thread | undefined;
  ownerBy: OwnerBy;
  /** Who handed the requests to the disk, when that is another: a worker of the kernel. */
  submitter: Thread | undefined;
  bytes: number;
  requests: number;
  /** Time that its requests were with the device during the waits, summed up. */
  busyNs: number;
  written: number;
}

export interface DiskUse {
  readonly users: readonly DiskUser[];
  readonly bytes: number;
  readonly busyNs: number;
  /** Of the requests that were waited for: time in the queue, and with the device. */
  readonly queueNs: number;
  readonly serviceNs: number;
}

/** Who used a disk while threads waited for it, and as long before (1 s at most), by whose data it was. */
export function diskUseDuring(recorder: Recorder, waits: readonly Slice[]): DiskUse {
  const users = new Map<Thread | undefined, DiskUser>();
  let [bytes, busyNs, queueNs, serviceNs] = [0, 0, 0, 0];
  const ranges = mergeRanges(waits);
  const longest = Math.max(...ranges.map((range) => range.endNs - range.beginNs));
  const backlog = mergeRanges(
    ranges.map((range) => ({ ...range, beginNs: range.beginNs - Math.min(longest, BACKLOG_NS) })),
  );
  const devices = new Set(
    waits.map(({ wait }) => wait?.wake?.request?.dev).filter((dev) => dev !== undefined),
  );
  for (const request of recorder.requests) {
    // Whose flush it is nobody knows; it carries nobody's data.
    if (request.kind === "flush") continue;
    if (devices.size > 0 && !devices.has(request.dev)) continue;
    if (overlapOf(backlog, request.issueNs, request.completeNs) <= 0) continue;
    const overlap = overlapOf(ranges, request.issueNs, request.completeNs);
    const thread = request.owner === undefined ? undefined : leaderOf(request.owner);
    let user = users.get(thread);
    if (user === undefined) {
      user = {
        thread,
        ownerBy: request.ownerBy,
        submitter: undefined,
        bytes: 0,
        requests: 0,
        busyNs: 0,
        written: 0,
      };
      users.set(thread, user);
    }
    if (request.ownerBy !== "submitter") {
      user.ownerBy = request.ownerBy;
      user.submitter = request.submitter ?? user.submitter;
    }
    user.bytes += request.bytes;
    if (request.kind === "write") user.written += request.bytes;
    user.requests++;
    user.busyNs += overlap;
    bytes += request.bytes;
    busyNs += overlap;
  }
  const seen = new Set<DiskRequest>();
  for (const { wait } of waits) {
    const request = wait?.wake?.request;
    if (request === undefined || seen.has(request)) continue;
    seen.add(request);
    serviceNs += request.completeNs - request.issueNs;
    if (!Number.isNaN(request.queuedNs)) queueNs += request.issueNs - request.queuedNs;
  }
  const sorted = [...users.values()].sort((a, b) => b.bytes - a.bytes || b.busyNs - a.busyNs);
  return { users: sorted, bytes, busyNs, queueNs, serviceNs };
}

interface Range {
  beginNs: number;
  endNs: number;
}

function mergeRanges(slices: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const { beginNs, endNs } of [...slices].sort((a, b) => a.beginNs - b.beginNs)) {
    const last = out.at(-1);
    if (last !== undefined && beginNs <= last.endNs) last.endNs = Math.max(last.endNs, endNs);
    else out.push({ beginNs, endNs });
  }
  return out;
}

/** How much of a piece of time lies in ranges that are in order and apart. */
function overlapOf(ranges: readonly Range[], beginNs: number, endNs: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.endNs <= beginNs) low = middle + 1;
    else high = middle;
  }
  let sum = 0;
  for (let i = low; i < ranges.length && ranges[i]!.beginNs < endNs; i++) {
    sum += Math.min(ranges[i]!.endNs, endNs) - Math.max(ranges[i]!.beginNs, beginNs);
  }
  return sum;
}
