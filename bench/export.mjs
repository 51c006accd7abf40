// Exports: time, peak memory and size of each format, beside reading the trace once with babeltrace2.
//
//   npm run bench:export [-- --trace DIR] [--runs 3] [--formats perfetto,chrome]
//
// Whole processes in turns, medians; the file is written to the folder of temporary files. GNU time (package `time`)
// measures memory. Goals: Perfetto below the time of `babeltrace2 -o dummy`, and 400 MB.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const runs = Number(option("runs", "3"));
const cache = join(root, ".cache/traces");
const unpack = join(root, "../shared/tools/unpack-traces");
if (existsSync(unpack)) execFileSync(unpack, [cache]);
const big = join(cache, "big");
const trace = option("trace", existsSync(big) ? big : join(root, "samples/dns-outlier"));
const profile = ["--profile", "apache-php-mysql"];
const FORMATS = {
  perfetto: [],
  chrome: [],
  stacks: [],
  csv: ["--table", "states"],
  parquet: ["--table", "states"],
  otlp: profile,
};
const chosen = option("formats", Object.keys(FORMATS).join(",")).split(",");
const out = join(tmpdir(), `periscope-bench-export-${process.pid}`);

/** Seconds, the largest resident size and the file's size in MB. */
function measure(command) {
  const began = process.hrtime.bigint();
  const run = spawnSync("/usr/bin/env", ["time", "-f", "%M KB", ...command], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (run.error !== undefined) return undefined;
  if (run.status !== 0) throw new Error(`${command.join(" ")}: ${run.stderr}`);
  const size = existsSync(out) ? statSync(out).size / 1e6 : 0;
  rmSync(out, { force: true });
  return { seconds, memory: Number(/(\d+) KB/.exec(run.stderr)[1]) / 1024, size };
}

const commands = chosen.map((format) => [
  format,
  ["bin/periscope", "export", "--format", format, ...FORMATS[format], "-o", out, trace],
]);
const hasPeer = spawnSync("which", ["babeltrace2"]).status === 0;
if (hasPeer) commands.push(["babeltrace2 -o dummy", ["babeltrace2", "-o", "dummy", trace]]);
const results = new Map(commands.map(([name]) => [name, []]));
for (let i = 0; i < runs; i++)
  for (const [name, command] of commands) results.get(name).push(measure(command));

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const of = (name, what) => median(results.get(name).map((one) => one[what]));
const peer = hasPeer ? of("babeltrace2 -o dummy", "seconds") : Number.NaN;
console.log(`Node ${process.version}, ${trace}, medians of ${runs}; ${new Date().toISOString()}`);
console.log(
  "".padEnd(22),
  ...["time", "of babeltrace2's", "peak memory", "file"].map((head) => head.padStart(16)),
);
for (const [name] of commands) {
  console.log(
    name.padEnd(22),
    `${of(name, "seconds").toFixed(1)} s`.padStart(16),
    (hasPeer ? (of(name, "seconds") / peer).toFixed(2) : "-").padStart(16),
    `${of(name, "memory").toFixed(0)} MB`.padStart(16),
    (of(name, "size") > 0 ? `${of(name, "size").toFixed(1)} MB` : "-").padStart(16),
  );
}
