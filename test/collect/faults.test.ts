// What a collector must bear of a peer that says what no session daemon would: names that lead out of the store.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { collectorArguments, Program } from "../support/programs.js";
import { OK, RelayClient } from "../support/relay-client.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-faults-"));
const store = join(directory, "store");
const outside = `${directory}-outside`;
let collector: Program;
let port: number;

before(async () => {
  collector = Program.start(...collectorArguments(store));
  port = (await collector.ready())["control"] as number;
});
after(async () => {
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
