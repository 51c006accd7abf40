/** Time in interrupt handlers and softirqs, and how long softirqs wait after they are raised. */

import { Histogram } from "../base/histogram.js";
import type { KernelModel } from "../kernel/model.js";
import { softirqName } from "../kernel/names.js";
import { type Distribution, distribution, type Range } from "./common.js";

export interface InterruptRow extends Distribution {
  readonly host: number;
  readonly number: number;
  readonly name: string;
}

export interface SoftirqRow extends InterruptRow {
  /** From raise to begin; of those whose raise was seen. */
  readonly raise: Distribution;
}

export interface InterruptSection {
  readonly missing: readonly string[];
  readonly irqs: readonly InterruptRow[];
  readonly softirqs: readonly SoftirqRow[];
  /** Expiries of high-resolution timers. */
  readonly timers: Distribution;
}

interface Sums {
  readonly host: number;
  readonly number: number;
  readonly time: Histogram;
  readonly raise: Histogram;
}

export function attachInterrupts(model: KernelModel, range: Range): () => InterruptSection {
  const irqs = new Map<number, Sums>();
  const softirqs = new Map<number, Sums>();
  const timers = new Histogram();
  const sumsOf = (map: Map<number, Sums>, host: number, number: number): Sums => {
    const key = host * 2 ** 32 + number;
    let s = map.get(key);
    if (s === undefined) {
      s = { host, number, time: new Histogram(), raise: new Histogram() };
      map.set(key, s);
    }
    return s;
  };
  model.on.irqEnd.push((cpu, irq, begin, end) => {
    if (end >= range.beginNs) sumsOf(irqs, cpu.host.index, irq).time.add(end - begin);
  });
  model.on.softirqEnd.push((cpu, vector, raise, begin, end) => {
    if (end < range.beginNs) return;
    const s = sumsOf(softirqs, cpu.host.index, vector);
    s.time.add(end - begin);
    if (!Number.isNaN(raise)) s.raise.add(begin - raise);
  });
  model.on.timerEnd.push((_cpu, begin, end) => {
    if (end >= range.beginNs) timers.add(end - begin);
  });
  return () => {
    const base = (s: Sums, name: string) => ({
      host: s.host,
      number: s.number,
      name,
      ...distribution(s.time),
    });
    const byTime = (a: Distribution, b: Distribution) => b.totalNs - a.totalNs;
    return {
      missing: model.names.missing("irqEntry", "irqExit", "softirqRaise", "softirqEntry", "softirqExit"),
      irqs: [...irqs.values()].map((s) => base(s, model.hosts[s.host]!.irqName(s.number))).sort(byTime),
      softirqs: [...softirqs.values()]
        .map((s) => ({ ...base(s, softirqName(s.number)), raise: distribution(s.raise) }))
        .sort(byTime),
      timers: distribution(timers),
    };
  };
}
