/** Runs LTTng analyses (Debian `python3-lttnganalyses`) and Periscope on one trace, in LAMI. */

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { root } from "../../support.js";
import type { Results } from "./compare.js";
import { parseExact } from "./parse.js";

/** One run per family gives all its tables. */
export const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  cputop: ["--limit", "100000"],
  memtop: ["--limit", "100000"],
  iousagetop: ["--stats", "--freq", "--log", "--top", "--limit", "100000"],
  irqstats: ["--freq", "--log"],
  schedstats: ["--freq", "--log", "--top", "--total", "--per-tid", "--per-prio", "--limit", "100000"],
  syscallstats: [],
};

export const installed = spawnSync("which", ["lttng-cputop-mi"]).status === 0;

const cache = join(root, ".cache/reference");

/** What a program prints. */
function output(file: string, args: readonly string[]): Promise<{ text: string; status: number | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
    const parts: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => parts.push(part));
    child.once("error", reject);
    child.once("close", (status) => resolve({ text: Buffer.concat(parts).toString(), status }));
  });
}

/** The same for a trace that was just made: nothing is kept. */
export async function freshReference(command: string, trace: string): Promise<Results | undefined> {
  const args = ["--skip-validation", "--no-intersection", ...FAMILIES[command]!];
  const { text, status } = await output(`lttng-${command}-mi`, [...args, trace]);
  const found = (status === 0 ? parseExact(text) : {}) as Partial<Results>;
  return found.results === undefined ? undefined : (found as Results);
}

/** The reference's results; undefined when it failed. Kept in `.cache/`, since it takes its time. */
export async function reference(command: string, trace: string): Promise<Results | undefined> {
  const args = ["--skip-validation", "--no-intersection", ...FAMILIES[command]!];
  const key = createHash("sha256")
    .update(JSON.stringify([command, args, basename(trace)]))
    .digest("hex")
    .slice(0, 16);
  const path = join(cache, `${command}-${basename(trace)}-${key}.json`);
  if (!existsSync(path)) {
    const { text, status } = await output(`lttng-${command}-mi`, [...args, trace]);
    mkdirSync(cache, { recursive: true });
    writeFileSync(path, status === 0 ? text : "{}");
  }
  const found = parseExact(readFileSync(path, "utf8")) as Partial<Results>;
  return found.results === undefined ? undefined : (found as Results);
}

export async function periscopeResults(command: string, trace: string): Promise<Results | undefined> {
  const { text } = await output(join(root, "bin/periscope"), [command, "--mi", ...FAMILIES[command]!, trace]);
  const found = parseExact(text) as Partial<Results>;
  return found.results === undefined ? undefined : (found as Results);
}
