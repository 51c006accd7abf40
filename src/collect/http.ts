/** What the collector answers by HTTP: triggers in, incidents, agents, metrics and health out. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { TlsOptions } from "node:tls";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { TriggerOutcome } from "./incidents/coordinator.js";
import { type Incident, incidentJson } from "./incidents/incident.js";
import { addressFilter } from "./listen.js";
import { type Trigger, triggersOfJson } from "./triggers/trigger.js";

const MAX_BODY_BYTES = 1 << 20;
const MAX_LISTED = 1000;

export interface HttpHandlers {
  readonly trigger: (trigger: Trigger) => TriggerOutcome;
  readonly incidents: (limit: number) => readonly Incident[];
  readonly incident: (id: string) => Incident | undefined;
  /** Text of the explanation beside an incident; undefined: there is none. */
  readonly why: (id: string, format: "txt" | "json") => string | undefined;
  readonly agents: () => readonly unknown[];
  readonly metrics: () => string;
  /** What is wrong; none: healthy. */
  readonly troubles: () => readonly string[];
}

export interface HttpOptions {
  readonly address: string;
  readonly port: number;
  /** Networks that may connect; none: all. */
  readonly allow: readonly string[];
  readonly tls: TlsOptions | undefined;
  /** Callers must say it (`Authorization: Bearer …`), but for health. */
  readonly token: string | undefined;
}

export interface HttpListener {
  readonly port: number;
  close(): Promise<void>;
}

/** Throws `PeriscopeError` when the port cannot be had. */
export async function serveHttp(options: HttpOptions, handlers: HttpHandlers): Promise<HttpListener> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, options, handlers).then(({ status, body, type }) => {
      // What was not read of the request would be taken for the next one.
      const close = request.complete ? {} : { connection: "close" };
      response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...close });
      response.end(body);
    });
  };
  const server: Server =
    options.tls === undefined
      ? createServer(handle)
      : createTlsServer({ ...options.tls, requestCert: false }, handle);
  const mayCome = addressFilter(options.allow);
  server.on("connection", (socket) => {
    if (!mayCome(socket.remoteAddress ?? "")) socket.destroy();
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.maxConnections = 1000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new PeriscopeError(`http port ${options.address}:${options.port}: ${error.message}`));
    });
    server.listen(options.port, options.address, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

const json = (status: number, body: unknown): Answer => ({
  status,
  body: `${JSON.stringify(body)}\n`,
  type: "application/json",
});
const text = (status: number, body: string, type = "text/plain; charset=utf-8"): Answer => ({
  status,
  body,
  type,
});

async function answer(
  request: IncomingMessage,
  options: HttpOptions,
  handlers: HttpHandlers,
): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://collector");
  const path = url.pathname.replace(/\/+$/, "") || "/";
  try {
    if (path === "/healthz") return health(handlers);
    if (!authorized(request, options.token))
      return json(401, { error: "expected the token (Authorization: Bearer …)" });
    if (path === "/trigger") {
      if (request.method !== "POST") return json(405, { error: "expected POST" });
      return await trigger(request, handlers);
    }
    if (request.method !== "GET" && request.method !== "HEAD") return json(405, { error: "expected GET" });
    if (path === "/metrics") return text(200, handlers.metrics(), "text/plain; version=0.0.4; charset=utf-8");
    if (path === "/agents") return json(200, { agents: handlers.agents() });
    if (path === "/incidents") {
      const limit = Math.min(MAX_LISTED, Number(url.searchParams.get("limit") ?? 100) || 100);
      return json(200, { incidents: handlers.incidents(limit).map(incidentJson) });
    }
    const match = /^\/incidents\/([\w-]+)(?:\/why(\.json)?)?$/.exec(path);
    if (match !== null) return incident(match[1]!, path, handlers);
    return json(404, { error: `nothing at ${path}` });
  } catch (error) {
    if (error instanceof UsageError) return json(400, { error: error.message });
    return json(500, { error: (error as Error).message });
  }
}

function health(handlers: HttpHandlers): Answer {
  const troubles = handlers.troubles();
  return json(troubles.length === 0 ? 200 : 503, { status: troubles.length === 0 ? "UP" : "DOWN", troubles });
}

function incident(id: string, path: string, handlers: HttpHandlers): Answer {
  const found = handlers.incident(id);
  if (found === undefined) return json(404, { error: `no incident ${id}` });
  if (!path.includes("/why")) return json(200, incidentJson(found));
  const format = path.endsWith(".json") ? "json" : "txt";
  const why = handlers.why(id, format);
  if (why === undefined) return json(404, { error: `incident ${id}: the explanation is ${found.why}` });
  return text(200, why, format === "json" ? "application/json" : "text/plain; charset=utf-8");
}

async function trigger(request: IncomingMessage, handlers: HttpHandlers): Promise<Answer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) return json(413, { error: `more than ${MAX_BODY_BYTES} bytes` });
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces).toString("utf8").trim();
  let value: unknown;
  try {
    value = body === "" ? {} : JSON.parse(body);
  } catch (error) {
    throw new UsageError(`body is not JSON: ${(error as Error).message}`);
  }
  const outcomes = triggersOfJson(value).map((one) => handlers.trigger(one));
  const first = outcomes[0];
  if (first === undefined) return json(200, { result: "nothing fires" });
  if (first.kind === "suppressed")
    return json(429, { result: "suppressed", reason: first.reason, error: `suppressed: ${first.reason}` });
  return json(first.kind === "incident" ? 201 : 200, { result: first.kind, incident: first.incident });
}

function authorized(request: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return true;
  const digest = (value: string) => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ""), digest(`Bearer ${token}`));
}
