// `periscope why` on traces of known causes: what it blames, not the sentences. The causes are those of
// ../shared/traces/README.md and of the scripts in samples/causes, whose traces tools/unpack-causes.mjs unpacks.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needs, periscope, root, sample, sharedTrace } from "../support.js";

const WORDPRESS = ["--profile", "apache-php-mysql"];
const server = (procname: string): string[] => ["--profile", "tcp-server", "--param", `procname=${procname}`];
const SERVICE = server("service");

// biome-ignore lint/suspicious/noExplicitAny: JSON of the command
type Json = any;

const NOT_UNPACKED = "tools/unpack-causes.mjs has not run";

function cause(name: string): string | undefined {
  const path = join(root, ".cache/causes", name);
  return existsSync(path) ? path : undefined;
}

function whyOf(args: readonly string[]): Json {
  const { code, stdout, stderr } = periscope(["why", "--json", ...args]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).periods[0];
}

const numbers = (group: Json): number[] => group.instances.map(({ number }: Json) => number);
const names = (culprits: Json): string[] => culprits.map(({ who }: Json) => who.process);

/** At least 95 % of every outlier's time has a named cause. */
function assertAttributed(why: Json): void {
  for (const group of why.groups) {
    for (const { number, attributed } of group.instances)
      assert.ok(attributed >= 0.95, `#${number}: ${attributed}`);
  }
}

const case1 = sharedTrace("case1-slow");
test("case 1: out of CPU, and that is the norm", { skip: needs(case1) }, () => {
  for (const more of [[], ["--threshold", "1s"]]) {
    const why = whyOf([...WORDPRESS, ...more, case1!]);
    assert.equal(why.count, 48);
    assert.equal(why.verdict, "norm");
    const [main] = why.usual.causes;
    assert.equal(main.kind, "cpu-contention");
    assert.equal(names(main.culprits)[0], "report-gen");
    assert.equal(main.culprits[0].processes, 4);
    // Requests of 1.3 to 3.1 s that take 0.35 to 0.5 s on a quiet machine.
    assert.ok(main.ns / why.usual.meanNs > 0.7, `${main.ns} of ${why.usual.meanNs}`);
    assert.ok(why.usual.idleShare < 0.05);
  }
});

const case2 = sharedTrace("case2-xz-outlier");
test("case 2: xz, started by cron, took the CPU", { skip: needs(case2) }, () => {
  const why = whyOf([...WORDPRESS, case2!]);
  assert.equal(why.groups.length, 1);
  const [group] = why.groups;
  // The requests of 2.60 s (pid 267) and 1.79 s (pid 268).
  assert.deepEqual(
    group.instances.map(({ thread, durationNs }: Json) => [thread.tid, Math.round(durationNs / 1e7)]),
    [
      [267, 260],
      [268, 179],
    ],
  );
  const [main] = group.causes;
  assert.equal(main.kind, "cpu-contention");
  const [xz] = main.culprits;
  assert.equal(xz.who.process, "xz");
  assert.equal(xz.processes, 4);
  assert.ok(xz.who.parents.some(({ name }: Json) => name === "cron"));
  assertAttributed(why);
});

const case3 = sharedTrace("case3-dns-outlier");
for (const [path, skip] of [
  [case3, needs(case3)],
  [sample("dns-outlier"), false],
] as const) {
  test(`case 3: a DNS server that never answers (${path === case3 ? "whole" : "sample"})`, { skip }, () => {
    const why = whyOf([...WORDPRESS, path!]);
    const group = why.groups[0];
    assert.deepEqual(numbers(group), [5]);
    const [main] = group.causes;
    assert.equal(main.kind, "network");
    assert.equal(main.name, "8.8.6.6:53");
    assert.deepEqual(main.timeouts, [2.5e9]);
    assert.ok(main.lastTouched.includes("/var/lib/wordpress/wp-content/plugins/hello.php"));
    assert.equal(main.details[0].what, "poll 8.8.6.6:53");
    assert.ok(main.ns >= 2.5e9 && main.ns < 2.51e9);
    assertAttributed(why);
  });
}

const case4 = sharedTrace("case4-coredump-outlier");
test("case 4: the disk was busy with a core dump that a kernel worker wrote", { skip: needs(case4) }, () => {
  const why = whyOf([...WORDPRESS, case4!]);
  assert.equal(why.groups.length, 1);
  const [group] = why.groups;
  assert.deepEqual(group.instances.map(({ thread }: Json) => thread.tid).sort(), [564, 565]);
  const [main] = group.causes;
  assert.equal(main.kind, "disk");
  assert.equal(main.name, "vda");
  const [indexer] = main.culprits;
  assert.equal(indexer.who.pid, 604);
  assert.equal(indexer.crash.signal, 11);
  assert.equal(indexer.ownerBy, "dirtied");
  assert.equal(indexer.through, "kworker");
  assert.ok(main.files.includes("/var/lib/mysql/ib_logfile0"));
  // The first one ends with a write of 1.58 s to the access log, the second one waits in the database only.
  const first = group.instances.find(({ thread }: Json) => thread.tid === 564);
  const log = first.longest.find(({ syscall }: Json) => syscall === "write");
  assert.equal(log.target, "/var/log/apache2/access.log");
  assert.equal(Math.round(log.durationNs / 1e7), 158);
  assertAttributed(why);
  // The crash is among the event records that decide.
  const crash = group.evidence.find(({ event }: Json) => event === "signal_deliver");
  assert.deepEqual([crash.tid, crash.payload.sig], [604, 11]);
});

const rotated = sharedTrace("rotated");
test("where nothing is wrong, it says so", { skip: needs(rotated) }, () => {
  const why = whyOf([...WORDPRESS, rotated!]);
  assert.equal(why.verdict, "fine");
  assert.deepEqual(why.groups, []);
  const { stdout } = periscope(["why", ...WORDPRESS, rotated!]);
  assert.match(stdout, /Nothing is wrong here/);
});

interface Known {
  readonly name: string;
  readonly kind: string;
  readonly about?: string;
  readonly culprit?: string;
  readonly holder?: string;
  /** Slow instances of the main group, at least. */
  readonly slow: number;
  readonly group?: number;
  readonly procname?: string;
}

const KNOWN: readonly Known[] = [
  { name: "lock", kind: "lock", about: "janitor", holder: "service", slow: 3 },
  { name: "child", kind: "child", holder: "thumbnail-xz", slow: 3 },
  { name: "fsync", kind: "disk", about: "vda", culprit: "backup-agent", slow: 6 },
  { name: "cpulimit", kind: "cpu-limit", slow: 9 },
  { name: "interrupts", kind: "interrupts", culprit: "flood", slow: 5 },
  { name: "timers", kind: "cpu-contention", culprit: "stress-ng-timer", slow: 7 },
  { name: "memlimit", kind: "memory", about: "limit", slow: 5 },
  { name: "pylock", kind: "lock", about: "reporter", holder: "python3", slow: 2, procname: "python*" },
  { name: "remote", kind: "process", about: "pricing", holder: "pricing", slow: 3 },
  { name: "memory", kind: "memory", culprit: "hoarder", slow: 3, group: 1 },
  { name: "two-hosts", kind: "process", about: "pricing", holder: "pricing", slow: 3 },
];

for (const { name, kind, about, culprit, holder, slow, group: at, procname } of KNOWN) {
  const path = cause(name);
  test(`known cause: ${name}`, { skip: path === undefined && NOT_UNPACKED }, () => {
    const args = [...server(procname ?? "service"), path!];
    const why = whyOf(args);
    assert.equal(why.verdict, "outliers");
    const group = why.groups[at ?? 0];
    const [main] = group.causes;
    assert.equal(main.kind, kind);
    if (about !== undefined) assert.equal(main.name, about);
    if (culprit !== undefined) assert.equal(main.culprits[0].who.process, culprit);
    if (holder !== undefined) assert.equal(main.holder.process, holder);
    assert.ok(group.instances.length >= slow, `${group.instances.length} instances`);
    assert.ok(main.share > 0.85, `explains ${main.share}`);
    assertAttributed(why);
    // People read the same names.
    const { stdout } = periscope(["why", ...args, "--width", "200"]);
    for (const word of [about, culprit, holder])
      if (word !== undefined) assert.ok(stdout.includes(word), word);
  });
}

const twoHosts = cause("two-hosts");
test("a server on another host: its thread is followed, and the clocks' error is told", {
  skip: twoHosts === undefined && NOT_UNPACKED,
}, () => {
  const { stderr, stdout } = periscope([
    "critical-path",
    "--json",
    ...SERVICE,
    "--period",
    "connection",
    twoHosts!,
  ]);
  assert.match(
    stderr,
    /the clock of webvm is [\d.]+ s behind that of dbvm \(.+ [\d.]+ ms, from \d+ packets\)/,
  );
  const { slices, thread, durationNs, clocks } = JSON.parse(stdout);
  assert.deepEqual([clocks[0].host, clocks[0].reference], ["webvm", "dbvm"]);
  assert.ok(clocks[0].boundNs > 0 && clocks[0].boundNs < 10e6);
  assert.equal(thread.host, "webvm");
  const asleep = slices.find(({ kind }: Json) => kind === "timer");
  assert.equal(asleep.thread.host, "dbvm");
  assert.equal(asleep.thread.process, "pricing");
  assert.ok(asleep.durationNs > 0.59e9);
  assert.ok(slices.some(({ kind }: Json) => kind === "network"));
  assert.equal(
    slices.reduce((sum: number, slice: Json) => sum + slice.durationNs, 0),
    durationNs,
  );
});

test("what the trace lacks lowers the certainty, and is named", () => {
  // Recorded without wake-ups, interrupts, disks and packets.
  const why = whyOf(["--profile", "nginx", sample("nginx")]);
  for (const group of why.groups) {
    assert.notEqual(group.certainty.level, "high");
    for (const event of ["sched_waking", "block_rq_issue", "net_if_receive_skb"]) {
      assert.ok(group.certainty.enable.includes(event), event);
    }
  }
});

const lost = sharedTrace("stress-lost");
test("lost event records lower the certainty", { skip: needs(lost) }, () => {
  // A thread of fio.
  const { code, stdout, stderr } = periscope(["waits", "--json", "--tid", "779", lost!]);
  assert.equal(code, 0, stderr);
  const { certainty, slices } = JSON.parse(stdout);
  assert.notEqual(certainty.level, "high");
  assert.match(certainty.reasons.join(), /lost/);
  assert.ok(slices.some(({ kind }: Json) => kind === "unknown"));
});

test("wrong usage", () => {
  const refused = (args: readonly string[], message: RegExp) => {
    const { code, stderr } = periscope(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
  };
  const trace = sample("dns-outlier");
  refused(["why"], /expected one or more paths/);
  refused(["why", "--threshold", "1s", "--percentile", "99", trace], /exclude each other/);
  refused(["why", "--percentile", "0", trace], /expected a number above 0/);
  refused(["why", "--threshold", "soon", trace], /soon/);
  refused(["why", ...WORDPRESS, "--period", "reqest", trace], /did you mean "request"/);
  refused(["waits", trace], /expected --tid/);
  refused(["waits", "--tid", "1", "--instance", "2", trace], /either --tid or a period/);
  refused(["critical-path", ...WORDPRESS, "--instance", "99", trace], /expected 1 to \d+/);
  refused(["waits", "--tid", "668", "--timerange", "[20:00:00,20:00:01]", trace], /not in the trace/);
  const { code, stderr } = periscope(["waits", "--tid", "99999", trace]);
  assert.equal(code, 1);
  assert.match(stderr, /nobody knows thread 99999/);
});
