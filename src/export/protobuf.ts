/**
 * Protocol Buffers, the writing half that a trace needs (protobuf.dev, "Encoding"). Hot: a trace has millions of
 * messages, so they are written one after the other into one buffer, and nothing is allocated for a message
 * (`bench/export.mjs`).
 */
import { ByteBuffer } from "./byte-buffer.js";

const MOST_VARINT = 10;
/** 2^32, 2^28. */
const HIGH_WORD = 4294967296;
const FOUR_GROUPS = 268435456;

export class ProtoWriter extends ByteBuffer {
  /** A whole number, 0 … 2^53 - 1. Room must be there. */
  varint(value: number): void {
    const { bytes } = this;
    let at = this.length;
    let rest = value;
    // Bit operations are for 32 bits: four groups of seven at a time from what is longer.
    while (rest >= HIGH_WORD) {
      const low = rest % FOUR_GROUPS;
      bytes[at++] = low | 128;
      bytes[at++] = (low >>> 7) | 128;
      bytes[at++] = (low >>> 14) | 128;
      bytes[at++] = (low >>> 21) | 128;
      rest = (rest - low) / FOUR_GROUPS;
    }
    rest >>>= 0;
    while (rest > 127) {
      bytes[at++] = rest | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A whole number, -2^53 … 2^53 (negative ones take all 64 bits), or a bigint below 2^64. */
  integer(field: number, value: number | bigint): void {
    this.room(2 * MOST_VARINT);
    this.varint(field * 8);
    this.value(value);
  }

  /** The same without a field's number, for packed fields. */
  value(value: number | bigint): void {
    this.room(MOST_VARINT);
    if (typeof value === "number" && value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.bytes[this.length++] = Number(rest & 127n) | 128;
    this.bytes[this.length++] = Number(rest);
  }

  /** 64 bits of fixed size, 0 … 2^53 - 1. */
  fixed64(field: number, value: number): void {
    this.room(MOST_VARINT + 8);
    this.varint(field * 8 + 1);
    this.length = this.bytes.writeUInt32LE(value % HIGH_WORD, this.length);
    this.length = this.bytes.writeUInt32LE(Math.floor(value / HIGH_WORD), this.length);
  }

  string(field: number, value: string): void {
    const at = this.begin(field);
    this.text(value);
    this.end(at);
  }

  /** Begins a message (or packed values) in a field; `end` wants what this answers. */
  begin(field: number): number {
    this.room(2 * MOST_VARINT);
    this.varint(field * 8 + 2);
    return this.length++;
  }

  /** One byte was left for the length: what is longer than 127 bytes moves. */
  end(at: number): void {
    const size = this.length - at - 1;
    if (size < 128) {
      this.bytes[at] = size;
      return;
    }
    let more = 0;
    for (let rest = size; rest > 127; rest = Math.floor(rest / 128)) more++;
    this.room(more);
    this.bytes.copyWithin(at + 1 + more, at + 1, this.length);
    this.length = at;
    this.varint(size);
    this.length += size;
  }
}
