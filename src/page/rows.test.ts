import assert from "node:assert/strict";
import { test } from "node:test";
import type { RowInfo } from "./contract.js";
import { displayLines, type RowChoice } from "./rows.js";

const row = (
  id: number,
  kind: RowInfo["kind"],
  label: string,
  tid: number,
  pid: number,
  activeNs: number,
): RowInfo => ({
  id,
  kind,
  host: "a",
  label,
  tid,
  pid,
  process: kind === "thread" ? `p${pid}` : "",
  container: "",
  activeNs,
  states: 1,
});
const rows = [
  row(0, "thread", "idler", 9, 9, 0),
  row(1, "cpu", "CPU 0", 0, -1, 10),
  row(2, "thread", "main", 5, 5, 20),
  row(3, "thread", "worker", 6, 5, 30),
  row(4, "thread", "alone", 7, 7, 40),
  row(5, "disk", "sda", -1, -1, 3),
];
const choice: RowChoice = {
  filter: "",
  sort: "activity",
  hideIdle: true,
  pinned: new Set(),
  collapsed: new Set(),
};
const labels = (change: Partial<RowChoice> = {}): string[] =>
  displayLines(rows, 1, { ...choice, ...change }).map(({ label, depth }) => `${" ".repeat(depth)}${label}`);

test("CPUs, disks, then processes by activity; those of one thread have no heading", () => {
  assert.deepEqual(labels(), ["CPUs", " CPU 0", "Disks", " sda", "p5", " worker", " main", "alone"]);
});

test("filter, idle threads, pins and folded groups", () => {
  assert.deepEqual(labels({ filter: "work" }), ["worker"]);
  assert.deepEqual(labels({ filter: "p5 -main" }), ["worker"]);
  assert.ok(labels({ hideIdle: false }).includes("idler"));
  assert.deepEqual(labels({ pinned: new Set([4]) }).slice(0, 2), ["Pinned", " alone"]);
  assert.deepEqual(labels({ collapsed: new Set(["a  5", "cpus"]) }), [
    "CPUs",
    "Disks",
    " sda",
    "p5",
    "alone",
  ]);
});
