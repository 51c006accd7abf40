/** Results of analyses as text. */

import { isatty } from "node:tty";
import type { AnyAnalysis } from "../analyses/analysis.js";
import type { RunAnalysesResult, Slice } from "../analyses/run.js";
import type { ByteWriter } from "../base/byte-writer.js";
import { formatCount } from "../base/format.js";
import { ClockText } from "../present/clock-text.js";
import { periodLine } from "../present/period-text.js";
import { LogText, type TablesTextOptions, tableText } from "../present/tables-text.js";
import { fit, wrap } from "../present/text.js";
import { adviceOn, contextOf, type Job, runOf, uncertainLines, withLogs } from "./analysis-job.js";
import { onlyLog } from "./analysis-options.js";
import { complain } from "./command.js";
import { perPeriodTable } from "./per-period.js";
import { makeProgress } from "./progress.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

export function printText(job: Job, out: ByteWriter): RunAnalysesResult {
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
  const direct =
    job.requests.length === 1 &&
    time.refreshNs === undefined &&
    !job.perPeriod &&
    onlyLog(first.options as never);
  const { requests, spools } = withLogs(
    job,
    (analysis, row) => `${printer(analysis).row(analysis.log!.cells(row, context))}\n`,
    direct ? (text) => out.put(text) : undefined,
  );
  const range = (slice: { beginEpochNs: bigint; endEpochNs: bigint }): string =>
    `Timerange: [${clock.format(slice.beginEpochNs, true)}, ${clock.format(slice.endEpochNs, true)}]`;
  let slices = 0;
  const printSlice = (slice: Slice): void => {
    if (!direct) print([...(slices > 0 ? [""] : []), range(slice)]);
    if (slice.period !== undefined) print([fit(periodLine(slice.period), options.width)]);
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
    if (time.refreshNs !== undefined || job.perPeriod) out.flush();
  };
  const progress = args.has("no-progress") ? undefined : makeProgress();
  const table = args.has("per-period") ? perPeriodTable(job, options) : undefined;
  const run = runOf(job, requests, {
    onSlice: table === undefined ? printSlice : (slice) => print([table.row(slice)]),
    onBegin: () => {
      if (table !== undefined) print(table.header());
      if (direct) print(printer(first.analysis).header(first.analysis.log!.heading));
    },
    onProgress: direct && isatty(1) ? undefined : progress?.update,
  });
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
