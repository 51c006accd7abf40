// Hosts as network namespaces: a collector and its agents with TLS between them, and LTTng through a tunnel.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { Network, whyNoNetwork } from "../support/network.js";
import { Program } from "../support/programs.js";
import { whyNoTracefs } from "../support/tracefs.js";
import { babeltrace2, periscope, root } from "../support.js";

function whyNot(): string | false {
  if (spawnSync("openssl", ["version"]).status !== 0) return "openssl is not installed";
  return whyNoNetwork();
}
const skip = whyNot();
const skipAgents = skip || whyNoTracefs();
const skipLttng = skip || whyNoLttng();

const directory = mkdtempSync(join(tmpdir(), "periscope-namespaces-"));
const store = join(directory, "store");
const file = (name: string) => join(directory, "certificates", name);
/** Signed by another authority, for the same names. */
const foreign = (name: string) => join(directory, "foreign", name);
const programs: Program[] = [];
const HOSTS = ["web", "database", "cache"];
let network: Network;
let collector: Program;

/** Runs a command of ours on a host. */
function run(host: string, ...args: string[]): { code: number | null; text: string } {
  const command = [...network.on(host), process.execPath, join(root, "bin/periscope"), ...args];
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8" });
  return { code: status, text: stdout + stderr };
}

function startAgent(host: string, ...credentials: string[]): Program {
  const agent = Program.startBy(
    network.on(host),
    ...["agent", "--collector", network.address("collector"), "--host-name", host],
    ...["--socket", join(directory, `${host}.sock`), "--spool", join(directory, `spool-${host}`)],
    ...["--buffer-size", "8M", "--events", "sched_*,net_*,syscall_*", ...credentials],
  );
  programs.push(agent);
  return agent;
}

const signed = (by: (name: string) => string) => ["--cert", by("agent.pem"), "--key", by("agent.key")];
const trusted = ["--ca", file("ca.pem")];

before(async () => {
  if (skip !== false) return;
  network = new Network("collector", ...HOSTS);
  const address = network.address("collector");
  for (const name of ["certificates", "foreign"]) {
    assert.equal(periscope(["certificates", join(directory, name), address]).code, 0);
  }
  // All ports are the usual ones: the host has a network of its own.
  collector = Program.startBy(
    network.on("collector"),
    ...["collect", "--store", store, "--listen", address, "--tls-relay", "--window", "1s"],
    ...["--tls-cert", file("collector.pem"), "--tls-key", file("collector.key"), "--tls-ca", file("ca.pem")],
    ...["--token-file", file("token")],
  );
  programs.push(collector);
  await collector.ready();
});
after(async () => {
  if (skip !== false) return;
  for (const program of programs.reverse()) await program.kill();
  network.remove();
  rmSync(directory, { recursive: true, force: true });
});

const connected = (host: string) =>
  collector.line(({ event, host: who }) => event === "agent connected" && who === host, `${host} connected`);

/** Resolves when the incident of that cause is explained, with its id. */
async function caught(cause: string): Promise<string> {
  const begun = await collector.line(
    (line) => line.event === "incident" && line["cause"] === cause,
    `an incident: ${cause}`,
  );
  const id = begun["incident"] as string;
  await collector.line((line) => line.event === "why" && line["incident"] === id, `${id} was explained`);
  return id;
}

test("a trigger on one host saves all hosts, each with its own certificate or the token", {
  skip: skipAgents,
}, async () => {
  startAgent("web", ...trusted, ...signed(file));
  startAgent("database", ...trusted, ...signed(file));
  startAgent("cache", ...trusted, "--token-file", file("token"));
  for (const host of HOSTS) await connected(host);
  const said = run(
    "database",
    "trigger",
    "slow query",
    "table=orders",
    "--socket",
    join(directory, "database.sock"),
  );
  assert.equal(said.code, 0, said.text);
  const id = await caught("slow query");
  const { code, stdout } = periscope(["incident", id, "--store", store, "--json"]);
  assert.equal(code, 0);
  const incident = JSON.parse(stdout) as {
    state: string;
    attributes: Record<string, unknown>;
    hosts: { host: string; state: string; eventRecords: number }[];
  };
  assert.equal(incident.state, "complete");
  assert.deepEqual(incident.attributes, { table: "orders" });
  assert.deepEqual(incident.hosts.map(({ host, state }) => `${host} ${state}`).sort(), [
    "cache stored",
    "database stored",
    "web stored",
  ]);
  for (const { host, eventRecords } of incident.hosts) {
    const read = babeltrace2([join(store, "incidents", id, host)]);
    assert.equal(read.code, 0, read.stderr);
    assert.equal(read.stdout.trimEnd().split("\n").length, eventRecords);
    // The machine has one name, its hosts have each their own: whoever reads all of them can tell them apart.
    assert.ok(read.stdout.includes(` ${host} sched_switch: `), read.stdout.slice(0, 300));
  }
  // And all of them as one.
  const all = babeltrace2([join(store, "incidents", id)]);
  assert.equal(
    all.stdout.trimEnd().split("\n").length,
    incident.hosts.reduce((sum, { eventRecords }) => sum + eventRecords, 0),
  );
});

test("by HTTP from another host: the collector's certificate is checked, and the token asked for", {
  skip: skipAgents,
}, async () => {
  const url = `https://${network.address("collector")}:5346`;
  const token = ["--token-file", file("token")];
  const by = (...args: string[]) => run("cache", "trigger", "from afar", "--collector", url, ...args);
  const unknown = by(...token);
  assert.equal(unknown.code, 1);
  assert.match(unknown.text, /not signed by an authority that this host knows/);
  const nobody = by(...trusted);
  assert.equal(nobody.code, 1);
  assert.match(nobody.text, /expected the token/);
  const plain = run("cache", "trigger", "--collector", url.replace("https", "http"), ...token);
  assert.equal(plain.code, 1);
  const said = by(...trusted, ...token);
  assert.equal(said.code, 0, said.text);
  await caught("from afar");
});

test("an agent whose certificate another authority signed is refused, and one that does not know the collector's", {
  skip: skipAgents,
}, async () => {
  const stranger = startAgent("web", ...trusted, ...signed(foreign));
  const refused = await stranger.line(({ event }) => event === "no collector", "it was refused");
  assert.match(String(refused["reason"]), /refused: .*(token|certificate)/);
  await stranger.kill();
  const careful = startAgent("web", "--ca", foreign("ca.pem"), ...signed(file));
  const doubtful = await careful.line(({ event }) => event === "no collector", "it refused");
  assert.match(String(doubtful["reason"]), /not signed by an authority that this host knows/);
  await careful.kill();
  const without = startAgent("web", ...trusted);
  const nameless = await without.line(({ event }) => event === "no collector", "it was refused");
  assert.match(String(nameless["reason"]), /refused: /);
  await without.kill();
});

/** In plain on loopback, TLS to the collector: what stunnel does. */
const TUNNEL = `
const { createServer } = require("node:net");
const { connect } = require("node:tls");
const [host, ca, ...ports] = process.argv.slice(1);
let open = ports.length;
for (const port of ports) {
  createServer((socket) => {
    const far = connect({ host, port, ca: require("node:fs").readFileSync(ca), noDelay: true });
    for (const [from, to] of [[socket, far], [far, socket]]) {
      from.pipe(to);
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
    }
  }).listen(port, "127.0.0.1", () => { if (--open === 0) console.log("ready"); });
}
`;

async function tunnel(host: string): Promise<ChildProcess> {
  const command = [
    ...[...network.on(host), process.execPath, "-e", TUNNEL],
    ...[network.address("collector"), file("ca.pem"), "5342", "5343", "5344"],
  ];
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

test("LTTng's ports in TLS: lttng-consumerd streams through a tunnel, in plain it cannot", {
  skip: skipLttng,
}, async () => {
  const lttng = new Lttng();
  const child = await tunnel("web");
  try {
    await lttng.start(network.file("web"));
    const plain = `net://${network.address("collector")}`;
    lttng.must("create", "plain", `--set-url=${plain}`);
    const refused = lttng.lttng("enable-event", "-u", "-s", "plain", "demo:*");
    assert.notEqual(refused.status, 0);
    assert.match(refused.text, /Unable to connect to lttng-relayd/);
    await collector.line(
      (line) => line.event === "no TLS" && line["port"] === "control",
      "plain text was refused",
    );
    lttng.lttng("destroy", "plain");
    lttng.must("create", "wrapped", "--live=200000", "--set-url=net://127.0.0.1");
    lttng.must("enable-event", "-u", "-s", "wrapped", "demo:*");
    lttng.must("start", "wrapped");
    await lttng.emit(5000);
    const url = (address: string) => `net://${address}/host/${hostname()}/wrapped`;
    // babeltrace2 through the tunnel; and not past it.
    const listed = spawnSync(
      network.on("web")[0]!,
      [...network.on("web").slice(1), "babeltrace2", "--input-format=lttng-live", "net://127.0.0.1"],
      { encoding: "utf8" },
    );
    assert.ok(listed.stdout.includes(url("127.0.0.1")), listed.stdout + listed.stderr);
    assert.equal(run("web", "info", `net://${network.address("collector")}`).code, 1);
    lttng.must("destroy", "wrapped");
    await collector.line(
      ({ event, session }) => event === "session ends" && session === "wrapped",
      "the session ended",
    );
    const names = readdirSync(join(store, hostname()));
    const path = join(store, hostname(), names.find((name) => name.startsWith("wrapped-"))!);
    assert.equal(countByBabeltrace(path), 5000);
    assert.ok(!names.some((name) => name.startsWith("plain-")), String(names));
  } finally {
    await lttng.stop();
    child.kill();
  }
});

test("--listen on another address than loopback asks for certificates or a token", { skip }, () => {
  const { code, text } = run(
    "collector",
    "collect",
    "--store",
    join(directory, "other"),
    "--listen",
    "10.77.0.1",
  );
  assert.equal(code, 2, text);
  assert.match(text, /need --token-file or --tls-ca/);
});
