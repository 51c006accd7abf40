// Collector, agents and triggers: real programs, real flight recorders (tracefs), the reference reader on what arrives.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts } from "../support/ports.js";
import { collectorArguments, type LogLine, Program } from "../support/programs.js";
import { TRACEFS, whyNoTracefs } from "../support/tracefs.js";
import { periscope, root } from "../support.js";

function whyNot(): string | false {
  if (spawnSync("openssl", ["version"]).status !== 0) return "openssl is not installed";
  return whyNoTracefs();
}
const skip = whyNot();
const directory = mkdtempSync(join(tmpdir(), "periscope-incidents-"));
const store = join(directory, "store");
const certificates = join(directory, "certificates");
const file = (name: string) => join(certificates, name);
/** Ports are kept over restarts, so that agents find the collector again. */
let ports: { http: number; agents: number };
let collector: Program;
const agents: Program[] = [];
const SPOOL = (host: string) => join(directory, `spool-${host}`);

async function startCollector(): Promise<void> {
  collector = Program.start(
    ...collectorArguments(store).filter(
      (_, i, all) =>
        !/^--(http|agent)-port$/.test(all[i]!) && !/^--(http|agent)-port$/.test(all[i - 1] ?? ""),
    ),
    ...["--http-port", String(ports.http), "--agent-port", String(ports.agents)],
    ...["--tls-cert", file("collector.pem"), "--tls-key", file("collector.key"), "--tls-ca", file("ca.pem")],
    ...["--token-file", file("token"), "--window", "1s", "--burst", "100", "--cause-burst", "2"],
  );
  await collector.ready();
}

async function startAgent(host: string, ...more: string[]): Promise<Program> {
  const agent = Program.start(
    ...["agent", "--collector", `127.0.0.1:${ports.agents}`, "--ca", file("ca.pem"), "--host-name", host],
    ...["--socket", join(directory, `${host}.sock`), "--spool", SPOOL(host), "--buffer-size", "8M", ...more],
  );
  agents.push(agent);
  await agent.ready();
  await collector.line(
    (line) => line.event === "agent connected" && line["host"] === host,
    `${host} connected`,
  );
  return agent;
}

const byCertificate = ["--cert", "agent.pem", "--key", "agent.key"].map((arg, i) =>
  i % 2 === 0 ? arg : file(arg),
);

/** By curl: its certificates are checked. */
function http(path: string, ...args: string[]): { status: number; body: string } {
  return httpAs(readFileSync(file("token"), "utf8").trim(), path, ...args);
}

function httpAs(token: string, path: string, ...args: string[]): { status: number; body: string } {
  const url = `https://localhost:${ports.http}${path}`;
  const { stdout } = spawnSync(
    "curl",
    [
      "-s",
      "-w",
      "\n%{http_code}",
      "--cacert",
      file("ca.pem"),
      "-H",
      `Authorization: Bearer ${token}`,
      ...args,
      url,
    ],
    { encoding: "utf8" },
  );
  const at = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

const post = (body: unknown) => http("/trigger", "-X", "POST", "-d", JSON.stringify(body));
/** The next incident, explained. */
async function explained(from: number, cause: string): Promise<IncidentJson> {
  const isIt = (line: LogLine) => line.event === "incident" && line["cause"] === cause;
  const begun = await collector.line(isIt, `an incident began: ${cause}`, from);
  const id = begun["incident"] as string;
  await collector.line(
    (line) => line.event === "why" && line["incident"] === id,
    `${id} was explained`,
    from,
  );
  return incident(id);
}

before(async () => {
  if (skip !== false) return;
  assert.equal(periscope(["certificates", certificates]).code, 0);
  const [http, agents] = (await freePorts(2)) as [number, number];
  ports = { http, agents };
  await startCollector();
  await startAgent("alpha", ...byCertificate);
  await startAgent("beta", "--token-file", file("token"));
});
after(async () => {
  if (skip !== false) return;
  for (const agent of agents) await agent.kill();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
  const left = readdirSync(join(TRACEFS, "instances"));
  for (const { child } of agents)
    assert.ok(!left.some((name) => name.startsWith(`periscope-${child.pid}-`)), String(left));
});

interface IncidentJson {
  readonly id: string;
  readonly cause: string;
  readonly state: string;
  readonly why: string;
  readonly triggers: number;
  readonly atNs: string;
  readonly shortHosts: readonly string[];
  readonly attributes: Record<string, unknown>;
  readonly explanation?: unknown;
  readonly directory?: string;
  readonly hosts: readonly { host: string; state: string; eventRecords: number; coveredSeconds: number }[];
}

function incident(id: string): IncidentJson {
  const { code, stdout, stderr } = periscope(["incident", id, "--store", store, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as IncidentJson;
}

test("a trigger by HTTP: both hosts save, babeltrace2 reads it, why is stored", { skip }, async () => {
  const from = collector.lines.length;
  spawnSync("sh", ["-c", "for i in 1 2 3; do ls -lR /etc >/dev/null; done"]);
  const { status, body } = post({ cause: "slow checkout", attributes: { url: "/cart", duration_ms: 1530 } });
  assert.equal(status, 201, body);
  const { incident: id } = JSON.parse(body) as { incident: string };
  const found = await explained(from, "slow checkout");
  assert.equal(found.id, id);
  assert.equal(found.cause, "slow checkout");
  assert.equal(found.state, "complete");
  assert.deepEqual(found.attributes, { url: "/cart", duration_ms: 1530 });
  assert.deepEqual(
    found.hosts.map(({ host, state }) => [host, state]),
    [
      ["alpha", "stored"],
      ["beta", "stored"],
    ],
  );
  for (const { host, eventRecords, coveredSeconds } of found.hosts) {
    const trace = join(store, "incidents", id, host);
    const {
      stdout,
      stderr,
      status: code,
    } = spawnSync("babeltrace2", [trace], { encoding: "latin1", maxBuffer: 1 << 30 });
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd().split("\n").length, eventRecords);
    assert.ok(coveredSeconds > 0);
    assert.match(stdout, /sched_switch/);
  }
  assert.ok(existsSync(join(store, "incidents", id, "why.txt")));
  const listed = periscope(["incidents", "--store", store, "--width", "120"]);
  assert.match(listed.stdout, new RegExp(`${id} .* slow checkout .*2 of 2`));
  assert.match(periscope(["incident", "latest", "--store", store]).stdout, /slow checkout/);
  assert.equal(http(`/incidents/${id}/why`).status, 200);
});

test("traces that begin after the late request did: it is said, with how much is missing", {
  skip,
}, async () => {
  const from = collector.lines.length;
  post({ cause: "took an hour", attributes: { duration_ms: 3_600_000 } });
  const long = await explained(from, "took an hour");
  assert.deepEqual(long.shortHosts, ["alpha", "beta"]);
  for (const { host } of long.hosts) {
    const { stdout } = spawnSync(
      "babeltrace2",
      ["--clock-seconds", join(store, "incidents", long.id, host)],
      {
        encoding: "latin1",
        maxBuffer: 1 << 30,
      },
    );
    const first = Number(/^\[(\d+\.\d+)\]/.exec(stdout)?.[1]);
    assert.ok(first > Number(BigInt(long.atNs) / 1_000_000_000n) - 3600, host);
  }
  const page = periscope(["incident", long.id, "--store", store]).stdout;
  assert.match(page, /Too short: it took 60 min 0 s, and no host's trace is whole from its begin on/);
  assert.match(
    periscope(["incidents", "--store", store]).stdout,
    new RegExp(`${long.id} .*! .*\n[^]*!: it took`),
  );

  const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
  post({ cause: "an hour ago", at: hourAgo, attributes: { duration_ms: 10 } });
  const past = await explained(from, "an hour ago");
  assert.deepEqual([past.hosts.map(({ state }) => state), past.why], [["late", "late"], "failed"]);
  const told = periscope(["incident", past.id, "--store", store]).stdout;
  assert.match(told, /no trace reaches back to the trigger/);
  assert.doesNotMatch(told, /Certainty/);

  post({ cause: "took no time", attributes: { duration_ms: 0.001 } });
  const brief = await explained(from, "took no time");
  assert.deepEqual(brief.shortHosts, []);
  assert.doesNotMatch(periscope(["incident", brief.id, "--store", store]).stdout, /Too short/);
  for (const { stdout } of [
    periscope(["incidents", "--store", store]),
    periscope(["incident", brief.id, "--store", store, "--width", "80"]),
  ]) {
    const text = Buffer.from(stdout, "latin1").toString().split("\nWhy ")[0]!;
    for (const line of text.split("\n"))
      assert.ok(line.includes(store) || (line.length <= 80 && !line.endsWith("…")), line);
  }
});

test("lines by stream socket, datagram and syslog watcher; a window makes one incident of them", {
  skip,
}, async () => {
  const from = collector.lines.length;
  const datagram = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, $ARGV[1], 0, sockaddr_un($ARGV[0])) or die $!`;
  const sent = spawnSync("perl", [
    "-e",
    datagram,
    join(directory, "alpha.dgram"),
    'late_job job="nightly run" ms=12.5',
  ]);
  assert.equal(sent.status, 0, String(sent.stderr));
  const said = periscope(["trigger", "late_job", "job=other", "--socket", join(directory, "beta.sock")]);
  assert.equal(said.code, 0, said.stderr);
  const found = await explained(from, "late_job");
  assert.equal(found.cause, "late_job");
  assert.equal(found.triggers, 2);
  assert.deepEqual(found.attributes, { job: "nightly run", ms: 12.5 });
});

test("watch: nginx and HAProxy over syslog, only slow requests trigger", { skip }, async () => {
  const from = collector.lines.length;
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  const watch = spawn(
    process.execPath,
    [
      ...[
        join(root, "bin/periscope"),
        "watch",
        "--syslog",
        String(port),
        "--field",
        "request_time",
        "--threshold",
        "1s",
      ],
      ...[
        "--format",
        '$remote_addr "$request" $status $request_time',
        "--socket",
        join(directory, "alpha.sock"),
      ],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const socket = createSocket("udp4");
  const line = (seconds: string) =>
    `<190>Nov 24 14:00:00 web nginx: 10.0.0.1 "GET /a HTTP/1.1" 200 ${seconds}`;
  const sender = setInterval(() => {
    socket.send(line("0.002"), port, "127.0.0.1");
    socket.send(line("1.250"), port, "127.0.0.1");
  }, 200);
  const begun = await collector.line(({ event }) => event === "incident", "an incident", from);
  clearInterval(sender);
  socket.close();
  watch.kill();
  assert.equal(begun["cause"], "slow request");
  const found = await explained(from, "slow request");
  assert.equal(found.attributes["request_time"], "1.250");
  assert.equal(found.attributes["duration_ms"], 1250);
});

test("an agent that ends lets its watchers go, and they find the next one", { skip }, async () => {
  const from = collector.lines.length;
  const small = ["--token-file", file("token"), "--events", "sched_process_*"];
  const first = await startAgent("gamma", ...small);
  const watch = spawn(
    process.execPath,
    [
      ...[join(root, "bin/periscope"), "watch", "--field", "D", "--threshold", "1s", "--format", "%D %U"],
      ...["--cause", "second agent", "--socket", join(directory, "gamma.sock")],
    ],
    { stdio: ["pipe", "ignore", "pipe"] },
  );
  let complaints = "";
  watch.stderr.on("data", (bytes: Buffer) => {
    complaints += bytes.toString();
  });
  const late = () => watch.stdin.write("1500000 /cart\n");
  try {
    late();
    await collector.line(({ event, host }) => event === "incident" && host === "gamma", "it watches", from);
    await collector.line(({ event }) => event === "incident complete", "all is saved", from);
    assert.equal(await first.kill(), 0);
    const again = collector.lines.length;
    await startAgent("gamma", ...small);
    // It looks for an agent once a second.
    const sender = setInterval(late, 500);
    const arrived = collector.line(
      ({ event, host }) => event === "incident" && host === "gamma",
      "a trigger came through the second agent",
      again,
    );
    await arrived.finally(() => clearInterval(sender));
    // Else the group's next triggers would be held up: its snapshot could still come.
    await collector.line(({ event }) => event === "incident complete", "all is saved", again);
    assert.match(complaints, /^(.*gamma\.sock: nobody listens; triggers are dropped until .*\n)?$/);
  } finally {
    watch.kill();
    await agents.pop()!.kill();
  }
});

test("10,000 triggers at once: two incidents of a cause, the rest is counted", { skip }, async () => {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const lines = Array.from({ length: 10_000 }, (_, i) => `storm n=${i}\n`).join("");
  const sent = spawnSync(
    "perl",
    [
      "-MIO::Socket::UNIX",
      "-e",
      "my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s <STDIN>; close $s",
      join(directory, "alpha.sock"),
    ],
    { input: lines },
  );
  assert.equal(sent.status, 0, String(sent.stderr));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const metrics = http("/metrics").body;
  const value = (name: string) => {
    const matches = [...metrics.matchAll(new RegExp(`^periscope_${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))];
    return matches.reduce((sum, match) => sum + Number(match[1]), 0);
  };
  const storms = collector.lines.filter((line) => line.event === "incident" && line["cause"] === "storm");
  assert.ok(storms.length >= 1 && storms.length <= 2, `${storms.length} incidents`);
  assert.ok(value("triggers_total") >= 10_000, metrics);
  assert.equal(
    value("triggers_total"),
    value("incidents_total") + value("triggers_joined_total") + value("triggers_suppressed_total"),
  );
});

test("kill -9 of collector and agent while a snapshot is under way: it arrives all the same", {
  skip,
}, async () => {
  const from = collector.lines.length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const reply = JSON.parse(post({ cause: "killed" }).body) as { incident: string };
  await collector.line(
    (line) => line.event === "incident" && line["cause"] === "killed",
    "the incident began",
    from,
  );
  await collector.kill("SIGKILL");
  // The agents write their snapshots now; one is killed when it has.
  for (let tries = 0; !existsSync(join(SPOOL("beta"), "unsent", reply.incident, "saved.json")); tries++) {
    assert.ok(tries < 200, "the agent saved");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await agents[1]!.kill("SIGKILL");
  await startCollector();
  await startAgent("beta", "--token-file", file("token"));
  for (const host of ["alpha", "beta"]) {
    await collector.line(
      (line) =>
        line.event === "snapshot stored" && line["host"] === host && line["incident"] === reply.incident,
      `snapshot of ${host}`,
    );
    assert.ok(existsSync(join(store, "incidents", reply.incident, host, "kernel", "metadata")));
  }
});

test("who does not know the token is refused; names cannot leave the store", { skip }, async () => {
  writeFileSync(join(directory, "wrong"), "guess\n");
  const stranger = Program.start(
    ...[
      "agent",
      "--collector",
      `127.0.0.1:${ports.agents}`,
      "--ca",
      file("ca.pem"),
      "--host-name",
      "stranger",
    ],
    ...[
      "--token-file",
      join(directory, "wrong"),
      "--socket",
      join(directory, "s.sock"),
      "--spool",
      SPOOL("s"),
    ],
    ...["--buffer-size", "64K", "--events", "sched_process_*"],
  );
  agents.push(stranger);
  const refused = await stranger.line(({ event }) => event === "no collector", "it was refused");
  assert.match(String(refused["reason"]), /wrong token/);
  const silent = Program.start(
    ...["agent", "--collector", `127.0.0.1:${ports.agents}`, "--ca", file("ca.pem"), "--host-name", "silent"],
    ...["--socket", join(directory, "n.sock"), "--spool", SPOOL("n")],
    ...["--buffer-size", "64K", "--events", "sched_process_*"],
  );
  agents.push(silent);
  const told = await silent.line(({ event }) => event === "no collector", "it was refused");
  assert.match(String(told["reason"]), /no token \(agent --token-file\)/);
  await silent.kill();
  const from = collector.lines.length;
  periscope(["trigger", "x", "--collector", `https://127.0.0.1:${ports.agents}`]);
  const distrustful = await collector.line(({ event }) => event === "no TLS", "who knows no authority", from);
  assert.match(String(distrustful["peer"]), /^127\.0\.0\.1:\d+$/);
  const liar = Program.start(
    ...[
      "agent",
      "--collector",
      `127.0.0.1:${ports.agents}`,
      "--ca",
      file("ca.pem"),
      "--host-name",
      "../../etc",
    ],
    ...["--token-file", file("token"), "--socket", join(directory, "l.sock"), "--spool", SPOOL("l")],
    ...["--buffer-size", "64K", "--events", "sched_process_*"],
  );
  agents.push(liar);
  const lied = await liar.line(({ event }) => event === "no collector", "it was refused");
  assert.match(String(lied["reason"]), /host name/);
  assert.equal(httpAs("guess", "/incidents").status, 401);
  const plain = periscope(["trigger", "x", "--collector", `http://127.0.0.1:${ports.http}`]);
  assert.match(plain.stderr, /wants https:/);
  assert.equal(JSON.parse(http("/healthz").body).status, "UP");
  assert.equal(post("nonsense").status, 400);
  await stranger.kill();
  await liar.kill();
});

test("metrics of agents, as promtool wants them", {
  skip: skip || (spawnSync("promtool", ["--version"]).status === 0 ? false : "promtool is not installed"),
}, async () => {
  const wanted = [
    "depth_seconds",
    "lost_event_records_total",
    "clock_offset_seconds",
    "round_trip_seconds",
  ].flatMap((name) =>
    ["alpha", "beta"].map((host) => `periscope_agent_${name}{host="${host}",group="default"} `),
  );
  // An agent that has just come is asked for its round trip within five seconds.
  let body = "";
  for (let tries = 0; !wanted.every((line) => body.includes(`\n${line}`)); tries++) {
    assert.ok(tries < 100, body);
    await new Promise((resolve) => setTimeout(resolve, 200));
    body = http("/metrics").body;
  }
  const checked = spawnSync("promtool", ["check", "metrics"], { input: body, encoding: "utf8" });
  assert.equal(checked.stdout + checked.stderr, "");
  assert.equal(checked.status, 0);
});

test("Apache's piped log: periscope watch as the documentation says", {
  skip: skip || whyNoApache(),
}, async () => {
  const from = collector.lines.length;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const home = join(directory, "apache");
  mkdirSync(join(home, "cgi"), { recursive: true });
  writeFileSync(
    join(home, "cgi", "slow"),
    "#!/bin/sh\nsleep 1.2\nprintf 'Content-Type: text/plain\\n\\nslow\\n'\n",
    { mode: 0o755 },
  );
  writeFileSync(join(home, "cgi", "fast"), "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfast\\n'\n", {
    mode: 0o755,
  });
  const modules = "/usr/lib/apache2/modules";
  const program = `${process.execPath} ${join(root, "bin/periscope")}`;
  const port = 40_000 + (process.pid % 20_000);
  const config = [
    `ServerRoot ${home}`,
    `PidFile ${home}/pid`,
    `Listen 127.0.0.1:${port}`,
    "ServerName localhost",
    ...["mpm_prefork", "cgi", "alias", "authz_core"].map(
      (name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`,
    ),
    `ErrorLog ${home}/error.log`,
    `ScriptAlias /cgi/ ${home}/cgi/`,
    `<Directory ${home}/cgi>\nRequire all granted\n</Directory>`,
    `CustomLog "|${program} watch --field D --threshold 1s --cause page --socket ${join(directory, "alpha.sock")}" "%D %m %U pid=%P"`,
  ];
  writeFileSync(join(home, "httpd.conf"), `${config.join("\n")}\n`);
  // In a process group of its own: Apache ends by killing its whole group.
  const server = spawn("apache2", ["-f", join(home, "httpd.conf"), "-DFOREGROUND"], {
    stdio: "ignore",
    detached: true,
  });
  try {
    const get = (path: string) =>
      spawnSync("curl", ["-s", "--retry", "20", "--retry-connrefused", `http://127.0.0.1:${port}${path}`], {
        encoding: "utf8",
      }).stdout;
    assert.equal(
      get("/cgi/fast"),
      "fast\n",
      existsSync(join(home, "error.log")) ? readFileSync(join(home, "error.log"), "utf8") : "",
    );
    assert.equal(get("/cgi/slow"), "slow\n");
    const found = await explained(from, "page");

    assert.equal(found.attributes["3"], "/cgi/slow");
    assert.ok(Number(found.attributes["duration_ms"]) > 1190);
    // No profile knows this service; the log line says which process was slow, so its waits are told: for the script.
    assert.equal(found.why, "stored");
    const why = readFileSync(join(store, "incidents", found.id, "why.txt"), "utf8");
    assert.match(why, /apache2 \(\d+\)/);
    assert.match(why, /waiting for .*slow \(\d+\)/);
  } finally {
    server.kill();
  }
});

function whyNoApache(): string | false {
  return existsSync("/usr/lib/apache2/modules/mod_cgi.so") ? false : "apache2-bin is not installed";
}
