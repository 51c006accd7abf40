// kill -9 of whoever sends, in the middle of it: what the collector had acknowledged is there and whole.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Lttng, whyNoLttng } from "../support/lttng.js";
import { freePorts } from "../support/ports.js";
import { collectorArguments, Program } from "../support/programs.js";
import { whyNoTracefs } from "../support/tracefs.js";
import { assertSameText, babeltrace2, periscope } from "../support.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-kills-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers of the demo program's event records, in order, by the reference reader. */
function numbers(path: string): number[] {
  const { code, stdout, stderr } = babeltrace2([path]);
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /discarded/);
  return numbersIn(stdout);
}

function numbersIn(stdout: string): number[] {
  return [...stdout.matchAll(/ demo:tick: .* number = (\d+)/g)].map(([, number]) => Number(number));
}

test("kill -9 of lttng-consumerd while it streams", { skip: whyNoLttng() }, async () => {
  const store = join(directory, "store");
  const lttng = new Lttng();
  await lttng.start();
  const collector = Program.start(...collectorArguments(store));
  try {
    const { control, data } = await collector.ready();
    lttng.must("create", "cut", "--live=100000", `--set-url=net://127.0.0.1:${control}:${data}`);
    lttng.must("enable-channel", "-u", "-s", "cut", "--subbuf-size=16384", "--num-subbuf=16", "c");
    lttng.must("enable-event", "-u", "-s", "cut", "-c", "c", "demo:*");
    lttng.must("start", "cut");
    const host = join(store, hostname());
    // On one CPU: one stream, in which nothing may be missing. It does not end before it is killed.
    const emitting = lttng.emit(100_000, 100, 0);
    const path = () => join(host, readdirSync(host).find((name) => name.startsWith("cut-"))!);
    let before: number[] = [];
    for (let tries = 0; before.length < 2000; tries++) {
      assert.ok(tries < 300, `${before.length} event records came`);
      await sleep(100);
      // As long as the metadata have not come nobody can read it; and it may look just while a packet is written.
      const read = existsSync(host) ? babeltrace2([path()]) : undefined;
      if (read?.code === 0) before = numbersIn(read.stdout);
    }
    const consumer = lttng.consumer;
    assert.ok(consumer !== undefined);
    process.kill(consumer, "SIGKILL");
    await collector.line(
      ({ event, session }) => event === "session ends" && session === "cut",
      "the session ended",
    );
    const found = numbers(path());
    assert.ok(found.length >= before.length, `${found.length} of ${before.length}`);
    assert.deepEqual(
      found,
      found.map((_, i) => i),
    );
    // We read the same as the reference does, and nothing is said to be wrong with it.
    const own = periscope(["print", path()]);
    assert.equal(own.code, 0, own.stderr);
    assert.equal(own.stderr, "");
    assertSameText(own.stdout, babeltrace2([path()]).stdout, "print");
    await emitting;
    assert.ok(found.length < 100_000, "it was killed in the middle");
    // The collector goes on.
    const next = new Lttng();
    await next.start();
    try {
      next.must("create", "next", `--set-url=net://127.0.0.1:${control}:${data}`);
      next.must("enable-event", "-u", "-s", "next", "demo:*");
      next.must("start", "next");
      await next.emit(100);
      next.must("destroy", "next");
      await collector.line(
        ({ event, session }) => event === "session ends" && session === "next",
        "the next session ended",
      );
    } finally {
      await next.stop();
    }
  } finally {
    await lttng.stop();
    await collector.kill();
  }
});

test("kill -9 of an agent in the middle of an upload: the next one sends it whole", {
  skip: whyNoTracefs(),
}, async () => {
  const store = join(directory, "uploads");
  const spool = join(directory, "spool");
  const collector = Program.start(...collectorArguments(store), "--profile", "none");
  let agent: Program | undefined;
  try {
    const ports = await collector.ready();
    const startAgent = async () => {
      agent = Program.start(
        ...["agent", "--plain", "--collector", `127.0.0.1:${ports["agents"]}`, "--host-name", "alpha"],
        ...["--socket", join(directory, "agent.sock"), "--spool", spool, "--buffer-size", "16M"],
      );
      const from = collector.lines.length;
      await agent.ready();
      await collector.line(({ event }) => event === "agent connected", "the agent connected", from);
      return agent;
    };
    const first = await startAgent();
    // Enough that it does not all fit into the sockets' buffers.
    spawnSync("dd", ["if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000"]);
    // The collector takes what comes at first, and is stopped in the middle.
    const response = await fetch(`http://127.0.0.1:${ports["http"]}/trigger`, { method: "POST", body: "{}" });
    const { incident } = (await response.json()) as { incident: string };
    const place = join(store, "incidents", incident);
    const partial = join(place, "alpha.partial");
    for (let tries = 0; !existsSync(partial); tries++) {
      assert.ok(tries < 60_000, "the upload began");
      assert.ok(!existsSync(join(place, "alpha")), "the upload was seen before its end");
      await sleep(1);
    }
    collector.child.kill("SIGSTOP");
    await first.kill("SIGKILL");
    assert.ok(existsSync(partial));
    assert.ok(!existsSync(join(place, "alpha")));
    assert.ok(existsSync(join(spool, "unsent", incident, "saved.json")), "the agent keeps it");
    collector.child.kill("SIGCONT");
    await collector.line(({ event }) => event === "agent gone", "the collector saw it go");
    // What half came is not taken for a trace.
    for (let tries = 0; existsSync(partial); tries++) {
      assert.ok(tries < 300, "the half upload was removed");
      await sleep(100);
    }
    assert.deepEqual(
      readdirSync(place).filter((name) => name.startsWith("alpha")),
      [],
    );
    const trace = join(spool, "unsent", incident, "trace");
    const sizes = (path: string) =>
      Object.fromEntries(
        (readdirSync(path, { recursive: true }) as string[])
          .filter((name) => statSync(join(path, name)).isFile())
          .map((name) => [name, statSync(join(path, name)).size] as const)
          .sort(),
      );
    const expected = sizes(trace);
    await startAgent();
    const stored = await collector.line(({ event }) => event === "snapshot stored", "it was stored");
    assert.equal(stored["incident"], incident);
    assert.deepEqual(sizes(join(place, "alpha")), expected);
    const read = babeltrace2([join(place, "alpha")]);
    assert.equal(read.code, 0, read.stderr);
    const { hosts } = JSON.parse(periscope(["incident", incident, "--store", store, "--json"]).stdout) as {
      hosts: { eventRecords: number; state: string }[];
    };
    assert.equal(hosts[0]?.state, "stored");
    assert.equal(read.stdout.trimEnd().split("\n").length, hosts[0]?.eventRecords);
  } finally {
    collector.child.kill("SIGCONT");
    await agent?.kill();
    await collector.kill();
  }
});

test("a collector that is asked to end in the middle of an upload ends; the next one gets the rest", {
  skip: whyNoTracefs(),
}, async () => {
  const store = join(directory, "ended");
  const [agents, http] = (await freePorts(2)) as [number, number];
  const start = async () => {
    const collector = Program.start(
      ...["collect", "--store", store, "--control-port", "0", "--data-port", "0", "--live-port", "0"],
      ...["--agent-port", String(agents), "--http-port", String(http), "--profile", "none"],
    );
    await collector.ready();
    await collector.line(({ event }) => event === "agent connected", "the agent connected");
    return collector;
  };
  const agent = Program.start(
    ...["agent", "--plain", "--collector", `127.0.0.1:${agents}`, "--host-name", "alpha"],
    ...["--socket", join(directory, "other.sock"), "--spool", join(directory, "other-spool")],
    ...["--buffer-size", "16M"],
  );
  let collector = await start();
  try {
    spawnSync("dd", ["if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000"]);
    const response = await fetch(`http://127.0.0.1:${http}/trigger`, { method: "POST", body: "{}" });
    const { incident } = (await response.json()) as { incident: string };
    const place = join(store, "incidents", incident);
    for (let tries = 0; !existsSync(join(place, "alpha.partial")); tries++) {
      assert.ok(tries < 60_000, "the upload began");
      await sleep(1);
    }
    const late = new Promise((resolve) => setTimeout(resolve, 60_000, "it runs on").unref());
    const code = await Promise.race([collector.kill(), late]);
    assert.equal(code, 0);
    collector = await start();
    await collector.line(({ event }) => event === "snapshot stored", "it was stored");
    assert.equal(babeltrace2([join(place, "alpha")]).code, 0);
  } finally {
    await agent.kill();
    await collector.kill("SIGKILL");
  }
});
