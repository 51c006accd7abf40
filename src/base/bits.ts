/**
 * Bit-level reading of integers, the plain way.
 *
 * Used by the interpreter for everything and by generated decoders for what is not a whole, byte-aligned
 * machine integer. A 64-bit result is two 32-bit halves: the low one is returned (unsigned), the high one
 * is left in `bits.hi`, so that nothing is allocated.
 */

/** Second results of the functions below. */
export const bits = {
  /** High 32 bits of the last value: unsigned, or sign-extended when the value is signed. */
  hi: 0,
  /** Number of bytes that the last LEB128 value took. */
  bytes: 0,
};

/**
 * Reads `size` (1..64) bits at bit `at` of `bytes` as an unsigned integer.
 * Little endian: the first bit is the least significant; big endian: the first bit is the most significant
 * (CTF 1.8 document, section 4.1.5). Returns the low 32 bits; `bits.hi` has the rest.
 */
export function readBits(bytes: Uint8Array, at: number, size: number, bigEndian: boolean): number {
  let lo = 0;
  let hi = 0;
  let done = 0;
  while (done < size) {
    const bit = at & 7;
    const take = Math.min(8 - bit, size - done);
    const byte = bytes[at >>> 3]!;
    if (bigEndian) {
      const part = (byte >>> (8 - bit - take)) & ((1 << take) - 1);
      hi = ((hi << take) | (lo >>> (32 - take))) >>> 0;
      lo = ((lo << take) | part) >>> 0;
    } else {
      const part = (byte >>> bit) & ((1 << take) - 1);
      if (done < 32) {
        lo = (lo | (part << done)) >>> 0;
        if (done + take > 32) hi = part >>> (32 - done);
      } else hi = (hi | (part << (done - 32))) >>> 0;
    }
    at += take;
    done += take;
  }
  bits.hi = hi;
  return lo;
}

/** Like `readBits`, sign-extended from bit `size - 1` into both halves (`bits.hi` is then an int32). */
export function readSignedBits(bytes: Uint8Array, at: number, size: number, bigEndian: boolean): number {
  const lo = readBits(bytes, at, size, bigEndian);
  return signExtend(lo, bits.hi, size);
}

/** Sign-extends `size` bits held in `lo` and `hi`: returns the low half (unsigned), sets `bits.hi` (int32). */
export function signExtend(lo: number, hi: number, size: number): number {
  if (size <= 32) {
    const value = (lo << (32 - size)) >> (32 - size);
    bits.hi = value >> 31;
    return value >>> 0;
  }
  bits.hi = (hi << (64 - size)) >> (64 - size);
  return lo;
}

/** Reverses the order of `size` bits held in `lo` and `hi`: returns the low half, sets `bits.hi`. */
export function reverseBits(lo: number, hi: number, size: number): number {
  let newLo = 0;
  let newHi = 0;
  for (let i = 0; i < size; i++) {
    const bit = i < 32 ? (lo >>> i) & 1 : (hi >>> (i - 32)) & 1;
    const to = size - 1 - i;
    if (to < 32) newLo = (newLo | (bit << to)) >>> 0;
    else newHi = (newHi | (bit << (to - 32))) >>> 0;
  }
  bits.hi = newHi;
  return newLo;
}

/**
 * Reads a LEB128 integer at byte `at`, not reading at or beyond byte `end`.
 * Returns the low half, sets `bits.hi` and `bits.bytes`. `bits.bytes` is -1 when the value runs past
 * `end`, and -2 when it is longer than 10 bytes or 64 bits.
 */
export function readLeb128(bytes: Uint8Array, at: number, end: number, signed: boolean): number {
  let lo = 0;
  let hi = 0;
  let shift = 0;
  let n = 0;
  for (;;) {
    if (at + n >= end) {
      bits.bytes = -1;
      return 0;
    }
    if (n === 10) {
      bits.bytes = -2;
      return 0;
    }
    const byte = bytes[at + n]!;
    n++;
    const part = byte & 0x7f;
    if (shift < 32) {
      lo = (lo | (part << shift)) >>> 0;
      if (shift > 25) hi = (hi | (part >>> (32 - shift))) >>> 0;
    } else hi = (hi | (part << (shift - 32))) >>> 0;
    shift += 7;
    if ((byte & 0x80) === 0) {
      // The tenth byte holds bit 63 only; other bits must be its sign extension (or zero).
      if (n === 10 && !(part === 0 || part === 1 || (signed && part === 0x7f))) {
        bits.bytes = -2;
        return 0;
      }
      if (signed && shift < 64 && (byte & 0x40) !== 0) {
        if (shift < 32) {
          lo = (lo | (-1 << shift)) >>> 0;
          hi = -1;
        } else if (shift === 32) hi = -1;
        else hi |= -1 << (shift - 32);
      }
      bits.hi = signed ? hi | 0 : hi >>> 0;
      bits.bytes = n;
      return lo;
    }
  }
}

/** The exact value of two halves: a number where that is exact, else a bigint. `hi` is signed if negative. */
export function exactValue(lo: number, hi: number): number | bigint {
  const value = hi * 4294967296 + lo;
  if (value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER) return value;
  return (BigInt(hi) << 32n) | BigInt(lo);
}

const floatView = new DataView(new ArrayBuffer(8));

/** A 32-bit IEEE 754 number from its bits. */
export function float32FromBits(lo: number): number {
  floatView.setUint32(0, lo);
  return floatView.getFloat32(0);
}

/** A 64-bit IEEE 754 number from its bits. */
export function float64FromBits(lo: number, hi: number): number {
  floatView.setUint32(0, hi);
  floatView.setUint32(4, lo);
  return floatView.getFloat64(0);
}

/** A 16-bit IEEE 754 number from its bits. */
export function float16FromBits(value: number): number {
  const sign = value & 0x8000 ? -1 : 1;
  const exponent = (value >>> 10) & 0x1f;
  const fraction = value & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
