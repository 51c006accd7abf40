/** Random numbers from a seed: a failure can be repeated by its seed alone. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 4; i++) this.u32();
  }

  /** 0 to 2^32 - 1 (xorshift after a Weyl step, mixed). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 4294967296) * limit);
  }

  /** `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.u32() < probability * 4294967296;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const result = items.slice();
    for (let i = result.length - 1; i > 0; i--) {
      const k = this.below(i + 1);
      [result[i], result[k]] = [result[k]!, result[i]!];
    }
    return result;
  }

  /** An unsigned integer of `size` bits; small, large and single-bit ones are frequent. */
  bits(size: number): bigint {
    const any = BigInt.asUintN(size, (BigInt(this.u32()) << 32n) | BigInt(this.u32()));
    switch (this.below(6)) {
      case 0:
        return BigInt(this.below(3)) & ((1n << BigInt(size)) - 1n);
      case 1:
        return (1n << BigInt(size)) - 1n - BigInt(this.below(Math.min(2, size)));
      case 2:
        return 1n << BigInt(this.below(size));
      case 3:
        return any >> BigInt(this.below(size));
      default:
        return any;
    }
  }

  integer(size: number, signed: boolean): bigint {
    const value = this.bits(size);
    return signed ? BigInt.asIntN(size, value) : value;
  }
}
