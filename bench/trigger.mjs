// From a trigger to frozen buffers on the last of 20 agents, each a process of its own with a real flight recorder
// (tracefs, a few events) and TLS to the collector. Beside it, on the same machine in the same run: the way of ssh
// (`ssh HOST true` to as many hosts, one after the other and all at once), and LTTng's own trigger action.
//
//   npm run bench:trigger [-- --agents 20] [--triggers 30] [--no-ssh] [--no-lttng]
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureLttng } from "./trigger/lttng.mjs";
import { measureSsh } from "./trigger/ssh.mjs";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "20" },
    triggers: { type: "string", default: "30" },
    "no-ssh": { type: "boolean", default: false },
    "no-lttng": { type: "boolean", default: false },
  },
});
const agents = Number(values.agents);
const rounds = Number(values.triggers);
const program = fileURLToPath(new URL("../bin/periscope", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "periscope-trigger-"));
const children = [];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** Lines of all programs' logs. */
const logged = [];
/** When the collector had the trace of each host on its disk, epoch ms. */
const storedMs = (incident) =>
  logged
    .filter((line) => line.event === "snapshot stored" && line.incident === incident)
    .map((line) => line.heardMs);

function start(args, name) {
  const child = spawn(process.execPath, [program, ...args, "--log", "json"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    let at = 0;
    child.stderr.on("data", (bytes) => {
      text += bytes;
      const heardMs = performance.timeOrigin + performance.now();
      for (let end = text.indexOf("\n", at); end >= 0; end = text.indexOf("\n", at)) {
        const line = text.slice(at, end);
        at = end + 1;
        if (!line.startsWith("{")) continue;
        const told = { ...JSON.parse(line), heardMs };
        logged.push(told);
        if (told.event === "ready") resolve(told);
      }
    });
    child.on("exit", (code) => reject(new Error(`${name} ended (${code}): ${text.slice(-500)}`)));
  });
}

/** The collector's certificate is checked, as its callers do. */
let ca;
function json(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca }, async (response) => {
      let text = "";
      for await (const piece of response) text += piece;
      resolve(JSON.parse(text));
    });
    request.on("error", reject);
  });
}

/** One trigger by the socket of the first agent, as a web server's log watcher says it; answers the incident. */
async function fire(place, http, n, before) {
  const socket = connect(join(place, "agent0.sock"));
  await new Promise((resolve) => socket.on("connect", resolve));
  socket.end(`bench${n} duration_ms=1200\n`);
  for (let tries = 0; tries < 600; tries++) {
    await sleep(100);
    const { incidents } = await json(`${http}/incidents?limit=1`);
    if (incidents[0] !== undefined && incidents[0].id !== before && incidents[0].state !== "saving")
      return incidents[0];
  }
  throw new Error("no incident");
}

/** With so many agents; the programs run on. */
async function measureAgents(agents) {
  const place = join(directory, `agents${agents}`);
  mkdirSync(place);
  const certificates = join(place, "certificates");
  spawnSync(process.execPath, [program, "certificates", certificates]);
  const file = (name) => join(certificates, name);
  const ready = await start(
    [
      ...[
        "collect",
        "--store",
        join(place, "store"),
        "--control-port",
        "0",
        "--data-port",
        "0",
        "--live-port",
        "0",
      ],
      ...[
        "--agent-port",
        "0",
        "--http-port",
        "0",
        "--tls-cert",
        file("collector.pem"),
        "--tls-key",
        file("collector.key"),
      ],
      ...["--tls-ca", file("ca.pem"), "--window", "1ms", "--burst", "100000", "--cause-burst", "100000"],
      ...["--incidents-per-hour", "100000", "--profile", "none"],
    ],
    "collector",
  );
  ca = readFileSync(file("ca.pem"));
  const http = `https://127.0.0.1:${ready.http}`;
  for (let i = 0; i < agents; i++) {
    // Few events: 20 recorders in one kernel would make every context switch pay 20 times, as no host does.
    await start(
      [
        ...[
          "agent",
          "--collector",
          `127.0.0.1:${ready.agents}`,
          "--ca",
          file("ca.pem"),
          "--cert",
          file("agent.pem"),
        ],
        ...["--key", file("agent.key"), "--host-name", `host${i}`, "--socket", join(place, `agent${i}.sock`)],
        ...["--spool", join(place, `spool${i}`), "--buffer-size", "64K", "--events", "sched_process_*"],
      ],
      `agent ${i}`,
    );
  }
  for (;;) {
    const { agents: known } = await json(`${http}/agents`);
    if (known.length === agents && known.every((agent) => agent.clockOffsetNs !== undefined)) break;
    await sleep(200);
  }
  const last = [];
  const all = [];
  const whole = [];
  const stored = [];
  let before;
  for (let n = 0; n < rounds; n++) {
    const incident = await fire(place, http, n, before);
    before = incident.id;
    const freezes = incident.hosts.map((host) => host.freezeMs).filter((ms) => ms !== null);
    if (freezes.length !== agents) throw new Error(`${freezes.length} of ${agents} agents froze`);
    // By the clocks (all of this machine): from the moment of the trigger to the last agent's "frozen".
    whole.push(lastFrozenMs(incident) - Number(BigInt(incident.atNs)) / 1e6);
    last.push(Math.max(...freezes));
    all.push(...freezes);
    stored.push(...storedMs(incident.id).map((ms) => ms - Number(BigInt(incident.atNs)) / 1e6));
    await sleep(300);
  }
  /** When the last agent of the incident after `at` (epoch ms) was frozen. */
  const frozen = async (at) => {
    for (let tries = 0; tries < 600; tries++) {
      const { incidents } = await json(`${http}/incidents?limit=1`);
      if (incidents[0]?.state !== "saving" && Number(BigInt(incidents[0].atNs)) / 1e6 >= at)
        return lastFrozenMs(incidents[0]);
      await sleep(100);
    }
    throw new Error("LTTng's trigger made no incident");
  };
  const sorted = (list) => list.sort((a, b) => a - b);
  return {
    times: { last: sorted(last), all: sorted(all), whole: sorted(whole), stored: sorted(stored) },
    collector: { ports: [ready.control, ready.data], frozen },
  };
}

const lastFrozenMs = (incident) =>
  Math.max(...incident.hosts.map((host) => Number(BigInt(host.frozenNs)) / 1e6));

const WIDTH = 54;
const row = (name, sorted) => {
  const text = (ms) => `${ms.toFixed(1)} ms`.padStart(12);
  console.log(`${name.padEnd(WIDTH)}${text(at(sorted, 0.5))}${text(at(sorted, 0.99))}${text(sorted.at(-1))}`);
};
/** Says why, instead of the rows, where something cannot be measured here. */
async function beside(name, wanted, measure) {
  if (!wanted) return undefined;
  try {
    return await measure();
  } catch (error) {
    console.log(`${name}: not measured: ${error.message}`);
    process.exitCode = 1;
    return undefined;
  }
}

try {
  const { times: alone } = await measureAgents(1);
  for (const child of children.splice(0)) child.kill();
  await sleep(1000);
  const { times, collector } = await measureAgents(agents);
  const { last, all, whole, stored } = times;
  console.log(
    `${agents} agents, ${rounds} triggers; ${new Date().toISOString()}`.padEnd(WIDTH) +
      ["median", "p99", "max"].map((t) => t.padStart(12)).join(""),
  );
  row("trigger at the collector to frozen, each agent", all);
  row("the same, the last agent", last);
  row("from the trigger's line to the last frozen", whole);
  row("the same to a host's trace on the collector's disk", stored);
  row("one agent: from the trigger's line to frozen", alone.whole);
  row("the same to its trace on the collector's disk", alone.stored);
  const reached = await beside("ssh", !values["no-ssh"], () => measureSsh(directory, agents, children));
  if (reached !== undefined) {
    const { sequential, parallel } = reached;
    row(`ssh to ${agents} hosts, one after the other`, sequential);
    row(`ssh to ${agents} hosts, all at once`, parallel);
  }
  const lttng = !values["no-lttng"];
  const own = await beside("LTTng's trigger", lttng, () => measureLttng(rounds));
  if (own !== undefined) {
    row("LTTng's event rule, one host: first byte at relayd", own.first);
    row("the same to the first byte of its buffers there", own.data);
    row("the same to the snapshot's end", own.end);
  }
  const joined = await beside("LTTng's trigger to periscope", lttng, () => measureLttng(rounds, collector));
  if (joined !== undefined) {
    row("LTTng's event rule to our collector: first byte", joined.first);
    row(`the same to the last of ${agents} agents frozen`, joined.frozen);
    row("the same to the snapshot's end", joined.end);
  }
  if (reached !== undefined) {
    const ratio = at(reached.parallel, 0.5) / at(last, 0.5);
    console.log(`ratio ssh in parallel : Periscope (medians)  ${ratio.toFixed(0)} : 1`);
  }
} finally {
  for (const child of children) child.kill();
  await sleep(1000);
  rmSync(directory, { recursive: true, force: true });
}
