import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeriodLine } from "./contract.js";
import { instanceAt, lanesOf, outlierLimits } from "./period-lanes.js";

const periods = [
  { path: "request", name: "request", parent: -1, count: 3 },
  { path: "request/db", name: "db", parent: 0, count: 1 },
];
const instances: PeriodLine[] = [
  [0, 0, 0, 100, -1, -1],
  [1, 1, 10, 20, -1, 0],
  [2, 0, 50, 150, -1, -1],
  [3, 0, 120, 130, -1, -1],
];

test("overlapping instances get lanes of their own, children come below their parent", () => {
  const lanes = lanesOf(periods, instances);
  assert.deepEqual(
    lanes.map(({ period, depth, instances: own }) => [period, depth, own.map(([id]) => id)]),
    [
      [0, 0, [0, 3]],
      [0, 0, [2]],
      [1, 1, [1]],
    ],
  );
});

test("an instance is found by the stretch of a pixel", () => {
  const [lane] = lanesOf(periods, instances);
  assert.equal(instanceAt(lane!, { beginNs: 95, endNs: 105 })?.[0], 0);
  assert.equal(instanceAt(lane!, { beginNs: 101, endNs: 110 }), undefined);
  assert.equal(instanceAt(lane!, { beginNs: 90, endNs: 125 })?.[0], 0);
});

test("outliers are far above the others", () => {
  const usual = Array.from(
    { length: 20 },
    (_, i): PeriodLine => [i, 0, i * 10, i * 10 + 5 + (i % 3), -1, -1],
  );
  const [limit] = outlierLimits(periods, [...usual, [99, 0, 500, 560, -1, -1]]);
  assert.ok(limit! > 7 && limit! < 60, `${limit}`);
});
