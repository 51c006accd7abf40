// The example scripts run, and what they print is true.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assertSameText, babeltrace2, needs, root, sample } from "../support.js";

function example(name: string, ...args: string[]): string {
  const run = spawnSync(process.execPath, [`examples/${name}.mjs`, ...args], { cwd: root, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

test("slow-syscalls finds the poll for a DNS answer", () => {
  assert.match(example("slow-syscalls"), /^ +2500\.\d{3} ms {2}poll in apache2 \(668\)$/m);
});

test("between: the same system calls as babeltrace2's lines of that thread", {
  skip: needs("babeltrace2"),
}, () => {
  const theirs = babeltrace2([
    "--clock-seconds",
    "--no-delta",
    "--begin=1795453174.89",
    "--end=1795453177.77",
    sample("dns-outlier"),
  ])
    .stdout.split("\n")
    .filter((line) => line.includes(" tid = 668,") && / syscall_\w+: /.test(line))
    .map((line) => /^\[(\d+)\.(\d+)\] \S+ (\w+):/.exec(line)!)
    .map(([, seconds, ns, name]) => `${seconds}${ns} ${name}`);
  const ours = example("between")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ +/))
    .map(([timestamp, , , name]) => `${timestamp} ${name}`);
  assert.ok(ours.length > 100);
  assertSameText(ours.join("\n"), theirs.join("\n"), "between");
});

test("cpu-by-process counts all event records and knows dd", () => {
  const text = example("cpu-by-process");
  assert.match(text, /^17041 event records$/m);
  assert.match(text, / ms {2}dd$/m);
});

test("requests: the slow one polled for the name server's answer", () => {
  const lines = example("requests").trimEnd().split("\n");
  assert.equal(lines.length, 13);
  assert.equal(lines.filter((line) => /^2865\.9 ms {2}pid 668 .* poll 2503\.\d ms$/.test(line)).length, 1);
});

test("why: the slow one waited for a name server that never answered", () => {
  const text = example("why");
  assert.match(text, /^13 requests, 2 slow$/m);
  assert.match(text, /^1: network 8\.8\.6\.6:53, 2500 ms instead of 3 ms, certainty high$/m);
});
