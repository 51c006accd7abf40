/**
 * The server of `periscope view` and `periscope serve`: the page, what the page asks, and the Trace Server Protocol, from
 * one port. It binds to loopback unless told otherwise and opens only traces below the paths it was given.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGzip, gzip } from "node:zlib";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { IncidentLine } from "../page/contract.js";
import { type ExperimentOptions, nameOfPath, OpenExperiment } from "./experiment.js";
import { HttpError, notFound, type Reply, type Request } from "./http.js";
import { type PageExperiments, pageApi } from "./page-api.js";
import { traceServer } from "./tsp/api.js";
import { Registry } from "./tsp/registry.js";

export interface ServeOptions extends ExperimentOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Path before all others, for a proxy that passes it on: `/periscope`; "" none. */
  readonly prefix: string;
  /** Origins that may ask from other pages; `*` all. */
  readonly origins: readonly string[];
  /** Folder of the page's files. */
  readonly page: string;
  /** Incidents of a collector's store. */
  readonly incidents?: {
    readonly list: () => readonly IncidentLine[];
    /** Path of the traces of an incident; undefined: there is none. */
    readonly pathOf: (id: string) => string | undefined;
  };
  readonly exported?: PageExperiments["exported"];
}

export interface TraceServer {
  readonly port: number;
  readonly experiments: readonly OpenExperiment[];
  close(): Promise<void>;
}

const MOST_BODY = 16 << 20;
/** Smaller replies are not worth compressing. */
const LEAST_COMPRESSED = 2048;
const FILES: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "page.css": "text/css; charset=utf-8",
};

/**
 * Serves experiments: each of `groups` is one, made of one or more paths. Throws `PeriscopeError` when the port cannot be
 * had.
 */
export async function serve(
  groups: readonly (readonly string[])[],
  options: ServeOptions,
): Promise<TraceServer> {
  const registry = new Registry(groups.flat(), options);
  const opened: OpenExperiment[] = [];
  for (const paths of groups) {
    const name = uniqueName(paths.map(nameOfPath).join(" + "), registry);
    const traces = paths.map((path) =>
      registry.addTrace(path, uniqueTraceName(nameOfPath(path), path, registry)),
    );
    opened.push(registry.addExperiment(name, traces).open);
  }
  const fromIncidents = new Map<string, OpenExperiment>();
  const experiments: PageExperiments = {
    list: () => [
      ...new Set([...[...registry.experiments.values()].map(({ open }) => open), ...fromIncidents.values()]),
    ],
    find: (id) => experiments.list().find((one) => one.id === id),
    incidents: () => options.incidents?.list() ?? [],
    openIncident(id) {
      const path = options.incidents?.pathOf(id);
      if (path === undefined) throw notFound(`incident ${id}`);
      let open = fromIncidents.get(id);
      if (open === undefined)
        fromIncidents.set(id, (open = new OpenExperiment([path], `incident ${id}`, options)));
      return open;
    },
    ...(options.exported === undefined ? {} : { exported: options.exported }),
  };
  const server = createServer((request, response) => {
    void answer(request, options, registry, experiments).then((reply) =>
      send(request, response, options, reply),
    );
  });
  server.requestTimeout = 60_000;
  await listen(server, options);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : options.port,
    experiments: opened,
    close: () =>
      new Promise((resolve) => {
        registry.close();
        for (const open of fromIncidents.values()) open.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function uniqueName(name: string, registry: Registry): string {
  const taken = new Set([...registry.experiments.values()].map((one) => one.name));
  return firstFree(name, taken);
}

function uniqueTraceName(name: string, path: string, registry: Registry): string {
  const known = [...registry.traces.values()].find((one) => one.path === path);
  return known?.name ?? firstFree(name, new Set([...registry.traces.values()].map((one) => one.name)));
}

function firstFree(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}(${i})`;
  return free;
}

function listen(server: Server, { address, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE" ? "the port is in use; choose another with --port" : error.message;
      reject(new PeriscopeError(`${address}:${port}: ${why}`));
    });
    server.listen(port, address, resolve);
  });
}

async function answer(
  message: IncomingMessage,
  options: ServeOptions,
  registry: Registry,
  experiments: PageExperiments,
): Promise<Reply> {
  try {
    guard(message, options);
    if (message.method === "OPTIONS") return { status: 204, type: "text/plain", body: "" };
    const { pathname, searchParams } = new URL(message.url ?? "/", "http://server");
    const { prefix } = options;
    if (prefix !== "" && pathname !== prefix && !pathname.startsWith(`${prefix}/`)) throw notFound(pathname);
    const path = pathname
      .slice(prefix.length)
      .split("/")
      .filter((part) => part !== "")
      .map(decodePart);
    const request: Request = {
      method: message.method === "HEAD" ? "GET" : (message.method ?? "GET"),
      path,
      query: searchParams,
      body: await bodyOf(message),
    };
    if (path[0] === "tsp" && path[1] === "api")
      return await traceServer(registry, { ...request, path: path.slice(2) });
    if (path[0] === "api") return await pageApi(experiments, { ...request, path: path.slice(1) });
    if (path.length === 0 && prefix !== "" && pathname === prefix) {
      return { status: 302, type: "text/plain", body: "", headers: { location: `${prefix}/` } };
    }
    return file(options.page, path.join("/") || "index.html");
  } catch (error) {
    return failure(error);
  }
}

/** Pages of other sites must not read traces by way of a name that leads to loopback. */
function guard({ headers }: IncomingMessage, { address, origins }: ServeOptions): void {
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  const loopback = address === "127.0.0.1" || address === "::1" || address === "localhost";
  // Behind a proxy the proxy's own Host is seen, or it is told to pass localhost: what pages can set counts for nothing.
  if (loopback && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)) {
    throw new HttpError(403, `Host ${host}: expected localhost`);
  }
  const { origin } = headers;
  if (origin === undefined || origins.includes("*") || origins.includes(origin)) return;
  if (origin.replace(/^https?:\/\//, "") === headers.host) return;
  if (/^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin)) return;
  // The trace viewer of VS Code.
  if (/^vscode-(webview|file):\/\//.test(origin)) return;
  throw new HttpError(403, `Origin ${origin} may not ask; allow it with --allow-origin`);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, "The path is not encoded as it should be", part);
  }
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_BODY)
      throw new HttpError(413, "The request is too long", `expected at most ${MOST_BODY} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function file(folder: string, name: string): Reply {
  const type = FILES[name];
  if (type === undefined) throw notFound(name);
  try {
    return {
      status: 200,
      type,
      body: readFileSync(`${folder}/${name}`),
      headers: {
        "content-security-policy":
          "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'self'",
      },
    };
  } catch {
    throw new HttpError(500, `The page's file ${name} is missing`, "build it with npm run build");
  }
}

function failure(error: unknown): Reply {
  const words = (status: number, title: string, detail?: string): Reply => ({
    status,
    type: "application/json",
    // `error` for the page, `title` for clients of the protocol.
    body: JSON.stringify({ error: detail === undefined ? title : `${title}: ${detail}`, title, detail }),
  });
  if (error instanceof HttpError) return words(error.status, error.message, error.detail);
  if (error instanceof UsageError) return words(400, "Wrong request", error.message);
  if (error instanceof PeriscopeError) return words(500, "It could not be read", error.message);
  process.stderr.write(`periscope: ${(error as Error).stack ?? error}\n`);
  return words(500, "Internal error", (error as Error).message.split("\n")[0]);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { origins }: ServeOptions,
  { status, type, body, headers }: Reply,
): void {
  const { origin } = request.headers;
  const all: Record<string, string> = {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // What is between here and the browser must not give one origin's answer to another.
    vary: "Origin, Accept-Encoding",
    ...headers,
  };
  if (origin !== undefined && status !== 403)
    all["access-control-allow-origin"] = origins.includes("*") ? "*" : origin;
  if (request.method === "OPTIONS") {
    all["access-control-allow-methods"] = "GET, POST, PUT, DELETE";
    all["access-control-allow-headers"] = "content-type, accept";
  }
  const takesGzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (body instanceof Readable) {
    if (takesGzip) all["content-encoding"] = "gzip";
    stream(request, response, body, status, all, takesGzip);
    return;
  }
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes.length < LEAST_COMPRESSED || !takesGzip) {
    response.writeHead(status, { ...all, "content-length": bytes.length });
    response.end(request.method === "HEAD" ? undefined : bytes);
    return;
  }
  gzip(bytes, { level: 1 }, (error, packed) => {
    const out = error === null ? packed : bytes;
    if (error === null) all["content-encoding"] = "gzip";
    response.writeHead(status, { ...all, "content-length": out.length });
    response.end(request.method === "HEAD" ? undefined : out);
  });
}

/** A reply without a length: one that fails on the way ends in a broken connection, not in a shorter file. */
function stream(
  request: IncomingMessage,
  response: ServerResponse,
  body: Readable,
  status: number,
  headers: Readonly<Record<string, string>>,
  compress: boolean,
): void {
  response.writeHead(status, headers);
  if (request.method === "HEAD") {
    body.destroy();
    response.end();
    return;
  }
  const told = (error: Error | null | undefined) => {
    // Browsers that go away are nobody's fault.
    if (error instanceof PeriscopeError) process.stderr.write(`periscope: export: ${error.message}\n`);
  };
  if (compress) pipeline(body, createGzip({ level: 1 }), response, told);
  else pipeline(body, response, told);
}
