// Times against exact arithmetic: nanoseconds of cycles, a stream's origin, and clocks that wrap around.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../test/property/random.js";
import { DecodeState } from "../decode/state.js";
import type { ClockClass } from "../metadata/types.js";
import { cyclesToNs, nsToCycles, streamOrigin } from "../stream/clock.js";

const billion = 1_000_000_000n;
const frequencies = [
  1n,
  2n,
  3n,
  1000n,
  32_768n,
  1_000_003n,
  24_000_000n,
  99_999_989n,
  999_999_937n,
  1_000_000_000n,
  1_000_000_007n,
  2_400_000_000n,
  2_893_299_000n,
  (1n << 38n) - 1n,
  (1n << 38n) + 1n,
  1n << 40n,
];

function floorDivide(a: bigint, b: bigint): bigint {
  return (a - (((a % b) + b) % b)) / b;
}

test("cyclesToNs rounds down, exactly", () => {
  const random = new Random(1);
  for (const frequency of frequencies) {
    // As long as nanoseconds and cycles are exact numbers.
    const seconds = BigInt(2 ** 53) / (frequency > billion ? frequency : billion) - 1n;
    const most = seconds * frequency;
    for (let i = 0; i < 2000; i++) {
      let cycles = i < 50 ? BigInt(i) : random.bits(64) % (most + 1n);
      if (i % 7 === 0) cycles = (cycles / frequency) * frequency - BigInt(i % 3);
      if (i % 5 === 0) cycles = -cycles;
      if (cycles > most || cycles < -most) continue;
      const expected = floorDivide(cycles * billion, frequency);
      assert.equal(BigInt(cyclesToNs(Number(cycles), frequency)), expected, `${cycles} at ${frequency} Hz`);
    }
  }
});

test("nsToCycles is the first cycle at or after a moment", () => {
  const random = new Random(2);
  for (const frequency of frequencies) {
    if (frequency > 1n << 38n) continue;
    for (let i = 0; i < 500; i++) {
      const ns = random.bits(43);
      const cycles = nsToCycles(Number(ns), frequency);
      assert.equal(BigInt(cycles), -floorDivide(-ns * frequency, billion), `${ns} ns at ${frequency} Hz`);
    }
  }
  assert.equal(nsToCycles(Number.POSITIVE_INFINITY, 24_000_000n), Number.POSITIVE_INFINITY);
});

test("a stream's origin is a whole second, less than one before its first packet", () => {
  const random = new Random(3);
  for (const frequency of frequencies) {
    for (let i = 0; i < 500; i++) {
      const clock = {
        frequency,
        offsetSeconds: random.integer(34, true),
        offsetCycles: random.bits(64) % frequency,
      } as ClockClass;
      const first = random.bits(64);
      const origin = streamOrigin(clock, first);
      // The origin's own cycles are at its second.
      const exact = origin.cycles + clock.offsetCycles + clock.offsetSeconds * frequency;
      assert.equal(exact, origin.seconds * frequency);
      assert.ok(first - origin.cycles >= 0n && first - origin.cycles < frequency);
    }
  }
});

test("a clock of 5 to 64 bits wraps around; the state follows the whole value", () => {
  const random = new Random(4);
  for (let size = 5; size <= 64; size++) {
    for (let run = 0; run < 20; run++) {
      const state = new DecodeState();
      let clock = random.bits(63);
      const origin = clock - (random.bits(40) % (clock + 1n));
      state.originHi = Number(origin >> 32n);
      state.originLo = Number(origin & 0xffffffffn);
      state.setClock(clock);
      for (let i = 0; i < 30; i++) {
        // Any step that does not pass the whole range; not beyond 2^53 cycles from the origin.
        clock += random.bits(Math.min(size, 47)) % (1n << BigInt(Math.min(size, 47)));
        const field = BigInt.asUintN(size, clock);
        state.updateClock(Number(field & 0xffffffffn), Number(field >> 32n), size);
        assert.equal(state.clockValue, clock, `${size} bits`);
        assert.equal(BigInt(state.cycles), clock - origin);
        assert.equal(BigInt(state.clockLow), BigInt.asIntN(32, clock));
      }
    }
  }
});
