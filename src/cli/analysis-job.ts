/** What the commands of analyses share: the job that a command line describes, and its run. */

import type { AnyAnalysis, Missing } from "../analyses/analysis.js";
import {
  type AnalysisRequest,
  AnalysisRun,
  type RunAnalysesOptions,
  type RunAnalysesResult,
} from "../analyses/run.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { formatCount } from "../base/format.js";
import { Spool } from "../base/spool.js";
import { checkPeriods } from "../periods/check.js";
import type { PeriodArguments, PeriodSet } from "../periods/define.js";
import type { EventSource } from "../sources/source.js";
import { analysisOptions, filterOptions, rangeOptions, type TimeOptions } from "./analysis-options.js";
import { complain } from "./command.js";
import { openInput } from "./live-input.js";
import type { ParsedArguments } from "./options.js";
import { checkNames, definedPeriods } from "./period-options.js";

/** What analyses read: traces, or a live session. */
export interface InputSource extends EventSource {
  /** One line for each trace that could not be opened. */
  readonly failures: readonly string[];
  notes(): string[];
  /** Sources that wait for more: what to do meanwhile. */
  whileWaiting?(show: () => void): void;
}

export interface Job {
  readonly args: ParsedArguments;
  readonly source: InputSource;
  readonly requests: readonly AnalysisRequest[];
  readonly time: TimeOptions;
  readonly severalDays: boolean;
  readonly periods: PeriodSet | undefined;
  /** Results are of instances of the periods, not of the trace. */
  readonly perPeriod: boolean;
}

/** Analyses that are about the periods themselves. */
function tellsPeriods({ analysis }: AnalysisRequest): boolean {
  return analysis.periodTrees !== undefined;
}

export function prepare(
  args: ParsedArguments,
  requests: readonly AnalysisRequest[],
  label: string,
  profiles: PeriodArguments,
): Job {
  if (args.operands.length === 0) throw new UsageError(`${label}: expected one or more paths of traces`);
  const given = analysisOptions(args);
  const inLine = args.has("per-period");
  const merged = requests.map(({ analysis, options }) => ({
    analysis,
    options: { ...options, ...given, ...(inLine ? analysis.line?.options : {}) },
  }));
  const aboutPeriods = requests.some(tellsPeriods);
  const periods = definedPeriods(args, profiles);
  if (aboutPeriods && periods === undefined) {
    throw new UsageError(
      `${label}: expected --period 'NAME : BEGIN : END' (or --profile NAME); see periscope ${label} --help`,
    );
  }
  if (args.has("per-period") && periods === undefined) {
    throw new UsageError("--per-period: expected --period 'NAME : BEGIN : END' (or --profile NAME) with it");
  }
  if (periods !== undefined && args.has("refresh")) {
    throw new UsageError("--refresh cannot be used together with periods");
  }
  if (periods !== undefined) checkPeriodNames(given, periods);
  const source = openInput(args.operands);
  const { info } = source;
  // Periods may be made of user-space events alone.
  if (!aboutPeriods && info.traces.length > 0 && !info.traces.some((trace) => trace.domain !== "ust")) {
    throw new PeriscopeError(`${label}: only user-space traces here, expected a kernel trace`);
  }
  const { time, severalDays } = rangeOptions(args, info);
  if (periods !== undefined && info.traces.length > 0) {
    const known = new Set(profiles.periods);
    for (const { message, definition, never } of checkPeriods(periods, info)) {
      // Profiles name events of many kernels and phases that not everybody has.
      if (known.has(definition.text) && (!never || definition.parent !== undefined)) continue;
      complain(message);
    }
  }
  const perPeriod = periods !== undefined && !aboutPeriods;
  return { args, source, requests: merged, time, severalDays, periods, perPeriod };
}

/** Names in options of the period commands must be defined. */
function checkPeriodNames(given: Record<string, unknown>, periods: PeriodSet): void {
  checkNames("select", (given["select"] as string[] | undefined) ?? [], periods);
  const { aggregateBy, groupBy } = given as { aggregateBy?: string; groupBy?: { period: string }[] };
  if (aggregateBy !== undefined) checkNames("aggregate-by", [aggregateBy], periods);
  checkNames("group-by", groupBy?.map(({ period }) => period) ?? [], periods);
}

/** The run that a job describes. */
export function runOf(
  { args, source, time, periods, perPeriod }: Job,
  requests: readonly AnalysisRequest[],
  options: Pick<RunAnalysesOptions, "onSlice" | "onBegin" | "onProgress">,
): AnalysisRun {
  const run = new AnalysisRun(source, requests, {
    ...time,
    filter: filterOptions(args),
    ...(periods === undefined ? {} : { periods, perPeriod }),
    ...options,
  });
  checkVital(requests, run);
  return run;
}

/** `lttng enable-event` for what is missing. */
export function adviceOn({ what, events }: Missing): string {
  const calls = events.filter((event) => event.startsWith("syscall"));
  const rest = events.filter((event) => !event.startsWith("syscall"));
  const enable = [
    ...(calls.length > 0 ? ["lttng enable-event --kernel --syscall --all"] : []),
    ...(rest.length > 0 ? [`lttng enable-event --kernel ${rest.join(",")}`] : []),
  ];
  return `${what}: the trace has no ${events.join(", ")} (${enable.join("; ")})`;
}

/** Throws when nothing can be said at all. */
function checkVital(requests: readonly AnalysisRequest[], run: AnalysisRun): void {
  const all = run.missing();
  const hopeless = all.filter((missing) => missing.some(({ vital }) => vital));
  if (hopeless.length < requests.length || requests.length === 0) return;
  throw new PeriscopeError(
    hopeless
      .flat()
      .filter(({ vital }) => vital)
      .map(adviceOn)
      .join("; "),
  );
}

/** Logs that are printed while they are made, or kept aside until their place has come. */
export function withLogs(
  { requests, perPeriod }: Pick<Job, "requests" | "perPeriod">,
  format: (analysis: AnyAnalysis, row: unknown) => string,
  direct: ((text: string) => void) | undefined,
): { requests: AnalysisRequest[]; spools: Map<AnyAnalysis, Spool> } {
  const spools = new Map<AnyAnalysis, Spool>();
  const all = requests.map((request) => {
    const { analysis, options } = request;
    // Slices that overlap each keep their own.
    if (perPeriod || analysis.log === undefined || (options as { log?: boolean }).log !== true)
      return request;
    const spool = new Spool();
    spools.set(analysis, spool);
    const logTo = (row: unknown): void => {
      const text = format(analysis, row);
      if (direct !== undefined) direct(text);
      else spool.add(text);
    };
    return { analysis, options: { ...options, logTo } };
  });
  return { requests: all, spools };
}

export function contextOf(source: EventSource): { epochNs: (ns: number) => bigint; hosts: string[] } {
  const { originNs, hosts } = source.info;
  return { epochNs: (ns) => originNs + BigInt(Math.round(ns)), hosts: hosts.map((host) => host.name) };
}

/** Remarks on what is not in the results. */
export function uncertainLines({ uncertain, givenUp }: RunAnalysesResult): string[] {
  const parts: string[] = [];
  if (uncertain.syscalls > 0) parts.push(`${formatCount(uncertain.syscalls)} system calls`);
  if (uncertain.irqs > 0) parts.push(`${formatCount(uncertain.irqs)} interrupts`);
  if (uncertain.blocks > 0) parts.push(`${formatCount(uncertain.blocks)} waits`);
  const lines: string[] = [];
  if (parts.length > 0) {
    lines.push(
      `not counted: ${parts.join(", ")} that began before lost event records and whose end is not certain`,
    );
  }
  if (uncertain.unattributedSyscalls > 0) {
    const n = formatCount(uncertain.unattributedSyscalls);
    lines.push(`not counted: ${n} system call events of nobody known (no thread known on their CPU yet)`);
  }
  if (givenUp !== undefined && givenUp.crowded > 0) {
    const n = formatCount(givenUp.crowded);
    lines.push(
      `given up: ${n} instances, the oldest of "${givenUp.crowdedPath}", because too many were open at once; does their end expression ever become true?`,
    );
  }
  if (givenUp !== undefined && givenUp.reused > 0) {
    lines.push(
      `given up: ${formatCount(givenUp.reused)} instances whose thread was gone, its number belonging to a new one`,
    );
  }
  return lines;
}
