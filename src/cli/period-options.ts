/** Options by which users define periods, and the definitions that they make. */
import { UsageError } from "../base/errors.js";
import {
  type DeprecatedPeriod,
  definePeriods,
  deprecatedPeriodText,
  type PeriodArguments,
  type PeriodSet,
} from "../periods/define.js";
import { complain } from "./command.js";
import type { OptionSpec, ParsedArguments } from "./options.js";

export const PARAM: OptionSpec = {
  name: "param",
  value: "NAME=VALUE",
  many: true,
  help: "a parameter of the profile; see periscope profile show NAME",
};

export const PROFILE: readonly OptionSpec[] = [
  {
    name: "profile",
    value: "NAME|FILE",
    many: true,
    help: "periods of a kind of service; see periscope periods PATH",
  },
  PARAM,
];

/** By which periods are defined. */
export const PERIOD_OPTIONS: readonly OptionSpec[] = [
  {
    name: "period",
    value: "DEFINITION",
    many: true,
    help: "NAME(PARENT) : BEGIN : END, expressions over event records",
  },
  {
    name: "period-captures",
    value: "CAPTURES",
    many: true,
    help: "NAME : KEY = $evt.FIELD, ... : AT-END, ... values to keep",
  },
  ...PROFILE,
];

export const PERIODS: readonly OptionSpec[] = [
  ...PERIOD_OPTIONS,
  { name: "per-period", help: "one line for each instance" },
  { name: "period-begin", value: "EVENT", help: "(old form: one period from EVENT ...)" },
  { name: "period-end", value: "EVENT", help: "(... to this one)" },
  { name: "period-begin-key", value: "FIELD,...", help: "(fields that are the same at begin ...)" },
  { name: "period-end-key", value: "FIELD,...", help: "(... and end)" },
  { name: "period-key-value", value: "VALUE,...", help: "(values that they must have)" },
];

const DEPRECATED = {
  begin: "period-begin",
  end: "period-end",
  beginKey: "period-begin-key",
  endKey: "period-end-key",
  keyValue: "period-key-value",
} as const satisfies Record<keyof DeprecatedPeriod, string>;

/** What `--period`, `--period-captures` and `--profile` say, together. */
export async function periodArguments(args: ParsedArguments): Promise<PeriodArguments> {
  const profiles = await profileArgumentsOf(args);
  return {
    periods: [...profiles.periods, ...args.all("period")],
    captures: [...profiles.captures, ...args.all("period-captures")],
  };
}

/** What the profiles stand for. Reading YAML has its price: it is loaded only where there are any. */
export async function profileArgumentsOf(args: ParsedArguments): Promise<PeriodArguments> {
  if (!args.has("profile")) return { periods: [], captures: [] };
  return (await import("./profile-options.js")).profileArguments(args);
}

/**
 * The definitions of a command line, those of its profiles first; undefined: it has none. Throws `UsageError`.
 */
export function definedPeriods(args: ParsedArguments, profiles: PeriodArguments): PeriodSet | undefined {
  const periods = [...profiles.periods, ...args.all("period")];
  const old: { -readonly [K in keyof DeprecatedPeriod]: string } = {};
  for (const [key, name] of Object.entries(DEPRECATED) as [keyof DeprecatedPeriod, string][]) {
    const value = args.get(name);
    if (value !== undefined) old[key] = value;
  }
  if (Object.keys(old).length > 0) {
    if (periods.length > 0 || args.has("period-captures")) {
      throw new UsageError("--period-begin and its like cannot be used together with --period");
    }
    const text = deprecatedPeriodText(old);
    if (text !== undefined) {
      complain(`--period-begin and its like are old; the same is --period '${text}'`);
      periods.push(text);
    }
  }
  const captures = [...profiles.captures, ...args.all("period-captures")];
  const set = definePeriods({ periods, captures });
  return set.definitions.length === 0 ? undefined : set;
}

/** Names with commas between; of a path (`request/db`) the last part counts. */
export function nameList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.slice(part.lastIndexOf("/") + 1).trim())
    .filter((part) => part !== "");
}

/** `--group-by 'P.CAPTURE, Q.OTHER'`. */
export function groupList(text: string): { period: string; capture: string }[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const dot = part.indexOf(".", part.lastIndexOf("/") + 1);
      if (dot < 0) throw new UsageError(`--group-by: "${part}", expected PERIOD.CAPTURE`);
      return { period: nameList(part.slice(0, dot))[0] ?? "", capture: part.slice(dot + 1).trim() };
    });
}

/** Names in options must be defined. */
export function checkNames(option: string, names: readonly string[], set: PeriodSet): void {
  for (const name of names) {
    if (set.find(name) !== undefined) continue;
    const guess = set.nearest(name);
    throw new UsageError(
      `--${option}: there is no period "${name}"${guess === undefined ? "" : `, did you mean "${guess}"?`}`,
    );
  }
}
