/**
 * The state that decoders share with the reader of a data stream, and what they answer.
 *
 * Positions are bits from the start of the window (`u8`). The window starts at a byte of the packet that is
 * a multiple of every alignment in the trace, so aligning within the window aligns within the packet.
 */
import { bits } from "../../base/bits.js";

/** Answer of a decoder: the record does not end before `state.end`. More of the packet may help. */
export const MORE = -1;
/** Answer of a decoder: the data are wrong; see `state.fault`. */
export const FAULT = -2;

export interface Fault {
  /** Position in the window, bits. */
  at: number;
  reason: string;
}

export class DecodeState {
  u8: Uint8Array = new Uint8Array(0);
  dv: DataView = new DataView(new ArrayBuffer(0));
  /** First bit that may not be read. */
  end = 0;
  /** Clock cycles since the stream's origin; exact while below 2^53. */
  cycles = 0.5;
  /** Low 32 bits of the clock's absolute value, as int32. */
  clockLow = 0;
  /** The stream's origin in cycles, as two unsigned halves. */
  originHi = 0;
  originLo = 0;
  /** Event record class id of the last header. */
  id = 0;
  /** Bit after the current record's header. */
  record = 0;
  /** See `RecordLoop`. */
  answer = 0;
  done = 0;
  /** Time of the current record, nanoseconds since the experiment's origin; -Infinity without a clock. */
  ns = 0.5;
  /** Nanoseconds from the experiment's origin to the stream's: a whole number of seconds. */
  baseNs = 0.5;
  /** Values of fields that others refer to across scopes (see `FieldRef.slot`). */
  slots: (number | bigint)[] = [];
  /** Where decoders that read everything leave a trace of it, so that the reading is not optimised away. */
  sink = 0;
  fault: Fault | undefined;

  constructor() {
    // Doubles from the start, so that V8 stores them in place.
    this.cycles = 0;
    this.ns = 0;
    this.baseNs = 0;
  }

  /** Notes what is wrong and answers `FAULT`. */
  fail(at: number, reason: string): number {
    this.fault = { at, reason };
    return FAULT;
  }

  /** Absolute value of the clock, cycles. */
  get clockValue(): bigint {
    return ((BigInt(this.originHi) << 32n) | BigInt(this.originLo)) + BigInt(this.cycles);
  }

  /** Sets the clock to an absolute value: the start of a packet that carries it. */
  setClock(value: bigint): void {
    const origin = (BigInt(this.originHi) << 32n) | BigInt(this.originLo);
    this.cycles = Number(value - origin);
    this.clockLow = Number(BigInt.asIntN(32, value));
  }

  /**
   * Clock arithmetic for a field of `size` bits (CTF 1.8 section 8; CTF 2 "update a data stream's clock"):
   * a shorter value than the current low bits means that the field wrapped once.
   */
  updateClock(lo: number, hi: number, size: number): void {
    if (size >= 64) {
      this.cycles = (hi - this.originHi) * 4294967296 + (lo - this.originLo);
      this.clockLow = lo | 0;
    } else if (size <= 32) {
      const mask = size === 32 ? -1 : (1 << size) - 1;
      const delta = ((lo - this.clockLow) & mask) >>> 0;
      this.cycles += delta;
      this.clockLow = (this.clockLow + delta) | 0;
    } else {
      const now = this.clockValue;
      const value = (BigInt(hi >>> 0) << 32n) | BigInt(lo);
      const delta = BigInt.asUintN(size, value - now);
      this.cycles += Number(delta);
      this.clockLow = Number(BigInt.asIntN(32, now + delta));
    }
  }
}

/** Decodes one event record's part at bit `at`; answers the bit after it, `MORE` or `FAULT`. */
export type Decoder = (state: DecodeState, at: number) => number;

/** Index of the first null code unit of `unit` bytes in `bytes[start..end)`, or `end`. */
export function textEnd(bytes: Uint8Array, start: number, end: number, unit: number): number {
  if (unit === 1) {
    for (let i = start; i < end; i++) if (bytes[i] === 0) return i;
    return end;
  }
  for (let i = start; i + unit <= end; i += unit) {
    let any = 0;
    for (let j = 0; j < unit; j++) any |= bytes[i + j]!;
    if (any === 0) return i;
  }
  return end;
}

export function codeUnitSize(encoding: string): number {
  return encoding === "utf-8" ? 1 : encoding.startsWith("utf-16") ? 2 : 4;
}

/** Position of the first set bit range containing a value; used by selectors whose values are 64-bit. */
export function inRanges(
  value: number | bigint,
  ranges: readonly { readonly lower: bigint; readonly upper: bigint }[],
): boolean {
  for (const range of ranges) if (value >= range.lower && value <= range.upper) return true;
  return false;
}

export { bits };
