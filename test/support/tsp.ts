/**
 * The Trace Server Protocol for tests: a server, the published client, everything that the server replied, and the
 * protocol's OpenAPI file to hold it against.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before } from "node:test";
import { Ajv } from "ajv";
import { HttpTspClient } from "tsp-typescript-client/lib/protocol/http-tsp-client.js";
import { parse } from "yaml";
import { root } from "../support.js";
import { type Replay, replayOf } from "./replay.js";
import { type RunningServer, startServer } from "./server.js";

const specification = join(root, "../shared/spec/tsp/API.yaml");

/** For `test(name, { skip })`. */
export const withoutSpecification: string | false = existsSync(specification) ? false : "no ../shared";

export interface Reply {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly body: string;
}

/** The model of an answer that must be there. */
export function modelOf<T>(answer: {
  getStatusCode(): number;
  getStatusMessage(): string;
  getModel(): T | undefined;
}): T {
  const model = answer.getModel();
  assert.ok(model !== undefined, `${answer.getStatusCode()}: ${answer.getStatusMessage()}`);
  return model;
}

/** A server of one trace, asked by way of a proxy that keeps the replies. */
export class RecordedServer {
  server!: RunningServer;
  client!: HttpTspClient;
  readonly replies: Reply[] = [];
  readonly #proxies: Server[] = [];
  #base = "";
  #replay: Promise<Replay> | undefined;

  constructor(readonly trace: string) {}

  async start(): Promise<void> {
    this.server = await startServer("serve", [this.trace]);
    this.#base = await this.record(this.server);
    this.client = new HttpTspClient(this.#base);
  }

  async stop(): Promise<void> {
    for (const proxy of this.#proxies) {
      proxy.close();
      proxy.closeAllConnections();
    }
    await this.server.stop();
  }

  /** Base of the protocol's paths of a server, by way of a proxy that keeps the replies. */
  async record({ url }: RunningServer): Promise<string> {
    const proxy = createServer((request, response) => {
      void (async () => {
        const parts: Buffer[] = [];
        for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
        const body = Buffer.concat(parts);
        const answer = await fetch(url + request.url, {
          method: request.method!,
          headers: { "content-type": "application/json" },
          ...(body.length > 0 ? { body } : {}),
        });
        const text = await answer.text();
        this.replies.push({ method: request.method!, path: request.url!, status: answer.status, body: text });
        response.writeHead(answer.status, { "content-type": answer.headers.get("content-type")! });
        response.end(text);
      })();
    });
    this.#proxies.push(proxy);
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/tsp/api`;
  }

  /** Asks without the published client; a server that was recorded, by its base. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    base = this.#base,
  ): Promise<{ status: number; text: string }> {
    const answer = await fetch(base + path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** The experiment once all of it is read. */
  async experiment(): Promise<{ UUID: string; start: bigint; end: bigint; nbEvents: number }> {
    for (;;) {
      const [first] = modelOf(await this.client.fetchExperiments());
      if (first!.indexingStatus === "COMPLETED") return first as never;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async outputId(part: string): Promise<string> {
    const { UUID } = await this.experiment();
    const outputs = modelOf(await this.client.experimentOutputs(UUID));
    return outputs.find(({ id }) => id.includes(part))!.id;
  }

  /** What babeltrace2 says of the trace; moments since the experiment's begin. */
  async replayed(): Promise<Replay> {
    const { start } = await this.experiment();
    this.#replay ??= replayOf(this.trace, start);
    return this.#replay;
  }
}

/** A server for the tests of a file. */
export function useServer(trace: string): RecordedServer {
  const server = new RecordedServer(trace);
  before(() => server.start());
  after(() => server.stop());
  return server;
}

/** What the published client asks though the file does not have it. */
const BEYOND = [
  { name: "XY tooltip", pattern: /\/outputs\/XY\/[^/]+\/tooltip$/ },
  { name: "/experiments/{expUUID}", pattern: /\/experiments\/[^/]+$/ },
  { name: "/config/types/{typeId}", pattern: /\/config\/types\/[^/]+$/ },
];

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

export interface Judgement {
  /** Replies that are not as the file has them. */
  readonly wrong: readonly string[];
  /** How many operations were asked. */
  readonly operations: number;
  /** Statuses of operations that the file names and no reply had. */
  readonly missing: readonly string[];
  /** What was asked that the file does not have. */
  readonly beyond: readonly string[];
}

/** Holds replies against the protocol's OpenAPI file. */
export function judge(replies: readonly Reply[]): Judgement {
  const api = parse(readFileSync(specification, "utf8")) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, object> };
  };
  // The file says `object` of these, and beside it that only numbers and texts are allowed; published replies have them.
  api.components.schemas["MetadataValue"] = { type: ["string", "number"] };
  api.components.schemas["StyleValue"] = { type: ["string", "number"] };
  const ajv = new Ajv({ strict: false, allErrors: true });
  ajv.addFormat("uuid", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  ajv.addFormat("int32", { type: "number", validate: (value) => Math.abs(value) < 2 ** 31 });
  ajv.addFormat("int64", { type: "number", validate: (value) => Math.abs(value) <= 2 ** 63 });
  ajv.addFormat("double", { type: "number", validate: Number.isFinite });
  ajv.addSchema({ $id: "api", components: api.components });
  const templates = Object.keys(api.paths)
    .map((path) => ({ path, pattern: new RegExp(`^/tsp/api${path.replace(/\{[^}]+\}/g, "[^/]+")}$`) }))
    .sort((a, b) => (a.path.match(/\{/g)?.length ?? 0) - (b.path.match(/\{/g)?.length ?? 0));
  const wrong = new Set<string>();
  /** What clients ask beyond the file. */
  const beyond = new Set<string>();
  /** Statuses of each operation. */
  const seen = new Map<string, Set<string>>();
  for (const { method, path, status, body } of replies) {
    const plain = decodeURIComponent(path.split("?")[0]!);
    const template = templates.find((one) => one.pattern.test(plain));
    const operation = template === undefined ? undefined : api.paths[template.path]![method.toLowerCase()];
    if (operation === undefined) {
      const [what] = BEYOND.filter(({ pattern }) => pattern.test(plain));
      beyond.add(`${method} ${what?.name ?? plain}`);
      continue;
    }
    const response = operation.responses[String(status)];
    if (response === undefined) {
      wrong.add(`${method} ${template!.path} answers ${status}: ${body.slice(0, 300)}`);
      continue;
    }
    const statuses = seen.get(`${method} ${template!.path}`) ?? new Set();
    seen.set(`${method} ${template!.path}`, statuses.add(String(status)));
    const content = response.content?.["application/json"];
    if (content === undefined || body === "") continue;
    const schema = JSON.parse(
      JSON.stringify(content.schema).replaceAll('"#/components', '"api#/components'),
    ) as object;
    if (!ajv.validate(schema, JSON.parse(body))) {
      wrong.add(
        `${method} ${template!.path} ${status}: ${ajv.errorsText(ajv.errors)} in ${body.slice(0, 300)}`,
      );
    }
  }
  const missing = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) => {
      const name = `${method.toUpperCase()} ${path}`;
      return Object.keys(responses).flatMap((status) =>
        seen.get(name)?.has(status) === true ? [] : [`${name} ${status}`],
      );
    }),
  );
  return { wrong: [...wrong], operations: seen.size, missing: missing.sort(), beyond: [...beyond].sort() };
}
