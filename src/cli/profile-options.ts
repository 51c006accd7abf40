/** What `--profile` and `--param` stand for. Loaded only where they are given: reading YAML has its price. */
import { dirname } from "node:path";
import { UsageError } from "../base/errors.js";
import type { PeriodArguments } from "../periods/define.js";
import { nearest } from "../periods/nearest.js";
import { findProfile } from "../profiles/find.js";
import { type ParameterValues, periodArguments } from "../profiles/profile.js";
import { installed } from "./installed.js";
import type { ParsedArguments } from "./options.js";

/** The folder of the profiles that come with Periscope. */
export function bundledProfiles(): string {
  return dirname(installed("profiles/profile.schema.json"));
}

/** The values of `--param`. */
export function parameters(args: ParsedArguments): ParameterValues {
  const values: Record<string, string> = {};
  for (const text of args.all("param")) {
    const [, name, value] = /^\s*(\w+)\s*=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw new UsageError(`--param: "${text}", expected NAME=VALUE`);
    values[name] = value!;
  }
  return values;
}

/** Arguments of `--period` and `--period-captures` that the profiles stand for. */
export function profileArguments(args: ParsedArguments): PeriodArguments {
  const values = parameters(args);
  const profiles = args.all("profile").map((name) => findProfile(name, bundledProfiles()));
  const known = profiles.flatMap((profile) => profile.parameters.map(({ name }) => name));
  for (const name of Object.keys(values)) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    const expected = known.length === 0 ? "" : `, expected ${known.join(", ")}`;
    throw new UsageError(
      `--param: the profile has no "${name}"${guess === undefined ? expected : `, did you mean "${guess}"?`}`,
    );
  }
  const all = profiles.map((profile) => periodArguments(profile, values));
  return {
    periods: all.flatMap(({ periods }) => periods),
    captures: all.flatMap(({ captures }) => captures),
  };
}
