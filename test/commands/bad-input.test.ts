// Invalid traces: one line that says where and what, exit code 1, and everything that can be read is read.
import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { needs, periscope, sample, sharedTrace } from "../support.js";

const workspace = mkdtempSync(join(tmpdir(), "periscope-bad-"));
after(() => rmSync(workspace, { recursive: true }));

/** [trace, lines printed, what the message must say] */
const invalid: [string, number, RegExp][] = [
  ["fail1", 0, /metadata:15:\d+: .*expected major = 1/],
  ["fail2", 0, /metadata:\d+:\d+: .*expected/],
  ["integer-range", 0, /metadata:7:\d+: .*64 bits/],
  ["invalid-packet-size/trace", 10, /channel0_3: byte 0: .*4096 bytes.*2533/],
  ["invalid-sequence-length-field-class", 0, /metadata:\d+:\d+: .*expected an unsigned integer/],
  ["invalid-variant-selector-field-class", 0, /metadata:\d+:\d+: .*expected an enumeration/],
  ["lttng-modules-2.0-pre1", 0, /metadata: byte 35: .*version 116\.121, expected 1\.8/],
  ["metadata-syntax-error", 0, /metadata:3:\d+: found "]", expected/],
  ["packet-based-metadata", 0, /metadata: byte 35: .*version/],
  ["smalltrace", 0, /metadata:6:\d+: .*expected major = 1/],
  ["valid-events-then-invalid-events/trace", 2, /dummystream: byte 3: event record class id 255, expected/],
];
for (const [name, lines, message] of invalid) {
  const path = sharedTrace(`ctf-public/babeltrace/fail/${name}`);
  test(`invalid: ${name}`, { skip: needs(path) }, () => {
    for (const command of [["print"], ["print", "-o", "json"], ["info"]]) {
      const run = periscope([...command, path!]);
      assert.equal(run.code, 1);
      assert.match(run.stderr, message);
      assert.doesNotMatch(run.stderr, /^\s+at /m, "a stack trace");
      if (command[0] === "print") assert.equal(run.stdout.split("\n").length - 1, lines);
    }
  });
}

test("deterministic-ordering: a trace twice, one copy corrupted", {
  skip: needs(sharedTrace("ctf-public/babeltrace/deterministic-ordering")),
}, () => {
  const path = (name: string) => sharedTrace(`ctf-public/babeltrace/deterministic-ordering/${name}`)!;
  assert.equal(periscope(["print", path("a-corrupted"), path("b-not-corrupted")]).code, 1);
  const good = periscope(["print", path("b-not-corrupted"), path("c-corrupted")]);
  assert.equal(good.code, 0, good.stderr);
  assert.equal(good.stdout.split("\n").length - 1, 3);
});

/** A copy of the bundled trace, to be damaged. */
function copy(name: string): { path: string; stream: string } {
  const path = join(workspace, name);
  cpSync(sample("idle-small"), path, { recursive: true });
  rmSync(join(path, "kernel/index"), { recursive: true });
  return { path, stream: join(path, "kernel/chan1_0") };
}

function count(args: readonly string[]): { events: number; code: number | null; stderr: string } {
  const run = periscope(["print", "-o", "dummy", ...args]);
  return {
    events: Number(/^(\d+) event records$/m.exec(run.stderr)?.[1]),
    code: run.code,
    stderr: run.stderr,
  };
}

test("a stream cut in the middle of a packet: what is there is read", () => {
  const { path, stream } = copy("cut");
  truncateSync(stream, 600_000);
  const { events, code, stderr } = count([path]);
  assert.equal(code, 1);
  assert.match(stderr, /chan1_0: byte \d+: packet of \d+ bytes, but/);
  assert.ok(events > 8000 && events < 17041, `${events} event records`);
});

test("a wrong event record class id costs the rest of its packet only", () => {
  const { path, stream } = copy("id");
  const whole = count([sample("idle-small")]).events;
  // The first event record's header comes after packet header (32 bytes) and context (52 bytes).
  const fd = openSync(stream, "r+");
  writeSync(fd, Uint8Array.of(0x10, 0xf0), 0, 2, 84);
  const { events, code, stderr } = count([path]);
  assert.equal(code, 1);
  assert.match(stderr, /chan1_0: byte \d+: event record class id \d+, expected one of the 1310/);
  assert.match(stderr, /^periscope: 1 packet could not be read to the end$/m);
  assert.ok(events > 5000 && events < whole);
});

test("a packet whose magic number is wrong is passed over, the next one found", () => {
  const { path, stream } = copy("magic");
  const fd = openSync(stream, "r+");
  writeSync(fd, Uint8Array.of(0, 0, 0, 0), 0, 4, 0);
  const { events, code, stderr } = count([path]);
  assert.equal(code, 1);
  assert.match(stderr, /chan1_0: byte 0: packet magic number 0x0, expected 0xc1fc1fc1/);
  assert.ok(events > 5000, `${events} event records`);
});

test("one bad trace among good ones: the good ones are read", () => {
  const { path } = copy("metadata");
  const metadata = join(path, "kernel/metadata");
  writeFileSync(metadata, readFileSync(metadata).subarray(0, 5000));
  const { events, code, stderr } = count([path, sample("ust/uid-two-chunks")]);
  assert.equal(code, 1);
  assert.match(stderr, /metadata: byte \d+: /);
  assert.equal(events, 485);
});

test("paths without a trace", () => {
  const empty = mkdtempSync(join(workspace, "empty-"));
  for (const path of [empty, join(workspace, "nothing"), join(sample("idle-small"), "kernel/chan1_0")]) {
    const run = periscope(["info", path]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /^periscope: .*expected.*\n$/);
  }
});

test("an event list from a file that is not a trace at all", () => {
  const path = join(workspace, "noise");
  cpSync(sample("ust/uid-two-chunks"), path, { recursive: true });
  writeFileSync(join(path, "metadata"), Buffer.from([0, 1, 2, 255, 254]));
  const run = periscope(["info", path]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /noise\/metadata:?/);
});
