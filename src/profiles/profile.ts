/** A profile: periods of some kind of service, in a file, with names, parameters and what they need. */
import { definePeriods, type PeriodSet } from "../periods/define.js";
import type { Repeat } from "../periods/parser.js";

export interface ProfileParameter {
  readonly name: string;
  readonly default: string | number;
  readonly description: string;
}

export interface ProfilePeriod {
  readonly name: string;
  readonly description: string;
  readonly repeat: Repeat;
  readonly begin: string;
  /** Undefined: the same as `begin`. */
  readonly end: string | undefined;
  /** Closes an instance without completing it. */
  readonly unless: string | undefined;
  /** Key → expression, of the begin and of the end. */
  readonly captures: readonly (readonly [key: string, operand: string])[];
  readonly endCaptures: readonly (readonly [key: string, operand: string])[];
  readonly children: readonly ProfilePeriod[];
}

export interface Profile {
  readonly name: string;
  readonly description: string;
  /** Where it was read from. */
  readonly path: string;
  readonly parameters: readonly ProfileParameter[];
  /** Events that the definitions need; of alternatives one is enough. */
  readonly events: readonly (readonly string[])[];
  /** Names of threads that there must be, as patterns; of several one is enough. */
  readonly processes: readonly string[];
  readonly periods: readonly ProfilePeriod[];
}

export type ParameterValues = Readonly<Record<string, string | number>>;

/** Values of all parameters of a profile: those given, else the defaults. */
export function parameterValues(profile: Profile, given: ParameterValues): Record<string, string | number> {
  const values: Record<string, string | number> = {};
  for (const { name, default: value } of profile.parameters) values[name] = given[name] ?? value;
  return values;
}

/** `${name}` replaced. In a string of the language, quotes and backslashes of a value stand for themselves. */
export function substitute(text: string, values: ParameterValues): string {
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : String(value).replace(/["\\]/g, "\\$&");
  });
}

/** Arguments of `--period` and `--period-captures` that say the same as the profile. */
export function periodArguments(
  profile: Profile,
  given: ParameterValues = {},
): { periods: string[]; captures: string[] } {
  const values = parameterValues(profile, given);
  const periods: string[] = [];
  const captures: string[] = [];
  const list = (all: ProfilePeriod["captures"]) =>
    all.map(([key, operand]) => `${key} = ${substitute(operand, values)}`).join(", ");
  const add = (period: ProfilePeriod, parent: string | undefined): void => {
    const { name, repeat, begin, end } = period;
    const head = `${name}${parent === undefined ? "" : `(${parent})`}${repeat === "always" ? "" : ` ${repeat}`}`;
    const last = period.unless === undefined ? [end] : [end ?? begin, period.unless];
    const tail = last
      .map((text) => (text === undefined ? "" : ` : ${substitute(text, values).trim()}`))
      .join("");
    periods.push(`${head} : ${substitute(begin, values).trim()}${tail}`);
    if (period.captures.length + period.endCaptures.length > 0) {
      const atEnd = period.endCaptures.length > 0 ? ` : ${list(period.endCaptures)}` : "";
      captures.push(`${name} : ${list(period.captures)}${atEnd}`);
    }
    for (const child of period.children) add(child, name);
  };
  for (const period of profile.periods) add(period, undefined);
  return { periods, captures };
}

/** The definitions of a profile. Throws `PeriodError`. */
export function profilePeriods(profile: Profile, given: ParameterValues = {}): PeriodSet {
  return definePeriods(periodArguments(profile, given));
}
