/**
 * From clock cycles to nanoseconds, exactly.
 *
 * Every data stream has an origin: a whole second (of the clock's own time scale) at or before its trace's
 * first packet. Cycles since then are small enough for a double to hold them exactly, which the clock's
 * value since boot or the epoch is not. Nanoseconds follow as floor(cycles * 10^9 / frequency), computed in
 * two steps that stay below 2^53.
 */
import type { ClockClass } from "../metadata/types.js";

const billion = 1_000_000_000n;

/** What makes a clock show another's time: `t` becomes `atNs + shiftNs + rate * (t - atNs)`, all ns since its origin. */
export interface ClockCorrection {
  readonly atNs: bigint;
  readonly shiftNs: bigint;
  readonly rate: number;
}

/**
 * Frequency and offset of a corrected clock. The frequency is a whole number of Hz: at 1 GHz the rate is exact to
 * 10^-9, and the time to 1 ns per second of distance from `atNs`.
 */
export function correctClock(
  clock: ClockClass,
  { atNs, shiftNs, rate }: ClockCorrection,
): Pick<ClockClass, "frequency" | "offsetSeconds" | "offsetCycles"> {
  const frequency = BigInt(Math.round(Number(clock.frequency) / rate));
  const since = atNs - clock.offsetSeconds * billion;
  const cycles = floorDivide(since * clock.frequency, billion) - clock.offsetCycles;
  // What the corrected clock's origin must be for these cycles to mean `atNs + shiftNs`.
  const originNs = atNs + shiftNs - floorDivide(cycles * billion, frequency);
  const offsetSeconds = floorDivide(originNs, billion);
  const offsetCycles = floorDivide((originNs - offsetSeconds * billion) * frequency, billion);
  return { frequency, offsetSeconds, offsetCycles };
}

/** The origin of streams of `clock` whose first packet begins at `first` (cycles). */
export function streamOrigin(clock: ClockClass, first: bigint): { cycles: bigint; seconds: bigint } {
  const whole = floorDivide(first + clock.offsetCycles, clock.frequency);
  return { cycles: whole * clock.frequency - clock.offsetCycles, seconds: clock.offsetSeconds + whole };
}

function floorDivide(a: bigint, b: bigint): bigint {
  const q = a / b;
  return a % b < 0n ? q - 1n : q;
}

/** Nanoseconds of `cycles` (since a stream's origin), rounded down. Exact for frequencies below 2^38 Hz. */
export function cyclesToNs(cycles: number, frequency: bigint): number {
  if (frequency === billion) return cycles;
  const hz = Number(frequency);
  if (hz > 2 ** 38) return Number(floorDivide(BigInt(cycles) * billion, frequency));
  const seconds = Math.floor(cycles / hz);
  let rest = cycles - seconds * hz;
  let carry = 0;
  if (rest < 0) {
    rest += hz;
    carry = -1;
  }
  // 10^9 = 31250 * 32000: each product stays exact.
  const a = rest * 31250;
  let high = Math.floor(a / hz);
  let left = a - high * hz;
  if (left < 0) {
    high--;
    left += hz;
  } else if (left >= hz) {
    high++;
    left -= hz;
  }
  const b = left * 32000;
  let low = Math.floor(b / hz);
  if (low * hz > b) low--;
  return (seconds + carry) * 1e9 + high * 32000 + low;
}

/** Cycles since the stream's origin at or after `ns` nanoseconds since it. */
export function nsToCycles(ns: number, frequency: bigint): number {
  if (frequency === billion) return ns;
  if (!Number.isFinite(ns)) return ns;
  return Number((BigInt(Math.floor(ns)) * frequency + billion - 1n) / billion);
}
