// trace.dat and copies of tracefs against `trace-cmd report` of the same file.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { callNumbers } from "../../src/ftrace/call-numbers.js";
import { open, type TraceEvent } from "../../src/index.js";
import { hasTraceCmd, recordByTraceCmd, type Told, traceCmdReport } from "../support/trace-cmd.js";
import { periscope, sample } from "../support.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-dat-"));
after(() => rmSync(directory, { recursive: true, force: true }));
process.env["XDG_CACHE_HOME"] = join(directory, "cache");
const cache = { XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] };

const WORKLOAD = `dd if=/dev/zero of=${directory}/written bs=64k count=16 conv=fsync status=none
for i in 1 2 3; do cat /etc/passwd > /dev/null; sleep 0.01; done`;
const USUAL = ["-e", "sched", "-e", "irq", "-e", "block", "-e", "raw_syscalls"];

/** Files to compare: the bundled ones, and new ones where they can be recorded. */
const files: { readonly name: string; readonly options?: readonly string[]; readonly path: string }[] = [
  { name: "v6", path: sample("trace-cmd/v6.dat") },
  { name: "v7, zstd", path: sample("trace-cmd/v7-zstd.dat") },
  { name: "new v6", path: join(directory, "6.dat"), options: [...USUAL, "--file-version", "6"] },
  {
    name: "new v7",
    path: join(directory, "7.dat"),
    options: [...USUAL, "--file-version", "7", "--compression", "none"],
  },
  { name: "new v7, compressed", path: join(directory, "7z.dat"), options: [...USUAL, "--file-version", "7"] },
  {
    name: "with the time of day, named calls",
    path: join(directory, "date.dat"),
    options: [
      "-e",
      "sched",
      "-e",
      "syscalls",
      "-e",
      "task",
      "-e",
      "signal",
      "-C",
      "mono",
      "--date",
      "--file-version",
      "6",
    ],
  },
  {
    name: "both kinds of calls",
    path: join(directory, "both.dat"),
    options: ["-e", "syscalls", "-e", "raw_syscalls"],
  },
  { name: "stacks", path: join(directory, "stacks.dat"), options: ["-e", "sched:sched_switch", "-T"] },
];

/** Names of this kernel that LTTng has others for. */
const RENAMED: Readonly<Record<string, string>> = {
  softirq_entry: "irq_softirq_entry",
  softirq_exit: "irq_softirq_exit",
  softirq_raise: "irq_softirq_raise",
};
const numbers = callNumbers("x86_64")!;

function expectedName({ event, fields }: Told, both: boolean): string {
  const raw = /^sys_(enter|exit)$/.exec(event);
  if (raw !== null) {
    if (both) return `raw_syscalls:${event}`;
    const id = Number(/id=(-?\d+)/.exec(fields)![1]);
    return `syscall_${raw[1] === "enter" ? "entry" : "exit"}_${numbers.get(id)?.call ?? "unknown"}`;
  }
  const named = /^sys_(enter|exit)_(.*)$/.exec(event);
  if (named !== null) return `syscall_${named[1] === "enter" ? "entry" : "exit"}_${named[2]}`;
  return RENAMED[event] ?? event;
}

/** `a=1 b=some text c=2` → fields. */
function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/(\w+)=(.*?)(?=\s+\w+=|\s*$)/g)) fields.set(name!, value!);
  return fields;
}

/** LTTng's names of fields, and how it counts. */
function compareFields(ours: TraceEvent, theirs: Told): number {
  const fields = fieldsOf(theirs.fields);
  const values = ours.fields as Record<string, unknown>;
  let compared = 0;
  for (const [name, text] of fields) {
    const lttng = /^sched_(switch|wak|migrate|process_(fork|exec|exit|free|wait))/.test(theirs.event)
      ? name.replace(/pid$/, "tid")
      : name;
    const value = values[lttng];
    // Names of files, where the kernel tells addresses, are not known.
    if (value === undefined || value === "" || name === "rwbs" || text.startsWith("ARRAY")) continue;
    const isPriority = /prio$/.test(name) && theirs.event.startsWith("sched");
    let same = true;
    if (typeof value === "string") same = value.trim() === text.trim();
    else if (/^(0x)?-?[0-9a-f]+$/.test(text)) {
      const wide = BigInt(value as number) + (isPriority ? 100n : 0n);
      // Some are told in hexadecimal digits without a mark; LTTng has 32 or 16 bits of some that the kernel has 64 of.
      const told = [text, `0x${text}`].filter((one) => /^(-?\d+|0x[0-9a-f]+)$/.test(one)).map(BigInt);
      same = told.some((one) =>
        [64, 32, 16].some(
          (bits) =>
            BigInt.asUintN(bits, one) === BigInt.asUintN(64, wide) || BigInt.asIntN(bits, one) === wide,
        ),
      );
    } else continue;
    assert.ok(same, `${theirs.time} ${theirs.event}: ${name} = ${text}, ours ${value}`);
    compared++;
  }
  return compared;
}

const skipAll = hasTraceCmd() ? false : "trace-cmd 3 is not installed";

for (const { name, path, options } of files) {
  test(`as trace-cmd reports: ${name}`, { skip: skipAll }, (t) => {
    if (options !== undefined) {
      const why = recordByTraceCmd(path, options, WORKLOAD);
      if (why !== false) return t.skip(why);
    }
    const theirs = traceCmdReport(path);
    assert.ok(theirs.length > 50, `${theirs.length} event records`);
    const trace = open(path);
    const both = name === "both kinds of calls";
    const ours = [...trace.events()];
    assert.deepEqual(trace.problems, []);
    // Switches that this kernel did not tell are put in, and told.
    const added = trace.source
      .notes()
      .map((note) => Number(/(\d+) switches were not recorded/.exec(note)?.[1] ?? 0));
    assert.equal(ours.length - added.reduce((sum, one) => sum + one, 0), theirs.length);
    // Records of a CPU have an order; where two CPUs have one moment, nobody knows.
    const cpus = new Set(theirs.map(({ cpu }) => cpu));
    let compared = 0;
    let put = 0;
    let sameComm = 0;
    for (const cpu of cpus) {
      const a = ours.filter((one) => one.cpu === cpu);
      const b = theirs.filter((one) => one.cpu === cpu);
      let i = 0;
      for (const told of b) {
        const at = told.time.replace(".", "");
        const wanted = expectedName(told, both);
        const matches = () =>
          a[i] !== undefined &&
          String(a[i]!.timestamp).padStart(at.length, "0") === at &&
          a[i]!.name === wanted;
        while (!matches()) {
          assert.equal(
            a[i]?.name,
            "sched_switch",
            `CPU ${cpu}: expected ${wanted} at ${told.time}, found ${a[i]?.name} at ${a[i]?.timestamp}`,
          );
          // It leads to who is seen next.
          assert.equal((a[i]!.fields as { next_tid: number }).next_tid, told.tid);
          i++;
          put++;
        }
        const event = a[i++]!;
        assert.equal(event.context["tid"], told.tid, `${told.time} ${told.event}`);
        const comm = told.tid === 0 ? `swapper/${cpu}` : told.comm;
        if (event.context["procname"] === comm) sameComm++;
        compared += compareFields(event, told);
      }
      put += a.length - i;
    }
    assert.equal(
      put,
      added.reduce((sum, one) => sum + one, 0),
    );
    assert.ok(compared > theirs.length / 2, `${compared} fields of ${theirs.length} event records compared`);
    // trace-cmd has one name for a thread's whole life, we follow its programs.
    assert.ok(sameComm > 0.8 * theirs.length, `${sameComm} names of ${theirs.length} are the same`);
    t.diagnostic(
      `${theirs.length} event records, ${compared} fields, ${sameComm} names equal, ${put} switches put in`,
    );
  });
}

/**
 * Nanoseconds on a CPU by thread, from trace-cmd's switches alone. `unsure`: between a switch to another thread and
 * one that leaves this one, where this kernel did not tell the switch between them.
 */
function busy(told: readonly Told[]): Map<number, { ns: number; unsure: number }> {
  const sums = new Map<number, { ns: number; unsure: number }>();
  const since = new Map<number, { tid: number; ns: bigint }>();
  for (const { cpu, event, time, fields } of told) {
    if (event !== "sched_switch") continue;
    const ns = BigInt(time.replace(".", ""));
    const values = fieldsOf(fields);
    const running = since.get(cpu);
    const leaving = Number(values.get("prev_pid"));
    if (running !== undefined && leaving !== 0) {
      const sum = sums.get(leaving) ?? { ns: 0, unsure: 0 };
      sum[running.tid === leaving ? "ns" : "unsure"] += Number(ns - running.ns);
      sums.set(leaving, sum);
    }
    since.set(cpu, { tid: Number(values.get("next_pid")), ns });
  }
  return sums;
}

test("cputop and schedlog are what trace-cmd's switches and wake-ups add up to", { skip: skipAll }, (t) => {
  const path = join(directory, "sums.dat");
  // One second of work on a CPU: what is cut off at both ends is little.
  const script = "python3 -c 'import time\nwhile time.process_time() < 0.7: pass\ntime.sleep(0.05)'";
  const why = recordByTraceCmd(path, ["-e", "sched", "-b", "20000"], script);
  if (why !== false) return t.skip(why);
  const told = traceCmdReport(path);
  let putIn = 0;
  const run = (command: string) => {
    const { code, stdout, stderr } = periscope([command, "--json", "--limit", "1000000", path], cache);
    assert.equal(code, 0, stderr);
    putIn = Number(/(\d+) switches were not recorded/.exec(stderr)?.[1] ?? putIn);
    return JSON.parse(stdout).slices[0];
  };
  const { result } = run("cputop");
  const [tid, { ns, unsure }] = [...busy(told)].sort((a, b) => b[1].ns - a[1].ns)[0]!;
  const thread = result.threads.find((one: { thread: { tid: number } }) => one.thread.tid === tid);
  assert.ok(
    thread.runNs >= ns && thread.runNs <= ns + unsure,
    `${thread.runNs} ns, trace-cmd ${ns} ns and at most ${unsure} ns`,
  );
  assert.ok(Math.abs(thread.usage - thread.runNs / result.durationNs) < 1e-6, `usage ${thread.usage}`);
  t.diagnostic(
    `thread ${tid}: ${thread.runNs} ns, by trace-cmd's switches ${ns} ns (+ at most ${unsure} ns)`,
  );
  const moments = (event: RegExp, field: string) =>
    new Set(
      told
        .filter((one) => event.test(one.event))
        .map((one) => `${fieldsOf(one.fields).get(field)} ${one.time.replace(".", "")}`),
    );
  const wakings = moments(/^sched_(waking|wakeup|wakeup_new)$/, "pid");
  const switches = moments(/^sched_switch$/, "next_pid");
  const leaving = moments(/^sched_switch$/, "prev_pid");
  const log = run("schedlog");
  const origin = BigInt(log.beginEpochNs) - BigInt(log.beginNs);
  let rows = 0;
  let unseen = 0;
  for (const row of log.result.log) {
    const at = (relative: number) => `${row.thread?.tid ?? row.wakee?.tid} ${origin + BigInt(relative)}`;
    // Who was woken before it slept has waited since it left its CPU.
    const begin = at(row.wakeupNs);
    // … also where this kernel did not tell that it left.
    if (!wakings.has(begin) && !leaving.has(begin)) {
      assert.ok(unseen++ < putIn, `no sched_waking: ${JSON.stringify(row)}`);
    }
    if (switches.has(at(row.switchNs))) rows++;
  }
  assert.ok(log.result.log.length > 20);
  // The others end with one that this kernel did not tell.
  assert.ok(
    rows + putIn >= log.result.log.length,
    `${rows} of ${log.result.log.length} end with a recorded switch, ${putIn} were put in`,
  );
});

test("every command takes a trace.dat", () => {
  const path = sample("trace-cmd/v7-zstd.dat");
  for (const args of [
    ["info"],
    ["cputop"],
    ["iolatencytop"],
    ["irqstats"],
    ["syscallstats"],
    ["schedtop"],
    ["report"],
    ["all"],
  ]) {
    const run = periscope([...args, path], cache);
    assert.equal(run.code, 0, `${args.join(" ")}: ${run.stderr}`);
    assert.ok(run.stdout.length > 100, args.join(" "));
  }
  const copy = join(directory, "below/deep");
  cpSync(path, join(copy, "one.dat"));
  const run = periscope(["print", "-o", "dummy", join(directory, "below")], cache);
  assert.equal(run.code, 0, run.stderr);
  assert.ok(existsSync(join(cache.XDG_CACHE_HOME, "periscope/ftrace")));
  assert.match(readFileSync(path).subarray(0, 10).toString("latin1"), /tracing/);
});
