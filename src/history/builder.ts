/** Makes a history in one pass of the kernel model, in steps: it can be asked between them. */
import { deviceNumbers, type Request } from "../kernel/block.js";
import { createKernelModel, type KernelModel, type ModelOptions, type ModelRun } from "../kernel/model.js";
import { BLOCKED, type Cpu, RUNNABLE, RUNNING, type Thread } from "../kernel/state.js";
import type { EventSource } from "../sources/source.js";
import { Doing } from "./doing.js";
import { CALL_BITS, History } from "./history.js";
import type { StateRow } from "./state-row.js";
import { BUCKETS, IrqKind, REQUEST_KINDS } from "./tables.js";
import { WaitReasons } from "./wait-reasons.js";

const NEEDS: ModelOptions = {
  sched: true,
  syscalls: true,
  irq: true,
  block: true,
  blockQueue: true,
  net: true,
  memory: true,
};

const GONE = 0x30;
const MOST_TARGETS = 2 ** (31 - CALL_BITS) - 1;

export class HistoryBuilder {
  readonly history = new History();
  /** What could not be read; known when all is. */
  failures: readonly string[] = [];
  readonly #model: KernelModel;
  readonly #run: ModelRun;
  readonly #reasons: WaitReasons;
  readonly #threads: (StateRow | undefined)[] = [];
  readonly #cpus: (StateRow | undefined)[] = [];
  readonly #begun: boolean[] = [];
  readonly #disks: { row: StateRow; inFlight: number }[] = [];
  readonly #targets = new Map<string, number>([["", 0]]);
  #bucket = 0;
  #pages = 0;

  constructor(private readonly source: EventSource & { notes?(): string[] }) {
    const { history } = this;
    const { info } = source;
    history.originNs = info.originNs;
    history.beginNs = Number.isNaN(info.beginNs) ? 0 : info.beginNs;
    history.endNs = Number.isNaN(info.endNs) ? history.beginNs : info.endNs;
    history.hosts.push(...info.hosts.map(({ name }) => name));
    this.#model = createKernelModel(source, NEEDS);
    this.#reasons = new WaitReasons(source, this.#model);
    this.#listen();
    this.#run = this.#model.start();
    // Packets may begin long before their first event record.
    if (this.#run.nextNs > history.beginNs) history.beginNs = this.#run.nextNs;
  }

  /** Reads on for about `budgetMs`; true: all is read. */
  step(budgetMs: number): boolean {
    const { history } = this;
    const { beginNs, endNs, tables } = history;
    const until = performance.now() + budgetMs;
    while (this.#bucket < BUCKETS) {
      const limitNs = beginNs + ((this.#bucket + 1) * (endNs - beginNs)) / BUCKETS;
      const last = this.#bucket === BUCKETS - 1;
      this.#run.until(last ? Number.POSITIVE_INFINITY : limitNs);
      history.knownUntilNs = Math.max(history.knownUntilNs, limitNs);
      const line = tables.events.add();
      tables.events.of.count[line] = this.#run.eventRecords;
      tables.memory.add();
      tables.memory.of.pages[line] = this.#pages;
      this.#bucket++;
      if (performance.now() >= until) break;
    }
    history.eventRecords = this.#run.eventRecords;
    this.#name();
    if (this.#bucket < BUCKETS) return false;
    const { eventRecords, problems, lastNs } = this.#run.end();
    history.eventRecords = eventRecords;
    if (lastNs > history.endNs) history.endNs = lastNs;
    history.knownUntilNs = history.endNs;
    this.failures = problems;
    history.problems = [...problems, ...(this.source.notes?.() ?? [])];
    history.complete = true;
    return true;
  }

  /** Share that is read, 0 … 1. */
  get done(): number {
    return this.#bucket / BUCKETS;
  }

  /** Names that are known by now. */
  #name(): void {
    const { history } = this;
    const { hosts, threads, syscalls, interfaces } = this.#model;
    for (const thread of threads) {
      const row = this.#threads[thread.id];
      if (row === undefined) continue;
      const name = history.names[row.id]!;
      name.label = thread.name;
      name.pid = thread.pid;
      const leader = thread.pid === thread.tid ? thread : thread.host.find(thread.pid);
      // Where the first thread's own name is not known the process is called like its threads.
      name.process = leader?.name || name.process || thread.name;
      name.kernelThread = this.#reasons.isKernelThread(thread);
      name.container = containerOf(thread, hosts[thread.host.index]!.find(1));
      name.parent = thread.parent === undefined ? -1 : (this.#threads[thread.parent.id]?.id ?? -1);
    }
    for (let id = history.syscallNames.length; id < syscalls.all.length; id++) {
      history.syscallNames.push(syscalls.all[id]!.name);
    }
    for (let id = history.devices.length; id < interfaces.length; id++) {
      const { host, name } = interfaces[id]!;
      history.devices.push({ host: host.index, name });
    }
    for (const host of hosts) {
      for (const [irq, names] of host.irqNames)
        history.irqNames.set(`${host.index} ${irq}`, names.join(", "));
      for (const disk of this.#model.disks) {
        const known = this.#disks[disk.id];
        const name = disk.host.diskNames.get(disk.dev);
        if (known !== undefined && name !== undefined) history.names[known.row.id]!.label = name;
      }
    }
  }

  #thread(thread: Thread): StateRow {
    let row = this.#threads[thread.id];
    if (row === undefined) {
      row = this.history.addRow("thread", thread.host.index, { tid: thread.tid, pid: thread.pid });
      this.#threads[thread.id] = row;
    }
    return row;
  }

  #cpu(cpu: Cpu): StateRow {
    let row = this.#cpus[cpu.id];
    if (row === undefined) {
      row = this.history.addRow("cpu", cpu.host.index, { label: `CPU ${cpu.number}`, tid: cpu.number });
      this.#cpus[cpu.id] = row;
    }
    return row;
  }

  #target(text: string): number {
    let index = this.#targets.get(text);
    if (index === undefined) {
      if (this.#targets.size > MOST_TARGETS) return 0;
      index = this.history.targets.push(text) - 1;
      this.#targets.set(text, index);
    }
    return index;
  }

  /** What happens on a CPU, to its own row and to that of the thread that it is taken from. */
  #runs(cpu: Cpu, thread: Thread | undefined, ns: number): void {
    const known = thread !== undefined;
    const own = known && thread.tid !== 0 ? this.#thread(thread) : undefined;
    let doing: Doing;
    let arg = 0;
    if (cpu.timerDepth > 0) [doing, arg] = [Doing.irq, -1];
    else if (cpu.irqDepth > 0) [doing, arg] = [Doing.irq, cpu.irqNumbers[cpu.irqDepth - 1]!];
    else if (cpu.softirq >= 0) [doing, arg] = [Doing.softirq, cpu.softirq];
    else if (!known) doing = Doing.unknown;
    else if (own === undefined) doing = Doing.idle;
    else {
      const { syscall } = thread;
      doing = syscall === undefined ? Doing.user : Doing.syscall;
      this.#cpu(cpu).push(doing, own.id, ns);
      own.push(doing, syscall === undefined ? 0 : syscall.id, ns);
      return;
    }
    this.#cpu(cpu).push(doing, arg, ns);
    own?.push(doing, arg, ns);
  }

  /** Who is seen to leave a CPU first has run there from the beginning. */
  #ran(cpu: Cpu, thread: Thread, beginNs: number): void {
    if (this.#begun[cpu.id]) return;
    this.#begun[cpu.id] = true;
    const row = this.#cpu(cpu);
    const own = thread.tid === 0 ? undefined : this.#thread(thread);
    const [doing, arg] = own === undefined ? [Doing.idle, 0] : [Doing.user, own.id];
    const before = statesOf(row);
    row.columns.length = 0;
    const fromNs = Math.max(beginNs, this.history.beginNs);
    // Its own row knows it from its first system call on, or not at all.
    const late = own !== undefined && !(own.length > 0 && own.ns[0]! <= fromNs) ? own : undefined;
    const seen = late === undefined ? [] : statesOf(late);
    const seenNs = seen[0]?.[0] ?? Number.POSITIVE_INFINITY;
    if (late !== undefined) late.columns.length = 0;
    row.push(doing, arg, fromNs);
    late?.push(doing, 0, fromNs);
    for (const [ns, what, which] of before) {
      const known = what !== Doing.unknown;
      row.push(known ? what : doing, known ? which : arg, ns);
      if (ns < seenNs) late?.push(known ? what : doing, known ? which : 0, ns);
    }
    for (const [ns, what, which] of seen) late?.push(what, which, ns);
  }

  #blocks(thread: Thread, ns: number): void {
    const { syscall } = thread;
    this.#reasons.begin(thread, ns);
    this.#thread(thread).push(Doing.blocked, syscall === undefined ? 0 : syscall.id + 1, ns);
  }

  #waitsForCpu(thread: Thread, ns: number): void {
    const row = this.#thread(thread);
    if (thread.host.forgot(thread.cpu, ns)) row.push(Doing.unknown, 0, ns);
    else row.push(Doing.runnable, thread.cpu, ns);
  }

  #listen(): void {
    const { on } = this.#model;
    const { tables } = this.history;
    on.runEnd.push((thread, cpu, beginNs) => this.#ran(cpu, thread, beginNs));
    on.switched.push((cpu, prev, next, ns) => {
      if (prev.tid !== 0) {
        if (prev.state === RUNNABLE) this.#thread(prev).push(Doing.runnable, cpu.number, ns);
        else if (prev.state === BLOCKED) {
          if ((prev.blockedState & GONE) !== 0) this.#thread(prev).push(Doing.none, 0, ns);
          else this.#blocks(prev, ns);
        }
      }
      this.#runs(cpu, next, ns);
    });
    on.wakeup.push((thread, cpu, ns) => this.#woken(thread, cpu, ns));
    on.blockEnd.push((thread, _cpu, ns) => {
      const row = this.#thread(thread);
      // Woken while it was about to leave its CPU, or by an event record that is lost: known only now.
      if (this.#reasons.isWaiting(thread) && row.lastDoing === Doing.blocked) {
        this.#woken(thread, undefined, Math.min(ns, thread.wokenNs));
      }
    });
    on.migrate.push((thread, _from, _to, ns) => {
      if (thread.state === RUNNABLE) this.#waitsForCpu(thread, ns);
    });
    on.syscallBegin.push((thread, ns) => {
      const cpu = thread.host.cpus[thread.cpu];
      if (cpu !== undefined && cpu.current === thread) this.#runs(cpu, thread, ns);
    });
    const { syscalls } = tables;
    on.syscallEnd.push((thread, ns) => {
      const row = this.#thread(thread);
      const cpu = thread.host.cpus[thread.cpu];
      const call = thread.syscall!;
      if (cpu !== undefined && cpu.current === thread) {
        this.#cpu(cpu).push(Doing.user, row.id, ns);
        row.push(Doing.user, 0, ns);
      }
      const i = syscalls.add();
      const { of } = syscalls;
      of.begin[i] = thread.syscallBeginNs;
      of.end[i] = ns;
      of.row[i] = row.id;
      of.call[i] = call.id;
      of.ret[i] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, thread.syscallRet));
    });
    on.interruption.push((cpu, ns) => this.#runs(cpu, cpu.current, ns));
    on.fork.push((_parent, child, ns) => this.#thread(child).push(Doing.none, 0, ns));
    on.irqEnd.push((cpu, irq, begin, end) => this.#interrupted(cpu, IrqKind.irq, irq, begin, end));
    on.softirqEnd.push((cpu, vector, _raise, begin, end) =>
      this.#interrupted(cpu, IrqKind.softirq, vector, begin, end),
    );
    on.timerEnd.push((cpu, begin, end) => this.#interrupted(cpu, IrqKind.timer, -1, begin, end));
    on.blockIssue.push((request, ns) => this.#inFlight(request, 1, ns));
    on.blockComplete.push((request, ns) => this.#requestEnds(request, ns));
    on.packet.push((device, bytes, sent, ns) => {
      const i = tables.packets.add();
      const { of } = tables.packets;
      of.ns[i] = ns;
      of.bytes[i] = bytes;
      of.device[i] = device.id;
      of.sent[i] = sent ? 1 : 0;
    });
    on.pageAlloc.push((_cpu, _thread, pages) => {
      this.#pages += pages;
    });
    on.pageFree.push((_cpu, _thread, pages) => {
      this.#pages -= pages;
    });
    on.lost.push((host, only, beginNs, endNs, count) => {
      const i = tables.holes.add();
      tables.holes.of.begin[i] = beginNs;
      tables.holes.of.end[i] = endNs;
      tables.holes.of.host[i] = host.index;
      tables.holes.of.count[i] = count;
      const ns = Math.max(beginNs, this.history.beginNs);
      for (const cpu of host.cpus) {
        if (cpu !== undefined && (only === undefined || cpu === only))
          this.#cpu(cpu).push(Doing.unknown, 0, ns);
      }
      for (const thread of host.living()) {
        const row = this.#threads[thread.id];
        // A thread that runs on another CPU all the while is seen through.
        if (row === undefined || thread.state === RUNNING || row.lastDoing === Doing.none) continue;
        row.push(Doing.unknown, 0, ns);
        this.#reasons.forget(thread);
      }
    });
  }

  #woken(thread: Thread, cpu: Cpu | undefined, ns: number): void {
    const row = this.#thread(thread);
    if (row.length === 0 && ns > this.history.beginNs && !Number.isNaN(thread.blockedNs)) {
      row.push(Doing.blocked, 0, Math.max(this.history.beginNs, thread.blockedNs));
    }
    if (row.lastDoing === Doing.blocked && this.#reasons.isWaiting(thread)) {
      const reason = this.#reasons.end(thread, cpu, ns);
      const { syscall } = thread;
      const call = syscall === undefined ? 0 : syscall.id + 1;
      row.amend(reason.doing, (this.#target(reason.target) << CALL_BITS) | call);
    }
    this.#waitsForCpu(thread, ns);
    const { wakes } = this.history.tables;
    const waker = thread.wakerKind === "thread" ? thread.wakerThread : undefined;
    const i = wakes.add();
    wakes.of.ns[i] = ns;
    wakes.of.from[i] = waker === undefined || waker.tid === 0 ? -1 : this.#thread(waker).id;
    wakes.of.to[i] = row.id;
  }

  #interrupted(cpu: Cpu, kind: number, number: number, beginNs: number, endNs: number): void {
    const { irqs } = this.history.tables;
    const i = irqs.add();
    irqs.of.begin[i] = beginNs;
    irqs.of.end[i] = endNs;
    irqs.of.row[i] = this.#cpu(cpu).id;
    irqs.of.kind[i] = kind;
    irqs.of.number[i] = number;
  }

  #inFlight(request: Request, change: number, ns: number): StateRow {
    const { disk } = request;
    let known = this.#disks[disk.id];
    if (known === undefined) {
      const row = this.history.addRow("disk", disk.host.index, { label: deviceNumbers(disk.dev) });
      this.#disks[disk.id] = known = { row, inFlight: 0 };
    }
    known.inFlight = Math.max(0, known.inFlight + change);
    known.row.push(known.inFlight === 0 ? Doing.none : Doing.busy, known.inFlight, ns);
    return known.row;
  }

  #requestEnds(request: Request, ns: number): void {
    const row = this.#inFlight(request, -1, ns);
    const { requests } = this.history.tables;
    const { thread } = request;
    const i = requests.add();
    const { of } = requests;
    of.queued[i] = request.queuedNs;
    of.begin[i] = request.issueNs;
    of.end[i] = ns;
    of.bytes[i] = request.bytes;
    of.sector[i] = request.sector;
    of.row[i] = row.id;
    of.thread[i] = thread === undefined ? -1 : this.#thread(thread).id;
    of.kind[i] = REQUEST_KINDS.indexOf(request.kind);
    this.#reasons.completed(request, ns);
  }
}

function statesOf(row: StateRow): (readonly [ns: number, doing: Doing, arg: number])[] {
  return Array.from({ length: row.length }, (_, i) => [row.ns[i]!, row.doing[i] as Doing, row.arg[i]!]);
}

/** A container has namespaces of its own; the host's are those of its first process. */
function containerOf(thread: Thread, first: Thread | undefined): string {
  const [own, hosts] = [thread.namespaces, first?.namespaces];
  if (own === undefined || hosts === undefined) return "";
  for (const kind of ["pid", "mnt", "cgroup"]) {
    const inode = own.get(kind);
    if (inode !== undefined && hosts.get(kind) !== undefined && hosts.get(kind) !== inode) return `${inode}`;
  }
  return "";
}
