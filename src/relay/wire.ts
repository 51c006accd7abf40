/** Big-endian packed structures, as LTTng's relay protocols have them everywhere. */
import { PeriscopeError } from "../base/errors.js";

/** A peer did not speak the protocol: where in the message, what was found, what was expected. */
export class ProtocolError extends PeriscopeError {
  override name = "ProtocolError";
}

const utf8 = new TextDecoder();

/** Takes fields from a message, in order. Throws `ProtocolError` when the message ends too early. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(
    bytes: Uint8Array,
    /** Name of the message, for errors. */
    readonly what: string,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) {
      throw new ProtocolError(
        `${this.what}: byte ${at}: ${this.#bytes.length - at} bytes left, expected ${bytes}`,
      );
    }
    this.#at += bytes;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Text in a field of fixed size, up to its first NUL: what follows that is whatever the peer's stack held. */
  text(length: number): string {
    const field = this.bytes(length);
    const end = field.indexOf(0);
    return utf8.decode(end < 0 ? field : field.subarray(0, end));
  }
}

/** Puts fields into a message, in order. */
export class WireWriter {
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** May replace the buffer: to be called before it is looked at. */
  #room(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, at + bytes));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#at += bytes;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value));
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Text in a field of fixed size, cut where it does not fit with its NUL. */
  text(value: string, length: number): this {
    const at = this.#room(length);
    this.#bytes.fill(0, at, at + length);
    new TextEncoder().encodeInto(value, this.#bytes.subarray(at, at + length - 1));
    return this;
  }

  /** The message so far; later writes may change it. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}
