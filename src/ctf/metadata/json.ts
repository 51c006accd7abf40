/**
 * JSON text sequences (RFC 7464), with the position of every object and exact integers.
 *
 * `JSON.parse` will not do: CTF 2 has integers of 64 bits, and errors should say where they are.
 */

/** Deepest nesting accepted; a field class inside another takes three or four levels. */
const MAX_NESTING = 400;

const RECORD_SEPARATOR = 0x1e;

export type JsonValue = null | boolean | string | number | bigint | JsonArray | JsonObject;

export class JsonArray {
  constructor(
    /** Offset in the text. */
    readonly at: number,
    readonly items: readonly JsonValue[],
  ) {}
}

export class JsonObject {
  constructor(
    readonly at: number,
    readonly entries: ReadonlyMap<string, JsonValue>,
    /** Offsets of the values. */
    readonly positions: ReadonlyMap<string, number>,
  ) {}

  get(key: string): JsonValue | undefined {
    return this.entries.get(key);
  }

  /** Where the value of `key` is, or would be. */
  positionOf(key: string): number {
    return this.positions.get(key) ?? this.at;
  }
}

export type Fail = (at: number, reason: string) => never;

/** Reads the values of a JSON text sequence. Record separators between values may be missing. */
export class JsonReader {
  private pos = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly fail: Fail,
  ) {}

  /** The next value and its offset; undefined at the end. */
  next(): { at: number; value: JsonValue } | undefined {
    let code = this.skip();
    while (code === RECORD_SEPARATOR || code === 0xfeff) {
      this.pos++;
      code = this.skip();
    }
    if (this.pos >= this.text.length) return undefined;
    const at = this.pos;
    return { at, value: this.value() };
  }

  private skip(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.pos);
      if (code !== 32 && code !== 10 && code !== 9 && code !== 13) return code;
      this.pos++;
    }
  }

  private failExpected(expected: string): never {
    const at = this.pos;
    const found =
      at >= this.text.length ? "the end of the metadata" : JSON.stringify(this.text.slice(at, at + 1));
    this.fail(at, `found ${found}, expected ${expected}`);
  }

  private value(): JsonValue {
    const code = this.skip();
    switch (code) {
      case 0x7b:
        return this.object();
      case 0x5b:
        return this.array();
      case 0x22:
        return this.string();
      case 0x74:
        return this.literal("true", true);
      case 0x66:
        return this.literal("false", false);
      case 0x6e:
        return this.literal("null", null);
    }
    return this.number();
  }

  private literal<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.pos)) this.failExpected("a JSON value");
    this.pos += word.length;
    return value;
  }

  private enter(): void {
    if (++this.depth > MAX_NESTING) {
      this.fail(this.pos, `found JSON nested more than ${MAX_NESTING} deep, the limit`);
    }
    this.pos++;
  }

  private object(): JsonObject {
    const at = this.pos;
    const entries = new Map<string, JsonValue>();
    const positions = new Map<string, number>();
    this.enter();
    if (this.skip() !== 0x7d) {
      for (;;) {
        if (this.skip() !== 0x22) this.failExpected("a property's name");
        const keyAt = this.pos;
        const key = this.string();
        if (entries.has(key)) {
          this.fail(
            keyAt,
            `found property ${JSON.stringify(key.slice(0, 40))} a second time, expected it once`,
          );
        }
        if (this.skip() !== 0x3a) this.failExpected('":"');
        this.pos++;
        this.skip();
        positions.set(key, this.pos);
        entries.set(key, this.value());
        if (this.skip() !== 0x2c) break;
        this.pos++;
      }
      if (this.skip() !== 0x7d) this.failExpected('"," or "}"');
    }
    this.pos++;
    this.depth--;
    return new JsonObject(at, entries, positions);
  }

  private array(): JsonArray {
    const at = this.pos;
    const items: JsonValue[] = [];
    this.enter();
    if (this.skip() !== 0x5d) {
      for (;;) {
        items.push(this.value());
        if (this.skip() !== 0x2c) break;
        this.pos++;
      }
      if (this.skip() !== 0x5d) this.failExpected('"," or "]"');
    }
    this.pos++;
    this.depth--;
    return new JsonArray(at, items);
  }

  private string(): string {
    const start = this.pos;
    let end = start;
    // A quotation mark after an odd number of backslashes does not end the string.
    for (;;) {
      end = this.text.indexOf('"', end + 1);
      if (end < 0) this.fail(start, "found a string without end, expected its closing quotation mark");
      let backslashes = 0;
      while (this.text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
      if (backslashes % 2 === 0) break;
    }
    this.pos = end + 1;
    const plain = this.text.slice(start + 1, end);
    if (/^[^\\\0-\x1f]*$/.test(plain)) return plain;
    try {
      return JSON.parse(this.text.slice(start, end + 1)) as string;
    } catch {
      this.fail(
        start,
        "found a string with a wrong escape sequence or control character, expected a JSON string",
      );
    }
  }

  private number(): number | bigint {
    const match = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/.exec(
      this.text.slice(this.pos, this.pos + 64),
    );
    if (match === null) this.failExpected("a JSON value");
    const literal = match[0];
    if (literal.length > 40) this.fail(this.pos, `found number ${literal}, expected at most 40 characters`);
    this.pos += literal.length;
    const value = Number(literal);
    if (match[1] !== undefined || match[2] !== undefined) return value;
    return Number.isSafeInteger(value) ? value : BigInt(literal);
  }
}

export function describeJson(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value instanceof JsonObject) return "an object";
  if (value instanceof JsonArray) return "an array";
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value);
  return String(value);
}

/** Typed access to the properties of objects; each raises an error about the property if it is wrong. */
export class JsonAccess {
  constructor(readonly fail: Fail) {}

  private failProperty(object: JsonObject, key: string, expected: string): never {
    const value = object.get(key);
    if (value === undefined) this.fail(object.at, `found no property "${key}", expected ${expected}`);
    this.fail(object.positionOf(key), `found ${describeJson(value)} for "${key}", expected ${expected}`);
  }

  object(value: JsonValue | undefined, at: number, what: string): JsonObject {
    if (!(value instanceof JsonObject)) this.fail(at, `found ${describeJson(value)}, expected ${what}`);
    return value;
  }

  optionalObject(object: JsonObject, key: string): JsonObject | undefined {
    const value = object.get(key);
    if (value === undefined || value instanceof JsonObject) return value;
    this.failProperty(object, key, "an object");
  }

  optionalArray(object: JsonObject, key: string): JsonArray | undefined {
    const value = object.get(key);
    if (value === undefined || value instanceof JsonArray) return value;
    this.failProperty(object, key, "an array");
  }

  array(object: JsonObject, key: string): JsonArray {
    return this.optionalArray(object, key) ?? this.failProperty(object, key, "an array");
  }

  optionalString(object: JsonObject, key: string): string | undefined {
    const value = object.get(key);
    if (value === undefined || typeof value === "string") return value;
    this.failProperty(object, key, "a string");
  }

  string(object: JsonObject, key: string): string {
    return this.optionalString(object, key) ?? this.failProperty(object, key, "a string");
  }

  /** An integer from `min` to `max` (of 64 bits, if not said otherwise). */
  optionalBigint(
    object: JsonObject,
    key: string,
    min = -(1n << 63n),
    max = (1n << 64n) - 1n,
  ): bigint | undefined {
    const value = object.get(key);
    if (value === undefined) return undefined;
    const integer = toBigint(value);
    if (integer === undefined || integer < min || integer > max) {
      this.failProperty(object, key, `an integer from ${min} to ${max}`);
    }
    return integer;
  }

  optionalInteger(object: JsonObject, key: string, min: number, max: number): number | undefined {
    const value = this.optionalBigint(object, key, BigInt(min), BigInt(max));
    return value === undefined ? undefined : Number(value);
  }

  integer(object: JsonObject, key: string, min: number, max: number): number {
    return (
      this.optionalInteger(object, key, min, max) ??
      this.failProperty(object, key, `an integer from ${min} to ${max}`)
    );
  }

  /** One of the keys of `choices`: its value. */
  optionalChoice<T>(object: JsonObject, key: string, choices: ReadonlyMap<JsonValue, T>): T | undefined {
    const value = object.get(key);
    if (value === undefined) return undefined;
    const chosen = choices.get(value);
    if (chosen === undefined) this.failProperty(object, key, listOf(choices));
    return chosen;
  }

  choice<T>(object: JsonObject, key: string, choices: ReadonlyMap<JsonValue, T>): T {
    return this.optionalChoice(object, key, choices) ?? this.failProperty(object, key, listOf(choices));
  }
}

export function toBigint(value: JsonValue | undefined): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}

function listOf(choices: ReadonlyMap<JsonValue, unknown>): string {
  return Array.from(choices.keys(), (key) => describeJson(key)).join(" or ");
}
