/** The commands of the analyses: one machinery for all of them. */

import { isatty } from "node:tty";
import type { AnyAnalysis, Missing } from "../analyses/analysis.js";
import { ALL_PRESETS, ANALYSIS_COMMANDS } from "../analyses/registry.js";
import {
  type AnalysisRequest,
  type AnalysisResult,
  AnalysisRun,
  type RunAnalysesResult,
  type Slice,
} from "../analyses/run.js";
import type { Cell, Row, Table, TableClass } from "../analyses/table.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { formatCount } from "../base/format.js";
import { Spool } from "../base/spool.js";
import { createKernelModel } from "../kernel/model.js";
import { ClockText, spansDays } from "../present/clock-text.js";
import {
  exactJson,
  lamiError,
  lamiMetadata,
  lamiProgress,
  lamiResultHead,
  lamiRows,
  MI_VERSION,
} from "../present/lami.js";
import { LogText, type TablesTextOptions, tableText } from "../present/tables-text.js";
import { fit, wrap } from "../present/text.js";
import { type CtfSource, openSource } from "../sources/ctf.js";
import { version } from "../version.js";
import {
  analysisOptions,
  analysisSpec,
  filterOptions,
  isMachine,
  onlyLog,
  type TimeOptions,
  timeOptions,
} from "./analysis-options.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { makeProgress } from "./progress.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

/** Makes the command of that name. */
export function analysisCommand(name: string): Command {
  const found = ANALYSIS_COMMANDS.find((command) => command.name === name);
  if (found === undefined) throw new Error(`no analysis command ${name}`);
  const { analysis, preset, summary } = found;
  return commandOf(name, analysis.name, sentence(summary, analysis), [{ analysis, options: preset }]);
}

export const allCommand: Command = commandOf(
  "all",
  "all",
  "Every analysis in one pass over the trace.",
  ALL_PRESETS.map(({ analysis, preset }) => ({ analysis, options: preset })),
);

/** A command for analyses that are not ours; see `run-file.ts`. */
export function commandOf(
  name: string,
  family: string,
  summary: string,
  requests: readonly AnalysisRequest[],
): Command {
  return {
    spec: analysisSpec(name, family, summary),
    run: (args) => (isMachine(args) ? runForMachine(args, requests) : runForPeople(name, args, requests)),
  };
}

function sentence(summary: string, analysis: AnyAnalysis): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}. (${analysis.description}.)`;
}

interface Job {
  readonly args: ParsedArguments;
  readonly source: CtfSource;
  readonly requests: readonly AnalysisRequest[];
  readonly time: TimeOptions;
  readonly severalDays: boolean;
}

function prepare(args: ParsedArguments, requests: readonly AnalysisRequest[], label: string): Job {
  if (args.operands.length === 0) throw new UsageError(`${label}: expected one or more paths of traces`);
  const given = analysisOptions(args);
  const merged = requests.map(({ analysis, options }) => ({ analysis, options: { ...options, ...given } }));
  const source = openSource(args.operands);
  const { info } = source;
  if (info.traces.length > 0 && !info.traces.some((trace) => trace.domain !== "ust")) {
    throw new PeriscopeError(`${label}: only user-space traces here, expected a kernel trace`);
  }
  const at = (ns: number) => info.originNs + BigInt(Number.isFinite(ns) ? Math.floor(ns) : 0);
  const [firstNs, lastNs] = [at(info.beginNs), at(info.endNs)];
  const severalDays = spansDays(firstNs, lastNs, args.has("gmt"));
  const time = timeOptions(args, { originNs: info.originNs, firstNs, lastNs, severalDays });
  return { args, source, requests: merged, time, severalDays };
}

/** `lttng enable-event` for what is missing. */
function adviceOn({ what, events }: Missing): string {
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

// --- for people ---

function runForPeople(name: string, args: ParsedArguments, requests: readonly AnalysisRequest[]): number {
  if (args.has("version")) {
    writeOutput(`periscope ${version}\n`);
    return 0;
  }
  const job = prepare(args, requests, name);
  for (const note of job.source.experiment.notes()) complain(`note: ${note}`);
  if (job.source.info.traces.length === 0) return reportProblems(job.source.failures, 0);
  const out = new ByteWriter(1);
  try {
    const result = args.has("json") ? printJson(name, job, out) : printText(job, out);
    return reportProblems(result.problems, 0);
  } finally {
    out.flush();
  }
}

/** Logs that are printed while they are made, or kept aside until their place has come. */
function withLogs(
  requests: readonly AnalysisRequest[],
  format: (analysis: AnyAnalysis, row: unknown) => string,
  direct: ((text: string) => void) | undefined,
): { requests: AnalysisRequest[]; spools: Map<AnyAnalysis, Spool> } {
  const spools = new Map<AnyAnalysis, Spool>();
  const all = requests.map((request) => {
    const { analysis, options } = request;
    if (analysis.log === undefined || (options as { log?: boolean }).log !== true) return request;
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

function printText(job: Job, out: ByteWriter): RunAnalysesResult {
  const { args, source, time } = job;
  const clock = new ClockText({ gmt: args.has("gmt"), date: job.severalDays });
  const options: TablesTextOptions = {
    width: wholeNumber(args.get("width"), "--width", 40) ?? terminalWidth(40),
    color: isatty(1) && !process.env["NO_COLOR"] && !args.has("no-color"),
    clock,
  };
  const print = (lines: readonly string[]): void => {
    for (const l of lines) {
      out.put(l);
      out.put("\n");
    }
  };
  const context = contextOf(source);
  const printers = new Map<AnyAnalysis, LogText>();
  const printer = (analysis: AnyAnalysis): LogText => {
    let log = printers.get(analysis);
    if (log === undefined) {
      log = new LogText(analysis.log!.columns, options);
      printers.set(analysis, log);
    }
    return log;
  };
  // A log alone is printed as it comes.
  const first = job.requests[0]!;
  const direct = job.requests.length === 1 && time.refreshNs === undefined && onlyLog(first.options as never);
  const { requests, spools } = withLogs(
    job.requests,
    (analysis, row) => `${printer(analysis).row(analysis.log!.cells(row, context))}\n`,
    direct ? (text) => out.put(text) : undefined,
  );
  const range = (slice: { beginEpochNs: bigint; endEpochNs: bigint }): string =>
    `Timerange: [${clock.format(slice.beginEpochNs, true)}, ${clock.format(slice.endEpochNs, true)}]`;
  let slices = 0;
  const printSlice = (slice: Slice): void => {
    if (!direct) print([...(slices > 0 ? [""] : []), range(slice)]);
    for (const { analysis, missing, tables } of slice.results) {
      if (slices === 0)
        for (const m of missing) print(["", ...wrap(`Not told: ${adviceOn(m)}`, options.width, "  ")]);
      if (missing.some(({ vital }) => vital)) continue;
      let shown = 0;
      for (const table of tables()) {
        const spool = table.class === "log" ? spools.get(analysis) : undefined;
        const lines = spool === undefined ? tableText(table, options) : [];
        shown += spool === undefined ? lines.length : 1;
        if (spool === undefined) print(lines);
        else if (!direct) {
          print(printer(analysis).header(table.heading));
          spool.drain(out);
        }
        if (spool !== undefined) print((table.notes ?? []).map((note) => `  ${note}`));
      }
      if (shown === 0) print(["", fit(`${analysis.title}: nothing of that here.`, options.width)]);
    }
    if (direct) print(["", range(slice)]);
    print(lostLines(slice));
    slices++;
    // Slices are looked at as they come.
    if (time.refreshNs !== undefined) out.flush();
  };
  const progress = args.has("no-progress") ? undefined : makeProgress();
  const run = new AnalysisRun(source, requests, {
    ...time,
    filter: filterOptions(args),
    onSlice: printSlice,
    onBegin: () => {
      if (direct) print(printer(first.analysis).header(first.analysis.log!.heading));
    },
    onProgress: direct && isatty(1) ? undefined : progress?.update,
  });
  checkVital(job.requests, run);
  const result = run.run();
  progress?.end();
  for (const l of uncertainLines(result)) complain(l);
  return result;
}

function lostLines({ lost }: Slice): string[] {
  if (lost.holes === 0) return [];
  const what = [
    ...(lost.events > 0 ? [`${formatCount(lost.events)} event records`] : []),
    ...(lost.packets > 0 ? [`${formatCount(lost.packets)} packets`] : []),
  ].join(" and ");
  const holes = `${formatCount(lost.holes)} ${lost.holes === 1 ? "hole" : "holes"}`;
  return [
    "",
    `The tracer lost ${what === "" ? "an unknown number of event records" : what} here, in ${holes}: what happened in them is not counted.`,
  ];
}

function uncertainLines({ uncertain }: RunAnalysesResult): string[] {
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
  return lines;
}

function contextOf(source: CtfSource): { epochNs: (ns: number) => bigint; hosts: string[] } {
  const { originNs, hosts } = source.info;
  return { epochNs: (ns) => originNs + BigInt(Math.round(ns)), hosts: hosts.map((host) => host.name) };
}

// --- as JSON ---

/** Moments are `ns` after `originEpochNs`. */
function printJson(name: string, job: Job, out: ByteWriter): RunAnalysesResult {
  const { args, source, time } = job;
  const { info } = source;
  const several = job.requests.length > 1;
  const { requests, spools } = withLogs(
    job.requests,
    (analysis, row) => `${spools.get(analysis)!.empty ? "" : ","}\n${exactJson(row)}`,
    undefined,
  );
  const head = {
    command: name,
    paths: args.operands,
    originEpochNs: String(info.originNs),
    hosts: info.hosts.map((host) => host.name),
  };
  out.put(exactJson(head).slice(0, -1));
  out.put(', "slices": [');
  let slices = 0;
  const printResult = ({ analysis, result, missing }: AnalysisResult): void => {
    const { log: _, ...rest } = result;
    const spool = spools.get(analysis);
    const text = exactJson({ missing, ...(spool === undefined ? result : rest) });
    out.put(spool === undefined ? text : `${text.slice(0, -1)}, "log": [`);
    if (spool === undefined) return;
    spool.drain(out);
    out.put("]}");
  };
  const printSlice = (slice: Slice): void => {
    const { beginNs, endNs, lost } = slice;
    const range = {
      beginNs,
      endNs,
      beginEpochNs: String(slice.beginEpochNs),
      endEpochNs: String(slice.endEpochNs),
    };
    out.put(`${slices++ > 0 ? "," : ""}\n${exactJson({ ...range, lost }).slice(0, -1)}, `);
    out.put(several ? '"results": {' : '"result": ');
    slice.results.forEach((one, i) => {
      if (several) out.put(`${i > 0 ? ", " : ""}${JSON.stringify(one.analysis.name)}: `);
      printResult(one);
    });
    out.put(several ? "}}" : "}");
  };
  const progress = args.has("no-progress") ? undefined : makeProgress();
  const run = new AnalysisRun(source, requests, {
    ...time,
    filter: filterOptions(args),
    onSlice: printSlice,
    onProgress: progress?.update,
  });
  checkVital(job.requests, run);
  const result = run.run();
  progress?.end();
  const { uncertain, problems, eventRecords } = result;
  out.put(`], ${exactJson({ eventRecords, uncertain, problems }).slice(1)}\n`);
  return result;
}

// --- for machines ---

function runForMachine(args: ParsedArguments, requests: readonly AnalysisRequest[]): number {
  const { analysis } = requests[0]!;
  if (args.has("mi-version")) {
    writeOutput(`${MI_VERSION}\n`);
    return 0;
  }
  if (args.has("metadata")) {
    writeOutput(`${lamiMetadata(analysis, version)}\n`);
    return 0;
  }
  try {
    const job = prepare(args, requests, "LAMI");
    if (job.source.info.traces.length === 0) throw new PeriscopeError(job.source.failures.join("; "));
    return args.has("test-compatibility") ? testCompatibility(job) : printLami(job);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const usage = error instanceof UsageError;
    if (!usage && !(error instanceof PeriscopeError) && !("code" in error)) throw error;
    writeOutput(`${lamiError(error.message, usage ? "wrong-usage" : "failed")}\n`);
    complain(error.message);
    return usage ? 2 : 1;
  }
}

function testCompatibility({ source, requests }: Job): number {
  const { names } = createKernelModel(source);
  for (const { analysis, options } of requests) {
    const missing: Missing[] = analysis.missing(names, { ...analysis.defaults, ...options });
    const vital = missing.filter((m) => m.vital);
    if (vital.length > 0) throw new PeriscopeError(vital.map(adviceOn).join("; "));
  }
  return 0;
}

function printLami(job: Job): number {
  const { args, source, time } = job;
  const context = contextOf(source);
  const out = new ByteWriter(1);
  const writers = new Map<AnyAnalysis, (row: Row) => string>();
  const writer = (analysis: AnyAnalysis): ((row: Row) => string) => {
    let made = writers.get(analysis);
    if (made === undefined) writers.set(analysis, (made = lamiRows(analysis.log!, analysis.tableClasses)));
    return made;
  };
  const { requests, spools } = withLogs(
    job.requests,
    (analysis, row) =>
      `${spools.get(analysis)!.empty ? "" : ", "}${writer(analysis)(analysis.log!.cells(row, context))}`,
    undefined,
  );
  const progress = args.has("output-progress");
  // All progress lines come before the results object.
  const results = new Spool();
  const write = (text: string): void => (progress ? results.add(text) : out.put(text));
  let written = 0;
  const head = (table: Table, range: Cell): void => {
    write(written++ > 0 ? ", " : '{"results": [');
    write(lamiResultHead(table, range));
  };
  const summaries = new Map<AnyAnalysis, Row[]>();
  let first: Slice | undefined;
  let last: Slice | undefined;
  const stamp = (value: bigint) => ({ class: "timestamp" as const, value });
  const onSlice = (slice: Slice): void => {
    first ??= slice;
    last = slice;
    const range: Cell = {
      class: "time-range",
      begin: stamp(slice.beginEpochNs),
      end: stamp(slice.endEpochNs),
    };
    for (const result of slice.results) {
      const { analysis } = result;
      if (time.refreshNs !== undefined) {
        const rows = summaries.get(analysis) ?? [];
        rows.push(...result.summary());
        summaries.set(analysis, rows);
      }
      for (const table of result.tables()) {
        if (table.class === undefined) continue;
        const spool = table.class === "log" ? spools.get(analysis) : undefined;
        const rows = spool === undefined ? [...table.rows].map(lamiRows(table, analysis.tableClasses)) : [];
        if (rows.length === 0 && (spool === undefined || spool.empty)) continue;
        head(table, range);
        if (spool !== undefined) spool.drain(progress ? results : out);
        else write(rows.join(", "));
        write("]}");
      }
    }
  };
  const say = (share: number, message: string): void => {
    if (!progress) return;
    out.put(`${lamiProgress(share, message)}\n`);
    out.flush();
  };
  const run = new AnalysisRun(source, requests, {
    ...time,
    filter: filterOptions(args),
    onSlice,
    onProgress: (done, total, records) => {
      say(total === 0 ? 0 : done / total, `${records} events processed`);
    },
  });
  checkVital(job.requests, run);
  say(0, "Reading");
  const result = run.run();
  for (const [analysis, rows] of summaries) {
    if (rows.length === 0 || first === undefined || last === undefined) continue;
    const columns = (analysis.tableClasses as Record<string, TableClass>)["summary"]!.columns.map((lami) => ({
      lami,
      text: undefined,
    }));
    const table: Table = { class: "summary", heading: "", columns, rows, view: { kind: "table" } };
    const range: Cell = {
      class: "time-range",
      begin: stamp(first.beginEpochNs),
      end: stamp(last.endEpochNs),
    };
    head(table, range);
    write(rows.map(lamiRows(table, analysis.tableClasses)).join(", "));
    write("]}");
  }
  say(1, "done");
  results.drain(out);
  out.put(written > 0 ? "]}\n" : '{"results": []}\n');
  out.flush();
  // What could not be read is no error: there are results.
  for (const problem of result.problems) complain(problem);
  return 0;
}
