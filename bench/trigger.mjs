// From a trigger to frozen buffers on the last of 20 agents, each a process of its own with a real flight recorder
// (tracefs, a few events) and TLS to the collector; beside it the way of ssh: `ssh HOST true` to as many hosts, one
// after the other and all at once, on the same machine in the same run.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "20" },
    triggers: { type: "string", default: "30" },
    "no-ssh": { type: "boolean", default: false },
  },
});
const agents = Number(values.agents);
const rounds = Number(values.triggers);
const program = fileURLToPath(new URL("../bin/periscope", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "periscope-trigger-"));
const children = [];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

function start(args, name) {
  const child = spawn(process.execPath, [program, ...args, "--log", "json"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr.on("data", (bytes) => {
      text += bytes;
      const ready = text.split("\n").find((line) => line.includes('"event":"ready"'));
      if (ready !== undefined) resolve(JSON.parse(ready));
    });
    child.on("exit", (code) => reject(new Error(`${name} ended (${code}): ${text.slice(-500)}`)));
  });
}

async function json(url, init) {
  const response = await fetch(url, init);
  return await response.json();
}

/** One trigger by the socket of the first agent, as a web server's log watcher says it; answers the incident. */
async function fire(http, n, before) {
  const socket = connect(join(directory, "agent0.sock"));
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

async function measureAgents() {
  const certificates = join(directory, "certificates");
  spawnSync(process.execPath, [program, "certificates", certificates]);
  const file = (name) => join(certificates, name);
  const ready = await start(
    [
      ...[
        "collect",
        "--store",
        join(directory, "store"),
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
  process.env.NODE_EXTRA_CA_CERTS = file("ca.pem");
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
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
        ...[
          "--key",
          file("agent.key"),
          "--host-name",
          `host${i}`,
          "--socket",
          join(directory, `agent${i}.sock`),
        ],
        ...["--spool", join(directory, `spool${i}`), "--buffer-size", "64K", "--events", "sched_process_*"],
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
  let before;
  for (let n = 0; n < rounds; n++) {
    const incident = await fire(http, n, before);
    before = incident.id;
    const freezes = incident.hosts.map((host) => host.freezeMs).filter((ms) => ms !== null);
    if (freezes.length !== agents) throw new Error(`${freezes.length} of ${agents} agents froze`);
    // By the clocks (all of this machine): from the moment of the trigger to the last agent's "frozen".
    whole.push(
      Math.max(...incident.hosts.map((host) => Number(BigInt(host.frozenNs) - BigInt(incident.atNs)) / 1e6)),
    );
    last.push(Math.max(...freezes));
    all.push(...freezes);
    await sleep(300);
  }
  return {
    last: last.sort((a, b) => a - b),
    all: all.sort((a, b) => a - b),
    whole: whole.sort((a, b) => a - b),
  };
}

/** A real sshd on loopback with a key of its own. */
async function startSshd() {
  const sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((path) => existsSync(path));
  if (sshd === undefined || spawnSync("ssh", ["-V"]).status !== 0) return undefined;
  const home = join(directory, "ssh");
  mkdirSync(home, { mode: 0o700 });
  mkdirSync("/run/sshd", { recursive: true });
  const key = (name) => spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(home, name)]);
  key("host");
  key("user");
  writeFileSync(join(home, "authorized"), readFileSync(join(home, "user.pub")), { mode: 0o600 });
  const port = 42022;
  const config = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${join(home, "host")}`,
    `AuthorizedKeysFile ${join(home, "authorized")}`,
    `PidFile ${join(home, "pid")}`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "MaxStartups 1000",
  ];
  writeFileSync(join(home, "config"), `${config.join("\n")}\n`);
  const child = spawn(sshd, ["-D", "-f", join(home, "config")], { stdio: "ignore" });
  children.push(child);
  await sleep(500);
  const options = [
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
  ];
  const args = [
    "-p",
    String(port),
    "-i",
    join(home, "user"),
    ...options,
    `${userInfo().username}@127.0.0.1`,
    "true",
  ];
  if (spawnSync("ssh", args).status !== 0) return undefined;
  return () =>
    new Promise((resolve, reject) => {
      const ssh = spawn("ssh", args, { stdio: "ignore" });
      ssh.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`ssh ended with ${code}`))));
    });
}

async function measureSsh(ssh) {
  const sequential = [];
  const parallel = [];
  for (let n = 0; n < 5; n++) {
    let began = performance.now();
    for (let i = 0; i < agents; i++) await ssh();
    sequential.push(performance.now() - began);
    began = performance.now();
    await Promise.all(Array.from({ length: agents }, ssh));
    parallel.push(performance.now() - began);
  }
  return { sequential: sequential.sort((a, b) => a - b), parallel: parallel.sort((a, b) => a - b) };
}

const row = (name, sorted) => {
  const text = (ms) => `${ms.toFixed(1)} ms`.padStart(12);
  console.log(`${name.padEnd(46)}${text(at(sorted, 0.5))}${text(at(sorted, 0.99))}${text(sorted.at(-1))}`);
};
try {
  const { last, all, whole } = await measureAgents();
  console.log(
    `${agents} agents, ${rounds} triggers`.padEnd(46) +
      ["median", "p99", "max"].map((t) => t.padStart(12)).join(""),
  );
  row("trigger at the collector to frozen, each agent", all);
  row("the same, the last agent", last);
  row("from the trigger's line to the last frozen", whole);
  const ssh = values["no-ssh"] ? undefined : await startSshd();
  if (ssh === undefined) console.log("ssh: no sshd here (apt-get install openssh-server)");
  else {
    const { sequential, parallel } = await measureSsh(ssh);
    row(`ssh to ${agents} hosts, one after the other`, sequential);
    row(`ssh to ${agents} hosts, all at once`, parallel);
    console.log(
      `ratio ssh in parallel : Periscope (medians)  ${(at(parallel, 0.5) / at(last, 0.5)).toFixed(0)} : 1`,
    );
  }
} finally {
  for (const child of children) child.kill();
  await sleep(1000);
  rmSync(directory, { recursive: true, force: true });
}
