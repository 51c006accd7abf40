/** CPU use by CPU, by thread and over time. Idle is never a user; time of which nothing is known is told. */

import type { KernelModel } from "../kernel/model.js";
import type { Cpu } from "../kernel/state.js";
import { type Range, type Ranked, ranked, type ThreadRef, threadRef } from "./common.js";

/** Points of the time series per CPU, and of the coarser one that is kept per thread until the end. */
const BUCKETS = 300;
const FINE_PER_COARSE = 5;
/** All CPUs together are saturated above this fraction, when it lasts. */
const SATURATED = 0.9;
const SATURATED_AT_LEAST_NS = 500e6;
const SATURATED_USERS = 5;

export interface CpuUse {
  readonly host: number;
  readonly cpu: number;
  readonly busyNs: number;
  readonly idleNs: number;
  /** Before the first event record of the CPU, and where event records are lost. */
  readonly unknownNs: number;
  /** Spent in hard interrupt handlers, softirqs and timers; part of busy or idle time of whom they interrupted. */
  readonly interruptNs: number;
  /** Busy fraction (0 to 1) of each bucket of the time series. */
  readonly busySeries: readonly number[];
}

export interface ThreadCpuUse {
  readonly thread: ThreadRef;
  readonly runNs: number;
  /** Of one CPU over the whole time. */
  readonly share: number;
  readonly migrations: number;
}

/** A time in which all CPUs of all hosts were busy. */
export interface SaturatedSpan {
  readonly beginNs: number;
  readonly endNs: number;
  /** Of all CPUs. */
  readonly busyShare: number;
  /** Who used them, by thread name: `share` of all CPUs in this span. */
  readonly users: readonly { readonly name: string; readonly threads: number; readonly share: number }[];
}

export interface CpuSection {
  readonly missing: readonly string[];
  readonly busyNs: number;
  readonly idleNs: number;
  readonly unknownNs: number;
  readonly bucketNs: number;
  readonly cpus: readonly CpuUse[];
  readonly threads: Ranked<ThreadCpuUse>;
  readonly saturated: readonly SaturatedSpan[];
}

interface CpuSums {
  busyNs: number;
  idleNs: number;
  interruptNs: number;
  buckets: Float64Array;
}

/** Adds a span, relative to the series' begin, to the buckets it covers. */
function addSpan(buckets: Float64Array, bucketNs: number, from: number, spent: number): void {
  const last = buckets.length - 1;
  let at = Math.min(last, Math.floor(from / bucketNs));
  let room = (at + 1) * bucketNs - from;
  while (spent > room && at < last) {
    buckets[at]! += room;
    spent -= room;
    room = bucketNs;
    at++;
  }
  buckets[at]! += spent;
}

export function attachCpu(model: KernelModel, range: Range): () => CpuSection {
  const sums: CpuSums[] = [];
  const runNs: number[] = [];
  const series: (Float64Array | undefined)[] = [];
  const migrations: number[] = [];
  /** Known with the first run. */
  let beginNs = Number.NaN;
  let bucketNs = 1;

  const sumsOf = (cpu: Cpu): CpuSums => {
    let s = sums[cpu.id];
    if (s === undefined) {
      s = { busyNs: 0, idleNs: 0, interruptNs: 0, buckets: new Float64Array(BUCKETS) };
      sums[cpu.id] = s;
    }
    return s;
  };

  model.on.runEnd.push((thread, cpu, runBeginNs, runEndNs) => {
    if (Number.isNaN(beginNs)) {
      beginNs = range.beginNs;
      bucketNs = Math.max(1, (range.lastNs - beginNs) / BUCKETS);
    }
    const from = Math.max(beginNs, runBeginNs);
    const spent = runEndNs - from;
    if (!(spent > 0)) return;
    const s = sumsOf(cpu);
    if (thread.tid === 0) {
      s.idleNs += spent;
      return;
    }
    s.busyNs += spent;
    while (runNs.length <= thread.id) runNs.push(0);
    runNs[thread.id]! += spent;
    addSpan(s.buckets, bucketNs, from - beginNs, spent);
    let own = series[thread.id];
    if (own === undefined) series[thread.id] = own = new Float64Array(BUCKETS / FINE_PER_COARSE);
    addSpan(own, bucketNs * FINE_PER_COARSE, from - beginNs, spent);
  });
  model.on.migrate.push((thread, _from, _to, ns) => {
    if (ns >= range.beginNs) migrations[thread.id] = (migrations[thread.id] ?? 0) + 1;
  });
  const interrupt = (cpu: Cpu, begin: number, end: number): void => {
    const from = Math.max(begin, range.beginNs);
    if (end > from) sumsOf(cpu).interruptNs += end - from;
  };
  model.on.irqEnd.push((cpu, _irq, begin, end) => interrupt(cpu, begin, end));
  model.on.softirqEnd.push((cpu, _vec, _raise, begin, end) => interrupt(cpu, begin, end));
  // Timers expire inside the timer interrupt, which has no event of its own; those inside a hard interrupt
  // or softirq that is recorded are counted there.
  model.on.timerEnd.push((cpu, begin, end) => {
    if (cpu.irqDepth === 0 && cpu.softirq < 0) interrupt(cpu, begin, end);
  });

  const findSaturated = (): SaturatedSpan[] => {
    const cpus = sums.filter((s) => s !== undefined);
    const coarseNs = bucketNs * FINE_PER_COARSE;
    const buckets = Math.ceil((range.endNs - beginNs) / coarseNs);
    const busyAt = (coarse: number): number => {
      let busy = 0;
      for (const s of cpus) {
        for (let i = 0; i < FINE_PER_COARSE; i++) busy += s.buckets[coarse * FINE_PER_COARSE + i] ?? 0;
      }
      return busy / (coarseNs * cpus.length);
    };
    const spans: SaturatedSpan[] = [];
    for (let first = 0; first < buckets; first++) {
      if (busyAt(first) < SATURATED) continue;
      let end = first;
      let busy = 0;
      while (end < buckets && busyAt(end) >= SATURATED) busy += busyAt(end++);
      if ((end - first) * coarseNs >= SATURATED_AT_LEAST_NS)
        spans.push(describeSpan(first, end, busy / (end - first)));
      first = end;
    }
    return spans;
  };
  const describeSpan = (first: number, end: number, busyShare: number): SaturatedSpan => {
    const coarseNs = bucketNs * FINE_PER_COARSE;
    const whole = (end - first) * coarseNs * sums.length;
    const users = new Map<string, { name: string; threads: number; share: number }>();
    series.forEach((own, id) => {
      let used = 0;
      for (let i = first; i < end; i++) used += own?.[i] ?? 0;
      if (used === 0) return;
      const { name } = threadRef(model.threads[id]!);
      const user = users.get(name) ?? { name, threads: 0, share: 0 };
      user.threads++;
      user.share += used / whole;
      users.set(name, user);
    });
    return {
      beginNs: beginNs + first * coarseNs,
      endNs: Math.min(range.endNs, beginNs + end * coarseNs),
      busyShare,
      users: [...users.values()].sort((a, b) => b.share - a.share).slice(0, SATURATED_USERS),
    };
  };

  return () => {
    const durationNs = range.endNs - range.beginNs;
    const used = Math.min(BUCKETS, Math.max(1, Math.ceil(durationNs / bucketNs)));
    const cpus: CpuUse[] = model.cpus.map((cpu) => {
      const s = sumsOf(cpu);
      return {
        host: cpu.host.index,
        cpu: cpu.number,
        busyNs: s.busyNs,
        idleNs: s.idleNs,
        unknownNs: Math.max(0, durationNs - s.busyNs - s.idleNs),
        interruptNs: s.interruptNs,
        busySeries: Array.from(s.buckets.subarray(0, used), (b) => Math.min(1, b / bucketNs)),
      };
    });
    cpus.sort((a, b) => a.host - b.host || a.cpu - b.cpu);
    const threads: ThreadCpuUse[] = [];
    runNs.forEach((ns, id) => {
      if (ns <= 0) return;
      const thread = threadRef(model.threads[id]!);
      const share = durationNs > 0 ? ns / durationNs : 0;
      threads.push({ thread, runNs: ns, share, migrations: migrations[id] ?? 0 });
    });
    const total = (f: (c: CpuUse) => number) => cpus.reduce((sum, c) => sum + f(c), 0);
    return {
      missing: model.names.missing("schedSwitch"),
      busyNs: total((c) => c.busyNs),
      idleNs: total((c) => c.idleNs),
      unknownNs: total((c) => c.unknownNs),
      bucketNs,
      cpus,
      threads: ranked(threads, (t) => t.runNs),
      saturated: findSaturated(),
    };
  };
}
