import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEventFormat } from "./event-format.js";
import { parseHeaderPage, readPage } from "./ring-buffer.js";

const LAYOUT = parseHeaderPage(
  `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
`,
  "header_page",
);

/** A page of these words, with this time and these flags beside the length. */
function page(time: bigint, words: readonly number[], flags = 0): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, time, true);
  view.setUint32(8, (words.length * 4) | flags, true);
  words.forEach((word, i) => {
    view.setUint32(16 + 4 * i, word, true);
  });
  return bytes;
}

const word = (type: number, delta: number) => (type | (delta << 5)) >>> 0;

test("short and long records, long pauses, records taken back", () => {
  const seen: [bigint, number, number][] = [];
  const each = (time: bigint, at: number, bytes: number) => seen.push([time, at, bytes]);
  const summary = readPage(
    page(1000n, [
      // Two words, 5 later.
      ...[word(2, 5), 1, 2],
      // 2^27 * 3 + 7 later.
      ...[word(30, 7), 3],
      // Its length, with the word that says it, is 8.
      ...[word(0, 1), 8, 9],
      // 12 bytes that were taken back.
      ...[word(29, 1), 8, 0],
      ...[word(1, 2), 4],
      // The rest is padding.
      ...[word(29, 0), 0, word(1, 9), 9],
    ]),
    LAYOUT,
    "page",
    each,
  );
  const later = 1005n + 3n * 2n ** 27n + 7n;
  assert.deepEqual(seen, [
    [1005n, 20, 8],
    [later + 1n, 44, 4],
    [later + 3n, 64, 4],
  ]);
  assert.deepEqual(summary, { records: 3, beginTime: 1000n, lost: 0 });
});

test("lost records: their number behind the data, or unknown", () => {
  const none = () => {};
  const told = page(1n, [word(1, 0), 7], 0xc000_0000);
  new DataView(told.buffer).setBigUint64(16 + 8, 123n, true);
  assert.equal(readPage(told, LAYOUT, "page", none).lost, 123);
  assert.equal(readPage(page(1n, [word(1, 0), 7], 0x8000_0000), LAYOUT, "page", none).lost, "unknown");
});

test("what is not as expected is told with its place", () => {
  const none = () => {};
  assert.throws(
    () => readPage(page(1n, [word(5, 0), 7]), LAYOUT, "cpu0", none),
    /cpu0: byte 16: a record reaches beyond byte 24/,
  );
  const long = page(1n, []);
  new DataView(long.buffer).setUint32(8, 5000, true);
  assert.throws(
    () => readPage(long, LAYOUT, "cpu0", none),
    /cpu0: byte 8: 5000 bytes used, expected at most 4080/,
  );
  assert.throws(() => parseHeaderPage("", "header_page"), /header_page: expected a field "commit"/);
  assert.throws(
    () => parseEventFormat("name: x\nID: 1\n\tfield:int;", "s", "format"),
    /format: line 3: "field:int;"/,
  );
  assert.throws(() => parseEventFormat("name: x\n", "s", "format"), /expected lines "name: EVENT"/);
});
