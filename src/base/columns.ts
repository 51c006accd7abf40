/** Columns of numbers that grow at their end: typed arrays that double as plain lists. */

type Numbers = Float64Array | Int32Array | Uint8Array;
/** The array of a column: its first `length` elements count. */
export type ColumnType = "f64" | "i32" | "u8";

const MAKE: Readonly<Record<ColumnType, (size: number) => Numbers>> = {
  f64: (size) => new Float64Array(size),
  i32: (size) => new Int32Array(size),
  u8: (size) => new Uint8Array(size),
};

const LARGE = 1 << 16;

/** Several columns of the same length. */
export class Columns<Name extends string> {
  length = 0;
  readonly names: readonly Name[];
  readonly #types: Readonly<Record<Name, ColumnType>>;
  #size: number;
  /** The arrays themselves, for loops; they are others after `grow`. */
  readonly of: Record<Name, Numbers>;

  constructor(types: Readonly<Record<Name, ColumnType>>, size = 16) {
    this.#types = types;
    this.#size = size;
    this.names = Object.keys(types) as Name[];
    this.of = {} as Record<Name, Numbers>;
    for (const name of this.names) this.of[name] = MAKE[types[name]](size);
  }

  /** Index of a new line, whose values are the caller's to set. */
  add(): number {
    if (this.length === this.#size) this.#grow();
    return this.length++;
  }

  #grow(): void {
    // Small ones double; of large ones, what is spare is to stay small beside what is there.
    this.#size = this.#size < LARGE ? Math.max(16, 2 * this.#size) : this.#size + (this.#size >> 1);
    for (const name of this.names) {
      const grown = MAKE[this.#types[name]](this.#size);
      grown.set(this.of[name].subarray(0, this.length));
      this.of[name] = grown;
    }
  }

  type(name: Name): ColumnType {
    return this.#types[name];
  }

  /** The used part of a column. */
  used(name: Name): Numbers {
    return this.of[name].subarray(0, this.length);
  }

  /** Takes over columns that were read from elsewhere. */
  adopt(length: number, columns: Readonly<Record<Name, Numbers>>): void {
    this.length = this.#size = length;
    for (const name of this.names) this.of[name] = columns[name];
  }
}

/** First index whose value is not below `value`, in an ascending array of which `length` elements count. */
export function lowerBound(values: ArrayLike<number>, length: number, value: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
