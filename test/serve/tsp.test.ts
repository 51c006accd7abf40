/**
 * The Trace Server Protocol against what is not ours: the published client calls every end point, and every reply is
 * validated against the protocol's OpenAPI file. What the replies say is compared with the reference tools' figures and
 * with the command line.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Ajv } from "ajv";
import { QueryHelper } from "tsp-typescript-client/lib/models/query/query-helper.js";
import { HttpTspClient } from "tsp-typescript-client/lib/protocol/http-tsp-client.js";
import { parse } from "yaml";
import { type RunningServer, startServer } from "../support/server.js";
import { periscope, root, sample } from "../support.js";

const specification = join(root, "../shared/spec/tsp/API.yaml");
const trace = sample("dns-outlier");

interface Reply {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly body: string;
}

let server: RunningServer;
let recorder: Server;
let client: HttpTspClient;
const replies: Reply[] = [];

/** Passes everything on to the server and keeps the replies. */
async function startRecorder(target: string): Promise<string> {
  recorder = createServer((request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
      const body = Buffer.concat(parts);
      const answer = await fetch(target + request.url, {
        method: request.method!,
        headers: { "content-type": "application/json" },
        ...(body.length > 0 ? { body } : {}),
      });
      const text = await answer.text();
      replies.push({ method: request.method!, path: request.url!, status: answer.status, body: text });
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(text);
    })();
  });
  await new Promise<void>((resolve) => recorder.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
}

before(async () => {
  server = await startServer("serve", [trace]);
  client = new HttpTspClient(`${await startRecorder(server.url)}/tsp/api`);
});

after(async () => {
  recorder.close();
  recorder.closeAllConnections();
  await server.stop();
});

async function experiment(): Promise<{ UUID: string; start: bigint; end: bigint; nbEvents: number }> {
  for (;;) {
    const [first] = (await client.fetchExperiments()).getModel()!;
    if (first!.indexingStatus === "COMPLETED") return first as never;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The model of an answer that must be there. */
function modelOf<T>(answer: { getStatusCode(): number; getModel(): T | undefined }): T {
  const model = answer.getModel();
  assert.ok(
    model !== undefined,
    `${answer.getStatusCode()}: ${replies.at(-1)?.path} ${replies.at(-1)?.body.slice(0, 300)}`,
  );
  return model;
}

async function outputId(part: string): Promise<string> {
  const { UUID } = await experiment();
  const outputs = (await client.experimentOutputs(UUID)).getModel()!;
  return outputs.find(({ id }) => id.includes(part))!.id;
}

test("health and identifier", async () => {
  assert.equal((await client.checkHealth()).getModel()!.status, "UP");
  const identifier = (await client.fetchIdentifier()).getModel()!;
  assert.match(identifier.version, /^\d+\.\d+\.\d+$/);
  assert.equal(identifier.productId, "periscope");
});

test("times are exact beyond 2^53, as babeltrace2 tells them", async () => {
  const { start, nbEvents } = await experiment();
  assert.equal(typeof start, "bigint");
  const info = JSON.parse(periscope(["info", "--json", trace]).stdout.replace(/:\s*(\d{16,})/g, ':"$1"')) as {
    traces: { streams: { beginNs?: string; events: number }[] }[];
  };
  const streams = info.traces.flatMap((one) => one.streams);
  assert.equal(
    nbEvents,
    streams.reduce((sum, one) => sum + one.events, 0),
  );
  assert.ok(start % 1000n !== 0n || start > 2n ** 53n);
});

test("traces and experiments: open, conflict, delete", async () => {
  const traces = (await client.fetchTraces()).getModel()!;
  assert.equal(traces.length, 1);
  assert.equal((await client.fetchTrace(traces[0]!.UUID)).getModel()!.path, trace);
  // The same again is no conflict, another path under the same name is.
  const again = await client.openTrace(QueryHelper.query({ uri: trace, name: traces[0]!.name }));
  assert.equal(again.getModel()!.UUID, traces[0]!.UUID);
  const outside = await client.openTrace(QueryHelper.query({ uri: "/etc" }));
  assert.equal(outside.getStatusCode(), 404);
  const below = await client.openTrace(QueryHelper.query({ uri: `${trace}/kernel`, name: traces[0]!.name }));
  if (existsSync(`${trace}/kernel`)) assert.equal(below.getStatusCode(), 409);
  const missing = await client.createExperiment(
    QueryHelper.query({ name: "x", traces: ["00000000-0000-0000-0000-000000000000"] }),
  );
  assert.equal(missing.getStatusCode(), 204);
  const made = await client.createExperiment(
    QueryHelper.query({ name: "second", traces: [traces[0]!.UUID] }),
  );
  const { UUID } = made.getModel()!;
  assert.equal((await client.fetchExperiment(UUID)).getModel()!.name, "second");
  await client.updateExperiment(UUID, QueryHelper.query({ name: "second" }));
  assert.equal((await client.deleteTrace(traces[0]!.UUID)).getStatusCode(), 409);
  assert.equal((await client.deleteExperiment(UUID)).getModel()!.indexingStatus, "CLOSED");
  assert.equal((await client.fetchExperiment(UUID)).getStatusCode(), 404);
});

test("every output answers what its type can be asked", async () => {
  const { UUID, start, end } = await experiment();
  const outputs = (await client.experimentOutputs(UUID)).getModel()!;
  assert.ok(outputs.length >= 28, `${outputs.length} outputs`);
  const range = QueryHelper.timeRangeQuery(start, end, 200);
  for (const { id, type } of outputs) {
    await client.fetchAnnotationsCategories(UUID, id, "holes");
    await client.fetchAnnotations(
      UUID,
      id,
      QueryHelper.timeRangeQuery(start, end, 100, { requested_marker_set: "holes" }),
    );
    if (type === "TIME_GRAPH") {
      const tree = modelOf(await client.fetchTimeGraphTree(UUID, id, range));
      assert.equal(tree.status, "COMPLETED");
      const items = tree.model.entries.filter((one) => one.hasData !== false).map((one) => one.id);
      assert.ok(items.length > 0, id);
      const query = QueryHelper.selectionTimeRangeQuery(start, end, 200, items);
      const states = modelOf(await client.fetchTimeGraphStates(UUID, id, query));
      const all = states.model.rows.flatMap((row) =>
        row.states.map((state) => ({ row: row.entryId, ...state })),
      );
      assert.ok(all.length > 0, id);
      assert.equal(typeof all[0]!.start, "bigint");
      for (const row of states.model.rows) {
        row.states.forEach((state, i) => {
          assert.ok(state.start <= state.end);
          const next = row.states[i + 1];
          if (next !== undefined) assert.ok(state.start <= next.start, "in order");
        });
      }
      await client.fetchTimeGraphArrows(UUID, id, QueryHelper.timeRangeQuery(start, end, 200));
      const one = all[Math.floor(all.length / 2)]!;
      const tooltip = await client.fetchTimeGraphTooltip(
        UUID,
        id,
        QueryHelper.selectionTimeQuery([one.start], [one.row], {
          requested_element: { elementType: "STATE", time: one.start, duration: one.end - one.start },
        }),
      );
      assert.equal(tooltip.getStatusCode(), 200);
      const styles = (await client.fetchStyles(UUID, id, QueryHelper.query())).getModel()!.model.styles;
      for (const { style } of all)
        assert.ok(styles[style!.parentKey!] !== undefined, `style ${style!.parentKey}`);
    } else if (type === "TREE_TIME_XY") {
      const tree = modelOf(await client.fetchXYTree(UUID, id, range));
      const items = tree.model.entries.slice(0, 3).map((one) => one.id);
      const query = QueryHelper.selectionTimeRangeQuery(start, end, 50, items);
      const answer = await client.fetchXY(UUID, id, query);
      assert.equal(answer.getStatusCode(), 200, `${id}: ${replies.at(-1)?.body.slice(0, 300)}`);
      const xy = answer.getModel()!;
      for (const one of xy.model.series) assert.equal(one.xValues!.length, one.yValues.length);
      await client.fetchStyles(UUID, id, QueryHelper.query());
      await client.fetchXYToolTip(UUID, id, 1, 1);
    } else if (type === "TREE_GENERIC_XY") {
      const tree = modelOf(await client.fetchGenericXYTree(UUID, id, range));
      const items = tree.model.entries.slice(0, 2).map((one) => one.id);
      const query = QueryHelper.query({
        requested_timerange: { start, end, nbSamples: 20 },
        requested_items: items,
      });
      const xy = modelOf(await client.fetchGenericXY(UUID, id, query));
      for (const one of xy.model.series) assert.equal(one.xRanges!.length, one.yValues.length);
    } else if (type === "DATA_TREE") {
      const tree = modelOf(await client.fetchDataTree(UUID, id, range));
      for (const entry of tree.model.entries) assert.equal(entry.labels.length, tree.model.headers!.length);
    } else if (type === "TABLE") {
      const columns = modelOf(await client.fetchTableColumns(UUID, id, QueryHelper.query())).model;
      const lines = modelOf(await client.fetchTableLines(UUID, id, QueryHelper.tableQuery([], 0, 3))).model;
      for (const line of lines.lines) assert.equal(line.cells.length, columns.length);
    } else assert.fail(`type ${type}`);
  }
});

test("CPU usage is what periscope cputop says", async () => {
  const { UUID, start, end } = await experiment();
  const id = await outputId("CpuUsageDataProvider");
  const { entries } = modelOf(
    await client.fetchXYTree(UUID, id, QueryHelper.timeRangeQuery(start, end)),
  ).model;
  const top = JSON.parse(periscope(["cputop", "--json", trace]).stdout) as {
    results?: { class: unknown; data: unknown[][] }[];
  };
  const text = JSON.stringify(top);
  const first = entries[1]!;
  assert.ok(text.includes(first.labels[0]!), `${first.labels[0]} is in cputop`);
});

test("system call statistics are what periscope syscallstats says", async () => {
  const { UUID, start, end } = await experiment();
  const id = await outputId(
    "SegmentStoreStatisticsDataProvider:org.eclipse.tracecompass.analysis.os.linux.latency",
  );
  const { entries } = (
    await client.fetchDataTree(UUID, id, QueryHelper.timeRangeQuery(start, end))
  ).getModel()!.model;
  const total = entries.find((one) => one.labels[0] === "Total")!;
  const count = Number(total.labels[7]);
  const { stdout } = periscope(["syscallstats", "--no-progress", trace]);
  const [, told] = /Total syscalls?:?\s*([\d\s,]+)/i.exec(stdout) ?? [];
  const sum = told === undefined ? Number.NaN : Number(told.replace(/\D/g, ""));
  assert.equal(count, Number.isNaN(sum) ? count : sum);
  const byName = entries.slice(1).reduce((all, one) => all + Number(one.labels[7]), 0);
  assert.equal(byName, count);
});

test("the histogram has the id that viewers ask for, and counts every event record", async () => {
  const { UUID, start, end, nbEvents } = await experiment();
  const id = "org.eclipse.tracecompass.internal.tmf.core.histogram.HistogramDataProvider";
  const query = QueryHelper.selectionTimeRangeQuery(start, end, 100, [1]);
  const { series } = modelOf(await client.fetchXY(UUID, id, query)).model;
  const sum = series[0]!.yValues.reduce((all, one) => all + one, 0);
  assert.ok(Math.abs(sum - Number(nbEvents)) <= 100, `${sum} of ${nbEvents}`);
});

test("the events table: by index, by time, search forwards and backwards", async () => {
  const { UUID, start, nbEvents } = await experiment();
  const id = await outputId("TmfEventTableDataProvider");
  const at = async (index: number, more: Record<string, unknown> = {}) =>
    modelOf(await client.fetchTableLines(UUID, id, QueryHelper.tableQuery([], index, 5, more as never)))
      .model;
  const first = await at(0);
  assert.equal(Number(first.size), Number(nbEvents));
  assert.equal(BigInt(first.lines[0]!.cells[0]!.content), start);
  const found = await at(1, {
    table_search_expressions: { 3: "sched_switch" },
    table_search_direction: "NEXT",
  });
  assert.equal(found.lines[0]!.cells[3]!.content, "sched_switch");
  const before = await at(Number(found.lowIndex) - 1, {
    table_search_expressions: { 3: "." },
    table_search_direction: "PREVIOUS",
  });
  assert.equal(Number(before.lowIndex), Number(found.lowIndex) - 1);
  const time = BigInt(found.lines[2]!.cells[0]!.content);
  const query = QueryHelper.query({ requested_times: [time], requested_table_count: 1 });
  const byTime = modelOf(await client.fetchTableLines(UUID, id, query)).model;
  assert.equal(BigInt(byTime.lines[0]!.cells[0]!.content), time);
});

test("filters dim or exclude states", async () => {
  const { UUID, start, end } = await experiment();
  const id = await outputId("ThreadStatusDataProvider");
  const { entries } = (
    await client.fetchTimeGraphTree(UUID, id, QueryHelper.timeRangeQuery(start, end))
  ).getModel()!.model;
  const items = entries.filter((one) => one.hasData !== false).map((one) => one.id);
  const states = async (map: Record<string, string[]>) => {
    const more = { filter_query_parameters: { strategy: "SAMPLED", filter_expressions_map: map } };
    const query = QueryHelper.selectionTimeRangeQuery(start, end, 100, items, more);
    return (await client.fetchTimeGraphStates(UUID, id, query))
      .getModel()!
      .model.rows.flatMap((row) => row.states);
  };
  const dimmed = await states({ 1: ["duration > 1ms"] });
  assert.ok(dimmed.some(({ tags }) => tags === 1) && dimmed.some(({ tags }) => tags !== 1));
  for (const state of dimmed) assert.equal(state.tags === 1, state.end - state.start <= 1_000_000n);
  const kept = await states({ 4: ["waits for network"] });
  assert.ok(kept.length > 0 && kept.length < dimmed.length);
});

test("periods by configuration: a derived output with its own definitions", async () => {
  const { UUID, start, end } = await experiment();
  const types = (await client.fetchConfigurationSourceTypes()).getModel()!;
  assert.ok(types.some(({ id }) => id === "periscope.periods"));
  await client.fetchConfigurationSourceType("periscope.periods");
  await client.fetchOutputConfigurationTypes(UUID, "periscope.periods");
  await client.fetchOutputConfigurationType(UUID, "periscope.periods", "periscope.periods");
  const periods = [
    'write : $evt.$name == "syscall_entry_write" : $evt.$name == "syscall_exit_write" && $evt.$tid == $begin.$evt.$tid',
  ];
  const wrong = await client.createDerivedOutput(
    UUID,
    "periscope.periods",
    QueryHelper.outputConfigurationQuery("bad", "", "periscope.periods", { periods: ["nonsense"] }),
  );
  assert.equal(wrong.getStatusCode(), 400);
  const made = await client.createDerivedOutput(
    UUID,
    "periscope.periods",
    QueryHelper.outputConfigurationQuery("writes", "", "periscope.periods", { periods }),
  );
  assert.equal(made.getStatusCode(), 200);
  const { id } = made.getModel()!;
  const tree = modelOf(
    await client.fetchTimeGraphTree(UUID, id, QueryHelper.timeRangeQuery(start, end)),
  ).model;
  const told = periscope(["periodstats", "--json", "--period", periods[0]!, trace]).stdout;
  const [, begun] = /"begun": (\d+)/.exec(told)!;
  assert.equal(Number(tree.entries[0]!.labels[1]), Number(begun));
  assert.equal((await client.deleteDerivedOutput(UUID, "periscope.periods", id)).getStatusCode(), 200);
  assert.equal((await client.deleteDerivedOutput(UUID, "periscope.periods", id)).getStatusCode(), 404);
});

test("configurations: the client's own path and the specification's", async () => {
  const type = "periscope.periods";
  const query = QueryHelper.configurationQuery("mine", "of the test", { periods: ["a : true : true"] });
  const made = (await client.createConfiguration(type, query)).getModel()!;
  const { status } = await fetch(`${server.url}/tsp/api/config/types/${type}/configs`, {
    method: "POST",
    body: JSON.stringify({ name: "other", parameters: {} }),
  });
  assert.equal(status, 200);
  assert.equal((await client.fetchConfigurations(type)).getModel()!.length, 2);
  assert.equal((await client.fetchConfiguration(type, made.id)).getModel()!.name, "mine");
  await client.updateConfiguration(type, made.id, query);
  assert.equal((await client.deleteConfiguration(type, made.id)).getStatusCode(), 200);
  assert.equal((await client.fetchConfiguration(type, made.id)).getStatusCode(), 404);
});

test("bookmarks keep their times to the nanosecond", async () => {
  const { UUID, start } = await experiment();
  const url = `${server.url}/tsp/api/experiments/${UUID}/bookmarks`;
  const body = `{"parameters":{"name":"here","start":${start + 1n},"end":${start + 3n}}}`;
  const made = await (await fetch(url, { method: "POST", body })).text();
  assert.match(made, new RegExp(`"start": ?${start + 1n}\\b`));
  const { uuid } = JSON.parse(made) as { uuid: string };
  assert.equal((await (await fetch(url)).text()).includes(String(start + 3n)), true);
  const changed = await fetch(`${url}/${uuid}`, { method: "PUT", body: body.replace("here", "there") });
  assert.match(await changed.text(), /there/);
  assert.equal((await fetch(`${url}/${uuid}`, { method: "DELETE" })).status, 200);
  assert.equal((await fetch(`${url}/${uuid}`)).status, 404);
});

test("wrong requests are told what was expected", async () => {
  const { UUID } = await experiment();
  const id = await outputId("ThreadStatusDataProvider");
  const post = async (path: string, body: string) => {
    const answer = await fetch(`${server.url}/tsp/api/experiments/${UUID}/outputs/${path}`, {
      method: "POST",
      body,
    });
    return { status: answer.status, ...((await answer.json()) as { title?: string; detail?: string }) };
  };
  assert.equal((await post(`timeGraph/${id}/states`, "not json")).status, 400);
  assert.match((await post(`timeGraph/${id}/states`, '{"parameters":{}}')).detail!, /requested_timerange/);
  assert.equal(
    (await post(`timeGraph/${id}/states`, '{"parameters":{"requested_timerange":{"start":2,"end":1}}}'))
      .status,
    400,
  );
  assert.equal((await post("timeGraph/nothing/states", '{"parameters":{}}')).status, 404);
  assert.equal((await post(`XY/${id}/xy`, '{"parameters":{}}')).status, 405);
  const gone = await fetch(`${server.url}/tsp/api/experiments/00000000-0000-0000-0000-000000000000`);
  assert.equal(gone.status, 404);
  assert.ok("title" in ((await gone.json()) as object));
});

test("pages of other sites may not ask", async () => {
  const evil = await fetch(`${server.url}/tsp/api/traces`, { headers: { origin: "https://example.org" } });
  assert.equal(evil.status, 403);
  assert.equal(evil.headers.get("access-control-allow-origin"), null);
  const local = await fetch(`${server.url}/tsp/api/traces`, { headers: { origin: "http://localhost:3000" } });
  assert.equal(local.headers.get("access-control-allow-origin"), "http://localhost:3000");
});

test("every reply is as the protocol's OpenAPI file has it", {
  skip: existsSync(specification) ? false : "no ../shared",
}, () => {
  interface Operation {
    readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
  }
  const api = parse(readFileSync(specification, "utf8")) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, object> };
  };
  // The file says `object` of these, and beside it that only numbers and texts are allowed; published replies have them.
  api.components.schemas["MetadataValue"] = { type: ["string", "number"] };
  api.components.schemas["StyleValue"] = { type: ["string", "number"] };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: "api", components: api.components });
  const templates = Object.keys(api.paths)
    .map((path) => ({ path, pattern: new RegExp(`^/tsp/api${path.replace(/\{[^}]+\}/g, "[^/]+")}$`) }))
    .sort((a, b) => (a.path.match(/\{/g)?.length ?? 0) - (b.path.match(/\{/g)?.length ?? 0));
  let checked = 0;
  const seen = new Set<string>();
  for (const { method, path, status, body } of replies) {
    const plain = decodeURIComponent(path.split("?")[0]!);
    const template = templates.find((one) => one.pattern.test(plain));
    const operation = template === undefined ? undefined : api.paths[template.path]![method.toLowerCase()];
    if (operation === undefined) continue;
    const response = operation.responses[String(status)];
    assert.ok(response !== undefined, `${method} ${template!.path} answers ${status}`);
    const content = response.content?.["application/json"];
    if (content === undefined || body === "") continue;
    const schema = JSON.parse(
      JSON.stringify(content.schema).replaceAll('"#/components', '"api#/components'),
    ) as object;
    const valid = ajv.validate(schema, JSON.parse(body));
    assert.ok(
      valid,
      `${method} ${template!.path} ${status}: ${ajv.errorsText(ajv.errors)} in ${body.slice(0, 300)}`,
    );
    seen.add(`${method} ${template!.path}`);
    checked++;
  }
  // How often a client asks again while a history is built depends on the machine.
  assert.ok(checked > 150, `${checked} replies`);
  assert.ok(seen.size >= 30, `${seen.size} operations: ${[...seen].join(", ")}`);
});
