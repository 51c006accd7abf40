/** Bytes that grow at their end, and are used again once they are written out: for formats with millions of pieces. */

export class ByteBuffer {
  /** The used part is `bytes.subarray(0, length)`; another array after it grew. */
  bytes = Buffer.allocUnsafe(1 << 16);
  length = 0;

  /** Makes sure that `size` more bytes fit. */
  room(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.length + size));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.room(length);
    const into = this.bytes;
    const at = this.length;
    // Short ones: a call would cost more than the loop.
    if (length > 64) into.set(bytes, at);
    else for (let i = 0; i < length; i++) into[at + i] = bytes[i]!;
    this.length = at + length;
  }

  /** In UTF-8. */
  text(text: string): void {
    this.room(3 * text.length);
    this.length += this.bytes.write(text, this.length, "utf8");
  }

  /** A whole number, 0 … 2^53 - 1, in decimal digits, at least `digits` of them. */
  decimal(value: number, digits = 1): void {
    this.room(16);
    const { bytes } = this;
    let size = 1;
    for (let limit = 10; value >= limit; limit *= 10) size++;
    if (size < digits) size = digits;
    let rest = value;
    for (let at = this.length + size - 1; at >= this.length; at--) {
      // Integer arithmetic as soon as the number is small enough for it.
      const shorter = rest <= 0x7fffffff ? ((rest | 0) / 10) | 0 : (rest - (rest % 10)) / 10;
      bytes[at] = rest - 10 * shorter + 48;
      rest = shorter;
    }
    this.length += size;
  }

  /** The used part, which the next write changes. */
  used(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** A copy of what is written. */
  copy(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.bytes, 0, this.length);
  }
}
