/** `periscope waits` and `periscope critical-path`: where the time of a thread, or of an instance, went. */
import { isatty } from "node:tty";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { collectInstances } from "../explain/instances.js";
import type { Range } from "../explain/run.js";
import { explainThread, type ThreadFinder, threadByTid } from "../explain/thread-time.js";
import { definePeriods } from "../periods/define.js";
import { exactJson } from "../present/lami.js";
import { logText, pathText, waitsText } from "../present/path-text.js";
import { type Command, reportProblems, writeOutput } from "./command.js";
import {
  type ExplainTarget,
  explainPeriodArguments,
  explainTarget,
  TIME_OPTIONS,
} from "./explain-options.js";
import type { OptionSpec, ParsedArguments } from "./options.js";
import { checkNames, PERIOD_OPTIONS } from "./period-options.js";
import { makeProgress } from "./progress.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

const TARGET: readonly OptionSpec[] = [
  { name: "tid", value: "N", help: "this thread" },
  { name: "host", value: "NAME", help: "… of this host, where several are traced" },
  ...TIME_OPTIONS,
  ...PERIOD_OPTIONS.map((option) =>
    option.name === "period"
      ? {
          ...option,
          value: "NAME|DEFINITION",
          help: "instead: the thread and time of an instance of this period",
        }
      : option,
  ),
  { name: "instance", value: "N", help: "which instance, from 1 in order of begin (default: the longest)" },
];

export const waitsCommand: Command = {
  spec: {
    name: "waits",
    operands: "PATH...",
    summary:
      "Accounts for every nanosecond of a thread: on a CPU, waiting for one, and what it waited for else, each exactly once.",
    options: [
      ...TARGET,
      { name: "log", help: "every piece in time order, instead of sums" },
      { name: "json", help: "sums and pieces as JSON" },
      { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
    ],
    notes: "Example: periscope waits --tid 565 --timerange '[17:06:19.5,17:06:28.8]' TRACE",
  },
  run: (args) => run(args, "waits"),
};

export const criticalPathCommand: Command = {
  spec: {
    name: "critical-path",
    operands: "PATH...",
    summary:
      "Follows every wait of a thread to whoever ended it, through other threads, processes and the kernel's workers, down to devices, the network and timers.",
    options: [
      ...TARGET,
      { name: "all", help: "every piece, however short" },
      { name: "json", help: "as JSON" },
      { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
    ],
    notes: "Example: periscope critical-path --profile apache-php-mysql --period request --instance 11 TRACE",
  },
  run: (args) => run(args, "critical-path"),
};

async function run(args: ParsedArguments, label: "waits" | "critical-path"): Promise<number> {
  const width = wholeNumber(args.get("width"), `${label}: --width`, 60) ?? terminalWidth();
  if (args.has("tid") && (args.has("period") || args.has("profile") || args.has("instance"))) {
    throw new UsageError(`${label}: either --tid or a period`);
  }
  const tid = wholeNumber(args.get("tid"), `${label}: --tid`, 0);
  const target = explainTarget(args, label);
  const { source, clock, clocks, reopen } = target;
  const { range, find, what } =
    tid === undefined
      ? await instanceOf(args, target, label)
      : { range: rangeOf(target), find: threadByTid(tid, args.get("host")), what: `thread ${tid}` };
  const progress = makeProgress();
  const result = explainThread(tid === undefined ? reopen() : source, range, find, {
    follow: label === "critical-path",
    onProgress: progress?.update,
  });
  progress?.end();
  const problems = [...source.failures, ...result.problems];
  if (result.time === undefined) {
    reportProblems(problems, 0);
    throw new PeriscopeError(`${label}: nobody knows ${what} in this time; periscope cputop lists threads`);
  }
  if (args.has("json")) writeOutput(`${exactJson({ ...result.time, clocks })}\n`);
  else {
    const options = {
      width,
      color: isatty(1) && !process.env["NO_COLOR"],
      clock: (epochNs: bigint) => clock.format(epochNs),
    };
    const lines = args.has("log")
      ? logText(result.time, options)
      : label === "waits"
        ? waitsText(result.time, options)
        : pathText(result.time, options, args.has("all"));
    writeOutput(`${lines.join("\n")}\n`);
  }
  return reportProblems(problems, 0);
}

/** The range asked for, within the trace. */
function rangeOf({ source, time }: ExplainTarget): Range {
  const { beginNs, endNs } = source.info;
  const range = {
    beginNs: Math.max(time.beginNs ?? beginNs, beginNs),
    endNs: Math.min(time.endNs ?? endNs, endNs),
  };
  if (!(range.beginNs < range.endNs))
    throw new UsageError("the time asked for is not in the trace, or empty");
  return range;
}

async function instanceOf(
  args: ParsedArguments,
  { source, time }: ExplainTarget,
  label: string,
): Promise<{ range: Range; find: ThreadFinder; what: string }> {
  if (!args.has("period") && !args.has("profile")) {
    throw new UsageError(`${label}: expected --tid, or --profile and --period NAME`);
  }
  const { definitions, name } = await explainPeriodArguments(args, label);
  const periods = definePeriods(definitions);
  if (name !== undefined) checkNames("period", [name], periods);
  const path = name === undefined ? periods.definitions[0]!.path : periods.find(name)!.path;
  const progress = makeProgress();
  const { byPath } = collectInstances(source, periods, { path, ...time, onProgress: progress?.update });
  progress?.end();
  const list = byPath.get(path);
  if (list === undefined) throw new PeriscopeError(`${label}: no instance of ${path} in the trace`);
  const number = wholeNumber(args.get("instance"), `${label}: --instance`, 1);
  const index = number === undefined ? -1 : list.find(number);
  const one = number === undefined ? list.longest() : index < 0 ? undefined : list.at(index);
  if (one === undefined) {
    throw new UsageError(
      `${label}: --instance: ${path} has no instance ${number}, expected 1 to ${list.length}`,
    );
  }
  const find: ThreadFinder = ({ model }, at) => {
    // Who ends it knows what it was for; who began it may have handed it on.
    const cpu = at === "begin" ? undefined : one.endCpu >= 0 ? one.endCpu : one.cpu;
    const thread = cpu === undefined ? undefined : model.hosts[one.host]?.cpus[cpu]?.current;
    return thread === undefined || thread.tid === 0 ? undefined : thread;
  };
  return { range: one, find, what: `the thread of ${path} #${one.number}` };
}
