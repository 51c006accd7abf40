/** Protocol Buffers, the writing half that a trace needs (protobuf.dev, "Encoding"). */

const text = new TextEncoder();

/** A message being written; `take` gives its bytes. */
export class Message {
  #bytes = new Uint8Array(256);
  #at = 0;

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + size));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }

  /** Whole numbers below 2^53, and bigints below 2^64. */
  #varint(value: number | bigint): void {
    this.#room(10);
    if (typeof value === "bigint" && value > 0x1f_ffff_ffff_ffffn) {
      let rest = value;
      for (; rest > 127n; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 127n) | 128;
      this.#bytes[this.#at++] = Number(rest);
      return;
    }
    let rest = Number(value);
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 128;
    this.#bytes[this.#at++] = rest;
  }

  integer(field: number, value: number | bigint): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  /** 64 bits of fixed size. */
  fixed64(field: number, value: number): this {
    this.#varint(field * 8 + 1);
    this.#room(8);
    const view = new DataView(this.#bytes.buffer, this.#at, 8);
    view.setBigUint64(0, BigInt(value), true);
    this.#at += 8;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, text.encode(value));
  }

  message(field: number, write: (message: Message) => void): this {
    const inner = new Message();
    write(inner);
    return this.bytes(field, inner.take());
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}
