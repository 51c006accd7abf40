/**
 * A plain replay of the lines that babeltrace2 prints: what every CPU did, when every thread had one, waited for one, or
 * waited for something else, and every system call. It knows nothing of what Periscope's kernel model knows beyond.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** From `ns` on: what, and whose (thread, number of an interrupt). */
export type State = readonly [ns: number, what: string];

/** Without what lasted no time, and equal neighbours as one. */
export function settled(states: readonly State[]): State[] {
  const result: State[] = [];
  states.forEach(([ns, what], i) => {
    const next = states[i + 1];
    if (next !== undefined && next[0] <= ns) return;
    if (result.at(-1)?.[1] !== what) result.push([ns, what]);
  });
  return result;
}

class NaiveCpu {
  /** `firstNs`: moment of its first line. */
  constructor(readonly firstNs: number) {}

  readonly states: State[] = [];
  /** -1 not known yet. */
  tid = -1;
  irqs: number[] = [];
  softirq = -1;
  inTimer = false;
}

/** A system call that was seen to begin and to end. */
export interface Call {
  readonly name: string;
  readonly tid: number;
  readonly beginNs: number;
  readonly endNs: number;
}

class NaiveThread {
  readonly states: State[] = [];
  call: { readonly name: string; readonly ns: number } | undefined;
  onCpu = false;
  /** It waits for a CPU, as far as is known. */
  isReady = false;
  /** Where it was seen last; -1 nowhere. */
  cpu = -1;
  /** Woken since it got its CPU. */
  wokenEarly = false;
  /** Number of threads that had this number. */
  lives = 1;
}

/** What babeltrace2's lines say, one after the other. */
export class Replay {
  readonly cpus = new Map<number, NaiveCpu>();
  readonly threads = new Map<number, NaiveThread>();
  /** Every event record, in the order of the lines. */
  readonly records: {
    readonly ns: number;
    readonly name: string;
    readonly cpu: number;
    readonly payload: string;
  }[] = [];
  /** In order of their ends. */
  readonly calls: Call[] = [];

  /** Of a snapshot, CPUs are remembered from their first line on only. */
  constructor(
    private readonly originNs: bigint,
    private readonly isSnapshot = false,
  ) {}

  line(text: string): void {
    const parts = /^\[(\d+)\.(\d{9})\] (?:\S+ )?(\S+): \{ cpu_id = (\d+) \}, (.*)$/.exec(text);
    if (parts === null) return;
    const ns = Number(BigInt(parts[1]! + parts[2]!) - this.originNs);
    const [, , , name, number, rest] = parts as unknown as string[];
    const contents = /^(?:\{[^}]*\}, )?(\{.*\})$/.exec(rest!)?.[1] ?? "";
    this.records.push({ ns, name: name!, cpu: Number(number), payload: contents });
    const cpu = entry(this.cpus, Number(number), () => new NaiveCpu(ns));
    const payload = rest!.slice(rest!.lastIndexOf("}, {") + 1);
    const field = (key: string): number => Number(new RegExp(`[{,] ${key} = (-?\\d+)`).exec(payload)?.[1]);
    switch (name) {
      case "sched_switch":
        this.#switches(cpu, Number(number), field("prev_tid"), field("prev_state"), field("next_tid"), ns);
        break;
      case "sched_waking":
      case "sched_wakeup_new":
        this.#wakes(field("tid"), field("target_cpu"), ns);
        break;
      case "sched_migrate_task": {
        const thread = this.#thread(field("tid"));
        if (thread.isReady) this.#ready(thread, field("dest_cpu"), ns);
        break;
      }
      case "sched_process_fork": {
        const child = this.threads.get(field("child_tid"));
        if (child !== undefined) child.lives++;
        else this.#thread(field("child_tid")).states.push([ns, "none"]);
        return;
      }
      case "irq_handler_entry":
        cpu.irqs.push(field("irq"));
        break;
      case "irq_handler_exit":
        cpu.irqs.pop();
        break;
      case "irq_softirq_entry":
        cpu.softirq = field("vec");
        break;
      case "irq_softirq_exit":
        cpu.softirq = -1;
        break;
      case "timer_hrtimer_expire_entry":
        cpu.inTimer = true;
        break;
      case "timer_hrtimer_expire_exit":
        cpu.inTimer = false;
        break;
      default: {
        const [, edge, call] = /^syscall_(entry|exit)_(.*)/.exec(name!) ?? [];
        if (edge === undefined) return;
        const tid = Number(/[{,] tid = (\d+)/.exec(rest!)![1]);
        // Calls that the tracer has no description of are told apart by their numbers.
        if (cpu.tid < 0) this.#hadFromFirst(cpu, tid);
        this.#calls(tid, edge, call === "unknown" ? `unknown ${field("id")}` : call!, ns);
      }
    }
    this.#show(cpu, ns);
  }

  #calls(tid: number, edge: string, name: string, ns: number): void {
    const thread = this.#thread(tid);
    const { call } = thread;
    if (edge === "exit" && call?.name === name) {
      this.calls.push({ name, tid, beginNs: call.ns, endNs: ns });
    }
    thread.call = edge === "entry" ? { name, ns } : undefined;
  }

  get beginNs(): number {
    return this.records[0]!.ns;
  }

  #thread(tid: number): NaiveThread {
    return entry(this.threads, tid, () => new NaiveThread());
  }

  #show(cpu: NaiveCpu, ns: number): void {
    const { tid } = cpu;
    const thread = tid > 0 ? this.#thread(tid) : undefined;
    const level = cpu.inTimer
      ? "irq -1"
      : cpu.irqs.length > 0
        ? `irq ${cpu.irqs.at(-1)}`
        : cpu.softirq >= 0
          ? `softirq ${cpu.softirq}`
          : "";
    const call = thread?.call !== undefined ? "call" : "user";
    cpu.states.push([ns, level || (tid < 0 ? "?" : tid === 0 ? "idle" : `${call} ${tid}`)]);
    thread?.states.push([ns, "cpu"]);
  }

  /** Who is seen on a CPU first, or to leave it, had it from the beginning. */
  #hadFromFirst(cpu: NaiveCpu, tid: number): void {
    const beginNs = this.isSnapshot ? cpu.firstNs : this.beginNs;
    const what = tid === 0 ? "idle" : `user ${tid}`;
    cpu.states.forEach(([at, seen], i) => {
      if (seen === "?") cpu.states[i] = [at, what];
    });
    cpu.states.unshift([beginNs, what]);
    cpu.tid = tid;
    if (tid === 0) return;
    const thread = this.#thread(tid);
    thread.states.unshift([beginNs, "cpu"]);
    thread.onCpu = true;
  }

  #switches(cpu: NaiveCpu, number: number, prev: number, state: number, next: number, ns: number): void {
    if (cpu.tid < 0) this.#hadFromFirst(cpu, prev);
    if (prev !== 0) {
      const thread = this.#thread(prev);
      thread.onCpu = false;
      thread.cpu = number;
      thread.isReady = (state & 0xff) === 0;
      // Bits beyond the lowest eight say that it was preempted; 16 and 32 that it is no more.
      const bits = state & 0xff;
      thread.states.push([ns, bits === 0 ? "runnable" : (bits & 0x30) !== 0 ? "none" : "waits"]);
    }
    cpu.tid = next;
    if (next === 0) return;
    const thread = this.#thread(next);
    const last = thread.states.at(-1);
    // Woken before it had left its CPU, and by nobody since: it never waited.
    if (last?.[1] === "waits" && thread.wokenEarly) thread.states.push([last[0], "runnable"]);
    thread.onCpu = true;
    thread.isReady = false;
    thread.cpu = number;
    thread.wokenEarly = false;
  }

  #wakes(tid: number, target: number, ns: number): void {
    const thread = this.#thread(tid);
    if (thread.onCpu) {
      thread.wokenEarly = true;
      return;
    }
    if (!thread.isReady) this.#ready(thread, thread.cpu < 0 ? target : thread.cpu, ns);
  }

  /** Of a CPU that is not remembered yet nobody knows what a thread does that is to run there. */
  #ready(thread: NaiveThread, cpu: number, ns: number): void {
    thread.isReady = true;
    thread.cpu = cpu;
    const isRemembered = !this.isSnapshot || this.cpus.has(cpu);
    thread.states.push([ns, isRemembered ? "runnable" : "?"]);
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

export async function replayOf(path: string, originNs: bigint, isSnapshot = false): Promise<Replay> {
  const child = spawn("babeltrace2", ["--clock-seconds", "--no-delta", path], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const replay = new Replay(originNs, isSnapshot);
  for await (const line of createInterface({ input: child.stdout.setEncoding("latin1") })) replay.line(line);
  return replay;
}
