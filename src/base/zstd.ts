/**
 * Uncompresses Zstandard frames (RFC 8878), for Node has that only from 22.15 on. Dictionaries are refused, checksums
 * passed over. Names follow the RFC.
 */
import { PeriscopeError } from "./errors.js";

const MAGIC = 0xfd2fb528;
const MOST_BLOCK = 1 << 17;

function wrong(reason: string): PeriscopeError {
  return new PeriscopeError(`zstd: ${reason}`);
}

/** State → symbol, and the way to the next state. */
interface FseTable {
  readonly accuracy: number;
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

interface HuffmanTable {
  readonly most: number;
  /** By the next `most` bits: symbol and how many bits it takes. */
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
}

/** Codes of lengths: the least value of each, and how many bits are added to it. */
const LITERAL_BASE = [
  ...Array.from({ length: 16 }, (_, i) => i),
  ...[16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536],
];
const LITERAL_BITS = [
  ...new Array<number>(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
];
const MATCH_BASE = [
  ...Array.from({ length: 32 }, (_, i) => i + 3),
  ...[35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539],
];
const MATCH_BITS = [
  ...new Array<number>(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
];

/** Predefined distributions (section 3.1.1.3.2.2). */
const ones = (count: number) => new Array<number>(count).fill(1);
const lowest = (count: number) => new Array<number>(count).fill(-1);
const DEFAULT_LITERALS = fseTable(
  [
    4,
    3,
    ...new Array<number>(11).fill(2),
    1,
    1,
    1,
    ...new Array<number>(9).fill(2),
    3,
    2,
    ...ones(5),
    ...lowest(4),
  ],
  6,
);
const DEFAULT_MATCHES = fseTable([1, 4, 3, 2, 2, 2, 2, 2, 2, ...ones(37), ...lowest(7)], 6);
const DEFAULT_OFFSETS = fseTable([...ones(6), 2, 2, 2, ...ones(15), ...lowest(5)], 5);

/** Uncompresses to at most `size` bytes. Throws `PeriscopeError` where data are not as the RFC says. */
export function unzstd(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let written = 0;
  while (at + 4 <= bytes.length) {
    const magic = view.getUint32(at, true);
    if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50 && at + 8 <= bytes.length) {
      // A frame to be skipped.
      at += 8 + view.getUint32(at + 4, true);
      continue;
    }
    if (magic !== MAGIC) throw wrong(`byte ${at}: expected a frame`);
    const frame = new Frame(bytes, at + 4, out, written);
    frame.read();
    at = frame.at;
    written = frame.written;
  }
  return written === size ? out : out.subarray(0, written);
}

class Frame {
  /** Repeated offsets. */
  readonly #recent = [1, 4, 8];
  #literalTable: FseTable | undefined;
  #offsetTable: FseTable | undefined;
  #matchTable: FseTable | undefined;
  #huffman: HuffmanTable | undefined;
  /** What `#literals` has: its length is that of the block's. */
  #literals: Uint8Array = new Uint8Array(0);
  readonly #begin: number;

  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly out: Uint8Array,
    public written: number,
  ) {
    this.#begin = written;
  }

  #byte(): number {
    if (this.at >= this.bytes.length) throw wrong("data end inside a frame");
    return this.bytes[this.at++]!;
  }

  #number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += this.#byte() * 2 ** (8 * i);
    return value;
  }

  read(): void {
    const descriptor = this.#byte();
    const isSingle = (descriptor & 0x20) !== 0;
    if (!isSingle) this.#byte();
    if ((descriptor & 3) !== 0 && this.#number([0, 1, 2, 4][descriptor & 3]!) !== 0) {
      throw wrong("needs a dictionary");
    }
    this.#number([isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!);
    for (let isLast = false; !isLast; ) {
      const head = this.#number(3);
      isLast = (head & 1) !== 0;
      this.#block((head >> 1) & 3, head >>> 3);
    }
    if ((descriptor & 4) !== 0) this.#number(4);
  }

  #block(type: number, size: number): void {
    const { bytes, out } = this;
    if (type === 1) {
      const value = this.#byte();
      this.#room(size);
      out.fill(value, this.written, this.written + size);
      this.written += size;
      return;
    }
    if (this.at + size > bytes.length) throw wrong("data end inside a block");
    const end = this.at + size;
    if (type === 0) {
      this.#room(size);
      out.set(bytes.subarray(this.at, end), this.written);
      this.written += size;
    } else if (type === 2) {
      this.#readLiterals(end);
      this.#sequences(end);
    } else throw wrong("a block of a reserved type");
    this.at = end;
  }

  #room(size: number): void {
    if (this.written + size > this.out.length) throw wrong(`more than the ${this.out.length} bytes promised`);
  }

  #readLiterals(end: number): void {
    const first = this.#byte();
    const type = first & 3;
    const format = (first >> 2) & 3;
    if (type < 2) {
      let size = first >> 3;
      if (format === 1) size = (first >> 4) + (this.#byte() << 4);
      else if (format === 3) size = (first >> 4) + (this.#byte() << 4) + (this.#byte() << 12);
      if (size > MOST_BLOCK) throw wrong("more literals than a block has");
      if (type === 1) {
        this.#literals = new Uint8Array(size).fill(this.#byte());
        return;
      }
      if (this.at + size > end) throw wrong("literals beyond the block");
      this.#literals = this.bytes.subarray(this.at, this.at + size);
      this.at += size;
      return;
    }
    const bits = [10, 10, 14, 18][format]!;
    const head = first + this.#number([2, 2, 3, 4][format]!) * 256;
    const mask = 2 ** bits - 1;
    const size = Math.floor(head / 16) % (mask + 1);
    const packed = Math.floor(head / 2 ** (4 + bits)) % (mask + 1);
    const last = this.at + packed;
    if (size > MOST_BLOCK || last > end) throw wrong("literals beyond the block");
    if (type === 2) this.#huffman = this.#huffmanTree(last);
    if (this.#huffman === undefined) throw wrong("literals without a tree");
    const literals = new Uint8Array(size);
    if (format === 0) decodeHuffman(this.#huffman, this.bytes, this.at, last, literals, 0, size);
    else this.#fourStreams(this.#huffman, last, literals);
    this.#literals = literals;
    this.at = last;
  }

  #fourStreams(table: HuffmanTable, end: number, literals: Uint8Array): void {
    const sizes = [this.#number(2), this.#number(2), this.#number(2)];
    const each = (literals.length + 3) >> 2;
    let at = this.at;
    for (let i = 0; i < 4; i++) {
      const until = i === 3 ? end : at + sizes[i]!;
      if (until > end) throw wrong("a stream of literals beyond the block");
      const from = Math.min(i * each, literals.length);
      decodeHuffman(
        table,
        this.bytes,
        at,
        until,
        literals,
        from,
        i === 3 ? literals.length : Math.min(from + each, literals.length),
      );
      at = until;
    }
  }

  #huffmanTree(end: number): HuffmanTable {
    const head = this.#byte();
    const weights: number[] = [];
    if (head >= 128) {
      const count = head - 127;
      for (let i = 0; i < count; i += 2) {
        const pair = this.#byte();
        weights.push(pair >> 4);
        if (i + 1 < count) weights.push(pair & 15);
      }
    } else {
      const until = this.at + head;
      if (until > end) throw wrong("a tree beyond its block");
      const table = this.#fseTable(until, 255, 6);
      readWeights(table, new BackwardBits(this.bytes, this.at, until), weights);
      this.at = until;
    }
    return huffmanTable(weights);
  }

  #fseTable(end: number, mostSymbol: number, mostAccuracy: number): FseTable {
    const bits = new ForwardBits(this.bytes, this.at, end);
    const accuracy = bits.read(4) + 5;
    if (accuracy > mostAccuracy) throw wrong("a table that is too exact");
    const counts: number[] = [];
    let remaining = 1 << accuracy;
    while (remaining > 0 && counts.length <= mostSymbol) {
      const width = 32 - Math.clz32(remaining + 1);
      let value = bits.peek(width);
      const low = (1 << (width - 1)) - 1;
      const threshold = (1 << width) - 1 - (remaining + 1);
      if ((value & low) < threshold) {
        value &= low;
        bits.skip(width - 1);
      } else {
        if (value > low) value -= threshold;
        bits.skip(width);
      }
      const count = value - 1;
      remaining -= Math.abs(count);
      counts.push(count);
      if (count !== 0) continue;
      for (let zeros = 3; zeros === 3; ) {
        zeros = bits.read(2);
        for (let i = 0; i < zeros; i++) counts.push(0);
      }
    }
    if (remaining !== 0 || counts.length > mostSymbol + 1) throw wrong("a table whose counts do not add up");
    this.at = bits.nextByte();
    return fseTable(counts, accuracy);
  }

  #table(
    mode: number,
    before: FseTable | undefined,
    fallback: FseTable,
    end: number,
    most: number,
    accuracy: number,
  ) {
    switch (mode) {
      case 0:
        return fallback;
      case 1: {
        const symbol = this.#byte();
        if (symbol > most) throw wrong("a code that does not exist");
        return fseTable([...new Array<number>(symbol).fill(0), 1], 0);
      }
      case 2:
        return this.#fseTable(end, most, accuracy);
      default:
        if (before === undefined) throw wrong("a table that was never there is to be repeated");
        return before;
    }
  }

  #sequences(end: number): void {
    let count = this.#byte();
    if (count === 255) count = this.#number(2) + 0x7f00;
    else if (count >= 128) count = ((count - 128) << 8) + this.#byte();
    const literals = this.#literals;
    let used = 0;
    if (count > 0) {
      const modes = this.#byte();
      const ll = (this.#literalTable = this.#table(
        modes >> 6,
        this.#literalTable,
        DEFAULT_LITERALS,
        end,
        35,
        9,
      ));
      const of = (this.#offsetTable = this.#table(
        (modes >> 4) & 3,
        this.#offsetTable,
        DEFAULT_OFFSETS,
        end,
        31,
        8,
      ));
      const ml = (this.#matchTable = this.#table(
        (modes >> 2) & 3,
        this.#matchTable,
        DEFAULT_MATCHES,
        end,
        52,
        9,
      ));
      const bits = new BackwardBits(this.bytes, this.at, end);
      let l = bits.read(ll.accuracy);
      let o = bits.read(of.accuracy);
      let m = bits.read(ml.accuracy);
      for (let i = 0; i < count; i++) {
        const offsetCode = of.symbol[o]!;
        const matchCode = ml.symbol[m]!;
        const literalCode = ll.symbol[l]!;
        const offsetValue = 2 ** offsetCode + bits.readLong(offsetCode);
        const matchLength = MATCH_BASE[matchCode]! + bits.read(MATCH_BITS[matchCode]!);
        const literalLength = LITERAL_BASE[literalCode]! + bits.read(LITERAL_BITS[literalCode]!);
        if (i + 1 < count) {
          l = ll.base[l]! + bits.read(ll.bits[l]!);
          m = ml.base[m]! + bits.read(ml.bits[m]!);
          o = of.base[o]! + bits.read(of.bits[o]!);
        }
        if (bits.left < 0) throw wrong("data end inside a sequence");
        if (used + literalLength > literals.length) throw wrong("a sequence without literals");
        this.#copyLiterals(used, literalLength);
        used += literalLength;
        this.#copyMatch(this.#offset(offsetValue, literalLength), matchLength);
      }
    }
    this.#copyLiterals(used, literals.length - used);
  }

  #copyLiterals(from: number, length: number): void {
    this.#room(length);
    const { out } = this;
    let to = this.written;
    for (let i = from; i < from + length; i++) out[to++] = this.#literals[i]!;
    this.written = to;
  }

  #copyMatch(offset: number, length: number): void {
    if (offset <= 0 || offset > this.written - this.#begin) throw wrong("a match before the frame's begin");
    this.#room(length);
    const { out } = this;
    let to = this.written;
    // One by one: a match may overlap itself.
    for (let i = 0; i < length; i++, to++) out[to] = out[to - offset]!;
    this.written = to;
  }

  /** Section 3.1.1.5: 1 to 3 stand for the offsets used last. */
  #offset(value: number, literalLength: number): number {
    const recent = this.#recent;
    if (value > 3) {
      recent.unshift(value - 3);
      recent.pop();
      return value - 3;
    }
    const index = value - 1 + (literalLength === 0 ? 1 : 0);
    if (index === 0) return recent[0]!;
    const offset = index < 3 ? recent[index]! : recent[0]! - 1;
    if (index > 1) recent[2] = recent[1]!;
    recent[1] = recent[0]!;
    recent[0] = offset;
    return offset;
  }
}

/** Bits from the lowest of the first byte on. */
class ForwardBits {
  #at: number;

  constructor(
    private readonly bytes: Uint8Array,
    begin: number,
    private readonly end: number,
  ) {
    this.#at = begin * 8;
  }

  peek(count: number): number {
    const byte = this.#at >> 3;
    const get = (i: number) => (byte + i < this.end ? this.bytes[byte + i]! : 0);
    return ((get(0) | (get(1) << 8) | (get(2) << 16)) >>> (this.#at & 7)) & ((1 << count) - 1);
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at > this.end * 8) throw wrong("data end inside a table");
  }

  read(count: number): number {
    const value = this.peek(count);
    this.skip(count);
    return value;
  }

  nextByte(): number {
    return (this.#at + 7) >> 3;
  }
}

/** Bits from the end on: the highest 1 of the last byte marks where they begin. */
class BackwardBits {
  /** Bits not yet read; below 0: more were read than there are, as zeros. */
  left: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly begin: number,
    end: number,
  ) {
    const last = end > begin ? bytes[end - 1]! : 0;
    if (last === 0) throw wrong("a stream without an end mark");
    this.left = (end - begin) * 8 - 8 + (31 - Math.clz32(last));
  }

  /** At most 24. */
  peek(count: number): number {
    let from = this.left - count;
    let shift = 0;
    if (from < 0) {
      shift = -from;
      from = 0;
    }
    if (shift >= count) return 0;
    const { bytes } = this;
    const at = this.begin + (from >> 3);
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    return ((word >>> (from & 7)) & ((1 << (count - shift)) - 1)) << shift;
  }

  read(count: number): number {
    if (count === 0) return 0;
    const value = this.peek(count);
    this.left -= count;
    return value;
  }

  readLong(count: number): number {
    if (count <= 16) return this.read(count);
    const high = this.read(count - 16);
    return high * 65536 + this.read(16);
  }
}

/** Section 4.1.1: `counts` of -1 have one state, at the table's end. */
function fseTable(counts: readonly number[], accuracy: number): FseTable {
  const size = 1 << accuracy;
  const symbol = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size;
  counts.forEach((count, s) => {
    if (count === -1) symbol[--high] = s;
    next[s] = Math.abs(count);
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  counts.forEach((count, s) => {
    for (let i = 0; i < count; i++) {
      symbol[at] = s;
      do at = (at + step) & (size - 1);
      while (at >= high);
    }
  });
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const n = next[symbol[state]!]!++;
    bits[state] = accuracy - (31 - Math.clz32(n));
    base[state] = (n << bits[state]!) - size;
  }
  return { accuracy, symbol, bits, base };
}

/** Section 4.2.1.2: two states take turns until the bits are used up. */
function readWeights(table: FseTable, bits: BackwardBits, weights: number[]): void {
  let a = bits.read(table.accuracy);
  let b = bits.read(table.accuracy);
  for (;;) {
    weights.push(table.symbol[a]!);
    if (weights.length > 255) throw wrong("more weights than symbols");
    a = table.base[a]! + bits.read(table.bits[a]!);
    if (bits.left < 0) {
      weights.push(table.symbol[b]!);
      return;
    }
    weights.push(table.symbol[b]!);
    b = table.base[b]! + bits.read(table.bits[b]!);
    if (bits.left < 0) {
      weights.push(table.symbol[a]!);
      return;
    }
  }
}

/** Section 4.2.1: the last weight is what is left to a power of two. */
function huffmanTable(weights: number[]): HuffmanTable {
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum += 2 ** (weight - 1);
  const most = sum === 0 ? 0 : Math.floor(Math.log2(sum)) + 1;
  const rest = 2 ** most - sum;
  if (most === 0 || most > 11 || (rest & (rest - 1)) !== 0 || weights.length > 255) {
    throw wrong("a tree whose weights do not add up");
  }
  weights.push(31 - Math.clz32(rest) + 1);
  const size = 1 << most;
  const symbol = new Uint8Array(size);
  const bits = new Uint8Array(size);
  let at = 0;
  for (let weight = 1; weight <= most; weight++) {
    weights.forEach((one, s) => {
      if (one !== weight) return;
      const states = 1 << (weight - 1);
      symbol.fill(s, at, at + states);
      bits.fill(most + 1 - weight, at, at + states);
      at += states;
    });
  }
  return { most, symbol, bits };
}

function decodeHuffman(
  { most, symbol, bits: lengths }: HuffmanTable,
  bytes: Uint8Array,
  begin: number,
  end: number,
  to: Uint8Array,
  from: number,
  until: number,
): void {
  const bits = new BackwardBits(bytes, begin, end);
  for (let i = from; i < until; i++) {
    const code = bits.peek(most);
    to[i] = symbol[code]!;
    bits.left -= lengths[code]!;
  }
  if (bits.left !== 0) throw wrong("a stream of literals of another length");
}
