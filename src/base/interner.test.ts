import assert from "node:assert/strict";
import { test } from "node:test";
import { Interner } from "./interner.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test("intern: the text of any bytes, the same string for the same bytes", () => {
  const interner = new Interner();
  const texts = [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "漢字",
    "😀",
    "\ufeffx",
    "a\0b",
    ...Array.from({ length: 5000 }, String),
  ];
  for (let round = 0; round < 2; round++) {
    for (const text of texts) {
      const bytes = encode(`<${text}>`);
      assert.equal(interner.intern(bytes, 1, bytes.length - 2), text);
    }
  }
  assert.equal(interner.intern(Uint8Array.of(0x61, 0xff, 0x62), 0, 3), "a\ufffdb");
});

test("intern: texts of equal hash are told apart", () => {
  // 31 * a + b is equal for both.
  const interner = new Interner();
  assert.equal(interner.intern(encode("Aa"), 0, 2), "Aa");
  assert.equal(interner.intern(encode("BB"), 0, 2), "BB");
  assert.equal(interner.intern(encode("Aa"), 0, 2), "Aa");
});

test("intern: right also when the table is full", () => {
  for (const [capacity, bytes] of [
    [10, 1 << 20],
    [1 << 20, 100],
  ] as const) {
    const interner = new Interner(capacity, bytes);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1000; i++)
        assert.equal(interner.intern(encode(`t${i}`), 0, `t${i}`.length), `t${i}`);
    }
  }
});

test("intern16: up to the first null of 16 bytes, whatever is behind it", () => {
  const interner = new Interner();
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 3000; i++) {
    const text = `p${i % 700}`.repeat(1 + (i % 5)).slice(0, i % 17);
    const at = i % 40;
    bytes.fill(i & 255);
    bytes.set(encode(text), at);
    if (text.length < 16) bytes[at + text.length] = 0;
    assert.equal(interner.intern16(bytes, view, at), text);
  }
});
