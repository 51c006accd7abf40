// Forms of trace.dat, what is wrong with files, and what is told then.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { readDatFile } from "../../src/ftrace/dat/file.js";
import { bigEndianContent, contentOf, writeV6, writeV7 } from "../support/dat-writer.js";
import { hasTraceCmd, traceCmdReport } from "../support/trace-cmd.js";
import { periscope, sample } from "../support.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-dat-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const cache = { XDG_CACHE_HOME: join(directory, "cache") };

const V6 = sample("trace-cmd/v6.dat");
const V7 = sample("trace-cmd/v7-zstd.dat");

const print = (path: string, env = cache) => periscope(["print", "--clock-seconds", "--no-delta", path], env);
const expected = () => print(V6).stdout;

function written(name: string, bytes: Uint8Array | string): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

function edited(path: string, name: string, edit: (bytes: Buffer) => Buffer): string {
  return written(name, edit(Buffer.from(readFileSync(path))));
}

test("version 7 by zlib, and both versions of a big-endian machine, are the same event records", () => {
  const content = contentOf(V6);
  const turned = bigEndianContent(content);
  const want = expected();
  assert.ok(want.split("\n").length > 500);
  for (const [name, bytes] of [
    ["little-6.dat", writeV6(content)],
    ["zlib.dat", writeV7(content)],
    ["big-6.dat", writeV6(turned, true)],
    ["big-7.dat", writeV7(turned, true)],
  ] as const) {
    const run = print(written(name, bytes));
    assert.equal(run.stderr, "", name);
    assert.equal(run.stdout, want, name);
  }
});

test("trace-cmd reads the big-endian file as we do", { skip: hasTraceCmd() ? false : "no trace-cmd" }, () => {
  const path = join(directory, "big-6.dat");
  const told = traceCmdReport(path);
  assert.deepEqual(
    told.map(({ time, cpu, tid, event }) => `${time} ${cpu} ${tid} ${event}`),
    traceCmdReport(V6).map(({ time, cpu, tid, event }) => `${time} ${cpu} ${tid} ${event}`),
  );
  assert.equal(told.length, expected().trimEnd().split("\n").length);
});

test("moments: TSC, offsets, the time of day", { skip: hasTraceCmd() ? false : "no trace-cmd" }, () => {
  const tsc = Buffer.alloc(16);
  tsc.writeUInt32LE(1_234_567, 0);
  tsc.writeUInt32LE(21, 4);
  const text = (value: string) => Buffer.from(`${value}\0`);
  const variants: [string, number, Buffer][] = [
    ["tsc.dat", 14, tsc],
    ["offset.dat", 7, text("123456789")],
    ["back.dat", 7, text("-1000000123")],
    ["day.dat", 1, text("0x65f0a1b2c3d4e")],
  ];
  for (const [name, id, bytes] of variants) {
    const path = written(name, writeV6(contentOf(V6), false, [[id, bytes]]));
    const run = print(path);
    assert.equal(run.stderr, "", name);
    const lines = run.stdout.trimEnd().split("\n");
    const ours = lines.map((line) => line.slice(1, line.indexOf("]")));
    assert.deepEqual(
      ours,
      traceCmdReport(path).map(({ time }) => time),
      name,
    );
  }
});

test("a copy of tracefs", () => {
  const { file, pages } = contentOf(V6);
  const root = join(directory, "copied");
  written("copied/events/header_page", file.headerPage);
  for (const { system, text } of file.formats) {
    written(`copied/events/${system}/${/^name: (\S+)/m.exec(text)![1]}/format`, text);
  }
  for (const { cpu, bytes } of pages) written(`copied/per_cpu/cpu${cpu}/trace_pipe_raw`, bytes);
  written("copied/saved_cmdlines", file.threadNames);
  written("copied/trace_clock", "[local] global");
  written("copied/uname", file.options.uname);
  const run = print(root);
  assert.equal(run.stderr, "");
  assert.equal(run.stdout, expected());
  assert.equal(print(dirname(root)).code !== 2, true);
});

test("a file that was cut off: what is there, and where it ends", () => {
  const size = statSync(V6).size;
  const path = edited(V6, "cut.dat", (bytes) => bytes.subarray(0, size - 6000));
  const run = print(path);
  assert.equal(run.code, 1);
  assert.match(
    run.stderr,
    /cut\.dat: byte \d+: expected a page of 4096 bytes, but only \d+ follow|but the file ends here/,
  );
  const lines = run.stdout.trimEnd().split("\n");
  assert.ok(lines.length > 100 && lines.length < expected().split("\n").length, String(lines.length));
  const again = print(path);
  assert.equal(again.stderr, run.stderr, "told again when it comes from the cache");
  for (const part of [0, 5, 12, 30, 400, 20_000]) {
    const short = print(edited(V6, `short-${part}.dat`, (bytes) => bytes.subarray(0, part)));
    assert.equal(short.code, 1);
    assert.match(short.stderr, /^periscope: \S+short-\d+\.dat: byte \d+: .*expected.*\n$/, String(part));
  }
});

test("what is no trace.dat, and what is another kind of it", () => {
  const wrong = (name: string, bytes: Buffer, message: RegExp) => {
    const run = print(written(name, bytes));
    assert.equal(run.code, 1, name);
    assert.match(run.stderr, message, name);
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  };
  wrong("text.dat", Buffer.from("no trace at all"), /byte 0: expected trace\.dat's first bytes/);
  const v6 = readFileSync(V6);
  wrong(
    "version.dat",
    Buffer.concat([v6.subarray(0, 10), Buffer.from("9"), v6.subarray(11)]),
    /byte 10: version "9", expected 6 or 7/,
  );
  wrong(
    "order.dat",
    Buffer.concat([v6.subarray(0, 12), Buffer.from([7]), v6.subarray(13)]),
    /byte 12: byte order 7, expected 0 or 1/,
  );
  const latency = Buffer.from(v6.toString("latin1").replace("flyrecord\0", "latency  \0"), "latin1");
  wrong("latency.dat", latency, /byte \d+: the file holds the text of a latency tracer/);
  const content = contentOf(V6);
  wrong(
    "lz4.dat",
    writeV7(content, false, "lz4"),
    /byte 18: compressed by "lz4", expected zlib or zstd; convert it by: trace-cmd convert --compression none/,
  );
  // The option TRACECLOCK becomes TIME_SHIFT, which guests have.
  const guest = writeV6(content);
  const at = guest.indexOf(Buffer.from([4, 0, 15, 0, 0, 0, ...Buffer.from("[local]")]));
  guest[at] = 12;
  wrong("guest.dat", guest, new RegExp(`byte ${at}: the recording of a guest`));
});

test("a recorder that was killed", () => {
  written("killed.dat.cpu0", "");
  written("killed.dat.cpu1", "");
  const run = print(join(directory, "killed.dat"));
  assert.equal(run.code, 1);
  assert.match(
    run.stderr,
    /killed\.dat: its recorder was killed .*trace-cmd restore -o \S+killed\.dat \S+cpu0 \S+cpu1/,
  );
});

test("one damaged page, one damaged chunk: the others are read", () => {
  const content = contentOf(V6);
  const { offset } = content.file.buffers.at(-1)!.cpus.find(({ size }) => size > 8192)!;
  const run = print(
    edited(V6, "page.dat", (bytes) => {
      bytes.writeUInt32LE(0x3fffffff, offset + 4096 + 8);
      return bytes;
    }),
  );
  assert.equal(run.code, 1);
  assert.match(
    run.stderr,
    new RegExp(`page\\.dat: byte ${offset + 4096 + 8}: 1073741823 bytes used, expected at most 4080`),
  );
  assert.ok(run.stdout.split("\n").length > 300);
  const chunk = print(
    edited(V7, "chunk.dat", (bytes) => {
      // Behind the number of chunks and the sizes of the first one.
      const at = readDatFile(V7).buffers.at(-1)!.cpus[0]!.offset + 12;
      bytes.fill(0, at, at + 4);
      return bytes;
    }),
  );
  assert.equal(chunk.code, 1);
  assert.match(
    chunk.stderr,
    /chunk\.dat: byte \d+: a chunk that cannot be uncompressed: zstd: byte 0: expected a frame/,
  );
});

test("conversions are kept, once for each state of the file, and go elsewhere where they cannot be", () => {
  const own = { XDG_CACHE_HOME: join(directory, "own") };
  const kept = () => readdirSync(join(own.XDG_CACHE_HOME, "periscope/ftrace"));
  const path = edited(V6, "kept.dat", (bytes) => bytes);
  const first = print(path, own);
  assert.equal(kept().length, 1);
  const entry = join(own.XDG_CACHE_HOME, "periscope/ftrace", kept()[0]!);
  assert.equal(statSync(entry).mode & 0o077, 0, "for nobody else");
  assert.equal(print(path, own).stdout, first.stdout);
  assert.equal(kept().length, 1);
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1)]));
  assert.equal(print(path, own).stdout, first.stdout);
  assert.equal(kept().length, 2);
  const file = written("no-directory", "");
  const elsewhere = print(path, { XDG_CACHE_HOME: file });
  assert.equal(elsewhere.stdout, first.stdout);
  assert.equal(elsewhere.code, 0);
  assert.equal(readdirSync(tmpdir()).filter((name) => name.startsWith("periscope-ftrace-")).length, 0);
});

test("tracefs itself is not read", {
  skip: existsSync("/sys/kernel/tracing/events") ? false : "no tracefs",
}, () => {
  const run = periscope(["info", "/sys/kernel/tracing"], cache);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /the kernel's own tracefs, expected a copy of it; periscope record/);
});
