/** Number literals, exactly: integers of any size, hexadecimal, and durations with their unit. */

/** Nanoseconds. */
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  sec: 1_000_000_000n,
  m: 60_000_000_000n,
  min: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

export const UNIT_NAMES = "ns, us, ms, s, min, h or d";

/** The one form in which an integer is kept: a number where that is exact, else a bigint. */
export function canonicalInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A sign, digits, a fraction, an exponent; undefined when the exponent is beyond any number's. */
function decimal(text: string): { digits: bigint; exponent: number } | undefined {
  const [, sign, whole, fraction = "", power = "0"] = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(
    text,
  )!;
  const digits = BigInt(`${whole}${fraction}`);
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > 400) return undefined;
  return { digits: sign === "-" ? -digits : digits, exponent };
}

/** Value of `12`, `-1.5e3`; undefined when it is out of range. */
export function parseDecimal(text: string): number | bigint | undefined {
  const parsed = decimal(text);
  if (parsed === undefined) return undefined;
  const { digits, exponent } = parsed;
  if (exponent >= 0) return canonicalInteger(digits * 10n ** BigInt(exponent));
  const scale = 10n ** BigInt(-exponent);
  if (digits % scale === 0n) return canonicalInteger(digits / scale);
  return Number(text);
}

/** Value of `0x1f`, with an optional sign. */
export function parseHexadecimal(text: string): number | bigint {
  const negative = text.startsWith("-");
  const value = BigInt(text.replace(/^[+-]/, ""));
  return canonicalInteger(negative ? -value : value);
}

/** Nanoseconds of a decimal number of `unit`, rounded; undefined for no unit of time, or out of range. */
export function parseDurationLiteral(text: string, unit: string): number | bigint | undefined {
  const scale = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  const parsed = decimal(text);
  if (scale === undefined || parsed === undefined) return undefined;
  const { digits, exponent } = parsed;
  if (exponent >= 0) return canonicalInteger(digits * scale * 10n ** BigInt(exponent));
  const divisor = 10n ** BigInt(-exponent);
  const value = digits * scale;
  const half = value < 0n ? -divisor / 2n : divisor / 2n;
  return canonicalInteger((value + half) / divisor);
}

/** Whether `unit` is a unit of time. */
export function isUnit(unit: string): boolean {
  return Object.hasOwn(UNITS, unit);
}
