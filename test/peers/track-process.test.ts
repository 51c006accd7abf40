// track-process against babeltrace2's text: who ran is worked out here from sched_switch alone. (The reference,
// lttng-track-process, stops at the first sched_wakeup of these traces: it expects a field of 2012.)
import assert from "node:assert/strict";
import { test } from "node:test";
import { needs, periscope, sample } from "../support.js";
import { integer, readLines, string } from "./lami/truth.js";

const IDLE = sample("idle-small");

function ours(...args: string[]): string[] {
  const { code, stdout, stderr } = periscope(["track-process", "--gmt", ...args, IDLE]);
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) =>
      /^\[ *(\d+|\?)\] \[(\S+)\] (\w+): \{ cpu_id = (\d+) \}, \{ /.exec(line)!.slice(2, 5).join(" "),
    );
}

/** Lines of tracked threads; `learn` may add to the set. */
function theirs(tracked: Set<number>, learn: (name: string, payload: string) => void = () => {}): string[] {
  const { lines, originSecond } = readLines(IDLE);
  const current = new Map<number, number>();
  const out: string[] = [];
  for (const { ns, cpu, name, tid, payload } of lines) {
    learn(name, payload);
    const running = current.get(cpu) ?? tid;
    let keep = tracked.has(running);
    if (name === "sched_switch") {
      keep ||= tracked.has(integer(payload, "prev_tid")) || tracked.has(integer(payload, "next_tid"));
      current.set(cpu, integer(payload, "next_tid"));
    } else if (name.startsWith("lttng_statedump_")) keep = tracked.has(integer(payload, "tid"));
    if (!keep) continue;
    const time = new Date((originSecond + Math.floor(ns / 1e9)) * 1000).toISOString().slice(11, 19);
    out.push(`${time}.${String(ns % 1e9).padStart(9, "0")} ${name} ${cpu}`);
  }
  return out;
}

const options = { skip: needs("babeltrace2") };

test("one thread: what happens while it runs, and the switches to and from it, each once", options, () => {
  const wanted = theirs(new Set([368]));
  assert.ok(wanted.length > 2000);
  assert.deepEqual(ours("--tid", "368"), wanted);
});

test("by name: from the moment that something shows the name", options, () => {
  const tracked = new Set<number>();
  const wanted = theirs(tracked, (name, payload) => {
    for (const [comm, tid] of [
      ["comm", "tid"],
      ["name", "tid"],
      ["next_comm", "next_tid"],
      ["prev_comm", "prev_tid"],
      ["parent_comm", "parent_tid"],
      ["child_comm", "child_tid"],
    ] as const) {
      if (string(payload, comm) === "find") tracked.add(integer(payload, tid));
    }
    if (name === "sched_process_exec" && string(payload, "filename").endsWith("/find"))
      tracked.add(integer(payload, "tid"));
  });
  assert.deepEqual([...tracked], [366]);
  const found = ours("-n", "find");
  // The entry of execve tells the name, too, a little earlier than the exec itself.
  assert.ok(found.length >= wanted.length);
  assert.deepEqual(found.slice(found.length - wanted.length), wanted);
});

test("children of a shell, and JSON", options, () => {
  const all = ours("--tid", "303");
  const family = ours("--tid", "303", "--follow-child");
  assert.ok(family.length > 2 * all.length);
  const { stdout } = periscope(["track-process", "--tid", "368", "--json", IDLE]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, ours("--tid", "368").length);
  for (const line of lines.slice(0, 50)) assert.ok("payload" in (JSON.parse(line) as object));
});
