/**
 * The Trace Server Protocol against what is not ours: the published client calls every end point, every operation of the
 * protocol's OpenAPI file is asked for every status that can be had, and every reply is validated against the file.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { QueryHelper } from "tsp-typescript-client/lib/models/query/query-helper.js";
import { HttpTspClient } from "tsp-typescript-client/lib/protocol/http-tsp-client.js";
import { replayOf } from "../support/replay.js";
import { startServer } from "../support/server.js";
import { judge, modelOf, useServer, withoutSpecification } from "../support/tsp.js";
import { needs, periscope, sample } from "../support.js";

const trace = sample("dns-outlier");
const tsp = useServer(trace);
const withBabeltrace = { skip: needs("babeltrace2") };
const nobody = "00000000-0000-0000-0000-000000000000";

test("health and identifier", async () => {
  assert.equal((await tsp.client.checkHealth()).getModel()!.status, "UP");
  const identifier = (await tsp.client.fetchIdentifier()).getModel()!;
  assert.match(identifier.version, /^\d+\.\d+\.\d+$/);
  assert.equal(identifier.productId, "periscope");
});

test("traces and experiments: open, conflict, delete", async () => {
  const traces = (await tsp.client.fetchTraces()).getModel()!;
  assert.equal(traces.length, 1);
  assert.equal((await tsp.client.fetchTrace(traces[0]!.UUID)).getModel()!.path, trace);
  // The same again is no conflict, another path under the same name is.
  const again = await tsp.client.openTrace(QueryHelper.query({ uri: trace, name: traces[0]!.name }));
  assert.equal(again.getModel()!.UUID, traces[0]!.UUID);
  const outside = await tsp.client.openTrace(QueryHelper.query({ uri: "/etc" }));
  assert.equal(outside.getStatusCode(), 404);
  const below = await tsp.client.openTrace(
    QueryHelper.query({ uri: `${trace}/kernel`, name: traces[0]!.name }),
  );
  if (existsSync(`${trace}/kernel`)) assert.equal(below.getStatusCode(), 409);
  const missing = await tsp.client.createExperiment(
    QueryHelper.query({ name: "x", traces: ["00000000-0000-0000-0000-000000000000"] }),
  );
  assert.equal(missing.getStatusCode(), 204);
  const made = await tsp.client.createExperiment(
    QueryHelper.query({ name: "second", traces: [traces[0]!.UUID] }),
  );
  const { UUID } = made.getModel()!;
  assert.equal((await tsp.client.fetchExperiment(UUID)).getModel()!.name, "second");
  assert.equal((await tsp.client.deleteTrace(traces[0]!.UUID)).getStatusCode(), 409);
  assert.equal((await tsp.client.deleteExperiment(UUID)).getModel()!.indexingStatus, "CLOSED");
  assert.equal((await tsp.client.fetchExperiment(UUID)).getStatusCode(), 404);
});

/** A server of a folder with two traces, and with what is no trace, for tests that open and close. */
async function folderOfTraces(t: TestContext) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "periscope-traces-")));
  cpSync(sample("idle-small"), join(folder, "one"), { recursive: true });
  cpSync(trace, join(folder, "two"), { recursive: true });
  const own = await startServer("serve", [folder]);
  mkdirSync(join(folder, "empty"));
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken/metadata"), "/* CTF 1.8 */ nonsense {");
  writeFileSync(join(folder, "text.txt"), "no trace\n");
  spawnSync("mkfifo", [join(folder, "pipe")]);
  t.after(async () => {
    await own.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const from = await tsp.record(own);
  return { folder, own, from, client: new HttpTspClient(from) };
}

test("only traces are opened, and everything else is told why not", async (t) => {
  const { folder, from, client: other } = await folderOfTraces(t);
  const open = async (parameters: unknown) => {
    const { status, text } = await tsp.ask("POST", "/traces", { parameters }, from);
    return { status, model: JSON.parse(text) as Record<string, unknown> };
  };
  for (const [parameters, status, told] of [
    [{}, 400, /uri/],
    [{ uri: "" }, 400, /uri/],
    [{ uri: "file://elsewhere/trace" }, 400, /uri/],
    [{ uri: join(folder, "nothing") }, 404, /nothing/],
    [{ uri: "/etc" }, 404, /not below/],
    [{ uri: join(folder, "..") }, 404, /not below/],
    [{ uri: join(folder, "text.txt") }, 406, /text\.txt/],
    [{ uri: join(folder, "empty") }, 406, /no trace found/],
    [{ uri: join(folder, "broken") }, 406, /broken/],
    [{ uri: join(folder, "pipe") }, 406, /neither a file nor a folder/],
    [{ uri: join(folder, "one"), typeID: "org.eclipse.linuxtools.tmf.ui.type.pcap" }, 501, /typeID/],
  ] as const) {
    const { status: was, model } = await open(parameters);
    assert.equal(was, status, JSON.stringify(parameters));
    assert.equal(typeof model["title"], "string");
    assert.match(String(model["detail"]), told);
  }
  // A link counts for where it leads.
  symlinkSync(sample("idle-small"), join(folder, "out"));
  assert.equal((await open({ uri: join(folder, "out") })).status, 404);
  const kernel = "org.eclipse.linuxtools.lttng2.kernel.tracetype";
  const one = await open({ uri: join(folder, "one"), typeID: kernel });
  assert.equal(one.status, 200);
  assert.equal(one.model["name"], "one");
  // As a URL, under another name: it is the same trace.
  const again = await open({ uri: pathToFileURL(join(folder, "one")).href, name: "uno" });
  assert.deepEqual([again.status, again.model["UUID"]], [200, one.model["UUID"]]);
  const taken = await open({ uri: join(folder, "two"), name: "one" });
  assert.equal(taken.status, 409);
  assert.equal((taken.model["trace"] as { UUID: string }).UUID, one.model["UUID"]);
  assert.equal((await other.deleteTrace(String(one.model["UUID"]))).getModel()!.indexingStatus, "CLOSED");
  assert.equal((await other.fetchTrace(String(one.model["UUID"]))).getStatusCode(), 404);
});

test(
  "traces say what is known of them: alone, in an experiment of several, in none",
  withBabeltrace,
  async (t) => {
    const { folder, from, client: other } = await folderOfTraces(t);
    const open = async (name: string) =>
      modelOf(await other.openTrace(QueryHelper.query({ uri: join(folder, name) })));
    const [one, two] = [await open("one"), await open("two")];
    for (const { UUID } of [one, two]) {
      const model = modelOf(await other.fetchTrace(UUID));
      assert.deepEqual(
        [model.indexingStatus, Number(model.nbEvents), BigInt(model.start), BigInt(model.end)],
        ["CLOSED", 0, 0n, 0n],
      );
      assert.equal((model as unknown as { properties: { hostname: string } }).properties.hostname, "labvm");
    }
    const made = modelOf(
      await other.createExperiment(QueryHelper.query({ name: "both", traces: [one.UUID, two.UUID] })),
    );
    const whole = async () => {
      for (;;) {
        const now = modelOf(await other.fetchExperiment(made.UUID));
        if ([now, ...now.traces].every(({ indexingStatus }) => indexingStatus === "COMPLETED")) return now;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const both = await whole();
    const records = async (name: string) => (await replayOf(join(folder, name), both.start)).records;
    const [ofOne, ofTwo] = [await records("one"), await records("two")];
    const at = ({ ns }: { ns: number }) => both.start + BigInt(ns);
    assert.equal(Number(both.nbEvents), ofOne.length + ofTwo.length);
    assert.deepEqual(
      both.traces.map(({ name, nbEvents }) => [name, Number(nbEvents)]),
      [
        ["one", ofOne.length],
        ["two", ofTwo.length],
      ],
    );
    for (const [i, own] of [ofOne, ofTwo].entries()) {
      const { start, end } = both.traces[i]!;
      assert.equal(start, at(own[0]!));
      // The last packet may end after its last record.
      assert.ok(end >= at(own.at(-1)!) && end - at(own.at(-1)!) < 1_000_000_000n);
    }
    // Other names and other traces, of the same experiment.
    const put = async (body: unknown, query = "") => {
      const { status, text } = await tsp.ask("PUT", `/experiments/${made.UUID}${query}`, body, from);
      return {
        status,
        model: JSON.parse(text) as { name: string; traces: { name: string }[]; UUID: string },
      };
    };
    const renamed = modelOf(await other.updateExperiment(made.UUID, QueryHelper.query({ name: "pair" })));
    assert.deepEqual([renamed.name, renamed.UUID], ["pair", made.UUID]);
    assert.equal(modelOf(await other.fetchExperiment(made.UUID)).name, "pair");
    const less = await put({ traces: [{ traceUUID: one.UUID, action: "remove" }] }, "?name=duo");
    assert.deepEqual(
      [less.status, less.model.name, less.model.traces.map(({ name }) => name)],
      [200, "duo", ["two"]],
    );
    const alone = await whole();
    assert.deepEqual(
      [Number(alone.nbEvents), Number(alone.traces[0]!.nbEvents), alone.start],
      [ofTwo.length, ofTwo.length, at(ofTwo[0]!)],
    );
    const id =
      "org.eclipse.tracecompass.internal.provisional.tmf.core.model.events.TmfEventTableDataProvider";
    const lines = modelOf(await other.fetchTableLines(made.UUID, id, QueryHelper.tableQuery([], 0, 1))).model;
    assert.equal(lines.size, ofTwo.length);
    // An experiment of what this one was is a new one.
    const second = modelOf(
      await other.createExperiment(QueryHelper.query({ name: "again", traces: [one.UUID, two.UUID] })),
    );
    assert.notEqual(second.UUID, made.UUID);
    const [list] = [modelOf(await other.fetchExperiments())];
    assert.equal(new Set(list.map(({ UUID }) => UUID)).size, 3);
    const more = await put({ parameters: { traces: [two.UUID, one.UUID] } });
    assert.deepEqual(
      more.model.traces.map(({ name }) => name),
      ["two", "one"],
    );
    for (const [body, status] of [
      [{ parameters: { name: "again" } }, 409],
      [{ parameters: { name: "" } }, 400],
      [{ parameters: { traces: [] } }, 400],
      [{ parameters: { traces: [nobody] } }, 404],
      [{ traces: [{ traceUUID: one.UUID, action: "paint" }] }, 400],
      [{ traces: [{ traceUUID: one.UUID, action: "add", timeOffset: 5 }] }, 501],
      ["no json", 400],
    ] as const) {
      assert.equal((await put(body)).status, status, JSON.stringify(body));
    }
    // A name with other traces than the experiment of this name has.
    const conflict = await other.createExperiment(QueryHelper.query({ name: "again", traces: [one.UUID] }));
    assert.equal(conflict.getStatusCode(), 409);
    // What is there no more cannot be opened, nor read.
    rmSync(join(folder, "one"), { recursive: true });
    const gone = await other.createExperiment(QueryHelper.query({ name: "gone", traces: [one.UUID] }));
    assert.equal(gone.getStatusCode(), 404);
    const unread = await other.fetchTableLines(second.UUID, id, QueryHelper.tableQuery([], 0, 1));
    assert.equal(unread.getStatusCode(), 500);
  },
);

test("every output answers what its type can be asked", async () => {
  const { UUID, start, end } = await tsp.experiment();
  const outputs = (await tsp.client.experimentOutputs(UUID)).getModel()!;
  assert.ok(outputs.length >= 28, `${outputs.length} outputs`);
  const range = QueryHelper.timeRangeQuery(start, end, 200);
  for (const { id, type } of outputs) {
    await tsp.client.fetchAnnotationsCategories(UUID, id, "holes");
    await tsp.client.fetchAnnotations(
      UUID,
      id,
      QueryHelper.timeRangeQuery(start, end, 100, { requested_marker_set: "holes" }),
    );
    if (type === "TIME_GRAPH") {
      const tree = modelOf(await tsp.client.fetchTimeGraphTree(UUID, id, range));
      assert.equal(tree.status, "COMPLETED");
      const items = tree.model.entries.filter((one) => one.hasData !== false).map((one) => one.id);
      assert.ok(items.length > 0, id);
      const query = QueryHelper.selectionTimeRangeQuery(start, end, 200, items);
      const states = modelOf(await tsp.client.fetchTimeGraphStates(UUID, id, query));
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
      await tsp.client.fetchTimeGraphArrows(UUID, id, QueryHelper.timeRangeQuery(start, end, 200));
      const one = all[Math.floor(all.length / 2)]!;
      const tooltip = await tsp.client.fetchTimeGraphTooltip(
        UUID,
        id,
        QueryHelper.selectionTimeQuery([one.start], [one.row], {
          requested_element: { elementType: "STATE", time: one.start, duration: one.end - one.start },
        }),
      );
      assert.equal(tooltip.getStatusCode(), 200);
      const styles = (await tsp.client.fetchStyles(UUID, id, QueryHelper.query())).getModel()!.model.styles;
      for (const { style } of all)
        assert.ok(styles[style!.parentKey!] !== undefined, `style ${style!.parentKey}`);
    } else if (type === "TREE_TIME_XY") {
      const tree = modelOf(await tsp.client.fetchXYTree(UUID, id, range));
      const items = tree.model.entries.slice(0, 3).map((one) => one.id);
      const query = QueryHelper.selectionTimeRangeQuery(start, end, 50, items);
      const answer = await tsp.client.fetchXY(UUID, id, query);
      assert.equal(answer.getStatusCode(), 200, `${id}: ${tsp.replies.at(-1)?.body.slice(0, 300)}`);
      const xy = answer.getModel()!;
      for (const one of xy.model.series) assert.equal(one.xValues!.length, one.yValues.length);
      await tsp.client.fetchStyles(UUID, id, QueryHelper.query());
      await tsp.client.fetchXYToolTip(UUID, id, 1, 1);
    } else if (type === "TREE_GENERIC_XY") {
      const tree = modelOf(await tsp.client.fetchGenericXYTree(UUID, id, range));
      const items = tree.model.entries.slice(0, 2).map((one) => one.id);
      const query = QueryHelper.query({
        requested_timerange: { start, end, nbSamples: 20 },
        requested_items: items,
      });
      const xy = modelOf(await tsp.client.fetchGenericXY(UUID, id, query));
      for (const one of xy.model.series) assert.equal(one.xRanges!.length, one.yValues.length);
    } else if (type === "DATA_TREE") {
      const tree = modelOf(await tsp.client.fetchDataTree(UUID, id, range));
      for (const entry of tree.model.entries) assert.equal(entry.labels.length, tree.model.headers!.length);
    } else if (type === "TABLE") {
      const columns = modelOf(await tsp.client.fetchTableColumns(UUID, id, QueryHelper.query())).model;
      const lines = modelOf(
        await tsp.client.fetchTableLines(UUID, id, QueryHelper.tableQuery([], 0, 3)),
      ).model;
      for (const line of lines.lines) assert.equal(line.cells.length, columns.length);
    } else assert.fail(`type ${type}`);
  }
});

test("periods by configuration: a derived output with its own definitions", async () => {
  const { UUID, start, end } = await tsp.experiment();
  const types = (await tsp.client.fetchConfigurationSourceTypes()).getModel()!;
  assert.ok(types.some(({ id }) => id === "periscope.periods"));
  await tsp.client.fetchConfigurationSourceType("periscope.periods");
  await tsp.client.fetchOutputConfigurationTypes(UUID, "periscope.periods");
  await tsp.client.fetchOutputConfigurationType(UUID, "periscope.periods", "periscope.periods");
  const periods = [
    'write : $evt.$name == "syscall_entry_write" : $evt.$name == "syscall_exit_write" && $evt.$tid == $begin.$evt.$tid',
  ];
  const wrong = await tsp.client.createDerivedOutput(
    UUID,
    "periscope.periods",
    QueryHelper.outputConfigurationQuery("bad", "", "periscope.periods", { periods: ["nonsense"] }),
  );
  assert.equal(wrong.getStatusCode(), 400);
  const made = await tsp.client.createDerivedOutput(
    UUID,
    "periscope.periods",
    QueryHelper.outputConfigurationQuery("writes", "", "periscope.periods", { periods }),
  );
  assert.equal(made.getStatusCode(), 200);
  const { id } = made.getModel()!;
  const tree = modelOf(
    await tsp.client.fetchTimeGraphTree(UUID, id, QueryHelper.timeRangeQuery(start, end)),
  ).model;
  const told = periscope(["periodstats", "--json", "--period", periods[0]!, trace]).stdout;
  const [, begun] = /"begun": (\d+)/.exec(told)!;
  assert.equal(Number(tree.entries[0]!.labels[1]), Number(begun));
  assert.equal((await tsp.client.deleteDerivedOutput(UUID, "periscope.periods", id)).getStatusCode(), 200);
  assert.equal((await tsp.client.deleteDerivedOutput(UUID, "periscope.periods", id)).getStatusCode(), 404);
});

test("configurations: the client's own path and the specification's", async () => {
  const type = "periscope.periods";
  const query = QueryHelper.configurationQuery("mine", "of the test", { periods: ["a : true : true"] });
  const made = (await tsp.client.createConfiguration(type, query)).getModel()!;
  const configs = `/config/types/${type}/configs`;
  assert.equal((await tsp.ask("POST", configs, { name: "other", parameters: {} })).status, 200);
  assert.equal((await tsp.ask("POST", configs, { parameters: {} })).status, 400);
  assert.equal(
    (await tsp.ask("POST", "/config/types/none/configs", { name: "x", parameters: {} })).status,
    404,
  );
  assert.equal((await tsp.ask("GET", "/config/types/none/configs")).status, 404);
  assert.equal((await tsp.ask("GET", "/config/types/none")).status, 404);
  assert.equal((await tsp.client.fetchConfigurations(type)).getModel()!.length, 2);
  assert.equal((await tsp.client.fetchConfiguration(type, made.id)).getModel()!.name, "mine");
  const changed = QueryHelper.configurationQuery("ours", "of the test", { periods: ["a : true : true"] });
  assert.equal((await tsp.client.updateConfiguration(type, made.id, changed)).getModel()!.name, "ours");
  assert.equal((await tsp.client.fetchConfiguration(type, made.id)).getModel()!.name, "ours");
  assert.equal((await tsp.ask("PUT", `${configs}/${made.id}`, "{}")).status, 400);
  assert.equal((await tsp.ask("PUT", `${configs}/none`, { name: "x", parameters: {} })).status, 404);
  assert.equal((await tsp.client.deleteConfiguration(type, made.id)).getStatusCode(), 200);
  assert.equal((await tsp.client.fetchConfiguration(type, made.id)).getStatusCode(), 404);
  assert.equal((await tsp.client.deleteConfiguration(type, made.id)).getStatusCode(), 404);
});

test("bookmarks keep their times to the nanosecond", async () => {
  const { UUID, start } = await tsp.experiment();
  const path = `/experiments/${UUID}/bookmarks`;
  const body = (name: string, from: bigint, to: bigint) =>
    `{"parameters":{"name":"${name}","start":${from},"end":${to}}}`;
  const here = body("here", start + 1n, start + 3n);
  const uuidOf = ({ text }: { text: string }) => (JSON.parse(text) as { uuid: string }).uuid;
  const made = await tsp.ask("POST", path, here);
  assert.match(made.text, new RegExp(`"start": ?${start + 1n}\\b`));
  const uuid = uuidOf(made);
  assert.ok((await tsp.ask("GET", path)).text.includes(String(start + 3n)));
  assert.ok((await tsp.ask("GET", `${path}/${uuid}`)).text.includes(String(start + 1n)));
  const changed = await tsp.ask("PUT", `${path}/${uuid}`, body("there", start + 5n, start + 7n));
  assert.match(changed.text, /there/);
  assert.equal((await tsp.ask("GET", `${path}/${uuid}`)).text, changed.text);
  // Two that say the same are two, whatever was deleted between.
  const [one, two] = [uuidOf(await tsp.ask("POST", path, here)), uuidOf(await tsp.ask("POST", path, here))];
  assert.equal((await tsp.ask("DELETE", `${path}/${one}`)).status, 200);
  const three = uuidOf(await tsp.ask("POST", path, here));
  assert.equal(new Set([uuid, one, two, three]).size, 4);
  const left = JSON.parse((await tsp.ask("GET", path)).text) as { uuid: string }[];
  assert.deepEqual(left.map((bookmark) => bookmark.uuid).sort(), [uuid, two, three].sort());
  for (const bookmark of [uuid, two, three]) {
    assert.equal((await tsp.ask("DELETE", `${path}/${bookmark}`)).status, 200);
  }
  for (const method of ["GET", "DELETE"])
    assert.equal((await tsp.ask(method, `${path}/${uuid}`)).status, 404);
  assert.equal((await tsp.ask("PUT", `${path}/${uuid}`, here)).status, 404);
  assert.equal((await tsp.ask("POST", path, body("end before start", start + 3n, start))).status, 400);
  const other = uuidOf(await tsp.ask("POST", path, here));
  assert.equal((await tsp.ask("PUT", `${path}/${other}`, body("", start, start))).status, 400);
  await tsp.ask("DELETE", `${path}/${other}`);
});

test("wrong requests are told what was expected", async () => {
  const { UUID } = await tsp.experiment();
  const id = await tsp.outputId("ThreadStatusDataProvider");
  const post = async (path: string, body: string) => {
    const { status, text } = await tsp.ask("POST", `/experiments/${UUID}/outputs/${path}`, body);
    return { status, ...(JSON.parse(text) as { title?: string; detail?: string }) };
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
  assert.equal((await tsp.client.fetchExperiment(nobody)).getStatusCode(), 404);
  assert.ok("title" in (JSON.parse(tsp.replies.at(-1)!.body) as object));
});

/** Paths below an output's form, by the type that answers them. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  timeGraph: ["tree", "states", "arrows", "tooltip"],
  XY: ["tree", "xy"],
  genericXY: ["tree", "xy"],
  data: ["tree"],
  table: ["columns", "lines"],
};

test("every output's path says when an experiment or output is not there, is of another type, or is asked wrongly", async () => {
  const { UUID } = await tsp.experiment();
  const outputs = (await tsp.client.experimentOutputs(UUID)).getModel()!;
  const idOf = (type: string) => outputs.find((one) => one.type === type)!.id;
  const types: Readonly<Record<string, string>> = {
    timeGraph: "TIME_GRAPH",
    XY: "TREE_TIME_XY",
    genericXY: "TREE_GENERIC_XY",
    data: "DATA_TREE",
    table: "TABLE",
  };
  for (const [form, whats] of Object.entries(FORMS)) {
    const right = idOf(types[form]!);
    const other = idOf(form === "table" ? "TIME_GRAPH" : "TABLE");
    for (const what of whats) {
      const status = async (experimentId: string, output: string, body: unknown) =>
        (await tsp.ask("POST", `/experiments/${experimentId}/outputs/${form}/${output}/${what}`, body))
          .status;
      const whole = { parameters: {} };
      const name = `${form}/${what}`;
      assert.equal(await status(nobody, right, whole), 404, name);
      assert.equal(await status(UUID, "nothing", whole), 404, name);
      assert.equal(await status(UUID, other, whole), 405, name);
      assert.equal(await status(UUID, right, "no json"), 400, name);
      assert.equal(await status(UUID, right, []), 400, name);
    }
  }
  const graph = `/experiments/${UUID}/outputs/${idOf("TIME_GRAPH")}`;
  const table = `/experiments/${UUID}/outputs/${idOf("TABLE")}`;
  for (const [method, path, body, status] of [
    ["GET", `/experiments/${nobody}/outputs`, undefined, 404],
    ["GET", `/experiments/${nobody}/outputs/markerSets`, undefined, 404],
    ["GET", `/experiments/${UUID}/outputs/nothing`, undefined, 404],
    ["POST", `/experiments/${UUID}/outputs/nothing`, { name: "x", sourceTypeId: "y", parameters: {} }, 404],
    ["POST", graph, { name: "x", sourceTypeId: "y", parameters: {} }, 400],
    ["DELETE", `${graph}/nothing`, undefined, 404],
    ["DELETE", `${graph}/${idOf("TABLE")}`, undefined, 400],
    ["GET", `/experiments/${UUID}/outputs/nothing/configTypes`, undefined, 404],
    ["GET", `/experiments/${UUID}/outputs/nothing/configTypes/x`, undefined, 404],
    ["GET", `${graph}/configTypes/nothing`, undefined, 404],
    ["POST", `${graph}/style`, { parameters: {} }, 200],
    ["POST", `${graph}/style`, "no json", 400],
    ["POST", `${table}/style`, { parameters: {} }, 405],
    ["POST", `/experiments/${UUID}/outputs/nothing/style`, { parameters: {} }, 404],
    ["GET", `${graph}/annotations`, undefined, 200],
    ["GET", `/experiments/${UUID}/outputs/nothing/annotations`, undefined, 404],
    ["POST", `${graph}/annotations`, { parameters: {} }, 400],
    ["POST", `/experiments/${UUID}/outputs/nothing/annotations`, { parameters: {} }, 404],
    ["GET", `/experiments/${nobody}/bookmarks`, undefined, 404],
    ["POST", `/experiments/${nobody}/bookmarks`, { parameters: {} }, 404],
    ["GET", `/traces/${nobody}`, undefined, 404],
    ["DELETE", `/traces/${nobody}`, undefined, 404],
    ["DELETE", `/experiments/${nobody}`, undefined, 404],
    ["POST", "/experiments", { parameters: {} }, 400],
  ] as const) {
    const answer = await tsp.ask(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text.slice(0, 200)}`);
  }
  const markers = await tsp.ask("GET", `/experiments/${UUID}/outputs/markerSets`);
  assert.equal(markers.status, 200);
  assert.equal((await tsp.ask("GET", graph)).status, 200);
});

/** Statuses that the file names and this server does not use, or the test cannot bring about. */
const NEVER: readonly string[] = [
  // It is up, or it does not answer.
  "GET /health 503",
  // Configurations are in memory: nothing can fail but the request.
  "POST /config/types/{typeId}/configs 500",
  "PUT /config/types/{typeId}/configs/{configId} 500",
  "DELETE /config/types/{typeId}/configs/{configId} 500",
  // What cannot be made is the request's fault: 404, 406, 409.
  "POST /traces 500",
  "POST /experiments 500",
  // Every output may be asked for marks, and without parameters.
  "GET /experiments/{expUUID}/outputs/{outputId}/annotations 400",
  "GET /experiments/{expUUID}/outputs/{outputId}/annotations 405",
  "POST /experiments/{expUUID}/outputs/{outputId}/annotations 405",
  // All that may be wrong is the path: 404.
  "GET /experiments/{expUUID}/outputs/{outputId}/configTypes/{typeId} 400",
];

test("every reply is as the protocol's OpenAPI file has it", {
  skip: withoutSpecification || needs("babeltrace2"),
}, (t) => {
  const { wrong, missing, beyond, operations } = judge(tsp.replies);
  assert.deepEqual(wrong.slice(0, 10), []);
  assert.deepEqual(missing, [...NEVER].sort(), "statuses of operations that were not seen");
  assert.deepEqual(beyond, ["GET XY tooltip", "POST /config/types/{typeId}", "PUT /experiments/{expUUID}"]);
  t.diagnostic(`validated: ${operations} operations, ${tsp.replies.length} replies`);
  t.diagnostic(`statuses that were not seen: ${NEVER.join("; ")}`);
  t.diagnostic(`without a schema in the file: ${beyond.join("; ")}`);
});
