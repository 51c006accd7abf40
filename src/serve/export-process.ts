/** Exports of an experiment for the page: `periscope export` in a process of its own, so that nobody waits for it. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { PageExperiments } from "./page-api.js";

/** Name of the file and its type, by format. */
const FILES: Readonly<Record<string, readonly [name: string, type: string]>> = {
  perfetto: ["trace.pftrace", "application/octet-stream"],
  chrome: ["trace.json", "application/json"],
  otlp: ["spans.jsonl", "application/x-ndjson"],
  stacks: ["stacks.txt", "text/plain; charset=utf-8"],
  csv: ["states.csv", "text/csv; charset=utf-8"],
  parquet: ["states.parquet", "application/vnd.apache.parquet"],
};

/** `program`: path of `bin/periscope`. The file is held in memory while it is sent. */
export function exporter(program: string): NonNullable<PageExperiments["exported"]> {
  return async (experiment, format, range) => {
    const known = FILES[format];
    if (known === undefined) throw new UsageError(`format: expected ${Object.keys(FILES).join(", ")}`);
    const definitions = await (await experiment.reader()).definitions();
    const { originNs } = await experiment.info();
    const options = [
      ...(definitions?.periods ?? []).flatMap((text) => ["--period", text]),
      ...(definitions?.captures ?? []).flatMap((text) => ["--period-captures", text]),
      ...(range === undefined
        ? []
        : ["--begin", seconds(originNs, range.beginNs), "--end", seconds(originNs, range.endNs)]),
      ...(format === "csv" || format === "parquet" ? ["--table", "states"] : []),
    ];
    const directory = await mkdtemp(join(tmpdir(), "periscope-export-"));
    try {
      const path = join(directory, known[0]);
      await run(program, ["export", "--format", format, "-o", path, ...options, ...experiment.paths]);
      const headers = { "content-disposition": `attachment; filename="${known[0]}"` };
      return { status: 200, type: known[1], body: await readFile(path), headers };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
}

/** Seconds since the Unix epoch, to the nanosecond. */
function seconds(originNs: bigint, ns: number): string {
  const all = originNs + BigInt(Math.round(ns));
  return `${all / 1_000_000_000n}.${String(all % 1_000_000_000n).padStart(9, "0")}`;
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.on("data", (part: Buffer) => {
      if (errors.length < 4000) errors += part.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new PeriscopeError(errors.trim().split("\n").at(-1) || `export ended with ${code}`));
    });
  });
}
