/** Options of the analysis commands: declared per family, and read into what analyses want. */

import type { FilterOptions } from "../analyses/filter.js";
import { UsageError } from "../base/errors.js";
import { parseMoment } from "../base/moment.js";
import { parseDuration, parseSize } from "../base/units.js";
import { spansDays } from "../present/clock-text.js";
import type { SourceInfo } from "../sources/source.js";
import type { CommandSpec, OptionSpec, ParsedArguments } from "./options.js";
import { groupList, nameList, PERIODS } from "./period-options.js";

const RANGE: readonly OptionSpec[] = [
  { name: "begin", value: "TIME", help: "from TIME on (earlier event records still build the state)" },
  { name: "end", value: "TIME", help: "until TIME" },
  { name: "timerange", value: "[BEGIN,END]", help: "the same in one" },
  { name: "follow", help: "with net://…: go on until the session ends, or Ctrl-C" },
  {
    name: "refresh",
    short: "r",
    value: "DURATION",
    help: "cut into slices of (at least) this length; plain numbers are s",
  },
  { name: "gmt", help: "times are GMT, in and out, instead of local" },
];

const FILTERS: readonly OptionSpec[] = [
  { name: "cpu", value: "N,...", help: "these CPUs only" },
  { name: "procname", value: "NAME,...", help: "these processes only, by name; * and ? are wildcards" },
  { name: "tid", value: "N,...", help: "these threads only" },
  {
    name: "cgroup",
    value: "N,...",
    help: "these cgroup namespaces only (inode numbers, from the state dump)",
  },
  { name: "container", value: "N,...", help: "namespaces of any kind (inode numbers)" },
];

const OUTPUT: readonly OptionSpec[] = [
  { name: "json", help: "results as JSON" },
  { name: "mi", help: "results as LAMI 1.0, for Trace Compass" },
  { name: "mi-version", help: "print the version of LAMI" },
  { name: "metadata", help: "print LAMI's metadata of this command" },
  { name: "test-compatibility", help: "say nothing, succeed if the trace has what this needs" },
  { name: "output-progress", help: "progress lines before LAMI results" },
  { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
  { name: "no-color", help: "no colours" },
  { name: "no-progress", help: "no progress bar" },
  { name: "debug", help: "tell where in the program an error came from" },
  { name: "version", short: "V", help: "print the version" },
  // Accepted so that command lines for LTTng analyses run: there is nothing to turn off.
  { name: "no-intersection", help: "(all is always read)" },
  { name: "skip-validation", help: "(lost event records are found while reading)" },
  { name: "progress-use-size", help: "(progress is by size)" },
];

const LIMIT: OptionSpec = { name: "limit", value: "N", help: "rows of top tables (default 10; unlimited)" };
const BOUNDS: readonly OptionSpec[] = [
  { name: "min", value: "DURATION", help: "leave out what is shorter; plain numbers are µs" },
  { name: "max", value: "DURATION", help: "leave out what is longer" },
];
const FREQ: readonly OptionSpec[] = [
  { name: "freq", help: "distributions" },
  { name: "freq-resolution", value: "N", help: "bins of distributions (default 20)" },
  { name: "freq-uniform", help: "the same bounds for all" },
  { name: "freq-series", help: "one table for all" },
];
const LOG: OptionSpec = { name: "log", help: "all of them" };
const STATS: OptionSpec = { name: "stats", help: "statistics" };
const TOP: OptionSpec = { name: "top", help: "the longest" };

/** What each family adds to the common options. */
const FAMILIES: Readonly<Record<string, readonly OptionSpec[]>> = {
  cputop: [LIMIT, { ...TOP, help: "(always)" }],
  memtop: [LIMIT, { ...TOP, help: "(always)" }],
  io: [
    { name: "usage", help: "bytes by process, file, disk, interface" },
    STATS,
    TOP,
    LOG,
    ...FREQ,
    LIMIT,
    ...BOUNDS,
    { name: "minsize", value: "SIZE", help: "leave out calls that moved less (4KiB, 1MB, ...)" },
    { name: "maxsize", value: "SIZE", help: "leave out calls that moved more" },
  ],
  irq: [
    { ...LIMIT, help: "(nothing to limit)" },
    STATS,
    LOG,
    ...FREQ,
    ...BOUNDS,
    { name: "irq", value: "N,...", help: "these interrupts only" },
    { name: "softirq", value: "N,...", help: "these softirqs only" },
  ],
  sched: [
    STATS,
    TOP,
    LOG,
    ...FREQ,
    LIMIT,
    ...BOUNDS,
    { name: "total", help: "over all threads" },
    { name: "per-tid", help: "by thread (the default)" },
    { name: "per-prio", help: "by priority" },
  ],
  syscallstats: [{ ...LIMIT, help: "threads told (default: all)" }],
  period: [
    STATS,
    { ...TOP, help: "the longest instances" },
    { ...LOG, help: "every instance" },
    ...FREQ,
    LIMIT,
    { name: "min", value: "DURATION", help: "lower bound of distributions; plain numbers are µs" },
    { name: "max", value: "DURATION", help: "upper bound of distributions" },
    { name: "min-duration", value: "DURATION", help: "leave out shorter instances; plain numbers are µs" },
    { name: "max-duration", value: "DURATION", help: "leave out longer instances" },
    { name: "select", value: "NAME,...", help: "these periods only; with --aggregate-by: these children" },
    { name: "aggregate-by", value: "NAME", help: "children by instances of this parent" },
    { name: "group-by", value: "NAME.CAPTURE,...", help: "apart for each captured value" },
    { name: "waterfall", help: "the longest (--limit) with their children, to scale" },
    { name: "order-by", value: "time|hierarchy", help: "order of the log (default time)" },
    { name: "period-aggregate", value: "NAME,...", help: "(old name of --select)" },
    { name: "period-aggregate-by", value: "NAME", help: "(old name of --aggregate-by)" },
    { name: "period-group-by", value: "NAME.CAPTURE,...", help: "(old name of --group-by)" },
  ],
  all: [LIMIT, LOG, ...FREQ],
};

/** The specification of a command; analyses without a family of their own take the common options and `limit`. */
export function analysisSpec(name: string, family: string, summary: string): CommandSpec {
  return {
    name,
    operands: "PATH...",
    summary,
    lastWins: true,
    options: [...(FAMILIES[family] ?? [LIMIT]), ...PERIODS, ...FILTERS, ...RANGE, ...OUTPUT],
    notes: [
      "TIME: [YYYY-MM-DD ]hh:mm:ss[.nnnnnnnnn], seconds or ns since the epoch. DURATION: 10ms, 2.5s, 300us.",
      "Sections of a family add up: periscope schedlog --top --stats PATH.",
    ].join("\n"),
  };
}

function list(text: string | undefined): string[] | undefined {
  return text
    ?.split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function integers(args: ParsedArguments, name: string): number[] | undefined {
  return list(args.get(name))?.map((part) => {
    if (!/^-?\d+$/.test(part))
      throw new UsageError(`--${name}: "${part}", expected whole numbers with commas between`);
    return Number(part);
  });
}

export function filterOptions(args: ParsedArguments): FilterOptions {
  return {
    cpus: integers(args, "cpu"),
    tids: integers(args, "tid"),
    procnames: list(args.get("procname")),
    cgroups: integers(args, "cgroup"),
    containers: integers(args, "container"),
  };
}

function limitOption(text: string): number {
  if (text === "unlimited") return Number.POSITIVE_INFINITY;
  if (!/^-?\d+$/.test(text)) throw new UsageError(`--limit: "${text}", expected a whole number or unlimited`);
  // LTTng analyses take 0 and less as no limit.
  return Number(text) > 0 ? Number(text) : Number.POSITIVE_INFINITY;
}

/** Microseconds where no unit is given. */
const micro = (text: string): number => parseDuration(text, 1e3);

/** The options of an analysis that the command line gives. */
export function analysisOptions(args: ParsedArguments): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  const value = (name: string, key: string, parse: (text: string) => unknown): void => {
    const text = args.get(name);
    if (text !== undefined) options[key] = parse(text);
  };
  const flag = (name: string, key = name): void => {
    if (args.has(name)) options[key] = true;
  };
  value("limit", "limit", limitOption);
  value("min", "minNs", micro);
  value("max", "maxNs", micro);
  value("minsize", "minBytes", parseSize);
  value("maxsize", "maxBytes", parseSize);
  for (const name of ["log", "stats", "top", "freq", "usage", "total"]) flag(name);
  flag("waterfall");
  flag("freq-uniform", "freqUniform");
  flag("freq-series", "freqSeries");
  value("freq-resolution", "freqResolution", (text) => {
    if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 10_000) {
      throw new UsageError(`--freq-resolution: "${text}", expected a whole number from 1 to 10000`);
    }
    return Number(text);
  });
  if (args.has("irq")) options["irqs"] = integers(args, "irq");
  if (args.has("softirq")) options["softirqs"] = integers(args, "softirq");
  value("min-duration", "minDurationNs", micro);
  value("max-duration", "maxDurationNs", micro);
  for (const prefix of ["period-", ""]) {
    value(prefix === "" ? "select" : "period-aggregate", "select", nameList);
    value(`${prefix}aggregate-by`, "aggregateBy", (text) => nameList(text)[0] ?? "");
    value(`${prefix}group-by`, "groupBy", groupList);
  }
  value("order-by", "orderBy", (text) => {
    if (text !== "time" && text !== "hierarchy") {
      throw new UsageError(`--order-by: "${text}", expected time or hierarchy`);
    }
    return text;
  });
  flag("per-prio", "perPrio");
  // Other groups alone turn the default one off.
  if (args.has("per-tid")) options["perTid"] = true;
  else if (args.has("total") || args.has("per-prio")) options["perTid"] = false;
  return options;
}

/** Which sections a command line asks for beside a log: with none, a log can be printed as it comes. */
export function onlyLog(options: Readonly<Record<string, unknown>>): boolean {
  return (
    options["log"] === true &&
    options["aggregateBy"] === undefined &&
    !["stats", "top", "freq", "usage", "waterfall"].some((name) => options[name] === true)
  );
}

interface TraceTimes {
  /** Exact ns since the epoch: of `ns` 0, of the first and of the last packet. */
  readonly originNs: bigint;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly severalDays: boolean;
}

export interface TimeOptions {
  readonly beginNs?: number;
  readonly endNs?: number;
  readonly refreshNs?: number;
}

/** `--begin`, `--end`, `--timerange` and `--refresh`, as `ns` since the source's origin. */
function timeOptions(args: ParsedArguments, times: TraceTimes): TimeOptions {
  const moment = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    if (times.severalDays && /^\s*\d\d:/.test(text)) {
      throw new UsageError(`"${text}": the trace spans several days, expected a date: YYYY-MM-DD hh:mm:ss`);
    }
    const context = { gmt: args.has("gmt"), dayOfNs: times.firstNs };
    return Number(parseMoment(text, context) - times.originNs);
  };
  let [begin, end] = [args.get("begin"), args.get("end")];
  const range = args.get("timerange");
  if (range !== undefined) {
    const match = /^\s*\[(.*),([^,]*)\]\s*$/s.exec(range);
    if (match === null) throw new UsageError(`--timerange: "${range}", expected [BEGIN,END]`);
    [begin, end] = [match[1]!.trim(), match[2]!.trim()];
  }
  const endNs = moment(end);
  if (endNs !== undefined && endNs < Number(times.firstNs - times.originNs)) {
    throw new UsageError(`"${end}": the end is before the trace begins`);
  }
  const refresh = args.get("refresh");
  const refreshNs = refresh === undefined ? undefined : parseDuration(refresh, 1e9);
  if (refreshNs !== undefined && refreshNs <= 0)
    throw new UsageError(`--refresh: "${refresh}", expected a duration above 0`);
  return { beginNs: moment(begin), endNs, refreshNs };
}

/** The range that a command line asks for, and whether moments of the traces are told with their dates. */
export function rangeOptions(
  args: ParsedArguments,
  info: SourceInfo,
): { readonly time: TimeOptions; readonly severalDays: boolean } {
  const at = (ns: number) => info.originNs + BigInt(Number.isFinite(ns) ? Math.floor(ns) : 0);
  const [firstNs, lastNs] = [at(info.beginNs), at(info.endNs)];
  const severalDays = spansDays(firstNs, lastNs, args.has("gmt"));
  return { time: timeOptions(args, { originNs: info.originNs, firstNs, lastNs, severalDays }), severalDays };
}

/** What LAMI's metadata and errors are about. */
export function isMachine(args: ParsedArguments): boolean {
  return ["mi", "mi-version", "metadata", "test-compatibility", "output-progress"].some((name) =>
    args.has(name),
  );
}
