/** What LTTng says about event record classes in CTF 2 `attributes`. */

import { describeJson, type JsonAccess, type JsonObject } from "./json.js";

const LTTNG = "lttng.org,2009";

/** LTTng-UST's log levels, with their numbers in CTF 1.8. */
const LOG_LEVELS: ReadonlyMap<string, number> = new Map(
  [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "info",
    "debug:system",
    "debug:program",
    "debug:process",
    "debug:module",
    "debug:unit",
    "debug:function",
    "debug:line",
    "debug",
  ].map((name, level) => [name, level]),
);

/** The log level and EMF URI of an event record class, if it has them. */
export function readLttngAttributes(
  fragment: JsonObject,
  json: JsonAccess,
): { logLevel: number | undefined; emfUri: string | undefined } {
  // `user-attributes` was their name in drafts of CTF 2.
  const attributes =
    json.optionalObject(fragment, "attributes") ?? json.optionalObject(fragment, "user-attributes");
  const lttng = attributes && json.optionalObject(attributes, LTTNG);
  if (lttng === undefined) return { logLevel: undefined, emfUri: undefined };
  return { logLevel: logLevel(lttng, json), emfUri: json.optionalString(lttng, "emf-uri") };
}

function logLevel(lttng: JsonObject, json: JsonAccess): number | undefined {
  const value = lttng.get("log-level");
  if (typeof value === "number") return json.optionalInteger(lttng, "log-level", -(2 ** 31), 2 ** 31);
  if (value === undefined) return undefined;
  const level = typeof value === "string" ? LOG_LEVELS.get(value) : undefined;
  if (level === undefined) {
    json.fail(lttng.positionOf("log-level"), `found log level ${describeJson(value)}, expected one of LTTng`);
  }
  return level;
}
