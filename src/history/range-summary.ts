/** Sums of a range of time, over everything that a history knows: the figures of the analyses for just that range. */
import { lowerBound } from "../base/columns.js";
import { softirqName } from "../kernel/names.js";
import { DOINGS, Doing, ON_CPU, WAITS } from "./doing.js";
import type { History } from "./history.js";
import { threadName } from "./labels.js";
import type { Stretch } from "./pixels.js";
import { IrqKind, REQUEST_KINDS } from "./tables.js";
import { timesOf } from "./time-sums.js";

export interface RangeSummary {
  readonly beginNs: number;
  readonly endNs: number;
  /** Threads by time on CPUs, the most first; `share` of one CPU. */
  readonly cpu: readonly {
    readonly row: number;
    readonly label: string;
    readonly ns: number;
    readonly share: number;
  }[];
  /** Of all CPUs, 0 … 1. */
  readonly cpuShare: number;
  /** What threads waited for, by thread and kind. */
  readonly waits: readonly {
    readonly row: number;
    readonly label: string;
    readonly doing: Doing;
    readonly ns: number;
  }[];
  readonly syscalls: readonly SyscallSum[];
  readonly disks: readonly {
    readonly label: string;
    readonly reads: number;
    readonly writes: number;
    readonly readBytes: number;
    readonly writtenBytes: number;
    readonly maxNs: number;
  }[];
  readonly networks: readonly {
    readonly label: string;
    readonly receivedBytes: number;
    readonly sentBytes: number;
    readonly received: number;
    readonly sent: number;
  }[];
  readonly irqs: readonly { readonly label: string; readonly count: number; readonly totalNs: number }[];
}

export interface SyscallSum {
  readonly name: string;
  readonly count: number;
  readonly totalNs: number;
  readonly minNs: number;
  readonly maxNs: number;
  /** Sum of squares, for deviations. */
  readonly squares: number;
}

/** Time of each row on a CPU (CPUs: not idle; disks: at work), all in all. */
export function activeTimes(history: History): Float64Array {
  if (history.activeNs !== undefined) return history.activeNs;
  const times = new Float64Array(DOINGS);
  const active = Float64Array.from(history.rows, (row) => {
    timesOf(row, history, history.untilNs, times);
    if (row.kind === "disk") return times[Doing.busy]!;
    return ON_CPU.reduce<number>((sum, doing) => sum + times[doing]!, 0);
  });
  if (history.complete) history.activeNs = active;
  return active;
}

export function summarise(history: History, range: Stretch, most = 50): RangeSummary {
  const { rows, untilNs } = history;
  const times = new Float64Array(DOINGS);
  const cpu: { row: number; label: string; ns: number; share: number }[] = [];
  const waits: { row: number; label: string; doing: Doing; ns: number }[] = [];
  const length = Math.max(1, range.endNs - range.beginNs);
  let used = 0;
  let cpus = 0;
  const onCpu = () => ON_CPU.reduce<number>((sum, doing) => sum + times[doing]!, 0);
  for (const row of rows) {
    if (row.kind === "disk") continue;
    timesOf(row, range, untilNs, times);
    if (row.kind === "cpu") {
      cpus++;
      used += onCpu();
      continue;
    }
    const ns = onCpu();
    const label = threadName(history, row.id);
    if (ns > 0) cpu.push({ row: row.id, label, ns, share: ns / length });
    for (const doing of WAITS) {
      if (times[doing]! > 0) waits.push({ row: row.id, label, doing, ns: times[doing]! });
    }
  }
  const byNs = (a: { ns: number }, b: { ns: number }): number => b.ns - a.ns;
  return {
    beginNs: range.beginNs,
    endNs: range.endNs,
    cpu: cpu.sort(byNs).slice(0, most),
    cpuShare: used / length / Math.max(1, cpus),
    waits: waits.sort(byNs).slice(0, most),
    syscalls: syscallsIn(history, range).slice(0, most),
    disks: disksIn(history, range),
    networks: networksIn(history, range),
    irqs: irqsIn(history, range).slice(0, most),
  };
}

/** System calls that ended in the range, by name, the most time first. `row`: of this thread only. */
export function syscallsIn(history: History, { beginNs, endNs }: Stretch, row?: number): SyscallSum[] {
  const { of, length } = history.tables.syscalls;
  type Sum = { name: string; count: number; totalNs: number; minNs: number; maxNs: number; squares: number };
  const sums: (Sum | undefined)[] = [];
  for (let i = lowerBound(of.end, length, beginNs); i < length && of.end[i]! <= endNs; i++) {
    if (row !== undefined && of.row[i] !== row) continue;
    const call = of.call[i]!;
    const ns = of.end[i]! - of.begin[i]!;
    const sum = sums[call];
    if (sum === undefined) {
      sums[call] = {
        name: history.syscallNames[call]!,
        count: 1,
        totalNs: ns,
        minNs: ns,
        maxNs: ns,
        squares: ns * ns,
      };
      continue;
    }
    sum.count++;
    sum.totalNs += ns;
    sum.squares += ns * ns;
    if (ns > sum.maxNs) sum.maxNs = ns;
    if (ns < sum.minNs) sum.minNs = ns;
  }
  return sums.filter((sum) => sum !== undefined).sort((a, b) => b.totalNs - a.totalNs);
}

function disksIn(history: History, { beginNs, endNs }: Stretch): RangeSummary["disks"] {
  const { of, length } = history.tables.requests;
  const sums = new Map<
    number,
    { -readonly [K in keyof RangeSummary["disks"][number]]: RangeSummary["disks"][number][K] }
  >();
  const [read, write] = [REQUEST_KINDS.indexOf("read"), REQUEST_KINDS.indexOf("write")];
  for (let i = lowerBound(of.end, length, beginNs); i < length && of.end[i]! <= endNs; i++) {
    const row = of.row[i]!;
    let sum = sums.get(row);
    if (sum === undefined) {
      sum = {
        label: history.names[row]!.label,
        reads: 0,
        writes: 0,
        readBytes: 0,
        writtenBytes: 0,
        maxNs: 0,
      };
      sums.set(row, sum);
    }
    if (of.kind[i] === read) {
      sum.reads++;
      sum.readBytes += of.bytes[i]!;
    } else if (of.kind[i] === write) {
      sum.writes++;
      sum.writtenBytes += of.bytes[i]!;
    }
    sum.maxNs = Math.max(sum.maxNs, of.end[i]! - of.begin[i]!);
  }
  return [...sums.values()].sort((a, b) => b.readBytes + b.writtenBytes - a.readBytes - a.writtenBytes);
}

function networksIn(history: History, { beginNs, endNs }: Stretch): RangeSummary["networks"] {
  const { of, length } = history.tables.packets;
  const sums = history.devices.map(({ name }) => ({
    label: name,
    receivedBytes: 0,
    sentBytes: 0,
    received: 0,
    sent: 0,
  }));
  for (let i = lowerBound(of.ns, length, beginNs); i < length && of.ns[i]! <= endNs; i++) {
    const sum = sums[of.device[i]!];
    if (sum === undefined) continue;
    if (of.sent[i] === 1) {
      sum.sent++;
      sum.sentBytes += of.bytes[i]!;
    } else {
      sum.received++;
      sum.receivedBytes += of.bytes[i]!;
    }
  }
  return sums.filter(({ sent, received }) => sent + received > 0);
}

export interface IrqSum {
  readonly label: string;
  readonly count: number;
  readonly totalNs: number;
  readonly minNs: number;
  readonly maxNs: number;
}

/** Interrupts and softirqs that ended in the range. */
export function irqsIn(history: History, { beginNs, endNs }: Stretch): IrqSum[] {
  const { of, length } = history.tables.irqs;
  const sums = new Map<string, { -readonly [K in keyof IrqSum]: IrqSum[K] }>();
  for (let i = lowerBound(of.end, length, beginNs); i < length && of.end[i]! <= endNs; i++) {
    const host = history.rows[of.row[i]!]!.host;
    const key = `${host} ${of.kind[i]} ${of.number[i]}`;
    const ns = of.end[i]! - of.begin[i]!;
    const sum = sums.get(key);
    if (sum === undefined) {
      const label = irqLabel(history, host, of.kind[i]!, of.number[i]!);
      sums.set(key, { label, count: 1, totalNs: ns, minNs: ns, maxNs: ns });
      continue;
    }
    sum.count++;
    sum.totalNs += ns;
    sum.minNs = Math.min(sum.minNs, ns);
    sum.maxNs = Math.max(sum.maxNs, ns);
  }
  return [...sums.values()].sort((a, b) => b.totalNs - a.totalNs);
}

export function irqLabel(history: History, host: number, kind: number, number: number): string {
  if (kind === IrqKind.softirq) return `softirq ${softirqName(number)}`;
  if (kind === IrqKind.timer) return "hrtimer";
  return `irq ${number} ${history.irqNames.get(`${host} ${number}`) ?? ""}`.trimEnd();
}
