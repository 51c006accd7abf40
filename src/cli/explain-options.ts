/** What the commands of explanations share: which periods, which range, which thread. */
import { fitProfiles, specialFit } from "../analyses/profile-fit.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { formatDuration } from "../base/format.js";
import { alignedTraces } from "../explain/aligned.js";
import type { ClockDifference } from "../explain/clock-alignment.js";
import type { PeriodArguments } from "../periods/define.js";
import { ClockText } from "../present/clock-text.js";
import { type CtfSource, openSource } from "../sources/ctf.js";
import type { HostInfo } from "../sources/source.js";
import { rangeOptions, type TimeOptions } from "./analysis-options.js";
import { complain } from "./command.js";
import type { OptionSpec, ParsedArguments } from "./options.js";
import { profileArgumentsOf } from "./period-options.js";

export const TIME_OPTIONS: readonly OptionSpec[] = [
  { name: "begin", value: "TIME", help: "from TIME on (earlier event records still build the state)" },
  { name: "end", value: "TIME", help: "until TIME" },
  { name: "timerange", value: "[BEGIN,END]", help: "the same in one" },
  { name: "gmt", help: "times are GMT, in and out, instead of local" },
];

/** Quoted for a shell, where it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export interface ExplainTarget {
  readonly source: CtfSource;
  /** The same traces anew. */
  readonly reopen: () => CtfSource;
  readonly time: TimeOptions;
  readonly clock: ClockText;
  /** How far the hosts' clocks were apart, before they were aligned: for machine output. */
  readonly clocks: readonly object[];
}

/** The traces of a command line, their clocks aligned, and its range. Throws where there is nothing to explain. */
export function explainTarget(args: ParsedArguments, label: string): ExplainTarget {
  if (args.operands.length === 0)
    throw new UsageError(`${label}: expected one or more paths; see periscope ${label} --help`);
  const { open, differences, unaligned } = alignedTraces(args.operands);
  const source = open();
  for (const note of source.experiment.notes()) complain(`note: ${note}`);
  const { info } = source;
  if (info.traces.length === 0) throw new PeriscopeError(source.failures.join("; "));
  if (!info.traces.some((trace) => trace.domain !== "ust")) {
    throw new PeriscopeError(`${label}: only user-space traces here, expected a kernel trace`);
  }
  for (const difference of differences) complain(`note: ${clockWords(difference, info.hosts)}`);
  for (const name of unaligned) {
    complain(
      `note: no TCP packets between ${name} and other hosts were traced (net_dev_queue, net_if_receive_skb): its clock is taken as it is`,
    );
  }
  const { time, severalDays } = rangeOptions(args, info);
  const clock = new ClockText({ gmt: args.has("gmt"), date: severalDays });
  const { hosts } = info;
  const clocks = differences.map(({ host, reference, boundNs, ...rest }) => ({
    host: hosts[host]!.name,
    reference: hosts[reference]!.name,
    ...rest,
    boundNs: Number.isFinite(boundNs) ? boundNs : null,
  }));
  return { source, reopen: open, time, clock, clocks };
}

function clockWords(
  { host, reference, offsetNs, boundNs, packets }: ClockDifference,
  hosts: readonly HostInfo[],
): string {
  const bound = Number.isFinite(boundNs)
    ? `± ${formatDuration(boundNs)}`
    : "unbounded, packets went one way only";
  const way = offsetNs < 0 ? "behind" : "ahead of";
  return `the clock of ${hosts[host]!.name} is ${formatDuration(Math.abs(offsetNs))} ${way} that of ${hosts[reference]!.name} (${bound}, from ${packets} packets); their times are aligned`;
}

export interface ExplainPeriods {
  readonly definitions: PeriodArguments;
  /** Which of the periods; undefined: those without a parent. */
  readonly name: string | undefined;
  /** The options that define them, to be typed again. */
  readonly words: string;
}

/**
 * `--profile` and `--period`, of which the latter may also be the mere name of a period. Without definitions: those
 * of the profile that fits the traces best.
 */
export async function explainPeriodArguments(args: ParsedArguments, label: string): Promise<ExplainPeriods> {
  const all = args.all("period");
  const definitions = all.filter((text) => text.includes(":"));
  const names = all.filter((text) => !text.includes(":")).map((text) => text.trim());
  if (names.length > 1) throw new UsageError(`${label}: --period: one name only, not ${names.join(", ")}`);
  const [name] = names;
  const profiles = await profileArgumentsOf(args);
  const periods = [...profiles.periods, ...definitions];
  if (periods.length === 0) return { ...(await bestProfile(args, label)), name };
  const words = (["profile", "param"] as const).flatMap((option) =>
    args.all(option).map((value) => `--${option} ${shellWord(value)}`),
  );
  words.push(...definitions.map((text) => `--period ${shellWord(text)}`));
  const captures = [...profiles.captures, ...args.all("period-captures")];
  return { definitions: { periods, captures }, name, words: words.join(" ") };
}

async function bestProfile(
  args: ParsedArguments,
  label: string,
): Promise<{ definitions: PeriodArguments; words: string }> {
  const { allProfiles } = await import("../profiles/find.js");
  const { bundledProfiles, parameters } = await import("./profile-options.js");
  const { periodArguments } = await import("../profiles/profile.js");
  const profiles = allProfiles(bundledProfiles(), complain);
  const fits = fitProfiles(openSource(args.operands), profiles, parameters(args));
  const best = specialFit(fits) ?? fits.find((one) => one.fits && one.profile.name === "tcp-server");
  if (best === undefined) {
    throw new PeriscopeError(
      `${label}: no profile fits this trace: say with --period what to explain (see periscope profile new --help)`,
    );
  }
  const { name } = best.profile;
  complain(`using --profile ${name}, which fits; periscope periods tells which others do`);
  return { definitions: periodArguments(best.profile, parameters(args)), words: `--profile ${name}` };
}
