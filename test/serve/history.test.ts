/**
 * The kept state history, with the real server: what a second opening uses, what makes it build anew, and that no
 * damage of the file, no full disk and no folder that may not be written is ever seen in an answer.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { HistoryBuilder } from "../../src/history/builder.js";
import { cachePath, keepHistory } from "../../src/history/cache.js";
import type { History } from "../../src/history/history.js";
import { DamagedHistory, loadHistory, STORE_VERSION, saveHistory } from "../../src/history/store.js";
import { openSource } from "../../src/sources/ctf.js";
import { version } from "../../src/version.js";
import { Random } from "../property/random.js";
import { type RunningServer, startServer } from "../support/server.js";
import { root, sample } from "../support.js";

const trace = sample("idle-small");
/** With rows of so many states that they have an overview. */
const larger = sample("dns-outlier");

let folder: string;
/** Answers of servers that keep nothing. */
let truth: string;
let truthOfLarger: string;
const mounted: string[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "periscope-history-"));
  truth = await withoutCache(trace);
  truthOfLarger = await withoutCache(larger);
});

async function withoutCache(path: string): Promise<string> {
  const cache = own();
  const server = await startServer("serve", ["--no-cache", path], cache);
  const said = await answers(server);
  await server.stop();
  assert.deepEqual(histories(cache), []);
  return said;
}

after(() => {
  for (const path of mounted) spawnSync("umount", ["-l", path]);
  rmSync(folder, { recursive: true, force: true });
});

/** A new folder for one test. */
function own(): string {
  return mkdtempSync(join(folder, "test-"));
}

/** A copy of the sample that may be changed. */
function copyOfTrace(into: string): string {
  const path = join(into, "trace");
  cpSync(trace, path, { recursive: true });
  return path;
}

/** A file system of its own at `path`; false: this machine does not let us. */
function mount(t: TestContext, path: string, options: string): boolean {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], {
    encoding: "utf8",
  });
  if (status !== 0) {
    t.skip(`no tmpfs may be mounted here: ${stderr?.trim()}`);
    return false;
  }
  mounted.push(path);
  return true;
}

function makeReadOnly(path: string): void {
  const { status, stderr } = spawnSync("mount", ["-o", "remount,ro", path], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

async function ask(server: RunningServer, path: string): Promise<Buffer> {
  const answer = await fetch(`${server.url}/api/experiments${path}`);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${path}: ${body.toString().slice(0, 300)}`);
  return body;
}

interface Whole {
  readonly id: string;
  readonly status: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly eventRecords: number;
  readonly rows: readonly { id: number; states: number; kind: string }[];
  readonly notes: readonly string[];
}

/** The experiment once all is read (and kept: that is done in the same breath). */
async function whole(server: RunningServer): Promise<Whole> {
  for (;;) {
    const [first] = JSON.parse((await ask(server, "")).toString()) as { id: string; status: string }[];
    assert.notEqual(first!.status, "failed");
    if (first!.status === "ready")
      return JSON.parse((await ask(server, `/${first!.id}`)).toString()) as Whole;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Everything that a history can be asked, as one sum. */
async function answers(server: RunningServer): Promise<string> {
  const { id, beginNs, endNs, rows, eventRecords } = await whole(server);
  const [last, ns] = [rows.length - 1, endNs - beginNs];
  const range = (from: number, to: number): string =>
    `begin=${Math.round(beginNs + from * ns)}&end=${Math.round(beginNs + to * ns)}`;
  const hash = createHash("sha256").update(JSON.stringify([rows, beginNs, endNs, eventRecords]));
  const level = Math.ceil(Math.log2(ns / 512));
  for (const path of [
    `tile?rows=0-${last}&level=${level}&index=0`,
    `tile?rows=0-${last}&level=${level - 6}&index=17`,
    `tile?rows=0-${last}&level=${level - 12}&index=999`,
    `states?rows=0-${last}&${range(0, 1)}`,
    `states?rows=0-${last}&${range(0.4, 0.41)}`,
    `arrows?${range(0.2, 0.3)}`,
    `density?${range(0, 1)}&pixels=1000`,
    `series?${range(0, 1)}&pixels=300`,
    `range?${range(0, 1)}`,
    `range?${range(0.5, 0.6)}`,
  ])
    hash.update(await ask(server, `/${id}/${path}`));
  return hash.digest("hex");
}

function keptIn(cache: string): string {
  return join(cache, "periscope/history");
}

function histories(cache: string): string[] {
  return existsSync(keptIn(cache)) ? readdirSync(keptIn(cache)).sort() : [];
}

function onlyHistory(cache: string): string {
  const names = histories(cache);
  assert.equal(names.length, 1, names.join(" "));
  return join(keptIn(cache), names[0]!);
}

/** Histories that a running program has open: those that it reads from. */
function openHistories({ pid }: RunningServer): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${name}`);
      return /\.history\b/.test(path) ? [path] : [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** Path, size and times of everything below a folder: whatever is made or taken away there changes it. */
function listing(path: string): string[] {
  const visit = (one: string): string[] => {
    const { size, mtimeNs, ctimeNs } = statSync(one, { bigint: true });
    const isFolder = statSync(one).isDirectory();
    return [
      `${one} ${isFolder ? "" : size} ${mtimeNs} ${ctimeNs}`,
      ...(isFolder ? readdirSync(one).flatMap((name) => visit(join(one, name))) : []),
    ];
  };
  return visit(path).sort();
}

/** Starts a server, asks it everything, stops it. */
async function visit(
  trace: string,
  cache: string,
): Promise<{ answers: string; opened: string[]; notes: readonly string[]; errors: string }> {
  const server = await startServer("serve", [trace], cache);
  try {
    const { notes } = await whole(server);
    const opened = openHistories(server);
    const said = await answers(server);
    return { answers: said, opened, notes, errors: await stopped(server) };
  } finally {
    if (!stoppedServers.has(server)) await server.stop();
  }
}

const stoppedServers = new WeakSet<RunningServer>();

/** Stops a server; what it said on standard error. */
async function stopped(server: RunningServer): Promise<string> {
  stoppedServers.add(server);
  await server.stop();
  return server.errors();
}

test("a second opening reads what the first one kept, and says the same", async () => {
  const cache = own();
  const first = await visit(trace, cache);
  assert.equal(first.answers, truth);
  assert.deepEqual(first.opened, []);
  const kept = onlyHistory(cache);
  const { ino } = statSync(kept);
  const second = await visit(trace, cache);
  assert.equal(second.answers, truth);
  assert.deepEqual(second.opened, [kept]);
  assert.equal(statSync(kept).ino, ino, "it is not written again");
  assert.equal(first.errors + second.errors, "");
});

test("nothing is written beside a trace", async () => {
  const cache = own();
  const copy = copyOfTrace(own());
  const before = listing(copy);
  assert.equal((await visit(copy, cache)).errors, "");
  assert.deepEqual(listing(copy), before);
});

test("a trace on a read-only file system", async (t) => {
  const cache = own();
  const place = join(own(), "mounted");
  if (!mount(t, place, "size=64m")) return;
  const copy = copyOfTrace(place);
  makeReadOnly(place);
  assert.throws(() => writeFileSync(join(copy, "x"), ""), { code: "EROFS" });
  for (const opening of ["first", "second"]) {
    const { answers: said, errors, opened } = await visit(copy, cache);
    assert.equal(said, truth, opening);
    assert.equal(errors, "");
    assert.equal(opened.length, opening === "first" ? 0 : 1);
  }
});

test("a cache folder that cannot be written to", async (t) => {
  const place = own();
  const isFile = join(place, "file");
  writeFileSync(isFile, "");
  const first = await visit(trace, isFile);
  assert.equal(first.answers, truth);
  assert.match(first.notes.join("\n"), /the history is not kept: ENOTDIR/);
  const closed = join(place, "closed");
  if (!mount(t, closed, "size=16m")) return;
  makeReadOnly(closed);
  const second = await visit(trace, closed);
  assert.equal(second.answers, truth);
  // Node says ENOENT where folders cannot be made on a read-only file system.
  assert.match(second.notes.join("\n"), /the history is not kept: (EROFS|ENOENT)/);
});

test("a kept history in a folder that may only be read is used", async (t) => {
  const place = join(own(), "mounted");
  if (!mount(t, place, "size=64m")) return;
  await visit(trace, place);
  makeReadOnly(place);
  const { answers: said, opened, errors, notes } = await visit(trace, place);
  assert.equal(said, truth);
  assert.deepEqual(opened, [onlyHistory(place)]);
  assert.equal(errors, "");
  assert.ok(!notes.some((note) => note.includes("not kept")));
});

test("a full disk: the history is not kept, and nothing is left of it", async (t) => {
  const place = join(own(), "mounted");
  if (!mount(t, place, "size=128k")) return;
  const { answers: said, notes } = await visit(trace, place);
  assert.equal(said, truth);
  assert.match(notes.join("\n"), /the history is not kept: ENOSPC/);
  assert.deepEqual(histories(place), []);
});

test("what a killed program left unfinished is taken away, and what is being written is not", () => {
  const cache = own();
  const path = join(cache, "history/one.history");
  mkdirSync(join(cache, "history"));
  const [old, young] = ["old.history.1.0.part", "young.history.2.0.part"].map((n) =>
    join(cache, "history", n),
  );
  for (const file of [old!, young!]) writeFileSync(file, "half");
  const yesterday = new Date(Date.now() - 86_400_000);
  utimesSync(old!, yesterday, yesterday);
  assert.equal(keepHistory(built(), path), undefined);
  assert.deepEqual(readdirSync(join(cache, "history")), ["one.history", "young.history.2.0.part"]);
});

test("a trace that grew is read again", async () => {
  const cache = own();
  const copy = copyOfTrace(own());
  assert.equal((await visit(copy, cache)).answers, truth);
  const old = onlyHistory(cache);
  // A second trace (of another host's kernel) beside the first.
  cpSync(larger, join(copy, "more"), { recursive: true });
  const server = await startServer("serve", [copy], cache);
  const grown = await whole(server);
  assert.ok(!openHistories(server).includes(old));
  await server.stop();
  const alone = await startServer("serve", ["--no-cache", copy]);
  assert.equal(grown.eventRecords, (await whole(alone)).eventRecords);
  await alone.stop();
  assert.equal(histories(cache).length, 2);
});

test("whatever happens to a trace's files changes the name of its history", async () => {
  const copy = copyOfTrace(own());
  const names = readdirSync(join(copy, "kernel")).filter((name) => name.startsWith("chan"));
  const stream = join(copy, "kernel", names[0]!);
  // A link to a file elsewhere is a file of the trace like any other.
  const elsewhere = join(own(), "elsewhere");
  const linked = join(copy, "kernel", names[1]!);
  renameSync(linked, elsewhere);
  symlinkSync(elsewhere, linked);
  const outside = join(own(), "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(copy, "folder"));
  const { atime, mtime } = statSync(stream);
  const seen = new Map([[cachePath([copy]), "untouched"]]);
  assert.ok(seen.has(cachePath([copy])), "the same twice");
  const changes: Record<string, () => void> = {
    "a byte more": () => appendFileSync(stream, "x"),
    "a byte less": () => truncateSync(stream, statSync(stream).size - 1),
    "written in place, its time set back": () => {
      const bytes = readFileSync(stream);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(stream, bytes);
      utimesSync(stream, atime, mtime);
    },
    "a file behind a link": () => appendFileSync(elsewhere, "x"),
    "a file in a folder behind a link": () => writeFileSync(join(outside, "metadata"), "x"),
    "a new stream": () => cpSync(stream, `${stream}_copy`),
    "a stream of another name": () => renameSync(stream, `${stream}_0`),
    "a stream less": () => rmSync(`${stream}_0`),
  };
  for (const [what, change] of Object.entries(changes)) {
    change();
    const path = cachePath([copy]);
    assert.ok(!seen.has(path), `${what}: as ${seen.get(path)}`);
    seen.set(path, what);
  }
  assert.notEqual(cachePath([copy]), cachePath([trace]));
  assert.notEqual(cachePath([copy, outside]), cachePath([outside, copy]));
});

test("another version of Periscope builds its own history", async () => {
  const cache = own();
  const copy = own();
  for (const name of ["bin", "dist", "profiles", "package.json"]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  let places = 0;
  for (const name of readdirSync(join(copy, "dist")).filter((one) => one.endsWith(".js"))) {
    const path = join(copy, "dist", name);
    const text = readFileSync(path, "utf8");
    const changed = text.replace(`var version = "${version}"`, 'var version = "99.9.9"');
    if (changed === text) continue;
    writeFileSync(path, changed);
    places++;
  }
  assert.ok(places > 0, "the version is in the program");
  await visit(trace, cache);
  const old = onlyHistory(cache);
  const other = await startServer("serve", [trace], cache, join(copy, "bin/periscope"));
  assert.equal(await answers(other), truth);
  assert.deepEqual(openHistories(other), []);
  assert.equal(await stopped(other), "");
  assert.equal(histories(cache).length, 2);
  assert.ok(existsSync(old));
});

test("a history in another version of the file is built again, without complaint", async () => {
  const cache = own();
  await visit(trace, cache);
  const kept = onlyHistory(cache);
  const bytes = readFileSync(kept);
  bytes.writeUInt32LE(STORE_VERSION + 1, 4);
  writeFileSync(kept, bytes);
  const { answers: said, opened, errors } = await visit(trace, cache);
  assert.equal(said, truth);
  assert.deepEqual([opened, errors], [[], ""]);
  assert.equal(readFileSync(kept).readUInt32LE(4), STORE_VERSION);
});

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
    assert.equal(said, truth, what);
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
  assert.equal(said, truth);
  assert.match(errors, /byte 0: EISDIR.*built again/);
  assert.match(notes.join("\n"), /the history is not kept/);
  assert.deepEqual(histories(cache).length, 1, "no unfinished file is left");
});

test("rows and overviews are read, and checked, when they are asked for and not before", async () => {
  const cache = own();
  assert.equal((await visit(larger, cache)).answers, truthOfLarger);
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
    assert.equal(await answers(server), truthOfLarger);
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
  assert.equal(await answers(server), truth);
  assert.match(await stopped(server), /the file ends too early; the history is built again\n$/);
});

let history: History | undefined;

/** The larger sample's history, built in this process. */
function built(): History {
  if (history === undefined) {
    const builder = new HistoryBuilder(openSource([larger]));
    while (!builder.step(Number.POSITIVE_INFINITY));
    history = builder.history;
  }
  return history;
}

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
