// `periscope record` by tracefs against ground truth, babeltrace2 and LTTng analyses. Needs root and tracefs.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Lttng, whyNoLttng } from "../support/lttng.js";
import { ended, hasSaid } from "../support/programs.js";
import { babeltrace2, needs, periscope, root } from "../support.js";
import { cellValue, compare, type Difference } from "./lami/compare.js";
import { RULES } from "./lami/differences.js";
import { FAMILIES, freshReference, installed, periscopeResults } from "./lami/reference.js";
import { account, type Truth } from "./lami/truth.js";

const TRACEFS = "/sys/kernel/tracing";

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "tracefs: not root";
  if (!existsSync(join(TRACEFS, "instances"))) spawnSync("mount", ["-t", "tracefs", "nodev", TRACEFS]);
  if (!existsSync(join(TRACEFS, "instances"))) return "tracefs cannot be mounted here";
  return needs("babeltrace2");
}
const skip = whyNot();
const directory = mkdtempSync(join(tmpdir(), "periscope-record-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const CALLS = 4321;
const OPENS = 234;
/** Python's own opens are of other files; umask() is called by nobody else here. */
const WORKLOAD = `
import os, time
for i in range(${CALLS}): os.umask(0o22)
held = os.open("/etc/hostname", os.O_RDONLY)
for i in range(${OPENS}):
    fd = os.open("/etc/passwd", os.O_RDONLY)
    os.read(fd, 100)
    os.close(fd)
r, w = os.pipe()
for i in range(50):
    if os.fork() == 0:
        os.write(w, b"x" * 1000)
        os._exit(0)
    os.read(r, 1000)
    os.wait()
with open("${directory}/written", "wb") as f:
    f.write(b"y" * 3000000)
    f.flush()
    os.fsync(f.fileno())
time.sleep(0.1)
`;

/** What of the host's own tracing must not change. */
function configuration(): string {
  const read = (name: string) => {
    const path = join(TRACEFS, name);
    return existsSync(path) ? `${name}: ${readFileSync(path, "latin1")}` : `${name}: none`;
  };
  const files = [
    "tracing_on",
    "set_event",
    "dynamic_events",
    "trace_clock",
    "buffer_size_kb",
    "current_tracer",
  ];
  const options = readdirSync(join(TRACEFS, "options")).map((name) => `options/${name}`);
  return [...files, ...options, "events/enable"].map(read).join("\n");
}

const ours = (pid: number | undefined) =>
  readdirSync(join(TRACEFS, "instances")).filter((name) => name.startsWith(`periscope-${pid}-`));

/** A recorder in the background, once it says that it records. */
async function started(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(root, "bin/periscope"), "record", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  await hasSaid(child, "until Ctrl-C");
  return child;
}

interface Told {
  readonly path: string;
  readonly backend: string;
  readonly eventRecords: number;
  readonly lost: number;
  readonly durationNs: number;
  readonly command?: { readonly exitCode: number };
  readonly files?: { readonly opened: number; readonly named: number };
}
const trace = join(directory, "recorded");
let told: Told;
let text: string;
let configurationBefore: string;

before(() => {
  if (skip !== false) return;
  configurationBefore = configuration();
  const run = periscope([
    ...["record", "--backend", "tracefs", "-o", trace, "--buffer-size", "16M", "--json"],
    ...["--", "/usr/bin/python3", "-c", WORKLOAD],
  ]);
  assert.equal(run.code, 0, run.stderr);
  told = JSON.parse(run.stdout) as Told;
  const read = babeltrace2(["--clock-seconds", trace]);
  assert.equal(read.code, 0, read.stderr);
  // Nothing but what the recorder itself tells of losses.
  if (told.lost === 0) assert.equal(read.stderr, "");
  text = read.stdout;
});

/** Lines of an event, of one program. */
const lines = (event: string, procname = "python3") =>
  text
    .split("\n")
    .filter((line) => line.includes(` ${event}: `) && line.includes(`procname = "${procname}"`));

test("counts are those of the program, for babeltrace2", { skip }, () => {
  assert.equal(told.lost, 0);
  assert.equal(told.backend, "tracefs");
  assert.equal(told.command?.exitCode, 0);
  assert.equal(text.split("\n").length - 1, told.eventRecords);
  assert.equal(lines("syscall_entry_umask").length, CALLS);
  assert.equal(lines("syscall_exit_umask").length, CALLS);
  assert.ok(lines("syscall_exit_umask").every((line) => line.includes("{ ret = 18 }")));
  const reads = lines("syscall_entry_read").filter((line) => /\{ fd = \d+, count = 100 \}/.test(line));
  assert.equal(reads.length, OPENS);
  const writes = lines("syscall_entry_write").filter((line) => line.includes("count = 1000 }"));
  assert.equal(writes.length, 50);
});

test("forks, threads' names and processes", { skip }, () => {
  const forks = lines("sched_process_fork").filter((line) => line.includes('child_comm = "python3"'));
  assert.equal(forks.length, 50);
  for (const fork of forks) {
    const [, pid, tid] = /\{ pid = (\d+), tid = (\d+), procname/.exec(fork)!;
    assert.match(fork, new RegExp(`parent_tid = ${tid}, parent_pid = ${pid}`));
    const [, childTid, childPid] = /child_tid = (\d+), child_pid = (\d+)/.exec(fork)!;
    assert.equal(childTid, childPid);
    // The child's own events have its contexts.
    assert.ok(
      lines("syscall_entry_write").some((line) => line.includes(`{ pid = ${childPid}, tid = ${childTid},`)),
    );
  }
  for (const line of text.split("\n").filter((one) => one.includes(" sched_switch: "))) {
    const [, tid, procname] = /tid = (\d+), procname = "([^"]*)" \}, \{ prev/.exec(line)!;
    assert.match(line, new RegExp(`prev_tid = ${tid}, `));
    assert.ok(line.includes(`prev_comm = "${procname}"`), line);
  }
});

test("the state dump: this process, its descriptors, the disks", { skip }, () => {
  const dumped = text.split("\n").filter((line) => line.includes(" lttng_statedump_"));
  assert.match(dumped[0]!, /lttng_statedump_start/);
  assert.match(dumped.at(-1)!, /lttng_statedump_end/);
  assert.ok(
    dumped.some((line) => line.includes("process_state") && line.includes(`tid = ${process.pid}, pid =`)),
  );
  for (const [, major, minor, name] of readFileSync("/proc/partitions", "utf8").matchAll(
    /^\s*(\d+)\s+(\d+)\s+\d+\s+(\S+)$/gm,
  )) {
    const dev = Number(major) * 2 ** 20 + Number(minor);
    assert.ok(
      dumped.some((line) => line.includes(`{ dev = ${dev}, diskname = "${name}" }`)),
      name,
    );
  }
});

test("nothing of the host's own tracing is changed", { skip }, () => {
  assert.equal(configuration(), configurationBefore);
});

function show(d: Difference): string {
  const value = (v: unknown): string =>
    Array.isArray(v)
      ? `[${v.map((c) => (Array.isArray(c) ? "…" : String(cellValue(c)))).join(", ")}]`
      : String(cellValue(v));
  return `${d.table}, ${d.what}${d.what === "cell" ? ` ${d.column}` : ""}, ${d.key}: reference ${value(d.reference)}, ours ${value(d.ours)}`;
}

/**
 * Threads that a difference is about. The reference knows nobody on a CPU before its first switch, and whatever else
 * runs here is busy then: only what the workload did, which begins later, is compared, thread by thread.
 */
function isOfWorkload(d: Difference, workload: ReadonlySet<number>): boolean {
  const cells = [d.row, d.reference, d.ours].flat() as (
    | { class?: string; tid?: number }
    | null
    | undefined
  )[];
  const process = cells.find((cell) => cell?.class === "process");
  const tid = process?.tid ?? Number(/^(?:per-tid|freq) \[TID:? (\d+)\]$/.exec(d.table)?.[1] ?? Number.NaN);
  return workload.has(tid);
}

/** Beside statistics of waits the reference tells all priorities of a thread, ours those with which it waited. */
function isPriorityWithoutWait(d: Difference, truth: Truth): boolean {
  if (d.what !== "cell" || d.table !== "per_tid_stats" || d.column !== 6) return false;
  const waited = truth.latencies.filter(({ tid }) => tid === d.row[0].tid).map(({ prio }) => prio);
  return cellValue(d.ours) === `[${[...new Set(waited)].sort((a, b) => a - b).join(", ")}]`;
}

const noReference = skip || (installed ? false : "python3-lttnganalyses is not installed");
for (const command of Object.keys(FAMILIES)) {
  test(`${command}: LTTng analyses read it, and agree`, { skip: noReference }, async () => {
    const [theirs, mine] = await Promise.all([
      freshReference(command, trace),
      periscopeResults(command, trace),
    ]);
    assert.ok(theirs !== undefined, "the reference failed");
    assert.ok(mine !== undefined, "Periscope failed");
    const truth = account(trace);
    const workload = new Set(
      lines("syscall_entry_write").map((line) => Number(/ tid = (\d+)/.exec(line)![1])),
    );
    assert.ok(workload.size > 50, `${workload.size} threads`);
    const unexplained = compare(theirs, mine).filter(
      (difference) =>
        // Interrupts belong to nobody: all of them are compared.
        (command === "irqstats" || isOfWorkload(difference, workload)) &&
        !(command === "schedstats" && isPriorityWithoutWait(difference, truth)) &&
        !RULES.some((rule) => rule.commands.includes(command) && rule.matches(difference, truth, "recorded")),
    );
    assert.deepEqual(unexplained.slice(0, 10).map(show), [], `${unexplained.length} differences`);
  });
}

test("a recorder that was killed leaves an instance; the next one removes it", { skip }, async () => {
  const killed = join(directory, "killed");
  const child = await started(["--backend", "tracefs", "-o", killed]);
  child.kill("SIGKILL");
  await ended(child);
  assert.equal(ours(child.pid).length, 1);
  const run = periscope(["record", "--backend", "tracefs", "-o", join(directory, "next"), "-d", "50ms"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, new RegExp(`periscope-${child.pid}-\\d+: removed, its recorder is gone`));
  assert.equal(ours(child.pid).length, 0);
  assert.equal(configuration(), configurationBefore);
  // What it had copied is not lost.
  const recovered = periscope(["record", "--recover", killed, "--json"]);
  assert.equal(recovered.code, 0, recovered.stderr);
  assert.equal(babeltrace2([killed]).stderr, "");
});

test("Ctrl-C ends a recording properly", { skip }, async () => {
  const path = join(directory, "interrupted");
  const child = await started(["--backend", "tracefs", "-o", path]);
  child.kill("SIGINT");
  assert.equal(await ended(child), 0);
  assert.equal(ours(child.pid).length, 0);
  assert.equal(babeltrace2([path]).code, 0);
});

test("a flight recorder keeps the newest; snapshot saves it", { skip }, async () => {
  const name = `test-${process.pid}`;
  const child = await started([
    "--backend",
    "tracefs",
    "--flight-recorder",
    "--name",
    name,
    "--buffer-size",
    // Less than the noise is, more than others make until it is saved.
    "4M",
  ]);
  try {
    const noise = "import os\nfor i in range(100000): os.getppid()\nos.umask(0o22)\nos.umask(0o22)";
    for (const [i, path] of ["first", "second"].map((one) => join(directory, one)).entries()) {
      spawnSync("/usr/bin/python3", ["-c", noise]);
      const run = periscope(["snapshot", "--name", name, "-o", path, "--json"]);
      assert.equal(run.code, 0, run.stderr);
      const saved = JSON.parse(run.stdout) as Told;
      assert.equal(saved.lost, 0);
      const read = babeltrace2([path]);
      assert.equal(read.stderr, "");
      // The end is there, the begin was overwritten.
      assert.equal(read.stdout.match(/syscall_entry_umask/g)?.length, 2, `snapshot ${i}`);
      const calls = read.stdout.match(/syscall_entry_getppid/g)!.length;
      assert.ok(calls > 1000 && calls < 100_000, `${calls} calls`);
      assert.match(read.stdout, /lttng_statedump_process_state: .* name = "node"/);
    }
    const twice = periscope(["record", "--backend", "tracefs", "--flight-recorder", "--name", name]);
    assert.equal(twice.code, 1);
    assert.match(twice.stderr, /a flight recorder of that name runs/);
  } finally {
    child.kill("SIGINT");
    assert.equal(await ended(child), 0);
  }
  const nobody = periscope(["snapshot", "--name", name, "-o", join(directory, "nobody")]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /no flight recorder at/);
});

test("lost event records are counted, for babeltrace2 too", { skip }, () => {
  const path = join(directory, "lossy");
  const program = "import os\nfor i in range(300000): os.getppid()";
  const run = periscope([
    ...["record", "--backend", "tracefs", "-o", path, "--buffer-size", "16K", "--json"],
    ...["--events", "syscall_*_getppid", "--", "/usr/bin/python3", "-c", program],
  ]);
  const { lost, eventRecords } = JSON.parse(run.stdout) as Told;
  assert.ok(lost > 100_000, `${lost} lost`);
  assert.match(run.stderr, /event records were lost/);
  const read = babeltrace2([path]);
  const discarded = [...read.stderr.matchAll(/discarded (\d+) events?/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  assert.equal(discarded, lost);
  const calls = read.stdout.match(/getppid/g)!.length;
  const dumped = read.stdout.match(/lttng_statedump/g)!.length;
  assert.equal(calls + dumped, eventRecords);
  // What was recorded and what was lost are all there was; others may call it, too.
  assert.ok(calls + lost >= 600_000, `${calls} recorded, ${lost} lost`);
});

const asNobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

function whyNotNobody(): string | false {
  const program = join(root, "bin/periscope");
  const { status } = spawnSync("setpriv", [...asNobody, "test", "-r", program]);
  return status === 0 ? false : `nobody may not read ${program}`;
}

test("refuses without permission, in one line", { skip: skip || whyNotNobody() }, () => {
  const path = join(tmpdir(), `periscope-nobody-${process.pid}`);
  const run = spawnSync(
    "setpriv",
    [...asNobody, ...[process.execPath, join(root, "bin/periscope"), "record", "-o", path, "-d", "1s"]],
    { encoding: "utf8" },
  );
  assert.equal(run.status, 1);
  assert.match(run.stderr, /^periscope: cannot trace this kernel: .*tracefs: no permission .*run as root\n$/);
  assert.equal(existsSync(path), false);
});

test("wrong usage", { skip }, () => {
  for (const [args, message] of [
    [["--events", "no_such_event"], /this kernel has no event "no_such_event"/],
    [["--backend", "perf"], /expected tracefs or lttng/],
    [["true"], /expected -- before the command/],
    [["--buffer-size", "1"], /expected at least 8K/],
  ] as const) {
    const run = periscope(["record", ...args]);
    assert.equal(run.code, 2, run.stderr);
    assert.match(run.stderr, message);
  }
  const missing = periscope(["record", "-o", join(directory, "none"), "--", "/no/such/program"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /\/no\/such\/program/);
});

test("a profile's session is what LTTng reads", { skip: whyNoLttng() }, async () => {
  const run = periscope(["record", "profile", "--profile", "nginx"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /<name>sched_switch<\/name>/);
  const lttng = new Lttng();
  try {
    await lttng.start();
    const load = (name: string, text: string): string => {
      const path = join(lttng.directory, name);
      writeFileSync(path, text);
      return lttng.lttng("load", `--input-path=${path}`).text;
    };
    // It checks the file by its schema before it asks for the kernel tracer, which is not there everywhere.
    assert.doesNotMatch(load("good.lttng", run.stdout), /XML Error|validation failed/);
    assert.match(load("bad.lttng", run.stdout.replace("TRACEPOINT", "TRACE")), /XML Error/);
  } finally {
    await lttng.stop();
  }
});
