/**
 * What every thread and every CPU did during a window of time: who ran where, who waited for what, who woke whom.
 *
 * A thread's history is a row of states, each lasting until the next begins, kept in columns. Blocked states have a
 * `Wait` that says what the thread had asked for and what ended it. Histories are dropped when no window needs
 * them, so that memory is bounded by the window, not by the trace.
 */
import type { RequestKind } from "../kernel/block.js";
import type { Cpu, FileEntry, Thread, WakerKind } from "../kernel/state.js";
import type { Syscall } from "../kernel/syscall-table.js";

/** What a thread does at a moment. */
export const State = {
  unknown: 0,
  /** On a CPU, in user space (kernel threads: at work). */
  user: 1,
  /** On a CPU, in a system call: `arg` is the call's number in the model's table. */
  syscall: 2,
  /** On a CPU, reclaiming memory for itself. */
  reclaim: 3,
  /** On a CPU that handles an interrupt: `arg` is its number. */
  irq: 4,
  /** The same for a softirq: `arg` is its vector. */
  softirq: 5,
  /** The same for a high-resolution timer. */
  timer: 6,
  /** Could run, but does not: `arg` is the CPU's `id`, -1 not known. */
  runnable: 7,
  /** Waits: `ref` says for what. */
  blocked: 8,
  /** Not born yet, or dead. */
  gone: 9,
} as const;
export type State = (typeof State)[keyof typeof State];

/** One system call, as far as waits in it need it. */
export interface Call {
  readonly syscall: Syscall;
  readonly beginNs: number;
  readonly file: FileEntry | undefined;
  /** Longest it may wait; NaN: no limit is known. */
  readonly timeoutNs: number;
}

/** A finished request to a disk. */
export interface DiskRequest {
  readonly host: number;
  readonly dev: number;
  readonly kind: RequestKind;
  readonly sector: number;
  readonly bytes: number;
  /** Put in the queue, handed to the device, done. `queuedNs` is NaN where that is not recorded. */
  readonly queuedNs: number;
  readonly issueNs: number;
  readonly completeNs: number;
  /** Who gave it to the block layer, if known. */
  readonly submitter: Thread | undefined;
  /** Whose data it carries (see `DirtyPages`): who is to blame; with how sure that is. */
  readonly owner: Thread | undefined;
  readonly ownerBy: OwnerBy;
}

/** How the owner of a request is known: it submitted it itself; it made the pages dirty; it is not known. */
export type OwnerBy = "submitter" | "dirtied" | "unknown";

/** A packet that arrived. */
export interface Packet {
  readonly ns: number;
  readonly device: string;
  readonly bytes: number;
  /** `address:port` it came from and went to; "" where headers are not recorded. */
  readonly from: string;
  readonly to: string;
  /** The thread of this machine that sent it, if it was one. */
  readonly sender: Thread | undefined;
  readonly sentNs: number;
}

/** What ended a wait. */
export interface Wake {
  readonly ns: number;
  readonly kind: WakerKind;
  readonly thread: Thread | undefined;
  /** Whose CPU it happened on, also where an interrupt or softirq did it; undefined: idle. */
  readonly interrupted: Thread | undefined;
  /** The call that the waking (or interrupted) thread was in. */
  readonly syscall: Syscall | undefined;
  /** Number of the interrupt or softirq. */
  readonly number: number;
  readonly request: DiskRequest | undefined;
  readonly packet: Packet | undefined;
}

/** Files that a thread touched last, by their paths; "" none. */
export interface Touched {
  /** Program text of a plug-in, module or package. */
  plugin: string;
  /** Any program text. */
  program: string;
  /** Any other file that is not of the system. */
  file: string;
}

export interface Wait {
  readonly thread: Thread;
  readonly beginNs: number;
  /** The kernel's task state bits. */
  readonly taskState: number;
  /** Undefined outside system calls. */
  readonly call: Call | undefined;
  readonly reclaim: boolean;
  /** It began before anything was known of the thread: for what is not known either, only what ended it. */
  readonly early: boolean;
  /** What the thread had touched before: context for people. */
  readonly touched: Touched | undefined;
  /** Undefined while it lasts. */
  wake: Wake | undefined;
}

/** One state, cut to a range. */
export interface Segment {
  readonly state: State;
  readonly arg: number;
  readonly wait: Wait | undefined;
  readonly beginNs: number;
  readonly endNs: number;
}

const FIRST = 16;

export class ThreadHistory {
  length = 0;
  #ns = new Float64Array(FIRST);
  #state = new Uint8Array(FIRST);
  #arg = new Int32Array(FIRST);
  readonly #waits: (Wait | undefined)[] = [];

  constructor(readonly thread: Thread) {}

  get lastState(): State {
    return this.length === 0 ? State.unknown : (this.#state[this.length - 1] as State);
  }

  get lastWait(): Wait | undefined {
    return this.#waits[this.length - 1];
  }

  /** From `ns` on. Moments must not go back. */
  push(state: State, arg: number, ns: number, wait?: Wait): void {
    let n = this.length;
    if (n > 0) {
      if (
        this.#state[n - 1] === state &&
        this.#arg[n - 1] === arg &&
        wait === undefined &&
        state !== State.blocked
      )
        return;
      // What lasted no time is not kept.
      if (this.#ns[n - 1]! >= ns) {
        ns = this.#ns[n - 1]!;
        n--;
      }
    }
    if (n === this.#ns.length) this.#grow();
    this.#ns[n] = ns;
    this.#state[n] = state;
    this.#arg[n] = arg;
    this.#waits[n] = wait;
    this.length = n + 1;
  }

  #grow(): void {
    const size = this.#ns.length * 2;
    const ns = new Float64Array(size);
    ns.set(this.#ns);
    const state = new Uint8Array(size);
    state.set(this.#state);
    const arg = new Int32Array(size);
    arg.set(this.#arg);
    [this.#ns, this.#state, this.#arg] = [ns, state, arg];
  }

  /** Index of the state at `ns`, or of the one that ends there when `before`; -1: nothing is known yet. */
  indexAt(ns: number, before = false): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (before ? this.#ns[middle]! < ns : this.#ns[middle]! <= ns) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The state with this index, not cut; the last one ends at `endNs`. */
  at(index: number, endNs: number): Segment {
    return {
      state: this.#state[index] as State,
      arg: this.#arg[index]!,
      wait: this.#waits[index],
      beginNs: this.#ns[index]!,
      endNs: index + 1 < this.length ? this.#ns[index + 1]! : endNs,
    };
  }

  /** The states from `beginNs` to `endNs`, without a gap: what is not known is `unknown`. */
  segments(beginNs: number, endNs: number): Segment[] {
    const out: Segment[] = [];
    let at = beginNs;
    for (let i = Math.max(0, this.indexAt(beginNs)); i < this.length && at < endNs; i++) {
      const segment = this.at(i, endNs);
      const from = Math.max(segment.beginNs, beginNs);
      const to = Math.min(segment.endNs, endNs);
      if (from > at) out.push(unknown(at, Math.min(from, endNs)));
      if (to > from) out.push({ ...segment, beginNs: from, endNs: to });
      at = Math.max(at, to);
    }
    if (at < endNs) out.push(unknown(at, endNs));
    return out;
  }

  /** Forgets what ended at or before `ns`. */
  dropBefore(ns: number): void {
    const first = this.indexAt(ns);
    if (first <= 0) return;
    this.#ns.copyWithin(0, first, this.length);
    this.#state.copyWithin(0, first, this.length);
    this.#arg.copyWithin(0, first, this.length);
    this.#waits.splice(0, first);
    this.length -= first;
    this.#waits.length = this.length;
  }
}

function unknown(beginNs: number, endNs: number): Segment {
  return { state: State.unknown, arg: 0, wait: undefined, beginNs, endNs };
}

/** Who ran on a CPU. */
export class CpuHistory {
  length = 0;
  #ns = new Float64Array(FIRST);
  #thread = new Int32Array(FIRST);

  constructor(readonly cpu: Cpu) {}

  /** `thread`: its `id`; -1 nobody knows. */
  push(thread: number, ns: number): void {
    if (this.length === this.#ns.length) {
      const size = this.#ns.length * 2;
      const [a, b] = [new Float64Array(size), new Int32Array(size)];
      a.set(this.#ns);
      b.set(this.#thread);
      [this.#ns, this.#thread] = [a, b];
    }
    this.#ns[this.length] = ns;
    this.#thread[this.length++] = thread;
  }

  /** Calls `each` for everyone who ran in the range, in time order, cut to it. */
  runs(beginNs: number, endNs: number, each: (thread: number, ns: number, beginNs: number) => void): void {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ns[middle]! <= beginNs) low = middle + 1;
      else high = middle;
    }
    for (let i = Math.max(0, low - 1); i < this.length && this.#ns[i]! < endNs; i++) {
      const from = Math.max(this.#ns[i]!, beginNs);
      const to = Math.min(i + 1 < this.length ? this.#ns[i + 1]! : endNs, endNs);
      if (to > from) each(this.#thread[i]!, to - from, from);
    }
  }

  dropBefore(ns: number): void {
    let first = 0;
    while (first + 1 < this.length && this.#ns[first + 1]! <= ns) first++;
    if (first === 0) return;
    this.#ns.copyWithin(0, first, this.length);
    this.#thread.copyWithin(0, first, this.length);
    this.length -= first;
  }
}
