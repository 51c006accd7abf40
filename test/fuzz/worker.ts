/** One thread of the fuzzer: makes mutants by number and reads them. Says which one it is at in shared memory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { Random } from "../property/random.js";
import { mutate } from "./mutate.js";
import { collectSeeds, type Seed } from "./seeds.js";
import { type Format, tryTrace } from "./try.js";

export interface Job {
  readonly seed: number;
  readonly first: number;
  readonly end: number;
  readonly step: number;
  readonly scratch: string;
  readonly progress: SharedArrayBuffer;
  /** Where mutants with anomalies are kept. */
  readonly keep: string;
}

export type Report =
  | { readonly kind: "figures"; readonly refused: number; readonly partly: number; readonly wholly: number }
  | { readonly kind: "anomaly"; readonly mutant: number; readonly text: string };

/** Bytes by which the process may grow while one mutant is read. */
const memoryLimit = 512 << 20;

/** Printing costs most: every mutant is printed in one format, every fourth is also read otherwise. */
function formatsOf(mutant: number): readonly Format[] {
  const formats: Format[] = [(mutant >> 1) & 1 ? "json" : "text"];
  if ((mutant & 12) === 4) formats.push("dummy");
  if ((mutant & 12) === 8) formats.push("summary");
  return formats;
}

export function writeTrace(directory: string, trace: Seed): void {
  rmSync(directory, { recursive: true, force: true });
  for (const [name, bytes] of trace.files) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

function work(job: Job): void {
  const scratch = mkdtempSync(join(job.scratch, "worker-"));
  const seeds = collectSeeds(join(scratch, "seeds"));
  const progress = new Int32Array(job.progress);
  const path = join(scratch, "trace");
  let figures = { refused: 0, partly: 0, wholly: 0 };
  const tell = (report: Report) => parentPort!.postMessage(report);
  const tellFigures = () => {
    tell({ kind: "figures", ...figures });
    figures = { refused: 0, partly: 0, wholly: 0 };
  };
  for (let mutant = job.first; mutant < job.end; mutant += job.step) {
    const random = new Random(Math.imul(mutant + 1, 0x9e3779b1) ^ job.seed);
    const trace = mutate(random, seeds);
    writeTrace(path, trace);
    Atomics.store(progress, 0, mutant);
    const before = process.memoryUsage.rss();
    const { outcome, anomalies } = tryTrace(path, formatsOf(mutant));
    figures[outcome]++;
    const found = [...anomalies];
    const growth = process.memoryUsage.rss() - before;
    if (growth > memoryLimit) found.push(`memory grew by ${growth} bytes`);
    if (found.length > 0) {
      writeTrace(join(job.keep, String(mutant)), trace);
      for (const text of found) tell({ kind: "anomaly", mutant, text: `${trace.name}: ${text}` });
    }
    if (mutant % 512 < job.step) tellFigures();
  }
  tellFigures();
}

if (parentPort) work(workerData as Job);
