// Side by side with the peers, in one run on the same traces: whole processes, medians, ratios.
//
//   npm run bench [-- --trace DIR] [--runs 5] [--quick]
//
// Peers (Debian): babeltrace2 2.0.4, babeltrace 1.5; GNU time (package `time`) measures. A peer that is not installed is left out. The commands of
// one row take turns, so that a machine that becomes slower does so for all of them.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const quick = process.argv.includes("--quick");
const runs = Number(option("runs", quick ? "1" : "5"));
const unpack = join(root, "../shared/tools/unpack-traces");
const cache = join(root, ".cache/traces");
if (existsSync(unpack)) execFileSync(unpack, [cache]);
const given = option("trace", undefined);
const traces = given
  ? [given]
  : ["case4-coredump-outlier", "big"].map((name) => join(cache, name)).filter((path) => existsSync(path));
if (traces.length === 0) traces.push(join(root, "samples/dns-outlier"));
const small = join(root, "samples/ust/uid-two-chunks");

const installed = (program) => spawnSync("which", [program]).status === 0;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const timeFile = join(tmpdir(), `periscope-bench-${process.pid}`);

/** Wall seconds, CPU seconds and peak memory (MB) of one run of a command, output thrown away. */
function measure(command, threads) {
  const shell = `/usr/bin/time -o ${timeFile} -f '%e %U %S %M' sh -c ${JSON.stringify(`${command} >/dev/null 2>&1`)}`;
  const pinned = threads === 1 ? `taskset -c 0 ${shell}` : shell;
  spawnSync("sh", ["-c", pinned], { cwd: root });
  const text = readFileSync(timeFile, "utf8").trim().split("\n").at(-1);
  const [wall, user, system, memory] = text.split(" ").map(Number);
  return { wall, cpu: user + system, memory: memory / 1024 };
}

/** Measures commands in turns: A B C, A B C, ... */
function compare(commands) {
  const results = commands.map(() => []);
  for (let i = 0; i < runs; i++) {
    for (const [k, { command, threads }] of commands.entries()) results[k].push(measure(command, threads));
  }
  return results.map((list) => ({
    wall: median(list.map((r) => r.wall)),
    least: Math.min(...list.map((r) => r.wall)),
    most: Math.max(...list.map((r) => r.wall)),
    memory: median(list.map((r) => r.memory)),
  }));
}

const rows = [];
function row(what, ours, peers, goal) {
  const all = [ours, ...peers];
  const results = compare(all);
  const [mine, ...theirs] = results;
  rows.push({ what, label: ours.label, ...mine, ratio: undefined, goal });
  theirs.forEach((result, i) => {
    rows.push({
      what: "",
      label: peers[i].label,
      ...result,
      ratio: result.wall / mine.wall,
      goal: i === 0 ? goal : undefined,
    });
  });
}

function print() {
  const cells = rows.map((r) => [
    r.what,
    r.label,
    `${r.wall.toFixed(2)} s`,
    `${r.least.toFixed(2)}-${r.most.toFixed(2)}`,
    `${r.memory.toFixed(0)} MB`,
    r.ratio === undefined ? "" : `${r.ratio.toFixed(1)} x`,
    r.ratio === undefined || !r.goal ? "" : r.goal,
  ]);
  const head = ["what", "command", "median", "range", "memory", "ours faster by", "goal"];
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((c) => c[i].length)));
  for (const line of [head, ...cells])
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
}

const ps = "bin/periscope";
const peer = (program, command, label) =>
  installed(program) ? [{ command, label: label ?? command.replace(root, ".") }] : [];

console.log(`Node ${process.version}, ${runs} runs each, medians; ${new Date().toISOString()}`);
for (const trace of traces) {
  const name = trace.split("/").at(-1);
  let bytes = 0;
  for (const entry of readdirSync(trace, { recursive: true })) {
    const stat = statSync(join(trace, entry));
    if (stat.isFile()) bytes += stat.size;
  }
  const count = /(\d+) event records/.exec(
    spawnSync(ps, ["print", "-o", "dummy", trace], { cwd: root, encoding: "utf8" }).stderr,
  )?.[1];
  console.log(`${name}: ${(bytes / 1e6).toFixed(1)} MB, ${count} event records`);
  const dummy = peer("babeltrace2", `babeltrace2 -o dummy ${trace}`, "babeltrace2 -o dummy");
  row(
    `${name}: decode everything`,
    { command: `${ps} print -o dummy ${trace}`, label: "periscope print -o dummy" },
    [
      ...dummy,
      ...(quick ? [] : peer("babeltrace", `babeltrace -o dummy ${trace}`, "babeltrace 1.5 -o dummy")),
      { command: `sh -c 'find ${trace} -type f | xargs cat | wc -c'`, label: "floor: cat | wc -c" },
    ],
    ">= 15 x",
  );
  row(
    `${name}: pinned to one core (with its JIT)`,
    { command: `${ps} print -o dummy ${trace}`, label: "periscope print -o dummy", threads: 1 },
    dummy.map((p) => ({ ...p, threads: 1 })),
    undefined,
  );
  row(
    `${name}: text`,
    { command: `${ps} print ${trace}`, label: "periscope print > /dev/null" },
    peer("babeltrace2", `babeltrace2 ${trace}`, "babeltrace2 > /dev/null"),
    ">= 4 x",
  );
  row(`${name}: report`, { command: `${ps} report ${trace}`, label: "periscope report" }, dummy, ">= 3 x");
  row(`${name}: info`, { command: `${ps} info ${trace}`, label: "periscope info" }, [], undefined);
}
row(
  "start: small trace",
  { command: `${ps} info ${small}`, label: "periscope info" },
  [
    { command: "node -e 0", label: "node -e 0" },
    ...peer("babeltrace2", `babeltrace2 -o dummy ${small}`, "babeltrace2 -o dummy"),
  ],
  ">= 0.5 x",
);
print();
