/**
 * Scheduling and interrupts as the kernel's own event records, which Perfetto makes its CPU tracks, thread states and
 * latencies of (`ftrace_event_bundle.proto`, `sched.proto`, `irq.proto`, `task.proto`). They are written while the
 * trace is read, each CPU's into a bundle of its own: switches and wake-ups in columns (`compact_sched`), whose
 * packed values are encoded as they come.
 *
 * A compact switch does not tell who leaves: that is who came by the one before. So a CPU begins with a whole switch
 * to the thread that was running when the range began, and has one wherever event records are lost.
 */
import type { Stretch } from "../history/pixels.js";
import { resolveNames } from "../kernel/names.js";
import type { EventSource } from "../sources/source.js";
import { PACKET, type PerfettoPackets, SEQUENCE, STATE } from "./perfetto-packets.js";
import { ProtoWriter } from "./protobuf.js";
import type { Timeline } from "./timeline.js";
import { numberOn } from "./tracks.js";

const BUNDLE = { cpu: 1, event: 2, lost: 3, compact: 4 };
const COMPACT = {
  switchTimestamp: 1,
  switchPrevState: 2,
  switchNextPid: 3,
  switchNextPrio: 4,
  names: 5,
  switchNextName: 6,
  wakingTimestamp: 7,
  wakingPid: 8,
  wakingCpu: 9,
  wakingPrio: 10,
  wakingName: 11,
  wakingFlags: 12,
};
const EVENT = {
  timestamp: 1,
  pid: 2,
  switch: 4,
  softirqEntry: 24,
  softirqExit: 25,
  irqEntry: 36,
  irqExit: 37,
  newTask: 235,
  exit: 238,
  free: 240,
};
const SWITCH = {
  prevComm: 1,
  prevPid: 2,
  prevPrio: 3,
  prevState: 4,
  nextComm: 5,
  nextPid: 6,
  nextPrio: 7,
};
const SOFTIRQ = { vector: 1 };
const IRQ = { number: 1, name: 2 };
const TASK = { pid: 1, comm: 2, cloneFlags: 3 };
const END = { comm: 1, pid: 2 };
const CLONE_THREAD = 0x10000;
/** TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ. */
const IN_INTERRUPT = 8;
const IN_SOFTIRQ = 16;
/** LTTng's priorities are the kernel's less those of real time. */
const MAX_RT_PRIO = 100;
const DEFAULT_PRIO = 120;
/** Event records in a bundle. */
const BUNDLE_SIZE = 4096;

/** A thread as event records of switches tell it. */
interface Running {
  readonly tid: number;
  readonly comm: string;
  /** The kernel's. */
  readonly prio: number;
}

/** A column of a bundle. */
class Packed extends ProtoWriter {
  constructor(readonly field: number) {
    super();
    this.bytes = Buffer.allocUnsafe(256);
  }

  writeTo(out: ProtoWriter): void {
    const at = out.begin(this.field);
    out.raw(this.used());
    out.end(at);
    this.length = 0;
  }
}

class CpuBundle {
  /** Events that have no compact form: whole fields of the bundle. */
  readonly events = new ProtoWriter();
  readonly switches = {
    timestamp: new Packed(COMPACT.switchTimestamp),
    prevState: new Packed(COMPACT.switchPrevState),
    nextPid: new Packed(COMPACT.switchNextPid),
    nextPrio: new Packed(COMPACT.switchNextPrio),
    nextName: new Packed(COMPACT.switchNextName),
  };
  readonly wakings = {
    timestamp: new Packed(COMPACT.wakingTimestamp),
    pid: new Packed(COMPACT.wakingPid),
    cpu: new Packed(COMPACT.wakingCpu),
    prio: new Packed(COMPACT.wakingPrio),
    name: new Packed(COMPACT.wakingName),
    flags: new Packed(COMPACT.wakingFlags),
  };
  readonly names = new Map<string, number>();
  count = 0;
  lost = false;
  /** `ns` of the last switch and wake-up in the bundle; NaN none. */
  switchNs = Number.NaN;
  wakingNs = Number.NaN;
  /** Number of the thread that a reader believes to run; -1 nobody. */
  believed = -1;
  /** Who ran when the range began. */
  opening: Running | undefined;
  irqDepth = 0;
  timerDepth = 0;
  inSoftirq = false;

  constructor(
    readonly host: number,
    readonly number: number,
    /** Unique over all hosts. */
    readonly shown: number,
  ) {}

  name(comm: string): number {
    let index = this.names.get(comm);
    if (index === undefined) this.names.set(comm, (index = this.names.size));
    return index;
  }
}

export class FtraceExport {
  readonly #cpus: (CpuBundle | undefined)[][] = [];
  readonly #numbers: (number | undefined)[][] = [];
  readonly #taken = new Set<number>();
  readonly #firstCpu: number[] = [];
  readonly #originNs: bigint;
  readonly #beginNs: number;
  readonly #endNs: number;
  #begun = false;

  /** Subscribes to what it needs. `range`: without it, everything. */
  constructor(
    source: EventSource,
    private readonly packets: PerfettoPackets,
    range: Stretch | undefined,
  ) {
    const { info } = source;
    this.#originNs = info.originNs;
    this.#beginNs = range?.beginNs ?? Number.NEGATIVE_INFINITY;
    this.#endNs = range?.endNs ?? Number.POSITIVE_INFINITY;
    let cpus = 0;
    info.hosts.forEach((_, host) => {
      this.#firstCpu.push(cpus);
      // A stream is a CPU's.
      cpus += info.streams.filter(({ trace }) => info.traces[trace]!.host === host).length;
    });
    this.#subscribe(source);
  }

  #cpu(host: number, cpu: number): CpuBundle {
    const those = (this.#cpus[host] ??= []);
    return (those[cpu] ??= new CpuBundle(host, cpu, this.#numberOf(host, cpu)));
  }

  /** Of a CPU among those of all hosts. Where a host's own numbers have gaps, they may reach into those of the next one. */
  #numberOf(host: number, cpu: number): number {
    const numbers = (this.#numbers[host] ??= []);
    let number = numbers[cpu];
    if (number === undefined) {
      number = this.#firstCpu[host]! + cpu;
      while (this.#taken.has(number)) number++;
      this.#taken.add(number);
      numbers[cpu] = number;
    }
    return number;
  }

  #isShown(ns: number): boolean {
    return ns >= this.#beginNs && ns <= this.#endNs;
  }

  #epoch(ns: number): bigint {
    return this.#originNs + BigInt(Math.floor(ns));
  }

  #subscribe(source: EventSource): void {
    const names = resolveNames(source.info);
    source.subscribe({
      matches: names.is("schedSwitch"),
      fields: {
        prevTid: { from: "prev_tid", kind: "number" },
        prevComm: { from: "prev_comm", kind: "string" },
        prevPrio: { from: "prev_prio", kind: "number" },
        prevState: { from: "prev_state", kind: "number" },
        nextTid: { from: "next_tid", kind: "number" },
        nextComm: { from: "next_comm", kind: "string" },
        nextPrio: { from: "next_prio", kind: "number" },
      },
      handle: (r) => {
        const { ns, host } = r;
        const cpu = this.#cpu(host, r.cpu);
        const next = r.nextTid === 0 ? 0 : numberOn(host, r.nextTid);
        const nextPrio = r.nextPrio + MAX_RT_PRIO;
        if (ns < this.#beginNs) {
          cpu.opening = { tid: next, comm: r.nextComm, prio: nextPrio };
          cpu.believed = next;
          return;
        }
        if (ns > this.#endNs) return;
        const prev = r.prevTid === 0 ? 0 : numberOn(host, r.prevTid);
        if (cpu.opening === undefined) {
          cpu.opening = { tid: prev, comm: r.prevComm, prio: r.prevPrio + MAX_RT_PRIO };
          cpu.believed = prev;
        }
        if (cpu.believed === prev) {
          const { timestamp, prevState, nextPid, nextPrio: prio, nextName } = cpu.switches;
          timestamp.value(Number.isNaN(cpu.switchNs) ? this.#epoch(ns) : whole(ns) - whole(cpu.switchNs));
          cpu.switchNs = ns;
          prevState.value(r.prevState);
          nextPid.value(next);
          prio.value(nextPrio);
          nextName.value(cpu.name(r.nextComm));
        } else {
          cpu.lost = true;
          const left = { tid: prev, comm: r.prevComm, prio: r.prevPrio + MAX_RT_PRIO };
          this.#switch(cpu, ns, left, r.prevState, { tid: next, comm: r.nextComm, prio: nextPrio });
        }
        cpu.believed = next;
        this.#added(cpu);
      },
    });
    source.subscribe({
      // Without it the kernel's later word has to do.
      matches: names.is(names.has("schedWaking") ? "schedWaking" : "schedWakeup"),
      fields: {
        tid: { from: "payload:tid", kind: "number" },
        comm: { from: "comm", kind: "string" },
        prio: { from: "prio", kind: "number" },
        target: { from: "target_cpu", kind: "number" },
        success: { from: "success", kind: "number" },
      },
      handle: (r) => {
        const { ns } = r;
        if (!this.#isShown(ns) || r.success === 0) return;
        const cpu = this.#cpu(r.host, r.cpu);
        const { timestamp, pid, cpu: target, prio, name, flags } = cpu.wakings;
        timestamp.value(Number.isNaN(cpu.wakingNs) ? this.#epoch(ns) : whole(ns) - whole(cpu.wakingNs));
        cpu.wakingNs = ns;
        pid.value(numberOn(r.host, r.tid));
        target.value(this.#numberOf(r.host, Number.isNaN(r.target) ? r.cpu : r.target));
        prio.value(Number.isNaN(r.prio) ? DEFAULT_PRIO : r.prio + MAX_RT_PRIO);
        name.value(cpu.name(r.comm));
        const inInterrupt = cpu.irqDepth > 0 || cpu.timerDepth > 0;
        flags.value(inInterrupt ? IN_INTERRUPT : cpu.inSoftirq ? IN_SOFTIRQ : 0);
        this.#added(cpu);
      },
    });
    this.#subscribeInterrupts(source, names);
    source.subscribe({
      matches: names.is("schedFork"),
      fields: {
        childTid: { from: ["child_tid", "child_pid"], kind: "number" },
        childPid: { from: "child_pid", kind: "number" },
        comm: { from: "child_comm", kind: "string" },
      },
      handle: ({ ns, host, cpu, childTid, childPid, comm }) =>
        this.#event(host, cpu, ns, EVENT.newTask, (out) => {
          out.integer(TASK.pid, numberOn(host, childTid));
          out.string(TASK.comm, comm);
          out.integer(TASK.cloneFlags, childPid === childTid ? 0 : CLONE_THREAD);
        }),
    });
    for (const [role, field] of [
      ["schedExit", EVENT.exit],
      ["schedFree", EVENT.free],
    ] as const) {
      source.subscribe({
        matches: names.is(role),
        fields: {
          tid: { from: "payload:tid", kind: "number" },
          comm: { from: "payload:comm", kind: "string" },
        },
        handle: ({ ns, host, cpu, tid, comm }) =>
          this.#event(host, cpu, ns, field, (out) => {
            out.string(END.comm, comm);
            out.integer(END.pid, numberOn(host, tid));
          }),
      });
    }
  }

  #subscribeInterrupts(source: EventSource, names: ReturnType<typeof resolveNames>): void {
    const vector = { vector: { from: "vec", kind: "number" } } as const;
    const irq = { irq: { from: "irq", kind: "number" }, name: { from: "name", kind: "string" } } as const;
    source.subscribe({
      matches: names.is("irqEntry"),
      fields: irq,
      handle: ({ ns, host, cpu, irq: number, name }) => {
        this.#cpu(host, cpu).irqDepth++;
        this.#event(host, cpu, ns, EVENT.irqEntry, (out) => {
          out.integer(IRQ.number, number);
          out.string(IRQ.name, name);
        });
      },
    });
    source.subscribe({
      matches: names.is("irqExit"),
      fields: irq,
      handle: ({ ns, host, cpu, irq: number }) => {
        const bundle = this.#cpu(host, cpu);
        bundle.irqDepth = Math.max(0, bundle.irqDepth - 1);
        this.#event(host, cpu, ns, EVENT.irqExit, (out) => out.integer(IRQ.number, number));
      },
    });
    source.subscribe({
      matches: names.is("softirqEntry"),
      fields: vector,
      handle: ({ ns, host, cpu, vector: number }) => {
        this.#cpu(host, cpu).inSoftirq = true;
        this.#event(host, cpu, ns, EVENT.softirqEntry, (out) => out.integer(SOFTIRQ.vector, number));
      },
    });
    source.subscribe({
      matches: names.is("softirqExit"),
      fields: vector,
      handle: ({ ns, host, cpu, vector: number }) => {
        this.#cpu(host, cpu).inSoftirq = false;
        this.#event(host, cpu, ns, EVENT.softirqExit, (out) => out.integer(SOFTIRQ.vector, number));
      },
    });
    for (const [role, depth] of [
      ["timerEntry", 1],
      ["timerExit", 0],
    ] as const) {
      source.subscribe({
        matches: names.is(role),
        fields: {},
        handle: ({ host, cpu }) => {
          this.#cpu(host, cpu).timerDepth = depth;
        },
      });
    }
  }

  /** An event that has no compact form; `tell` writes its own fields. */
  #event(host: number, cpu: number, ns: number, field: number, tell: (out: ProtoWriter) => void): void {
    if (!this.#isShown(ns)) return;
    const bundle = this.#cpu(host, cpu);
    this.#whole(bundle, ns, Math.max(0, bundle.believed), field, tell);
    this.#added(bundle);
  }

  #whole(bundle: CpuBundle, ns: number, tid: number, field: number, tell: (out: ProtoWriter) => void): void {
    const out = bundle.events;
    const event = out.begin(BUNDLE.event);
    out.integer(EVENT.timestamp, this.#epoch(ns));
    out.integer(EVENT.pid, tid);
    const own = out.begin(field);
    tell(out);
    out.end(own);
    out.end(event);
  }

  #switch(cpu: CpuBundle, ns: number, prev: Running, prevState: number, next: Running): void {
    this.#whole(cpu, ns, prev.tid, EVENT.switch, (out) => {
      out.string(SWITCH.prevComm, prev.comm);
      out.integer(SWITCH.prevPid, prev.tid);
      out.integer(SWITCH.prevPrio, prev.prio);
      out.integer(SWITCH.prevState, prevState);
      out.string(SWITCH.nextComm, next.comm);
      out.integer(SWITCH.nextPid, next.tid);
      out.integer(SWITCH.nextPrio, next.prio);
    });
  }

  #added(cpu: CpuBundle): void {
    if (++cpu.count === BUNDLE_SIZE) this.#write(cpu);
  }

  #write(cpu: CpuBundle): void {
    if (cpu.count === 0) return;
    const { packets } = this;
    const { out } = packets;
    const packet = packets.begin(SEQUENCE.ftrace, this.#begun ? 0 : STATE.cleared);
    this.#begun = true;
    const bundle = out.begin(PACKET.ftrace);
    out.integer(BUNDLE.cpu, cpu.shown);
    if (cpu.lost) out.integer(BUNDLE.lost, 1);
    out.raw(cpu.events.used());
    const compact = out.begin(BUNDLE.compact);
    for (const name of cpu.names.keys()) out.string(COMPACT.names, name);
    if (!Number.isNaN(cpu.switchNs)) for (const column of Object.values(cpu.switches)) column.writeTo(out);
    if (!Number.isNaN(cpu.wakingNs)) for (const column of Object.values(cpu.wakings)) column.writeTo(out);
    out.end(compact);
    out.end(bundle);
    packets.end(packet);
    cpu.events.length = cpu.count = 0;
    cpu.names.clear();
    cpu.lost = false;
    cpu.switchNs = cpu.wakingNs = Number.NaN;
  }

  /** What is left, once all is read. */
  finish({ history, range }: Timeline): void {
    for (const cpu of this.#cpus.flat()) {
      if (cpu === undefined) continue;
      const { opening, host, number } = cpu;
      const row = history.rows.find(
        (one) => one.kind === "cpu" && one.host === host && history.names[one.id]!.tid === number,
      );
      if (opening !== undefined && row !== undefined && row.length > 0) {
        const ns = Math.max(range.beginNs, row.ns[0]!);
        this.#switch(cpu, ns, { tid: 0, comm: `swapper/${number}`, prio: DEFAULT_PRIO }, 0, opening);
        cpu.count++;
      }
      this.#write(cpu);
    }
  }
}

/** Differences are between whole nanoseconds, so that their sum is exact. */
function whole(ns: number): number {
  return Math.floor(ns);
}
