/** `periscope report`: what the machine was doing, in one page. */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isatty } from "node:tty";
import { Worker } from "node:worker_threads";
import {
  mergeReport,
  type PartialReport,
  type Report,
  type ReportOptions,
  runReport,
  runReportPart,
} from "../analyses/report.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { alignedTraces } from "../explain/aligned.js";
import { explainPeriods } from "../explain/why.js";
import { checkPeriods } from "../periods/check.js";
import { definePeriods } from "../periods/define.js";
import { renderReportHtml } from "../present/report-html.js";
import { reportToJson } from "../present/report-json.js";
import { renderReportText } from "../present/report-text.js";
import { type CtfSource, openSource } from "../sources/ctf.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import { PERIOD_OPTIONS, periodArguments } from "./period-options.js";
import { timeRange } from "./print.js";
import { makeProgress } from "./progress.js";
import type { ReportTask } from "./report-worker.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

/** Below this size (bytes of data streams) starting a thread costs more than it saves. */
const worthAThread = 8_000_000;

export const command: Command = {
  spec: {
    name: "report",
    operands: "PATH...",
    summary:
      "Reads kernel traces once and reports what the machines were doing: CPUs, waits, system calls, I/O, interrupts.",
    options: [
      { name: "json", help: "the same data as JSON" },
      { name: "html", value: "FILE", help: "write one self-contained page with charts instead of text" },
      {
        name: "begin",
        short: "b",
        value: "TIME",
        help: "from TIME on (earlier event records still build the state)",
      },
      { name: "end", short: "e", value: "TIME", help: "until TIME" },
      ...PERIOD_OPTIONS,
      { name: "clock-gmt", help: "TIMEs are in GMT instead of local time" },
      { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
      { name: "threads", value: "N", help: "1 or 2 threads (default: 2 where there is more than one core)" },
    ],
    notes: "TIME: [YYYY-MM-DD ]hh:mm:ss[.nnnnnnnnn], or seconds since the epoch.",
  },

  async run(args) {
    if (args.operands.length === 0)
      throw new UsageError("report: expected one or more paths; see periscope report --help");
    if (args.has("json") && args.has("html"))
      throw new UsageError("report: --json and --html exclude each other");
    const width = wholeNumber(args.get("width"), "report: --width", 60) ?? terminalWidth();
    const threads = wholeNumber(args.get("threads"), "report: --threads", 1) ?? availableParallelism();
    const source = openSource(args.operands);
    for (const note of source.experiment.notes()) complain(`note: ${note}`);
    if (source.info.traces.length === 0) return reportProblems(source.failures, 0);
    if (!source.info.traces.some((trace) => trace.domain !== "ust")) {
      throw new PeriscopeError(
        "report: only user-space traces here, expected a kernel trace; periscope info and print read them",
      );
    }
    const periods = await periodArguments(args);
    if (!args.has("profile")) {
      for (const { message } of checkPeriods(definePeriods(periods), source.info)) complain(message);
    }
    const range = { ...timeRange(args, source.experiment), periods };
    const report =
      threads > 1 && dataBytes(source) > worthAThread
        ? await inTwoThreads(source, args.operands, range)
        : inOneThread(source, range);
    const html = args.get("html");
    const why =
      (periods.periods ?? []).length > 0 && (html !== undefined || args.has("json"))
        ? explainPeriods(alignedTraces(args.operands).open, definePeriods(periods), range)
        : undefined;
    if (html !== undefined) {
      writeFileSync(html, renderReportHtml(report, why));
      complain(`report written to ${html}`);
    } else if (args.has("json")) {
      writeOutput(`${JSON.stringify(reportToJson(report, why), bigintAsText, 2)}\n`);
    } else {
      const color = isatty(1) && !process.env["NO_COLOR"];
      writeOutput(renderReportText(report, { width, color }));
    }
    return reportProblems(report.machine.problems, 0);
  },
};

/** As all moments since the epoch in this output: they do not fit a JSON number. */
function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

type ReportRange = Pick<ReportOptions, "beginNs" | "endNs" | "periods">;

function dataBytes(source: CtfSource): number {
  let bytes = 0;
  for (const stream of source.experiment.streams) for (const file of stream.files) bytes += file.size;
  return bytes;
}

function inOneThread(source: CtfSource, range: ReportRange): Report {
  const progress = makeProgress();
  const report = runReport(source, { ...range, onProgress: progress?.update });
  progress?.end();
  return report;
}

/** One half of the sections in a worker, the other here: both read the trace, nothing is shared. */
async function inTwoThreads(
  source: CtfSource,
  paths: readonly string[],
  range: ReportRange,
): Promise<Report> {
  const task: ReportTask = { paths, ...range };
  const worker = new Worker(new URL("./report-worker.js", import.meta.url), { workerData: task });
  const other = new Promise<PartialReport>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const progress = makeProgress();
  try {
    const mine = runReportPart(source, 1, { ...range, onProgress: progress?.update });
    return mergeReport(await other, mine);
  } finally {
    progress?.end();
    await worker.terminate();
  }
}
