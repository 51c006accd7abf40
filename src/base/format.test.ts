import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatSeconds,
  formatSize,
  formatUtc,
} from "./format.js";

test("durations", () => {
  const table: [number, string][] = [
    [0, "0 ns"],
    [1, "1 ns"],
    [999, "999 ns"],
    [999.6, "1.00 µs"],
    [1234, "1.23 µs"],
    [12_345, "12.3 µs"],
    [123_456, "123 µs"],
    [999_499, "999 µs"],
    [999_500, "1.00 ms"],
    [2_500_000_000, "2.50 s"],
    [59_960_000_000, "60.0 s"],
    [725e9, "12 min 5 s"],
    [12_000e9, "3 h 20 min"],
    [-1500, "-1.50 µs"],
    [Number.NaN, "?"],
  ];
  for (const [ns, text] of table) assert.equal(formatDuration(ns), text, String(ns));
  assert.equal(formatSeconds(2_501_400_000), "2.501 s");
  assert.equal(formatSeconds(4_000_000), "4.00 ms");
});

test("sizes", () => {
  const table: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.00 KiB"],
    [13_100, "12.8 KiB"],
    [1023.9 * 1024, "1.00 MiB"],
    [743_000_000, "709 MiB"],
    [Number.NaN, "?"],
  ];
  for (const [bytes, text] of table) assert.equal(formatSize(bytes), text, String(bytes));
});

test("counts, percents, moments", () => {
  assert.equal(formatCount(0), "0");
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatCount(-1234), "-1,234");
  assert.equal(formatPercent(0), "0.0 %");
  assert.equal(formatPercent(0.0001), "<0.1 %");
  assert.equal(formatPercent(0.345), "34.5 %");
  assert.equal(formatUtc(1795453173475123456n), "2026-11-23 16:59:33.475123456");
  assert.equal(formatUtc(0n), "1970-01-01 00:00:00.000000000");
});
