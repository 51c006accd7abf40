/**
 * A growing output buffer for text made of bytes, written to a file descriptor in large pieces.
 *
 * Generated printers write into `u8`/`dv` at their own position and set `at` when a record is complete, so
 * that a record which turns out to be incomplete leaves no trace. Numbers are written without making
 * strings. `slack` bytes beyond `capacity` are always writable: constant text is stored in 8-byte steps.
 */
import { exactValue } from "./bits.js";
import { writeAll } from "./write-all.js";

const slack = 64;
const flushAt = 1 << 18;
const hexDigits = new Uint8Array([..."0123456789ABCDEF"].map((c) => c.charCodeAt(0)));
/** The two digits of 0..99. */
const pairs = new Uint8Array(200);
for (let i = 0; i < 100; i++) {
  pairs[2 * i] = 48 + Math.floor(i / 10);
  pairs[2 * i + 1] = 48 + (i % 10);
}

/** Writes 0 <= value < 2^32 in decimal; returns the position after it. */
export function writeDecimal32(u8: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    u8[at] = 48 + value;
    return at + 1;
  }
  if (value < 100) {
    u8[at] = pairs[2 * value]!;
    u8[at + 1] = pairs[2 * value + 1]!;
    return at + 2;
  }
  let length = 3;
  if (value >= 1000) {
    length = 4;
    if (value >= 10000) {
      length = 5;
      if (value >= 100000) {
        length = 6;
        if (value >= 1000000) {
          length = 7;
          if (value >= 10000000) length = value >= 1000000000 ? 10 : value >= 100000000 ? 9 : 8;
        }
      }
    }
  }
  const end = at + length;
  let to = end;
  let rest = value >>> 0;
  while (rest >= 100) {
    const next = (rest / 100) >>> 0;
    const pair = 2 * (rest - next * 100);
    to -= 2;
    u8[to] = pairs[pair]!;
    u8[to + 1] = pairs[pair + 1]!;
    rest = next;
  }
  if (rest >= 10) {
    u8[to - 2] = pairs[2 * rest]!;
    u8[to - 1] = pairs[2 * rest + 1]!;
  } else u8[to - 1] = 48 + rest;
  return end;
}

/** Writes exactly nine digits of 0 <= value < 10^9. */
export function writeNineDigits(u8: Uint8Array, at: number, value: number): void {
  const high = (value / 100000) >>> 0;
  const low = value - high * 100000;
  const a = (high / 100) >>> 0;
  const b = high - a * 100;
  u8[at] = pairs[2 * a]!;
  u8[at + 1] = pairs[2 * a + 1]!;
  u8[at + 2] = pairs[2 * b]!;
  u8[at + 3] = pairs[2 * b + 1]!;
  const c = (low / 1000) >>> 0;
  const d = low - c * 1000;
  u8[at + 4] = pairs[2 * c]!;
  u8[at + 5] = pairs[2 * c + 1]!;
  const e = (d / 10) >>> 0;
  u8[at + 6] = pairs[2 * e]!;
  u8[at + 7] = pairs[2 * e + 1]!;
  u8[at + 8] = 48 + (d - e * 10);
}

/** Writes an int32 in decimal. */
export function writeSigned32(u8: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeDecimal32(u8, at, value);
  u8[at] = 45;
  return writeDecimal32(u8, at + 1, -value);
}

/** Writes a 64-bit integer of two halves in decimal (`hi` negative: a negative value). */
export function writeDecimal64(u8: Uint8Array, at: number, lo: number, hi: number): number {
  if (hi === 0) return writeDecimal32(u8, at, lo);
  const value = exactValue(lo, hi);
  if (typeof value === "number") {
    let rest = value;
    if (rest < 0) {
      u8[at++] = 45;
      rest = -rest;
    }
    if (rest < 4294967296) return writeDecimal32(u8, at, rest);
    const high = Math.floor(rest / 1e9);
    at = high < 4294967296 ? writeDecimal32(u8, at, high) : at;
    writeNineDigits(u8, at, rest - high * 1e9);
    return at + 9;
  }
  return writeAscii(u8, at, value.toString());
}

/** Writes `lo`/`hi` in upper-case hexadecimal without leading zeros, masked to `size` bits rounded to nibbles. */
export function writeHex(u8: Uint8Array, at: number, lo: number, hi: number, size: number): number {
  const nibbles = Math.min(16, Math.ceil(size / 4));
  let started = false;
  for (let i = nibbles - 1; i >= 0; i--) {
    const digit = i >= 8 ? (hi >>> (4 * (i - 8))) & 15 : (lo >>> (4 * i)) & 15;
    if (digit !== 0 || started || i === 0) {
      started = true;
      u8[at++] = hexDigits[digit]!;
    }
  }
  return at;
}

/** Writes text whose characters are all below U+0080. */
export function writeAscii(u8: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) u8[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Text that is written again and again: four bytes at a time, up to three bytes of rubbish behind it. */
export class StockText {
  readonly length: number;
  readonly #words: Int32Array;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    const view = new DataView(padded.buffer);
    this.#words = Int32Array.from({ length: padded.length / 4 }, (_, i) => view.getInt32(i * 4, true));
  }

  /** Writes it at `at`, with room made; returns the position after it. */
  write(out: ByteWriter, at: number): number {
    const { length } = this;
    if (at + length > out.capacity) out.room(at, length);
    const { dv } = out;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) dv.setInt32(at + i * 4, words[i]!, true);
    return at + length;
  }
}

export class ByteWriter {
  u8: Uint8Array;
  dv: DataView;
  /** End of the complete output. */
  at = 0;
  /** Bytes that may be used. */
  capacity: number;

  constructor(
    /** Where `flush` writes; -1 keeps everything in memory. */
    private readonly fd: number,
    capacity = flushAt * 2,
  ) {
    this.capacity = capacity;
    this.u8 = new Uint8Array(capacity + slack);
    this.dv = new DataView(this.u8.buffer);
  }

  /** Makes room for `size` more bytes after position `at` (which is kept), growing the buffer if needed. */
  room(at: number, size: number): void {
    if (at + size <= this.capacity) return;
    this.capacity = Math.max(this.capacity * 2, at + size);
    const grown = new Uint8Array(this.capacity + slack);
    grown.set(this.u8.subarray(0, at));
    this.u8 = grown;
    this.dv = new DataView(grown.buffer);
  }

  /** Writes complete output out once enough has gathered. Call between records. */
  flushIfFull(): void {
    if (this.at >= flushAt && this.fd >= 0) this.flush();
  }

  flush(): void {
    if (this.fd < 0) return;
    writeAll(this.fd, this.u8.subarray(0, this.at));
    this.at = 0;
  }

  /** Appends text (UTF-8). */
  text(text: string): void {
    this.room(this.at, text.length * 3);
    this.at += encoder.encodeInto(text, this.u8.subarray(this.at)).written;
  }

  /** Appends text, and writes out what has gathered: for output that is complete at any time. */
  put(text: string): void {
    this.text(text);
    this.flushIfFull();
  }

  /** The same for bytes. */
  bytes(bytes: Uint8Array): void {
    this.room(this.at, bytes.length);
    this.u8.set(bytes, this.at);
    this.at += bytes.length;
    this.flushIfFull();
  }
}

const encoder = new TextEncoder();
