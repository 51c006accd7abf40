/** `periscope why`: why the slow ones were slow. */
import { isatty } from "node:tty";
import { fitProfiles } from "../analyses/profile-fit.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { parseDuration } from "../base/units.js";
import { explainPeriods } from "../explain/why.js";
import { checkPeriods } from "../periods/check.js";
import { definePeriods, type PeriodArguments } from "../periods/define.js";
import { ClockText, spansDays } from "../present/clock-text.js";
import { exactJson } from "../present/lami.js";
import { whyJson } from "../present/why-json.js";
import { whyText } from "../present/why-text.js";
import { openSource } from "../sources/ctf.js";
import { timeOptions } from "./analysis-options.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import { shellWord, TIME_OPTIONS } from "./explain-options.js";
import type { ParsedArguments } from "./options.js";
import { PERIOD_OPTIONS, periodArguments } from "./period-options.js";
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
    if (args.operands.length === 0)
      throw new UsageError("why: expected one or more paths; see periscope why --help");
    if (args.has("threshold") && args.has("percentile"))
      throw new UsageError("why: --threshold and --percentile exclude each other");
    const limits = limitsOf(args);
    const width = wholeNumber(args.get("width"), "why: --width", 60) ?? terminalWidth();
    const source = openSource(args.operands);
    for (const note of source.experiment.notes()) complain(`note: ${note}`);
    const { info } = source;
    if (info.traces.length === 0) return reportProblems(source.failures, 0);
    if (!info.traces.some((trace) => trace.domain !== "ust")) {
      throw new PeriscopeError("why: only user-space traces here, expected a kernel trace");
    }
    const given = await periodArguments(args);
    const { definitions, words } =
      (given.periods ?? []).length > 0
        ? { definitions: given, words: periodWords(args) }
        : await bestProfile(args);
    const periods = definePeriods(definitions);
    if (!args.has("profile")) {
      for (const { message } of checkPeriods(periods, info)) if (args.has("period")) complain(message);
    }
    const at = (ns: number) => info.originNs + BigInt(Number.isFinite(ns) ? Math.floor(ns) : 0);
    const [firstNs, lastNs] = [at(info.beginNs), at(info.endNs)];
    const severalDays = spansDays(firstNs, lastNs, args.has("gmt"));
    const { beginNs, endNs } = timeOptions(args, { originNs: info.originNs, firstNs, lastNs, severalDays });
    const progress = makeProgress();
    let first: typeof source | undefined = source;
    const why = explainPeriods(
      () => {
        const one = first ?? openSource(args.operands);
        first = undefined;
        return one;
      },
      periods,
      { ...limits, beginNs, endNs, onProgress: progress?.update },
    );
    progress?.end();
    if (why.periods.length === 0) throw new PeriscopeError("why: no instance of these periods in the trace");
    if (args.has("json")) writeOutput(`${exactJson(whyJson(why))}\n`);
    else {
      const clock = new ClockText({ gmt: args.has("gmt"), date: severalDays });
      const paths = args.operands.map(shellWord).join(" ");
      const lines = why.periods.flatMap((one, i) => [
        ...(i > 0 ? [""] : []),
        ...whyText(one, {
          width,
          color: isatty(1) && !process.env["NO_COLOR"],
          clock: (epochNs) => clock.format(epochNs),
          hosts: info.hosts.length > 1,
          more: (path, instance) => [
            `periscope critical-path ${words} --of ${shellWord(path)} --instance ${instance} ${paths}`,
          ],
        }),
      ]);
      writeOutput(`${lines.join("\n")}\n`);
    }
    return reportProblems([...source.failures, ...why.problems], 0);
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

/** The options that define the periods, to be typed again. */
export function periodWords(args: ParsedArguments): string {
  const options = ["profile", "param", "period"] as const;
  return options.flatMap((name) => args.all(name).map((value) => `--${name} ${shellWord(value)}`)).join(" ");
}

/** Profiles that fit nearly every trace say least. */
const GENERAL = new Set(["syscalls", "process-run", "tcp-server", "cron-job"]);

async function bestProfile(args: ParsedArguments): Promise<{ definitions: PeriodArguments; words: string }> {
  const { allProfiles } = await import("../profiles/find.js");
  const { bundledProfiles, parameters } = await import("./profile-options.js");
  const { periodArguments: argumentsOf } = await import("../profiles/profile.js");
  const fits = fitProfiles(
    openSource(args.operands),
    allProfiles(bundledProfiles(), complain),
    parameters(args),
  ).filter(({ fits: does }) => does);
  const best =
    fits.find(({ profile }) => !GENERAL.has(profile.name)) ??
    fits.find(({ profile }) => profile.name === "tcp-server");
  if (best === undefined) {
    throw new PeriscopeError(
      "why: no profile fits this trace: say with --period what to explain (see periscope periods --help, periscope profile new)",
    );
  }
  complain(`using --profile ${best.profile.name}, which fits; periscope periods tells which others do`);
  return { definitions: argumentsOf(best.profile, {}), words: `--profile ${best.profile.name}` };
}
