/**
 * The kept state history, with the real server: what a second opening uses and what makes it build anew; that nothing is
 * written beside a trace, and that neither a full disk nor a folder that may not be written is seen in an answer.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cachePath, keepHistory } from "../../src/history/cache.js";
import { STORE_VERSION } from "../../src/history/store.js";
import { version } from "../../src/version.js";
import {
  answers,
  built,
  histories,
  larger,
  makeReadOnly,
  mount,
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
import { root } from "../support.js";

useFolder();

/** A copy of the sample that may be changed. */
function copyOfTrace(into: string): string {
  const path = join(into, "trace");
  cpSync(trace, path, { recursive: true });
  return path;
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

test("a second opening reads what the first one kept, and says the same", async () => {
  const cache = own();
  const first = await visit(trace, cache);
  assert.equal(first.answers, await truthOf(trace));
  assert.deepEqual(first.opened, []);
  const kept = onlyHistory(cache);
  const { ino } = statSync(kept);
  const second = await visit(trace, cache);
  assert.equal(second.answers, await truthOf(trace));
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
    assert.equal(said, await truthOf(trace), opening);
    assert.equal(errors, "");
    assert.equal(opened.length, opening === "first" ? 0 : 1);
  }
});

test("a cache folder that cannot be written to", async (t) => {
  const place = own();
  const isFile = join(place, "file");
  writeFileSync(isFile, "");
  const first = await visit(trace, isFile);
  assert.equal(first.answers, await truthOf(trace));
  assert.match(first.notes.join("\n"), /the history is not kept: ENOTDIR/);
  const closed = join(place, "closed");
  if (!mount(t, closed, "size=16m")) return;
  makeReadOnly(closed);
  const second = await visit(trace, closed);
  assert.equal(second.answers, await truthOf(trace));
  // Node says ENOENT where folders cannot be made on a read-only file system.
  assert.match(second.notes.join("\n"), /the history is not kept: (EROFS|ENOENT)/);
});

test("a kept history in a folder that may only be read is used", async (t) => {
  const place = join(own(), "mounted");
  if (!mount(t, place, "size=64m")) return;
  await visit(trace, place);
  makeReadOnly(place);
  const { answers: said, opened, errors, notes } = await visit(trace, place);
  assert.equal(said, await truthOf(trace));
  assert.deepEqual(opened, [onlyHistory(place)]);
  assert.equal(errors, "");
  assert.ok(!notes.some((note) => note.includes("not kept")));
});

test("a full disk: the history is not kept, and nothing is left of it", async (t) => {
  const place = join(own(), "mounted");
  if (!mount(t, place, "size=128k")) return;
  const { answers: said, notes } = await visit(trace, place);
  assert.equal(said, await truthOf(trace));
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
  assert.equal((await visit(copy, cache)).answers, await truthOf(trace));
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
  assert.equal(await answers(other), await truthOf(trace));
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
  assert.equal(said, await truthOf(trace));
  assert.deepEqual([opened, errors], [[], ""]);
  assert.equal(readFileSync(kept).readUInt32LE(4), STORE_VERSION);
});
