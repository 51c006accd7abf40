// `periscope info` against what is known of the traces from elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { needs, periscope, sample, sharedTrace } from "../support.js";

/** From ../shared/traces/README.md: counts by `babeltrace2 | wc -l`, losses by `lttng list`, begin, duration. */
const known: [string, number, number, string, number][] = [
  ["idle-small", 17041, 0, "2026-11-23T16:55:00.566Z", 1.861],
  ["case1-slow", 309695, 0, "2026-11-23T17:25:33.617Z", 25.733],
  ["case2-xz-outlier", 401969, 0, "2026-11-23T17:04:53.209Z", 47.713],
  ["case3-dns-outlier", 426020, 0, "2026-11-23T16:59:33.475Z", 24.877],
  ["case4-coredump-outlier", 598236, 0, "2026-11-23T17:06:04.585Z", 40.622],
  ["stress-lost", 125209, 427216, "2026-11-23T16:56:35.510Z", 5.877],
  ["rotated", 156680, 0, "2026-11-23T16:55:18.030Z", 21.009],
];
for (const [name, events, discarded, begin, seconds] of known) {
  const path = sharedTrace(name);
  test(`info ${name}`, { skip: needs(path) }, () => {
    const run = periscope(["info", "--json", path!]);
    assert.equal(run.code, 0, run.stderr);
    const info = JSON.parse(run.stdout);
    assert.equal(info.events, events);
    assert.equal(info.discardedEvents, discarded);
    assert.equal(info.traces.length, 1);
    assert.equal(info.traces[0].host, "labvm");
    assert.equal(info.traces[0].domain, "kernel");
    assert.equal(info.traces[0].streams.length, 2);
    assert.ok(Math.abs(info.beginNs / 1e6 - Date.parse(begin)) <= 1, `${info.beginNs}`);
    assert.ok(Math.abs(info.durationNs / 1e9 - seconds) < 0.001, `${info.durationNs} ns`);
    const counts = Object.values(info.traces[0].events) as number[];
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      events,
    );
  });
}

test("info snapshot: two snapshots are one trace with 116 packets between them lost", {
  skip: needs(sharedTrace("snapshot")),
}, () => {
  const info = JSON.parse(periscope(["info", "--json", sharedTrace("snapshot")!]).stdout);
  assert.equal(info.traces.length, 1);
  assert.equal(info.events, 63972 + 68058);
  assert.equal(info.discardedPackets, 116);
});

test("info hello-lost: 967,700 event records lost", {
  skip: needs(sharedTrace("ctf-public/hello-lost")),
}, () => {
  const info = JSON.parse(periscope(["info", "--json", sharedTrace("ctf-public/hello-lost")!]).stdout);
  assert.equal(info.discardedEvents, 967700);
});

test("info: moments keep all their digits", () => {
  const run = periscope(["info", "--json", sample("idle-small")]);
  // The first line that babeltrace2 prints: [16:55:00.566161369].
  assert.match(run.stdout, /"beginNs": 1795452900566161369,/);
});

test("info as text, with all event names", () => {
  const run = periscope(["info", "--events=all", sample("idle-small")]);
  assert.equal(run.code, 0);
  for (const text of [
    "labvm",
    "lttng-modules 2.13.9",
    "17,041",
    "monotonic, 1 GHz",
    "syscall_entry_openat",
  ]) {
    assert.ok(run.stdout.includes(text), text);
  }
});
