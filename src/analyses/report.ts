/**
 * The report: everything `periscope report` tells, from one pass over a kernel trace.
 *
 * The sections fall into two parts that need different event records, so that two threads can read the same
 * trace and halve the time: part 0 has system calls, files and waits; part 1 has CPUs, run queues, disks,
 * network, interrupts and memory. Partial reports are plain data, safe to clone between threads.
 */

import type { KernelModel, Uncertain } from "../kernel/model.js";
import { definePeriods, type PeriodArguments } from "../periods/define.js";
import type { EventSource } from "../sources/source.js";
import type { AnyAnalysis } from "./analysis.js";
import { attachCpu, type CpuSection } from "./cpu.js";
import { attachDisks, type DiskSection } from "./disks.js";
import { attachFiles, type FileSection } from "./files.js";
import { type Finding, findFindings } from "./findings.js";
import { attachInterrupts, type InterruptSection } from "./interrupts.js";
import { attachMemoryStats, type MemorySection } from "./memory.js";
import { attachNetwork, type NetworkSection } from "./network.js";
import { type PeriodSection, reportPeriods } from "./report-periods.js";
import { AnalysisRun, type RunAnalysesResult, type Slice } from "./run.js";
import { attachRunQueue, type RunQueueSection } from "./run-queue.js";
import { section } from "./section.js";
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
  /** Where the reader has defined periods. */
  readonly periods?: PeriodSection;
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
  readonly periods?: PeriodArguments;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

/** Sections that need system calls. */
const CALLS = {
  syscalls: section("syscalls", { syscalls: true }, ["syscallBegin", "syscallEnd"], attachSyscallStats),
  files: section("files", { syscalls: true }, ["syscallEnd"], attachFiles),
  waits: section("waits", { syscalls: true, irq: true }, ["syscallEnd", "blockEnd"], attachWaits),
} as const;

function callSections({ periods }: ReportOptions): Partial<Record<keyof CallSections, AnyAnalysis>> {
  return (periods?.periods ?? []).length > 0 ? { ...CALLS, periods: reportPeriods } : CALLS;
}

/** Sections about CPUs, disks, interfaces, interrupts and memory. */
const RESOURCES = {
  cpu: section("cpu", { irq: true }, ["runEnd", "migrate", "irqEnd", "softirqEnd", "timerEnd"], attachCpu),
  runQueue: section("runQueue", {}, ["runQueueWait"], attachRunQueue),
  disks: section("disks", { block: true }, ["blockComplete"], attachDisks),
  network: section("network", { net: true }, ["packet"], attachNetwork),
  interrupts: section("interrupts", { irq: true }, ["irqEnd", "softirqEnd", "timerEnd"], attachInterrupts),
  memory: section("memory", { memory: true }, ["pageAlloc", "pageFree"], attachMemoryStats),
} as const;

/** Runs sections as one slice of one pass: the same way as `periscope all` runs its analyses. */
function pass<T>(
  source: EventSource,
  options: ReportOptions,
  sections: Readonly<Partial<Record<keyof T, AnyAnalysis>>>,
): { machine: Machine; sections: T } {
  const { beginNs, endNs, onProgress } = options;
  const periods = "periods" in sections ? definePeriods(options.periods ?? {}) : undefined;
  const lastNs = Math.min(endNs ?? Number.POSITIVE_INFINITY, source.info.endNs);
  const all = Object.values(sections) as AnyAnalysis[];
  let slice: Slice | undefined;
  const run = new AnalysisRun(
    source,
    all.map((analysis) => ({ analysis, options: { lastNs } })),
    { beginNs, endNs, onProgress, periods, onSlice: (s) => (slice = s) },
  );
  const result = run.run();
  // Nothing in the range: sections without anything in them.
  const at = beginNs ?? 0;
  const made = slice ?? run.close(run.open(at), at);
  const results = Object.keys(sections).map((name, i) => [name, made.results[i]!.result]);
  return {
    machine: describeMachine(run.model, made, made.lost, result),
    sections: Object.fromEntries(results) as T,
  };
}

function describeMachine(
  model: KernelModel,
  range: { readonly beginNs: number; readonly endNs: number },
  lost: LostSummary,
  result: RunAnalysesResult,
): Machine {
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
  const { machine, sections } = pass<CallSections & ResourceSections>(source, options, {
    ...callSections(options),
    ...RESOURCES,
  });
  const report = { machine, ...sections };
  return { ...report, findings: findFindings(report) };
}

/** One part of the report; see the top of this file. */
export function runReportPart(source: EventSource, part: 0 | 1, options: ReportOptions = {}): PartialReport {
  if (part === 0) {
    const { machine, sections } = pass<CallSections>(source, options, callSections(options));
    return { part, machine, ...sections };
  }
  const { machine, sections } = pass<ResourceSections>(source, options, RESOURCES);
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
