/**
 * Kept state histories for tests: a folder for everything that is written, servers that are asked everything, and what
 * they opened and kept.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext } from "node:test";
import { HistoryBuilder } from "../../src/history/builder.js";
import type { History } from "../../src/history/history.js";
import { openSource } from "../../src/sources/ctf.js";
import { sample } from "../support.js";
import { type RunningServer, startServer } from "./server.js";

export const trace = sample("idle-small");
/** With rows of so many states that they have an overview. */
export const larger = sample("dns-outlier");

let folder: string;
const mounted: string[] = [];
const truths = new Map<string, Promise<string>>();

/** For files whose tests write: makes the folder, and takes it away with all that was mounted there. */
export function useFolder(): void {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "periscope-history-"));
  });
  after(() => {
    for (const path of mounted) spawnSync("umount", ["-l", path]);
    rmSync(folder, { recursive: true, force: true });
  });
}

/** A new folder for one test. */
export function own(): string {
  return mkdtempSync(join(folder, "test-"));
}

/** What a server that keeps nothing answers about a trace. */
export function truthOf(path: string): Promise<string> {
  let truth = truths.get(path);
  if (truth === undefined) truths.set(path, (truth = withoutCache(path)));
  return truth;
}

async function withoutCache(path: string): Promise<string> {
  const cache = own();
  const server = await startServer("serve", ["--no-cache", path], cache);
  const said = await answers(server);
  await server.stop();
  assert.deepEqual(histories(cache), []);
  return said;
}

/** A file system of its own at `path`; false: this machine does not let us. */
export function mount(t: TestContext, path: string, options: string): boolean {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], {
    encoding: "utf8",
  });
  if (status !== 0) {
    t.skip(`no tmpfs may be mounted here: ${stderr?.trim()}`);
    return false;
  }
  mounted.push(path);
  return true;
}

export function makeReadOnly(path: string): void {
  const { status, stderr } = spawnSync("mount", ["-o", "remount,ro", path], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

export async function ask(server: RunningServer, path: string): Promise<Buffer> {
  const answer = await fetch(`${server.url}/api/experiments${path}`);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${path}: ${body.toString().slice(0, 300)}`);
  return body;
}

interface Whole {
  readonly id: string;
  readonly status: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly eventRecords: number;
  readonly rows: readonly { id: number; states: number; kind: string }[];
  readonly notes: readonly string[];
}

/** The experiment once all is read (and kept: that is done in the same breath). */
export async function whole(server: RunningServer): Promise<Whole> {
  for (;;) {
    const [first] = JSON.parse((await ask(server, "")).toString()) as { id: string; status: string }[];
    assert.notEqual(first!.status, "failed");
    if (first!.status === "ready")
      return JSON.parse((await ask(server, `/${first!.id}`)).toString()) as Whole;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Everything that a history can be asked, as one sum. */
export async function answers(server: RunningServer): Promise<string> {
  const { id, beginNs, endNs, rows, eventRecords } = await whole(server);
  const [last, ns] = [rows.length - 1, endNs - beginNs];
  const range = (from: number, to: number): string =>
    `begin=${Math.round(beginNs + from * ns)}&end=${Math.round(beginNs + to * ns)}`;
  const hash = createHash("sha256").update(JSON.stringify([rows, beginNs, endNs, eventRecords]));
  const level = Math.ceil(Math.log2(ns / 512));
  for (const path of [
    `tile?rows=0-${last}&level=${level}&index=0`,
    `tile?rows=0-${last}&level=${level - 6}&index=17`,
    `tile?rows=0-${last}&level=${level - 12}&index=999`,
    `states?rows=0-${last}&${range(0, 1)}`,
    `states?rows=0-${last}&${range(0.4, 0.41)}`,
    `arrows?${range(0.2, 0.3)}`,
    `density?${range(0, 1)}&pixels=1000`,
    `series?${range(0, 1)}&pixels=300`,
    `range?${range(0, 1)}`,
    `range?${range(0.5, 0.6)}`,
  ])
    hash.update(await ask(server, `/${id}/${path}`));
  return hash.digest("hex");
}

function keptIn(cache: string): string {
  return join(cache, "periscope/history");
}

export function histories(cache: string): string[] {
  return existsSync(keptIn(cache)) ? readdirSync(keptIn(cache)).sort() : [];
}

export function onlyHistory(cache: string): string {
  const names = histories(cache);
  assert.equal(names.length, 1, names.join(" "));
  return join(keptIn(cache), names[0]!);
}

/** Histories that a running program has open: those that it reads from. */
export function openHistories({ pid }: RunningServer): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${name}`);
      return /\.history\b/.test(path) ? [path] : [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** Starts a server, asks it everything, stops it. */
export async function visit(
  trace: string,
  cache: string,
): Promise<{ answers: string; opened: string[]; notes: readonly string[]; errors: string }> {
  const server = await startServer("serve", [trace], cache);
  try {
    const { notes } = await whole(server);
    const opened = openHistories(server);
    const said = await answers(server);
    return { answers: said, opened, notes, errors: await stopped(server) };
  } finally {
    if (!stoppedServers.has(server)) await server.stop();
  }
}

const stoppedServers = new WeakSet<RunningServer>();

/** Stops a server; what it said on standard error. */
export async function stopped(server: RunningServer): Promise<string> {
  stoppedServers.add(server);
  await server.stop();
  return server.errors();
}

let history: History | undefined;

/** The larger sample's history, built in this process. */
export function built(): History {
  if (history === undefined) {
    const builder = new HistoryBuilder(openSource([larger]));
    while (!builder.step(Number.POSITIVE_INFINITY));
    history = builder.history;
  }
  return history;
}
