/** Moments as users of the library give them. */
import { parseMoment } from "../base/moment.js";

/** A moment: nanoseconds since the Unix epoch, a `Date`, or text such as `2026-11-23 16:59:34.5` (local time). */
export type Moment = bigint | Date | string;

/** As `ns` since a source's origin; times of day are those of the origin's day. Throws `UsageError` for other text. */
export function momentNs(moment: Moment | undefined, originNs: bigint): number | undefined {
  if (moment === undefined) return undefined;
  const epochNs =
    typeof moment === "bigint"
      ? moment
      : moment instanceof Date
        ? BigInt(moment.getTime()) * 1_000_000n
        : parseMoment(moment, { gmt: false, dayOfNs: originNs });
  return Number(epochNs - originNs);
}
