/** Long-running commands of ours as child processes, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../support.js";

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [key: string]: unknown;
}

const WAIT_MS = 60_000;

export class Program {
  readonly lines: LogLine[] = [];
  /** Lines that are not the log's. */
  readonly other: string[] = [];
  readonly exited: Promise<number | null>;
  readonly #waiters = new Set<() => void>();

  private constructor(readonly child: ChildProcess) {
    let rest = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      rest += bytes.toString();
      const lines = rest.split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("{")) this.lines.push(JSON.parse(line) as LogLine);
        else this.other.push(line);
      }
      for (const waiter of this.#waiters) waiter();
    });
    // Not "exit": lines may still be on their way then.
    this.exited = new Promise((resolve) => child.on("close", (code) => resolve(code)));
  }

  /** Starts `periscope … --log json`. */
  static start(...args: string[]): Program {
    return Program.startBy([], ...args);
  }

  /** The same by a program before it that starts its arguments, like nsenter. */
  static startBy(starter: readonly string[], ...args: string[]): Program {
    const command = [...starter, process.execPath, join(root, "bin/periscope"), ...args, "--log", "json"];
    return new Program(spawn(command[0]!, command.slice(1), { stdio: ["ignore", "ignore", "pipe"] }));
  }

  /** The first line of the log of which `test` is true, from line `from` on. */
  async line(test: (line: LogLine) => boolean, what: string, from = 0): Promise<LogLine> {
    let ended = false;
    const deadline = performance.now() + WAIT_MS;
    void this.exited.then(() => {
      ended = true;
      for (const waiter of this.#waiters) waiter();
    });
    for (;;) {
      const found = this.lines.slice(from).find(test);
      if (found !== undefined) return found;
      if (ended)
        throw new Error(
          `ended before ${what}: ${this.other.join("; ")} ${JSON.stringify(this.lines.slice(-5))}`,
        );
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#waiters.delete(done);
          resolve();
        };
        const timer = setTimeout(() => {
          ended = true;
          this.other.push(`waited for ${WAIT_MS / 1000} s`);
          done();
        }, deadline - performance.now());
        this.#waiters.add(done);
      });
    }
  }

  ready(): Promise<LogLine> {
    return this.line(({ event }) => event === "ready", "it was ready");
  }

  async kill(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.child.kill(signal);
    return await this.exited;
  }
}

/** Arguments of a collector on free ports of loopback. */
export function collectorArguments(store: string): string[] {
  const ports = ["control", "data", "live", "agent", "http"].flatMap((name) => [`--${name}-port`, "0"]);
  return ["collect", "--store", store, ...ports];
}

/** The exit code of a process, once it has ended; null: a signal ended it. */
export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once("exit", resolve);
  });
}

/** Resolves when a process has said `text` on standard error; rejects with all that it said when it ends before. */
export function hasSaid(child: ChildProcess, text: string): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    child.stderr!.on("data", (part: Buffer) => {
      said += part;
      if (said.includes(text)) resolve();
    });
    child.once("exit", () => reject(new Error(said)));
  });
}
