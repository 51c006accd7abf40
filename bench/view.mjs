// The timeline's first picture: from the start of `periscope serve` until a tile of all rows over the whole range has
// something in it, and until it is whole; the same with a kept history; how fast it answers then; beside
// `babeltrace2 -o dummy` of the same trace.
//
//   npm run bench:view [-- --runs 3] [--trace DIR] [--times 3]
//
// `--times N`: also the largest one N times, one after the other (with 3: 1.2 GB).
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { repeatTrace } from "./repeated.mjs";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    trace: { type: "string" },
    times: { type: "string", default: "1" },
  },
});
const runs = Number(values.runs);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const cache = join(root, ".cache/traces");
const unpack = join(root, "../shared/tools/unpack-traces");
if (values.trace === undefined && existsSync(unpack)) execFileSync(unpack, [cache]);
const traces =
  values.trace !== undefined
    ? [values.trace]
    : ["case1-slow", "big"].map((name) => join(cache, name)).filter((path) => existsSync(path));
if (traces.length === 0) traces.push(join(root, "samples/dns-outlier"));

/** No shared trace is longer. */
const SECONDS = 70;
const kept = mkdtempSync(join(tmpdir(), "periscope-bench-view-"));
const children = new Set();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
if (Number(values.times) > 1) {
  const into = join(kept, `${traces.at(-1).split("/").at(-1)}-${values.times}-times`);
  repeatTrace(traces.at(-1), Number(values.times), SECONDS, into);
  traces.push(into);
}
const TILE_PIXELS = 512;
const REQUESTS = 200;
/** As many rows as the page asks for at once. */
const ROWS = 96;

async function ask(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

/** One tile that has the whole range of all rows: whether it has anything. */
async function wholePicture(base, { rows, beginNs, endNs }) {
  const level = Math.max(0, Math.ceil(Math.log2((endNs - beginNs) / TILE_PIXELS)));
  const query = `rows=0-${rows.length - 1}&level=${level}&index=0`;
  const bytes = new Uint8Array(await (await ask(`${base}/tile?${query}`)).arrayBuffer());
  return bytes.some((byte, i) => i % 2 === 0 && byte !== 0);
}

/** Latencies, ms: tiles and states of places and widths all over the trace, by the same numbers each time. */
async function latencies(base, { rows, beginNs, endNs }) {
  let seed = 12_345;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const whole = Math.log2((endNs - beginNs) / TILE_PIXELS);
  const list = [];
  for (let i = 0; i < REQUESTS; i++) {
    const level = Math.max(0, Math.floor(whole - random() * 14));
    const tileNs = TILE_PIXELS * 2 ** level;
    const index = Math.floor((random() * (endNs - beginNs)) / tileNs);
    const first = Math.floor(random() * Math.max(1, rows.length - ROWS));
    const which = `rows=${first}-${Math.min(rows.length, first + ROWS) - 1}`;
    const begin = beginNs + index * tileNs;
    const began = performance.now();
    const url =
      i % 2 === 0
        ? `tile?${which}&level=${level}&index=${index}`
        : `states?${which}&begin=${Math.round(begin)}&end=${Math.round(begin + tileNs)}`;
    await (await ask(`${base}/${url}`)).arrayBuffer();
    list.push(performance.now() - began);
  }
  return list.sort((a, b) => a - b);
}

/** This program's own first request takes 50 ms and more, which are not the server's. */
async function warmUp() {
  const server = createServer((_, response) => response.end("{}"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await (await ask(`http://127.0.0.1:${server.address().port}`)).json();
  server.closeAllConnections();
  server.close();
}

/** One opening; `keep`: the history is kept, or found. */
async function open(trace, keep) {
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [join(root, "bin/periscope"), "serve", "--port", "0", ...(keep ? [] : ["--no-cache"]), trace],
    { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, XDG_CACHE_HOME: kept } },
  );
  children.add(child);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const page = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const line = text.split("\n").find((one, i, all) => i < all.length - 1 && !one.endsWith("/tsp/api"));
      if (line !== undefined) resolve(line);
    });
    child.once("exit", (code) => reject(new Error(`periscope serve ended (${code})`)));
  });
  let base;
  let first;
  let experiment;
  for (;;) {
    if (base === undefined) {
      const list = await (await ask(`${page}api/experiments`)).json();
      if (list[0]?.error) throw new Error(list[0].error);
      if (list[0] !== undefined) base = `${page}api/experiments/${list[0].id}`;
    }
    if (base !== undefined) {
      experiment = await (await ask(base)).json();
      if (experiment.error) throw new Error(experiment.error);
      const { rows, beginNs, endNs, status } = experiment;
      const there = rows.length > 0 && endNs > beginNs && (await wholePicture(base, experiment));
      if (there) first ??= (performance.now() - began) / 1000;
      if (there && status === "ready") break;
    }
    await sleep(20);
  }
  const whole = (performance.now() - began) / 1000;
  const times = await latencies(base, experiment);
  if (keep) {
    const folder = join(kept, "periscope/history");
    for (
      let i = 0;
      !(existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".history")));
      i++
    ) {
      if (i > 300) throw new Error(`no history is kept in ${folder}`);
      await sleep(100);
    }
  }
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) / 1024;
  child.kill("SIGTERM");
  await gone;
  children.delete(child);
  const { rows, eventRecords } = experiment;
  const p95 = times[Math.floor(times.length * 0.95)];
  return { first, whole, p95, middle: median(times), peak, rows: rows.length, eventRecords };
}

function dummy(trace) {
  const began = performance.now();
  if (spawnSync("babeltrace2", ["-o", "dummy", trace], { stdio: "ignore" }).status !== 0) return Number.NaN;
  return (performance.now() - began) / 1000;
}

const table = [
  [
    "opening",
    "first picture",
    "whole picture",
    "request median",
    "95th percentile",
    "peak memory",
    "babeltrace2 : first",
    ": whole",
  ],
];
try {
  await warmUp();
  console.log(
    `Node ${process.version}, medians of ${runs}, ${REQUESTS} requests; ${new Date().toISOString()}`,
  );
  for (const trace of traces) {
    let bytes = 0;
    for (const entry of readdirSync(trace, { recursive: true })) {
      const stat = statSync(join(trace, entry));
      if (stat.isFile()) bytes += stat.size;
    }
    const results = { cold: [], again: [] };
    const peer = [];
    rmSync(join(kept, "periscope"), { recursive: true, force: true });
    for (let i = 0; i < runs; i++) {
      results.cold.push(await open(trace, false));
      if (i === 0) await open(trace, true);
      results.again.push(await open(trace, true));
      peer.push(dummy(trace));
    }
    const name = trace.split("/").at(-1);
    const { rows, eventRecords } = results.cold[0];
    const theirs = median(peer);
    console.log(
      `${name}: ${(bytes / 1e6).toFixed(1)} MB, ${eventRecords} event records, ${rows} rows; babeltrace2 -o dummy ${theirs.toFixed(2)} s`,
    );
    for (const [how, list] of Object.entries(results)) {
      const of = (key) => median(list.map((result) => result[key]));
      table.push([
        `${name}, ${how === "cold" ? "without a kept history" : "with it"}`,
        `${of("first").toFixed(2)} s`,
        `${of("whole").toFixed(2)} s`,
        `${of("middle").toFixed(1)} ms`,
        `${of("p95").toFixed(1)} ms`,
        `${of("peak").toFixed(0)} MB`,
        `${(theirs / of("first")).toFixed(1)} x`,
        `${(theirs / of("whole")).toFixed(1)} x`,
      ]);
    }
  }
  const widths = table[0].map((_, i) => Math.max(...table.map((line) => line[i].length)));
  for (const line of table)
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(kept, { recursive: true, force: true });
}
