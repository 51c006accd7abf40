/**
 * Reads damaged traces by the hundred thousand: `npm run fuzz [-- --mutants N --seed S --first N --jobs N]`.
 *
 * Each mutant has a number; `--first N --mutants 1` (with the same seed) repeats one. What should not happen
 * is printed, and its trace kept in .cache/fuzz/.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Random } from "../property/random.js";
import { root } from "../support.js";
import { mutate } from "./mutate.js";
import { collectSeeds } from "./seeds.js";
import { type Job, type Report, writeTrace } from "./worker.js";

/** Milliseconds that one mutant may take. */
const timeLimit = 10_000;

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

const mutants = option("mutants", 20_000);
const seed = option("seed", 1);
const first = option("first", 0);
const jobs = option("jobs", 2);
const keep = join(root, ".cache/fuzz");
const scratch = mkdtempSync(join(tmpdir(), "periscope-fuzz-"));
const total = { refused: 0, partly: 0, wholly: 0, anomalies: 0 };
let running = 0;

function report(mutant: number, text: string): void {
  total.anomalies++;
  console.log(`mutant ${mutant}: ${text}`);
}

/** Keeps a mutant whose worker could not. */
function keepMutant(mutant: number): void {
  const random = new Random(Math.imul(mutant + 1, 0x9e3779b1) ^ seed);
  writeTrace(join(keep, String(mutant)), mutate(random, collectSeeds(join(scratch, "seeds"))));
}

function start(from: number): void {
  if (from >= first + mutants) return;
  running++;
  const progress = new SharedArrayBuffer(4);
  const at = new Int32Array(progress);
  at[0] = -1;
  const job: Job = { seed, first: from, end: first + mutants, step: jobs, scratch, progress, keep };
  const worker = new Worker(fileURLToPath(new URL("./worker.js", import.meta.url)), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  let last = -1;
  let since = Date.now();
  let stopped = false;
  /** Goes on with a new worker after the mutant that this one died of. */
  const replace = (why: string): void => {
    stopped = true;
    const mutant = Math.max(from, Atomics.load(at, 0));
    report(mutant, why);
    keepMutant(mutant);
    start(mutant + jobs);
  };
  const watchdog = setInterval(() => {
    const now = Atomics.load(at, 0);
    if (now !== last) {
      last = now;
      since = Date.now();
    } else if (!stopped && now >= 0 && Date.now() - since > timeLimit) {
      replace(`more than ${timeLimit} ms`);
      void worker.terminate();
    }
  }, 500);
  worker.on("message", (message: Report) => {
    if (message.kind === "anomaly") report(message.mutant, message.text);
    else {
      total.refused += message.refused;
      total.partly += message.partly;
      total.wholly += message.wholly;
    }
  });
  worker.on("error", (error) => {
    if (!stopped) replace(`worker died: ${error.stack ?? error.message}`);
  });
  worker.on("exit", () => {
    clearInterval(watchdog);
    if (--running === 0) finish();
  });
}

function finish(): void {
  rmSync(scratch, { recursive: true, force: true });
  const { refused, partly, wholly, anomalies } = total;
  const seconds = ((Date.now() - begun) / 1000).toFixed(0);
  console.log(
    `${mutants} mutants in ${seconds} s: ${refused} refused with a message, ${partly} read partly, ` +
      `${wholly} read wholly, ${anomalies} anomalies`,
  );
  process.exitCode = anomalies === 0 ? 0 : 1;
}

const begun = Date.now();
mkdirSync(keep, { recursive: true });
for (let i = 0; i < jobs; i++) start(first + i);
