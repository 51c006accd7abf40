/**
 * Damaged trace.dat files: each is read, partly or wholly, or refused with file and byte; never with a stack trace, for
 * long, or with much memory. `PERISCOPE_DAT_MUTANTS=100000 node --test build/test/fuzz/dat.test.js` makes more of
 * them; `PERISCOPE_DAT_FIRST=N` begins at the one with number N.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { DataError, PeriscopeError } from "../../src/base/errors.js";
import { jsonPrinter } from "../../src/ctf/print/printer.js";
import { openExperiment } from "../../src/sources/open.js";
import { Random } from "../property/random.js";
import { bigEndianContent, contentOf, type DatContent, writeV6, writeV7 } from "../support/dat-writer.js";
import { sample } from "../support.js";

const scratch = mkdtempSync(join(tmpdir(), "periscope-dat-fuzz-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
process.env["XDG_CACHE_HOME"] = join(scratch, "cache");
const keep = process.env["PERISCOPE_DAT_KEEP"];

const MUTANTS = Number(process.env["PERISCOPE_DAT_MUTANTS"] ?? 400);
const FIRST = Number(process.env["PERISCOPE_DAT_FIRST"] ?? 0);
const MOST_MS = 5000;
const MOST_BYTES = 300 << 20;

/** Little of everything, so that damage hits what matters. */
function small(): DatContent {
  const { file, pages } = contentOf(sample("trace-cmd/v6.dat"));
  const wanted =
    /^name: (sched_(switch|wakeup|process_exec|process_fork)|sys_(enter|exit)|softirq_entry|irq_handler_entry|block_rq_issue|print|kernel_stack)$/m;
  return {
    file: {
      ...file,
      formats: file.formats.filter(({ text }) => wanted.test(text)),
      threadNames: file.threadNames.slice(0, 200),
    },
    pages: pages.map(({ cpu, bytes }) => ({ cpu, bytes: bytes.subarray(0, 3 * 4096) })),
  };
}

const content = small();
const turned = bigEndianContent(content);
const seeds = [
  writeV6(content),
  writeV7(content),
  writeV7(content),
  writeV6(turned, true),
  writeV7(turned, true),
];

function mutate(random: Random): Buffer {
  const seed = random.pick(seeds);
  let bytes: Buffer = Buffer.from(seed);
  for (let n = random.pick([1, 1, 2, 4]); n > 0; n--) {
    const at = random.below(random.chance(0.3) ? Math.min(300, bytes.length) : bytes.length);
    const length = Math.min(bytes.length - at, random.between(1, random.chance(0.5) ? 8 : 300));
    switch (random.below(8)) {
      case 0:
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        bytes = Buffer.from(bytes.subarray(0, at));
        break;
      case 3:
        bytes.fill(random.pick([0, 255, 127, 32]), at, at + length);
        break;
      case 4:
        if (at + 8 <= bytes.length) {
          bytes.writeBigUInt64LE(
            random.pick([1n << 62n, (1n << 64n) - 1n, 1n << 35n, 0n, 8n, random.bits(64)]),
            at,
          );
        }
        break;
      case 5:
        if (at + 4 <= bytes.length) bytes.writeUInt32LE(Number(random.bits(32)), at);
        break;
      case 6: {
        // A number of a description becomes another one.
        const text = bytes.toString("latin1");
        const found = /(offset|size|ID): ?(\d+)/.exec(text.slice(at));
        if (found === null) break;
        const from = at + found.index + found[0].length - found[2]!.length;
        const number = String(random.pick([0, 1, 3, 7, 9, 64, 255, 4096, 65535, 4294967295]));
        bytes = Buffer.concat([
          bytes.subarray(0, from),
          Buffer.from(number),
          bytes.subarray(from + found[2]!.length),
        ]);
        break;
      }
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

const positioned = /: byte \d+: \S/;

function tryFile(path: string): "refused" | "partly" | "wholly" {
  let messages: readonly string[];
  try {
    const experiment = openExperiment([path]);
    assert.deepEqual(experiment.failed, []);
    const out = new ByteWriter(-1, 1 << 14);
    const { problems } = experiment.run(jsonPrinter(out, () => true, experiment.generate));
    messages = problems.map(
      (problem) => new DataError(problem.file, problem.byteOffset, problem.reason).message,
    );
    for (const message of messages) assert.ok(message.startsWith(path), `of the conversion: ${message}`);
  } catch (error) {
    if (!(error instanceof PeriscopeError)) throw error;
    assert.match(error.message, positioned);
    assert.doesNotMatch(error.message, /\n|undefined|\[object/);
    return "refused";
  }
  for (const message of messages) assert.match(message, positioned);
  return messages.length > 0 ? "partly" : "wholly";
}

test(`${MUTANTS} damaged files`, (t) => {
  const figures = { refused: 0, partly: 0, wholly: 0 };
  for (let mutant = FIRST; mutant < FIRST + MUTANTS; mutant++) {
    const bytes = mutate(new Random(Math.imul(mutant + 1, 0x9e3779b1) ^ 7));
    const path = join(scratch, `${mutant}.dat`);
    writeFileSync(path, bytes);
    const before = process.memoryUsage.rss();
    const begun = Date.now();
    try {
      figures[tryFile(path)]++;
      assert.ok(Date.now() - begun < MOST_MS, "takes too long");
      assert.ok(process.memoryUsage.rss() - before < MOST_BYTES, "takes too much memory");
    } catch (error) {
      if (keep !== undefined) {
        mkdirSync(keep, { recursive: true });
        writeFileSync(join(keep, `${mutant}.dat`), bytes);
      }
      throw new Error(`mutant ${mutant}: ${(error as Error).message}`, { cause: error });
    } finally {
      rmSync(path);
      rmSync(join(scratch, "cache"), { recursive: true, force: true });
    }
  }
  t.diagnostic(`${figures.refused} refused, ${figures.partly} read partly, ${figures.wholly} read wholly`);
  assert.ok(figures.refused > 0 && figures.partly > 0 && figures.wholly > 0);
});
