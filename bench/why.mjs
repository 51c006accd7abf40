// Explanations: the rate at which `why` goes through a trace beside that of `report`, and the memory of both.
//
//   npm run bench:why [-- --runs 5]
//
// Whole processes in turns. `why` reads a trace twice (and looks at pieces of it once more); its rate is that of the
// trace's event records by the whole time.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const at = process.argv.indexOf("--runs");
const runs = at < 0 ? 5 : Number(process.argv[at + 1]);
const cache = join(root, ".cache/traces");
const unpack = join(root, "../shared/tools/unpack-traces");
if (existsSync(unpack)) execFileSync(unpack, [cache]);

/** Seconds, and the largest resident size in MB. */
function measure(args) {
  const began = process.hrtime.bigint();
  const { status, stderr } = spawnSync("/usr/bin/env", ["time", "-f", "%M KB", "bin/periscope", ...args], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  return { seconds, megabytes: Number(/(\d+) KB/.exec(stderr)?.[1]) / 1024 };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
console.log(`Node ${process.version}, medians of ${runs}; ${new Date().toISOString()}`);
console.log(
  "trace".padEnd(26),
  "why".padStart(9),
  "report".padStart(9),
  "rate why/report (goal >= 0.25)",
  "  memory",
);
for (const name of ["big", "case1-slow", "case2-xz-outlier", "case3-dns-outlier", "case4-coredump-outlier"]) {
  const path = join(cache, name);
  if (!existsSync(path)) continue;
  const ours = [];
  const report = [];
  for (let i = 0; i < runs; i++) {
    ours.push(measure(["why", "--profile", "apache-php-mysql", path]));
    report.push(measure(["report", path]));
  }
  const [a, b] = [ours, report].map((list) => median(list.map(({ seconds }) => seconds)));
  const [m, n] = [ours, report].map((list) => median(list.map(({ megabytes }) => megabytes)));
  console.log(
    name.padEnd(26),
    `${a.toFixed(2)} s`.padStart(9),
    `${b.toFixed(2)} s`.padStart(9),
    (b / a).toFixed(2).padStart(30),
    `  ${m.toFixed(0)} MB (${n.toFixed(0)} MB)`,
  );
}
