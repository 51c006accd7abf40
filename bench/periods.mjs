// Periods: what they cost beside only decoding the same events, beside LTTng analyses, and with many open at a time.
//
//   npm run bench:periods [-- --runs 5]
//
// Whole processes in turns on `big` and on case 4; the part about open instances runs in this process.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKernelModel } from "../build/src/kernel/model.js";
import { definePeriods } from "../build/src/periods/define.js";
import { PeriodEngine } from "../build/src/periods/engine.js";
import { openSource } from "../build/src/sources/ctf.js";
import { REQUEST, wordpress } from "../build/test/wordpress.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const at = process.argv.indexOf("--runs");
const runs = at < 0 ? 5 : Number(process.argv[at + 1]);
const cache = join(root, ".cache/traces");
const unpack = join(root, "../shared/tools/unpack-traces");
if (existsSync(unpack)) execFileSync(unpack, [cache]);
const big = join(cache, "big");
const case4 = join(cache, "case4-coredump-outlier");

function measure(file, args) {
  const began = process.hrtime.bigint();
  const { status } = spawnSync(file, args, { cwd: root, stdio: "ignore" });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")}: status ${status}`);
  return Number(process.hrtime.bigint() - began) / 1e9;
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const show = (what, ours, theirs, ratio, goal) =>
  console.log(
    [what.padEnd(44), ours.padStart(9), theirs.padStart(9), ratio.padStart(9), goal.padStart(9)].join("  "),
  );
const seconds = (value) => `${value.toFixed(2)} s`;
const periscope = (...args) => measure("bin/periscope", args);

console.log(`Node ${process.version}, medians of ${runs}; ${new Date().toISOString()}`);
show("", "ours", "beside", "ratio", "goal");

const events = [
  "syscall_exit_accept4",
  "syscall_entry_close",
  "syscall_entry_newfstatat",
  "syscall_entry_connect",
  "syscall_entry_access",
  "syscall_entry_writev",
].flatMap((name) => ["--event", name]);
{
  const ours = [];
  const theirs = [];
  for (let i = 0; i < runs; i++) {
    ours.push(periscope("periodstats", ...wordpress(), big));
    theirs.push(periscope("print", ...events, "-o", "dummy", big));
  }
  const [a, b] = [median(ours), median(theirs)];
  show("big: five nested periods | print, same events", seconds(a), seconds(b), (a / b).toFixed(2), "<= 1.3");
}

if (spawnSync("which", ["lttng-periodstats"]).status === 0) {
  const first10s = ["--end", String(1795454151099998066n + 10_000_000_000n)];
  for (const [name, trace, cut] of [
    ["case4", case4, []],
    ["big, first 10 s", big, first10s],
  ]) {
    const args = ["--period", REQUEST, ...cut];
    const ours = [];
    for (let i = 0; i < runs; i++) ours.push(periscope("periodstats", ...args, trace));
    const theirs = measure("lttng-periodstats", [
      "--no-progress",
      "--no-intersection",
      ...args,
      `${trace}/kernel`,
    ]);
    const a = median(ours);
    show(
      `${name}: one period | lttng-periodstats`,
      seconds(a),
      seconds(theirs),
      `${(theirs / a).toFixed(0)} x`,
      ">= 100 x",
    );
  }
} else console.log("python3-lttnganalyses is not installed");

// Periods that begin at the first 10 or 10,000 of an event and never end; at each further event record of their end's
// name the one that it speaks of is looked for among them.
function openAtOnce(count) {
  const found = openSource([big]);
  let left = count;
  let untilNs = Number.NaN;
  found.subscribe({
    matches: ({ name }) => name === "sched_wakeup",
    fields: {},
    handle: ({ ns }) => {
      if (--left === 0) untilNs = ns;
    },
  });
  found.run();
  const source = openSource([big]);
  const until = source.info.originNs + BigInt(untilNs);
  const engine = new PeriodEngine(
    source,
    definePeriods({
      periods: [
        `p : $evt.$name == "sched_wakeup" && $evt.$ts <= ${until} : $evt.$name == "sched_switch" && $evt.prev_tid == $begin.$evt.tid && $evt.next_tid == $begin.$evt.$ts`,
      ],
    }),
  );
  engine.attach(createKernelModel(source, { ...engine.needs }));
  engine.active = true;
  const began = process.hrtime.bigint();
  source.run();
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  engine.closeAll(0);
  if (engine.givenUp.open !== count) throw new Error(`${engine.givenUp.open} were open, expected ${count}`);
  return wall;
}
{
  openAtOnce(10);
  const few = [];
  const many = [];
  for (let i = 0; i < runs; i++) {
    few.push(openAtOnce(10));
    many.push(openAtOnce(10_000));
  }
  const [a, b] = [median(many), median(few)];
  show("big: 10,000 open | 10 open", seconds(a), seconds(b), (a / b).toFixed(2), "<= 1.5");
}
