/** `periscope serve` and `periscope view` as child processes, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../support.js";

export interface RunningServer {
  /** `http://127.0.0.1:PORT`, with the prefix where one was given. */
  readonly url: string;
  readonly cache: string;
  readonly pid: number;
  /** What it has written to standard error by now. */
  errors(): string;
  stop(): Promise<void>;
}

/**
 * Starts the command on a free port with a cache folder of its own (or one of before); resolves when it listens.
 * `program` is the command line of a copy of Periscope.
 */
export async function startServer(
  command: "serve" | "view",
  args: readonly string[],
  cacheFolder?: string,
  program = join(root, "bin/periscope"),
): Promise<RunningServer> {
  const cache = cacheFolder ?? mkdtempSync(join(tmpdir(), "periscope-cache-"));
  const more = command === "view" ? ["--no-browser"] : [];
  const child: ChildProcess = spawn(process.execPath, [program, command, "--port", "0", ...more, ...args], {
    env: { ...process.env, XDG_CACHE_HOME: cache, TZ: "UTC" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    errors += bytes.toString();
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      const [, found] = /^(http:\S+?)\/?(?:tsp\/api)?\n/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${errors}`)));
  });
  return {
    url,
    cache,
    pid: child.pid!,
    errors: () => errors,
    stop: () =>
      new Promise((resolve) => {
        // Closed, not only ended: all it said is read then.
        child.once("close", () => {
          if (cacheFolder === undefined) rmSync(cache, { recursive: true, force: true });
          resolve();
        });
        child.kill("SIGTERM");
      }),
  };
}
