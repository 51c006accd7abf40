// Every nanosecond of every thread is accounted for exactly once, in random ranges of all shared traces; so is every
// critical path.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { certaintyOf } from "../../src/explain/certainty.js";
import { criticalPath, type Slice, timeOf } from "../../src/explain/critical-path.js";
import { explainRanges, type Range } from "../../src/explain/run.js";
import { openSource } from "../../src/sources/ctf.js";
import { needs, root, sharedTrace } from "../support.js";

const RANGES = 25;

/** Numbers in [0, 1) that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function assertExact(slices: readonly Slice[], { beginNs, endNs }: Range, what: string): void {
  let at = beginNs;
  for (const slice of slices) {
    assert.equal(slice.beginNs, at, `${what}: a gap or an overlap`);
    assert.ok(slice.endNs > slice.beginNs, `${what}: an empty piece`);
    at = slice.endNs;
  }
  assert.equal(at, endNs, `${what}: the sum`);
}

const causes = join(root, ".cache/causes");
const traces: [string, string | undefined][] = [
  ...["idle-small", "case1-slow", "case2-xz-outlier", "case3-dns-outlier", "case4-coredump-outlier"].map(
    (name): [string, string | undefined] => [name, sharedTrace(name)],
  ),
  ...["snapshot", "stress-lost", "rotated", "big"].map((name): [string, string | undefined] => [
    name,
    sharedTrace(name),
  ]),
  ...(existsSync(causes)
    ? readdirSync(causes).map((name): [string, string] => [name, join(causes, name)])
    : []),
];

for (const [name, path] of traces) {
  test(`time is accounted for exactly: ${name}`, { skip: needs(path) }, () => {
    const source = openSource([path!]);
    const { info } = source;
    const next = random(name.length * 7919);
    const wholeNs = info.endNs - info.beginNs;
    const ranges = Array.from({ length: RANGES }, (): Range => {
      const beginNs = Math.floor(info.beginNs + next() * wholeNs);
      // From a microsecond to 3 s, short ones as often as long ones; some beyond the trace's end.
      return { beginNs, endNs: beginNs + Math.ceil(10 ** (3 + next() * 6.5)) };
    });
    let checked = 0;
    explainRanges(source, ranges, {
      end(range, recorder) {
        for (const thread of recorder.model.threads) {
          if (recorder.history(thread) === undefined) continue;
          assertExact(timeOf(recorder, thread, range.beginNs, range.endNs), range, `thread ${thread.tid}`);
          if (next() < 0.2) {
            const path = criticalPath(recorder, thread, range.beginNs, range.endNs);
            assertExact(path, range, `path of ${thread.tid}`);
          }
          checked++;
        }
      },
    });
    assert.ok(checked > RANGES, "threads were checked");
  });
}

const case4 = sharedTrace("case4-coredump-outlier");
test("a window that is too long is given up, and says so", { skip: needs(case4) }, () => {
  const source = openSource([case4!]);
  const range = { beginNs: source.info.beginNs, endNs: source.info.endNs };
  let known = 0;
  explainRanges(source, [range], {
    begin(_range, recorder) {
      recorder.mostStates = 10_000;
    },
    end(_range, recorder) {
      assert.ok(recorder.gaveUpNs < range.endNs);
      for (const thread of recorder.model.threads) {
        if (recorder.history(thread) === undefined) continue;
        const slices = timeOf(recorder, thread, range.beginNs, range.endNs);
        assertExact(slices, range, `thread ${thread.tid}`);
        for (const { kind, endNs } of slices) if (endNs > recorder.gaveUpNs) assert.equal(kind, "unknown");
        known++;
      }
      assert.equal(certaintyOf(recorder, range, []).level, "low");
    },
  });
  assert.ok(known > 10);
});
