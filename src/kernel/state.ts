/**
 * What the model knows at one moment: hosts, their CPUs and threads.
 *
 * The objects live as long as what they describe and are filled in place, so that handling an event record
 * allocates nothing. `id`s are dense: analyses keep their sums in arrays indexed by them.
 */

import type { Syscall } from "./syscall-table.js";

export const UNKNOWN = 0;
export const RUNNING = 1;
export const RUNNABLE = 2;
export const BLOCKED = 3;
export type RunState = typeof UNKNOWN | typeof RUNNING | typeof RUNNABLE | typeof BLOCKED;

/** What woke a thread. `interrupt`: the CPU was idle and no recorded interrupt was being handled. */
export type WakerKind = "unknown" | "thread" | "irq" | "softirq" | "timer" | "interrupt";

/** Where bytes go: what is known of it from opens, sockets and the state dump. */
export type FileKind = "file" | "socket" | "pipe" | "other" | "unknown";

/** Who a socket talks to: a server we called, a client that called us, or not known. */
export type SocketSide = "client" | "server" | "listening" | "unknown";

/** Something with a name that is read and written; shared by all descriptors with that name. */
export interface FileEntry {
  readonly id: number;
  readonly host: Host;
  kind: FileKind;
  /** "" when never learnt. */
  readonly name: string;
  readonly side: SocketSide;
  /** Set when the name was never learnt: the descriptor, and whose. */
  readonly fd: number;
  readonly process: Process | undefined;
}

/** One open descriptor. */
export interface Descriptor {
  file: FileEntry;
  readonly closeOnExec: boolean;
}

/** A process: what its threads share. */
export class Process {
  constructor(
    readonly host: Host,
    readonly pid: number,
    public fds: Map<number, Descriptor>,
  ) {}
}

export class Thread {
  name = "";
  /** Names it had before, oldest first. */
  earlierNames: string[] | undefined = undefined;
  /** -1: not known. */
  pid = -1;
  process: Process;
  prio = Number.NaN;
  exited = false;
  /** Who forked it (for threads: the thread that made it), as far as the trace or its state dump tells. */
  parent: Thread | undefined = undefined;
  /** Path of the program that its process runs; "" when it was not seen to start. */
  executable = "";
  /** Inode numbers of its namespaces by kind (`cgroup`, `pid`, `mnt`, …), where the state dump has them. */
  namespaces: ReadonlyMap<string, number> | undefined = undefined;

  state: RunState = UNKNOWN;
  /** CPU it runs on or ran on last; -1 unknown. */
  cpu = -1;
  /** Runnable since; NaN when not known. */
  runnableNs = Number.NaN;
  /** Blocked since, with the kernel's task state bits; NaN when it is not or that is not known. */
  blockedNs = Number.NaN;
  blockedState = 0;
  /** End of the last block: when it was woken, by what. */
  wokenNs = Number.NaN;
  wakerKind: WakerKind = "unknown";
  wakerThread: Thread | undefined = undefined;
  /** Number of the interrupt or softirq that woke it. */
  wakerNumber = -1;
  /** A wake-up that came while the thread was still on its CPU, since it got it last. */
  earlyWakeNs = Number.NaN;

  /** The system call in flight. */
  syscall: Syscall | undefined = undefined;
  syscallBeginNs = Number.NaN;
  /** First descriptor asked about; -1 none. */
  syscallFd = -1;
  syscallFile: FileEntry | undefined = undefined;
  /** Second file, of calls that copy from one to another: `syscallFile` is read, this is written. */
  syscallFile2: FileEntry | undefined = undefined;
  /** Descriptor of `syscallFile2`; -1 none. */
  syscallFd2 = -1;
  /** How many descriptors it waits on. */
  syscallFdCount = 0;
  /** Longest it may wait; NaN when no limit is known. */
  syscallTimeoutNs = Number.NaN;
  /** Path argument of opens; second descriptor, flags or command of others. */
  syscallPath = "";
  syscallArg = 0;
  syscallArg2 = 0;
  /** Address of the futex. */
  syscallAddress = Number.NaN;
  syscallRet = Number.NaN;
  /** Blocked time within the call, and the longest single block with its waker and state. */
  syscallBlockedNs = 0;
  syscallBlocks = 0;
  syscallLongestNs = 0;
  syscallLongestState = 0;
  syscallLongestWakerKind: WakerKind = "unknown";
  syscallLongestWakerThread: Thread | undefined = undefined;
  syscallLongestWakerNumber = -1;

  constructor(
    readonly id: number,
    readonly host: Host,
    readonly tid: number,
    process: Process,
  ) {
    this.process = process;
  }

  rename(name: string): void {
    if (name === "" || name === this.name) return;
    if (this.name !== "") {
      this.earlierNames ??= [];
      if (!this.earlierNames.includes(this.name)) this.earlierNames.push(this.name);
    }
    this.name = name;
  }
}

export class Cpu {
  current: Thread | undefined = undefined;
  /** `current` runs since; NaN when not known. */
  runBeginNs = Number.NaN;
  /** What ran is known from here on (the trace's first packet, or the end of the last hole); may be -Infinity. */
  knownSinceNs: number;

  /** Hard interrupts being handled, innermost last. */
  irqDepth = 0;
  readonly irqNumbers: number[] = [];
  readonly irqBeginNs: number[] = [];
  /** Number and handler of the latest hard interrupt: its name need not be looked up again. */
  irqNamed = -1;
  irqName = "";
  timerDepth = 0;
  timerBeginNs = Number.NaN;
  /** Softirq vector being handled, or -1. */
  softirq = -1;
  softirqBeginNs = Number.NaN;
  readonly softirqRaiseNs = new Float64Array(32).fill(Number.NaN);
  /** Raise moment of the softirq being handled. */
  softirqRaisedNs = Number.NaN;

  constructor(
    /** Dense over all hosts. */
    readonly id: number,
    readonly host: Host,
    readonly number: number,
    /** The idle task of this CPU: never a user. */
    readonly idle: Thread,
    sinceNs: number,
  ) {
    this.knownSinceNs = sinceNs;
  }
}

/** Dense numbering over all hosts. */
export interface Registry {
  /** `ns` from which on the event records of a CPU are complete; see `StreamInfo.completeSinceNs`. */
  completeSinceNs(host: number, cpu: number): number;
  readonly threads: Thread[];
  readonly cpus: Cpu[];
  readonly files: FileEntry[];
}

export class Host {
  /** Moment of its last event record, once all are read. */
  lastNs = Number.NaN;
  /** Indexed by CPU number. */
  readonly cpus: (Cpu | undefined)[] = [];
  /** Living threads. */
  private readonly threads = new Map<number, Thread>();
  private readonly processes = new Map<number, Process>();
  readonly filesByName = new Map<string, FileEntry>();
  /** Names of the handlers of an interrupt, in the order in which they were seen. */
  readonly irqNames = new Map<number, readonly string[]>();
  readonly diskNames = new Map<number, string>();

  constructor(
    readonly index: number,
    readonly name: string,
    readonly registry: Registry,
  ) {}

  /** Names of an interrupt's handlers, joined; "" when not known. */
  irqName(irq: number): string {
    return this.irqNames.get(irq)?.join(", ") ?? "";
  }

  addIrqName(irq: number, name: string): void {
    const known = this.irqNames.get(irq);
    if (known === undefined) this.irqNames.set(irq, [name]);
    else if (!known.includes(name)) this.irqNames.set(irq, [...known, name]);
  }

  cpu(number: number, nowNs: number): Cpu {
    return this.cpus[number] ?? this.newCpu(number, nowNs);
  }

  private newCpu(number: number, nowNs: number): Cpu {
    const idle = this.newThread(0);
    idle.name = `swapper/${number}`;
    idle.pid = 0;
    // Nothing was recorded of it before: who is seen to leave the CPU first has run all the time.
    const sinceNs = Math.min(nowNs, this.registry.completeSinceNs(this.index, number));
    const cpu = new Cpu(this.registry.cpus.length, this, number, idle, sinceNs);
    this.registry.cpus.push(cpu);
    this.cpus[number] = cpu;
    return cpu;
  }

  /**
   * Whether nothing is remembered of a CPU at a moment: a flight recorder's busy CPU overwrites sooner than the
   * others. Of a thread that went there nobody knows whether it waits, runs or sleeps.
   */
  forgot(number: number, ns: number): boolean {
    const cpu = this.cpus[number];
    if (number < 0 || (cpu !== undefined && ns >= cpu.knownSinceNs)) return false;
    // A hole that comes later is another matter.
    return ns < this.registry.completeSinceNs(this.index, number);
  }

  /**
   * The thread running on `cpu`, checked against the tid from the event's context when the trace has it
   * (NaN otherwise). Undefined when nobody knows yet.
   */
  current(cpu: Cpu, contextTid: number): Thread | undefined {
    const thread = cpu.current;
    if (thread !== undefined && (thread.tid === contextTid || Number.isNaN(contextTid))) return thread;
    return this.fromContext(cpu, contextTid);
  }

  private fromContext(cpu: Cpu, contextTid: number): Thread | undefined {
    if (Number.isNaN(contextTid)) return undefined;
    const known = cpu.current;
    const thread = contextTid === 0 ? cpu.idle : this.thread(contextTid);
    // The first event records of a CPU tell who runs; later disagreement means lost records: the run that
    // we believed in has no known end.
    cpu.runBeginNs = known === undefined ? cpu.knownSinceNs : Number.NaN;
    if (known !== undefined && known.state === RUNNING) known.state = UNKNOWN;
    cpu.current = thread;
    thread.state = RUNNING;
    thread.cpu = cpu.number;
    thread.blockedNs = Number.NaN;
    return thread;
  }

  /** The living thread with this tid, made when never heard of. */
  thread(tid: number): Thread {
    return this.threads.get(tid) ?? this.newThread(tid);
  }

  find(tid: number): Thread | undefined {
    return this.threads.get(tid);
  }

  /** A new life for `tid`: whoever had it before is gone. */
  newThread(tid: number, process?: Process): Thread {
    // A process known only by its other threads: this is its leader.
    const known = process ?? (tid === 0 ? undefined : this.processes.get(tid));
    const owner = known ?? new Process(this, tid, new Map());
    const thread = new Thread(this.registry.threads.length, this, tid, owner);
    if (known !== undefined) thread.pid = known.pid;
    this.registry.threads.push(thread);
    if (tid !== 0) this.threads.set(tid, thread);
    return thread;
  }

  removeThread(thread: Thread): void {
    if (this.threads.get(thread.tid) === thread) this.threads.delete(thread.tid);
    if (thread.tid === thread.pid && this.processes.get(thread.pid) === thread.process) {
      this.processes.delete(thread.pid);
    }
  }

  living(): Iterable<Thread> {
    return this.threads.values();
  }

  newProcess(pid: number, fds: Map<number, Descriptor>): Process {
    const process = new Process(this, pid, fds);
    this.processes.set(pid, process);
    return process;
  }

  /** Tells the pid of a thread: it shares what the process has, and brings what it opened itself. */
  setPid(thread: Thread, pid: number): void {
    if (thread.pid === pid || !(pid >= 0)) return;
    let process = this.processes.get(pid);
    if (process === undefined) {
      const leader = pid === thread.tid ? thread : this.threads.get(pid);
      process =
        leader !== undefined && leader.process.pid === pid
          ? leader.process
          : new Process(this, pid, new Map());
      this.processes.set(pid, process);
    }
    if (process !== thread.process) {
      for (const [fd, d] of thread.process.fds) if (!process.fds.has(fd)) process.fds.set(fd, d);
    }
    thread.pid = pid;
    thread.process = process;
  }
}
