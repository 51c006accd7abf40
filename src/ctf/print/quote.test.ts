import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { ByteWriter } from "../../base/byte-writer.js";
import { formatG, writeQuoted } from "./quote.js";

test("%g as the C library's printf writes it (through the shell's printf)", () => {
  const values = [
    0,
    1,
    -1.25,
    3.75,
    0.1,
    1e-4,
    9.9999e-5,
    123456,
    1234567,
    999999.5,
    1e15,
    -2.5e-300,
    1e100,
    2222,
    0.000123456789,
    100000,
    1e5 + 0.5,
  ];
  for (let i = 0; i < 200; i++)
    values.push((Math.random() - 0.5) * 10 ** Math.floor(Math.random() * 40 - 20));
  const expected = execFileSync("bash", ["-c", `LC_ALL=C printf '%g\\n' ${values.join(" ")}`], {
    encoding: "utf8",
  });
  assert.deepEqual(values.map(formatG), expected.trimEnd().split("\n"));
  assert.deepEqual([Number.NaN, Infinity, -Infinity, -0].map(formatG), ["nan", "inf", "-inf", "-0"]);
});

/** [bytes, text]: babeltrace2's escapes. */
const strings: [number[], string][] = [
  [[], '""'],
  [[97, 98], '"ab"'],
  [[34, 39, 63, 92], '"\\"\\\'\\?\\\\"'],
  [[7, 8, 9, 10, 11, 12, 13, 27], '"\\a\\b\\t\\n\\v\\f\\r\\e"'],
  [[1, 31, 127], '"\\x01\\x1f\\x7f"'],
  [[0xc3, 0xa9, 0xff], '"\u00c3\u00a9\u00ff"'],
];
for (const [bytes, expected] of strings) {
  test(`quoted ${expected}`, () => {
    const out = new ByteWriter(-1, 1);
    const end = writeQuoted(out, 0, Uint8Array.from(bytes), 0, bytes.length);
    assert.equal(Buffer.from(out.u8.subarray(0, end)).toString("latin1"), expected);
  });
}
