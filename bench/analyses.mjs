// The analysis commands beside LTTng analyses' (Debian `python3-lttnganalyses`), whole processes, same trace, same
// run: wall seconds and their ratio.
//
//   npm run bench:analyses [-- --trace DIR] [--runs 3] [--seconds 10] [--commands cputop,memtop]
//
// Without --trace: the four case traces and the first `--seconds` of `big`, where the reference needs minutes. The
// reference runs once per command (it takes 5 to 40 s each), ours `--runs` times: median. A last part measures what
// slices cost (`--refresh 1s`) and what all analyses cost in one pass.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const runs = Number(option("runs", "3"));
const seconds = Number(option("seconds", "10"));
const unpack = join(root, "../shared/tools/unpack-traces");
const cache = join(root, ".cache/traces");
if (existsSync(unpack)) execFileSync(unpack, [cache]);
const given = option("trace", undefined);
const traces = given
  ? [given]
  : ["case1-slow", "case2-xz-outlier", "case3-dns-outlier", "case4-coredump-outlier", "big"]
      .map((name) => join(cache, name))
      .filter((path) => existsSync(path));
const COMMANDS = (
  option("commands", undefined)?.split(",") ??
  "cputop memtop iousagetop iolatencytop iolatencystats iolatencyfreq iolog irqstats irqfreq irqlog schedtop schedstats schedfreq schedlog syscallstats".split(
    " ",
  )
).filter(Boolean);

/** Wall seconds of a command, output thrown away; undefined when it failed. */
function measure(file, args) {
  const began = process.hrtime.bigint();
  const { status } = spawnSync(file, args, { cwd: root, stdio: ["ignore", "ignore", "ignore"] });
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  return status === 0 ? wall : undefined;
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
function ours(args) {
  const all = [];
  for (let i = 0; i < runs; i++) all.push(measure("bin/periscope", args));
  return all.includes(undefined) ? undefined : median(all);
}
// Ours refuses where the trace lacks the events that an analysis is of; the reference prints zeros.
const show = (value, digits = 2) => (value === undefined ? "no events" : value.toFixed(digits));
const line = (cells, widths) =>
  console.log(cells.map((c, i) => (i < 1 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join("  "));
const widths = [26, 12, 12, 10];

const installed = spawnSync("which", ["lttng-cputop"]).status === 0;
if (!installed) console.log("python3-lttnganalyses is not installed: ours alone");
console.log(`Node ${process.version}; reference once, ours median of ${runs}; ${new Date().toISOString()}`);

for (const trace of traces) {
  const name = trace.split("/").at(-1);
  const info = JSON.parse(
    execFileSync("bin/periscope", ["cputop", "--json", trace], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    }),
  );
  const { beginEpochNs } = info.slices[0];
  // Only what the reference would need minutes for is cut.
  const cut =
    name === "big" ? ["--end", String(BigInt(beginEpochNs) + BigInt(Math.round(seconds * 1e9)))] : [];
  console.log(`\n${name}${cut.length > 0 ? `, its first ${seconds} s` : ""}`);
  line(["command", "reference s", "periscope s", "ratio"], widths);
  let theirSum = 0;
  let ourSum = 0;
  for (const command of COMMANDS) {
    const mine = ours([command, ...cut, trace]);
    const theirs = installed
      ? measure(`lttng-${command}`, ["--no-progress", "--no-intersection", ...cut, trace])
      : undefined;
    const ratio = mine !== undefined && theirs !== undefined ? `${(theirs / mine).toFixed(0)} x` : "";
    line([command, show(theirs), show(mine), ratio], widths);
    if (mine === undefined || theirs === undefined) continue;
    theirSum += theirs;
    ourSum += mine;
  }
  if (theirSum > 0)
    line(
      ["one after the other", show(theirSum), show(ourSum), `${(theirSum / ourSum).toFixed(0)} x`],
      widths,
    );
  const all = ours(["all", ...cut, trace]);
  if (all !== undefined && theirSum > 0)
    line(["all in one pass", show(theirSum), show(all), `${(theirSum / all).toFixed(0)} x`], widths);
  const everything = ours(["all", "--log", "--freq", ...cut, trace]);
  if (everything !== undefined && theirSum > 0) {
    line(
      [
        "all, with logs and freq",
        show(theirSum),
        show(everything),
        `${(theirSum / everything).toFixed(0)} x`,
      ],
      widths,
    );
  }
  // Slices: the same work in turns with one slice, so that a machine that slows down does so for both.
  for (const command of ["cputop", "schedstats", "iousagetop"]) {
    const one = [];
    const many = [];
    for (let i = 0; i < Math.max(runs, 3); i++) {
      one.push(measure("bin/periscope", [command, trace]));
      many.push(measure("bin/periscope", [command, "--refresh", "1s", trace]));
    }
    const extra = (100 * (median(many) / median(one) - 1)).toFixed(0);
    console.log(
      `${command} --refresh 1s: ${show(median(many))} s beside ${show(median(one))} s for one slice: ${extra} % more`,
    );
  }
}
