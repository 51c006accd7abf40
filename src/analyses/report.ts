/**
 * The report: everything `periscope report` tells, from one pass over a kernel trace.
 *
 * The sections fall into two parts that need different event records, so that two threads can read the same
 * trace and halve the time: part 0 has system calls, files and waits; part 1 has CPUs, run queues, disks,
 * network, interrupts and memory. Partial reports are plain data, safe to clone between threads.
 */

import { createKernelModel, type KernelModel, type ModelOptions, type Uncertain } from "../kernel/model.js";
import type { EventSource, RunResult } from "../sources/source.js";
import { type Range, SeenRange } from "./common.js";
import { attachCpu, type CpuSection } from "./cpu.js";
import { attachDisks, type DiskSection } from "./disks.js";
import { attachFiles, type FileSection } from "./files.js";
import { type Finding, findFindings } from "./findings.js";
import { attachInterrupts, type InterruptSection } from "./interrupts.js";
import { attachMemoryStats, type MemorySection } from "./memory.js";
import { attachNetwork, type NetworkSection } from "./network.js";
import { attachRunQueue, type RunQueueSection } from "./run-queue.js";
import { attachSyscallStats, type SyscallSection } from "./syscalls.js";
import { attachWaits, type WaitSection } from "./waits.js";

export interface HostSummary {
  readonly name: string;
  readonly kernelRelease: string;
  readonly tracer: string;
  readonly cpus: number;
}

export interface LostSummary {
  readonly events: number;
  readonly packets: number;
  readonly holes: number;
}

export interface Machine {
  readonly paths: readonly string[];
  readonly hosts: readonly HostSummary[];
  /** Exact ns since the epoch of the range's begin, as text; other moments are ns after `originEpochNs`. */
  readonly originEpochNs: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly durationNs: number;
  readonly eventRecords: number;
  readonly lost: LostSummary;
  /** What lost event records made unusable. */
  readonly uncertain: Readonly<Uncertain>;
  readonly problems: readonly string[];
}

export interface CallSections {
  readonly syscalls: SyscallSection;
  readonly files: FileSection;
  readonly waits: WaitSection;
}

export interface ResourceSections {
  readonly cpu: CpuSection;
  readonly runQueue: RunQueueSection;
  readonly disks: DiskSection;
  readonly network: NetworkSection;
  readonly interrupts: InterruptSection;
  readonly memory: MemorySection;
}

export interface Report extends CallSections, ResourceSections {
  readonly machine: Machine;
  readonly findings: readonly Finding[];
}

export type PartialReport =
  | ({ readonly part: 0; readonly machine: Machine } & CallSections)
  | ({ readonly part: 1; readonly machine: Machine } & ResourceSections);

export interface ReportOptions {
  /** Bounds, `ns` since the source's origin. Earlier event records still build the state. */
  readonly beginNs?: number;
  readonly endNs?: number;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

const CALLS: ModelOptions = { syscalls: true, irq: true };
const RESOURCES: ModelOptions = { irq: true, block: true, net: true, memory: true };

function attachCalls(model: KernelModel, range: Range): () => CallSections {
  const syscalls = attachSyscallStats(model, range);
  const files = attachFiles(model, range);
  const waits = attachWaits(model, range);
  return () => ({ syscalls: syscalls(), files: files(), waits: waits() });
}

function attachResources(model: KernelModel, range: Range): () => ResourceSections {
  const cpu = attachCpu(model, range);
  const runQueue = attachRunQueue(model, range);
  const disks = attachDisks(model, range);
  const network = attachNetwork(model, range);
  const interrupts = attachInterrupts(model, range);
  const memory = attachMemoryStats(model, range);
  return () => ({
    cpu: cpu(),
    runQueue: runQueue(),
    disks: disks(),
    network: network(),
    interrupts: interrupts(),
    memory: memory(),
  });
}

function attachLost(model: KernelModel, options: ReportOptions): () => LostSummary {
  const lost = { events: 0, packets: 0, holes: 0 };
  const { beginNs = Number.NEGATIVE_INFINITY, endNs = Number.POSITIVE_INFINITY } = options;
  model.on.lost.push((_host, _cpu, holeBeginNs, holeEndNs, count, what) => {
    if (holeEndNs < beginNs || holeBeginNs > endNs) return;
    lost.holes++;
    lost[what] += Number.isNaN(count) ? 0 : count;
  });
  return () => lost;
}

/** Makes the model, attaches what is wanted, reads the source once. */
function pass<T>(
  source: EventSource,
  options: ReportOptions,
  wanted: ModelOptions,
  attach: (model: KernelModel, range: Range) => () => T,
): { machine: Machine; sections: T } {
  const model = createKernelModel(source, wanted);
  const range = new SeenRange(model, options);
  const lost = attachLost(model, options);
  const results = attach(model, range);
  const result = model.run({ endNs: options.endNs, onProgress: options.onProgress });
  return { machine: describeMachine(model, range, lost(), result), sections: results() };
}

function describeMachine(model: KernelModel, range: Range, lost: LostSummary, result: RunResult): Machine {
  const { info } = model.source;
  const hosts = info.hosts.map((host, index): HostSummary => {
    const trace = info.traces.find((t) => t.host === index && t.domain !== "ust");
    const env = (name: string) => String(trace?.environment.get(name) ?? "");
    const version = [env("tracer_major"), env("tracer_minor"), env("tracer_patchlevel")].filter(
      (v) => v !== "",
    );
    return {
      name: host.name,
      kernelRelease: env("kernel_release"),
      tracer: `${env("tracer_name")} ${version.join(".")}`.trim(),
      cpus: model.cpus.filter((c) => c.host.index === index).length,
    };
  });
  return {
    paths: info.traces.map((t) => t.path),
    hosts,
    originEpochNs: info.originNs.toString(),
    beginNs: range.beginNs,
    endNs: range.endNs,
    durationNs: Math.max(0, range.endNs - range.beginNs),
    eventRecords: result.eventRecords,
    lost,
    uncertain: { ...model.uncertain },
    problems: [...result.problems],
  };
}

/** The whole report in one pass. */
export function runReport(source: EventSource, options: ReportOptions = {}): Report {
  const { machine, sections } = pass(source, options, { ...CALLS, ...RESOURCES }, (model, range) => {
    const calls = attachCalls(model, range);
    const resources = attachResources(model, range);
    return () => ({ ...calls(), ...resources() });
  });
  const report = { machine, ...sections };
  return { ...report, findings: findFindings(report) };
}

/** One part of the report; see the top of this file. */
export function runReportPart(source: EventSource, part: 0 | 1, options: ReportOptions = {}): PartialReport {
  if (part === 0) {
    const { machine, sections } = pass(source, options, CALLS, attachCalls);
    return { part, machine, ...sections };
  }
  const { machine, sections } = pass(source, options, RESOURCES, attachResources);
  return { part, machine, ...sections };
}

/** Puts the two parts together, in any order. */
export function mergeReport(a: PartialReport, b: PartialReport): Report {
  const calls = a.part === 0 ? a : b;
  const resources = a.part === 1 ? a : b;
  if (calls.part !== 0 || resources.part !== 1)
    throw new Error("mergeReport needs one part 0 and one part 1");
  const { part: _calls, machine: _machine, ...callSections } = calls;
  const { part: _resources, machine, ...resourceSections } = resources;
  const beginNs = Math.min(machine.beginNs, calls.machine.beginNs);
  const endNs = Math.max(machine.endNs, calls.machine.endNs);
  const merged = {
    machine: {
      ...machine,
      beginNs,
      endNs,
      durationNs: Math.max(0, endNs - beginNs),
      uncertain: calls.machine.uncertain,
    },
    ...callSections,
    ...resourceSections,
  };
  return { ...merged, findings: findFindings(merged) };
}
