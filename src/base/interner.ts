/**
 * String interning: bytes of a buffer to a JavaScript string, made once per distinct text.
 *
 * A trace repeats few strings millions of times (process names, file names). Hashing the bytes and
 * comparing them with the one stored text costs less than making a string and leaves no garbage.
 * The table is bounded: when `capacity` distinct texts are in, later new ones are made but not kept.
 */

const initialSlots = 1 << 10;

export class Interner {
  #slots = new Int32Array(initialSlots).fill(-1);
  #mask = initialSlots - 1;
  #count = 0;
  readonly #strings: string[] = [];
  readonly #hashes: number[] = [];
  #starts = new Uint32Array(256);
  #bytes = new Uint8Array(1 << 14);
  #used = 0;

  constructor(
    private readonly capacity = 1 << 17,
    private readonly byteCapacity = 1 << 23,
  ) {}

  /** The text of `length` bytes at `start` of `from` (UTF-8; invalid bytes become U+FFFD). */
  intern(from: Uint8Array, start: number, length: number): string {
    if (length === 0) return "";
    let hash = length | 0;
    const end = start + length;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + from[i]!) | 0;
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    for (;;) {
      const index = this.#slots[slot]!;
      if (index < 0) return this.#add(from, start, length, hash, slot);
      if (this.#hashes[index] === hash && this.#same(index, from, start, length))
        return this.#strings[index]!;
      slot = (slot + 1) & this.#mask;
    }
  }

  // The 16 bytes seen last in each slot, as four words, and their text.
  readonly #words = new Int32Array(4 * 1024);
  readonly #texts: string[] = new Array(1024).fill("");

  /**
   * The text in the 16 bytes at `start` (up to the first null byte): process names, a few of which repeat
   * for ever. Compares four words with those that had the same hash last.
   */
  intern16(from: Uint8Array, view: DataView, start: number): string {
    const a = view.getInt32(start, true);
    const b = view.getInt32(start + 4, true);
    const c = view.getInt32(start + 8, true);
    const d = view.getInt32(start + 12, true);
    const mixed = mixWords(a, b, c, d);
    const slot = (mixed >>> 16) & 1023;
    const at = slot * 4;
    const words = this.#words;
    if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) {
      return this.#texts[slot]!;
    }
    let length = 0;
    while (length < 16 && from[start + length] !== 0) length++;
    const text = this.intern(from, start, length);
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    this.#texts[slot] = text;
    return text;
  }

  #same(index: number, from: Uint8Array, start: number, length: number): boolean {
    const at = this.#starts[index]!;
    const next = this.#starts[index + 1]!;
    if (next - at !== length) return false;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== from[start + i]) return false;
    return true;
  }

  #add(from: Uint8Array, start: number, length: number, hash: number, slot: number): string {
    const text = decodeUtf8(from, start, start + length);
    if (this.#count >= this.capacity || this.#used + length > this.byteCapacity) return text;
    if (this.#used + length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(from.subarray(start, start + length), this.#used);
    const index = this.#count++;
    if (index + 2 > this.#starts.length) {
      const grown = new Uint32Array(this.#starts.length * 2);
      grown.set(this.#starts);
      this.#starts = grown;
    }
    this.#starts[index] = this.#used;
    this.#used += length;
    this.#starts[index + 1] = this.#used;
    this.#strings.push(text);
    this.#hashes.push(hash);
    this.#slots[slot] = index;
    if (this.#count * 2 > this.#slots.length) this.#grow();
    return text;
  }

  #grow(): void {
    const size = this.#slots.length * 2;
    this.#slots = new Int32Array(size).fill(-1);
    this.#mask = size - 1;
    for (let index = 0; index < this.#count; index++) {
      const hash = this.#hashes[index]!;
      let slot = (hash ^ (hash >>> 15)) & this.#mask;
      while (this.#slots[slot]! >= 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index;
    }
  }
}

/** A hash of 16 bytes as four words; its upper bits are the best mixed. */
export function mixWords(a: number, b: number, c: number, d: number): number {
  return Math.imul(
    a ^ Math.imul(b, 0x2c1b3c6d) ^ Math.imul(c, 0x297a2d39) ^ Math.imul(d, 0x5bd1e995),
    0x45d9f3b,
  );
}

/** UTF-8 bytes to text; invalid bytes become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}
