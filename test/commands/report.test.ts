// `periscope report` as its users run it, against what is known of the traces from outside the tracer.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertSameText, needs, periscope, sample, sharedTrace } from "../support.js";

const utf8 = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8");

test("report: 80 columns at most, and the DNS answer that never came", () => {
  const run = periscope(["report", sample("dns-outlier")]);
  assert.equal(run.code, 0, run.stderr);
  const text = utf8(run.stdout);
  for (const line of text.split("\n")) assert.ok([...line].length <= 80, line);
  assert.match(text, /apache2 \(668\) poll on socket 8\.8\.6\.6:53, timeout 2\.50 s:\s+timed out/);
  assert.doesNotMatch(text, /\x1b/, "no colour where nobody sees it");
});

for (const width of [60, 132]) {
  test(`report --width ${width}`, () => {
    const text = utf8(periscope(["report", "--width", String(width), sample("idle-small")]).stdout);
    for (const line of text.split("\n")) assert.ok([...line].length <= width, line);
  });
}

test("report: one thread and two say the same", { skip: needs(sharedTrace("case3-dns-outlier")) }, () => {
  const path = sharedTrace("case3-dns-outlier")!;
  const [one, two] = [1, 2].map((threads) => {
    const report = JSON.parse(periscope(["report", "--json", `--threads=${threads}`, path]).stdout);
    return JSON.stringify([
      report.syscalls.names,
      report.waits,
      report.disks,
      report.interrupts,
      report.memory,
    ]);
  });
  assertSameText(one!, two!, "threads");
});

test("report: CPU time adds up to CPUs times duration", () => {
  const { cpu, machine } = JSON.parse(periscope(["report", "--json", sample("idle-small")]).stdout);
  const capacity = 2 * machine.durationNs;
  const sum = cpu.busyNs + cpu.idleNs + cpu.unknownNs;
  assert.ok(Math.abs(sum - capacity) <= 2, `${sum} ns of ${capacity}`);
});

test("report --html: one page that needs nothing else", () => {
  const directory = mkdtempSync(join(tmpdir(), "periscope-html-"));
  const file = join(directory, "report.html");
  const run = periscope(["report", "--html", file, sample("dns-outlier")]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stdout, "");
  const html = readFileSync(file, "utf8");
  rmSync(directory, { recursive: true });
  assert.match(html, /^<!doctype html>/i);
  assert.match(html, /8\.8\.6\.6:53/);
  assert.doesNotMatch(html, /(src|href)="(https?:)?\/\//);
  assert.doesNotMatch(html, /<script/);
});

test("report of a time range counts what is in it", () => {
  const all = JSON.parse(periscope(["report", "--json", sample("dns-outlier")]).stdout);
  const part = JSON.parse(
    periscope([
      "report",
      "--json",
      "--clock-gmt",
      "--begin=16:59:35",
      "--end=16:59:36",
      sample("dns-outlier"),
    ]).stdout,
  );
  assert.ok(Math.abs(part.machine.durationNs - 1e9) < 1e7, `${part.machine.durationNs}`);
  assert.ok(part.syscalls.count > 0 && part.syscalls.count < all.syscalls.count);
});

test("report of user space only says what it needs", () => {
  const run = periscope(["report", sample("ust/uid-two-chunks")]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /expected a kernel trace/);
});

test("report: the memory section names the events that are missing", {
  skip: needs(sharedTrace("case4-coredump-outlier")),
}, () => {
  const text = utf8(periscope(["report", sharedTrace("case4-coredump-outlier")!]).stdout);
  assert.match(text, /kmem_mm_page_alloc/);
});
