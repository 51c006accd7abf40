// The collector as relay: a real lttng-sessiond and lttng-consumerd stream to it, babeltrace2 reads what is there.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, Program } from "../support/programs.js";
import { periscope, root } from "../support.js";

const skip = whyNoLttng();
const directory = mkdtempSync(join(tmpdir(), "periscope-relay-"));
const store = join(directory, "store");
const lttng = new Lttng();
let collector: Program;
let url: string;
let live: string;

async function startCollector(): Promise<void> {
  collector = Program.start(...collectorArguments(store));
  const { control, data, live: port } = await collector.ready();
  url = `net://127.0.0.1:${control}:${data}`;
  live = `net://127.0.0.1:${port}`;
}

before(async () => {
  if (skip !== false) return;
  await lttng.start();
  await startCollector();
});
after(async () => {
  if (skip !== false) return;
  await lttng.stop();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

const ended = (session: string, from = 0) =>
  collector.line(
    (line) => line.event === "session ends" && line["session"] === session,
    `${session} ended`,
    from,
  );

/** Directory of the session, which has the moment of its creation in its name. */
function sessionDirectory(session: string): string {
  const host = join(store, hostname());
  const name = readdirSync(host).find((one) => one.startsWith(`${session}-`));
  assert.ok(name !== undefined, `${session} in ${readdirSync(host)}`);
  return join(host, name);
}

for (const buffers of ["--buffers-uid", "--buffers-pid"]) {
  test(`a session streams, ${buffers}`, { skip }, async () => {
    const name = `stream${buffers.slice(-3)}`;
    lttng.must("create", name, `--set-url=${url}`);
    lttng.must("enable-channel", "-u", "-s", name, buffers, "c");
    lttng.must("enable-event", "-u", "-s", name, "-c", "c", "demo:*");
    lttng.must("start", name);
    await Promise.all([lttng.emit(20_000), lttng.emit(10_000)]);
    lttng.must("destroy", name);
    await ended(name);
    const path = sessionDirectory(name);
    const lost = spawnSync("babeltrace2", [path], { encoding: "utf8", maxBuffer: 1 << 28 }).stderr;
    if (!lost.includes("discarded")) assert.equal(countByBabeltrace(path), 30_000);
    // The layout of lttng-relayd.
    const inside = readdirSync(join(path, "ust"));
    assert.deepEqual(inside, [buffers === "--buffers-uid" ? "uid" : "pid"]);
  });
}

test("a session is rotated: archives are named as lttng-relayd names them", { skip }, async () => {
  lttng.must("create", "turns", `--set-url=${url}`);
  lttng.must("enable-event", "-u", "-s", "turns", "demo:*");
  lttng.must("start", "turns");
  await lttng.emit(1000);
  const told = lttng.must("rotate", "turns");
  await lttng.emit(500);
  lttng.must("rotate", "turns");
  await lttng.emit(50);
  lttng.must("destroy", "turns");
  await ended("turns");
  const path = sessionDirectory("turns");
  const archives = readdirSync(join(path, "archives")).sort();
  assert.equal(archives.length, 3);
  for (const name of archives) assert.match(name, /^\d{8}T\d{6}[+-]\d{4}-\d{8}T\d{6}[+-]\d{4}-\d$/);
  assert.ok(told.includes(archives[0]!), told);
  assert.deepEqual(
    archives.map((name) => countByBabeltrace(join(path, "archives", name))),
    [1000, 500, 50],
  );
});

test("babeltrace2 reads the store while a session runs that sent no metadata yet", { skip }, async () => {
  const before = countByBabeltrace(store);
  lttng.must("create", "quiet", `--set-url=${url}`);
  lttng.must(
    "enable-channel",
    "-u",
    "-s",
    "quiet",
    "--subbuf-size=4K",
    "--num-subbuf=4",
    "--blocking-timeout=inf",
    "c",
  );
  lttng.must("enable-event", "-u", "-s", "quiet", "-c", "c", "demo:*");
  lttng.must("start", "quiet");
  try {
    await lttng.emit(5000);
    const data = readdirSync(sessionDirectory("quiet"), { recursive: true, encoding: "utf8" });
    assert.ok(
      data.some((path) => /\/c_\d$/.test(path)),
      data.join("\n"),
    );
    assert.ok(countByBabeltrace(store) >= before);
  } finally {
    lttng.must("destroy", "quiet");
  }
  await ended("quiet");
  assert.equal(countByBabeltrace(store), before + 5000);
});

test("snapshots arrive, each in a directory of its name", { skip }, async () => {
  lttng.must("create", "snaps", "--snapshot", `--set-url=${url}`);
  lttng.must("enable-event", "-u", "-s", "snaps", "demo:*");
  lttng.must("start", "snaps");
  await lttng.emit(100);
  lttng.must("snapshot", "record", "--session=snaps", "--name=first");
  await lttng.emit(100);
  lttng.must("snapshot", "record", "--session=snaps", "--name=second");
  const path = sessionDirectory("snaps");
  const names = readdirSync(path).sort();
  assert.deepEqual(
    names.map((name) => name.replace(/-.*/, "")),
    ["first", "second"],
  );
  assert.deepEqual(
    names.map((name) => countByBabeltrace(join(path, name))),
    [100, 200],
  );
  lttng.must("destroy", "snaps");
});

test("babeltrace2 and periscope print read a live session alike, while it grows", { skip }, async () => {
  lttng.must("create", "alive", "--live=200000", `--set-url=${url}`);
  lttng.must("enable-event", "-u", "-s", "alive", "demo:*");
  lttng.must("start", "alive");
  const where = `${live}/host/${hostname()}/alive`;
  const listed = periscope(["info", live]);
  assert.ok(listed.stdout.includes(where), listed.stdout + listed.stderr);
  const read = (program: string, args: string[]) =>
    new Promise<{ text: string; code: number | null }>((resolve) => {
      const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString();
      });
      // Not "exit": output may still be on its way then.
      child.on("close", (code) => resolve({ text, code }));
    });
  const theirs = read("babeltrace2", ["--input-format=lttng-live", where]);
  const ours = read(process.execPath, [join(root, "bin/periscope"), "print", where]);
  const period =
    'part : $evt.$name == "demo:tick" && $evt.number == 5 : $evt.$name == "demo:tick" && $evt.number == 25';
  const followed = read(process.execPath, [
    ...[join(root, "bin/periscope"), "periodstats", "--follow", "--json", "--period", period, where],
  ]);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await lttng.emit(700, 1000);
  await lttng.emit(400, 100);
  const now = periscope(["info", "--json", where]);
  assert.equal(now.code, 0, now.stderr);
  await lttng.emit(100);
  lttng.must("destroy", "alive");
  const [bt, own, stats] = await Promise.all([theirs, ours, followed]);
  assert.equal(bt.code, 0);
  assert.equal(own.code, 0);
  // They may have begun at different moments; the session began before any event record.
  const lines = (text: string) => text.split("\n").filter((line) => line.includes("demo:tick"));
  assert.equal(lines(own.text).length, 1200);
  assert.deepEqual(lines(own.text).slice(-lines(bt.text).length + 1), lines(bt.text).slice(1));
  assert.equal(stats.code, 0);
  assert.match(stats.text, /"count": 3\b/);
});

test("kill -9 of the collector: what was stored is whole, and the next one goes on", { skip }, async () => {
  lttng.must("create", "killed", "--live=100000", `--set-url=${url}`);
  lttng.must("enable-event", "-u", "-s", "killed", "demo:*");
  lttng.must("start", "killed");
  await lttng.emit(5000, 50);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const more = lttng.emit(200_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await collector.kill("SIGKILL");
  await more;
  await startCollector();
  await collector.line(({ event }) => event === "session was not ended", "the session was repaired");
  const count = countByBabeltrace(sessionDirectory("killed"));
  assert.ok(count >= 5000, `${count} event records`);
  lttng.lttng("destroy", "killed");
  // The session daemon that streamed to the killed one can begin a new session with the new one.
  lttng.must("create", "after", `--set-url=${url}`);
  lttng.must("enable-event", "-u", "-s", "after", "demo:*");
  lttng.must("start", "after");
  await lttng.emit(10);
  lttng.must("destroy", "after");
  await ended("after");
  assert.equal(countByBabeltrace(sessionDirectory("after")), 10);
});

test("a second collector on the same store says whose it is", { skip }, () => {
  const { code, stderr } = periscope(collectorArguments(store));
  assert.equal(code, 1);
  assert.match(stderr, /a collector runs on it already \(process \d+\)/);
  assert.ok(existsSync(join(store, ".periscope")));
});

test("--allow: others are turned away at every port", async () => {
  const store = mkdtempSync(join(tmpdir(), "periscope-allow-"));
  const strict = Program.start(...collectorArguments(store), "--allow", "192.0.2.0/24");
  try {
    const ports = await strict.ready();
    for (const name of ["control", "data", "live", "agents", "http"]) {
      const ended = await new Promise<string>((resolve) => {
        const socket = connect(Number(ports[name]), "127.0.0.1");
        socket.on("connect", () => socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
        socket.on("data", (bytes) => resolve(`answered: ${bytes}`));
        socket.on("error", () => resolve("closed"));
        socket.on("close", () => resolve("closed"));
      });
      assert.equal(ended, "closed", name);
    }
  } finally {
    await strict.kill();
    rmSync(store, { recursive: true, force: true });
  }
});

test("--relay-listen: LTTng's ports stay on this machine while the others are open", { skip }, async () => {
  const token = join(directory, "token");
  writeFileSync(token, "a token of this test\n");
  const open = Program.start(
    ...collectorArguments(join(directory, "open")),
    ...["--listen", "0.0.0.0", "--token-file", token, "--relay-listen", "127.0.0.1"],
  );
  try {
    const ready = await open.ready();
    // Whoever listens on all addresses answers at this one, too.
    const reached = (name: string) =>
      new Promise<boolean>((resolve) => {
        const socket = connect(ready[name] as number, "127.0.0.2");
        socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
        socket.on("connect", () => socket.destroy());
      });
    const names = ["control", "data", "live", "agents", "http"];
    assert.deepEqual(await Promise.all(names.map(reached)), [false, false, false, true, true]);
  } finally {
    await open.kill();
  }
});
