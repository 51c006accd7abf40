/**
 * What the Trace Server Protocol's outputs say: held against a replay of babeltrace2's text, to the nanosecond.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QueryHelper } from "tsp-typescript-client/lib/models/query/query-helper.js";
import { formatDuration } from "../../src/base/format.js";
import { type State, settled } from "../support/replay.js";
import { judge, modelOf, useServer, withoutSpecification } from "../support/tsp.js";
import { needs, sample } from "../support.js";

const tsp = useServer(sample("dns-outlier"));
const withBabeltrace = { skip: needs("babeltrace2") };

test("times are exact beyond 2^53, as babeltrace2 tells them", withBabeltrace, async () => {
  const { UUID, start, end, nbEvents } = await tsp.experiment();
  const { records } = await tsp.replayed();
  assert.ok(start > 2n ** 53n && typeof start === "bigint");
  assert.equal(Number(nbEvents), records.length);
  assert.equal(records[0]!.ns, 0, "the first one is at the begin");
  assert.ok(end >= start + BigInt(records.at(-1)!.ns));
  // A double cannot tell these apart.
  assert.ok(records.some(({ ns }) => BigInt(Number(start + BigInt(ns))) !== start + BigInt(ns)));
  const id = await tsp.outputId("TmfEventTableDataProvider");
  const last = records.length - 200;
  for (const index of [0, 1, 4095, 4096, 4097, records.length >> 1, last]) {
    const query = QueryHelper.tableQuery([], index, 200);
    const { lines } = modelOf(await tsp.client.fetchTableLines(UUID, id, query)).model;
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

test("CPU usage is what the switches of babeltrace2's text add up to", withBabeltrace, async () => {
  const { UUID, start, end } = await tsp.experiment();
  const { cpus, threads } = await tsp.replayed();
  const id = await tsp.outputId("CpuUsageDataProvider");
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
    const { entries, headers } = modelOf(await tsp.client.fetchXYTree(UUID, id, range)).model;
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
    const { series } = modelOf(await tsp.client.fetchXY(UUID, id, query)).model;
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
    const { UUID, start, end } = await tsp.experiment();
    const { calls } = await tsp.replayed();
    const id = await tsp.outputId(
      "SegmentStoreStatisticsDataProvider:org.eclipse.tracecompass.analysis.os.linux.latency",
    );
    const whole = Number(end - start);
    for (const [from, to] of [
      [0, whole],
      [Math.floor(whole / 4), Math.floor(whole / 3)],
    ] as const) {
      const range = QueryHelper.timeRangeQuery(start + BigInt(from), start + BigInt(to));
      const { entries, headers } = modelOf(await tsp.client.fetchDataTree(UUID, id, range)).model;
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
    const { UUID, start, end } = await tsp.experiment();
    const { records } = await tsp.replayed();
    const id = "org.eclipse.tracecompass.internal.tmf.core.histogram.HistogramDataProvider";
    for (const bars of [1, 7, 64, 100, 1000, 4096, 5000]) {
      const query = QueryHelper.selectionTimeRangeQuery(start, end, bars, [1]);
      const { series } = modelOf(await tsp.client.fetchXY(UUID, id, query)).model;
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

test(
  "the events table has the fields as babeltrace2 prints them, enumerations with their labels",
  withBabeltrace,
  async () => {
    const { UUID } = await tsp.experiment();
    const { records } = await tsp.replayed();
    const id = await tsp.outputId("TmfEventTableDataProvider");
    const lines = async (index: number, count: number, more: Record<string, unknown> = {}) =>
      modelOf(
        await tsp.client.fetchTableLines(UUID, id, QueryHelper.tableQuery([], index, count, more as never)),
      ).model.lines;
    let labelled = 0;
    for (const name of new Set(records.map((record) => record.name))) {
      const index = records.findIndex((record) => record.name === name);
      const [line] = await lines(index, 1);
      const { payload } = records[index]!;
      // babeltrace2 2.0.4 prints an older string where a string is empty.
      if (line!.cells[4]!.content.includes('""')) continue;
      assert.equal(line!.cells[4]!.content, payload);
      if (payload.includes(": container = ")) labelled++;
    }
    assert.ok(labelled > 0);
    const tcp = records.findIndex(({ payload }) =>
      payload.includes('transport_header_type = ( "_tcp" : container'),
    );
    const [found] = await lines(0, 1, {
      table_search_expressions: { 4: '"_tcp" : container' },
      table_search_direction: "NEXT",
    });
    assert.equal(Number(found!.index), tcp);
  },
);

test("the events table: by index, by time, search forwards and backwards", async () => {
  const { UUID, start, nbEvents } = await tsp.experiment();
  const id = await tsp.outputId("TmfEventTableDataProvider");
  const at = async (index: number, more: Record<string, unknown> = {}) =>
    modelOf(await tsp.client.fetchTableLines(UUID, id, QueryHelper.tableQuery([], index, 5, more as never)))
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
  const byTime = modelOf(await tsp.client.fetchTableLines(UUID, id, query)).model;
  assert.equal(BigInt(byTime.lines[0]!.cells[0]!.content), time);
});

test("filters dim or exclude states", async () => {
  const { UUID, start, end } = await tsp.experiment();
  const id = await tsp.outputId("ThreadStatusDataProvider");
  const { entries } = (
    await tsp.client.fetchTimeGraphTree(UUID, id, QueryHelper.timeRangeQuery(start, end))
  ).getModel()!.model;
  const items = entries.filter((one) => one.hasData !== false).map((one) => one.id);
  const states = async (map: Record<string, string[]>) => {
    const more = { filter_query_parameters: { strategy: "SAMPLED", filter_expressions_map: map } };
    const query = QueryHelper.selectionTimeRangeQuery(start, end, 100, items, more);
    return (await tsp.client.fetchTimeGraphStates(UUID, id, query))
      .getModel()!
      .model.rows.flatMap((row) => row.states);
  };
  const dimmed = await states({ 1: ["duration > 1ms"] });
  assert.ok(dimmed.some(({ tags }) => tags === 1) && dimmed.some(({ tags }) => tags !== 1));
  for (const state of dimmed) assert.equal(state.tags === 1, state.end - state.start <= 1_000_000n);
  const kept = await states({ 4: ["waits for network"] });
  assert.ok(kept.length > 0 && kept.length < dimmed.length);
});

test("charts tell what they show at a point", withBabeltrace, async () => {
  const { UUID, start, end } = await tsp.experiment();
  const { calls } = await tsp.replayed();
  const scatter = await tsp.outputId(
    "scatter.dataprovider:org.eclipse.tracecompass.analysis.os.linux.latency.syscall",
  );
  const tooltip = async (id: string, x: bigint, y?: number, series?: number) => {
    const query = `xValue=${x}${y === undefined ? "" : `&yValue=${y}`}${series === undefined ? "" : `&seriesId=${series}`}`;
    const { status, text } = await tsp.ask("GET", `/experiments/${UUID}/outputs/XY/${id}/tooltip?${query}`);
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { model: Record<string, string> }).model;
  };
  const { entries } = modelOf(
    await tsp.client.fetchXYTree(UUID, scatter, QueryHelper.timeRangeQuery(start, end)),
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
  const rounded = await tsp.client.fetchXYToolTip(UUID, scatter, Number(start) + beginNs);
  assert.ok("Duration" in (rounded.getModel() as unknown as { model: object }).model);
  const cpu = await tsp.outputId("CpuUsageDataProvider");
  const width = Number(end - start) / 500;
  const middle = start + (end - start) / 2n;
  const model = await tooltip(cpu, middle);
  const around = QueryHelper.selectionTimeRangeQuery(
    middle - BigInt(Math.round(width / 2)),
    middle + BigInt(Math.round(width / 2)),
    1,
    [1_000_000_000],
  );
  const [total] = modelOf(await tsp.client.fetchXY(UUID, cpu, around)).model.series;
  assert.equal(model["Time"], `${middle}`);
  assert.ok(Math.abs(Number.parseFloat(model["Total"]!) - total!.yValues[0]!) < 0.01, `${model["Total"]}`);
  assert.match(model["Total"]!, / %$/);
  assert.deepEqual(await tooltip(cpu, end + 1_000_000n), {}, "nothing beyond the trace");
  assert.equal((await tsp.ask("GET", `/experiments/${UUID}/outputs/XY/${cpu}/tooltip`)).status, 400);
});

test("the replies are as the protocol's OpenAPI file has them", { skip: withoutSpecification }, () => {
  assert.deepEqual(judge(tsp.replies).wrong.slice(0, 10), []);
});
