/** How far the realtime clock is ahead of the monotonic one. */

/** Milliseconds of the realtime clock to watch. */
const TICKS = 8;

/**
 * Nanoseconds, found to about a microsecond: `Date.now` has milliseconds only, but the moment at which it jumps can
 * be watched from both sides. Takes 8 ms.
 */
export function realtimeOffsetNs(): bigint {
  let least = -(1n << 62n);
  let most = 1n << 62n;
  let millisecond = Date.now();
  let before = process.hrtime.bigint();
  for (let tick = 0; tick < TICKS; ) {
    const now = Date.now();
    const after = process.hrtime.bigint();
    if (now !== millisecond) {
      // The jump came between the two readings, so realtime was `now` after `before` and before `after`.
      const at = BigInt(now) * 1_000_000n;
      if (at - after > least) least = at - after;
      if (at - before < most) most = at - before;
      millisecond = now;
      tick++;
    }
    before = after;
  }
  // A clock that was set meanwhile leaves nothing in common: take the last.
  return most > least ? (least + most) / 2n : least;
}
