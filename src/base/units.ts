/** Durations and sizes as people write them: `10ms`, `2.5 s`, `4KiB`. */

import { UsageError } from "./errors.js";

const DURATIONS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  sec: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
  d: 86400e9,
};

const PREFIXES = "KMGTPEZY";

function split(text: string, what: string, example: string): { value: number; unit: string } {
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Zµμ]*)\s*$/.exec(text);
  if (match === null)
    throw new UsageError(`invalid ${what}: "${text}", expected a number and a unit, like ${example}`);
  return { value: Number(match[1]), unit: match[2]! };
}

/** Nanoseconds. A number without a unit counts `plainNs` ns each. Throws `UsageError`. */
export function parseDuration(text: string, plainNs: number): number {
  const { value, unit } = split(text, "duration", "10ms");
  const scale = unit === "" ? plainNs : Object.hasOwn(DURATIONS, unit) ? DURATIONS[unit] : undefined;
  if (scale === undefined) {
    throw new UsageError(`unrecognised units: "${text}", expected ns, us, ms, s, min, h or d`);
  }
  return Math.round(value * scale);
}

/**
 * Bytes: no unit or `B`; `KiB`, `K` and so on are powers of 1024, `KB` and so on powers of 1000. Throws
 * `UsageError`.
 */
export function parseSize(text: string): number {
  const { value, unit } = split(text, "size", "4KiB");
  if (unit === "" || unit === "B") return Math.trunc(value);
  const power = PREFIXES.indexOf(unit[0]!) + 1;
  const rest = unit.slice(1);
  if (power === 0 || !["", "iB", "B"].includes(rest)) {
    throw new UsageError(`unrecognised units: "${text}", expected B, KiB, MiB, GiB, KB, MB, GB`);
  }
  return Math.round(value * (rest === "B" ? 1000 : 1024) ** power);
}
