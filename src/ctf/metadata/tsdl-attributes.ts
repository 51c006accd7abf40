/** TSDL attributes (`name = value;`) and the meanings of their values. */

import { DOT, DOUBLE_QUOTE, EQUAL, QUOTE, SEMICOLON, shorten, TsdlLexer } from "./tsdl-lexer.js";
import type { ByteOrder } from "./types.js";

/** The value of an attribute, as written. */
export type Value =
  | { readonly kind: "integer"; readonly at: number; readonly value: number | bigint }
  | { readonly kind: "string"; readonly at: number; readonly value: string }
  | { readonly kind: "words"; readonly at: number; readonly value: readonly string[] };

/** Warnings beyond this number say nothing new. */
const MAX_WARNINGS = 100;

export class TsdlAttributes extends TsdlLexer {
  readonly warnings: string[] = [];

  warn(at: number, text: string): void {
    if (this.warnings.length >= MAX_WARNINGS) return;
    const { line, column } = this.position(at);
    this.warnings.push(`${this.file}:${line}:${column}: ${text}`);
  }

  /** Takes a value: an integer, a string, a character, or words separated by dots. */
  value(): Value {
    this.skip();
    const at = this.pos;
    if (this.atInteger()) return { kind: "integer", at, value: this.integer() };
    if (this.atString()) return { kind: "string", at, value: this.string() };
    if (this.atCharacter()) return { kind: "string", at, value: this.character() };
    return { kind: "words", at, value: this.dottedPath("a value") };
  }

  /** Takes the `=` before a value. */
  expectEqual(): void {
    this.expect(EQUAL, '"="');
  }

  /** Takes the name of an attribute, which may have dots: `packet.header`. */
  attributeName(): string {
    const first = this.identifier("an attribute");
    return this.skip() === DOT ? first + this.restOfName() : first;
  }

  private restOfName(): string {
    let rest = "";
    while (this.accept(DOT)) rest += `.${this.identifier()}`;
    return rest;
  }

  /** Passes over `= value` of an attribute that is not known. */
  skipUnknownValue(at: number, what: string): void {
    this.expectEqual();
    this.value();
    this.warn(at, `unknown ${what} is ignored`);
  }

  valueText(): string {
    if (this.skip() === DOUBLE_QUOTE) return this.string();
    const value = this.value();
    if (value.kind === "integer") this.failValue(value, "a string or a name");
    return value.kind === "string" ? value.value : value.value.join(".");
  }

  valueInteger(): number | bigint {
    const value = this.value();
    if (value.kind !== "integer") this.failValue(value, "an integer");
    return value.value;
  }

  /** An integer from `min` to `max`. */
  valueInRange(min: number, max: number, what: string): number {
    const value = this.value();
    if (value.kind !== "integer" || value.value < min || value.value > max) {
      this.failValue(value, `${what} from ${min} to ${max}`);
    }
    return Number(value.value);
  }

  /** An id: not negative, and exact as a number. */
  valueId(): number {
    const code = this.skip();
    if (code >= 48 && code <= 57) {
      const at = this.pos;
      const id = this.integer();
      if (typeof id === "number") return id;
      this.pos = at;
    }
    return this.valueInRange(0, Number.MAX_SAFE_INTEGER, "an id");
  }

  valueBoolean(): boolean {
    const value = this.value();
    const text = describeValue(value).toLowerCase();
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    this.failValue(value, "true or false");
  }

  /** A byte order; undefined stands for the trace's own. */
  valueByteOrder(): ByteOrder | undefined {
    const value = this.value();
    switch (describeValue(value)) {
      case "le":
        return "le";
      case "be":
      case "network":
        return "be";
      case "native":
        return undefined;
    }
    this.failValue(value, "le, be, network or native");
  }

  valueUuid(): string {
    const value = this.value();
    const text = describeValue(value).toLowerCase();
    if (value.kind !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) {
      this.failValue(value, "a UUID in quotation marks");
    }
    return text;
  }

  failValue(value: Value, expected: string): never {
    this.fail(value.at, `found ${JSON.stringify(shorten(describeValue(value)))}, expected ${expected}`);
  }

  /** Takes the `;` that ends an attribute or declaration. */
  expectSemicolon(): void {
    if (this.skip() !== SEMICOLON) this.failExpected('";"');
    this.pos++;
  }

  /** Passes over tokens up to the brace that closes the block whose opening brace has been taken. */
  skipBlock(start: number): void {
    for (let depth = 1; depth > 0; ) {
      const code = this.skip();
      if (this.pos >= this.text.length) this.fail(start, 'found a block without end, expected "}"');
      if (this.atString()) this.string();
      else if (code === QUOTE) this.character();
      else {
        if (code === 123) depth++;
        else if (code === 125) depth--;
        this.pos++;
      }
    }
  }
}

export function describeValue(value: Value): string {
  return value.kind === "words" ? value.value.join(".") : String(value.value);
}
