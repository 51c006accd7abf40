/** CTF 2 clock classes. */

import type { MutableClock } from "./field-classes.js";
import { describeJson, type JsonAccess, JsonObject } from "./json.js";

/** Reads a `clock-class` fragment; `uuid` is what drafts of CTF 2 had instead of `uid`. */
export function readClock(fragment: JsonObject, json: JsonAccess, uuid: string | undefined): MutableClock {
  const name = json.optionalString(fragment, "name");
  // Drafts of CTF 2 had only the name.
  const id = json.optionalString(fragment, "id") ?? name;
  if (id === undefined) json.fail(fragment.at, 'found no property "id", expected a string');
  const frequency = json.optionalBigint(fragment, "frequency", 1n);
  if (frequency === undefined) json.fail(fragment.at, 'found no property "frequency", expected an integer');
  const offset = json.optionalObject(fragment, "offset-from-origin");
  const clock: MutableClock = {
    id,
    name,
    namespace: json.optionalString(fragment, "namespace"),
    uid: json.optionalString(fragment, "uid") ?? uuid,
    description: json.optionalString(fragment, "description"),
    frequency,
    offsetSeconds: (offset && json.optionalBigint(offset, "seconds")) ?? 0n,
    offsetCycles: (offset && json.optionalBigint(offset, "cycles", 0n, frequency - 1n)) ?? 0n,
    precision: json.optionalBigint(fragment, "precision", 0n),
    accuracy: json.optionalBigint(fragment, "accuracy", 0n),
    originIsUnixEpoch: false,
    originKey: undefined,
  };
  readOrigin(clock, fragment, json);
  return clock;
}

function readOrigin(clock: MutableClock, fragment: JsonObject, json: JsonAccess): void {
  const origin = fragment.get("origin");
  if (origin === undefined) return;
  if (origin === "unix-epoch") {
    clock.originIsUnixEpoch = true;
    return;
  }
  if (!(origin instanceof JsonObject)) {
    json.fail(
      fragment.positionOf("origin"),
      `found ${describeJson(origin)} for "origin", expected "unix-epoch" or an object`,
    );
  }
  const parts = [
    json.optionalString(origin, "namespace") ?? "",
    json.string(origin, "name"),
    json.string(origin, "uid"),
  ];
  clock.originKey = parts.join("\0");
}
