import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { startTime } from "./process.js";

const state = (pid: number) =>
  spawnSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();

test("a process has a start time as long as it runs, not while its parent is to ask for its end", async () => {
  assert.match(startTime(process.pid)!, /^\d+$/);
  // Its parent becomes a program that never asks.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    for (let tries = 0; state(pid) !== "Z"; tries++) {
      assert.ok(tries < 100, `state ${state(pid)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(startTime(pid), undefined);
    assert.notEqual(startTime(parent.pid!), undefined);
  } finally {
    parent.kill();
  }
  await new Promise((resolve) => parent.once("exit", resolve));
  assert.equal(startTime(parent.pid!), undefined);
});
