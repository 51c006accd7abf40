/** `periscope why`: why the slow ones were slow. */
import { isatty } from "node:tty";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { parseDuration } from "../base/units.js";
import { reuse } from "../explain/aligned.js";
import { explainPeriods } from "../explain/why.js";
import { checkPeriods } from "../periods/check.js";
import { definePeriods } from "../periods/define.js";
import { exactJson } from "../present/lami.js";
import { whyJson } from "../present/why-json.js";
import { whyText } from "../present/why-text.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import { explainPeriodArguments, explainTarget, shellWord, TIME_OPTIONS } from "./explain-options.js";
import type { ParsedArguments } from "./options.js";
import { checkNames, PERIOD_OPTIONS } from "./period-options.js";
import { makeProgress } from "./progress.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

export const command: Command = {
  spec: {
    name: "why",
    operands: "PATH...",
    summary:
      "Finds the slow instances of periods (requests, …) and says for each cause what they waited for, whose fault it was, and how sure that is.",
    options: [
      ...PERIOD_OPTIONS,
      {
        name: "threshold",
        value: "DURATION",
        help: "longer is slow: 1s, 250ms (default: far above the others)",
      },
      { name: "percentile", value: "P", help: "the slowest are slow: 99 means one in a hundred" },
      ...TIME_OPTIONS,
      { name: "json", help: "the same as JSON" },
      { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
    ],
    notes:
      "Without --profile and --period: the profile that fits the trace best.\nExample: periscope why --profile apache-php-mysql --threshold 1s TRACE",
  },

  async run(args) {
    if (args.has("threshold") && args.has("percentile"))
      throw new UsageError("why: --threshold and --percentile exclude each other");
    const limits = limitsOf(args);
    const width = wholeNumber(args.get("width"), "why: --width", 60) ?? terminalWidth();
    const { source, reopen, time, clock, clocks } = explainTarget(args, "why");
    const { definitions, name, words } = await explainPeriodArguments(args, "why");
    const periods = definePeriods(definitions);
    if (name !== undefined) checkNames("period", [name], periods);
    if (!args.has("profile")) {
      for (const { message } of checkPeriods(periods, source.info)) if (args.has("period")) complain(message);
    }
    const progress = makeProgress();
    const why = explainPeriods(reuse(source, reopen), periods, {
      ...limits,
      ...time,
      path: name === undefined ? undefined : periods.find(name)?.path,
      onProgress: progress?.update,
    });
    progress?.end();
    const problems = [...source.failures, ...why.problems];
    if (why.periods.length === 0) {
      reportProblems(problems, 0);
      throw new PeriscopeError(
        "why: no instance of these periods in the trace; periscope periods tells which profiles fit",
      );
    }
    if (args.has("json")) writeOutput(`${exactJson({ ...whyJson(why), clocks })}\n`);
    else {
      const paths = args.operands.map(shellWord).join(" ");
      const lines = why.periods.flatMap((one, i) => [
        ...(i > 0 ? [""] : []),
        ...whyText(one, {
          width,
          color: isatty(1) && !process.env["NO_COLOR"],
          clock: (epochNs) => clock.format(epochNs),
          hosts: source.info.hosts.length > 1,
          more: (path, instance) => [
            `periscope critical-path ${words} --period ${shellWord(path)} --instance ${instance} ${paths}`,
          ],
        }),
      ]);
      writeOutput(`${lines.join("\n")}\n`);
    }
    return reportProblems(problems, 0);
  },
};

function limitsOf(args: ParsedArguments): { thresholdNs?: number; percentile?: number } {
  const threshold = args.get("threshold");
  if (threshold !== undefined) {
    const thresholdNs = parseDuration(threshold, 1e9);
    if (!(thresholdNs > 0))
      throw new UsageError(`why: --threshold: "${threshold}", expected a duration above 0`);
    return { thresholdNs };
  }
  const text = args.get("percentile");
  if (text === undefined) return {};
  const percentile = Number(text);
  if (text.trim() === "" || !(percentile > 0 && percentile <= 100)) {
    throw new UsageError(`why: --percentile: "${text}", expected a number above 0, up to 100`);
  }
  return { percentile };
}
