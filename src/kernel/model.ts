/**
 * The kernel model: subscribes to a source, keeps the state of every host and tells what happened.
 *
 *     const model = createKernelModel(source, { syscalls: true });
 *     model.on.syscallEnd.push((thread, ns) => …);
 *     model.run();
 *
 * Scheduling is modelled unless it is declined, since everything else asks who runs; the other subsystems cost
 * only when wanted. Hosts never share anything.
 */

import type { DiscardedInfo, EventSource, RunResult, SourceInfo } from "../sources/source.js";
import { attachBlock, type Disk } from "./block.js";
import { createHooks, type Hooks } from "./hooks.js";
import { attachIrq } from "./irq.js";
import { attachMemory } from "./memory.js";
import { type KernelNames, resolveNames } from "./names.js";
import { attachNet, type NetInterface } from "./net.js";
import { attachSched } from "./sched.js";
import { type Cpu, Host, type Registry, RUNNING, UNKNOWN } from "./state.js";
import { attachStatedump } from "./statedump.js";
import { SyscallTable } from "./syscall-table.js";
import { attachSyscalls } from "./syscalls.js";

export interface ModelOptions {
  /** Who runs: the other subsystems need it. Default true. */
  readonly sched?: boolean;
  readonly syscalls?: boolean;
  readonly irq?: boolean;
  readonly block?: boolean;
  /** With `block`: since when requests have been in their device's queue. */
  readonly blockQueue?: boolean;
  readonly net?: boolean;
  readonly memory?: boolean;
}

/** Things begun before a hole in the trace whose end cannot be trusted, and so are not counted. */
export interface Uncertain {
  syscalls: number;
  irqs: number;
  blocks: number;
  /** System call events on a CPU of which nobody knew who ran. */
  unattributedSyscalls: number;
}

/** What the subsystems share. */
export interface Context extends Registry {
  readonly names: KernelNames;
  readonly hosts: readonly Host[];
  readonly on: Hooks;
  readonly syscalls: SyscallTable;
  readonly disks: Disk[];
  readonly interfaces: NetInterface[];
  /** CPU of a data stream, once seen. */
  readonly streamCpu: (Cpu | undefined)[];
  readonly uncertain: Uncertain;
}

/** A run of the model that stops where its caller wants. */
export interface ModelRun {
  /** See `EventRun`. */
  readonly nextNs: number;
  readonly eventRecords: number;
  until(limitNs: number): void;
  end(): RunResult;
}

export interface KernelModel extends Context {
  readonly source: EventSource;
  /** Starts reading; `endNs` bounds it. The state is always built from the first event record on. */
  start(options?: ModelRunOptions): ModelRun;
  /** Reads the source once, to the end; what still runs then is told as if it ended there. */
  run(options?: ModelRunOptions): RunResult;
}

export interface ModelRunOptions {
  readonly endNs?: number;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

export function createKernelModel(source: EventSource, options: ModelOptions = {}): KernelModel {
  const { info } = source;
  const registry: Registry = {
    threads: [],
    cpus: [],
    files: [],
    completeSinceNs: completeSince(info),
  };
  const context: Context = {
    ...registry,
    names: resolveNames(info),
    hosts: info.hosts.map((h, i) => new Host(i, h.name, registry)),
    on: createHooks(),
    syscalls: new SyscallTable(),
    disks: [],
    interfaces: [],
    streamCpu: [],
    uncertain: { syscalls: 0, irqs: 0, blocks: 0, unattributedSyscalls: 0 },
  };
  const sched = options.sched !== false;
  if (sched) attachStatedump(source, context, options.syscalls === true);
  if (options.irq) attachIrq(source, context);
  if (sched) attachSched(source, context);
  if (options.syscalls) attachSyscalls(source, context);
  if (options.block) attachBlock(source, context, options.blockQueue === true);
  if (options.net) attachNet(source, context);
  if (options.memory) attachMemory(source, context);

  const start = ({ endNs, onProgress }: ModelRunOptions = {}): ModelRun => {
    const onDiscarded = (discarded: DiscardedInfo) => lose(source, context, discarded);
    const run = source.start({ endNs, onProgress, onDiscarded });
    return {
      get nextNs() {
        return run.nextNs;
      },
      get eventRecords() {
        return run.eventRecords;
      },
      until: (limitNs) => run.until(limitNs),
      end() {
        const result = run.end();
        for (const host of context.hosts) host.lastNs = result.hostLastNs[host.index]!;
        return result;
      },
    };
  };
  return {
    ...context,
    source,
    start,
    run(runOptions) {
      const run = start(runOptions);
      run.until(Number.POSITIVE_INFINITY);
      const result = run.end();
      for (const cpu of context.cpus) {
        const { current, runBeginNs } = cpu;
        const endNs = cpu.host.lastNs;
        if (current === undefined || !(runBeginNs < endNs)) continue;
        for (const listener of context.on.runEnd) listener(current, cpu, runBeginNs, endNs);
        cpu.runBeginNs = endNs;
      }
      return result;
    },
  };
}

/** CPU number in LTTng's file names (`channel0_3`, `channel0_3_12`); NaN when there is none. */
function cpuOfPath(path: string): number {
  return Number(/_(\d+)(?:_\d+)?$/.exec(path)?.[1] ?? Number.NaN);
}

/** When several streams tell about a CPU, the one that begins last decides. */
function completeSince(info: SourceInfo): Registry["completeSinceNs"] {
  const since = new Map<string, number>();
  for (const stream of info.streams) {
    const trace = info.traces[stream.trace]!;
    if (trace.domain === "ust") continue;
    const key = `${trace.host} ${cpuOfPath(stream.path)}`;
    since.set(key, Math.max(stream.completeSinceNs, since.get(key) ?? Number.NEGATIVE_INFINITY));
  }
  const anywhere = Math.max(...since.values(), Number.NEGATIVE_INFINITY);
  return (host, cpu) => since.get(`${host} ${cpu}`) ?? anywhere;
}

/** The CPU of a stream: learnt from its event records, else from LTTng's file names (`channel0_3`). */
function cpuOfStream(source: EventSource, context: Context, stream: number, ns: number): Cpu | undefined {
  const seen = context.streamCpu[stream];
  if (seen !== undefined) return seen;
  const info = source.info.streams[stream];
  if (info === undefined) return undefined;
  const number = cpuOfPath(info.path);
  const host = context.hosts[source.info.traces[info.trace]?.host ?? 0];
  return Number.isNaN(number) ? undefined : host?.cpu(number, ns);
}

/**
 * A hole: what ran, which interrupt was handled and which calls were in flight is not known after it. Calls of
 * threads that run on another CPU all through it are safe.
 */
function lose(source: EventSource, context: Context, info: DiscardedInfo): void {
  const { beginNs, endNs } = info;
  const trace = source.info.streams[info.stream]?.trace ?? 0;
  if (source.info.traces[trace]?.domain === "ust") return;
  const host = context.hosts[source.info.traces[trace]?.host ?? 0];
  if (host === undefined) return;
  const only = cpuOfStream(source, context, info.stream, beginNs);
  const { on, uncertain } = context;
  for (const cpu of host.cpus) {
    if (cpu === undefined || (only !== undefined && cpu !== only)) continue;
    if (cpu.current !== undefined && cpu.runBeginNs < beginNs) {
      for (const listener of on.runEnd) listener(cpu.current, cpu, cpu.runBeginNs, beginNs);
    }
    if (cpu.current?.state === RUNNING) cpu.current.state = UNKNOWN;
    cpu.current = undefined;
    cpu.runBeginNs = Number.NaN;
    cpu.knownSinceNs = Number.isNaN(endNs) ? Number.POSITIVE_INFINITY : endNs;
    uncertain.irqs += cpu.irqDepth + (cpu.softirq >= 0 ? 1 : 0);
    cpu.irqDepth = 0;
    cpu.timerDepth = 0;
    cpu.softirq = -1;
    cpu.softirqRaiseNs.fill(Number.NaN);
  }
  for (const thread of host.living()) {
    if (thread.state === RUNNING) continue;
    if (thread.syscall !== undefined) {
      thread.syscall = undefined;
      uncertain.syscalls++;
    }
    if (!Number.isNaN(thread.blockedNs)) uncertain.blocks++;
    thread.state = UNKNOWN;
    thread.blockedNs = Number.NaN;
    thread.runnableNs = Number.NaN;
  }
  for (const listener of on.lost) listener(host, only, beginNs, endNs, info.count, info.what);
}
