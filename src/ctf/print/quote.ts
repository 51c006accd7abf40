/**
 * Strings and floating-point numbers as babeltrace2's text sink writes them.
 */
import { type ByteWriter, StockText, writeAscii } from "../../base/byte-writer.js";
import { mixWords } from "../../base/interner.js";

/** What one byte becomes: undefined for itself. */
const escapes: (string | undefined)[] = new Array(256).fill(undefined);
for (let i = 0; i < 32; i++) escapes[i] = `\\x${i.toString(16).padStart(2, "0")}`;
escapes[127] = "\\x7f";
for (const [char, text] of [
  ["\\", "\\\\"],
  ["'", "\\'"],
  ['"', '\\"'],
  ["?", "\\?"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\x1b", "\\e"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
] as const) {
  escapes[char.charCodeAt(0)] = text;
}
const isPlain = new Uint8Array(256);
for (let i = 0; i < 256; i++) isPlain[i] = escapes[i] === undefined ? 1 : 0;

/** Writes `length` bytes of `from` at `start` as a quoted, escaped string; returns the position after it. */
export function writeQuoted(
  out: ByteWriter,
  at: number,
  from: Uint8Array,
  start: number,
  length: number,
): number {
  if (at + length * 4 + 2 > out.capacity) out.room(at, length * 4 + 2);
  const u8 = out.u8;
  u8[at++] = 34;
  const end = start + length;
  for (let i = start; i < end; i++) {
    const byte = from[i]!;
    if (isPlain[byte] === 1) u8[at++] = byte;
    else at = writeAscii(u8, at, escapes[byte]!);
  }
  u8[at] = 34;
  return at + 1;
}

/** The same, with a copy of the bytes in `keep`. */
export function writeQuotedAndKeep(
  out: ByteWriter,
  at: number,
  from: Uint8Array,
  start: number,
  length: number,
  keep: Uint8Array,
): number {
  if (at + length * 4 + 2 > out.capacity) out.room(at, length * 4 + 2);
  const u8 = out.u8;
  u8[at++] = 34;
  for (let i = 0; i < length; i++) {
    const byte = from[start + i]!;
    keep[i] = byte;
    if (isPlain[byte] === 1) u8[at++] = byte;
    else at = writeAscii(u8, at, escapes[byte]!);
  }
  u8[at] = 34;
  return at + 1;
}

/** The same for the bytes before the first null byte of `most`. */
export function writeQuotedUntilNull(
  out: ByteWriter,
  at: number,
  from: Uint8Array,
  start: number,
  most: number,
): number {
  if (at + most * 4 + 2 > out.capacity) out.room(at, most * 4 + 2);
  const u8 = out.u8;
  u8[at++] = 34;
  const end = start + most;
  for (let i = start; i < end; i++) {
    const byte = from[i]!;
    if (isPlain[byte] === 1) u8[at++] = byte;
    else if (byte === 0) break;
    else at = writeAscii(u8, at, escapes[byte]!);
  }
  u8[at] = 34;
  return at + 1;
}

/**
 * Quoted text of 16-byte fields (process names: a few, again and again): four words find the finished text of
 * the last field that had the same hash.
 */
export class QuotedNames {
  readonly #words = new Int32Array(4 * 1024);
  readonly #texts: StockText[] = new Array(1024).fill(emptyText);

  write(out: ByteWriter, at: number, from: Uint8Array, view: DataView, start: number): number {
    const a = view.getInt32(start, true);
    const b = view.getInt32(start + 4, true);
    const c = view.getInt32(start + 8, true);
    const d = view.getInt32(start + 12, true);
    const slot = (mixWords(a, b, c, d) >>> 16) & 1023;
    const words = this.#words;
    const i = slot * 4;
    if (words[i] !== a || words[i + 1] !== b || words[i + 2] !== c || words[i + 3] !== d) {
      words[i] = a;
      words[i + 1] = b;
      words[i + 2] = c;
      words[i + 3] = d;
      const end = writeQuotedUntilNull(out, at, from, start, 16);
      this.#texts[slot] = new StockText(out.u8.subarray(at, end));
      return end;
    }
    return this.#texts[slot]!.write(out, at);
  }
}

const emptyText = new StockText(Buffer.from('""'));

export function quoted(text: string): string {
  let result = '"';
  for (const byte of Buffer.from(text)) result += escapes[byte] ?? String.fromCharCode(byte);
  return Buffer.from(`${result}"`, "latin1").toString("utf8");
}

/** A number as C's `printf("%g")` writes it: six significant digits. */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const rounded = roundSixDigits(value);
  const [mantissa, exponentText] = rounded.split("e") as [string, string];
  const exponent = Number(exponentText);
  const trim = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= 6) {
    const digits = Math.abs(exponent).toString().padStart(2, "0");
    return `${trim(mantissa)}e${exponent < 0 ? "-" : "+"}${digits}`;
  }
  return trim(Number(rounded).toFixed(5 - exponent));
}

/** Exponential form with six digits; a tie goes to the even digit, as in C (JavaScript rounds it up). */
function roundSixDigits(value: number): string {
  const exact = value.toExponential(40);
  const tie = /^(-?\d\.\d{4})(\d)50+e(.*)$/.exec(exact);
  if (tie && Number(tie[2]) % 2 === 0) return `${tie[1]}${tie[2]}e${tie[3]}`;
  return value.toExponential(5);
}
