/**
 * What the model tells its listeners. Each hook is a plain array of functions, called in order of addition
 * with living model objects: listeners read them at once and keep no reference to their changing state.
 */

import type { Request } from "./block.js";
import type { NetInterface } from "./net.js";
import type { Cpu, Host, Thread } from "./state.js";

export interface Hooks {
  /** `thread` (perhaps idle) ran on `cpu` from `beginNs` to `endNs`. */
  runEnd: ((thread: Thread, cpu: Cpu, beginNs: number, endNs: number) => void)[];
  /** `cpu` goes from `prev` to `next`; both already have their new state. */
  switched: ((cpu: Cpu, prev: Thread, next: Thread, ns: number) => void)[];
  /** `thread` got its CPU after `waitNs` of being runnable; `woken` (see its `waker…` fields), not preempted. */
  runQueueWait: ((thread: Thread, cpu: Cpu, waitNs: number, ns: number, woken: boolean) => void)[];
  /** `thread` became runnable; its `waker…` fields say by what. */
  wakeup: ((thread: Thread, cpu: Cpu, ns: number) => void)[];
  /** `thread` ran again at `ns` after it had blocked; its `blocked…`, `woken…`, `waker…` say the rest. */
  blockEnd: ((thread: Thread, cpu: Cpu, ns: number) => void)[];
  migrate: ((thread: Thread, fromCpu: number, toCpu: number, ns: number) => void)[];
  fork: ((parent: Thread, child: Thread, ns: number) => void)[];
  exit: ((thread: Thread, ns: number) => void)[];
  /** The call is in `thread.syscall…`. */
  syscallBegin: ((thread: Thread, ns: number) => void)[];
  /** The call is in `thread.syscall…`, its result in `syscallRet`; it began in `syscallBeginNs`. */
  syscallEnd: ((thread: Thread, ns: number) => void)[];
  blockIssue: ((request: Request, ns: number) => void)[];
  blockComplete: ((request: Request, ns: number) => void)[];
  /** `cpu`: where it was sent or received. */
  packet: ((device: NetInterface, bytes: number, sent: boolean, ns: number, cpu: Cpu) => void)[];
  /** An interrupt, softirq or timer began or ended on `cpu`, whose `irqDepth`, `softirq`, … say what is left. */
  interruption: ((cpu: Cpu, ns: number) => void)[];
  irqEnd: ((cpu: Cpu, irq: number, beginNs: number, endNs: number) => void)[];
  /** `raiseNs` is NaN when the raise was not seen. */
  softirqEnd: ((cpu: Cpu, vector: number, raiseNs: number, beginNs: number, endNs: number) => void)[];
  timerEnd: ((cpu: Cpu, beginNs: number, endNs: number) => void)[];
  /** `thread` is undefined when nobody knows who ran. */
  pageAlloc: ((cpu: Cpu, thread: Thread | undefined, pages: number, ns: number) => void)[];
  pageFree: ((cpu: Cpu, thread: Thread | undefined, pages: number, ns: number) => void)[];
  /** Event records of `cpu` (undefined: of some CPU of `host`) between the two moments are lost. */
  lost: ((
    host: Host,
    cpu: Cpu | undefined,
    beginNs: number,
    endNs: number,
    count: number,
    what: "events" | "packets",
  ) => void)[];
}

export function createHooks(): Hooks {
  return {
    runEnd: [],
    switched: [],
    runQueueWait: [],
    wakeup: [],
    blockEnd: [],
    migrate: [],
    fork: [],
    exit: [],
    syscallBegin: [],
    syscallEnd: [],
    blockIssue: [],
    blockComplete: [],
    packet: [],
    interruption: [],
    irqEnd: [],
    softirqEnd: [],
    timerEnd: [],
    pageAlloc: [],
    pageFree: [],
    lost: [],
  };
}
