/**
 * Independent accounting: what happened in a kernel trace, worked out here from babeltrace2's text alone, in the
 * plainest way. Nothing of Periscope is used. Only for traces without lost event records and with the contexts
 * `pid`, `tid`, `procname`.
 */

import { spawnSync } from "node:child_process";

/** One line of text. */
export interface Line {
  /** ns since the first second of the trace. */
  readonly ns: number;
  readonly cpu: number;
  readonly name: string;
  /** The `tid` context: who the event record belongs to. */
  readonly tid: number;
  /** Name of the thread by its context; undefined where there is none. */
  procname: string | undefined;
  readonly payload: string;
}

/** An integer field of a payload; NaN when it is not there. */
export function integer(payload: string, field: string): number {
  const at = payload.indexOf(`, ${field} = `);
  return at < 0
    ? Number.NaN
    : Number.parseInt(payload.slice(at + field.length + 5, at + field.length + 30), 10);
}

/** A string field of a payload. */
export function string(payload: string, field: string): string {
  const at = payload.indexOf(`, ${field} = "`);
  if (at < 0) return "";
  const from = at + field.length + 6;
  return payload.slice(from, payload.indexOf('"', from));
}

/** All lines of a trace, in order. */
export function readLines(trace: string): { lines: Line[]; originSecond: number } {
  const { stdout } = spawnSync("babeltrace2", ["--clock-seconds", "--no-delta", trace], {
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  const lines: Line[] = [];
  let originSecond = Number.NaN;
  for (const text of stdout.split("\n")) {
    const match = /^\[(\d+)\.(\d{9})\] \S+ (\w+): \{ cpu_id = (\d+) \}, \{ (.*)$/.exec(text);
    if (match === null) continue;
    const second = Number(match[1]);
    if (Number.isNaN(originSecond)) originSecond = second;
    const rest = match[5]!;
    const end = rest.indexOf(" }, { ");
    lines.push({
      ns: (second - originSecond) * 1e9 + Number(match[2]),
      cpu: Number(match[4]),
      name: match[3]!,
      tid: integer(`, ${rest.slice(0, end)}`, "tid"),
      procname: /procname = "([^"]*)"/.exec(rest.slice(0, end))?.[1],
      payload: `, ${rest.slice(end + 6)}`,
    });
  }
  return { lines, originSecond };
}

/** Count, extremes, sum and deviation of numbers, by their definitions. */
export class Numbers {
  readonly all: number[] = [];
  get count(): number {
    return this.all.length;
  }
  get min(): number {
    return this.all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }
  get max(): number {
    return this.all.reduce((a, b) => Math.max(a, b), 0);
  }
  get sum(): number {
    return this.all.reduce((a, b) => a + b, 0);
  }
  get mean(): number {
    return this.sum / this.count;
  }
  /** NaN under two. */
  get deviation(): number {
    const { mean } = this;
    return Math.sqrt(this.all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (this.count - 1));
  }
  bins(n: number): number[] {
    const { min, max } = this;
    const counts = new Array<number>(n).fill(0);
    for (const v of this.all) counts[Math.min(n - 1, Math.floor((v - min) / ((max - min) / n)))]! += 1;
    return counts;
  }
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

export interface Call {
  readonly tid: number;
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly ret: number;
  readonly fd: number;
  readonly entry: string;
}

export interface Latency {
  readonly tid: number;
  readonly wakeNs: number;
  readonly switchNs: number;
  readonly prio: number;
  readonly cpu: number;
  /** It was woken while it still ran. */
  readonly early: boolean;
  /** The thread that ran where it was woken, from the context; 0 is idle. */
  readonly waker: number;
}

export interface Truth {
  readonly originSecond: number;
  readonly durationNs: number;
  readonly lines: number;
  /** From here on every CPU has had a switch. */
  readonly firstSwitchNs: number;
  /** By tid; idle is not in it. */
  readonly runNs: Map<number, number>;
  /** By CPU. */
  readonly busyNs: Map<number, number>;
  readonly idleNs: Map<number, number>;
  readonly priorities: Map<number, number[]>;
  /** Names of a tid in the order in which event records show them. */
  readonly names: Map<number, string[]>;
  readonly pages: { readonly allocated: Map<number, number>; readonly freed: Map<number, number> };
  readonly calls: readonly Call[];
  readonly latencies: readonly Latency[];
  readonly irqs: { irq: number; hard: boolean; cpu: number; beginNs: number; endNs: number }[];
  readonly received: Map<string, number>;
  readonly sent: Map<string, number>;
}

/** Numbers of system calls that lttng-modules records as `unknown` (x86-64). */
const UNKNOWN: Readonly<Record<number, string>> = {
  15: "rt_sigreturn",
  158: "arch_prctl",
  318: "getrandom",
  332: "statx",
  334: "rseq",
  435: "clone3",
  439: "faccessat2",
};

const SENDS_BYTES =
  /^(read|pread64|readv|recvfrom|recvmsg|write|pwrite64|writev|sendto|sendmsg|splice|sendfile64)$/;

export function bytesOf(call: Call): number {
  return SENDS_BYTES.test(call.name) ? Math.max(0, call.ret) : 0;
}

export function account(trace: string): Truth {
  const { lines, originSecond } = readLines(trace);
  const firstNs = lines[0]!.ns;
  const lastNs = lines[lines.length - 1]!.ns;
  const runNs = new Map<number, number>();
  const busyNs = new Map<number, number>();
  const idleNs = new Map<number, number>();
  const priorities = new Map<number, number[]>();
  const names = new Map<number, string[]>();
  const allocated = new Map<number, number>();
  const freed = new Map<number, number>();
  const received = new Map<string, number>();
  const sent = new Map<string, number>();
  const calls: Call[] = [];
  const latencies: Latency[] = [];
  const irqs: Truth["irqs"] = [];
  const since = new Map<number, number>();
  const current = new Map<number, number>();
  const inCall = new Map<number, { name: string; ns: number; fd: number; entry: string }>();
  /** When a thread began to wait for a CPU because somebody woke it; undefined: it does not. */
  const woken = new Map<number, number>();
  const running = new Set<number>();
  const wakers = new Map<number, number>();
  /** Woken while it still ran: counts from when it left the CPU, if it left to sleep. */
  const wokenEarly = new Map<number, number>();
  /** Those of them that have left: the wake-up may have come to nothing, if another one follows. */
  const doubtful = new Set<number>();
  /** Wait for a CPU that was taken from them: a wake-up means nothing to them. */
  const preempted = new Set<number>();
  let firstSwitchNs = firstNs;
  const openIrqs = new Map<string, number>();
  const add = (map: Map<number, number>, key: number, n: number) => map.set(key, (map.get(key) ?? 0) + n);
  const ran = (cpu: number, tid: number, from: number, to: number): void => {
    if (tid === 0) add(idleNs, cpu, to - from);
    else {
      add(runNs, tid, to - from);
      add(busyNs, cpu, to - from);
    }
  };
  const named = (tid: number, name: string): void => {
    const list = at(names, tid, () => []);
    if (list[list.length - 1] !== name) list.push(name);
  };
  for (const { ns, cpu, name, tid, procname, payload } of lines) {
    if (procname !== undefined && procname !== "") named(tid, procname);
    if (name === "sched_switch") {
      const [prev, next] = [integer(payload, "prev_tid"), integer(payload, "next_tid")];
      ran(cpu, prev, since.get(cpu) ?? firstNs, ns);
      if (!since.has(cpu)) firstSwitchNs = ns;
      since.set(cpu, ns);
      current.set(cpu, next);
      named(prev, string(payload, "prev_comm"));
      named(next, string(payload, "next_comm"));
      running.delete(prev);
      const sleeps = (integer(payload, "prev_state") & 0xff) !== 0;
      const early = wokenEarly.get(prev);
      if (prev !== 0 && sleeps && early !== undefined) {
        woken.set(prev, ns);
        doubtful.add(prev);
      }
      wokenEarly.delete(prev);
      if (next !== 0) {
        const prio = integer(payload, "next_prio");
        const list = at(priorities, next, () => []);
        if (list[list.length - 1] !== prio) list.push(prio);
        const wakeNs = woken.get(next);
        if (wakeNs !== undefined) {
          const early = doubtful.has(next);
          latencies.push({ tid: next, wakeNs, switchNs: ns, prio, cpu, early, waker: wakers.get(next) ?? 0 });
        }
        woken.delete(next);
        doubtful.delete(next);
        running.add(next);
        preempted.delete(next);
      }
      if (prev !== 0 && !sleeps) preempted.add(prev);
    } else if (name === "sched_waking" || name === "sched_wakeup_new") {
      const wakee = integer(payload, "tid");
      if (!woken.has(wakee) || doubtful.has(wakee)) wakers.set(wakee, tid);
      if (running.has(wakee)) wokenEarly.set(wakee, ns);
      else if (doubtful.has(wakee) || (!woken.has(wakee) && !preempted.has(wakee))) {
        // It slept after all, and is woken now.
        doubtful.delete(wakee);
        woken.set(wakee, ns);
      }
    } else if (name.startsWith("syscall_entry_")) {
      const id = integer(payload, "id");
      const call = name === "syscall_entry_unknown" ? (UNKNOWN[id] ?? `syscall ${id}`) : name.slice(14);
      inCall.set(tid, { name: call, ns, fd: integer(payload, "fd"), entry: payload });
    } else if (name.startsWith("syscall_exit_")) {
      const call = inCall.get(tid);
      if (call === undefined) continue;
      inCall.delete(tid);
      // A trace that was cut may lack what is between.
      const exit = name.slice(13);
      if (exit !== call.name && exit !== "unknown") continue;
      const ret = integer(payload, "ret");
      calls.push({ tid, name: call.name, beginNs: call.ns, endNs: ns, ret, fd: call.fd, entry: call.entry });
    } else if (name === "kmem_mm_page_alloc" || name === "kmem_mm_page_free") {
      add(name === "kmem_mm_page_alloc" ? allocated : freed, tid, 2 ** integer(payload, "order"));
    } else if (name === "irq_handler_entry" || name === "irq_softirq_entry") {
      const hard = name === "irq_handler_entry";
      openIrqs.set(`${cpu} ${hard} ${integer(payload, hard ? "irq" : "vec")}`, ns);
    } else if (name === "irq_handler_exit" || name === "irq_softirq_exit") {
      const hard = name === "irq_handler_exit";
      const irq = integer(payload, hard ? "irq" : "vec");
      const beginNs = openIrqs.get(`${cpu} ${hard} ${irq}`);
      openIrqs.delete(`${cpu} ${hard} ${irq}`);
      if (beginNs !== undefined) irqs.push({ irq, hard, cpu, beginNs, endNs: ns });
    } else if (name === "net_if_receive_skb") {
      const device = string(payload, "name");
      received.set(device, (received.get(device) ?? 0) + integer(payload, "len"));
    } else if (name === "net_dev_xmit" && integer(payload, "rc") === 0) {
      const device = string(payload, "name");
      sent.set(device, (sent.get(device) ?? 0) + integer(payload, "len"));
    }
  }
  for (const [cpu, tid] of current) ran(cpu, tid, since.get(cpu)!, lastNs);
  return {
    originSecond,
    durationNs: lastNs - firstNs,
    lines: lines.length,
    firstSwitchNs,
    runNs,
    busyNs,
    idleNs,
    priorities,
    names,
    pages: { allocated, freed },
    calls,
    latencies,
    irqs,
    received,
    sent,
  };
}

/** What ran on the CPUs in a range, from switches alone. */
export interface CpuTime {
  /** First and last event record of the range: ns since the trace's first second. */
  readonly beginNs: number;
  readonly endNs: number;
  /** By tid; idle is not in it. */
  readonly runNs: Map<number, number>;
  /** By CPU. */
  readonly busyNs: Map<number, number>;
  readonly idleNs: Map<number, number>;
}

/** Every stay on a CPU, cut to the event records between two moments (both inclusive, ns since the first second). */
export function cpuTimeIn(lines: readonly Line[], fromNs: number, toNs: number): CpuTime {
  const inside = lines.filter(({ ns }) => ns >= fromNs && ns <= toNs);
  const [beginNs, endNs] = [inside[0]!.ns, inside[inside.length - 1]!.ns];
  const time: CpuTime = { beginNs, endNs, runNs: new Map(), busyNs: new Map(), idleNs: new Map() };
  const add = (map: Map<number, number>, key: number, ns: number) => map.set(key, (map.get(key) ?? 0) + ns);
  for (const cpu of new Set(lines.map((line) => line.cpu))) {
    const switches = lines.filter((line) => line.cpu === cpu && line.name === "sched_switch");
    switches.forEach(({ ns, payload }, i) => {
      const stays = [[integer(payload, "prev_tid"), switches[i - 1]?.ns ?? lines[0]!.ns, ns]];
      // Nobody is seen to leave after the last one.
      if (i === switches.length - 1) stays.push([integer(payload, "next_tid"), ns, Number.POSITIVE_INFINITY]);
      for (const [tid, from, to] of stays as [number, number, number][]) {
        const spent = Math.min(to, endNs) - Math.max(from, beginNs);
        if (spent <= 0) continue;
        add(tid === 0 ? time.idleNs : time.busyNs, cpu, spent);
        if (tid !== 0) add(time.runNs, tid, spent);
      }
    });
  }
  return time;
}

/** Middles of the longest silences of every CPU, with the tid of who ran there: where a range may begin. */
export function silences(lines: readonly Line[]): { readonly tid: number; readonly ns: number }[] {
  const found: { tid: number; ns: number; length: number }[] = [];
  for (const cpu of new Set(lines.map((line) => line.cpu))) {
    const own = lines.filter((line) => line.cpu === cpu);
    let tid = -1;
    own.forEach((line, i) => {
      if (line.name === "sched_switch") tid = integer(line.payload, "next_tid");
      const length = (own[i + 1]?.ns ?? line.ns) - line.ns;
      if (tid >= 0 && length > 0) found.push({ tid, ns: line.ns + Math.floor(length / 2), length });
    });
  }
  return found.sort((a, b) => b.length - a.length);
}
