/** Generated decoders and the interpreter print the same bytes of every trace there is, and see the same problems. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { Experiment } from "../../src/ctf/experiment.js";
import { jsonPrinter, prettyPrinter } from "../../src/ctf/print/printer.js";
import { problemLine } from "../../src/sources/ctf.js";
import { root, sharedTrace } from "../support.js";

const pretty = {
  names: { payload: true, context: true, header: false, scope: true },
  fields: {
    trace: true,
    hostname: true,
    domain: true,
    procname: true,
    vpid: true,
    loglevel: true,
    emf: true,
  },
  time: { clock: "wall", gmt: true, date: true, delta: true, names: false },
} as const;

/** Hashes what would be written, in pieces: some traces print gigabytes. */
class HashingWriter extends ByteWriter {
  readonly hash = createHash("sha256");

  override flush(): void {
    this.hash.update(this.u8.subarray(0, this.at));
    this.at = 0;
  }

  override flushIfFull(): void {
    if (this.at >= 1 << 18) this.flush();
  }
}

function print(paths: string[], format: "text" | "json", generate: boolean) {
  const experiment = new Experiment(paths, { generate });
  const out = new HashingWriter(-1);
  const all = () => true;
  const printer =
    format === "text" ? prettyPrinter(out, pretty, all, generate) : jsonPrinter(out, all, generate);
  const result = experiment.run(printer);
  out.flush();
  return {
    hash: out.hash.digest("hex"),
    eventRecords: result.eventRecords,
    lostPackets: result.lostPackets,
    problems: result.problems.map(problemLine),
    failures: experiment.failed.map((failed) => failed.error.message),
  };
}

/** Directories that hold traces directly, below the shared ones and the samples. */
function traceDirectories(directory: string, found: string[] = []): string[] {
  if (!existsSync(directory)) return found;
  const entries = readdirSync(directory, { withFileTypes: true });
  if (entries.some((entry) => entry.name === "metadata" && entry.isFile())) found.push(directory);
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name !== "big") traceDirectories(join(directory, entry.name), found);
  }
  return found.sort();
}

const missing = sharedTrace("idle-small") === undefined ? "the shared traces are not here" : false;
for (const [where, skip] of [
  ["samples", false],
  [".cache/traces", missing],
] as const) {
  for (const directory of traceDirectories(join(root, where))) {
    const name = directory.slice(root.length + 1);
    test(`${name}: generated and interpreted`, { skip }, () => {
      for (const format of ["text", "json"] as const) {
        assert.deepEqual(print([directory], format, true), print([directory], format, false), format);
      }
    });
  }
  if (skip) test(`${where}`, { skip }, () => {});
}
