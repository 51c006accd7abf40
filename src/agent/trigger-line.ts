/**
 * The line that says that something is late, for whoever can write to a socket:
 *
 *     CAUSE [KEY=VALUE...]
 *
 * UTF-8, one line a datagram (or lines, on a stream). Values with blanks stand in double quotes, `\"` and `\\` inside.
 * `at=` is the moment: seconds since the epoch with a fraction, or nanoseconds (19 digits); without it, now. `cause=`
 * may stand instead of the first word. Numbers become numbers.
 */
import { UsageError } from "../base/errors.js";
import { realtimeNs } from "../base/realtime.js";
import { type Attributes, boundedAttributes } from "./protocol.js";
import type { LocalTrigger } from "./storm.js";

const MAX_LINE = 8192;
const PAIR = /(?:([^\s="]+)=)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)/y;

/** Throws `UsageError`. */
export function parseTriggerLine(line: string): LocalTrigger {
  if (line.length > MAX_LINE)
    throw new UsageError(`trigger line of ${line.length} characters, at most ${MAX_LINE}`);
  const text = line.trim();
  let cause = "";
  let at: string | undefined;
  const attributes: Record<string, string | number> = {};
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const from = PAIR.lastIndex;
    const match = PAIR.exec(text);
    if (match === null || match[0] === "") {
      throw new UsageError(`trigger line: character ${from}: expected KEY=VALUE or KEY="VALUE"`);
    }
    const value = match[2] === undefined ? match[3]! : match[2].replace(/\\(.)/g, "$1");
    const key = match[1];
    if (key === undefined) {
      if (from > 0) throw new UsageError(`trigger line: character ${from}: expected KEY=VALUE`);
      cause = value;
    } else if (key === "at") at = value;
    else if (key === "cause" && cause === "") cause = value;
    else attributes[key] = match[2] === undefined && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  }
  if (cause === "") throw new UsageError("trigger line without a cause");
  return { cause, atNs: momentOf(at), attributes: boundedAttributes(attributes) };
}

function momentOf(text: string | undefined): bigint {
  if (text === undefined) return realtimeNs();
  if (/^\d{16,19}$/.test(text)) return BigInt(text);
  const match = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null)
    throw new UsageError(`trigger line: at=${text}: expected seconds or nanoseconds since the epoch`);
  return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** The line for a trigger; `parseTriggerLine` takes it apart. */
export function formatTriggerLine(cause: string, atNs: bigint, attributes: Attributes): string {
  const quote = (value: string) => `"${value.replace(/[\\"]/g, "\\$&").replace(/[\r\n]+/g, " ")}"`;
  const pairs = Object.entries(attributes).map(([key, value]) => {
    const name = key.replace(/[\s="]/g, "_");
    return `${name}=${typeof value === "number" ? value : quote(value)}`;
  });
  return [`cause=${quote(cause)}`, `at=${atNs}`, ...pairs].join(" ");
}
