// What a collector must bear: names that lead out of the store, peers that claim, dawdle and come by the hundred, and a
// disk that is full; meanwhile a real lttng-consumerd sends, and loses nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, Program } from "../support/programs.js";
import { OK, pack, RelayClient } from "../support/relay-client.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-faults-"));
const store = join(directory, "store");
const outside = `${directory}-outside`;
let collector: Program;
let port: number;
let dataPort: number;
let livePort: number;
const noLttng = whyNoLttng();
const lttng = new Lttng();

before(async () => {
  if (noLttng === false) await lttng.start();
  collector = Program.start(...collectorArguments(store));
  const ready = await collector.ready();
  [port, dataPort, livePort] = ["control", "data", "live"].map((name) => ready[name] as number) as [
    number,
    number,
    number,
  ];
});
after(async () => {
  if (noLttng === false) await lttng.stop();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

test("names cannot leave the store", async () => {
  const evil = [
    "..",
    "../..",
    "../outside",
    outside,
    ".periscope",
    `${"x".repeat(10_000)}`,
    "a/../../b",
    "a\nb",
  ];
  for (const name of evil) {
    for (const names of [{ name }, { host: name }, { base: name }]) {
      const client = await RelayClient.connect(port);
      await client.version();
      const code = await client.createSession(names);
      assert.notEqual(code, OK, JSON.stringify(names).slice(0, 80));
      client.socket.destroy();
    }
    const chunk = await RelayClient.connect(port);
    await chunk.version();
    assert.equal(await chunk.createSession({ name: "chunks" }), OK);
    assert.notEqual(await chunk.createChunk(1, name), OK, `chunk ${name.slice(0, 80)}`);
    chunk.socket.destroy();
    for (const [channel, path] of [
      [name, "ust"],
      ["c_0", name],
    ] as const) {
      const stream = await RelayClient.connect(port);
      await stream.version();
      assert.equal(await stream.createSession({ name: "streams" }), OK);
      assert.equal(await stream.createChunk(0, ""), OK);
      const reply = await stream.addStream(channel, path);
      assert.notEqual(reply?.code, OK, `stream ${channel.slice(0, 80)} in ${path.slice(0, 80)}`);
      stream.socket.destroy();
    }
  }
  // C's texts end at their NUL: what is before it may be used, what is after it has no effect.
  for (const names of [{ name: "n\0/../../x" }, { host: "n\0/../../x" }, { base: "n\0/../../x" }]) {
    const client = await RelayClient.connect(port);
    await client.version();
    await client.createSession(names);
    client.socket.destroy();
  }
  assert.deepEqual(readdirSync(directory), ["store"]);
  assert.ok(!existsSync(outside));
  const inside = readdirSync(store, { recursive: true, encoding: "utf8" });
  assert.ok(!inside.some((path) => /xxx|\n|outside/.test(path)), inside.join("\n"));
});

/** The most memory that a process ever had, bytes. */
function peakBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** A session of a real consumer daemon, from `lttng create` to `lttng destroy`: nothing may be missing. */
async function honestSession(name: string, url: string, count: number, wait?: () => Promise<void>) {
  lttng.must("create", name, `--set-url=${url}`);
  lttng.must("enable-channel", "-u", "-s", name, "--blocking-timeout=inf", "--subbuf-size=64K", "c");
  lttng.must("enable-event", "-u", "-s", name, "-c", "c", "demo:*");
  lttng.must("start", name);
  const emitted = lttng.emit(count);
  await wait?.();
  await emitted;
  lttng.must("destroy", name);
}

function directoryOf(below: string, name: string): string {
  for (const host of readdirSync(below)) {
    if (host.startsWith(".") || host === "incidents") continue;
    const session = readdirSync(join(below, host)).find((one) => one.startsWith(`${name}-`));
    if (session !== undefined) return join(below, host, session);
  }
  throw new Error(`no session ${name} below ${below}`);
}

const header = (command: number, bytes: number | bigint) => pack([8, 0], [8, bytes], [4, command], [4, 0]);
const dataHeader = (stream: bigint, sequence: number, bytes: number) =>
  pack([8, 0], [8, stream], [8, sequence], [4, bytes], [4, 0]);

async function open(to: number): Promise<Socket> {
  const socket = connect(to, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A session with a stream of data and one of metadata, and whatever a peer wants to do with them. */
async function liar(name: string) {
  const client = await RelayClient.connect(port);
  await client.version();
  assert.equal(await client.createSession({ name }), OK);
  assert.equal(await client.createChunk(0, ""), OK);
  const data = await client.addStream("c_0", "ust");
  const metadata = await client.addStream("metadata", "ust");
  assert.ok(data?.code === OK && metadata?.code === OK);
  return { client, data: data.handle, metadata: metadata.handle };
}

const MB = Buffer.alloc(1 << 20, 1);

test("a packet of 4 GB, and metadata of 4 GB, are refused as soon as they are claimed", async () => {
  const { client, data } = await liar("claims");
  const socket = await open(dataPort);
  socket.write(dataHeader(data, 0, 0xffff_ffff));
  await once(socket, "close");
  const { reason } = await collector.line(
    ({ event }) => event === "data connection closed",
    "it was refused",
  );
  assert.match(String(reason), /packet 0 of stream \d+ with 4294967295 \+ 0 bytes, expected at most/);
  client.socket.write(header(6, 0xffff_ffff));
  await client.whenClosed();
});

test("1,000 peers that claim much, send little and never end: bounded memory, and others are unharmed", {
  skip: noLttng,
}, async () => {
  const sockets: Socket[] = [];
  const dawdlers: Socket[] = [];
  for (let i = 0; i < 50; i++) {
    const { client, data, metadata } = await liar(`liar${i}`);
    // 14 MB of metadata that is never complete, and 8 MB of a packet of 1 GB: 1.1 GB of them all.
    client.socket.write(header(6, (16 << 20) - 4));
    client.socket.write(pack([8, metadata], [4, 0]));
    for (let n = 0; n < 14; n++) client.socket.write(MB);
    const socket = await open(dataPort);
    socket.write(dataHeader(data, 0, 1 << 30));
    for (let n = 0; n < 8; n++) socket.write(MB);
    sockets.push(client.socket, socket);
  }
  for (let i = 0; i < 300; i++) {
    const [control, data, live] = await Promise.all([open(port), open(dataPort), open(livePort)]);
    // What is in the collector's buffers of each: a message that is as long as may be, but for its last byte.
    control.write(Buffer.concat([header(2, 1 << 16), Buffer.alloc((1 << 16) - 1)]));
    data.write(Buffer.alloc(31));
    dawdlers.push(control, data, live);
  }
  const timer = setInterval(() => {
    for (const socket of dawdlers) if (!socket.destroyed) socket.write(Buffer.alloc(1));
  }, 1000);
  assert.equal(sockets.length + dawdlers.length, 1000);
  try {
    await honestSession("honest", `net://127.0.0.1:${port}:${dataPort}`, 200_000);
    await collector.line(
      (line) => line.event === "session ends" && line["session"] === "honest",
      "the honest session ended",
    );
    assert.equal(countByBabeltrace(directoryOf(store, "honest")), 200_000);
    // All that the liars sent has arrived: nothing of it waits in their own memory.
    for (const socket of sockets) assert.ok(socket.destroyed || socket.writableLength === 0);
  } finally {
    clearInterval(timer);
    for (const socket of [...sockets, ...dawdlers]) socket.destroy();
  }
  const peak = peakBytes(collector.child.pid!);
  assert.ok(peak < 300e6, `${(peak / 1e6).toFixed(0)} MB`);
});

const noMount = noLttng !== false ? noLttng : process.getuid?.() === 0 ? false : "only root may mount";

test("a full disk: senders wait, and nothing is lost", { skip: noMount }, async () => {
  const small = join(directory, "small");
  mkdirSync(small);
  const mount = (...args: string[]) => spawnSync("mount", args, { encoding: "utf8" });
  const mounted = mount("-t", "tmpfs", "-o", "size=6M", "none", small);
  assert.equal(mounted.status, 0, mounted.stderr);
  const other = Program.start(...collectorArguments(join(small, "store")), "--sync");
  try {
    const { control, data, http } = await other.ready();
    const health = async () => await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    await honestSession("full", `net://127.0.0.1:${control}:${data}`, 400_000, async () => {
      const { level, reason } = await other.line(
        ({ event }) => event === "no space: senders wait",
        "it is full",
      );
      assert.equal(level, "error");
      assert.match(String(reason), /ENOSPC/);
      // Those who only ask are answered.
      assert.match(await health(), /^periscope_/m);
      assert.equal(mount("-o", "remount,size=200M", small).status, 0);
    });
    await other.line(
      (line) => line.event === "session ends" && line["session"] === "full",
      "the session ended",
    );
    assert.equal(countByBabeltrace(directoryOf(join(small, "store"), "full")), 400_000);
    assert.ok(peakBytes(other.child.pid!) < 300e6);
  } finally {
    await other.kill();
    spawnSync("umount", ["-l", small]);
  }
});
