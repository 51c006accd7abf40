// Periods beside what is not ours: instances that a script in another language counts by hand, and LTTng analyses on
// the definitions that it can parse.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { needs, periscope, root, sharedTrace } from "../support.js";
import { CAPTURES, REQUEST, wordpress } from "../wordpress.js";
import type { Results } from "./lami/compare.js";
import { parseExact } from "./lami/parse.js";
import { installed } from "./lami/reference.js";

const CASES = ["case1-slow", "case2-xz-outlier", "case3-dns-outlier", "case4-coredump-outlier"];
/** Known from the clients' logs. */
const REQUESTS = [48, 40, 49, 30];

interface Row {
  name: string;
  beginNs: number;
  endNs: number;
  durationNs: number;
  parentId: number | null;
  id: number;
  beginCaptures: { key: string; value: unknown }[];
}

function log(trace: string): { origin: bigint; rows: Row[] } {
  const { stdout, code, stderr } = periscope(["periodlog", "--json", ...wordpress(), trace]);
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  return { origin: BigInt(found.originEpochNs), rows: found.slices[0].result.log };
}

CASES.forEach((name, i) => {
  const trace = sharedTrace(name);
  test(`the talk's periods on ${name}: every instance as counted by hand`, {
    skip: needs(trace, "babeltrace2"),
  }, () => {
    const { stdout } = spawnSync("python3", [join(root, "test/peers/periods.py"), trace!], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const expected = stdout.trimEnd().split("\n");
    const { origin, rows } = log(trace!);
    const pidOf = (row: Row): unknown => {
      const top = row.parentId === null ? row : rows.find((other) => other.id === row.parentId)!;
      return top.beginCaptures.find(({ key }) => key === "worker_pid")!.value;
    };
    const ours = rows.map((row) => {
      assert.equal(row.endNs - row.beginNs, row.durationNs);
      return `${row.name} ${origin + BigInt(row.beginNs)} ${origin + BigInt(row.endNs)} ${pidOf(row)}`;
    });
    assert.deepEqual(ours.sort(), expected.sort());
    assert.equal(rows.filter((row) => row.name === "request").length, REQUESTS[i]);
  });
});

/** Definitions without parents: those with them it cannot parse (pyparsing 3). */
const DEFINITIONS = [
  "--period",
  REQUEST,
  "--period-captures",
  CAPTURES,
  "--period",
  'polls : $evt.$name == "syscall_entry_poll" && $evt.timeout_msecs >= 0 : $evt.$name == "syscall_exit_poll" && $evt.tid == $begin.$evt.tid',
  "--period-captures",
  "polls : $evt.procname, ms = $evt.timeout_msecs : result = $evt.ret, missing = $evt.nothing",
  "--period",
  'shell : $evt.$name == "sched_switch" && $evt.next_comm =* "[bd]a[!x]*" && !($evt.prev_comm == "bash" || $evt.prev_tid < 1) : $evt.$name == "sched_switch" && $evt.prev_tid == $begin.$evt.next_tid',
  "--period",
  'workers : $evt.$name == "syscall_entry_accept4" && $evt.cpu_id == 1',
];

for (const name of ["case3-dns-outlier", "case4-coredump-outlier"]) {
  const trace = sharedTrace(name);
  const skip = needs(trace, "babeltrace2") || (installed ? false : "python3-lttnganalyses is not installed");
  test(`periods without parents on ${name}: as the reference`, { skip }, () => {
    const options = ["--stats", "--freq", "--top", "--limit", "100000", ...DEFINITIONS];
    const reference = spawnSync(
      "lttng-periodlog-mi",
      ["--skip-validation", "--no-intersection", ...options, `${trace}/kernel`],
      { encoding: "utf8", maxBuffer: 1 << 28 },
    );
    assert.equal(reference.status, 0, reference.stderr);
    const ours = periscope(["periodlog", "--mi", ...options, trace!]);
    assert.equal(ours.code, 0, ours.stderr);
    const theirTables = tables(parseExact(reference.stdout) as Results);
    const ourTables = tables(parseExact(ours.stdout) as Results);
    assert.deepEqual([...ourTables.keys()].sort(), [...theirTables.keys()].sort());
    for (const [title, rows] of theirTables) assertSameRows(ourTables.get(title)!, rows, title);
    assert.ok(theirTables.get("log")!.length > 500, "the definitions have instances");
  });
}

type Rows = readonly (readonly unknown[])[];

/** By class, or by title where there is one. */
function tables(results: Results): Map<string, Rows> {
  const found = new Map<string, Rows>();
  for (const { class: of, data } of results.results as unknown as {
    class: string | { title: string };
    data: Rows;
  }[]) {
    found.set(typeof of === "string" ? of : of.title, data);
  }
  return found;
}

/** Numbers may differ in their last digits: they are sums of floats in another order. Equal moments in any order. */
function assertSameRows(ours: Rows, theirs: Rows, title: string): void {
  const key = (row: readonly unknown[]) =>
    JSON.stringify(row, (_, value) => {
      if (typeof value === "bigint") return String(value);
      return typeof value === "number" ? Number(value.toPrecision(12)) : value;
    });
  // The order of captures in the reference's text is that of Python's dictionaries.
  const a = ours.map(key).sort();
  const b = theirs.map(key).sort();
  assert.equal(a.length, b.length, title);
  for (let i = 0; i < a.length; i++) assert.equal(a[i], b[i], title);
}
