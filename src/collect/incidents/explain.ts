/**
 * Runs `why` over what an incident gathered, one at a time, and stores the answer beside the traces. Where nobody chose
 * periods and the trigger names a thread: that thread's critical path; where there are none at all: `report`.
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
    let command: readonly string[] = [];
    let failure: string | undefined = nothingToExplain(incident);
    let note = "";
    const all = failure === undefined ? explanations(incident, this.options.whyArguments) : [];
    for (const [next, heading] of all) {
      if (failure !== undefined) note = `${failure.replace(/^periscope: (why: )?/, "")}\n`;
      command = next;
      failure = await this.#run(directory, "txt", command);
      if (failure === undefined && heading !== "") note += `${heading}:\n`;
      if (failure === undefined || this.#closed) break;
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

/** Of what came after it, nothing says why it was late; `why` would find nothing wrong there. */
function nothingToExplain({ hosts }: Incident): string | undefined {
  const saved = [...hosts.values()].filter(({ state }) => state === "stored" || state === "late");
  return saved.length > 0 && saved.every(({ state }) => state === "late")
    ? "no trace reaches back to the trigger: nothing in them can say why it was late"
    : undefined;
}

type Explanation = readonly [command: readonly string[], heading: string];

/** Commands that explain it, best first, each with its heading: the next one is for when one has nothing to say. */
function explanations(incident: Incident, whyArguments: readonly string[]): Explanation[] {
  const why: Explanation = [["why", ...whyArguments], ""];
  const report: Explanation = [["report"], "What the machines did"];
  const thread = threadExplanation(incident);
  if (thread === undefined) return [why, report];
  // Periods that somebody chose tell more; those of a profile that merely fits may be of quite another service.
  return whyArguments.includes("--profile") ? [why, thread, report] : [thread, why, report];
}

/** Where the time went of the thread that the trigger names, in the time that it says it was late. */
function threadExplanation({ attributes, atNs, host, hosts }: Incident): Explanation | undefined {
  const thread = Number(attributes["tid"] ?? attributes["pid"]);
  const durationMs = Number(attributes["duration_ms"]);
  if (!(Number.isSafeInteger(thread) && thread > 0 && durationMs > 0 && durationMs < MOST_MS))
    return undefined;
  const beginNs = atNs - BigInt(Math.round(durationMs * 1e6));
  const range = ["--begin", String(beginNs), "--end", String(atNs)];
  const whose = hosts.size > 1 && hosts.has(host) ? ["--host", host] : [];
  return [
    ["critical-path", "--tid", String(thread), ...whose, ...range],
    `Where the time of thread ${thread} went`,
  ];
}

function summaryOf(path: string): string {
  const lines = readFileSync(path, "utf8").split("\n");
  const text = lines.filter((line) => line.trim() !== "").slice(0, SUMMARY_LINES);
  return text.join("\n").slice(0, SUMMARY_CHARACTERS);
}
