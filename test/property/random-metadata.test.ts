/**
 * Random field classes with random values, encoded by the test's own encoder: generated decoders and the
 * interpreter must find exactly the values that were encoded, and print the same bytes.
 *
 * PERISCOPE_SEED=N runs one seed, PERISCOPE_SEEDS=N that many.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { Experiment } from "../../src/ctf/experiment.js";
import { jsonPrinter, prettyPrinter } from "../../src/ctf/print/printer.js";
import { CtfSource } from "../../src/sources/ctf.js";
import { type BuiltTrace, buildTrace } from "./build.js";
import type { Language } from "./generate.js";
import { isWithin, type Node } from "./model.js";

const options = {
  names: { payload: true, context: true, header: false, scope: true },
  fields: {
    trace: false,
    hostname: true,
    domain: true,
    procname: true,
    vpid: true,
    loglevel: true,
    emf: true,
  },
  time: { clock: "wall", gmt: true, date: true, delta: true, names: false },
} as const;

/** Windows of the given size, which begin at multiples of the trace's largest alignment. */
class SmallWindows extends Experiment {
  constructor(
    path: string,
    generate: boolean,
    private readonly windowBytes: number,
    align: number,
  ) {
    super([path], { generate });
    for (const trace of this.traces) (trace as { windowStep: number }).windowStep = align / 8;
  }

  override readers(...[decoders, range]: Parameters<Experiment["readers"]>) {
    return super.readers(decoders, { ...range, windowBytes: this.windowBytes });
  }
}

function open(path: string, built: BuiltTrace, generate: boolean, windowBytes: number): Experiment {
  return windowBytes > 0
    ? new SmallWindows(path, generate, windowBytes, built.align)
    : new Experiment([path], { generate });
}

/** The scalar members at the payload's top, which are also asked for one by one. */
function scalars(node: Node | undefined): { name: string; node: Node }[] {
  if (node?.type !== "struct") return [];
  return node.members.filter(
    (m) => ["int", "varint", "float"].includes(m.node.type) && m.name !== "" && !m.name.includes("."),
  );
}

function asText(node: Node, value: unknown): string {
  if (node.type !== "float" && "mappings" in node && node.mappings) {
    const exact = BigInt(Number(value) === value ? value : (value as bigint));
    return node.mappings.find(({ ranges }) => isWithin(exact, ranges))?.label ?? "";
  }
  return String(typeof value === "boolean" ? Number(value) : value);
}

function checkValues(path: string, built: BuiltTrace, generate: boolean, windowBytes: number): void {
  const source = new CtfSource(open(path, built, generate, windowBytes));
  assert.deepEqual(source.failures, []);
  const seen = new Map<string, number>([...built.streams.keys()].map((name) => [name, 0]));
  const next = (stream: number) => {
    const name = basename(source.info.streams[stream]!.path);
    const index = seen.get(name)!;
    return { name, index, expected: built.streams.get(name)![index] };
  };
  for (const stream of built.model.streams) {
    for (const event of stream.events) {
      const singles = scalars(event.payload);
      const fields = Object.fromEntries(
        singles.flatMap(({ name }, i) =>
          (["number", "address", "string"] as const).map((kind) => [
            `${kind}${i}`,
            { from: `payload:${name}`, kind },
          ]),
        ),
      );
      source.subscribe({
        matches: (info) => info.name === event.name,
        fields,
        handle: (record) => {
          const payload = next(record.stream).expected?.payload as Record<string, unknown>;
          singles.forEach(({ name, node }, i) => {
            if (node.type === "int" && node.form === "boolean") return;
            const value = payload[name] as number | bigint;
            const isFloat = node.type === "float";
            const all = record as unknown as Record<string, unknown>;
            assert.equal(all[`number${i}`], Number(value), name);
            const address = isFloat ? value : Number(BigInt.asIntN(64, BigInt(value)));
            assert.equal(all[`address${i}`], address, name);
            assert.equal(all[`string${i}`], asText(node, value), name);
          });
        },
      });
      const context = stream.packetContext.members.filter((m) => m.name !== "");
      source.subscribe({
        matches: (info) => info.name === event.name,
        fields: {
          common: { from: "common:", kind: "value" },
          specific: { from: "specific:", kind: "value" },
          payload: { from: "payload:", kind: "value" },
          ...Object.fromEntries(
            context.map((m, i) => [`packet${i}`, { from: `packet:${m.name}`, kind: "value" as const }]),
          ),
        },
        handle: (record) => {
          const { name, index, expected } = next(record.stream);
          const where = `record ${index} of ${name}`;
          assert.ok(expected, `${where}: there is no such record`);
          seen.set(name, index + 1);
          assert.equal(record.event.name, expected.event.name, where);
          const ns = built.model.hasClock ? source.info.originNs + BigInt(record.ns) : undefined;
          assert.equal(ns, expected.ns, where);
          for (const scope of ["common", "specific", "payload"] as const) {
            assert.deepStrictEqual(record[scope], expected[scope], `${where}: ${scope}`);
          }
          context.forEach((m, i) => {
            const value = (record as unknown as Record<string, unknown>)[`packet${i}`];
            assert.deepStrictEqual(value, (expected.packet as Record<string, unknown>)[m.name], where);
          });
        },
      });
    }
  }
  const result = source.run();
  assert.deepEqual(result.problems, []);
  for (const [name, records] of built.streams) assert.equal(seen.get(name), records.length, name);
}

function printed(
  path: string,
  built: BuiltTrace,
  format: string,
  generate: boolean,
  windowBytes = 0,
): string {
  const out = new ByteWriter(-1, 1024);
  const all = () => true;
  const printer =
    format === "json" ? jsonPrinter(out, all, generate) : prettyPrinter(out, options, all, generate);
  open(path, built, generate, windowBytes).run(printer);
  return Buffer.from(out.u8.subarray(0, out.at)).toString("latin1");
}

function check(path: string, seed: number, language: Language): void {
  const built = buildTrace(path, seed, language);
  try {
    for (const generate of [false, true]) {
      for (const windowBytes of [0, 16]) checkValues(path, built, generate, windowBytes);
    }
    for (const format of ["text", "json"]) {
      const plain = printed(path, built, format, false);
      assert.equal(printed(path, built, format, true), plain, format);
      assert.equal(printed(path, built, format, true, 16), plain, `${format}, small windows`);
      if (format === "json") for (const line of plain.trimEnd().split("\n")) if (line) JSON.parse(line);
    }
  } catch (error) {
    const text = error instanceof Error ? error.stack : String(error);
    throw new Error(`PERISCOPE_SEED=${seed} (${language}): ${text}`);
  }
}

const only = process.env["PERISCOPE_SEED"];
const seeds = Number(process.env["PERISCOPE_SEEDS"] ?? 100);
for (const language of ["tsdl", "json"] as const) {
  test(`random field classes and values, ${language}`, () => {
    const directory = mkdtempSync(join(tmpdir(), "periscope-random-"));
    try {
      if (only !== undefined) check(join(directory, only), Number(only), language);
      else
        for (let seed = 1; seed <= seeds; seed++) {
          const path = join(directory, String(seed));
          check(path, seed, language);
          rmSync(path, { recursive: true });
        }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
