/** What whole-program tests share: where things are, how to run them, what to skip. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root (tests run from build/test/). */
export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const traces = join(root, ".cache/traces");

/** Path of a shared trace, or undefined where the shared traces are not (a user's machine). */
export function sharedTrace(name: string): string | undefined {
  const path = join(traces, name);
  return existsSync(path) ? path : undefined;
}

export const sample = (name: string): string => join(root, "samples", name);

/** For `test(name, { skip }, ...)`: why a test cannot run here, or false. */
export function needs(...what: (string | undefined | "babeltrace2")[]): string | false {
  for (const item of what) {
    if (item === undefined) return "the shared traces are not here";
    if (item === "babeltrace2" && !hasBabeltrace2()) return "babeltrace2 is not installed";
  }
  return false;
}

let babeltrace: boolean | undefined;

function hasBabeltrace2(): boolean {
  babeltrace ??=
    spawnSync("babeltrace2", ["--version"], { encoding: "utf8" }).stdout?.includes("2.0.4") ?? false;
  return babeltrace;
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = { ...process.env, TZ: "America/New_York", NO_COLOR: "1" };

function run(file: string, args: readonly string[], env: Record<string, string> = {}): Run {
  const result = spawnSync(file, args, {
    cwd: root,
    env: { ...environment, ...env },
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  if (result.error) throw result.error;
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Runs the command line. Output is latin1: a byte a character. */
export function periscope(args: readonly string[], env: Record<string, string> = {}): Run {
  return run(process.execPath, [join(root, "bin/periscope"), ...args], env);
}

export function babeltrace2(args: readonly string[]): Run {
  return run("babeltrace2", args);
}

/** Fails with the first lines that differ, instead of printing megabytes. */
export function assertSameText(ours: string, theirs: string, what: string): void {
  if (ours === theirs) return;
  const a = ours.split("\n");
  const b = theirs.split("\n");
  const at = a.findIndex((line, i) => line !== b[i]);
  const line = at < 0 ? a.length : at;
  throw new Error(
    `${what}: line ${line + 1} of ${a.length} (expected ${b.length}) differs\n  ours:   ${a[line]}\n  theirs: ${b[line]}`,
  );
}
