/**
 * Runs `why` over what an incident gathered, one at a time, and stores the answer beside the traces. Where there are no
 * periods to explain: the critical path of the thread that the trigger names, else `report`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../log.js";
import type { Incident } from "./incident.js";

const TIMEOUT_MS = 10 * 60_000;
/** No flight recorder remembers an hour. */
const MOST_MS = 3_600_000;
const SUMMARY_LINES = 6;
const SUMMARY_CHARACTERS = 1000;

export interface ExplainOptions {
  readonly store: string;
  /** The program `periscope`. */
  readonly program: string;
  /** Further arguments of `why`: periods, threshold. */
  readonly whyArguments: readonly string[];
}

export class Explainer {
  readonly #waiting: Incident[] = [];
  #running: ChildProcess | undefined;
  #busy = false;
  #closed = false;

  constructor(
    private readonly options: ExplainOptions,
    private readonly update: (incident: Incident) => void,
    private readonly log: Logger,
  ) {}

  explain(incident: Incident): void {
    if (!this.#waiting.includes(incident)) this.#waiting.push(incident);
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (
      let next = this.#waiting.shift();
      next !== undefined && !this.#closed;
      next = this.#waiting.shift()
    ) {
      await this.#explain(next);
    }
    this.#busy = false;
  }

  async #explain(incident: Incident): Promise<void> {
    incident.why = "running";
    this.update(incident);
    const directory = join(this.options.store, "incidents", incident.id);
    let command: readonly string[] = ["why", ...this.options.whyArguments];
    let failure = await this.#run(directory, "txt", command);
    let note = "";
    for (const [next, says] of instead(incident)) {
      if (failure === undefined || this.#closed) break;
      if (note === "") note = `${failure.replace(/^periscope: (why: )?/, "")}\n`;
      command = next;
      failure = await this.#run(directory, "txt", command);
      if (failure === undefined) note += `${says}:\n`;
    }
    if (this.#closed) return;
    if (failure === undefined) await this.#run(directory, "json", [...command, "--json"]);
    incident.why = failure === undefined ? "stored" : "failed";
    incident.whySummary = failure ?? note + summaryOf(join(directory, "why.txt"));
    this.update(incident);
    this.log(failure === undefined ? "info" : "warn", "why", {
      incident: incident.id,
      state: incident.why,
      reason: failure,
    });
  }

  /** Answers what went wrong, if anything did. */
  async #run(
    directory: string,
    format: "txt" | "json",
    command: readonly string[],
  ): Promise<string | undefined> {
    const file = await open(join(directory, `why.${format}`), "w");
    try {
      return await new Promise((resolve) => {
        const { program } = this.options;
        // Whoever else works on this machine goes first.
        const child = spawn("nice", ["-n", "20", process.execPath, program, ...command, directory], {
          stdio: ["ignore", file.fd, "pipe"],
          timeout: TIMEOUT_MS,
          env: { ...process.env, NO_COLOR: "1" },
        });
        this.#running = child;
        let errors = "";
        child.stderr?.on("data", (bytes: Buffer) => {
          if (errors.length < 4000) errors += bytes.toString();
        });
        child.on("error", (error) => resolve(error.message));
        child.on("close", (code, signal) => {
          const reason = errors.trim().split("\n").at(-1)?.slice(0, SUMMARY_CHARACTERS);
          resolve(code === 0 ? undefined : reason || `${command[0]} ended with ${signal ?? code}`);
        });
      });
    } finally {
      this.#running = undefined;
      await file.close();
    }
  }

  close(): void {
    this.#closed = true;
    this.#running?.kill();
  }
}

/** What is told when no periods are known to explain, best first, each with its heading. */
function instead({ attributes, atNs, host, hosts }: Incident): (readonly [readonly string[], string])[] {
  const commands: (readonly [readonly string[], string])[] = [];
  const thread = Number(attributes["tid"] ?? attributes["pid"]);
  const durationMs = Number(attributes["duration_ms"]);
  if (Number.isSafeInteger(thread) && thread > 0 && durationMs > 0 && durationMs < MOST_MS) {
    const beginNs = atNs - BigInt(Math.round(durationMs * 1e6));
    const range = ["--begin", String(beginNs), "--end", String(atNs)];
    const whose = hosts.size > 1 && hosts.has(host) ? ["--host", host] : [];
    commands.push([
      ["critical-path", "--tid", String(thread), ...whose, ...range],
      `Where the time of thread ${thread} went instead`,
    ]);
  }
  commands.push([["report"], "What the machines did instead"]);
  return commands;
}

function summaryOf(path: string): string {
  const lines = readFileSync(path, "utf8").split("\n");
  const text = lines.filter((line) => line.trim() !== "").slice(0, SUMMARY_LINES);
  return text.join("\n").slice(0, SUMMARY_CHARACTERS);
}
