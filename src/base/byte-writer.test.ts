import assert from "node:assert/strict";
import { test } from "node:test";
import { writeDecimal32, writeDecimal64, writeHex, writeNineDigits, writeSigned32 } from "./byte-writer.js";

const u8 = new Uint8Array(64);
const text = (end: number): string => Buffer.from(u8.subarray(0, end)).toString("latin1");

/** Edges of every length, and random values, against JavaScript's own conversion. */
function* values(bits: number): Generator<bigint> {
  for (let length = 0; length < 20; length++) {
    const power = 10n ** BigInt(length);
    for (const value of [power - 1n, power, power + 1n]) yield BigInt.asUintN(bits, value);
  }
  yield (1n << BigInt(bits)) - 1n;
  yield 1n << BigInt(bits - 1);
  for (let i = 0; i < 2000; i++) {
    const random =
      (BigInt(Math.floor(Math.random() * 2 ** 32)) << 32n) | BigInt(Math.floor(Math.random() * 2 ** 32));
    yield BigInt.asUintN(bits, random >> BigInt(Math.floor(Math.random() * 64)));
  }
}

test("32-bit decimals", () => {
  for (const value of values(32)) {
    assert.equal(text(writeDecimal32(u8, 0, Number(value))), value.toString());
    const signed = Number(BigInt.asIntN(32, value));
    assert.equal(text(writeSigned32(u8, 0, signed)), signed.toString());
  }
});

test("64-bit decimals from two halves, signed and unsigned", () => {
  for (const value of values(64)) {
    const lo = Number(value & 0xffffffffn);
    const hi = Number(value >> 32n);
    assert.equal(text(writeDecimal64(u8, 0, lo, hi)), value.toString());
    assert.equal(text(writeDecimal64(u8, 0, lo, hi | 0)), BigInt.asIntN(64, value).toString());
  }
});

test("hexadecimal, cut to the size rounded to nibbles", () => {
  for (const value of values(64)) {
    const lo = Number(value & 0xffffffffn);
    const hi = Number(value >> 32n);
    for (const size of [1, 5, 8, 27, 32, 33, 63, 64]) {
      const masked = BigInt.asUintN(Math.min(64, Math.ceil(size / 4) * 4), value);
      assert.equal(text(writeHex(u8, 0, lo, hi, size)), masked.toString(16).toUpperCase());
    }
  }
});

test("nine digits", () => {
  for (const value of [0, 1, 9, 10, 99999, 100000, 123456789, 999999999, 100000001, 900090009]) {
    writeNineDigits(u8, 0, value);
    assert.equal(text(9), String(value).padStart(9, "0"));
  }
});
