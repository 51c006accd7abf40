// Retention: what LTTng's sessions and incidents left goes by age and by size, the oldest first, and nothing else.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, Program } from "../support/programs.js";
import { whyNoTracefs } from "../support/tracefs.js";
import { babeltrace2, periscope } from "../support.js";

const HOUR_MS = 3_600_000;

const skip = whyNoLttng();
const directory = mkdtempSync(join(tmpdir(), "periscope-retention-"));
const store = join(directory, "store");
const lttng = new Lttng();

before(async () => {
  if (skip === false) await lttng.start();
});
after(async () => {
  if (skip === false) await lttng.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Bytes on disk of the files below, by `find`. */
function bytesOf(path: string): number {
  const { stdout } = spawnSync("find", [path, "-type", "f", "-printf", "%b\n"], { encoding: "utf8" });
  return stdout
    .trimEnd()
    .split("\n")
    .reduce((sum, blocks) => sum + Number(blocks) * 512, 0);
}

/** Everything below was last written so long ago. */
function age(path: string, hours: number): void {
  const at = new Date(Date.now() - hours * HOUR_MS);
  for (const name of readdirSync(path, { recursive: true }) as string[]) utimesSync(join(path, name), at, at);
}

function begin(name: string, control: unknown, data: unknown, ...more: string[]): void {
  lttng.must("create", name, ...more, `--set-url=net://127.0.0.1:${control}:${data}`);
  lttng.must("enable-event", "-u", "-s", name, "demo:*");
  lttng.must("start", name);
}

const host = () => join(store, hostname());
const sessionDirectory = (name: string) =>
  join(host(), readdirSync(host()).find((one) => one.startsWith(`${name}-`)) ?? `no ${name}`);
const sessionEnds = (collector: Program, name: string) =>
  collector.line(({ event, session }) => event === "session ends" && session === name, `${name} ended`);
const removals = (collector: Program) =>
  collector.lines.filter(({ event }) => event === "removed").map(({ path, reason }) => `${path} ${reason}`);

/** Starts a collector, which looks at the store at once, and asks for its metrics when it has: they tell its size then. */
async function swept(...options: string[]): Promise<{ removed: string[]; metrics: string }> {
  const collector = Program.start(...collectorArguments(store), ...options);
  let metrics = "";
  try {
    const { http } = await collector.ready();
    for (let tries = 0; metrics === "" || /^periscope_store_bytes 0$/m.test(metrics); tries++) {
      assert.ok(tries < 300, "the store was measured");
      await new Promise((resolve) => setTimeout(resolve, 100));
      metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    }
  } finally {
    await collector.kill();
  }
  return { removed: removals(collector), metrics };
}

test("sessions go by age and by size, the oldest first", { skip }, async () => {
  const collector = Program.start(...collectorArguments(store));
  const { control, data } = await collector.ready();
  for (const [name, count] of [
    ["ancient", 1000],
    ["old", 20_000],
    ["young", 5000],
  ] as const) {
    begin(name, control, data);
    await lttng.emit(count, 0);
    lttng.must("destroy", name);
    await sessionEnds(collector, name);
  }
  await collector.kill();
  const [ancient, old, young] = ["ancient", "old", "young"].map(sessionDirectory) as [string, string, string];
  age(ancient, 50);
  age(old, 20);
  const all = bytesOf(store);

  const nothing = await swept("--keep-age", "60h", "--keep-bytes", String(all + 1_000_000));
  assert.deepEqual(nothing.removed, []);
  const measured = Number(/^periscope_store_bytes (\d+)$/m.exec(nothing.metrics)?.[1]);
  assert.equal(measured, bytesOf(ancient) + bytesOf(old) + bytesOf(young));

  const ancientBytes = bytesOf(ancient);
  const byAge = await swept("--keep-age", "48h");
  assert.deepEqual(byAge.removed, [`${ancient.slice(store.length + 1)} age`]);
  assert.match(byAge.metrics, new RegExp(`^periscope_store_removed_bytes_total ${ancientBytes}$`, "m"));
  assert.ok(!existsSync(ancient));
  assert.ok(countByBabeltrace(old) > 0);

  // One byte too much: the oldest goes as a whole, though the other is smaller.
  const bySize = await swept("--keep-bytes", String(bytesOf(old) + bytesOf(young) - 1));
  assert.deepEqual(bySize.removed, [`${old.slice(store.length + 1)} size`]);
  assert.equal(countByBabeltrace(young), 5000);
  const kept = await swept("--keep-bytes", String(bytesOf(young)), "--keep-age", "1h");
  assert.deepEqual(kept.removed, []);
});

test("what is being written stays, and so does the newest incident", {
  skip: skip || whyNoTracefs(),
}, async () => {
  const collector = Program.start(
    ...[...collectorArguments(store), "--keep-bytes", "4K", "--profile", "none", "--window", "100ms"],
  );
  const ports = await collector.ready();
  const agent = Program.start(
    ...["agent", "--plain", "--collector", `127.0.0.1:${ports["agents"]}`, "--host-name", "alpha"],
    ...["--socket", join(directory, "agent.sock"), "--spool", join(directory, "spool")],
    ...["--buffer-size", "256K"],
  );
  try {
    await collector.line(({ event }) => event === "agent connected", "the agent connected");
    const ids: string[] = [];
    for (const cause of ["first", "second"]) {
      const response = await fetch(`http://127.0.0.1:${ports["http"]}/trigger`, {
        method: "POST",
        body: JSON.stringify({ cause }),
      });
      assert.equal(response.status, 201);
      const { incident } = (await response.json()) as { incident: string };
      ids.push(incident);
      await collector.line(
        (line) => line.event === "why" && line["incident"] === incident,
        `${cause} was explained`,
      );
    }
    begin("writing", ports["control"], ports["data"], "--live=200000");
    await lttng.emit(3000);
    begin("written", ports["control"], ports["data"]);
    await lttng.emit(3000);
    lttng.must("destroy", "written");
    await sessionEnds(collector, "written");
    const written = sessionDirectory("written").slice(store.length + 1);
    // It looks once a minute.
    await collector.line(
      ({ event, path }) => event === "removed" && path === written,
      "a session was removed",
    );
    await collector.line(
      ({ event, path }) => event === "removed" && path === join("incidents", ids[0]!),
      "the older incident was removed",
    );
    await lttng.emit(500);
    lttng.must("destroy", "writing");
    await sessionEnds(collector, "writing");
    assert.equal(countByBabeltrace(sessionDirectory("writing")), 6500);
    assert.ok(!removals(collector).some((line) => line.includes(ids[1]!) || line.includes("writing")));
    assert.equal(babeltrace2([join(store, "incidents", ids[1]!, "alpha")]).code, 0);
    assert.ok(!existsSync(join(store, "incidents", ids[0]!)));
    // It is still known, and what became of its traces is said.
    const told = periscope(["incident", ids[0]!, "--store", store, "--json"]);
    assert.equal(told.code, 0, told.stderr);
    const { state, cause } = JSON.parse(told.stdout) as { state: string; cause: string };
    assert.deepEqual([state, cause], ["deleted", "first"]);
    assert.match(periscope(["incidents", "--store", store]).stdout, new RegExp(ids[0]!));
  } finally {
    await agent.kill();
    await collector.kill();
  }
});
