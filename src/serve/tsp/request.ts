/** Parameters of the protocol's requests, checked: what is wrong is answered with 400 and says what was expected. */
import { HttpError } from "../http.js";
import { parseExact } from "./exact-json.js";
import type { Point, TimeRange } from "./model.js";

export type Parameters = Readonly<Record<string, unknown>>;

const wrong = (detail: string): HttpError => new HttpError(400, "Invalid query parameters", detail);
const MOST_COUNT = 100_000;

/** The member `parameters` of a body. */
export function parametersOf(body: string): Parameters {
  let value: unknown;
  try {
    value = parseExact(body);
  } catch {
    throw wrong("expected a JSON object");
  }
  const { parameters } = (value ?? {}) as { parameters?: unknown };
  if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters)) {
    throw wrong("expected an object named parameters");
  }
  return parameters as Parameters;
}

/** The body itself, of requests without `parameters` around. */
export function objectOf(body: string): Parameters {
  let value: unknown;
  try {
    value = parseExact(body);
  } catch {
    throw wrong("expected a JSON object");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong("expected a JSON object");
  return value as Parameters;
}

export function bigintOf(value: unknown, name: string): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  throw wrong(`${name}: expected an integer`);
}

export function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw wrong(`${name}: expected a text`);
}

function numberIn(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return Number(value);
  throw wrong(`${name}: expected a number`);
}

/** Ids, indices and counts. */
export function integerIn(value: unknown, name: string): number {
  const number = numberIn(value, name);
  if (Number.isInteger(number)) return number;
  throw wrong(`${name}: expected an integer`);
}

/** The range of a request; `undefined`: none was given. */
export function optionalRange(parameters: Parameters, originNs: bigint): TimeRange | undefined {
  const range = parameters["requested_timerange"];
  if (range !== undefined && range !== null) {
    if (typeof range !== "object") throw wrong("requested_timerange: expected an object with start and end");
    const { start, end, nbTimes, nbSamples } = range as Record<string, unknown>;
    const beginNs = Number(bigintOf(start, "requested_timerange.start") - originNs);
    const endNs = Number(bigintOf(end, "requested_timerange.end") - originNs);
    if (beginNs > endNs) throw wrong("requested_timerange: expected start before end");
    const count = nbTimes ?? nbSamples;
    const asked = count === undefined || count === null ? 0 : numberIn(count, "nbTimes");
    return { beginNs, endNs, count: Math.max(0, Math.min(MOST_COUNT, Math.floor(asked))) };
  }
  // Older clients send the times themselves.
  const times = parameters["requested_times"];
  if (!Array.isArray(times) || times.length < 2) return undefined;
  const beginNs = Number(bigintOf(times[0], "requested_times") - originNs);
  const endNs = Number(bigintOf(times[times.length - 1], "requested_times") - originNs);
  return { beginNs, endNs, count: Math.min(MOST_COUNT, times.length) };
}

export function rangeOf(parameters: Parameters, originNs: bigint): TimeRange {
  const range = optionalRange(parameters, originNs);
  if (range === undefined) throw wrong("requested_timerange: expected start and end");
  return range;
}

export function timeOf(parameters: Parameters, originNs: bigint): number {
  const times = parameters["requested_times"];
  if (!Array.isArray(times) || times.length === 0) throw wrong("requested_times: expected one time");
  return Number(bigintOf(times[0], "requested_times") - originNs);
}

/** `xValue`, and where they are given `yValue` and `seriesId` (the proposed protocol calls it `entryId`). */
export function pointOf(query: URLSearchParams, originNs: bigint): Point {
  const optional = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    const value = Number(text);
    if (!Number.isFinite(value)) throw wrong(`${name}: expected a number`);
    return value;
  };
  return {
    ns: Number(bigintOf(query.get("xValue"), "xValue") - originNs),
    y: optional("yValue"),
    item: optional("seriesId") ?? optional("entryId"),
  };
}

export function itemsOf(parameters: Parameters): number[] {
  const items = parameters["requested_items"];
  if (!Array.isArray(items)) throw wrong("requested_items: expected an array of ids");
  return items.map((item) => integerIn(item, "requested_items"));
}
