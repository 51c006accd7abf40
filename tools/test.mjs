// Builds, checks the house (format, lint, types, layers), unpacks the shared traces if they are there, and runs
// all tests. Arguments are patterns of test files' paths; without any, everything runs.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const run = (file, args) => execFileSync(file, args, { cwd: root, stdio: "inherit" });
const patterns = process.argv.slice(2);

run(process.execPath, ["tools/build.mjs"]);
if (patterns.length === 0) {
  run(process.execPath, ["tools/check-layers.mjs"]);
  run(join(root, "node_modules/.bin/biome"), ["check", "--error-on-warnings", "."]);
}

const shared = join(root, "../shared/tools/unpack-traces");
if (existsSync(shared)) run(shared, [join(root, ".cache/traces")]);
else console.log("no ../shared: tests that need its traces are skipped");

run(process.execPath, ["tools/unpack-causes.mjs"]);

const files = [];
const collect = (directory) => {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) collect(path);
    else if (entry.name.endsWith(".test.js")) files.push(path);
  }
};
collect(join(root, "build"));
const chosen = files.filter((file) => patterns.length === 0 || patterns.some((p) => file.includes(p))).sort();
// Half of the time the tests wait for one of the slow references: two files at a time.
const options = ["--test", "--test-reporter=spec", "--test-concurrency=2"];
const result = spawnSync(process.execPath, [...options, ...chosen], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = result.status ?? 1;
