// `periscope print` against the real babeltrace2 2.0.4: byte for byte.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertSameText, babeltrace2, needs, periscope, sample, sharedTrace } from "../support.js";

/** Every CTF 1.8 trace of the corpus that babeltrace2 reads to its end. */
const whole = [
  "idle-small",
  "case1-slow",
  "case2-xz-outlier",
  "case3-dns-outlier",
  "case4-coredump-outlier",
  "snapshot",
  "stress-lost",
  "rotated",
  "ust/uid-two-chunks",
  "ust/pid-discarded",
  "ust/relayd-rotated",
  "ust/relayd-live-session",
  "ust/relayd-snapshots",
  "ust/relayd-pid-tracefile-rotation",
  ...[
    "2packets",
    "array-align-elem",
    "barectf-event-before-packet",
    "crlf-metadata",
    "debug-info",
    "env-warning",
    "ev-disc-no-ts-begin-end",
    "lf-metadata",
    "lttng-crash",
    "lttng-event-after-packet",
    "lttng-tracefile-rotation",
    "meta-variant-no-underscore",
    "meta-variant-one-underscore",
    "meta-variant-reserved-keywords",
    "meta-variant-same-with-underscore",
    "meta-variant-two-underscores",
    "multi-domains",
    "no-packet-context",
    "sequence",
    "session-rotation",
    "smalltrace",
    "struct-array-align-elem",
    "succeed1",
    "succeed2",
    "succeed3",
    "succeed4",
    "trace-with-index",
    "warnings",
    "wk-heartbeat-u",
  ].map((name) => `ctf-public/babeltrace/succeed/${name}`),
  ...["3eventsintersect", "3eventsintersectreverse", "nointersect", "nostream", "onestream"].map(
    (name) => `ctf-public/babeltrace/intersection/${name}`,
  ),
  ...[
    "2-lost-before-last",
    "2-streams-lost-in-1",
    "2-streams-lost-in-2",
    "7-lost-between-2-with-index",
    "no-lost",
    "no-lost-not-starting-at-0",
  ].map((name) => `ctf-public/babeltrace/packet-seq-num/${name}`),
  "ctf-public/babeltrace/deterministic-ordering/b-not-corrupted",
  "ctf-public/babeltrace/live/split-metadata",
  "ctf-public/bug446190",
  "ctf-public/ctf-sequence-empty",
  "ctf-public/flipping-endianness",
  "ctf-public/ros2",
  "ctf-public/uneven-streams",
];

/** The losses that babeltrace2 tells of, without its own log lines. */
const losses = (stderr: string): string =>
  stderr
    .split("\n")
    .filter((line) => line.includes("Tracer discarded") || line.includes("Tracer may have"))
    .sort()
    .join("\n");

for (const name of whole) {
  const path = sharedTrace(name);
  test(`print ${name}`, { skip: needs(path, "babeltrace2") }, () => {
    const theirs = babeltrace2([path!]);
    const ours = periscope(["print", path!]);
    assert.equal(theirs.code, 0);
    assertSameText(ours.stdout, theirs.stdout, name);
    assert.equal(ours.code, 0, ours.stderr);
    assertSameText(losses(ours.stderr), losses(theirs.stderr), `losses of ${name}`);
  });
}

const options = [
  ["--clock-seconds"],
  ["--clock-gmt"],
  ["--clock-date"],
  ["--clock-cycles"],
  ["--no-delta"],
  ["--clock-gmt", "--clock-date", "--no-delta"],
  ["--names=all"],
  ["--names=none"],
  ["--names=payload"],
  ["--names=context,header"],
  ["--names=scope"],
  ["-n", "args,ctx"],
  ["--names=header", "--no-delta"],
  ["--names=header", "--clock-cycles"],
  ["--fields=all"],
  ["--fields=trace"],
  ["--fields=trace:hostname,trace:domain"],
  ["-f", "loglevel,emf,trace:procname"],
  ["--fields=all", "--names=all"],
];
for (const option of options) {
  for (const name of ["idle-small", "ust/pid-discarded", "ust/uid-two-chunks"]) {
    test(`print ${option.join(" ")} ${name}`, { skip: needs("babeltrace2") }, () => {
      const path = sample(name);
      assertSameText(
        periscope(["print", ...option, path]).stdout,
        babeltrace2([...option, path]).stdout,
        `${option.join(" ")} ${name}`,
      );
    });
  }
}

// babeltrace2's own filter changes which of its recycled strings repeat (see babeltrace-strings.ts), so times
// are compared on event records and fields that are never empty.
const ranges: [string, string[]][] = [
  ["begin", ["--clock-gmt", "--begin=16:55:01.2"]],
  ["end", ["--clock-gmt", "--end=16:55:01.200000001"]],
  ["both", ["--clock-gmt", "--begin=2026-11-23 16:55:00.9", "--end=2026-11-23 16:55:01.1"]],
  ["local", ["--begin=11:55:01", "--end=11:55:01.5"]],
  ["seconds", ["--clock-seconds", "--begin=1795452901", "--end=1795452901.25"]],
];
for (const [name, option] of ranges) {
  test(`print with a time range: ${name}`, { skip: needs("babeltrace2") }, () => {
    const heads = (text: string) => text.replace(/^(\[.*?\] \(.*?\) \S+ \S+).*$/gm, "$1");
    const ours = periscope(["print", ...option, sample("idle-small")]).stdout;
    assert.ok(ours.length > 5000);
    assertSameText(heads(ours), heads(babeltrace2([...option, sample("idle-small")]).stdout), name);
  });
}

test("print --event keeps the lines that match", { skip: needs("babeltrace2") }, () => {
  const theirs = babeltrace2(["--no-delta", sample("idle-small")]).stdout;
  const expected = theirs.split("\n").filter((line) => / (sched_switch|irq_handler_\w+): /.test(line));
  const ours = periscope([
    "print",
    "--no-delta",
    "--event",
    "sched_switch",
    "--event=irq_handler_*",
    sample("idle-small"),
  ]);
  // Which empty strings repeat an older value differs when others are left out (see babeltrace-strings.ts).
  const known = (text: string) => text.replace(/hostname = "\w*"/g, "");
  assertSameText(known(ours.stdout.trimEnd()), known(expected.join("\n")), "--event");
});

/** CTF 2 traces that hold the same as a CTF 1.8 one. */
for (const name of [
  "barectf-event-before-packet",
  "ev-disc-no-ts-begin-end",
  "lttng-crash",
  "lttng-event-after-packet",
  "meta-variant-no-underscore",
  "smalltrace",
  "succeed1",
  "trace-with-index",
]) {
  const ctf2 = sharedTrace(`ctf-public/CTF2-7.0-${name}`);
  const ctf1 = sharedTrace(`ctf-public/babeltrace/succeed/${name}`);
  test(`print CTF 2 ${name}`, { skip: needs(ctf1, ctf2, "babeltrace2") }, () => {
    assertSameText(periscope(["print", ctf2!]).stdout, babeltrace2([ctf1!]).stdout, name);
  });
}

test("print -o dummy counts what babeltrace2 prints", { skip: needs("babeltrace2") }, () => {
  const lines = babeltrace2([sample("dns-outlier")]).stdout.split("\n").length - 1;
  const ours = periscope(["print", "-o", "dummy", sample("dns-outlier")]);
  assert.equal(ours.stdout, "");
  assert.equal(ours.stderr, `${lines} event records\n`);
});

test("print --json: one object a line, with every field's value", { skip: needs("babeltrace2") }, () => {
  const ours = periscope(["print", "--json", sample("ust/uid-two-chunks")]);
  const text = babeltrace2(["--clock-seconds", "--no-delta", sample("ust/uid-two-chunks")])
    .stdout.trimEnd()
    .split("\n");
  const lines = ours.stdout.trimEnd().split("\n");
  assert.equal(lines.length, text.length);
  lines.forEach((line, i) => {
    const event = JSON.parse(line);
    const [, seconds, nanoseconds, name] = /^\[(\d+)\.(\d{9})\] (?:\S+ )?(\S+): \{/.exec(text[i]!)!;
    assert.equal(/"timestamp":(\d+)/.exec(line)![1], `${seconds}${nanoseconds}`);
    assert.equal(event.name, name);
    const u64 = /[{,] u64 = (\d+)/.exec(text[i]!);
    // Digits as written: a double could not hold them.
    if (u64) assert.equal(/"u64":(\d+)/.exec(line)![1], u64[1]);
    const i16 = /[{,] i16 = (-?\d+)/.exec(text[i]!);
    if (i16) assert.equal(event.payload.i16, Number(i16[1]));
  });
});
