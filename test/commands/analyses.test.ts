// The analysis commands as users and programs call them, on bundled real traces.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root, sample } from "../support.js";

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function periscope(args: readonly string[], env: Record<string, string> = {}): Run {
  return spawnSync(join(root, "bin/periscope"), args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, TZ: "UTC", ...env },
  });
}

const IDLE = sample("idle-small");

/** Text of a command that must succeed. */
function text(...args: string[]): string {
  const { status, stdout, stderr } = periscope(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const COMMANDS = [
  "cputop memtop iousagetop iolatencytop iolatencystats iolatencyfreq iolog irqstats irqfreq irqlog schedtop",
  "schedstats schedfreq schedlog syscallstats futextop all",
]
  .join(" ")
  .split(" ");

for (const command of COMMANDS) {
  test(`${command}: text of any width, JSON, a range without event records`, () => {
    for (const width of [40, 80, 200]) {
      const lines = text(command, "--width", String(width), IDLE).split("\n");
      assert.ok(lines.length > 3);
      for (const line of lines) {
        // The line with the time range has exact times, whatever the width.
        if (!line.startsWith("Timerange:")) assert.ok([...line].length <= width, `${command}: ${line}`);
      }
    }
    const json = JSON.parse(text(command, "--json", IDLE)) as { slices: unknown[]; command: string };
    assert.deepEqual([json.command, json.slices.length], [command, 1]);
    const none = periscope([command, "--begin", "2030-01-01 00:00:00", IDLE]);
    assert.deepEqual([none.status, none.stdout.trim()], [0, ""]);
  });
}

test("the time range is that of the trace, to the nanosecond, in local time or GMT", () => {
  assert.match(
    text("cputop", IDLE),
    /^Timerange: \[2026-11-23 16:55:00\.566161369, 2026-11-23 16:55:02\.426965095\]$/m,
  );
  const there = periscope(["cputop", IDLE], { TZ: "America/Montreal" }).stdout;
  assert.match(there, /^Timerange: \[2026-11-23 11:55:00\.566161369, /m);
  const gmt = periscope(["cputop", "--gmt", IDLE], { TZ: "America/Montreal" }).stdout;
  assert.match(gmt, /^Timerange: \[2026-11-23 16:55:00\.566161369, /m);
});

test("bounds in every form mean the same moment, also with --gmt outside UTC", () => {
  const forms = [
    ["UTC", "2026-11-23 16:55:01.5"],
    ["UTC", "2026-11-23T16:55:01.500000000"],
    ["UTC", "16:55:01.5"],
    ["UTC", "1795452901500000000"],
    ["America/Montreal", "11:55:01.5"],
    ["America/Montreal", "1795452901500000000", "--gmt"],
    ["America/Montreal", "16:55:01.500", "--gmt"],
  ] as const;
  const seen = forms.map(([zone, begin, ...more]) => {
    const run = periscope(["cputop", "--json", "--begin", begin, ...more, IDLE], { TZ: zone });
    assert.equal(run.status, 0, run.stderr);
    return (JSON.parse(run.stdout) as { slices: { beginEpochNs: string }[] }).slices[0]!.beginEpochNs;
  });
  assert.equal(new Set(seen).size, 1, seen.join("\n"));
  assert.match(seen[0]!, /^17954529015\d{8}$/);
  const range = text("cputop", "--timerange", "[16:55:01.5, 2026-11-23 16:55:02]", IDLE);
  assert.match(range, /^Timerange: \[2026-11-23 16:55:01\.5\d+, 2026-11-23 16:55:01\.966168174\]$/m);
});

test("durations and sizes take units, limits may be unlimited, options may be shortened", () => {
  const count = (...args: string[]): number => text(...args, IDLE).split("\n").length;
  assert.equal(count("schedlog", "--min", "1ms"), count("schedlog", "--min", "1000"));
  assert.ok(count("schedlog", "--min", "1ms") < count("schedlog"));
  assert.equal(count("iolog", "--minsize", "4KiB"), count("iolog", "--mins", "4096"));
  const top = (limit: string): number =>
    (
      JSON.parse(text("cputop", "--json", "--lim", limit, IDLE)) as {
        slices: { result: { threads: unknown[] } }[];
      }
    ).slices[0]!.result.threads.length;
  assert.deepEqual([top("1"), top("7")], [1, 7]);
  assert.equal(top("unlimited"), top("0"));
});

test("sections of a family add up, in the family's order", () => {
  const headings = [
    "Scheduling latency stats (per-TID)",
    "frequency distribution - TID",
    "Scheduling log",
    "Scheduling top",
  ];
  const all = text("schedlog", "--top", "--stats", "--freq", IDLE);
  const at = headings.map((heading) => all.indexOf(heading));
  assert.ok(
    at.every((place, i) => place > (at[i - 1] ?? 0)),
    at.join(" "),
  );
});

test("--refresh: adjacent slices that together are the trace", () => {
  const { slices } = JSON.parse(text("irqstats", "--json", "-r", "300ms", IDLE)) as {
    slices: { beginNs: number; endNs: number; result: { count: number } }[];
  };
  const whole = JSON.parse(text("irqstats", "--json", IDLE)) as typeof slices extends (infer S)[]
    ? { slices: S[] }
    : never;
  assert.ok(slices.length >= 5);
  slices.slice(1).forEach((slice, i) => {
    assert.equal(slice.beginNs, slices[i]!.endNs);
    assert.ok(slices[i]!.endNs - slices[i]!.beginNs >= 300e6);
  });
  const sum = slices.reduce((n, slice) => n + slice.result.count, 0);
  // The last event record ends the last slice and is counted in it.
  assert.equal(sum, whole.slices[0]!.result.count);
  assert.equal(text("cputop", "-r", "0.5", IDLE).match(/^Timerange/gm)!.length, 4);
});

test("filters by name, tid and CPU", () => {
  const names = (...args: string[]): string[] =>
    (
      JSON.parse(text("cputop", "--json", "--limit", "unlimited", ...args, IDLE)) as {
        slices: { result: { threads: { thread: { name: string; tid: number } }[] } }[];
      }
    ).slices[0]!.result.threads.map(({ thread }) => thread.name);
  assert.deepEqual([...new Set(names("--procname", "dd"))], ["dd"]);
  assert.deepEqual(names("--tid", "368"), ["dd"]);
  assert.ok(names("--cpu", "0").length < names().length);
});

test("wrong usage: one line, exit code 2", () => {
  const wrong: readonly (readonly [RegExp, ...string[]])[] = [
    [/expected one or more paths/, "cputop"],
    [/no option --bogus/, "cputop", "--bogus", IDLE],
    [/--limit: "x", expected/, "cputop", "--limit", "x", IDLE],
    [/invalid duration: "soon"/, "cputop", "--refresh", "soon", IDLE],
    [/unrecognised units: "5 parsecs"/, "schedlog", "--min", "5 parsecs", IDLE],
    [/--timerange: "1,2", expected \[BEGIN,END\]/, "cputop", "--timerange", "1,2", IDLE],
    [/--cpu: "a", expected whole numbers/, "cputop", "--cpu", "a", IDLE],
    [/the end is before the trace begins/, "cputop", "--end", "2001-01-01 00:00:00", IDLE],
    [/expected \[YYYY-MM-DD \]hh:mm:ss/, "cputop", "--begin", "tomorrow", IDLE],
    [/--per-t.* may be|no option --minsize/, "schedlog", "--minsize", "1", IDLE],
  ];
  for (const [message, ...args] of wrong) {
    const { status, stdout, stderr } = periscope(args);
    assert.deepEqual([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1);
  }
});

/** Recorded without memory events. */
const NO_MEMORY = join(root, ".cache/traces/case1-slow");
const withoutMemory = { skip: existsSync(NO_MEMORY) ? false : "needs ../shared/traces" };

test("a trace without the events that a command needs: they are named, exit code 1", withoutMemory, () => {
  const { status, stdout, stderr } = periscope(["memtop", NO_MEMORY]);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /no kmem_mm_page_alloc, kmem_mm_page_free \(lttng enable-event --kernel/);
  // The other analyses are made.
  assert.match(text("all", NO_MEMORY), /Per-TID Usage.*Not told: memory: .*Syscalls latency statistics/s);
  const bad = periscope(["memtop", "--mi", "--test-compatibility", NO_MEMORY]);
  assert.equal(bad.status, 1);
  const error = JSON.parse(bad.stdout) as Record<string, string>;
  assert.match(error["error-message"]!, /kmem_mm_page_alloc/);
  assert.equal(error["error-code"], "failed");
});

test("a user-space trace is no kernel trace", () => {
  const ust = periscope(["cputop", sample("ust/uid-two-chunks")]);
  assert.equal(ust.status, 1);
  assert.match(ust.stderr, /expected a kernel trace/);
});

test("LAMI: version, compatibility, errors as objects, progress before results", () => {
  assert.equal(text("irqlog", "--mi-version"), "1.0\n");
  const good = periscope(["cputop", "--mi", "--test-compatibility", IDLE]);
  assert.deepEqual([good.status, good.stdout], [0, ""]);
  const usage = periscope(["cputop", "--mi"]);
  assert.equal(usage.status, 2);
  assert.equal((JSON.parse(usage.stdout) as Record<string, string>)["error-code"], "wrong-usage");
  const lines = text("schedlog", "--mi", "--output-progress", IDLE).trim().split("\n");
  for (const line of lines.slice(0, -1)) assert.match(line, /^[01](\.\d+)? \S/);
  assert.ok((JSON.parse(lines.at(-1)!) as { results: unknown[] }).results.length > 0);
  const none = periscope(["cputop", "--mi", "--begin", "1999999999999999999", "--limit", "unlimited", IDLE]);
  assert.deepEqual([none.status, JSON.parse(none.stdout)], [0, { results: [] }]);
});

test("LAMI with several slices: a table per slice, and the summary", () => {
  const { results } = JSON.parse(text("cputop", "--mi", "--refresh", "0.5", IDLE)) as {
    results: { class: string; data: unknown[] }[];
  };
  const classes = results.map((table) => table.class);
  assert.equal(classes.filter((name) => name === "per-process").length, 4);
  assert.equal(classes.at(-1), "summary");
  assert.equal(results.at(-1)!.data.length, 4);
});

test("lami install: launchers run from anywhere, and never replace what is not ours", () => {
  const directory = mkdtempSync(join(tmpdir(), "periscope-lami-"));
  try {
    const first = periscope(["lami", "install", directory]);
    assert.equal(first.status, 0, first.stderr);
    assert.equal(readdirSync(directory).filter((name) => name.endsWith("-mi")).length, 19);
    assert.equal(periscope(["lami", "install", directory]).status, 0);
    const run = spawnSync(join(directory, "lttng-cputop-mi"), ["--metadata"], {
      encoding: "utf8",
      cwd: "/",
      env: { PATH: "/nonexistent" },
    });
    assert.equal((JSON.parse(run.stdout) as { title: string }).title, "Top CPU usage");
    spawnSync("sh", ["-c", `echo theirs > ${directory}/lttng-memtop`]);
    const refused = periscope(["lami", "install", directory]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /lttng-memtop .*is not ours; --force replaces/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("an analysis of somebody else: text, JSON, LAMI, options, from the module alone", () => {
  const file = join(root, "examples/switches.mjs");
  assert.match(text("run", file, "--limit", "3", IDLE), /Context switches by thread/);
  const json = JSON.parse(text("run", file, "--json", "--tid", "368", IDLE)) as {
    slices: { result: { rows: { thread: { tid: number } }[]; execs: number } }[];
  };
  assert.deepEqual(
    json.slices[0]!.result.rows.map((row) => row.thread.tid),
    [368],
  );
  assert.equal(json.slices[0]!.result.execs, 8);
  const lami = JSON.parse(text("run", file, "--mi", IDLE)) as { results: { class: string }[] };
  assert.equal(lami.results[0]!.class, "switches");
  const wrong = periscope(["run", join(root, "dist/index.js"), IDLE]);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /expected an analysis as the default export/);
});
