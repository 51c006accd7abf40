/** A trigger: somebody saw that something was late. */
import { type Attributes, boundedAttributes } from "../../agent/protocol.js";
import { UsageError } from "../../base/errors.js";
import { realtimeNs } from "../../base/realtime.js";

export interface Trigger {
  /** What was late, in a word or two: limits count by it. */
  readonly cause: string;
  /** Whose agents save. */
  readonly group: string;
  /** Realtime, ns since the epoch: when it was late. */
  readonly atNs: bigint;
  /** How many triggers it stands for. */
  readonly count: number;
  readonly attributes: Attributes;
  /** Host that saw it; "" not known. */
  readonly host: string;
}

export const DEFAULT_GROUP = "default";
const MAX_NAME = 200;

/** A name as it may be kept: printable, not too long; `otherwise` where nothing is left. */
export function boundedName(text: string, otherwise: string): string {
  const clean = text
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, MAX_NAME);
  return clean === "" ? otherwise : clean;
}

/**
 * The body of `POST /trigger`: `{"cause", "group"?, "at"?, "host"?, "attributes"?: {…}}` (`at`: RFC 3339 or ns since
 * the epoch as text), or what Alertmanager's web hook sends (version 4: firing alerts, each a trigger; label
 * `group` or `periscope_group` chooses the group). Answers none when all alerts are resolved. Throws `UsageError`.
 */
export function triggersOfJson(body: unknown): Trigger[] {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new UsageError("expected a JSON object");
  }
  const fields = body as Readonly<Record<string, unknown>>;
  if (Array.isArray(fields["alerts"])) return fields["alerts"].flatMap(triggerOfAlert);
  const text = (name: string, otherwise: string): string => {
    const value = fields[name];
    if (value === undefined) return otherwise;
    if (typeof value !== "string") throw new UsageError(`"${name}": expected text`);
    return boundedName(value, otherwise);
  };
  const attributes = fields["attributes"] ?? {};
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    throw new UsageError('"attributes": expected an object');
  }
  return [
    {
      cause: text("cause", "trigger"),
      group: text("group", DEFAULT_GROUP),
      atNs: momentOf(fields["at"]),
      count: 1,
      attributes: boundedAttributes(attributes as Record<string, unknown>),
      host: text("host", ""),
    },
  ];
}

function triggerOfAlert(alert: unknown): Trigger[] {
  if (typeof alert !== "object" || alert === null) throw new UsageError('"alerts": expected objects');
  const { status, labels, startsAt, annotations } = alert as Record<string, unknown>;
  if (status !== "firing") return [];
  const own = { ...(labels as Record<string, unknown> | undefined) };
  const name = (key: string) => (typeof own[key] === "string" ? own[key] : "");
  return [
    {
      cause: boundedName(name("alertname"), "alert"),
      group: boundedName(name("periscope_group") || name("group"), DEFAULT_GROUP),
      atNs: typeof startsAt === "string" ? momentOf(startsAt) : realtimeNs(),
      count: 1,
      attributes: boundedAttributes({ ...(annotations as Record<string, unknown> | undefined), ...own }),
      host: name("instance"),
    },
  ];
}

function momentOf(value: unknown): bigint {
  if (value === undefined) return realtimeNs();
  if (typeof value === "string" && /^\d{1,19}$/.test(value)) return BigInt(value);
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms))
    throw new UsageError('"at": expected a time as RFC 3339, or ns since the epoch as text');
  return BigInt(ms) * 1_000_000n;
}
