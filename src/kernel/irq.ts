/**
 * Hard interrupts, softirqs and high-resolution timers, per CPU. What runs in them is charged to no thread.
 */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";
import type { Cpu } from "./state.js";

export function attachIrq(source: EventSource, model: Context): void {
  const { hosts, names, on } = model;
  const interruption = (cpu: Cpu, ns: number): void => {
    const l = on.interruption;
    for (let i = 0; i < l.length; i++) l[i]!(cpu, ns);
  };

  source.subscribe({
    matches: names.is("irqEntry"),
    fields: { irq: { from: "irq", kind: "number" }, name: { from: "name", kind: "string" } },
    handle(r) {
      const host = hosts[r.host]!;
      const cpu = host.cpu(r.cpu, r.ns);
      if (cpu.irqName !== r.name || cpu.irqNamed !== r.irq) {
        host.addIrqName(r.irq, r.name);
        cpu.irqName = r.name;
        cpu.irqNamed = r.irq;
      }
      const depth = cpu.irqDepth++;
      cpu.irqNumbers[depth] = r.irq;
      cpu.irqBeginNs[depth] = r.ns;
      interruption(cpu, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("irqExit"),
    fields: { irq: { from: "irq", kind: "number" } },
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      // An exit that belongs to no entry, or entries whose exits are lost: forget down to the match.
      let depth = cpu.irqDepth;
      while (depth > 0 && cpu.irqNumbers[depth - 1] !== r.irq) depth--;
      if (depth === 0) {
        model.uncertain.irqs += cpu.irqDepth;
        cpu.irqDepth = 0;
        interruption(cpu, r.ns);
        return;
      }
      cpu.irqDepth = depth - 1;
      const l = on.irqEnd;
      for (let i = 0; i < l.length; i++) l[i]!(cpu, r.irq, cpu.irqBeginNs[depth - 1]!, r.ns);
      interruption(cpu, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("softirqRaise"),
    fields: { vec: { from: "vec", kind: "number" } },
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      // The first raise counts: raising a pending softirq again changes nothing.
      const pending = cpu.softirqRaiseNs[r.vec];
      if (pending !== undefined && Number.isNaN(pending)) cpu.softirqRaiseNs[r.vec] = r.ns;
    },
  });
  source.subscribe({
    matches: names.is("softirqEntry"),
    fields: { vec: { from: "vec", kind: "number" } },
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      cpu.softirq = r.vec;
      cpu.softirqBeginNs = r.ns;
      cpu.softirqRaisedNs = cpu.softirqRaiseNs[r.vec] ?? Number.NaN;
      cpu.softirqRaiseNs[r.vec] = Number.NaN;
      interruption(cpu, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("softirqExit"),
    fields: { vec: { from: "vec", kind: "number" } },
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      const matches = cpu.softirq === r.vec;
      cpu.softirq = -1;
      if (matches) {
        const l = on.softirqEnd;
        for (let i = 0; i < l.length; i++) l[i]!(cpu, r.vec, cpu.softirqRaisedNs, cpu.softirqBeginNs, r.ns);
      }
      interruption(cpu, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("timerEntry"),
    fields: {},
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      cpu.timerDepth = 1;
      cpu.timerBeginNs = r.ns;
      interruption(cpu, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("timerExit"),
    fields: {},
    handle(r) {
      const cpu = hosts[r.host]!.cpu(r.cpu, r.ns);
      if (cpu.timerDepth === 0) return;
      cpu.timerDepth = 0;
      const l = on.timerEnd;
      for (let i = 0; i < l.length; i++) l[i]!(cpu, cpu.timerBeginNs, r.ns);
      interruption(cpu, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("dumpInterrupt"),
    fields: { irq: { from: "irq", kind: "number" }, action: { from: "action", kind: "string" } },
    handle(r) {
      const host = hosts[r.host]!;
      if (!host.irqNames.has(r.irq)) host.addIrqName(r.irq, r.action);
    },
  });
}
