import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClockClass } from "../ctf/metadata/types.js";
import { type ClockCorrection, correctClock, cyclesToNs } from "../ctf/stream/clock.js";
import { type Bound, fitDifference } from "./clock-alignment.js";

/** Packets between two hosts, one of whose clocks is `offset` ahead and gains `drift`. */
function packets(offset: number, drift: number, seed: number): { upper: Bound[]; lower: Bound[] } {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const upper: Bound[] = [];
  const lower: Bound[] = [];
  for (let i = 0; i < 400; i++) {
    const x = random() * 60e9;
    // At least 50 µs on the way, most more.
    const delay = 50_000 + 2e6 * random() ** 3;
    const true_ = offset + drift * x;
    if (i % 2 === 0) upper.push({ x, y: true_ + delay });
    else lower.push({ x: x + delay, y: true_ + drift * delay - delay });
  }
  return { upper, lower };
}

test("the true difference is within the bound, whatever it is", () => {
  for (const [offset, drift] of [
    [0, 0],
    [3.2e9, 0],
    [-750_123, 20e-6],
    [12e9, -150e-6],
  ] as const) {
    for (let seed = 1; seed < 20; seed++) {
      const { upper, lower } = packets(offset, drift, seed);
      const fit = fitDifference(upper, lower, 0, 60e9)!;
      for (const x of [0, 17e9, 30e9, 60e9]) {
        const error = Math.abs(fit.offsetNs + fit.drift * (x - fit.atNs) - (offset + drift * x));
        assert.ok(error <= fit.boundNs + 1, `${error} ns at ${x}, bound ${fit.boundNs}`);
      }
      assert.ok(fit.boundNs < 500_000, `bound ${fit.boundNs}`);
    }
  }
});

test("bounds that no line satisfies are refused; one way alone has no bound", () => {
  const { upper, lower } = packets(1e6, 0, 7);
  assert.equal(fitDifference(lower, upper, 0, 60e9), undefined);
  assert.equal(fitDifference(upper, [], 0, 60e9)!.boundNs, Number.POSITIVE_INFINITY);
  assert.equal(fitDifference([], [], 0, 60e9), undefined);
});

test("a corrected clock shows the other's time", () => {
  const clock: ClockClass = {
    id: "monotonic",
    frequency: 1_000_000_000n,
    offsetSeconds: 1_795_000_000n,
    offsetCycles: 123_456_789n,
    originIsUnixEpoch: true,
  };
  const epoch = ({ offsetSeconds, offsetCycles, frequency }: typeof clock, cycles: bigint) => {
    const whole = cycles + offsetCycles;
    return (
      (offsetSeconds + whole / frequency) * 1_000_000_000n +
      BigInt(cyclesToNs(Number(whole % frequency), frequency))
    );
  };
  const cycles = 86_400n * 1_000_000_000n;
  const atNs = epoch(clock, cycles);
  const correction: ClockCorrection = { atNs, shiftNs: -2_760_000_000n, rate: 1 - 20e-6 };
  const corrected = { ...clock, ...correctClock(clock, correction) };
  // The offset is a whole number of cycles, rounded down.
  const error = Number(epoch(corrected, cycles) - (atNs - 2_760_000_000n));
  assert.ok(Math.abs(error) <= 1, `${error} ns`);
  // A minute later by the wrong clock is 1.2 ms less.
  const later = epoch(corrected, cycles + 60_000_000_000n) - epoch(corrected, cycles);
  assert.ok(Math.abs(Number(later) - 60e9 * (1 - 20e-6)) < 60, String(later));
});
