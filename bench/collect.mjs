// Taking in what LTTng streams: a real lttng-consumerd sends the events of a program that never lets go of one
// (blocking channel) to `periscope collect`, to `lttng-relayd`, and into local files, in turns.
//
//   npm run bench:collect [-- --events 15000000] [--runs 3]
//
// Streamed: the time of the program, which waits whenever its buffers (8 MB) are full, and the time until `lttng stop`
// says that all is delivered. That one asks in steps of 0.2 s, and whose data thread was idle when the last buffers were
// flushed looks at them only at the second one: it says how fast a receiver is in long runs only. The local files are
// the floor: what program and consumerd need by themselves.
// Snapshot: events from full buffers, by the last of some `lttng snapshot record`: no program holds it up.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { events: { type: "string", default: "15000000" }, runs: { type: "string", default: "3" } },
});
const count = Number(values.events);
/** Of a snapshot: they fit into its buffers, so that all of them are to arrive. */
const SNAPSHOT_EVENTS = 6_000_000;
const SNAPSHOT_PACKETS = 512;
/** The last one is measured. */
const SNAPSHOTS = 2;
const runs = Number(values.runs);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
for (const program of ["lttng", "lttng-sessiond", "lttng-relayd", "babeltrace2", "gcc"]) {
  if (spawnSync("which", [program]).status !== 0) throw new Error(`${program} is not installed`);
}

const PROVIDER = `#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./demo.h"
#if !defined(DEMO_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define DEMO_H
#include <lttng/tracepoint.h>
LTTNG_UST_TRACEPOINT_EVENT(bench, tick, LTTNG_UST_TP_ARGS(int, number, const char *, text),
  LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, number, number) lttng_ust_field_string(text, text)))
#endif
#include <lttng/tracepoint-event.h>
`;
const PROGRAM = `#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "demo.h"
#include <stdlib.h>
int main(int argc, char **argv) {
  int count = atoi(argv[1]);
  for (int i = 0; i < count; i++) lttng_ust_tracepoint(bench, tick, i, "some text of an ordinary length");
  return 0;
}
`;
// A user of its own: a session daemon of root would be the machine's.
const UID = 29_433;
const ids = process.getuid() === 0 ? { uid: UID, gid: UID } : {};
const directory = mkdtempSync(join(tmpdir(), "periscope-bench-collect-"));
const home = join(directory, "home");
const children = [];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const env = {
  ...process.env,
  HOME: home,
  LTTNG_HOME: home,
  LTTNG_UST_REGISTER_TIMEOUT: "-1",
  LTTNG_UST_ALLOW_BLOCKING: "1",
};
const asUser = { cwd: directory, env, ...ids };

function lttng(...args) {
  const { status, stdout, stderr } = spawnSync("lttng", args, { ...asUser, encoding: "utf8" });
  if (status !== 0) throw new Error(`lttng ${args.join(" ")}: ${stdout}${stderr}`);
}

async function freePorts(n) {
  const servers = Array.from({ length: n }, () => createServer());
  for (const server of servers) await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

async function startSessiond() {
  writeFileSync(join(directory, "demo.h"), PROVIDER);
  writeFileSync(join(directory, "demo.c"), PROGRAM);
  const built = spawnSync("gcc", ["-O2", "-I.", "-o", "demo", "demo.c", "-llttng-ust", "-ldl"], {
    cwd: directory,
  });
  if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
  mkdirSync(home);
  chmodSync(directory, 0o755);
  if (ids.uid !== undefined) chownSync(home, UID, UID);
  children.push(spawn("lttng-sessiond", ["--no-kernel"], { ...asUser, stdio: "ignore" }));
  for (let tries = 0; spawnSync("lttng", ["list"], asUser).status !== 0; tries++) {
    if (tries > 100) throw new Error("lttng-sessiond does not answer");
    await sleep(100);
  }
}

/** Each: a new process, where the session sends to, where the trace is. */
const receivers = {
  async "periscope collect"(n) {
    const store = join(directory, `store${n}`);
    const ports = ["control", "data", "live", "agent", "http"].flatMap((name) => [`--${name}-port`, "0"]);
    const args = ["collect", "--store", store, ...ports, "--profile", "none", "--log", "json"];
    const child = spawn(process.execPath, [join(root, "bin/periscope"), ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.push(child);
    const ready = await new Promise((resolve, reject) => {
      let text = "";
      child.stderr.on("data", (bytes) => {
        text += bytes;
        const line = text.split("\n").find((one) => one.includes('"event":"ready"') && one.endsWith("}"));
        if (line !== undefined) resolve(JSON.parse(line));
      });
      child.on("exit", (code) => reject(new Error(`periscope collect ended (${code}): ${text.slice(-500)}`)));
    });
    return { child, path: store, to: urls(ready.control, ready.data) };
  },
  async "lttng-relayd"(n) {
    const path = join(home, `relayd${n}`);
    const ports = await freePorts(3);
    const args = ["control", "data", "live"].map((name, i) => `--${name}-port=tcp://127.0.0.1:${ports[i]}`);
    const child = spawn("lttng-relayd", [...args, `--output=${path}`], { ...asUser, stdio: "ignore" });
    children.push(child);
    await sleep(1500);
    if (child.exitCode !== null) throw new Error("lttng-relayd ended");
    return { child, path, to: urls(ports[0], ports[1]) };
  },
  async "local files (floor)"(n) {
    const path = join(home, `local${n}`);
    return { child: undefined, path, to: [`--output=${path}`] };
  },
};
const urls = (control, data) => [
  `--ctrl-url=tcp4://127.0.0.1:${control}`,
  `--data-url=tcp4://127.0.0.1:${data}`,
];

/** Peak memory (MB) and CPU seconds so far of a process. */
function usage(pid) {
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return { peak, cpu: (Number(fields[11]) + Number(fields[12])) / 100 };
}

/** Folders below that are traces, and bytes of their data streams. */
function tracesBelow(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const folders = files.filter((file) => file.endsWith("/metadata")).map((file) => dirname(file));
  const streams = files.filter((file) => folders.includes(dirname(file)) && !file.endsWith("/metadata"));
  return { folders, bytes: streams.reduce((sum, file) => sum + statSync(file).size, 0) };
}

function countRecords(folders) {
  const ours = spawnSync(join(root, "bin/periscope"), ["print", "-o", "dummy", ...folders], {
    encoding: "utf8",
  });
  const theirs = spawnSync(
    "babeltrace2",
    [...folders, "-c", "sink.utils.counter", "-p", "step=+1000000000"],
    { encoding: "utf8" },
  );
  return {
    periscope: Number(/(\d+) event records/.exec(ours.stderr)?.[1]),
    babeltrace2: Number(
      [...theirs.stdout.matchAll(/([\d,]+) Event messages/gi)].at(-1)?.[1].replaceAll(",", ""),
    ),
  };
}

/** Streams everything while the program runs. Answers the program's seconds, and those until all is told to be delivered. */
function stream(to) {
  lttng("create", "bench", ...to);
  lttng("enable-channel", "-u", "--blocking-timeout=inf", "--subbuf-size=1M", "--num-subbuf=4", "all");
  lttng("enable-event", "-u", "-c", "all", "bench:tick");
  lttng("start");
  return {
    measured: () => {
      const began = performance.now();
      runProgram(count);
      const seconds = (performance.now() - began) / 1000;
      lttng("stop");
      return { seconds, stopped: (performance.now() - began) / 1000 };
    },
  };
}

/** The flight recorder's way: full buffers are sent as a snapshot, as fast as receiver and consumerd can. */
function snapshot(to) {
  lttng("create", "bench", "--snapshot", ...to);
  lttng("enable-channel", "-u", "--subbuf-size=1M", `--num-subbuf=${SNAPSHOT_PACKETS}`, "all");
  lttng("enable-event", "-u", "-c", "all", "bench:tick");
  lttng("start");
  runProgram(SNAPSHOT_EVENTS);
  lttng("stop");
  // A daemon has been running for long when its moment comes. Readers drop packets that they see twice.
  for (let i = 1; i < SNAPSHOTS; i++) lttng("snapshot", "record");
  return {
    measured: () => {
      const began = performance.now();
      lttng("snapshot", "record");
      return { seconds: (performance.now() - began) / 1000, parts: SNAPSHOTS };
    },
  };
}

function runProgram(events) {
  const { status } = spawnSync(join(directory, "demo"), [String(events)], asUser);
  if (status !== 0) throw new Error(`the program ended with ${status}`);
}

async function measure(name, n, way) {
  const { child, path, to } = await receivers[name](n);
  const { measured } = way(to);
  const before = child === undefined ? undefined : usage(child.pid);
  const { seconds, stopped, parts = 1 } = measured();
  const after = child === undefined ? undefined : usage(child.pid);
  lttng("destroy");
  if (child !== undefined) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.removeAllListeners("exit");
    child.once("exit", () => {});
    child.kill("SIGTERM");
    await Promise.race([new Promise((resolve) => child.once("exit", resolve)), gone, sleep(5000)]);
  }
  const { folders, bytes } = tracesBelow(path);
  const records = countRecords(folders);
  rmSync(path, { recursive: true, force: true });
  return {
    seconds,
    stopped,
    megabytes: bytes / 1e6 / parts,
    peak: after?.peak,
    cpu: after && after.cpu - before.cpu,
    records,
  };
}

/** Prints a table. Answers whether all `expected` records arrived. */
async function compare(title, way, expected) {
  const names = Object.keys(receivers);
  const results = new Map(names.map((name) => [name, []]));
  // Memory that the machine never used before is several times slower: everyone once without counting.
  for (const name of names) await measure(name, "-first", way);
  for (let n = 0; n < runs; n++) {
    const order = names.map((_, i) => names[(i + n) % names.length]);
    for (const name of order) results.get(name).push(await measure(name, n, way));
  }
  const head = [title, "seconds", "range", "MB/s", "until lttng stop", "its CPU", "peak memory"];
  head.push("records (periscope, babeltrace2)");
  const lines = names.map((name) => {
    const list = results.get(name);
    const of = (key) => list.map((result) => result[key]);
    const seconds = median(of("seconds"));
    const own = list[0].cpu !== undefined;
    const counts = new Set(list.flatMap(({ records }) => [`${records.periscope}, ${records.babeltrace2}`]));
    return [
      name,
      `${seconds.toFixed(2)} s`,
      `${Math.min(...of("seconds")).toFixed(2)}-${Math.max(...of("seconds")).toFixed(2)}`,
      (median(of("megabytes")) / seconds).toFixed(0),
      list[0].stopped === undefined ? "" : `${median(of("stopped")).toFixed(2)} s`,
      own ? `${median(of("cpu")).toFixed(2)} s` : "",
      own ? `${median(of("peak")).toFixed(0)} MB` : "",
      [...counts].join("; "),
    ];
  });
  const widths = head.map((text, i) => Math.max(text.length, ...lines.map((line) => line[i].length)));
  for (const line of [head, ...lines])
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
  const [ours, theirs] = names.map((name) => median(results.get(name).map(({ seconds }) => seconds)));
  console.log(`lttng-relayd : periscope collect  ${(theirs / ours).toFixed(2)} x (more: ours is faster)`);
  return [...results.values()]
    .flat()
    .every(({ records }) => records.periscope === expected && records.babeltrace2 === expected);
}

try {
  await startSessiond();
  console.log(
    `Node ${process.version}, ${cpus().length} CPUs, medians of ${runs}; ${new Date().toISOString()}\n`,
  );
  const streamed = await compare(`${count} events streamed into`, stream, count);
  console.log("");
  const sent = await compare(`snapshot of ${SNAPSHOT_EVENTS} events into`, snapshot, SNAPSHOT_EVENTS);
  console.log(streamed && sent ? "nothing is lost" : "RECORDS ARE MISSING");
  if (!streamed || !sent) process.exitCode = 1;
} finally {
  for (const child of children) if (child.exitCode === null) child.kill("SIGTERM");
  await sleep(1500);
  rmSync(directory, { recursive: true, force: true });
}
