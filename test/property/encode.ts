/** Random values of a field class, their encoding bit by bit, and what a reader must say of them. */
import { alignOf, type Carrier, type Encoding, isWithin, type Node } from "./model.js";
import type { Random } from "./random.js";

/** Bits of a packet. What is never written (padding) is random. */
export class BitWriter {
  at = 0;
  #bytes: Uint8Array;

  constructor(private readonly random: Random) {
    this.#bytes = this.#noise(1024);
  }

  #noise(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.random.u32() & 255);
  }

  align(align: number): void {
    this.at = Math.ceil(this.at / align) * align;
  }

  /** Little endian: least significant bit first, each byte filled from below. Big endian: the contrary. */
  bits(value: bigint, size: number, bigEndian: boolean, reversed: boolean): void {
    for (let i = 0; i < size; i++) {
      const index = bigEndian !== reversed ? size - 1 - i : i;
      this.#bit(this.at++, Number((value >> BigInt(index)) & 1n), bigEndian);
    }
  }

  byte(value: number): void {
    this.bits(BigInt(value), 8, false, false);
  }

  #bit(at: number, bit: number, bigEndian: boolean): void {
    const byte = at >> 3;
    if (byte >= this.#bytes.length) {
      const grown = this.#noise(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    const mask = 1 << (bigEndian ? 7 - (at & 7) : at & 7);
    this.#bytes[byte] = (this.#bytes[byte]! & ~mask) | (bit ? mask : 0);
  }

  bytes(length: number): Uint8Array {
    while (this.#bytes.length < length) this.#bit(this.#bytes.length * 8, 0, false);
    return this.#bytes.slice(0, length);
  }
}

export const unitOf = (encoding: Encoding): number =>
  encoding === "utf-8" ? 1 : encoding.startsWith("utf-16") ? 2 : 4;

/** Text to bytes, without the platform's decoders. */
export function encodeText(text: string, encoding: Encoding): number[] {
  if (encoding === "utf-8") return [...Buffer.from(text, "utf8")];
  const unit = unitOf(encoding);
  const codes =
    unit === 4
      ? Array.from(text, (character) => character.codePointAt(0)!)
      : Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return codes.flatMap((code) => {
    const bytes = Array.from({ length: unit }, (_, i) => (code >>> (8 * i)) & 255);
    return encoding.endsWith("be") ? bytes.reverse() : bytes;
  });
}

const characters = [
  "a",
  "Z",
  "0",
  " ",
  '"',
  "\\",
  "\n",
  "é",
  "ß",
  "漢",
  "\u2028",
  "😀",
  "{",
  "\x1b",
  "\ufeff",
];

function randomText(random: Random, most: number): string {
  return Array.from({ length: random.below(most + 1) }, () => random.pick(characters)).join("");
}

export class Encoder {
  readonly values = new Map<Carrier, bigint>();
  /** Bytes of variable-length integers with roles: a clock's wraps by them. */
  leastBytes = 1;

  constructor(
    private readonly out: BitWriter,
    private readonly random: Random,
    /** Fields whose values the test decides (roles). */
    private readonly given: ReadonlyMap<Node, bigint>,
  ) {}

  /** Writes a random value; answers what a reader must make of it. */
  write(node: Node): unknown {
    const { out, random } = this;
    out.align(alignOf(node));
    switch (node.type) {
      case "int": {
        const value = this.given.get(node) ?? this.#value(node, node.size);
        this.values.set(node, value);
        out.bits(BigInt.asUintN(node.size, value), node.size, node.bigEndian, node.reversed);
        return node.form === "boolean" ? value !== 0n : plain(value);
      }
      case "varint": {
        const value = this.given.get(node) ?? this.#value(node, random.between(1, 64));
        this.values.set(node, value);
        this.#leb128(value, node.signed, node.role === undefined ? undefined : this.leastBytes);
        return plain(value);
      }
      case "float": {
        const { bits, value } = randomFloat(random, node.size);
        out.bits(bits, node.size, node.bigEndian, node.reversed);
        return value;
      }
      case "string": {
        const text = randomText(random, random.chance(0.05) ? 200 : 6);
        for (const byte of encodeText(text, node.encoding)) out.byte(byte);
        for (let i = 0; i < unitOf(node.encoding); i++) out.byte(0);
        return text;
      }
      case "static-string":
        return this.#text(node.encoding, node.length);
      case "dynamic-string":
        return this.#text(node.encoding, Number(this.values.get(node.length.target)));
      case "static-blob":
        return this.#blob(node.length);
      case "dynamic-blob":
        return this.#blob(Number(this.values.get(node.length.target)));
      case "struct": {
        const object = {};
        for (const member of node.members) {
          const value = this.write(member.node);
          Object.defineProperty(object, member.name, {
            value,
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        return object;
      }
      case "static-array":
        return Array.from({ length: node.length }, () => this.write(node.element));
      case "dynamic-array": {
        const length = Number(this.values.get(node.length.target));
        return Array.from({ length }, () => this.write(node.element));
      }
      case "optional": {
        const selector = this.values.get(node.selector.target)!;
        const isThere = node.ranges ? isWithin(selector, node.ranges) : selector !== 0n;
        return isThere ? this.write(node.node) : undefined;
      }
      case "variant": {
        const selector = this.values.get(node.selector.target)!;
        return this.write(node.options.find((option) => isWithin(selector, option.ranges))!.node);
      }
    }
  }

  #value(node: Carrier, size: number): bigint {
    if (node.domain) return this.random.pick(node.domain);
    return this.random.integer(size, node.signed);
  }

  #leb128(value: bigint, signed: boolean, bytes: number | undefined): void {
    // A value may have more bytes than it needs.
    const least = bytes ?? (this.random.chance(0.2) ? this.random.between(1, 10) : 1);
    for (let n = 1; ; n++) {
      const part = Number(value & 0x7fn);
      value >>= 7n;
      const done = signed ? (value === 0n && part < 64) || (value === -1n && part >= 64) : value === 0n;
      const last = (done && n >= least) || n === 10;
      this.out.byte(last ? part : part | 0x80);
      if (last) return;
    }
  }

  #blob(length: number): Uint8Array {
    const bytes = Uint8Array.from({ length }, () => this.random.u32() & 255);
    for (const byte of bytes) this.out.byte(byte);
    return bytes;
  }

  /** Text in exactly `length` bytes: it fills them, or ends at a null with anything behind it. */
  #text(encoding: Encoding, length: number): string {
    const unit = unitOf(encoding);
    let text = randomText(this.random, length);
    while (encodeText(text, encoding).length > length) text = [...text].slice(0, -1).join("");
    if (this.random.chance(0.3)) {
      while (encodeText(text, encoding).length < length) text += "x";
    }
    const bytes = encodeText(text, encoding);
    if (bytes.length < length) for (let i = 0; i < unit; i++) bytes.push(0);
    while (bytes.length < length) bytes.push(this.random.u32() & 255);
    for (const byte of bytes) this.out.byte(byte);
    return text;
  }
}

/** The form in which the library hands integers out: a number if that is exact. */
function plain(value: bigint): number | bigint {
  const isSafe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
  return isSafe ? Number(value) : value;
}

function randomFloat(random: Random, size: 16 | 32 | 64): { bits: bigint; value: number } {
  const view = new DataView(new ArrayBuffer(8));
  if (size === 16) {
    const bits = random.u32() & 0xffff;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const sign = bits >> 15 ? -1 : 1;
    const value =
      exponent === 31
        ? fraction
          ? Number.NaN
          : sign * Infinity
        : exponent === 0
          ? sign * (fraction / 1024) * 2 ** -14
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    return { bits: BigInt(bits), value };
  }
  if (size === 32) {
    view.setUint32(0, random.u32());
    return { bits: BigInt(view.getUint32(0)), value: view.getFloat32(0) };
  }
  if (random.chance(0.5)) view.setFloat64(0, random.between(-1000, 1000) / 8);
  else view.setBigUint64(0, random.bits(64));
  return { bits: view.getBigUint64(0), value: view.getFloat64(0) };
}
