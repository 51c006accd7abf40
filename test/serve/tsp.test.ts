/**
 * The Trace Server Protocol against what is not ours: the published client calls every end point, and every reply is
 * validated against the protocol's OpenAPI file. What the replies say is compared with the reference tools' figures and
 * with the command line.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Ajv } from "ajv";
import { QueryHelper } from "tsp-typescript-client/lib/models/query/query-helper.js";
import { HttpTspClient } from "tsp-typescript-client/lib/protocol/http-tsp-client.js";
import { parse } from "yaml";
import { formatDuration } from "../../src/base/format.js";
import { type Replay, replayOf, type State, settled } from "../support/replay.js";
import { type RunningServer, startServer } from "../support/server.js";
import { needs, periscope, root, sample } from "../support.js";

const specification = join(root, "../shared/spec/tsp/API.yaml");
const trace = sample("dns-outlier");

interface Reply {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly body: string;
}

let server: RunningServer;
const recorders: Server[] = [];
/** Base of the protocol's paths, by way of the recorder. */
let base: string;
let client: HttpTspClient;
const replies: Reply[] = [];

/** Passes everything on to the server and keeps the replies. */
async function startRecorder(target: string): Promise<string> {
  const recorder = createServer((request, response) => {
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
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type")! });
      response.end(text);
    })();
  });
  recorders.push(recorder);
  await new Promise<void>((resolve) => recorder.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
}

before(async () => {
  server = await startServer("serve", [trace]);
  base = `${await startRecorder(server.url)}/tsp/api`;
  client = new HttpTspClient(base);
});

after(async () => {
  for (const recorder of recorders) {
    recorder.close();
    recorder.closeAllConnections();
  }
  await server.stop();
});

async function experiment(): Promise<{ UUID: string; start: bigint; end: bigint; nbEvents: number }> {
  for (;;) {
    const [first] = (await client.fetchExperiments()).getModel()!;
    if (first!.indexingStatus === "COMPLETED") return first as never;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let replay: Promise<Replay> | undefined;

/** What babeltrace2 says of the trace; moments since the experiment's begin. */
async function replayed(): Promise<Replay> {
  const { start } = await experiment();
  replay ??= replayOf(trace, start);
  return replay;
}

const withBabeltrace = { skip: needs("babeltrace2") };

/** Asks without the published client, but by way of the recorder. */
async function ask(
  method: string,
  path: string,
  body?: unknown,
  from = base,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(from + path, {
    method,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
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

test("times are exact beyond 2^53, as babeltrace2 tells them", withBabeltrace, async () => {
  const { UUID, start, end, nbEvents } = await experiment();
  const { records } = await replayed();
  assert.ok(start > 2n ** 53n && typeof start === "bigint");
  assert.equal(Number(nbEvents), records.length);
  assert.equal(records[0]!.ns, 0, "the first one is at the begin");
  assert.ok(end >= start + BigInt(records.at(-1)!.ns));
  // A double cannot tell these apart.
  assert.ok(records.some(({ ns }) => BigInt(Number(start + BigInt(ns))) !== start + BigInt(ns)));
  const id = await outputId("TmfEventTableDataProvider");
  const last = records.length - 200;
  for (const index of [0, 1, 4095, 4096, 4097, records.length >> 1, last]) {
    const query = QueryHelper.tableQuery([], index, 200);
    const { lines } = modelOf(await client.fetchTableLines(UUID, id, query)).model;
    assert.equal(lines.length, 200);
    lines.forEach((line, i) => {
      const { ns, name, cpu } = records[index + i]!;
      assert.deepEqual(
        [line.index, ...[0, 2, 3].map((column) => line.cells[column]!.content)].map(String),
        [index + i, start + BigInt(ns), cpu, name].map(String),
      );
    });
  }
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
  assert.equal((await client.deleteTrace(traces[0]!.UUID)).getStatusCode(), 409);
  assert.equal((await client.deleteExperiment(UUID)).getModel()!.indexingStatus, "CLOSED");
  assert.equal((await client.fetchExperiment(UUID)).getStatusCode(), 404);
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
  const from = `${await startRecorder(own.url)}/tsp/api`;
  return { folder, own, from, client: new HttpTspClient(from) };
}

test("only traces are opened, and everything else is told why not", async (t) => {
  const { folder, from, client: other } = await folderOfTraces(t);
  const open = async (parameters: unknown) => {
    const { status, text } = await ask("POST", "/traces", { parameters }, from);
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
      const { status, text } = await ask("PUT", `/experiments/${made.UUID}${query}`, body, from);
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

test("CPU usage is what the switches of babeltrace2's text add up to", withBabeltrace, async () => {
  const { UUID, start, end } = await experiment();
  const { cpus, threads } = await replayed();
  const id = await outputId("CpuUsageDataProvider");
  /** Time in a stretch in which a row was in states of these words. */
  const timeOf = (states: readonly State[], words: RegExp, from: number, to: number): number => {
    const all = settled(states);
    return all.reduce((sum, [ns, word], i) => {
      const until = Math.min(to, all[i + 1]?.[0] ?? Number(end - start));
      return words.test(word) ? sum + Math.max(0, until - Math.max(from, ns)) : sum;
    }, 0);
  };
  const whole = Number(end - start);
  for (const [from, to] of [
    [0, whole],
    [Math.floor(whole / 3), Math.floor(whole / 2)],
  ] as const) {
    const range = QueryHelper.timeRangeQuery(start + BigInt(from), start + BigInt(to));
    const { entries, headers } = modelOf(await client.fetchXYTree(UUID, id, range)).model;
    assert.deepEqual(
      headers!.map(({ name }) => name),
      ["Thread", "TID", "%", "Time"],
    );
    const used = [...cpus.values()].reduce(
      (sum, { states }) => sum + timeOf(states, /^(user|call|irq|softirq)/, from, to),
      0,
    );
    assert.equal(entries[0]!.labels[0], "Total");
    assert.deepEqual(entries[0]!.labels.slice(2), told(used, to - from));
    let compared = 0;
    for (const { labels } of entries.slice(1)) {
      const thread = threads.get(Number(labels[1]))!;
      if (thread.lives > 1) continue;
      assert.deepEqual(labels.slice(2), told(timeOf(thread.states, /^cpu$/, from, to), to - from), labels[1]);
      compared++;
    }
    assert.ok(compared > 10, `${compared} threads`);
    // The curve's area is the same time.
    const item = entries[1]!;
    const { lives, states } = threads.get(Number(item.labels[1]))!;
    assert.equal(lives, 1);
    const query = QueryHelper.selectionTimeRangeQuery(start + BigInt(from), start + BigInt(to), 64, [
      entries[0]!.id,
      item.id,
    ]);
    const { series } = modelOf(await client.fetchXY(UUID, id, query)).model;
    for (const [i, ns] of [used, timeOf(states, /^cpu$/, from, to)].entries()) {
      const area = series[i]!.yValues.reduce((sum, percent) => sum + (percent / 100) * ((to - from) / 64), 0);
      assert.ok(Math.abs(area - ns) <= 1e-6 * ns + 64, `${series[i]!.seriesName}: ${area} of ${ns}`);
    }
  }
});

/** As the tree of CPU usage words times. */
const told = (ns: number, lengthNs: number): string[] => [
  `${((100 * ns) / lengthNs).toFixed(2)} %`,
  `${(ns / 1e9).toFixed(6)} s`,
];

test(
  "system call statistics are what entries and exits of babeltrace2's text say",
  withBabeltrace,
  async () => {
    const { UUID, start, end } = await experiment();
    const { calls } = await replayed();
    const id = await outputId(
      "SegmentStoreStatisticsDataProvider:org.eclipse.tracecompass.analysis.os.linux.latency",
    );
    const whole = Number(end - start);
    for (const [from, to] of [
      [0, whole],
      [Math.floor(whole / 4), Math.floor(whole / 3)],
    ] as const) {
      const range = QueryHelper.timeRangeQuery(start + BigInt(from), start + BigInt(to));
      const { entries, headers } = modelOf(await client.fetchDataTree(UUID, id, range)).model;
      assert.deepEqual(
        [0, 1, 2, 3, 7, 8].map((i) => headers![i]!.name),
        ["Label", "Minimum", "Maximum", "Average", "Count", "Total"],
      );
      const inRange = calls.filter(({ endNs }) => endNs >= from && endNs <= to);
      const byName = new Map<string, typeof inRange>([["Total", inRange]]);
      for (const call of inRange) byName.set(call.name, [...(byName.get(call.name) ?? []), call]);
      let compared = 0;
      for (const { labels } of entries) {
        const own = byName.get(labels[0]!);
        // Those without a description have the names of their numbers.
        if (own === undefined) continue;
        const durations = own.map(({ beginNs, endNs }) => endNs - beginNs);
        const total = durations.reduce((sum, ns) => sum + ns, 0);
        assert.equal(Number(labels[7]), own.length, labels[0]);
        assert.equal(labels[3], formatDuration(total / own.length), labels[0]);
        assert.equal(labels[8], formatDuration(total), labels[0]);
        for (const [column, ns] of [
          [9, Math.min(...durations)],
          [10, Math.max(...durations)],
        ] as const) {
          // Where the shortest and the longest are, exactly.
          const [, begin, finish] = /^\[(\d+),(\d+)\]$/.exec(labels[column]!)!;
          const [beginNs, endNs] = [Number(BigInt(begin!) - start), Number(BigInt(finish!) - start)];
          assert.equal(endNs - beginNs, ns, labels[0]);
          assert.ok(
            own.some((one) => one.beginNs === beginNs && one.endNs === endNs),
            labels[0],
          );
          assert.equal(labels[column - 8], formatDuration(ns), labels[0]);
        }
        compared++;
      }
      const unnamed = [...byName.keys()].filter((name) => name.startsWith("unknown")).length;
      assert.equal(entries.length, byName.size, [...byName.keys()].join(" "));
      assert.equal(compared, byName.size - unnamed);
      assert.ok(compared > 20, `${compared} calls`);
    }
  },
);

test(
  "the histogram has the id that viewers ask for, and counts every event record",
  withBabeltrace,
  async () => {
    const { UUID, start, end } = await experiment();
    const { records } = await replayed();
    const id = "org.eclipse.tracecompass.internal.tmf.core.histogram.HistogramDataProvider";
    for (const bars of [1, 7, 64, 100, 1000, 4096, 5000]) {
      const query = QueryHelper.selectionTimeRangeQuery(start, end, bars, [1]);
      const { series } = modelOf(await client.fetchXY(UUID, id, query)).model;
      const { yValues } = series[0]!;
      assert.equal(yValues.length, bars);
      assert.equal(
        yValues.reduce((all, one) => all + one, 0),
        records.length,
        `${bars} bars`,
      );
      if (4096 % bars !== 0 && bars > 1) continue;
      // Bars that are whole buckets of the history.
      const counts = new Array<number>(bars).fill(0);
      const width = Number(end - start) / bars;
      for (const { ns } of records) counts[Math.min(bars - 1, Math.floor(ns / width))]!++;
      assert.deepEqual(yValues, counts, `${bars} bars`);
    }
  },
);

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
  const configs = `/config/types/${type}/configs`;
  assert.equal((await ask("POST", configs, { name: "other", parameters: {} })).status, 200);
  assert.equal((await ask("POST", configs, { parameters: {} })).status, 400);
  assert.equal((await ask("POST", "/config/types/none/configs", { name: "x", parameters: {} })).status, 404);
  assert.equal((await ask("GET", "/config/types/none/configs")).status, 404);
  assert.equal((await ask("GET", "/config/types/none")).status, 404);
  assert.equal((await client.fetchConfigurations(type)).getModel()!.length, 2);
  assert.equal((await client.fetchConfiguration(type, made.id)).getModel()!.name, "mine");
  const changed = QueryHelper.configurationQuery("ours", "of the test", { periods: ["a : true : true"] });
  assert.equal((await client.updateConfiguration(type, made.id, changed)).getModel()!.name, "ours");
  assert.equal((await client.fetchConfiguration(type, made.id)).getModel()!.name, "ours");
  assert.equal((await ask("PUT", `${configs}/${made.id}`, "{}")).status, 400);
  assert.equal((await ask("PUT", `${configs}/none`, { name: "x", parameters: {} })).status, 404);
  assert.equal((await client.deleteConfiguration(type, made.id)).getStatusCode(), 200);
  assert.equal((await client.fetchConfiguration(type, made.id)).getStatusCode(), 404);
  assert.equal((await client.deleteConfiguration(type, made.id)).getStatusCode(), 404);
});

test("bookmarks keep their times to the nanosecond", async () => {
  const { UUID, start } = await experiment();
  const path = `/experiments/${UUID}/bookmarks`;
  const body = (name: string, from: bigint, to: bigint) =>
    `{"parameters":{"name":"${name}","start":${from},"end":${to}}}`;
  const here = body("here", start + 1n, start + 3n);
  const uuidOf = ({ text }: { text: string }) => (JSON.parse(text) as { uuid: string }).uuid;
  const made = await ask("POST", path, here);
  assert.match(made.text, new RegExp(`"start": ?${start + 1n}\\b`));
  const uuid = uuidOf(made);
  assert.ok((await ask("GET", path)).text.includes(String(start + 3n)));
  assert.ok((await ask("GET", `${path}/${uuid}`)).text.includes(String(start + 1n)));
  const changed = await ask("PUT", `${path}/${uuid}`, body("there", start + 5n, start + 7n));
  assert.match(changed.text, /there/);
  assert.equal((await ask("GET", `${path}/${uuid}`)).text, changed.text);
  // Two that say the same are two, whatever was deleted between.
  const [one, two] = [uuidOf(await ask("POST", path, here)), uuidOf(await ask("POST", path, here))];
  assert.equal((await ask("DELETE", `${path}/${one}`)).status, 200);
  const three = uuidOf(await ask("POST", path, here));
  assert.equal(new Set([uuid, one, two, three]).size, 4);
  const left = JSON.parse((await ask("GET", path)).text) as { uuid: string }[];
  assert.deepEqual(left.map((bookmark) => bookmark.uuid).sort(), [uuid, two, three].sort());
  for (const bookmark of [uuid, two, three]) {
    assert.equal((await ask("DELETE", `${path}/${bookmark}`)).status, 200);
  }
  for (const method of ["GET", "DELETE"]) assert.equal((await ask(method, `${path}/${uuid}`)).status, 404);
  assert.equal((await ask("PUT", `${path}/${uuid}`, here)).status, 404);
  assert.equal((await ask("POST", path, body("end before start", start + 3n, start))).status, 400);
  const other = uuidOf(await ask("POST", path, here));
  assert.equal((await ask("PUT", `${path}/${other}`, body("", start, start))).status, 400);
  await ask("DELETE", `${path}/${other}`);
});

test("wrong requests are told what was expected", async () => {
  const { UUID } = await experiment();
  const id = await outputId("ThreadStatusDataProvider");
  const post = async (path: string, body: string) => {
    const { status, text } = await ask("POST", `/experiments/${UUID}/outputs/${path}`, body);
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
  assert.equal((await client.fetchExperiment(nobody)).getStatusCode(), 404);
  assert.ok("title" in (JSON.parse(replies.at(-1)!.body) as object));
});

const nobody = "00000000-0000-0000-0000-000000000000";

/** Paths below an output's form, by the type that answers them. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  timeGraph: ["tree", "states", "arrows", "tooltip"],
  XY: ["tree", "xy"],
  genericXY: ["tree", "xy"],
  data: ["tree"],
  table: ["columns", "lines"],
};

test("every output's path says when an experiment or output is not there, is of another type, or is asked wrongly", async () => {
  const { UUID } = await experiment();
  const outputs = (await client.experimentOutputs(UUID)).getModel()!;
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
        (await ask("POST", `/experiments/${experimentId}/outputs/${form}/${output}/${what}`, body)).status;
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
    const answer = await ask(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text.slice(0, 200)}`);
  }
  const markers = await ask("GET", `/experiments/${UUID}/outputs/markerSets`);
  assert.equal(markers.status, 200);
  assert.equal((await ask("GET", graph)).status, 200);
});

test("no request, however odd, is a fault of the server", async () => {
  const { UUID, start, end } = await experiment();
  const outputs = (await client.experimentOutputs(UUID)).getModel()!;
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
  const form: Readonly<Record<string, string>> = {
    TIME_GRAPH: "timeGraph",
    TREE_TIME_XY: "XY",
    TREE_GENERIC_XY: "genericXY",
    DATA_TREE: "data",
    TABLE: "table",
  };
  const path = `/experiments/${UUID}/outputs`;
  let asked = 0;
  const check = async (method: string, where: string, body?: unknown): Promise<void> => {
    const { status, text } = await ask(method, where, body);
    assert.ok(status < 500, `${method} ${where} ${JSON.stringify(body)}: ${status} ${text.slice(0, 300)}`);
    asked++;
  };
  for (const { id, type } of outputs) {
    for (const parameters of odd) {
      for (const what of FORMS[form[type]!]!)
        await check("POST", `${path}/${form[type]}/${id}/${what}`, { parameters });
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
  assert.equal(server.errors(), "");
});

test("charts tell what they show at a point", withBabeltrace, async () => {
  const { UUID, start, end } = await experiment();
  const { calls } = await replayed();
  const scatter = await outputId(
    "scatter.dataprovider:org.eclipse.tracecompass.analysis.os.linux.latency.syscall",
  );
  const tooltip = async (id: string, x: bigint, y?: number, series?: number) => {
    const query = `xValue=${x}${y === undefined ? "" : `&yValue=${y}`}${series === undefined ? "" : `&seriesId=${series}`}`;
    const { status, text } = await ask("GET", `/experiments/${UUID}/outputs/XY/${id}/tooltip?${query}`);
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { model: Record<string, string> }).model;
  };
  const { entries } = modelOf(
    await client.fetchXYTree(UUID, scatter, QueryHelper.timeRangeQuery(start, end)),
  ).model;
  for (let i = 0; i < calls.length; i += Math.floor(calls.length / 20)) {
    const { beginNs, endNs, name, tid } = calls[i]!;
    const item = entries.find(({ labels }) => labels[0] === name)?.id;
    if (item === undefined) continue;
    const model = await tooltip(scatter, start + BigInt(beginNs), endNs - beginNs, item);
    assert.deepEqual(
      [model["Start Time"], model["End Time"], model["Name"], model["TID"], model["Duration"]],
      [
        `${start + BigInt(beginNs)}`,
        `${start + BigInt(endNs)}`,
        name,
        `${tid}`,
        formatDuration(endNs - beginNs),
      ],
    );
  }
  // The client's own call, with a number as JavaScript has it.
  const { beginNs } = calls[0]!;
  const rounded = await client.fetchXYToolTip(UUID, scatter, Number(start) + beginNs);
  assert.ok("Duration" in (rounded.getModel() as unknown as { model: object }).model);
  const cpu = await outputId("CpuUsageDataProvider");
  const width = Number(end - start) / 500;
  const middle = start + (end - start) / 2n;
  const model = await tooltip(cpu, middle);
  const around = QueryHelper.selectionTimeRangeQuery(
    middle - BigInt(Math.round(width / 2)),
    middle + BigInt(Math.round(width / 2)),
    1,
    [1_000_000_000],
  );
  const [total] = modelOf(await client.fetchXY(UUID, cpu, around)).model.series;
  assert.equal(model["Time"], `${middle}`);
  assert.ok(Math.abs(Number.parseFloat(model["Total"]!) - total!.yValues[0]!) < 0.01, `${model["Total"]}`);
  assert.match(model["Total"]!, / %$/);
  assert.deepEqual(await tooltip(cpu, end + 1_000_000n), {}, "nothing beyond the trace");
  assert.equal((await ask("GET", `/experiments/${UUID}/outputs/XY/${cpu}/tooltip`)).status, 400);
});

test("pages of other sites may not ask", async () => {
  const evil = await fetch(`${server.url}/tsp/api/traces`, { headers: { origin: "https://example.org" } });
  assert.equal(evil.status, 403);
  assert.equal(evil.headers.get("access-control-allow-origin"), null);
  const local = await fetch(`${server.url}/tsp/api/traces`, { headers: { origin: "http://localhost:3000" } });
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
  const url = `${server.url}/tsp/api/traces`;
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

/** What the published client asks though the file does not have it. */
const BEYOND = [
  { name: "XY tooltip", pattern: /\/outputs\/XY\/[^/]+\/tooltip$/ },
  { name: "/experiments/{expUUID}", pattern: /\/experiments\/[^/]+$/ },
  { name: "/config/types/{typeId}", pattern: /\/config\/types\/[^/]+$/ },
];

test("every reply is as the protocol's OpenAPI file has it", {
  skip: existsSync(specification) ? needs("babeltrace2") : "no ../shared",
}, (t) => {
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
  assert.deepEqual([...wrong].slice(0, 10), []);
  const missing = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) => {
      const name = `${method.toUpperCase()} ${path}`;
      return Object.keys(responses).flatMap((status) =>
        seen.get(name)?.has(status) === true ? [] : [`${name} ${status}`],
      );
    }),
  );
  assert.deepEqual(missing.sort(), [...NEVER].sort(), "statuses of operations that were not seen");
  assert.deepEqual([...beyond].sort(), [
    "GET XY tooltip",
    "POST /config/types/{typeId}",
    "PUT /experiments/{expUUID}",
  ]);
  t.diagnostic(`validated: ${seen.size} operations, ${replies.length} replies`);
  t.diagnostic(`statuses that were not seen: ${NEVER.join("; ")}`);
  t.diagnostic(
    "without a schema in the file: XY tooltips, PUT of experiments, POST of configurations at their type",
  );
});
