/** One instance of a period explained: its parts, and who had what it waited for. Made while histories are at hand. */

import type { Thread } from "../kernel/state.js";
import { breakdownOf, type Detail, type Part, plainName, type Resource } from "./breakdown.js";
import { attributedShare, type Certainty, certaintyOf } from "./certainty.js";
import { cpuUseDuring, cpuUseIn, diskUseDuring } from "./competitors.js";
import { criticalPath, type Slice } from "./critical-path.js";
import type { Describer, SliceInfo } from "./describe.js";
import type { OwnerBy } from "./history.js";
import { isKernelThread, leaderOf, type Who } from "./lineage.js";
import type { Recorder } from "./recorder.js";
import type { Range } from "./run.js";

/** A process (or several of one name) that had what was waited for. */
export interface Culprit {
  /** The one that had most of it. */
  readonly who: Who;
  /** Processes of this name. */
  processes: number;
  /** CPU time, or time of its requests with the disk, while others waited; ns. */
  ns: number;
  bytes: number;
  pages: number;
  /** Packets sent to this machine. */
  packets: number;
  /** Calls of fsync and its like meanwhile. */
  syncs: number;
  /** The file (not of the system) that it touched last; "" none. */
  readonly file: string;
  /** For disks: how it is known; through which worker. */
  readonly ownerBy: OwnerBy | null;
  readonly through: string;
  /** It was killed by this signal, and wrote its core dump. */
  readonly crash: { readonly signal: number; readonly epochNs: bigint } | null;
}

/** Time on one resource, with what matters of it. */
export interface PartInfo {
  readonly resource: Resource;
  readonly name: string;
  ns: number;
  /** The largest first. */
  details: Detail[];
  culprits: Culprit[];
  /** Of waits for a CPU: nobody ran there. */
  idleNs: number;
  /** Of waits for a disk: the awaited requests' time in the queue and with the device; bytes of all in that time. */
  queueNs: number;
  serviceNs: number;
  bytes: number;
  /** The longest waits were ready to last this long, and did. */
  timeouts: number[];
  /** Files that the code had touched last before the longest wait: of a plug-in, program text, another. */
  lastTouched: string[];
  /** Files that were waited for, by time. */
  files: string[];
  /** Of interrupts: packets that arrived on the machine meanwhile. */
  packets: number;
  /** The thread that held a lock, or served. */
  readonly holder: Who | null;
}

export interface InstanceSummary {
  readonly number: number;
  readonly beginNs: number;
  readonly endNs: number;
  readonly beginEpochNs: bigint;
  readonly durationNs: number;
  readonly thread: Who | null;
  readonly parts: readonly PartInfo[];
  /** 0 … 1. */
  readonly attributed: number;
  readonly certainty: Certainty;
  /** The longest pieces, in time order. */
  readonly longest: readonly SliceInfo[];
  /** Moments of event records that decide, by resource; `ns` since the source's origin. */
  readonly moments: readonly { readonly ns: number; readonly resource: Resource; readonly name: string }[];
  /** CPU time of the machine in its time: of its users, and idle. */
  readonly machine: Machine;
}

export interface Machine {
  readonly users: readonly Culprit[];
  /** 0 … 1. */
  readonly idleShare: number;
  /** CPU time of the kernel's threads that free and compact memory: they run when it is short. */
  readonly kswapdNs: number;
  /** Who took pages meanwhile, where that is recorded. */
  readonly allocators: readonly Culprit[];
}

const MOST_DETAILS = 8;
const MOST_CULPRITS = 8;
const MOST_SLICES = 16;

export function summarise(
  recorder: Recorder,
  describer: Describer,
  thread: Thread,
  range: Range,
  number: number,
  pagesBefore: readonly number[],
): InstanceSummary {
  const slices = criticalPath(recorder, thread, range.beginNs, range.endNs);
  const breakdown = breakdownOf(recorder, slices);
  const parts = [...breakdown.parts.values()].sort((a, b) => b.ns - a.ns);
  const durationNs = range.endNs - range.beginNs;
  const longest = [...slices].sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, MOST_SLICES);
  const machine = cpuUseIn(recorder, thread.host.index, range.beginNs, range.endNs);
  return {
    number,
    beginNs: range.beginNs,
    endNs: range.endNs,
    beginEpochNs: describer.epoch(range.beginNs),
    durationNs,
    thread: describer.who(thread),
    parts: parts.map((part) => partInfo(recorder, describer, part, thread, range, pagesBefore)),
    attributed: attributedShare(slices, range),
    certainty: certaintyOf(
      recorder,
      range,
      slices,
      parts.filter(({ ns }) => ns > 0.2 * durationNs).map(({ resource }) => resource),
    ),
    longest: longest.sort((a, b) => a.beginNs - b.beginNs).map((slice) => describer.slice(slice)),
    moments: momentsOf(recorder, parts.slice(0, 4), range),
    machine: {
      users: culpritsOf(
        recorder,
        describer,
        machine.users.map(({ thread: user, ns }) => ({ thread: user, ns })),
      ),
      idleShare: machine.totalNs > 0 ? machine.idleNs / machine.totalNs : Number.NaN,
      kswapdNs: machine.users
        .filter(({ thread: user }) => /^(kswapd|kcompactd)/.test(user.name))
        .reduce((sum, { ns }) => sum + ns, 0),
      allocators: allocators(recorder, describer, thread, pagesBefore),
    },
  };
}

function lengthOf(slice: Slice): number {
  return slice.endNs - slice.beginNs;
}

function partInfo(
  recorder: Recorder,
  describer: Describer,
  part: Part,
  thread: Thread,
  range: Range,
  pagesBefore: readonly number[],
): PartInfo {
  const { resource, name, ns, slices } = part;
  const details = [...part.details.values()].sort((a, b) => b.ns - a.ns).slice(0, MOST_DETAILS);
  const longest = slices.reduce((a, b) => (lengthOf(b) > lengthOf(a) ? b : a));
  const info: PartInfo = {
    resource,
    name,
    ns,
    details,
    culprits: [],
    idleNs: 0,
    queueNs: 0,
    serviceNs: 0,
    bytes: 0,
    timeouts: [],
    lastTouched: [...new Set(Object.values(longest.wait?.touched ?? {}))].filter((path) => path !== ""),
    files: [],
    packets: 0,
    holder: holderOf(describer, longest),
  };
  switch (resource) {
    case "cpu-wait":
    case "cpu-limit": {
      const use = cpuUseDuring(recorder, slices);
      info.idleNs = use.idleNs;
      info.culprits = culpritsOf(recorder, describer, use.users);
      break;
    }
    case "interrupts": {
      const senders = packetSenders(recorder, range);
      info.packets = senders.packets;
      info.culprits = culpritsOf(recorder, describer, senders.uses);
      break;
    }
    case "disk": {
      info.files = filesOf(slices);
      const use = diskUseDuring(recorder, slices);
      info.queueNs = use.queueNs;
      info.serviceNs = use.serviceNs;
      info.bytes = use.bytes;
      info.culprits = culpritsOf(
        recorder,
        describer,
        [
          ...use.users.map(({ thread: user, busyNs, bytes, ownerBy, submitter }) => ({
            thread: user,
            ns: busyNs,
            bytes,
            ownerBy,
            through: submitter === undefined ? "" : plainName(submitter.name),
          })),
          ...syncsDuring(recorder, range, thread),
        ],
        crashedIn(recorder, range),
      );
      break;
    }
    case "memory":
      info.culprits = allocators(recorder, describer, thread, pagesBefore);
      break;
    case "network":
    case "sleep":
      for (const slice of [...slices].sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, 8)) {
        const { cause } = slice;
        if (cause?.timedOut === true && !Number.isNaN(cause.timeoutNs)) info.timeouts.push(cause.timeoutNs);
      }
      break;
  }
  return info;
}

function holderOf(describer: Describer, { chain }: Slice): Who | null {
  const lock = chain.find(({ kind }) => kind === "lock");
  if (lock !== undefined) return describer.who(lock.by);
  // Of children and servers the last one: `sh` runs what does the work.
  const other = [...chain].reverse().find(({ by }) => !isKernelThread(by));
  return other === undefined ? null : describer.who(leaderOf(other.by));
}

/** Names of files that slices wait for, the longest waits first. */
function filesOf(slices: readonly Slice[]): string[] {
  const byName = new Map<string, number>();
  for (const slice of slices) {
    const name = slice.wait?.call?.file?.kind === "file" ? slice.wait.call.file.name : "";
    if (name !== "") byName.set(name, (byName.get(name) ?? 0) + lengthOf(slice));
  }
  return [...byName]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name]) => name);
}

/** Who of this machine sent the packets that arrived in a range. */
function packetSenders(recorder: Recorder, range: Range): { packets: number; uses: Use[] } {
  const bySender = new Map<Thread, number>();
  let packets = 0;
  for (const { ns, sender } of recorder.packets) {
    if (ns < range.beginNs || ns > range.endNs) continue;
    packets++;
    if (sender !== undefined) bySender.set(leaderOf(sender), (bySender.get(leaderOf(sender)) ?? 0) + 1);
  }
  return { packets, uses: [...bySender].map(([thread, count]) => ({ thread, ns: 0, packets: count })) };
}

interface Use {
  readonly thread: Thread | undefined;
  readonly ns: number;
  readonly bytes?: number;
  readonly pages?: number;
  readonly packets?: number;
  readonly syncs?: number;
  readonly ownerBy?: OwnerBy;
  readonly through?: string;
}

/** What culprits of one cause are measured by: the first of these that any of them has. */
export function measureOf(culprits: readonly Culprit[]): (culprit: Culprit) => number {
  for (const key of ["bytes", "pages", "packets"] as const) {
    if (culprits.some((culprit) => culprit[key] > 0)) return (culprit) => culprit[key];
  }
  return ({ ns }) => ns;
}

/** The worst first. Of a disk's users the kernel's journal comes last: it writes for others. */
export function sortCulprits(culprits: readonly Culprit[]): Culprit[] {
  const measure = measureOf(culprits);
  const rank = ({ who }: Culprit) => (/^(jbd2|xfsaild|btrfs-transacti)/.test(who.process) ? 1 : 0);
  return [...culprits].sort((a, b) => rank(a) - rank(b) || measure(b) - measure(a));
}

/** Processes of one name together. */
function culpritsOf(
  recorder: Recorder,
  describer: Describer,
  uses: readonly Use[],
  suspect?: Thread,
): Culprit[] {
  const byName = new Map<string, Culprit>();
  for (const use of uses) {
    // Writes of kernel workers for nobody known, while a core dump is written: it is the one to suspect.
    const thread = use.ownerBy === "unknown" && suspect !== undefined ? suspect : use.thread;
    if (thread === undefined) continue;
    const key = plainName(thread.name);
    const known = byName.get(key);
    if (known !== undefined) {
      if (use.syncs === undefined) known.processes++;
      known.ns += use.ns;
      known.bytes += use.bytes ?? 0;
      known.pages += use.pages ?? 0;
      known.packets += use.packets ?? 0;
      known.syncs += use.syncs ?? 0;
      continue;
    }
    const crash = recorder.crashes.find((one) => one.thread.process === thread.process);
    byName.set(key, {
      who: describer.who(thread),
      processes: 1,
      ns: use.ns,
      bytes: use.bytes ?? 0,
      pages: use.pages ?? 0,
      packets: use.packets ?? 0,
      syncs: use.syncs ?? 0,
      file: recorder.fileOf(thread),
      ownerBy: use.ownerBy ?? null,
      through: use.through ?? "",
      crash: crash === undefined ? null : { signal: crash.signal, epochNs: describer.epoch(crash.ns) },
    });
  }
  return sortCulprits([...byName.values()]).slice(0, MOST_CULPRITS);
}

/** Others who made the disk write: their own bytes may be few, and the journal's flushes are nobody's. */
function syncsDuring(recorder: Recorder, { beginNs, endNs }: Range, self: Thread): Use[] {
  const byProcess = new Map<Thread, number>();
  for (const { thread, beginNs: from, endNs: to } of recorder.syncs) {
    if (to < beginNs || from > endNs || thread.process === self.process) continue;
    const leader = leaderOf(thread);
    byProcess.set(leader, (byProcess.get(leader) ?? 0) + 1);
  }
  return [...byProcess].map(([thread, syncs]) => ({ thread, ns: 0, syncs, ownerBy: "submitter" }));
}

function crashedIn(recorder: Recorder, { beginNs, endNs }: Range): Thread | undefined {
  return recorder.crashes.find(({ ns, endNs: over }) => ns < endNs && !(over < beginNs))?.thread;
}

/** Who else has allocated most pages since `before`. */
function allocators(
  recorder: Recorder,
  describer: Describer,
  self: Thread,
  before: readonly number[],
): Culprit[] {
  const uses: Use[] = [];
  recorder.pages.forEach((sum, id) => {
    const pages = sum - (before[id] ?? 0);
    if (pages === 0) return;
    const thread = recorder.model.threads[id]!;
    if (thread.tid !== 0 && thread.process !== self.process)
      uses.push({ thread: leaderOf(thread), ns: 0, pages });
  });
  return culpritsOf(recorder, describer, uses);
}

/** Where the longest slice of each large part begins and ends. */
function momentsOf(
  recorder: Recorder,
  parts: readonly Part[],
  range: Range,
): { ns: number; resource: Resource; name: string }[] {
  const out: { ns: number; resource: Resource; name: string }[] = [];
  for (const { resource, name, slices } of parts) {
    const at = (ns: number | undefined) => {
      if (ns !== undefined && ns >= 0) out.push({ ns, resource, name });
    };
    const waits = slices.filter(({ wait, kind }) => wait !== undefined || kind === "runnable");
    if (waits.length === 0) continue;
    const longest = waits.reduce((a, b) => (lengthOf(b) > lengthOf(a) ? b : a));
    const first = longest.chain.find(({ kind }) => kind === "lock" || kind === "child")?.wait ?? longest.wait;
    if (first?.call !== undefined && first.call.beginNs >= range.beginNs - 60e9) at(first.call.beginNs);
    if (first !== undefined) {
      at(first.beginNs);
      at(first.wake?.request?.issueNs);
      at(first.wake?.request?.completeNs);
      at(first.wake?.packet?.ns);
      at(first.wake?.ns);
    } else {
      at(longest.beginNs);
      at(longest.endNs);
    }
    if (resource === "disk") {
      for (const crash of recorder.crashes) if (crash.ns < range.endNs) at(crash.ns);
    }
  }
  return out;
}
