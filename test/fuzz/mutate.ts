/** What is done to a trace's files. */
import type { Random } from "../property/random.js";
import type { Seed } from "./seeds.js";

const words = [
  "integer { size = 64; align = 1; signed = true; }",
  "struct { } align(8)",
  "struct { struct { } a[65536]; } b[65536];",
  "struct { } x[4294967296];",
  "variant <id> { string a; }",
  "enum : integer { size = 5; } { A = 0 ... 31 }",
  "string { encoding = UTF8; }",
  "floating_point { exp_dig = 8; mant_dig = 24; align = 1; byte_order = be; }",
  "map = clock.monotonic.value;",
  "align = 1048576;",
  "align(64)",
  "[4294967295]",
  "[stream.event.header.id]",
  "[trace.packet.header.stream_id]",
  "typedef",
  "typealias",
  ":=",
  "event.fields",
  "stream.packet.context.content_size",
  "packet_size",
  "content_size",
  "timestamp_begin",
  "id",
  "__proto__",
  "constructor",
  "*/",
  "/*",
  "//",
  "\u2028",
  "`$" + "{process.exit(7)}`",
  '");process.exit(7);("',
  "'",
  '"',
  "\\",
  "\x1e",
  "\0",
  "null",
  "{}",
  "[]",
  '"type":"structure"',
  '"type":"optional"',
  '"type":"variant"',
  '"type":"static-length-array"',
  '"type":"variable-length-unsigned-integer"',
  '"roles":["default-clock-timestamp"]',
  '"roles":["event-record-class-id"]',
  '"roles":["packet-content-length"]',
  '"length":64',
  '"minimum-alignment":1048576',
  '"alignment":8',
  '"path":[null,null,"a"]',
  '"origin":"event-record-payload"',
  '"origin":"packet-context"',
  '{"type":"structure"}',
  '{"type":"static-length-array","length":4294967296,"element-field-class":{"type":"structure"}}',
  "big-endian",
  "last-to-first",
];

const numbers = [
  "0",
  "1",
  "-1",
  "3",
  "7",
  "8",
  "31",
  "32",
  "33",
  "63",
  "64",
  "65",
  "127",
  "255",
  "4096",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "18446744073709551615",
  "18446744073709551616",
  "1152921504606846976",
  "0xFFFFFFFFFFFFFFFF",
  "0777",
  "1e300",
  "99999999999999999999999999999999999999999999999999",
];

const nests = ["{", "struct { ", "[", "(", "variant <a> { ", '{"a":', "a.", "/*", "- "];

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

/** The place of a random match of `pattern`, or undefined. */
function find(random: Random, text: string, pattern: RegExp): { at: number; length: number } | undefined {
  const from = random.below(text.length + 1);
  pattern.lastIndex = from;
  let match = pattern.exec(text);
  if (!match) {
    pattern.lastIndex = 0;
    match = pattern.exec(text);
  }
  return match ? { at: match.index, length: match[0].length } : undefined;
}

function mutateText(random: Random, text: string, other: string): string {
  const at = random.below(text.length + 1);
  const length = random.chance(0.7) ? random.between(1, 12) : random.between(1, 400);
  switch (random.below(12)) {
    case 0:
      return splice(text, at, 1, String.fromCharCode(random.below(256)));
    case 1:
      return splice(text, at, length, "");
    case 2:
      return splice(text, at, 0, text.slice(at, at + length));
    case 3:
    case 4: {
      const number = find(random, text, /\b\d+\b/g);
      return number ? splice(text, number.at, number.length, random.pick(numbers)) : text;
    }
    case 5: {
      const word = find(random, text, /[A-Za-z_]+/g);
      return word ? splice(text, word.at, word.length, random.pick(words)) : text;
    }
    case 6:
      return splice(text, at, 0, random.pick(words));
    case 7:
      return splice(text, at, 0, random.pick(nests).repeat(random.pick([3, 70, 500, 5000])));
    case 8: {
      // Two tokens change places.
      const a = find(random, text, /\w+/g);
      const b = find(random, text, /\w+/g);
      if (!a || !b || a.at + a.length > b.at) return text;
      const left = text.slice(a.at, a.at + a.length);
      const right = text.slice(b.at, b.at + b.length);
      return splice(splice(text, b.at, b.length, left), a.at, a.length, right);
    }
    case 9: {
      const from = random.below(other.length + 1);
      return splice(text, at, 0, other.slice(from, from + length));
    }
    case 10:
      return text.slice(0, at);
    default: {
      // A name becomes another name of the same text.
      const a = find(random, text, /\b[a-z_]+\d*\b/g);
      const b = find(random, text, /\b[a-z_]+\d*\b/g);
      return a && b ? splice(text, a.at, a.length, text.slice(b.at, b.at + b.length)) : text;
    }
  }
}

function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  // Headers are at the start: half of the damage goes there.
  const at = random.below(random.chance(0.5) ? Math.min(100, bytes.length) : bytes.length);
  // Not `slice`: a Buffer's is no copy.
  const copy = Uint8Array.from(bytes);
  const length = Math.min(bytes.length - at, random.between(1, random.chance(0.5) ? 8 : 200));
  switch (random.below(9)) {
    case 0:
    case 1:
      copy[at]! ^= 1 << random.below(8);
      return copy;
    case 2:
      return bytes.slice(0, at);
    case 3:
      copy.fill(random.pick([0, 255, 128, 127]), at, at + length);
      return copy;
    case 4: {
      const to = random.below(bytes.length - length + 1);
      copy.set(bytes.subarray(at, at + length), to);
      copy.set(bytes.subarray(to, to + length), at);
      return copy;
    }
    case 5: {
      const value = random.pick([1n << 62n, (1n << 64n) - 1n, 1n << 35n, 0n, 1n, 8n, random.bits(64)]);
      const view = new DataView(copy.buffer);
      if (at + 8 <= copy.length) view.setBigUint64(at, value, random.chance(0.7));
      return copy;
    }
    case 6: {
      const view = new DataView(copy.buffer);
      if (at + 4 <= copy.length) view.setUint32(at, Number(random.bits(32)), random.chance(0.7));
      return copy;
    }
    case 7:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  }
}

/** A mutant of a seed: metadata, data streams or both are changed, once to four times. */
export function mutate(random: Random, seeds: readonly Seed[]): Seed {
  const seed = random.pick(seeds);
  const files = new Map(seed.files);
  const names = [...files.keys()].filter((name) => name !== "metadata");
  const what = names.length === 0 ? 0 : random.below(10);
  for (let n = random.pick([1, 1, 2, 3, 4]); n > 0; n--) {
    if (what < 5) {
      const bytes = files.get("metadata")!;
      const other = latin(random.pick(seeds).files.get("metadata")!);
      const isBinary = bytes[0] === 0xd1 || bytes[0] === 0x75;
      const mutant =
        isBinary && random.chance(0.5)
          ? mutateBytes(random, bytes)
          : Buffer.from(mutateText(random, latin(bytes), other), "latin1");
      files.set("metadata", mutant);
    }
    if (what > 3) {
      const name = random.pick(names);
      files.set(name, mutateBytes(random, files.get(name)!));
    }
  }
  return { name: seed.name, files };
}
