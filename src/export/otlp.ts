/**
 * Periods as OpenTelemetry spans, by OTLP/HTTP in JSON (opentelemetry.io, "OTLP Specification 1.x"; identifiers are
 * hexadecimal there, 64-bit integers are strings). A root instance is a trace. Identifiers are made of what they name,
 * so that the same export twice gives the same spans. Pieces of critical paths are span events.
 */
import { createHash } from "node:crypto";
import { PeriscopeError } from "../base/errors.js";
import { version } from "../version.js";
import type { PathPiece, Paths } from "./span-events.js";
import { epochNs, type Instance, instancesOf, type Timeline } from "./timeline.js";

const BATCH = 512;
const TRIES = 5;
const MOST_WAIT_MS = 30_000;
/** SPAN_KIND_INTERNAL. */
const INTERNAL = 1;

export interface OtlpTarget {
  /** Base address of a collector, like http://127.0.0.1:4318. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
}

const attribute = (key: string, value: string | number | boolean) => ({
  key,
  value:
    typeof value === "string"
      ? { stringValue: value }
      : typeof value === "boolean"
        ? { boolValue: value }
        : { intValue: String(value) },
});

/** Requests of at most 512 spans each, as objects ready for JSON. */
export function* otlpRequests(timeline: Timeline, paths: Paths): Generator<{ spans: number; body: object }> {
  const traces = new Map<number, string>();
  const known = new Map<number, string>();
  const digest = (text: string, bytes: number) =>
    createHash("sha256")
      .update(text)
      .digest("hex")
      .slice(0, 2 * bytes);
  const hosts = new Map<string, object[]>();
  let count = 0;
  const flush = () => {
    const resourceSpans = [...hosts].map(([host, spans]) => ({
      resource: { attributes: [attribute("service.name", "periscope"), attribute("host.name", host)] },
      scopeSpans: [{ scope: { name: "periscope", version }, spans }],
    }));
    const request = { spans: count, body: { resourceSpans } };
    hosts.clear();
    count = 0;
    return request;
  };
  for (const one of instancesOf(timeline)) {
    const identity = `${one.host} ${one.path} ${epochNs(timeline, one.beginNs)} ${one.id}`;
    const traceId = traces.get(one.parent) ?? digest(`trace ${identity}`, 16);
    const spanId = digest(identity, 8);
    traces.set(one.id, traceId);
    known.set(one.id, spanId);
    const spans = hosts.get(one.host) ?? [];
    hosts.set(one.host, spans);
    spans.push(spanOf(timeline, one, traceId, spanId, known.get(one.parent), paths.get(one.id)));
    if (++count === BATCH) yield flush();
  }
  if (count > 0) yield flush();
}

function spanOf(
  timeline: Timeline,
  one: Instance,
  traceId: string,
  spanId: string,
  parentSpanId: string | undefined,
  path: readonly PathPiece[] | undefined,
): object {
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name: one.name,
    kind: INTERNAL,
    startTimeUnixNano: String(epochNs(timeline, one.beginNs)),
    endTimeUnixNano: String(epochNs(timeline, one.endNs)),
    attributes: [
      attribute("periscope.period", one.path),
      attribute("thread.id", one.tid),
      attribute("periscope.completed", one.completed),
      ...one.captures.map(([key, value]) => attribute(`periscope.capture.${key}`, value)),
    ],
    ...(path !== undefined && { events: path.map(eventOf) }),
  };
}

function eventOf({ beginEpochNs, durationNs, name, attributes }: PathPiece): object {
  return {
    timeUnixNano: String(beginEpochNs),
    name,
    attributes: [["periscope.duration_ns", durationNs] as const, ...attributes].map(([key, value]) =>
      attribute(key, value),
    ),
  };
}

/** Sends all spans; answers how many. Throws `PeriscopeError` when the collector does not take them. */
export async function sendOtlp(timeline: Timeline, paths: Paths, target: OtlpTarget): Promise<number> {
  const url = `${target.endpoint.replace(/\/+$/, "")}/v1/traces`;
  let sent = 0;
  for (const { spans, body } of otlpRequests(timeline, paths)) {
    await post(url, JSON.stringify(body), target.headers);
    sent += spans;
  }
  return sent;
}

async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
  for (let tries = 1; ; tries++) {
    let response: Response;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      });
    } catch (error) {
      const cause = (error as Error).cause as Error | undefined;
      throw new PeriscopeError(`${url}: ${cause?.message || (error as Error).message}`);
    }
    const answer = await response.text();
    if (response.ok) return;
    // The statuses that the specification calls retryable.
    const isBusy = [429, 502, 503, 504].includes(response.status);
    if (!isBusy || tries === TRIES) {
      throw new PeriscopeError(`${url}: status ${response.status} ${answer.slice(0, 200).trim()}`.trimEnd());
    }
    const asked = Number(response.headers.get("retry-after")) * 1000;
    const waitMs = asked > 0 ? asked : 500 * 2 ** (tries - 1);
    await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, MOST_WAIT_MS)));
  }
}
