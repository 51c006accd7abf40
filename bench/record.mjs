// What recording costs a program that does little but what is recorded: system calls, and context switches. Without a
// recorder, with `periscope record`, and with `trace-cmd record` and `perf record` of the same events and buffers, in turns.
//
//   npm run bench:record [-- --runs 5] [--calls 2000000] [--switches 100000] [--buffer-size 8M]
//
// Needs root. The programs take their own time, so that neither recorder's start nor its end counts.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { recordByTraceCmd } from "../build/test/support/trace-cmd.js";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    calls: { type: "string", default: "2000000" },
    switches: { type: "string", default: "100000" },
    "buffer-size": { type: "string", default: "8M" },
  },
});
const runs = Number(values.runs);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const directory = mkdtempSync(join(tmpdir(), "periscope-bench-record-"));
const program = join(root, "bin/periscope");
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

const SOURCE = `#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static void calls(int n) { for (int i = 0; i < n; i++) syscall(SYS_getppid); }
static void switches(int n) {
  int to[2], back[2];
  char c = 0;
  if (pipe(to) || pipe(back)) exit(1);
  if (fork() == 0) {
    for (int i = 0; i < n; i++) if (read(to[0], &c, 1) != 1 || write(back[1], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  for (int i = 0; i < n; i++) if (write(to[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) exit(1);
  wait(NULL);
}
int main(int argc, char **argv) {
  double began = now();
  (argv[1][0] == 'c' ? calls : switches)(atoi(argv[2]));
  FILE *out = fopen(argv[3], "w");
  fprintf(out, "%.6f\\n", now() - began);
  return fclose(out);
}
`;
const timeFile = join(directory, "seconds");
const work = join(directory, "work");
const seconds = () => Number(execFileSync("cat", [timeFile], { encoding: "utf8" }));

function sizeOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function must(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 6).join(" ")}: ${stderr.slice(-500)}`);
  return { stdout, stderr };
}

/** Events that `periscope record` switches on, as tracefs names them: `trace-cmd` gets the same. */
function eventsOfPeriscope() {
  const output = join(directory, "look");
  const { stdout } = must(program, [
    ...["record", "--backend", "tracefs", "-o", output, "--"],
    ...["sh", "-c", "cat /sys/kernel/tracing/instances/periscope*/set_event"],
  ]);
  rmSync(output, { recursive: true });
  const events = [...new Set(stdout.match(/^[\w-]+:[\w-]+$/gm))];
  if (events.length === 0) throw new Error(`no events in ${stdout.slice(0, 300)}`);
  return events;
}

const recorders = {
  "no recorder": (args) => {
    must(work, args);
    return { seconds: seconds() };
  },
  "periscope record": (args) => {
    const output = join(directory, "trace");
    const options = ["--backend", "tracefs", "--buffer-size", values["buffer-size"], "--json", "-o", output];
    const began = performance.now();
    const { stdout } = must(program, ["record", ...options, "--", work, ...args]);
    const whole = (performance.now() - began) / 1000;
    const told = JSON.parse(stdout.slice(stdout.indexOf("{")));
    const result = { seconds: seconds(), whole, bytes: sizeOf(output), ...countsOf(told) };
    rmSync(output, { recursive: true });
    return result;
  },
};
const countsOf = (told) => {
  const find = (value, names) => {
    for (const [key, inner] of Object.entries(value ?? {})) {
      if (names.test(key) && typeof inner !== "object") return Number(inner);
      const found = typeof inner === "object" ? find(inner, names) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return { records: find(told, /^(eventRecords|records|events)$/), lost: find(told, /lost/i) };
};

const bufferKb = Math.round(
  Number.parseFloat(values["buffer-size"]) * (values["buffer-size"].endsWith("M") ? 1024 : 1),
);
/** In a mount namespace where files that some kernels forbid to write are plain ones; see test/support/trace-cmd.ts. */
function traceCmd(events) {
  return (args) => {
    const output = join(directory, "trace.dat");
    const options = ["-b", String(bufferKb), ...events.flatMap((name) => ["-e", name])];
    const began = performance.now();
    const why = recordByTraceCmd(output, options, [work, ...args].join(" "));
    if (why !== false) throw new Error(why);
    const whole = (performance.now() - began) / 1000;
    // Told when recording ended: what was read of the ring buffers, and what was left in them to be read.
    const { stdout } = must("sh", [
      "-c",
      `trace-cmd report -q --stat -i ${output} | grep -aE '^[a-z ]+: +[0-9]+$'`,
    ]);
    const sum = (name) =>
      [...stdout.matchAll(new RegExp(`^(?:${name}): +(\\d+)$`, "gm"))].reduce(
        (all, [, n]) => all + Number(n),
        0,
      );
    const result = {
      seconds: seconds(),
      whole,
      // Compressed, since version 3.
      bytes: sizeOf(output),
      records: sum("read events|entries"),
      lost: sum("overrun|dropped events"),
    };
    rmSync(output);
    return result;
  };
}

/** All CPUs, as Periscope records. */
function perf(events) {
  return (args) => {
    const output = join(directory, "perf.data");
    const options = ["-a", "-m", `${bufferKb}K`, ...events.flatMap((name) => ["-e", name]), "-o", output];
    const began = performance.now();
    must("perf", ["record", ...options, "--", work, ...args]);
    const whole = (performance.now() - began) / 1000;
    const { stdout } = must("perf", ["report", "--stats", "-i", output]);
    const count = (name) => Number(new RegExp(`^\\s*${name} events:\\s+(\\d+)`, "m").exec(stdout)?.[1] ?? 0);
    const result = {
      seconds: seconds(),
      whole,
      bytes: sizeOf(output),
      records: count("SAMPLE"),
      // A stretch, of which the number of event records is not summed up by perf.
      lost: count("LOST") === 0 ? 0 : `in ${count("LOST")} places`,
    };
    rmSync(output);
    return result;
  };
}

try {
  writeFileSync(join(directory, "work.c"), SOURCE);
  must("gcc", ["-O2", "-o", work, "work.c"]);
  const events = eventsOfPeriscope();
  for (const [name, peer] of [
    ["trace-cmd record", traceCmd(events)],
    ["perf record", perf(events)],
  ]) {
    try {
      peer(["calls", "1", timeFile]);
      recorders[name] = peer;
    } catch (error) {
      console.log(`${name}: cannot record here, and is left out: ${error.message.trim().split("\n").at(-1)}`);
    }
  }
  console.log(
    `Node ${process.version}, ${cpus().length} CPUs, ${events.length} events, buffers of ${bufferKb} KB per CPU, medians of ${runs}; ${new Date().toISOString()}`,
  );
  const head = ["work", "with", "its time", "range", "ratio", "until saved", "records", "lost", "size"];
  const lines = [];
  for (const [name, args] of [
    [`${values.calls} calls of getppid`, ["calls", values.calls, timeFile]],
    [`${values.switches} times there and back by pipes`, ["switches", values.switches, timeFile]],
  ]) {
    const results = new Map(Object.keys(recorders).map((recorder) => [recorder, []]));
    for (let i = 0; i < runs; i++)
      for (const [recorder, list] of results) list.push(recorders[recorder](args));
    const alone = median(results.get("no recorder").map((result) => result.seconds));
    for (const [recorder, list] of results) {
      const of = (key) => list.map((result) => result[key]);
      const time = median(of("seconds"));
      const last = list.at(-1);
      lines.push([
        recorder === "no recorder" ? name : "",
        recorder,
        `${time.toFixed(2)} s`,
        `${Math.min(...of("seconds")).toFixed(2)}-${Math.max(...of("seconds")).toFixed(2)}`,
        `${(time / alone).toFixed(2)} x`,
        last.whole === undefined ? "" : `${median(of("whole")).toFixed(2)} s`,
        last.records === undefined ? "" : String(median(of("records"))),
        last.lost === undefined ? "" : String(typeof last.lost === "string" ? last.lost : median(of("lost"))),
        last.bytes === undefined ? "" : `${(median(of("bytes")) / 1e6).toFixed(1)} MB`,
      ]);
    }
  }
  const widths = head.map((text, i) => Math.max(text.length, ...lines.map((line) => line[i].length)));
  for (const line of [head, ...lines])
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
