import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./errors.js";
import { parseMoment } from "./moment.js";

const day = BigInt(Date.UTC(2026, 10, 23, 16, 55)) * 1_000_000n;
const gmt = { gmt: true, dayOfNs: day };

/** [text, nanoseconds since the epoch], checked with `date -u -d TEXT +%s%N`. */
const moments: [string, bigint][] = [
  ["1795452900.566161369", 1795452900566161369n],
  ["0", 0n],
  ["-1.5", -1500000000n],
  ["1795452900566161369", 1795452900566161369n],
  ["16:55", 1795452900000000000n],
  ["16:55:00.566161369", 1795452900566161369n],
  ["16:55:00.5", 1795452900500000000n],
  ["2026-11-23 16:55:00.000000001", 1795452900000000001n],
  ["2026-11-23T16:55:00Z", 1795452900000000000n],
  ["2026-11-23T17:55:00+01:00", 1795452900000000000n],
  ["2026-11-23T11:55:00-0500", 1795452900000000000n],
  ["2026-11-23", 1795392000000000000n],
];
for (const [text, expected] of moments) {
  test(`moment ${text}`, () => assert.equal(parseMoment(text, gmt), expected));
}

for (const text of ["", "soon", "25:00", "2026-13-01", "16:55:00.1234567890", "1e9", "16:5"]) {
  test(`no moment: "${text}"`, () => assert.throws(() => parseMoment(text, gmt), UsageError));
}
