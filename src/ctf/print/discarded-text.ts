/** Losses as babeltrace2 tells of them. */

import { cyclesToNs } from "../stream/clock.js";
import type { Discarded } from "../stream/reader.js";
import type { DataStream } from "../stream/stream.js";
import { timeText } from "./time-text.js";

/** One line, with line feed. */
export function discardedText(
  stream: DataStream,
  discarded: Discarded,
  options: { clock: string; gmt: boolean; date: boolean },
): string {
  const { count } = discarded;
  const kind = discarded.what === "events" ? "event" : "packet";
  const what = Number.isNaN(count)
    ? `Tracer may have discarded ${kind}s`
    : `Tracer discarded ${count} ${kind}${count === 1 ? "" : "s"}`;
  const moment = (cycles: number): string => {
    const ns = cyclesToNs(cycles, stream.clock!.frequency);
    return timeText(stream.originSeconds * 1_000_000_000n + BigInt(ns), { ...options, clock: options.clock });
  };
  const known = stream.clock && !Number.isNaN(discarded.begin) && !Number.isNaN(discarded.end);
  const when = known
    ? `between [${moment(discarded.begin)}] and [${moment(discarded.end)}]`
    : "(unknown time range)";
  const { uuid } = stream.trace.class;
  return (
    `WARNING: ${what} ${when} in trace "${stream.trace.name}" ${uuid ? `(UUID: ${uuid})` : "(no UUID)"} ` +
    `within stream "${stream.files[0]?.path ?? ""}" (stream class ID: ${stream.class.id}, stream ID: ${stream.instance ?? stream.ordinal}).\n`
  );
}
