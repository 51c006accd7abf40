/**
 * Exports of an experiment for the page: `periscope export` in a process of its own, so that nobody waits for it. What
 * it writes goes to the browser as it comes: nothing is kept here, and a browser that is slower holds the process up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { PassThrough, type Readable } from "node:stream";
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

/** `program`: path of `bin/periscope`. */
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
    const headers = { "content-disposition": `attachment; filename="${known[0]}"` };
    const body = await output(program, ["export", "--format", format, ...options, ...experiment.paths]);
    return { status: 200, type: known[1], body, headers };
  };
}

/** Seconds since the Unix epoch, to the nanosecond. */
function seconds(originNs: bigint, ns: number): string {
  const all = originNs + BigInt(Math.round(ns));
  return `${all / 1_000_000_000n}.${String(all % 1_000_000_000n).padStart(9, "0")}`;
}

/**
 * What a command writes to its standard output, from its first bytes on. Rejects when it ends without any; the stream
 * fails when it ends before all is written, so that nobody takes a part for the whole. Who destroys the stream ends
 * the process.
 */
function output(program: string, args: readonly string[]): Promise<Readable> {
  const child: ChildProcess = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const out = new PassThrough();
  let errors = "";
  // A trace with damage ends the command with an error, too, after all that can be read is written: so it says this.
  let isWhole = false;
  child.on("message", (message) => {
    isWhole = message === "written";
  });
  child.stderr!.on("data", (part: Buffer) => {
    if (errors.length < 4000) errors += part.toString();
  });
  child.stdout!.pipe(out, { end: false });
  out.once("close", () => child.kill());
  return new Promise((resolve, reject) => {
    child.stdout!.once("data", () => resolve(out));
    child.once("error", reject);
    child.once("close", (code) => {
      if (isWhole) {
        out.end();
        resolve(out);
        return;
      }
      const error = new PeriscopeError(errors.trim().split("\n").at(-1) || `export ended with ${code}`);
      reject(error);
      if (out.listenerCount("error") > 0) out.destroy(error);
      else out.destroy();
    });
  });
}
