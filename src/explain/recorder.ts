/**
 * Writes histories from the kernel model's hooks while a window is open.
 *
 * Outside windows only what a later window must know is kept: who made pages dirty, who crashed, which files
 * threads touched last, what arrived in the current softirq. A window that opens begins with the state of every
 * living thread as it is then, with the moment since when it has been so.
 */
import type { Request } from "../kernel/block.js";
import type { KernelModel, ModelOptions } from "../kernel/model.js";
import { BLOCKED, type Cpu, RUNNABLE, RUNNING, type Thread } from "../kernel/state.js";
import type { EventInfo, EventSource } from "../sources/source.js";
import { DirtyPages } from "./dirty-pages.js";
import {
  type Call,
  CpuHistory,
  type DiskRequest,
  type OwnerBy,
  type Packet,
  State,
  ThreadHistory,
  type Touched,
  type Wait,
  type Wake,
} from "./history.js";
import { isKernelThread } from "./lineage.js";
import { Packets } from "./packets.js";

/** Subsystems of the model that histories are made from. */
export const RECORDER_NEEDS: ModelOptions = {
  sched: true,
  syscalls: true,
  irq: true,
  block: true,
  blockQueue: true,
  memory: true,
};

/** Lost event records: what is known of a host has a hole. */
export interface Hole {
  readonly host: number;
  readonly beginNs: number;
  readonly endNs: number;
  readonly count: number;
}

/** A thread that a signal killed while it wrote a core dump. */
export interface Crash {
  readonly thread: Thread;
  readonly signal: number;
  readonly ns: number;
  endNs: number;
}

/** Signals whose default action is a core dump: QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS. */
const CORE_SIGNALS = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);
/** Without interrupt events, a completion that is this close before a wake-up caused it. */
const AT_ONCE_NS = 50_000;
/** Devices take more than they have written: what they were given in this time before a wait may delay it. */
export const BACKLOG_NS = 1e9;
const FEW_REQUESTS = 8192;
/** Histories beyond this many states are cut back to what open windows need. */
const MOST_STATES = 2 ** 20;
const GONE = 0x30;
const PATH_CALLS =
  /^(open|openat|openat2|creat|access|faccessat2?|stat|lstat|newstat|newlstat|newfstatat|statx|readlink)$/;

/** Directories in which programs keep what others have written for them. */
const PLUGIN =
  /\/(plugins?|extensions?|addons?|modules|vendor|node_modules|site-packages|dist-packages|gems)\//;

interface Completion {
  ns: number;
  request: DiskRequest;
}

export class Recorder {
  readonly dirty = new DirtyPages();
  readonly holes: Hole[] = [];
  readonly crashes: Crash[] = [];
  /** Requests finished in the window, and some before it, by completion. */
  readonly requests: DiskRequest[] = [];
  /** Calls of the window that made the disk write (fsync and its like), by end. */
  readonly syncs: { readonly thread: Thread; readonly beginNs: number; readonly endNs: number }[] = [];
  /** Packets that arrived in the window. */
  readonly packets: Packet[] = [];
  /** Pages allocated by thread `id` since the run began. */
  readonly pages: number[] = [];
  recording = false;
  /** Since when nothing more was recorded, because the window had become too long; NaN: all was. */
  gaveUpNs = Number.NaN;
  /** States of threads that are held at most (about 50 bytes each). */
  mostStates = 2 ** 24;

  readonly #threads: (ThreadHistory | undefined)[] = [];
  readonly #cpus: CpuHistory[] = [];
  readonly #packets: Packets;
  readonly #completed: (Completion | undefined)[] = [];
  readonly #reclaiming = new Set<Thread>();
  readonly #touched = new Map<Thread, Touched>();
  #states = 0;
  #mostRequests = FEW_REQUESTS;
  #sinceNs = Number.NaN;

  constructor(
    source: EventSource,
    readonly model: KernelModel,
  ) {
    this.#packets = new Packets(source, model);
    this.#packets.onArrival = (packet) => {
      if (this.recording) this.packets.push(packet);
    };
    this.#listen();
    this.#subscribe(source);
  }

  /** The history of a thread; undefined: nothing was recorded of it. */
  history(thread: Thread): ThreadHistory | undefined {
    return this.#threads[thread.id];
  }

  /** The file (not of the system) that a thread touched last; "" none. */
  fileOf(thread: Thread): string {
    return this.#touched.get(thread)?.file ?? "";
  }

  cpu(id: number): CpuHistory | undefined {
    return this.#cpus[id];
  }

  get cpus(): readonly CpuHistory[] {
    return this.#cpus;
  }

  /** Begins to record, if it does not yet. */
  open(ns: number): void {
    if (this.recording || !Number.isNaN(this.gaveUpNs)) return;
    this.recording = true;
    this.#sinceNs = ns;
    for (const host of this.model.hosts) {
      for (const thread of host.living()) this.#snapshot(thread, ns);
      for (const cpu of host.cpus) {
        if (cpu !== undefined) this.#ran(cpu, cpu.current, ns);
      }
    }
  }

  /** Stops, and forgets everything. */
  close(): void {
    this.recording = false;
    this.gaveUpNs = Number.NaN;
    this.#threads.length = 0;
    this.#cpus.length = 0;
    this.packets.length = 0;
    this.syncs.length = 0;
    this.#states = 0;
  }

  /** Forgets what ended before `ns`, if much has gathered. */
  trim(ns: number): void {
    if (this.#states < MOST_STATES || !(ns > this.#sinceNs)) return;
    this.#states = 0;
    for (const history of this.#threads) {
      history?.dropBefore(ns);
      this.#states += history?.length ?? 0;
    }
    for (const cpu of this.#cpus) cpu?.dropBefore(ns);
    this.#forgetRequests(ns);
    const sync = this.syncs.findIndex(({ endNs }) => endNs >= ns);
    this.syncs.splice(0, sync < 0 ? this.syncs.length : sync);
    const later = this.packets.findIndex((packet) => packet.ns >= ns);
    this.packets.splice(0, later < 0 ? this.packets.length : later);
    this.#sinceNs = ns;
  }

  /** Requests that ended shortly before a window are kept: a device may still be busy with what it took. */
  #forgetRequests(ns: number): void {
    const keep = this.requests.findIndex(({ completeNs }) => completeNs >= ns - BACKLOG_NS);
    this.requests.splice(0, keep < 0 ? this.requests.length : keep);
  }

  #of(thread: Thread): ThreadHistory {
    let history = this.#threads[thread.id];
    if (history === undefined) this.#threads[thread.id] = history = new ThreadHistory(thread);
    return history;
  }

  #push(thread: Thread, state: State, arg: number, ns: number, wait?: Wait): void {
    this.#of(thread).push(state, arg, ns, wait);
    if (++this.#states > this.mostStates) this.#giveUp(ns);
  }

  /** The window is too long to be held in memory: of the rest nothing is known. */
  #giveUp(ns: number): void {
    this.recording = false;
    for (const history of this.#threads) history?.push(State.unknown, 0, ns);
    for (const history of this.#cpus) history?.push(-1, ns);
    this.gaveUpNs = ns;
  }

  /** What a thread does on its CPU. */
  #pushRunning(thread: Thread, cpu: Cpu, ns: number): void {
    if (cpu.timerDepth > 0) this.#push(thread, State.timer, 0, ns);
    else if (cpu.irqDepth > 0) this.#push(thread, State.irq, cpu.irqNumbers[cpu.irqDepth - 1]!, ns);
    else if (cpu.softirq >= 0) this.#push(thread, State.softirq, cpu.softirq, ns);
    else this.#pushOwn(thread, ns);
  }

  #pushOwn(thread: Thread, ns: number): void {
    if (this.#reclaiming.size > 0 && this.#reclaiming.has(thread)) this.#push(thread, State.reclaim, 0, ns);
    else if (thread.syscall !== undefined) this.#push(thread, State.syscall, thread.syscall.id, ns);
    else this.#push(thread, State.user, 0, ns);
  }

  #ran(cpu: Cpu, thread: Thread | undefined, ns: number): void {
    let history = this.#cpus[cpu.id];
    if (history === undefined) this.#cpus[cpu.id] = history = new CpuHistory(cpu);
    history.push(thread === undefined ? -1 : thread.id, ns);
  }

  #snapshot(thread: Thread, ns: number): void {
    switch (thread.state) {
      case RUNNING: {
        const cpu = thread.host.cpus[thread.cpu];
        if (cpu !== undefined && cpu.current === thread) this.#pushRunning(thread, cpu, ns);
        return;
      }
      case RUNNABLE:
        if (!Number.isNaN(thread.runnableNs)) this.#waitsForCpu(thread, Math.min(ns, thread.runnableNs));
        return;
      case BLOCKED:
        if (!Number.isNaN(thread.blockedNs)) this.#block(thread, Math.min(ns, thread.blockedNs));
        return;
    }
  }

  #waitsForCpu(thread: Thread, ns: number): void {
    const { host, cpu } = thread;
    if (host.forgot(cpu, ns)) this.#push(thread, State.unknown, 0, ns);
    else this.#push(thread, State.runnable, host.cpus[cpu]?.id ?? -1, ns);
  }

  #block(thread: Thread, ns: number, early = false): void {
    const touched = this.#touched.get(thread);
    this.#push(thread, State.blocked, 0, ns, {
      thread,
      beginNs: ns,
      taskState: thread.blockedState,
      call: callOf(thread),
      reclaim: this.#reclaiming.has(thread),
      early,
      touched: touched === undefined ? undefined : { ...touched },
      wake: undefined,
    });
  }

  #woken(thread: Thread, cpu: Cpu | undefined, ns: number): void {
    const history = this.#of(thread);
    // Not heard of since the window's begin, and woken: it has been blocked all the time.
    if (history.length === 0 && ns > this.#sinceNs) this.#block(thread, this.#sinceNs, true);
    const wait = history.lastState === State.blocked ? history.lastWait : undefined;
    if (wait !== undefined && wait.wake === undefined) wait.wake = this.#wake(thread, wait, cpu, ns);
    this.#waitsForCpu(thread, ns);
  }

  #wake(thread: Thread, wait: Wait, cpu: Cpu | undefined, ns: number): Wake {
    const { wakerKind: kind, wakerThread: waker, wakerNumber: number } = thread;
    let request: DiskRequest | undefined;
    let packet: Packet | undefined;
    if (cpu !== undefined && kind !== "thread") {
      const done = this.#completed[cpu.id];
      if (done !== undefined && done.ns >= contextBegin(cpu, ns)) request = done.request;
      if (request === undefined && cpu.softirq >= 0) {
        packet = this.#packets.handled(cpu, wait.call?.file?.kind === "socket" ? wait.call.file.name : "");
      }
    }
    const running = waker ?? cpu?.current;
    const interrupted = running?.tid === 0 ? undefined : running;
    return { ns, kind, thread: waker, interrupted, syscall: interrupted?.syscall, number, request, packet };
  }

  #listen(): void {
    const { on } = this.model;
    on.switched.push((cpu, prev, next, ns) => {
      if (!this.recording) return;
      if (prev.tid !== 0) {
        if (prev.state === RUNNABLE) this.#push(prev, State.runnable, cpu.id, ns);
        else if (prev.state === BLOCKED) {
          if ((prev.blockedState & GONE) !== 0) this.#push(prev, State.gone, 0, ns);
          else this.#block(prev, ns);
        }
      }
      this.#ran(cpu, next, ns);
      if (next.tid !== 0) this.#pushRunning(next, cpu, ns);
    });
    on.wakeup.push((thread, cpu, ns) => {
      if (this.recording) this.#woken(thread, cpu, ns);
    });
    // Woken while it was about to leave its CPU, or by an event record that is lost: known only now.
    on.blockEnd.push((thread, _cpu, ns) => {
      if (!this.recording || this.#of(thread).lastState !== State.blocked) return;
      this.#woken(thread, undefined, Math.min(ns, thread.wokenNs));
    });
    on.migrate.push((thread, _from, _to, ns) => {
      if (this.recording && thread.state === RUNNABLE) this.#waitsForCpu(thread, ns);
    });
    on.syscallBegin.push((thread, ns) => {
      if (this.recording) this.#push(thread, State.syscall, thread.syscall!.id, ns);
    });
    on.syscallEnd.push((thread, ns) => {
      if (!this.recording) return;
      const { kind, name } = thread.syscall!;
      // Ranges of files are written early, but not waited for.
      if (kind === "sync" && !name.startsWith("sync_file_range")) {
        this.syncs.push({ thread, beginNs: thread.syscallBeginNs, endNs: ns });
      }
      this.#push(thread, State.user, 0, ns);
    });
    on.interruption.push((cpu, ns) => {
      if (!this.recording) return;
      const thread = cpu.current;
      if (thread !== undefined && thread.tid !== 0) this.#pushRunning(thread, cpu, ns);
    });
    on.fork.push((_parent, child, ns) => {
      if (this.recording) this.#push(child, State.gone, 0, ns);
    });
    on.exit.push((thread, ns) => {
      this.#touched.delete(thread);
      this.#reclaiming.delete(thread);
      for (const crash of this.crashes) {
        if (crash.thread.process === thread.process && Number.isNaN(crash.endNs)) crash.endNs = ns;
      }
    });
    on.blockComplete.push((request, ns) => this.#complete(request, ns));
    on.pageAlloc.push((_cpu, thread, pages) => {
      if (thread !== undefined) this.pages[thread.id] = (this.pages[thread.id] ?? 0) + pages;
    });
    on.lost.push((host, cpu, beginNs, endNs, count) => {
      this.holes.push({ host: host.index, beginNs, endNs, count });
      if (!this.recording) return;
      for (const history of this.#threads) {
        if (history === undefined || history.thread.host !== host) continue;
        const { thread } = history;
        // A thread that runs on another CPU all the while is seen through.
        if (thread.state === RUNNING) continue;
        if (history.lastState !== State.gone) this.#push(thread, State.unknown, 0, Math.max(beginNs, 0));
      }
      for (const history of this.#cpus) {
        if (
          history !== undefined &&
          history.cpu.host === host &&
          (cpu === undefined || history.cpu === cpu)
        ) {
          history.push(-1, beginNs);
        }
      }
    });
  }

  #complete(request: Request, ns: number): void {
    const { host, dev } = request.disk;
    const submitter =
      request.queuedTid >= 0 ? (host.find(request.queuedTid) ?? request.thread) : request.thread;
    let owner: Thread | undefined = submitter;
    let ownerBy: OwnerBy = submitter === undefined ? "unknown" : "submitter";
    if (request.kind === "write") {
      const worker =
        submitter === undefined || (isKernelThread(submitter) && !submitter.name.startsWith("jbd2"));
      if (worker) {
        const dirtier = this.dirty.charge(host.index, dev, request.bytes, ns);
        if (dirtier !== undefined) [owner, ownerBy] = [dirtier, "dirtied"];
        else if (submitter !== undefined) ownerBy = "unknown";
      } else this.dirty.written(host.index, dev, submitter, request.bytes);
    }
    const cpu = host.cpus[request.completeCpu];
    const done: DiskRequest = {
      host: host.index,
      dev,
      kind: request.kind,
      sector: request.sector,
      bytes: request.bytes,
      queuedNs: request.queuedNs,
      issueNs: request.issueNs,
      completeNs: ns,
      submitter,
      owner,
      ownerBy,
    };
    if (cpu !== undefined) this.#completed[cpu.id] = { ns, request: done };
    this.requests.push(done);
    if (!this.recording && this.requests.length > this.#mostRequests) {
      this.#forgetRequests(ns);
      this.#mostRequests = Math.max(FEW_REQUESTS, 2 * this.requests.length);
    }
  }

  #subscribe(source: EventSource): void {
    const { hosts, names } = this.model;
    source.subscribe({
      matches: names.is("dirtyBuffer"),
      fields: { dev: { from: "dev", kind: "number" }, size: { from: "size", kind: "number" } },
      handle: (r) => {
        const thread = hosts[r.host]!.cpus[r.cpu]?.current;
        if (thread !== undefined && thread.tid !== 0) this.dirty.dirtied(r.host, r.dev, thread, r.size, r.ns);
      },
    });
    const tid = { from: "payload:tid", kind: "number" } as const;
    source.subscribe({
      matches: names.is("signalDeliver"),
      fields: { tid, sig: { from: "sig", kind: "number" }, handler: { from: "sa_handler", kind: "number" } },
      handle: (r) => {
        const thread = hosts[r.host]!.cpus[r.cpu]?.current;
        if (thread === undefined || r.handler !== 0 || !CORE_SIGNALS.has(r.sig)) return;
        this.crashes.push({ thread, signal: r.sig, ns: r.ns, endNs: Number.NaN });
      },
    });
    for (const [role, begins] of [
      ["reclaimBegin", true],
      ["reclaimEnd", false],
    ] as const) {
      source.subscribe({
        matches: names.is(role),
        fields: {},
        handle: (r) => {
          const cpu = hosts[r.host]!.cpus[r.cpu];
          const thread = cpu?.current;
          if (cpu === undefined || thread === undefined) return;
          if (begins) this.#reclaiming.add(thread);
          else this.#reclaiming.delete(thread);
          if (this.recording) this.#pushRunning(thread, cpu, r.ns);
        },
      });
    }
    const withPath = (event: EventInfo): boolean => {
      const syscall = names.syscall(event);
      return syscall?.kind === "entry" && PATH_CALLS.test(syscall.name);
    };
    source.subscribe({
      matches: withPath,
      fields: { path: { from: ["filename", "pathname"], kind: "string" } },
      handle: (r) => {
        const thread = hosts[r.host]!.cpus[r.cpu]?.current;
        if (thread === undefined || !r.path.startsWith("/")) return;
        let touched = this.#touched.get(thread);
        if (touched === undefined)
          this.#touched.set(thread, (touched = { plugin: "", program: "", file: "" }));
        if (PROGRAM_TEXT.test(r.path)) {
          if (PLUGIN.test(r.path)) touched.plugin = r.path;
          touched.program = r.path;
        } else if (!SYSTEM_PATH.test(r.path)) touched.file = r.path;
      },
    });
  }
}

function callOf({ syscall, syscallBeginNs, syscallFile, syscallTimeoutNs }: Thread): Call | undefined {
  if (syscall === undefined) return undefined;
  return { syscall, beginNs: syscallBeginNs, file: syscallFile, timeoutNs: syscallTimeoutNs };
}

function contextBegin(cpu: Cpu, ns: number): number {
  if (cpu.irqDepth > 0) return cpu.irqBeginNs[cpu.irqDepth - 1]!;
  if (cpu.softirq >= 0) return cpu.softirqBeginNs;
  return ns - AT_ONCE_NS;
}

const SYSTEM_PATH =
  /^\/(etc|lib|lib64|usr\/lib|usr\/share\/(zoneinfo|locale)|proc|sys|dev|run|bin|sbin)(\/|$)/;
const PROGRAM_TEXT = /\.(php|py|rb|js|mjs|cjs|ts|pl|pm|lua|sh|tcl|jar|class|jsp|erb|cfg|conf|sql)$/;
