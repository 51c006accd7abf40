import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.js";

/** A reproducible sequence in [0, 1). */
function* randoms(): Generator<number> {
  let state = 1;
  for (;;) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

function exactQuantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!;
}

test("quantiles are within 1 % of the exact ones, from 1 ns to days", () => {
  const next = randoms();
  const histogram = new Histogram();
  const values: number[] = [];
  for (let i = 0; i < 50_000; i++) {
    const value = Math.floor(2 ** (next.next().value! * 50));
    values.push(value);
    histogram.add(value);
  }
  values.sort((a, b) => a - b);
  for (const q of [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]) {
    const exact = exactQuantile(values, q);
    const error = Math.abs(histogram.quantile(q) - exact) / exact;
    assert.ok(error <= 0.01, `quantile ${q}: ${histogram.quantile(q)} for ${exact}, error ${error}`);
  }
  assert.equal(histogram.min, values[0]);
  assert.equal(histogram.max, values[values.length - 1]);
  assert.equal(histogram.quantile(1), histogram.max);
  assert.equal(histogram.count, 50_000);
});

test("zero, one value, none", () => {
  const empty = new Histogram();
  assert.ok(Number.isNaN(empty.quantile(0.5)));
  const zeros = new Histogram();
  zeros.add(0);
  zeros.add(0);
  assert.equal(zeros.quantile(0.5), 0);
  const one = new Histogram();
  one.add(12345);
  for (const q of [0, 0.5, 0.99, 1]) assert.equal(one.quantile(q), 12345);
});

test("merging gives the histogram of all values, also by way of plain data", () => {
  const next = randoms();
  const [a, b, all] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 0; i < 2000; i++) {
    const value = next.next().value! * (i % 2 ? 1e3 : 1e9);
    (i % 2 ? a : b).add(value);
    all.add(value);
  }
  const merged = Histogram.from(JSON.parse(JSON.stringify(a.toData())));
  merged.merge(b);
  assert.equal(merged.count, all.count);
  assert.equal(merged.min, all.min);
  assert.equal(merged.max, all.max);
  for (const q of [0.01, 0.5, 0.99]) assert.equal(merged.quantile(q), all.quantile(q));
});

test("steps of doublings hold every value once", () => {
  const h = new Histogram();
  for (const value of [1, 1, 3, 1000, 1023, 1024]) h.add(value);
  assert.deepEqual(
    h.steps(1).filter((s) => s.count > 0),
    [
      { fromValue: 1, toValue: 2, count: 2 },
      { fromValue: 2, toValue: 4, count: 1 },
      { fromValue: 512, toValue: 1024, count: 2 },
      { fromValue: 1024, toValue: 2048, count: 1 },
    ],
  );
});
