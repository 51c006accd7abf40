// Triggers that LTTng sees: an event rule of a real session daemon, and a period in a live session of a real relay.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, Program } from "../support/programs.js";
import { Relayd } from "../support/relayd.js";
import { whyNoTracefs } from "../support/tracefs.js";
import { babeltrace2, periscope, root } from "../support.js";

function whyNot(): string | false {
  if (spawnSync("which", ["lttng-relayd"]).status !== 0) return "lttng-relayd is not installed";
  return whyNoTracefs() || whyNoLttng();
}
const skip = whyNot();
const directory = mkdtempSync(join(tmpdir(), "periscope-lttng-trigger-"));
const store = join(directory, "store");
const lttng = new Lttng();
let collector: Program;
let agent: Program;
let ports: Record<"control" | "data" | "http" | "agents", number>;

before(async () => {
  if (skip !== false) return;
  await lttng.start();
  collector = Program.start(...collectorArguments(store), "--window", "1s");
  ports = (await collector.ready()) as unknown as typeof ports;
  agent = Program.start(
    ...["agent", "--plain", "--collector", `127.0.0.1:${ports.agents}`, "--host-name", "alpha"],
    ...["--socket", join(directory, "agent.sock"), "--spool", join(directory, "spool")],
    ...["--buffer-size", "8M"],
  );
  await agent.ready();
  await collector.line(({ event }) => event === "agent connected", "the agent connected");
});
after(async () => {
  if (skip !== false) return;
  await lttng.stop();
  await agent.kill();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

interface IncidentJson {
  readonly cause: string;
  readonly state: string;
  readonly triggers: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly hosts: readonly { host: string; state: string; eventRecords: number }[];
}

const incidents = () => collector.lines.filter(({ event }) => event === "incident");

/** The incident of that cause when its hosts have sent theirs. */
async function caught(cause: string): Promise<{ id: string; incident: IncidentJson }> {
  const begun = await collector.line(
    (line) => line.event === "incident" && line["cause"] === cause,
    `an incident: ${cause}; there: ${incidents().map((line) => line["cause"])}`,
  );
  const id = begun["incident"] as string;
  await collector.line((line) => line.event === "why" && line["incident"] === id, `${id} was explained`);
  const { code, stdout, stderr } = periscope(["incident", id, "--store", store, "--json"]);
  assert.equal(code, 0, stderr);
  return { id, incident: JSON.parse(stdout) as IncidentJson };
}

function assertSaved({ id, incident }: { id: string; incident: IncidentJson }): void {
  assert.equal(incident.state, "complete");
  const [saved] = incident.hosts;
  assert.deepEqual([saved?.host, saved?.state], ["alpha", "stored"]);
  const { code, stdout, stderr } = babeltrace2([join(store, "incidents", id, "alpha")]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").length, saved!.eventRecords);
}

test("an event rule of LTTng: its snapshot begins, and all agents save", { skip }, async () => {
  lttng.must("create", "ring", "--snapshot");
  lttng.must("enable-channel", "-u", "-s", "ring", "--overwrite", "c");
  lttng.must("enable-event", "-u", "-s", "ring", "-c", "c", "demo:*");
  lttng.must("start", "ring");
  const url = `--url=net://127.0.0.1:${ports.control}:${ports.data}`;
  lttng.must(
    ...["add-trigger", "--name=late", "--condition=event-rule-matches", "--type=user", "--name=demo:tick"],
    ...["--filter=number == 150", "--action=snapshot-session", "ring", "--name=periscope-trigger", url],
  );
  // The rule does not match, and a snapshot that somebody else asks for is none of ours.
  await lttng.emit(100);
  lttng.must(
    "snapshot",
    "record",
    "--session=ring",
    "--name=manual",
    `net://127.0.0.1:${ports.control}:${ports.data}`,
  );
  await collector.line(({ event }) => event === "session begins", "a snapshot came");
  assert.deepEqual(incidents(), []);
  await lttng.emit(200);
  const found = await caught("LTTng trigger, session ring");
  assertSaved(found);
  const { attributes } = found.incident;
  assert.equal(attributes["session"], "ring");
  // What LTTng saved by itself lies where the incident says, with the event record that matched.
  const saved = String(attributes["snapshot"]);
  for (let tries = 0; !babeltrace2([saved]).stdout.includes("number = 150"); tries++) {
    assert.ok(tries < 100, `${saved}: ${babeltrace2([saved]).stdout.slice(-300)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  lttng.must("remove-trigger", "late");
  lttng.must("destroy", "ring");
});

test("a period that takes too long in a live session of lttng-relayd", { skip }, async () => {
  const relayd = await Relayd.start(lttng);
  try {
    lttng.must("create", "watched", "--live=200000", `--set-url=${relayd.url}`);
    lttng.must("enable-event", "-u", "-s", "watched", "demo:*");
    lttng.must("start", "watched");
    // Late as well, but over when the watch begins: no buffer has it any more.
    await lttng.emit(50, 80_000);
    const before = incidents().length;
    const period =
      'round : $evt.$name == "demo:tick" && $evt.number == 1 : $evt.$name == "demo:tick" && $evt.number == 40';
    const watch = spawn(
      process.execPath,
      [
        ...[join(root, "bin/periscope"), "watch", "--threshold", "2s", "--period", period],
        ...["--period-captures", "round : first = $evt.number : last = $evt.number"],
        ...["--collector", `http://127.0.0.1:${ports.http}`],
        `${relayd.live}/host/${hostname()}/watched`,
      ],
      { stdio: ["ignore", "inherit", "pipe"] },
    );
    let complaints = "";
    watch.stderr.on("data", (bytes: Buffer) => {
      complaints += bytes.toString();
    });
    const ended = new Promise((resolve) => watch.on("close", resolve));
    while (!/from now on/.test(complaints) && watch.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await lttng.emit(50);
    await lttng.emit(50, 100_000);
    const found = await caught("slow round");
    assertSaved(found);
    const { attributes } = found.incident;
    assert.equal(attributes["period"], "round");
    assert.equal(attributes["host"], hostname());
    assert.equal(attributes["last"], "40");
    assert.ok(Number(attributes["duration_ms"]) >= 3900, String(attributes["duration_ms"]));
    lttng.must("destroy", "watched");
    assert.equal(await ended, 0, complaints);
    assert.match(complaints, /^periscope: watching net:.* from now on\n$/);
    // The quick ones were none.
    assert.equal(incidents().length, before + 1);
    assert.equal(found.incident.triggers, 1);
  } finally {
    await relayd.stop();
  }
});
