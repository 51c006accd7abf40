// What `periscope record -- COMMAND` answers to whoever called it: what the command would have answered.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { whyNoTracefs } from "../support/tracefs.js";
import { periscope, root } from "../support.js";

const skip = whyNoTracefs();
const directory = mkdtempSync(join(tmpdir(), "periscope-record-exit-"));
after(() => rmSync(directory, { recursive: true, force: true }));

let traces = 0;
const options = (): string[] => [
  ...["record", "--backend", "tracefs", "--events", "sched_process_*", "--json"],
  ...["-o", join(directory, String(traces++))],
];

interface Told {
  readonly path: string;
  readonly command: { readonly exitCode: number | null; readonly signal: string | null };
}

for (const script of ["exit 0", "exit 3", "exit 255", "kill -KILL $$", "kill -TERM $$"]) {
  test(`sh -c "${script}": the shell's own answer`, { skip }, () => {
    // The shell in between says what a caller sees of a command that a signal ended.
    const alone = spawnSync("sh", ["-c", `sh -c '${script}'; exit $?`]).status;
    const recorded = periscope([...options(), "--", "sh", "-c", script]);
    assert.equal(recorded.code, alone, recorded.stderr);
    // Whatever it was, the trace is there.
    const told = JSON.parse(recorded.stdout) as Told;
    assert.equal(periscope(["info", told.path]).code, 0);
  });
}

test("a command that the recording's end ended is no failure", { skip }, async () => {
  const byTime = periscope([...options(), "--duration", "300ms", "--", "sleep", "1000"]);
  assert.equal(byTime.code, 0, byTime.stderr);
  assert.equal((JSON.parse(byTime.stdout) as Told).command.signal, "SIGTERM");
  const child = spawn(
    process.execPath,
    [join(root, "bin/periscope"), ...options(), "--", "sh", "-c", "echo begun; exec sleep 1000"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise((resolve) => child.on("close", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGINT");
  assert.equal(await ended, 0);
});

test("a flight recorder around a command", { skip }, () => {
  const args = ["record", "--flight-recorder", "--backend", "tracefs", "--events", "sched_process_*"];
  const { code, stderr } = periscope([...args, "--name", `exit${process.pid}`, "--", "sh", "-c", "exit 7"]);
  assert.equal(code, 7, stderr);
});
