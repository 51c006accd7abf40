// LAMI 1.0: metadata and results of every command are valid, and the table classes are exactly the reference's.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { periscope, root, sample } from "../support.js";
import { parseExact } from "./lami/parse.js";
import { metadataFaults, resultFaults } from "./lami/schema.js";

// biome-ignore lint/suspicious/noExplicitAny: parsed JSON
type Json = any;

const SPEC = join(root, "../shared/spec/lami-metadata.json");
const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ["cputop", "--refresh", "500ms"],
  ["memtop"],
  ["iousagetop", "--stats", "--top", "--log", "--freq", "--limit", "unlimited"],
  ["iolatencytop"],
  ["iolatencystats"],
  ["iolatencyfreq"],
  ["iolog"],
  ["irqstats", "--freq", "--log"],
  ["irqfreq", "--freq-series"],
  ["irqlog"],
  ["schedlog", "--stats", "--freq", "--top", "--total", "--per-tid", "--per-prio"],
  ["schedfreq", "--freq-series"],
  ["schedstats", "--total"],
  ["schedtop", "--limit", "3"],
  ["syscallstats"],
];

function mi(...args: string[]): string {
  const { code, stdout, stderr } = periscope(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

for (const [command, ...options] of COMMANDS) {
  test(`${command}: valid metadata and results`, () => {
    const metadata = JSON.parse(mi(command, "--mi", "--metadata")) as Json;
    assert.deepEqual(metadataFaults(metadata), []);
    const results = parseExact(mi(command, "--mi", ...options, sample("idle-small"))) as Json;
    assert.ok(results.results.length > 0);
    assert.deepEqual(resultFaults(results, metadata), []);
    // Every table and column of the tables that the reference has, with class and unit, and no other.
    if (!existsSync(SPEC)) return;
    const theirs = JSON.parse(readFileSync(SPEC, "utf8"))[command] as Json;
    assert.deepEqual(metadata["table-classes"], theirs["table-classes"]);
    assert.deepEqual(
      [metadata.title, metadata.description, metadata.tags],
      [theirs.title, theirs.description, theirs.tags],
    );
  });
}

test("the validator refuses what is wrong, and says where", () => {
  const columns = [
    { title: "a", class: "process" },
    { title: "b", class: "duration" },
  ];
  const metadata = { "table-classes": { t: { title: "T", "column-descriptions": columns } } };
  const stamp = (value: unknown) => ({ class: "timestamp", value });
  const range = { class: "time-range", begin: stamp(1), end: stamp(2) };
  const faults = (data: unknown, table: object = {}) =>
    resultFaults({ results: [{ class: "t", "time-range": range, data, ...table }] }, metadata);
  const good = [
    { class: "process", name: "x", tid: 1 },
    { class: "duration", value: 5 },
  ];
  assert.deepEqual(faults([good, [null, { class: "unknown" }]]), []);
  assert.match(faults([[good[0]]]).join(), /row 0: 1 cells, expected 2/);
  assert.match(faults([[good[1], good[1]]]).join(), /column 0: duration in a column of process/);
  assert.match(faults([[good[0], { class: "duration" }]]).join(), /column 1: not a duration/);
  assert.match(faults([[good[0], { class: "weight" }]]).join(), /no data class weight/);
  assert.match(faults([], { class: "u" }).join(), /no table class u/);
  assert.match(faults([], { "time-range": { ...range, begin: stamp(3) } }).join(), /ends before it begins/);
  assert.match(faults([], { "time-range": { ...range, begin: stamp("3") } }).join(), /time-range/);
  assert.deepEqual(resultFaults({}, metadata), ["expected results"]);
  assert.match(metadataFaults({}).join(), /mi-version: expected 1.0/);
});
