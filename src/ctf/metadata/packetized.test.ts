import assert from "node:assert/strict";
import { test } from "node:test";
import { readMetadata } from "./index.js";
import { readMetadataText } from "./packetized.js";

interface Packet {
  text?: string;
  bigEndian?: boolean;
  uuid?: number;
  contentBits?: number;
  packetBits?: number;
  major?: number;
  compression?: number;
}

function packet(options: Packet): Uint8Array {
  const text = new TextEncoder().encode(options.text ?? "");
  const size = 37 + text.length + 3;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const little = !options.bigEndian;
  view.setUint32(0, 0x75d11d57, little);
  bytes.fill(options.uuid ?? 1, 4, 20);
  view.setUint32(24, options.contentBits ?? (37 + text.length) * 8, little);
  view.setUint32(28, options.packetBits ?? size * 8, little);
  bytes[32] = options.compression ?? 0;
  bytes[35] = options.major ?? 1;
  bytes[36] = options.major === 2 ? 0 : 8;
  bytes.set(text, 37);
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

for (const bigEndian of [false, true]) {
  test(`a token may be split over packets (${bigEndian ? "big" : "little"} endian)`, () => {
    const bytes = join(packet({ text: "tra", bigEndian }), packet({ text: "ce {", bigEndian }));
    const { text, language, packetUuid } = readMetadataText(bytes, "m");
    assert.deepEqual([text, language], ["trace {", "tsdl"]);
    assert.equal(packetUuid, "01010101-0101-0101-0101-010101010101");
  });
}

/** [what is wrong, the bytes, the error]. */
const ERRORS: readonly (readonly [string, Uint8Array, string])[] = [
  ["empty", new Uint8Array(0), "m: byte 0: the metadata is empty"],
  ["only padding", new Uint8Array(9), "m: byte 0: the metadata is empty"],
  ["version", packet({ major: 3 }), "m: byte 35: found metadata version 3.8, expected 1.8 or 2.0"],
  ["compression", packet({ compression: 2 }), "m: byte 32: found compression scheme 2, expected 0 (none)"],
  [
    "content smaller than the header",
    packet({ contentBits: 288 }),
    "m: byte 24: found content size 288 bits, expected whole bytes and at least 296 bits",
  ],
  [
    "content larger than the packet",
    packet({ contentBits: 400 }),
    "m: byte 28: found packet size 320 bits, expected whole bytes and at least the content's 400 bits",
  ],
  [
    "second packet truncated",
    join(packet({}), packet({ packetBits: 800 })),
    "m: byte 68: found packet size 100 bytes, expected at most the 40 bytes left in the file",
  ],
  [
    "second packet of another UUID",
    join(packet({}), packet({ uuid: 2 })),
    "m: byte 44: found UUID 02020202-0202-0202-0202-020202020202, expected 01010101-0101-0101-0101-010101010101 as in the first packet",
  ],
  [
    "rest is no packet",
    join(packet({}), new Uint8Array(5)),
    "m: byte 40: found 5 bytes, expected a metadata packet header of 37",
  ],
  [
    "rest has no magic",
    join(packet({}), new Uint8Array(50)),
    "m: byte 40: found magic number 0x0, expected 0x75d11d57",
  ],
  [
    "something else",
    new TextEncoder().encode("hello"),
    'm: byte 0: found "hello", expected a metadata packet, "/* CTF 1.8 */", or a CTF 2 JSON sequence',
  ],
  ["other TSDL", new TextEncoder().encode("/* CTF 1.9 */"), "m: byte 0: found CTF version 1.9, expected 1.8"],
];

for (const [what, bytes, message] of ERRORS) {
  test(`error: ${what}`, () => {
    assert.throws(() => readMetadata(bytes, "m"), { name: "DataError", message });
  });
}

test("padding, CRLF and packetized JSON", () => {
  const padded = readMetadataText(new TextEncoder().encode("/* CTF 1.8 */\r\n\0\0\0"), "m");
  assert.equal(padded.text, "/* CTF 1.8 */\r\n");
  const json = readMetadataText(packet({ text: '\x1e{"type":1}', major: 2 }), "m");
  assert.equal(json.language, "json");
});
