/**
 * The server of the Trace Server Protocol among strangers: odd requests, pages of other sites, names that lead to this
 * machine, a proxy before it.
 */
import assert from "node:assert/strict";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { HttpTspClient } from "tsp-typescript-client/lib/protocol/http-tsp-client.js";
import { startServer } from "../support/server.js";
import { judge, modelOf, useServer, withoutSpecification } from "../support/tsp.js";
import { sample } from "../support.js";

const tsp = useServer(sample("dns-outlier"));

/** Paths of an output, by its type. */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  TIME_GRAPH: ["timeGraph", "tree", "states", "arrows", "tooltip"],
  TREE_TIME_XY: ["XY", "tree", "xy"],
  TREE_GENERIC_XY: ["genericXY", "tree", "xy"],
  DATA_TREE: ["data", "tree"],
  TABLE: ["table", "columns", "lines"],
};

test("no request, however odd, is a fault of the server", async () => {
  const { UUID, start, end } = await tsp.experiment();
  const outputs = (await tsp.client.experimentOutputs(UUID)).getModel()!;
  const range = { start: Number(start), end: Number(end), nbTimes: 10, nbSamples: 10 };
  const odd: Record<string, unknown>[] = [
    { requested_timerange: null, requested_items: null },
    { requested_timerange: "now" },
    { requested_timerange: { start: null, end: {} }, requested_items: [1] },
    { requested_timerange: { start: 0, end: 0, nbTimes: 0 }, requested_items: [] },
    { requested_timerange: { start: -1e15, end: 9e15, nbTimes: -5 }, requested_items: [-1, 1e15, 1.5] },
    { requested_timerange: { ...range, nbTimes: 1e12, nbSamples: 1e12 }, requested_items: [0] },
    { requested_timerange: { ...range, nbTimes: "many" }, requested_items: [0] },
    { requested_timerange: range, requested_items: ["a", {}, null] },
    { requested_timerange: range, requested_items: [0], filter_query_parameters: "x" },
    ...["(", "duration > much", "duration > 1ms && (", "", "||", "&&"].map((text) => ({
      requested_timerange: range,
      requested_items: [0, 1, 2],
      filter_query_parameters: { filter_expressions_map: { 1: [text], x: 7, 4: null } },
    })),
    { requested_times: ["abc"], requested_items: [0], requested_table_count: 5 },
    { requested_times: [1.5], requested_items: [0], requested_table_count: 5 },
    { requested_times: [], requested_items: [], requested_table_count: 5 },
    { requested_times: [String(start)], requested_items: [999999], requested_table_count: 5 },
    { requested_table_index: 1e15, requested_table_count: 1e15 },
    { requested_table_index: -1, requested_table_count: 1 },
    { requested_table_index: 1.5, requested_table_count: -1 },
    { requested_table_index: 0, requested_table_count: 2, requested_table_column_ids: [99, "x", -1] },
    { requested_table_index: 0, requested_table_count: 2, table_search_expressions: { 1: "(" } },
    { requested_table_index: 0, requested_table_count: 2, table_search_expressions: { x: null, 77: "a" } },
    {
      requested_table_index: 1e6,
      requested_table_count: 2,
      table_search_expressions: { 3: "nothing has this" },
      table_search_direction: "PREVIOUS",
    },
    { requested_timerange: range, requested_marker_set: 7, requested_marker_categories: "x" },
  ];
  const path = `/experiments/${UUID}/outputs`;
  let asked = 0;
  const check = async (method: string, where: string, body?: unknown): Promise<void> => {
    const { status, text } = await tsp.ask(method, where, body);
    assert.ok(status < 500, `${method} ${where} ${JSON.stringify(body)}: ${status} ${text.slice(0, 300)}`);
    asked++;
  };
  for (const { id, type } of outputs) {
    const [form, ...whats] = PATHS[type]!;
    for (const parameters of odd) {
      for (const what of whats) await check("POST", `${path}/${form}/${id}/${what}`, { parameters });
      await check("POST", `${path}/${id}/annotations`, { parameters });
    }
    if (type === "TREE_TIME_XY") {
      for (const query of [
        "",
        "?xValue=",
        "?xValue=1e400",
        "?xValue=1.5",
        "?xValue=7&yValue=x",
        "?xValue=7&seriesId=-3",
      ])
        await check("GET", `${path}/XY/${id}/tooltip${query}`);
    }
  }
  for (const parameters of [
    null,
    [],
    {},
    { tid: "x" },
    { tid: 1.5 },
    { tid: -7 },
    { periods: 7 },
    { periods: [""] },
  ]) {
    for (const { id, capabilities } of outputs) {
      if (capabilities?.canCreate !== true) continue;
      for (const sourceTypeId of ["periscope.periods", "periscope.critical-path", "", 7])
        await check("POST", `${path}/${id}`, { name: "odd", sourceTypeId, parameters });
    }
    await check("POST", "/config/types/periscope.periods/configs", { name: "odd", parameters });
    await check("POST", `/experiments/${UUID}/bookmarks`, { parameters });
    await check("POST", "/traces", { parameters });
    await check("POST", "/experiments", { parameters });
    await check("PUT", `/experiments/${UUID}`, { parameters });
  }
  for (const uri of [
    "\0",
    "net://localhost",
    "http://localhost/x",
    "file:",
    "file://elsewhere/x",
    "..",
    "a".repeat(10_000),
  ])
    await check("POST", "/traces", { parameters: { uri } });
  assert.ok(asked > 1000, `${asked} requests`);
  assert.equal(tsp.server.errors(), "");
});

test("pages of other sites may not ask", async () => {
  const evil = await fetch(`${tsp.server.url}/tsp/api/traces`, {
    headers: { origin: "https://example.org" },
  });
  assert.equal(evil.status, 403);
  assert.equal(evil.headers.get("access-control-allow-origin"), null);
  const local = await fetch(`${tsp.server.url}/tsp/api/traces`, {
    headers: { origin: "http://localhost:3000" },
  });
  assert.equal(local.headers.get("access-control-allow-origin"), "http://localhost:3000");
  for (const answer of [evil, local]) assert.match(answer.headers.get("vary")!, /\bOrigin\b/);
});

/** A request as a test words it: with any host, and with the headers of the answer. */
function raw(
  url: string,
  method: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve({ status: answer.statusCode!, headers: answer.headers }));
    })
      .on("error", reject)
      .end();
  });
}

/** Asks whether a page may send a request, as browsers do. */
async function preflight(url: string, origin: string, host?: string) {
  const headers = { origin, "access-control-request-method": "PUT", ...(host === undefined ? {} : { host }) };
  const answer = await raw(url, "OPTIONS", headers);
  return {
    status: answer.status,
    allowed: answer.headers["access-control-allow-origin"],
    methods: answer.headers["access-control-allow-methods"],
  };
}

const METHODS = "GET, POST, PUT, DELETE";
const refused = { status: 403, allowed: undefined };

test("browsers that ask first are told the same", async () => {
  const url = `${tsp.server.url}/tsp/api/traces`;
  const local = await preflight(url, "http://localhost:3000");
  assert.deepEqual(local, { status: 204, allowed: "http://localhost:3000", methods: METHODS });
  const evil = await preflight(url, "https://example.org");
  assert.deepEqual({ status: evil.status, allowed: evil.allowed }, refused);
  // A name that leads to this machine.
  const rebound = await preflight(url, "http://rebound.example.org", "rebound.example.org");
  assert.deepEqual({ status: rebound.status, allowed: rebound.allowed }, refused);
});

test("origins that are allowed, and a path before all others", async () => {
  const [viewer, other] = ["https://viewer.example.org", "https://example.org"];
  for (const [allow, expected] of [
    [
      [viewer, "https://second.example.org"],
      { [viewer]: viewer, "https://second.example.org": "https://second.example.org", [other]: undefined },
    ],
    [["*"], { [viewer]: "*", [other]: "*" }],
  ] as const) {
    const options = allow.flatMap((one) => ["--allow-origin", one]);
    const own = await startServer("serve", [
      ...options,
      "--prefix",
      "/a/b",
      "--no-cache",
      sample("idle-small"),
    ]);
    const url = `${own.url}/tsp/api/health`;
    assert.ok(url.endsWith("/a/b/tsp/api/health"), url);
    for (const [origin, allowed] of Object.entries(expected)) {
      const answer = await raw(url, "GET", { origin });
      assert.equal(answer.status, allowed === undefined ? 403 : 200, origin);
      assert.equal(answer.headers["access-control-allow-origin"], allowed);
      assert.match(answer.headers["vary"]!, /\bOrigin\b/);
      assert.equal((await preflight(url, origin)).allowed, allowed);
    }
    assert.equal((await raw(url.replace("/a/b", ""), "GET", {})).status, 404);
    assert.equal((await raw(url.replace("/a/b", "/a/bc"), "GET", {})).status, 404);
    const behind = new HttpTspClient(`${own.url}/tsp/api`);
    assert.equal(modelOf(await behind.fetchTraces()).length, 1);
    await own.stop();
  }
});

test("the replies are as the protocol's OpenAPI file has them", { skip: withoutSpecification }, () => {
  assert.deepEqual(judge(tsp.replies).wrong.slice(0, 10), []);
});
