// What the writer writes is what protobufjs reads.
import assert from "node:assert/strict";
import { test } from "node:test";
import protobuf from "protobufjs";
import { ByteBuffer } from "./byte-buffer.js";
import { ProtoWriter } from "./protobuf.js";

const type = protobuf
  .parse(`syntax = "proto2"; message M {
    repeated int64 signed = 1; repeated uint64 unsigned = 2; repeated fixed64 fixed = 47; repeated string text = 300;
    repeated M inner = 4; repeated int64 packed = 5 [packed = true];
  }`)
  .root.lookupType("M");

const read = (writer: ProtoWriter) => type.toObject(type.decode(writer.used()), { longs: String });

const EDGES = [7, 14, 21, 28, 31, 32, 35, 49, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits]);
const WHOLE = [0, 1, 127, 128, 255, ...EDGES].filter(Number.isSafeInteger);

test("integers at the edges of their encoding", () => {
  const writer = new ProtoWriter();
  const signed = [...WHOLE, ...WHOLE.filter((value) => value > 0).map((value) => -value)];
  const unsigned = [...WHOLE.map(BigInt), 2n ** 63n, 2n ** 64n - 1n];
  for (const value of signed) writer.integer(1, value);
  for (const value of unsigned) writer.integer(2, value);
  for (const value of WHOLE) writer.fixed64(47, value);
  const packed = writer.begin(5);
  for (const value of signed) writer.value(value);
  writer.end(packed);
  const message = read(writer);
  assert.deepEqual(message["signed"], signed.map(String));
  assert.deepEqual(message["packed"], signed.map(String));
  assert.deepEqual(message["unsigned"], unsigned.map(String));
  assert.deepEqual(message["fixed"], WHOLE.map(String));
});

test("messages and texts of lengths around which the length itself grows", () => {
  const writer = new ProtoWriter();
  const texts = [0, 1, 42, 43, 127, 128, 129, 16_383, 16_384, 70_000, 2 ** 21].map((size) =>
    "x".repeat(size),
  );
  texts.push("€ und 𝄞", "\0");
  for (const text of texts) {
    const outer = writer.begin(4);
    const inner = writer.begin(4);
    writer.string(300, text);
    writer.integer(1, 5);
    writer.end(inner);
    writer.end(outer);
  }
  const { inner } = read(writer) as { inner: { inner: { text: string[]; signed: string[] }[] }[] };
  assert.equal(inner.length, texts.length);
  inner.forEach(({ inner: [one] }, i) => {
    assert.ok(one!.text[0] === texts[i], `text of ${texts[i]!.length}`);
    assert.deepEqual(one!.signed, ["5"]);
  });
});

test("decimal digits", () => {
  const buffer = new ByteBuffer();
  const values = [
    ...WHOLE,
    ...Array.from({ length: 16 }, (_, i) => 10 ** i),
    999,
    1000,
    2 ** 31 - 1,
    2 ** 31,
  ];
  for (const value of values) {
    buffer.length = 0;
    buffer.decimal(value);
    assert.equal(Buffer.from(buffer.used()).toString(), String(value));
    buffer.length = 0;
    buffer.decimal(value, 3);
    assert.equal(Buffer.from(buffer.used()).toString(), String(value).padStart(3, "0"));
  }
});
