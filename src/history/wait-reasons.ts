/** Why threads wait: collects what the explanation asks of a wait, in place, and words its answer as a `Doing`. */

import type { Call, DiskRequest, Wait, Wake } from "../explain/history.js";
import { isKernelThread } from "../explain/lineage.js";
import { Packets } from "../explain/packets.js";
import { causeOf, type WaitKind } from "../explain/wait-cause.js";
import type { Request } from "../kernel/block.js";
import type { KernelModel } from "../kernel/model.js";
import type { Cpu, Thread } from "../kernel/state.js";
import type { EventSource } from "../sources/source.js";
import { Doing } from "./doing.js";

/** What a wait is in a picture, by what it was for. */
export const DOING_OF_WAIT: Readonly<Record<WaitKind, Doing>> = {
  disk: Doing.disk,
  "page-fault": Doing.disk,
  "dirty-pages": Doing.memory,
  reclaim: Doing.memory,
  network: Doing.network,
  socket: Doing.process,
  pipe: Doing.process,
  lock: Doing.lock,
  child: Doing.process,
  timer: Doing.timer,
  thread: Doing.process,
  kernel: Doing.kernel,
  unknown: Doing.blocked,
};
/** Without interrupt events, a completion that is this close before a wake-up caused it. */
const AT_ONCE_NS = 50_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface Reason {
  doing: Doing;
  target: string;
}

export class WaitReasons {
  /** One of each per thread, filled again for every wait. */
  readonly #waits: (Mutable<Wait> | undefined)[] = [];
  readonly #calls: (Mutable<Call> | undefined)[] = [];
  readonly #completed: ({ ns: number; request: DiskRequest } | undefined)[] = [];
  readonly #packets: Packets;
  readonly #reason: Reason = { doing: Doing.blocked, target: "" };
  readonly #wake = {} as Mutable<Wake>;

  constructor(source: EventSource, model: KernelModel) {
    this.#packets = new Packets(source, model);
  }

  isKernelThread(thread: Thread): boolean {
    return isKernelThread(thread);
  }

  begin(thread: Thread, ns: number): void {
    let wait = this.#waits[thread.id];
    if (wait === undefined) {
      wait = {
        thread,
        beginNs: 0,
        taskState: 0,
        call: undefined,
        reclaim: false,
        early: false,
        touched: undefined,
        wake: undefined,
      };
      this.#waits[thread.id] = wait;
    }
    wait.beginNs = ns;
    wait.taskState = thread.blockedState;
    wait.call = this.#callOf(thread);
  }

  #callOf(thread: Thread): Call | undefined {
    const { syscall } = thread;
    if (syscall === undefined) return undefined;
    let call = this.#calls[thread.id];
    if (call === undefined) {
      call = { syscall, beginNs: 0, file: undefined, timeoutNs: 0 };
      this.#calls[thread.id] = call;
    }
    call.syscall = syscall;
    call.beginNs = thread.syscallBeginNs;
    call.file = thread.syscallFile;
    call.timeoutNs = thread.syscallTimeoutNs;
    return call;
  }

  isWaiting(thread: Thread): boolean {
    const wait = this.#waits[thread.id];
    return wait !== undefined && wait.beginNs >= 0;
  }

  forget(thread: Thread): void {
    const wait = this.#waits[thread.id];
    if (wait !== undefined) wait.beginNs = -1;
  }

  /** The wait of a thread ends at `ns`, by what the thread's `waker…` fields say, on `cpu` where that is known. */
  end(thread: Thread, cpu: Cpu | undefined, ns: number): Reason {
    const wait = this.#waits[thread.id]!;
    const wake = this.#wake;
    const { wakerKind: kind, wakerThread: waker, wakerNumber: number } = thread;
    wake.request = undefined;
    wake.packet = undefined;
    if (cpu !== undefined && kind !== "thread") {
      const done = this.#completed[cpu.id];
      if (done !== undefined && done.ns >= contextBegin(cpu, ns)) wake.request = done.request;
      if (wake.request === undefined && cpu.softirq >= 0) {
        const { file } = wait.call ?? {};
        wake.packet = this.#packets.handled(cpu, file?.kind === "socket" ? file.name : "");
      }
    }
    const running = waker ?? cpu?.current;
    wake.ns = ns;
    wake.kind = kind;
    wake.thread = waker;
    wake.interrupted = running?.tid === 0 ? undefined : running;
    wake.syscall = wake.interrupted?.syscall;
    wake.number = number;
    wait.wake = wake;
    const { kind: cause, target } = causeOf(wait);
    wait.beginNs = -1;
    this.#reason.doing = DOING_OF_WAIT[cause];
    this.#reason.target = target;
    return this.#reason;
  }

  completed(request: Request, ns: number): void {
    const cpu = request.disk.host.cpus[request.completeCpu];
    if (cpu === undefined) return;
    const { disk, kind, sector, bytes, queuedNs, issueNs, thread } = request;
    this.#completed[cpu.id] = {
      ns,
      request: {
        host: disk.host.index,
        dev: disk.dev,
        kind,
        sector,
        bytes,
        queuedNs,
        issueNs,
        completeNs: ns,
        submitter: thread,
        owner: thread,
        ownerBy: "unknown",
      },
    };
  }
}

function contextBegin(cpu: Cpu, ns: number): number {
  if (cpu.irqDepth > 0) return cpu.irqBeginNs[cpu.irqDepth - 1]!;
  if (cpu.softirq >= 0) return cpu.softirqBeginNs;
  return ns - AT_ONCE_NS;
}
