/**
 * Damage of a kept state history: it is found out when what is damaged is read, said, and mended by building again.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { History } from "../../src/history/history.js";
import { DamagedHistory, loadHistory, saveHistory } from "../../src/history/store.js";
import { Random } from "../property/random.js";
import {
  answers,
  ask,
  built,
  histories,
  larger,
  onlyHistory,
  openHistories,
  own,
  stopped,
  trace,
  truthOf,
  useFolder,
  visit,
  whole,
} from "../support/kept-history.js";
import { startServer } from "../support/server.js";

useFolder();

/** Where things are in a kept history. */
function partsOf(bytes: Buffer) {
  const length = bytes.readUInt32LE(8);
  const base = 24 + Math.ceil(length / 8) * 8;
  interface Section {
    readonly at: number;
    readonly bytes: number;
  }
  const header = JSON.parse(bytes.subarray(24, 24 + length).toString()) as {
    rows: { states: Section; overview?: Section }[];
    tables: Record<string, Section>;
  };
  const middle = ({ at, bytes: size }: Section): number => base + at + (size >> 1);
  return { header, length, base, middle };
}

const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  "an empty file": () => Buffer.alloc(0),
  "ten bytes": (bytes) => bytes.subarray(0, 10),
  "an end within the header": (bytes) => bytes.subarray(0, 1000),
  "half of the file": (bytes) => bytes.subarray(0, bytes.length >> 1),
  "a byte less": (bytes) => bytes.subarray(0, bytes.length - 1),
  "something else": (bytes) => Buffer.alloc(bytes.length, "not a history "),
  "a wrong byte in the header": (bytes) => flipped(bytes, 24 + (partsOf(bytes).length >> 1)),
  "a length of the header beyond the file": (bytes) => flipped(bytes, 11),
  "a wrong byte in a table": (bytes) => {
    const { header, middle } = partsOf(bytes);
    return flipped(bytes, middle(header.tables["wakes"]!));
  },
  "a wrong byte in the states of the first row": (bytes) => {
    const { header, middle } = partsOf(bytes);
    return flipped(bytes, middle(header.rows[0]!.states));
  },
  "wrong bytes in the states of all rows": (bytes) => {
    const { header, middle } = partsOf(bytes);
    return header.rows.reduce((all, { states }) => flipped(all, middle(states)), bytes);
  },
  "zeros from the middle on, as after a power failure": (bytes) =>
    Buffer.concat([bytes.subarray(0, bytes.length >> 1), Buffer.alloc(bytes.length - (bytes.length >> 1))]),
};

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x10;
  return copy;
}

test("a damaged file is found out, said, and built again", async () => {
  const cache = own();
  await visit(trace, cache);
  const kept = onlyHistory(cache);
  const sound = readFileSync(kept);
  for (const [what, damage] of Object.entries(DAMAGES)) {
    const bytes = damage(sound);
    assert.notDeepEqual(bytes, sound, what);
    writeFileSync(kept, bytes);
    const { answers: said, errors } = await visit(trace, cache);
    assert.equal(said, await truthOf(trace), what);
    const lines = errors.trimEnd().split("\n");
    assert.equal(lines.length, 1, `${what}: ${errors}`);
    assert.ok(lines[0]!.startsWith(`periscope: ${kept}: byte `), `${what}: ${errors}`);
    assert.ok(lines[0]!.endsWith("; the history is built again"), `${what}: ${errors}`);
    assert.deepEqual(readFileSync(kept), sound, `${what}: what is kept afterwards`);
  }
});

test("a directory in the place of the history", async () => {
  const cache = own();
  await visit(trace, cache);
  const kept = onlyHistory(cache);
  rmSync(kept);
  mkdirSync(kept);
  const { answers: said, errors, notes } = await visit(trace, cache);
  assert.equal(said, await truthOf(trace));
  assert.match(errors, /byte 0: EISDIR.*built again/);
  assert.match(notes.join("\n"), /the history is not kept/);
  assert.deepEqual(histories(cache).length, 1, "no unfinished file is left");
});

test("rows and overviews are read, and checked, when they are asked for and not before", async () => {
  const cache = own();
  assert.equal((await visit(larger, cache)).answers, await truthOf(larger));
  const kept = onlyHistory(cache);
  const sound = readFileSync(kept);
  const { header, middle } = partsOf(sound);
  const [row, other] = header.rows.flatMap(({ overview }, i) => (overview === undefined ? [] : [i]));
  const { states, overview } = header.rows[row!]!;
  for (const [damaged, query] of [
    [states, "states"],
    [overview!, "tile"],
  ] as const) {
    writeFileSync(kept, flipped(sound, middle(damaged)));
    const server = await startServer("serve", [larger], cache);
    const { id, beginNs, endNs } = await whole(server);
    const range = `begin=${beginNs}&end=${endNs}`;
    const askRow = (one: number) =>
      query === "tile"
        ? ask(
            server,
            `/${id}/tile?rows=${one}&level=${Math.ceil(Math.log2((endNs - beginNs) / 512))}&index=0`,
          )
        : ask(server, `/${id}/states?rows=${one}&begin=${beginNs}&end=${beginNs + 1e6}`);
    await ask(server, `/${id}/density?${range}&pixels=100`);
    await askRow(other!);
    assert.equal(server.errors(), "");
    assert.deepEqual(openHistories(server), [kept]);
    await askRow(row!);
    assert.equal(await answers(server), await truthOf(larger));
    assert.match(await stopped(server), /are not those that were written; the history is built again\n$/);
    assert.deepEqual(readFileSync(kept), sound);
  }
});

test("a file that is cut short while it is in use", async () => {
  const cache = own();
  await visit(trace, cache);
  const server = await startServer("serve", [trace], cache);
  await whole(server);
  truncateSync(onlyHistory(cache), 100);
  assert.equal(await answers(server), await truthOf(trace));
  assert.match(await stopped(server), /the file ends too early; the history is built again\n$/);
});

/** All that is in a history. */
function contents(one: History): string {
  const hash = createHash("sha256");
  const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array | Float64Array | Int32Array) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  hash.update(JSON.stringify([one.names, one.targets, one.syscallNames, one.devices, [...one.irqNames]]));
  hash.update(JSON.stringify([one.beginNs, one.endNs, String(one.originNs), one.eventRecords, one.hosts]));
  for (const { columns } of [...one.rows, ...Object.values(one.tables).map((columns) => ({ columns }))]) {
    for (const name of columns.names) hash.update(bytesOf(columns.used(name as never)));
  }
  for (const row of one.rows) {
    if (one.pixels.isLarge(row)) hash.update(one.pixels.overview(row, one.untilNs).pixels);
  }
  return hash.digest("hex");
}

test("no wrong byte anywhere makes a wrong history", () => {
  const path = join(own(), "one.history");
  saveHistory(built(), path);
  const right = contents(built());
  assert.equal(contents(loadHistory(path)!), right);
  const sound = readFileSync(path);
  const random = new Random(7);
  let found = 0;
  for (let round = 0; round < 150; round++) {
    const bytes = Buffer.from(sound);
    // Every second one near the begin: the header is small.
    const at = round % 2 === 0 ? random.below(bytes.length) : random.below(Math.min(20_000, bytes.length));
    bytes[at]! ^= 1 << random.below(8);
    writeFileSync(path, bytes);
    try {
      const loaded = loadHistory(path);
      // Another version, or a byte that fills a gap.
      if (loaded !== undefined) assert.equal(contents(loaded), right, `byte ${at}`);
    } catch (error) {
      assert.ok(error instanceof DamagedHistory, `byte ${at}: ${error}`);
      found++;
    }
  }
  assert.ok(found > 140, `${found} of 150 found`);
});
