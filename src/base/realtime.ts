/** The wall clock, finer than `Date.now()`. */

/** What `performance.now()` lacks to the wall clock, ms. */
let offsetMs = performance.timeOrigin;
/** `Date.now()` cuts off up to one; more is a clock that was set. */
const TOLERANCE_MS = 1.5;

/** Nanoseconds since the epoch, to about a microsecond beside `Date.now()`. */
export function realtimeNs(): bigint {
  let ms = offsetMs + performance.now();
  const wall = Date.now();
  if (ms < wall - TOLERANCE_MS || ms > wall + 1 + TOLERANCE_MS) {
    offsetMs += wall - ms;
    ms = wall;
  }
  return BigInt(Math.round(ms * 1e3)) * 1000n;
}
