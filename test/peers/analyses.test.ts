// Every command beside LTTng analyses on the same traces, in LAMI, value by value. A difference is a failure
// unless one of the rules of lami/differences.ts explains it; a rule that explains nothing is a failure, too.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { needs, sharedTrace } from "../support.js";
import { cellValue, compare, type Difference } from "./lami/compare.js";
import { RULES } from "./lami/differences.js";
import { FAMILIES, installed, periscopeResults, reference } from "./lami/reference.js";
import { account, type Truth } from "./lami/truth.js";

const TRACES = ["idle-small", "case1-slow", "case3-dns-outlier", "case4-coredump-outlier"];
const used = new Map<string, number>();
const truths = new Map<string, Truth>();

function truthOf(trace: string): Truth {
  let truth = truths.get(trace);
  if (truth === undefined) truths.set(trace, (truth = account(sharedTrace(trace)!)));
  return truth;
}

function show(d: Difference): string {
  const value = (v: unknown): string =>
    Array.isArray(v)
      ? `[${v
          .slice(0, 9)
          .map((cell) => (Array.isArray(cell) ? "…" : String(cellValue(cell))))
          .join(", ")}]`
      : String(cellValue(v));
  return `${d.table}, ${d.what}${d.what === "cell" ? ` ${d.column}` : ""}, ${d.key}: reference ${value(d.reference)}, ours ${value(d.ours)}`;
}

const skip = (trace: string) =>
  needs(sharedTrace(trace), "babeltrace2") || (installed ? false : "python3-lttnganalyses is not installed");

for (const trace of TRACES) {
  for (const command of Object.keys(FAMILIES)) {
    test(`${command} on ${trace}: as the reference, but for its bugs`, { skip: skip(trace) }, async (t) => {
      const path = sharedTrace(trace)!;
      const [theirs, ours] = await Promise.all([reference(command, path), periscopeResults(command, path)]);
      if (command === "memtop" && ours === undefined) {
        // The trace has no memory events: the reference tells of 0 pages.
        t.diagnostic("no memory events here: Periscope says so, the reference prints zeros");
        return;
      }
      assert.ok(theirs !== undefined, "the reference failed");
      assert.ok(ours !== undefined, "Periscope failed");
      const unexplained: string[] = [];
      for (const difference of compare(theirs, ours)) {
        const rule = RULES.find(
          (r) => r.commands.includes(command) && r.matches(difference, truthOf(trace), trace),
        );
        if (rule === undefined) unexplained.push(show(difference));
        else used.set(rule.id, (used.get(rule.id) ?? 0) + 1);
      }
      assert.equal(
        unexplained.length,
        0,
        `${unexplained.length} differences:\n${unexplained.slice(0, 12).join("\n")}`,
      );
    });
  }
}

test("every rule is needed", { skip: skip("idle-small") }, () => {
  assert.deepEqual(
    RULES.filter((rule) => !used.has(rule.id)).map((rule) => rule.id),
    [],
  );
});

for (const { id, proof } of RULES) {
  if (proof === undefined) continue;
  test(`the event records that prove ${id} are there, in that order`, { skip: skip(proof.trace) }, () => {
    const { stdout } = spawnSync(
      "babeltrace2",
      ["--clock-seconds", "--no-delta", sharedTrace(proof.trace)!],
      {
        encoding: "latin1",
        maxBuffer: 1 << 30,
      },
    );
    let at = 0;
    const lines = stdout.split("\n");
    for (const wanted of proof.lines) {
      while (at < lines.length && !wanted.test(lines[at]!)) at++;
      assert.ok(at < lines.length, String(wanted));
    }
  });
}

after(() => {
  for (const [id, count] of used) console.log(`${String(count).padStart(7)} differences: ${id}`);
});
