/**
 * Moments as people write them on a command line.
 */
import { UsageError } from "./errors.js";

export interface MomentContext {
  /** Times without a zone are GMT instead of local time. */
  readonly gmt: boolean;
  /** A moment (Unix epoch, ns) on the day that times without a date mean. */
  readonly dayOfNs: bigint;
}

const dateTime =
  /^(?:(\d{4})-(\d\d)-(\d\d)[ T])?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?$/;
const dateOnly = /^(\d{4})-(\d\d)-(\d\d)$/;
const plainSeconds = /^(-?)(\d+)(?:\.(\d{1,9}))?$/;

/**
 * Unix-epoch nanoseconds of `[YYYY-MM-DD ]hh:mm[:ss[.n]]` (with `T` for the space and a zone if wanted),
 * `YYYY-MM-DD`, `SECONDS[.n]` since the epoch, or a whole number of nanoseconds since it (13 digits or more).
 * Throws `UsageError`.
 */
export function parseMoment(text: string, context: MomentContext): bigint {
  const seconds = plainSeconds.exec(text.trim());
  if (seconds) {
    const [, sign, whole, fraction] = seconds;
    const isNs = fraction === undefined && whole!.length >= 13;
    const ns = isNs ? BigInt(whole!) : BigInt(whole!) * 1_000_000_000n + fractionNs(fraction);
    return sign === "-" ? -ns : ns;
  }
  const day = dateOnly.exec(text.trim());
  const full = day ? undefined : dateTime.exec(text.trim());
  if (!day && !full) {
    throw new UsageError(`"${text}": expected [YYYY-MM-DD ]hh:mm:ss[.n], or seconds since the epoch`);
  }
  const base = new Date(Number(context.dayOfNs / 1_000_000n));
  const utc = context.gmt;
  const [year, month, date] = day
    ? [Number(day[1]), Number(day[2]), Number(day[3])]
    : full![1] !== undefined
      ? [Number(full![1]), Number(full![2]), Number(full![3])]
      : utc
        ? [base.getUTCFullYear(), base.getUTCMonth() + 1, base.getUTCDate()]
        : [base.getFullYear(), base.getMonth() + 1, base.getDate()];
  const [hour, minute, second] = full ? [Number(full[4]), Number(full[5]), Number(full[6] ?? 0)] : [0, 0, 0];
  if (month < 1 || month > 12 || date < 1 || date > 31 || hour > 23 || minute > 59 || second > 60) {
    throw new UsageError(`"${text}": no such date or time`);
  }
  const zone = full?.[8];
  let ms: number;
  if (zone !== undefined) {
    const offset =
      zone === "Z"
        ? 0
        : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * (zone[0] === "-" ? -1 : 1);
    ms = Date.UTC(year, month - 1, date, hour, minute, second) - offset * 60_000;
  } else if (utc) ms = Date.UTC(year, month - 1, date, hour, minute, second);
  else ms = new Date(year, month - 1, date, hour, minute, second).getTime();
  return BigInt(ms) * 1_000_000n + fractionNs(full?.[7]);
}

function fractionNs(digits: string | undefined): bigint {
  return digits === undefined ? 0n : BigInt(digits.padEnd(9, "0"));
}
