// What the CTF writer writes, babeltrace2 reads: every value of random traces, in text made here from the values.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { FieldSpec, IntegerSpec, WrittenValue } from "../../src/ctf/write/schema.js";
import { CtfWriter } from "../../src/ctf/write/writer.js";
import { assertSameText, babeltrace2, needs, periscope } from "../support.js";

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
type Random = ReturnType<typeof random>;

const SIZES = [8, 16, 32, 64] as const;
const WORDS = ["", "bash", "/etc/passwd", 'with "quotes" and \\', "größer als ASCII, 漢字", "x".repeat(300)];

function randomInteger(next: Random): IntegerSpec {
  return { type: "integer", size: SIZES[next(4)]!, signed: next(2) === 0, base: next(4) === 0 ? 16 : 10 };
}

function randomField(next: Random): FieldSpec {
  switch (next(8)) {
    case 0:
      return { type: "string" };
    case 1:
      return { type: "text", bytes: 1 + next(20) };
    case 2:
      return { type: "array", length: next(5), element: randomInteger(next) };
    case 3:
      return { type: "sequence", element: randomInteger(next) };
    case 4:
      return {
        type: "enumeration",
        size: 32,
        signed: true,
        labels: [
          { name: "LOW", from: -5, to: 5 },
          { name: "ONE", from: 100, to: 100 },
        ],
      };
    default:
      return randomInteger(next);
  }
}

function randomNumber(next: Random, { size, signed }: Pick<IntegerSpec, "size" | "signed">): bigint {
  const bits = BigInt(size);
  const raw = ((BigInt(next(2 ** 32)) << 32n) | BigInt(next(2 ** 32))) >> BigInt(next(64));
  return signed ? BigInt.asIntN(size, raw) : raw & ((1n << bits) - 1n);
}

function randomValue(next: Random, spec: FieldSpec): WrittenValue {
  switch (spec.type) {
    case "string":
    case "text":
      return WORDS[next(WORDS.length)]!;
    case "enumeration":
      return [-5, 0, 5, 100][next(4)]!;
    case "integer":
      return randomNumber(next, spec);
    case "array":
      return Array.from({ length: spec.length }, () => randomNumber(next, spec.element));
    case "sequence":
      return Array.from({ length: next(6) }, () => randomNumber(next, spec.element));
  }
}

/** As babeltrace2 prints it. */
function integerText({ size, signed, base }: IntegerSpec, value: bigint): string {
  if (base === 16) return `0x${BigInt.asUintN(size, value).toString(16).toUpperCase()}`;
  return (signed ? value : BigInt.asUintN(size, value)).toString();
}

/** Whole characters of at most so many bytes. */
function cut(text: string, bytes: number): string {
  let out = "";
  for (const char of text) {
    if (Buffer.byteLength(out + char) > bytes) break;
    out += char;
  }
  return out;
}

function fieldText(name: string, spec: FieldSpec, value: WrittenValue): string {
  const quoted = (text: string) => `"${text.replace(/[\\"]/g, "\\$&")}"`;
  const list = (element: IntegerSpec) =>
    (value as bigint[]).map((one, i) => ` [${i}] = ${integerText(element, one)}`).join(",");
  switch (spec.type) {
    case "string":
      return `${name} = ${quoted(value as string)}`;
    case "text":
      return `${name} = ${quoted(cut(value as string, spec.bytes - 1))}`;
    case "enumeration":
      return `${name} = ( "${value === 100 ? "ONE" : "LOW"}" : container = ${value} )`;
    case "integer":
      return `${name} = ${integerText(spec, value as bigint)}`;
    case "array":
      return `${name} = [${list(spec.element)} ]`;
    case "sequence":
      return `_${name}_length = ${(value as bigint[]).length}, ${name} = [${list(spec.element)} ]`;
  }
}

for (let seed = 1; seed <= 12; seed++) {
  test(`a random trace (${seed}) as babeltrace2 reads it`, { skip: needs("babeltrace2") }, () => {
    const next = random(seed * 101);
    const directory = mkdtempSync(join(tmpdir(), "periscope-writer-"));
    try {
      const context = {
        tid: { type: "integer", size: 32, signed: true },
        procname: { type: "text", bytes: 16 },
      } as const;
      const writer = new CtfWriter(
        join(directory, "kernel"),
        {
          environment: { hostname: "box", domain: "kernel", tracer_major: 2 },
          clock: { name: "monotonic", frequency: 1_000_000_000n, offset: 1_795_000_000_123_456_789n },
          context,
        },
        { packetBytes: 512 << next(4) },
      );
      const classes = Array.from({ length: 6 }, (_, i) => {
        const fields = Object.fromEntries(
          Array.from({ length: next(6) }, (_none, f): [string, FieldSpec] => [`f${f}`, randomField(next)]),
        );
        return { name: `event_${i}`, fields, event: writer.event(`event_${i}`, fields) };
      });
      const lines: string[] = [];
      let cycles = 1_000_000n + BigInt(next(2 ** 31)) * 4096n;
      for (let i = 0; i < 400; i++) {
        // Now and then longer than 32 bits of the clock.
        cycles += next(50) === 0 ? BigInt(next(2 ** 31)) * 8n : BigInt(1 + next(100_000));
        const { name, fields, event } = classes[next(classes.length)]!;
        const cpu = next(3);
        const tid = next(70_000);
        const procname = ["bash", "kworker/u4:1", "a name that is too long"][next(3)]!;
        const values = Object.values(fields).map((spec) => randomValue(next, spec));
        writer.stream(cpu).append(event, cycles, [tid, procname], values);
        const epoch = cycles + 1_795_000_000_123_456_789n;
        const time = `${epoch / 1_000_000_000n}.${(epoch % 1_000_000_000n).toString().padStart(9, "0")}`;
        const texts = Object.entries(fields).map(([field, spec], f) => fieldText(field, spec, values[f]!));
        lines.push(
          `[${time}] box ${name}: { cpu_id = ${cpu} }, { tid = ${tid}, procname = "${cut(procname, 15)}" }, ` +
            `{ ${texts.length === 0 ? "" : `${texts.join(", ")} `}}`,
        );
      }
      writer.stream(1).discarded = 7n;
      writer.stream(1).append(
        classes[0]!.event,
        cycles + 1n,
        [1, "x"],
        Object.values(classes[0]!.fields).map((spec) => randomValue(random(1), spec)),
      );
      writer.close();

      const theirs = babeltrace2(["--clock-seconds", "--no-delta", directory]);
      assert.equal(theirs.code, 0, theirs.stderr);
      const text = Buffer.from(theirs.stdout, "latin1").toString().trimEnd().split("\n").slice(0, -1);
      // babeltrace2 shows empty strings with what the field had before; this test is about the others.
      const comparable = (line: string) => line.replace(/ = "(?:\\.|[^"\\])*"/g, "");
      const known = text.map((line, i) => (lines[i]?.includes('= ""') ? comparable(line) : line));
      const wanted = lines.map((line) => (line.includes('= ""') ? comparable(line) : line));
      assertSameText(known.join("\n"), wanted.join("\n"), "babeltrace2");
      // Our own reader, with the index and without, counts the same.
      const counts = () => JSON.parse(periscope(["info", "--json", directory]).stdout).events;
      assert.equal(counts(), 401);
      rmSync(join(directory, "kernel/index"), { recursive: true });
      assert.equal(counts(), 401);
      const ours = periscope(["print", "--clock-seconds", "--no-delta", directory]);
      assertSameText(ours.stdout, theirs.stdout, "periscope print");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

test("lost event records are told, time must not go back, names must be names", () => {
  const directory = mkdtempSync(join(tmpdir(), "periscope-writer-"));
  try {
    const spec = {
      environment: { hostname: "box" },
      clock: { name: "monotonic", frequency: 1_000_000_000n, offset: 0n },
      context: {},
    };
    const writer = new CtfWriter(directory, spec);
    const event = writer.event("one", { n: { type: "integer", size: 8, signed: false } });
    const stream = writer.stream(0);
    stream.append(event, 100n, [], [1]);
    stream.flush();
    stream.discarded += 5n;
    stream.append(event, 200n, [], [2]);
    assert.throws(() => stream.append(event, 150n, [], [3]), /at 150 cycles, after one at 200/);
    assert.throws(() => writer.event("two", { "not a name": { type: "string" } }), /field "not a name"/);
    writer.close();
    const { traces } = JSON.parse(periscope(["info", "--json", directory]).stdout);
    assert.equal(traces[0].streams[0].discardedEvents, 5);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
