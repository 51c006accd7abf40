/**
 * TSDL tokens, read in place.
 *
 * HOT (start-up): LTTng's kernel metadata is 390 KB and is read before anything else happens, in code that
 * has not been compiled yet. So there are no token objects and no regular expressions: the parser asks for
 * what it expects at the current position (a word, a number, a punctuation mark), and each request reads
 * character codes of the text. Guarded by the start-up row of `npm run bench`.
 */

import { MetadataError } from "../../base/errors.js";
import { positionAt, type TextPosition } from "./position.js";

/** Character codes that the parser meets. */
export const TAB = 9;
export const LINE_FEED = 10;
export const CARRIAGE_RETURN = 13;
export const SPACE = 32;
export const DOUBLE_QUOTE = 34;
export const QUOTE = 39;
export const PAREN_OPEN = 40;
export const PAREN_CLOSE = 41;
export const STAR = 42;
export const PLUS = 43;
export const COMMA = 44;
export const MINUS = 45;
export const DOT = 46;
export const SLASH = 47;
export const COLON = 58;
export const SEMICOLON = 59;
export const LESS = 60;
export const EQUAL = 61;
export const GREATER = 62;
export const UPPER_L = 76;
export const BRACKET_OPEN = 91;
export const BACKSLASH = 92;
export const BRACKET_CLOSE = 93;
export const BRACE_OPEN = 123;
export const BRACE_CLOSE = 125;
/** What `skip` returns after the last character. */
export const END = -1;

/** By character code: 1 starts a word, 2 continues one (a digit), 0 neither. */
const WORD_KIND = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const isLetter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;
  WORD_KIND[c] = isLetter ? 1 : c >= 48 && c <= 57 ? 2 : 0;
}

/** Integers of 64 bits, signed or not, are all that TSDL has. */
const MAX_INTEGER = (1n << 64n) - 1n;

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
  ["r", "\r"],
  ["?", "?"],
]);

/** Reads the tokens of `text` from `pos` on. */
export class TsdlLexer {
  pos = 0;

  constructor(
    readonly text: string,
    readonly file: string,
  ) {}

  /** Raises the error that `reason` is what is wrong at offset `at` of the text. */
  fail(at: number, reason: string): never {
    const { line, column } = this.position(at);
    throw new MetadataError(this.file, line, column, reason);
  }

  position(at: number): TextPosition {
    return positionAt(this.text, at);
  }

  /** Raises the error that `expected` was expected where the next token is. */
  failExpected(expected: string): never {
    this.skip();
    this.fail(this.pos, `found ${this.describeToken()}, expected ${expected}`);
  }

  /** Goes to the next token; returns its first character code, or `END`. */
  skip(): number {
    const text = this.text;
    let pos = this.pos;
    let code = text.charCodeAt(pos);
    while (code <= SPACE || code === SLASH) {
      if (code === SPACE || (code >= TAB && code <= CARRIAGE_RETURN)) {
        pos++;
      } else if (code === SLASH) {
        pos = this.skipComment(pos);
      } else {
        break;
      }
      code = text.charCodeAt(pos);
    }
    this.pos = pos;
    return pos < text.length ? code : END;
  }

  /** The offset after the comment that starts at `at`. */
  private skipComment(at: number): number {
    const next = this.text.charCodeAt(at + 1);
    if (next === STAR) {
      const end = this.text.indexOf("*/", at + 2);
      if (end < 0) this.fail(at, 'found a comment without end, expected "*/"');
      return end + 2;
    }
    if (next === SLASH) {
      const end = this.text.indexOf("\n", at + 2);
      return end < 0 ? this.text.length : end + 1;
    }
    this.fail(at, 'found "/", expected a comment');
  }

  /** Takes the next token if it is the punctuation mark `code`. */
  accept(code: number): boolean {
    if (this.skip() !== code) return false;
    this.pos++;
    return true;
  }

  /** Takes the punctuation mark `code`, which must be next. */
  expect(code: number, expected?: string): void {
    if (this.skip() !== code) this.failExpected(expected ?? JSON.stringify(String.fromCharCode(code)));
    this.pos++;
  }

  /** Takes the next token if it is a word (identifier or keyword); else returns "". */
  word(): string {
    const code = this.skip();
    if (!(code >= 0 && code < 128) || WORD_KIND[code] !== 1) return "";
    const text = this.text;
    const start = this.pos;
    let pos = start + 1;
    for (;;) {
      const c = text.charCodeAt(pos);
      if (!(c < 128) || WORD_KIND[c] === 0) break;
      pos++;
    }
    this.pos = pos;
    return text.slice(start, pos);
  }

  /** Takes a word, which must be next. */
  identifier(expected = "an identifier"): string {
    const word = this.word();
    if (word === "") this.failExpected(expected);
    return word;
  }

  /** The word at `pos`, without taking it. */
  peekWord(): string {
    const word = this.word();
    this.pos -= word.length;
    return word;
  }

  /** Takes `...` if it is next. */
  acceptEllipsis(): boolean {
    if (this.skip() !== DOT) return false;
    if (!this.text.startsWith("...", this.pos)) this.failExpected('"..."');
    this.pos += 3;
    return true;
  }

  /** Takes `a.b.c` (or `a->b`, as C writes it), which must be next: its words. */
  dottedPath(expected = "an identifier"): string[] {
    const words = [this.identifier(expected)];
    for (;;) {
      const code = this.skip();
      if (code === DOT && this.text.charCodeAt(this.pos + 1) !== DOT) this.pos++;
      else if (code === MINUS && this.text.charCodeAt(this.pos + 1) === GREATER) this.pos += 2;
      else return words;
      words.push(this.identifier());
    }
  }

  /** Whether the next token is a number (with a sign, perhaps). */
  atInteger(): boolean {
    const code = this.skip();
    return (code >= 48 && code <= 57) || code === MINUS || code === PLUS;
  }

  /** Takes an integer with an optional sign: a number if that is exact, else a bigint. */
  integer(expected = "an integer"): number | bigint {
    let code = this.skip();
    const start = this.pos;
    const negative = code === MINUS;
    if (negative || code === PLUS) {
      this.pos++;
      code = this.skip();
    }
    if (!(code >= 48 && code <= 57)) this.failExpected(expected);
    const value = this.magnitude(start);
    if (!negative) return value;
    if (value > 1n << 63n) this.fail(start, `found integer -${value}, expected one of 64 bits`);
    // No negative zero: it would print and compare in surprising ways.
    return typeof value === "number" ? 0 - value : -value;
  }

  /** Takes the digits at `pos` and their suffix. */
  private magnitude(start: number): number | bigint {
    const text = this.text;
    const first = this.pos;
    let pos = first;
    let value = 0;
    let code = text.charCodeAt(pos);
    while (code < 128 && WORD_KIND[code] !== 0) {
      value = value * 10 + (code - 48);
      code = text.charCodeAt(++pos);
    }
    this.pos = pos;
    const digits = pos - first;
    // Up to 15 plain decimal digits: done. (A letter among them makes the value useless: read it again.)
    if (digits <= 15 && (text.charCodeAt(first) !== 48 || digits === 1) && allDigits(text, first, pos)) {
      return value;
    }
    return this.fullInteger(text.slice(first, pos), start);
  }

  /** Integer literal in any base and with any suffix. */
  private fullInteger(literal: string, start: number): number | bigint {
    const body = literal.replace(/[uUlL]+$/, "");
    let digits: string;
    if (/^(0|[1-9][0-9]*)$/.test(body) || /^0[xX][0-9a-fA-F]+$/.test(body)) digits = body;
    else if (/^0[0-7]+$/.test(body)) digits = `0o${body.slice(1)}`;
    else this.fail(start, `found "${shorten(literal)}", expected an integer`);
    // The length is checked first: BigInt takes quadratic time.
    if (digits.length > 64) this.fail(start, `found integer ${shorten(literal)}, expected one of 64 bits`);
    const value = BigInt(digits);
    if (value > MAX_INTEGER) this.fail(start, `found integer ${shorten(literal)}, expected one of 64 bits`);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  /** Whether the next token is a string literal. */
  atString(): boolean {
    const code = this.skip();
    return code === DOUBLE_QUOTE || (code === UPPER_L && this.text.charCodeAt(this.pos + 1) === DOUBLE_QUOTE);
  }

  /** Takes a string literal, which must be next: its value. */
  string(expected = "a string"): string {
    if (!this.atString()) this.failExpected(expected);
    if (this.text.charCodeAt(this.pos) === UPPER_L) this.pos++;
    return this.quoted(DOUBLE_QUOTE);
  }

  /** Whether the next token is a character literal. */
  atCharacter(): boolean {
    const code = this.skip();
    return code === QUOTE || (code === UPPER_L && this.text.charCodeAt(this.pos + 1) === QUOTE);
  }

  /** Takes a character literal: its value as a string. */
  character(): string {
    if (this.text.charCodeAt(this.pos) === UPPER_L) this.pos++;
    return this.quoted(QUOTE);
  }

  /** The text between the quotation marks, the first of which is at `pos`. */
  private quoted(mark: number): string {
    const text = this.text;
    const start = this.pos;
    const end = text.indexOf(mark === QUOTE ? "'" : '"', start + 1);
    if (end < 0) this.fail(start, "found a string without end, expected its closing quotation mark");
    const plain = text.slice(start + 1, end);
    if (!plain.includes("\\") && !plain.includes("\n") && !plain.includes("\0")) {
      this.pos = end + 1;
      return plain;
    }
    return this.escaped(start, mark);
  }

  /** Like `quoted`, for text with escape sequences (or errors) in it. */
  private escaped(start: number, mark: number): string {
    const text = this.text;
    let value = "";
    let pos = start + 1;
    for (;;) {
      const code = text.charCodeAt(pos);
      if (code === mark) break;
      if (pos >= text.length || code === LINE_FEED) {
        this.fail(start, "found a string without end, expected its closing quotation mark on the same line");
      }
      if (code === 0) this.fail(pos, "found a NUL character in a string, expected text");
      if (code !== BACKSLASH) {
        value += text[pos];
        pos++;
        continue;
      }
      const simple = SIMPLE_ESCAPES.get(text[pos + 1] ?? "");
      if (simple !== undefined) {
        value += simple;
        pos += 2;
        continue;
      }
      const coded = /^\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2}))/.exec(text.slice(pos, pos + 4));
      if (coded === null) {
        this.fail(
          pos,
          `found escape sequence ${JSON.stringify(text.slice(pos, pos + 2))}, expected one of C`,
        );
      }
      value += String.fromCharCode(coded[1] ? Number.parseInt(coded[1], 8) : Number.parseInt(coded[2]!, 16));
      pos += coded[0].length;
    }
    this.pos = pos + 1;
    return value;
  }

  /** The token at `pos`, for messages. */
  private describeToken(): string {
    const code = this.skip();
    if (code === END) return "the end of the metadata";
    if (this.atString()) return "a string";
    const word = this.peekWord();
    if (word !== "") return `"${shorten(word)}"`;
    const number = /^[0-9][0-9A-Za-z_]*/.exec(this.text.slice(this.pos, this.pos + 40));
    if (number !== null) return `"${shorten(number[0])}"`;
    const mark = /^(?::=|\.\.\.|->)/.exec(this.text.slice(this.pos, this.pos + 3));
    if (mark !== null) return `"${mark[0]}"`;
    if (code < SPACE || code > 126) return `character 0x${code.toString(16)}`;
    return JSON.stringify(String.fromCharCode(code));
  }
}

function allDigits(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

/** Long words of hostile input make long messages. */
export function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
