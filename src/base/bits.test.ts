// Random bits against strings of bits that a person could read.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bits,
  exactValue,
  float16FromBits,
  readBits,
  readLeb128,
  readSignedBits,
  reverseBits,
} from "./bits.js";

/** A small generator of numbers, the same in every run. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * limit);
  };
}

/** The bits of bytes in the order in which fields take them. */
function bitString(bytes: Uint8Array, bigEndian: boolean): string {
  const byteText = (byte: number) => byte.toString(2).padStart(8, "0");
  const texts = Array.from(bytes, byteText);
  return texts.map((text) => (bigEndian ? text : [...text].reverse().join(""))).join("");
}

/** The number whose bits were taken in that order. */
function numberOf(taken: string, bigEndian: boolean): bigint {
  return BigInt(`0b${bigEndian ? taken : [...taken].reverse().join("")}`);
}

const whole = (lo: number, hi: number): bigint => (BigInt(hi) << 32n) | BigInt(lo);

test("readBits and readSignedBits: every size and every place in a byte, both byte orders", () => {
  const random = generator(1);
  for (const bigEndian of [false, true]) {
    for (let size = 1; size <= 64; size++) {
      for (let at = 0; at < 16; at++) {
        for (const fill of [0, 255, -1, -1]) {
          const bytes = Uint8Array.from({ length: 12 }, () => (fill < 0 ? random(256) : fill));
          const expected = numberOf(bitString(bytes, bigEndian).slice(at, at + size), bigEndian);
          const where = `${size} bits at ${at} of ${Buffer.from(bytes).toString("hex")}`;
          assert.equal(whole(readBits(bytes, at, size, bigEndian), bits.hi), expected, where);
          const lo = readSignedBits(bytes, at, size, bigEndian);
          assert.equal(whole(lo, bits.hi), BigInt.asIntN(size, expected), `signed, ${where}`);
        }
      }
    }
  }
});

test("reverseBits", () => {
  const random = generator(2);
  for (let size = 1; size <= 64; size++) {
    for (let i = 0; i < 20; i++) {
      const value = BigInt.asUintN(size, (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32)));
      const text = value.toString(2).padStart(size, "0");
      const lo = reverseBits(Number(value & 0xffffffffn), Number(value >> 32n), size);
      assert.equal(whole(lo, bits.hi), BigInt(`0b${[...text].reverse().join("")}`), `${size}: ${text}`);
    }
  }
});

/** LEB128 in at least `least` bytes. */
function leb128(value: bigint, signed: boolean, least: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const part = Number(rest & 127n);
    rest >>= 7n;
    const isDone = signed ? (part < 64 && rest === 0n) || (part >= 64 && rest === -1n) : rest === 0n;
    if ((isDone && bytes.length + 1 >= least) || bytes.length === 9) return [...bytes, part];
    bytes.push(part | 128);
  }
}

test("readLeb128: values of every size, also longer than needed", () => {
  const random = generator(3);
  for (const signed of [false, true]) {
    for (let size = 1; size <= 64; size++) {
      for (let i = 0; i < 40; i++) {
        const any = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
        const bound = i === 0 ? 1n << BigInt(size - 1) : i === 1 ? (1n << BigInt(size)) - 1n : any;
        const value = signed ? BigInt.asIntN(size, bound) : BigInt.asUintN(size, bound);
        const encoded = leb128(value, signed, 1 + random(10));
        const before = random(3);
        const bytes = Uint8Array.from([...new Array<number>(before).fill(255), ...encoded, 255]);
        const lo = readLeb128(bytes, before, bytes.length - 1, signed);
        assert.equal(bits.bytes, encoded.length, String(value));
        assert.equal(whole(lo, bits.hi), value, `${signed} ${encoded}`);
        // Every shorter end cuts it.
        for (let end = before; end < before + encoded.length; end++) {
          readLeb128(bytes, before, end, signed);
          assert.equal(bits.bytes, -1, `${encoded} up to ${end - before}`);
        }
      }
    }
  }
});

test("readLeb128: what has more than 64 bits is refused", () => {
  const ff = (count: number) => new Array<number>(count).fill(0xff);
  const rows: [number[], boolean, number][] = [
    [[...ff(9), 0x01], false, 10],
    [[...ff(9), 0x02], false, -2],
    [[...ff(9), 0x7f], false, -2],
    [[...ff(9), 0x7f], true, 10],
    [[...ff(9), 0x3f], true, -2],
    [[...ff(9), 0x7e], true, -2],
    [[...ff(10), 0x00], false, -2],
    [[...ff(11)], true, -2],
    [[...ff(10)], true, -1],
  ];
  for (const [bytes, signed, expected] of rows) {
    readLeb128(Uint8Array.from(bytes), 0, bytes.length, signed);
    assert.equal(bits.bytes, expected, `${bytes} ${signed}`);
  }
});

test("exactValue: a number exactly where that is safe", () => {
  for (const edge of [0n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n]) {
    for (let d = -3n; d <= 3n; d++) {
      for (const value of [edge + d, -edge + d]) {
        if (value < -(2n ** 63n) || value >= 2n ** 63n) continue;
        const exact = exactValue(Number(value & 0xffffffffn), Number(value >> 32n));
        const isSafe = value >= -(2n ** 53n - 1n) && value <= 2n ** 53n - 1n;
        assert.equal(typeof exact, isSafe ? "number" : "bigint", String(value));
        assert.equal(BigInt(exact), value);
      }
    }
  }
});

test("float16FromBits: all of them, by powers of two", () => {
  for (let value = 0; value < 65536; value++) {
    const exponent = (value >> 10) & 31;
    const fraction = value & 1023;
    const sign = value >> 15 ? -1 : 1;
    let expected: number;
    if (exponent === 31) expected = fraction === 0 ? sign * Infinity : Number.NaN;
    else if (exponent === 0) expected = sign * fraction * 2 ** -24;
    else expected = sign * (1024 + fraction) * 2 ** (exponent - 25);
    assert.ok(Object.is(float16FromBits(value), expected), String(value));
  }
});
