/**
 * Numbers of one sort (durations in ns, mostly): count, sum, extremes, mean and deviation exact; quantiles and
 * equal bins exact as long as the values are kept, within 1 % beyond.
 *
 * Values are kept up to a number per series, and up to a number for all series that share a budget, so that
 * memory is bounded whatever the trace; after that a `Histogram` stands for them.
 */

import { Histogram } from "./histogram.js";

/** How many values all series together may keep. */
export class SampleBudget {
  constructor(public left = 1 << 23) {}
}

/** Room is taken from the budget in steps of this many values. */
const STEP = 256;

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export class Series {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  #mean = 0;
  /** Sum of squared distances from the mean (Welford). */
  #squares = 0;
  #values: number[] | undefined = [];
  /** The values in order, when they were asked for. */
  #ordered: Float64Array | undefined;
  #room = 0;
  #sketch: Histogram | undefined;

  constructor(
    private readonly budget: SampleBudget,
    /** Most values that this series keeps. */
    private readonly keep = 1 << 14,
  ) {}

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const distance = value - this.#mean;
    this.#mean += distance / this.count;
    this.#squares += distance * (value - this.#mean);
    const values = this.#values;
    if (values === undefined) {
      this.#sketch!.add(value);
      return;
    }
    if (values.length === this.#room && !this.#grow()) {
      this.#toSketch(values);
      this.#sketch!.add(value);
      return;
    }
    values.push(value);
    this.#ordered = undefined;
  }

  #grow(): boolean {
    // The first values are free: most series have few.
    const more = this.#room === 0 ? 8 : STEP;
    if (this.#room + more > this.keep || this.budget.left < more) return false;
    if (this.#room > 0) this.budget.left -= more;
    this.#room += more;
    return true;
  }

  #toSketch(values: readonly number[]): void {
    const sketch = new Histogram();
    for (const value of values) sketch.add(value);
    this.#sketch = sketch;
    this.#values = undefined;
    this.#ordered = undefined;
    if (this.#room > 8) this.budget.left += this.#room - 8;
  }

  /** Quantiles and bins are exact (else within 1 %). */
  get exact(): boolean {
    return this.#values !== undefined;
  }

  /** NaN when empty. */
  get mean(): number {
    return this.count === 0 ? Number.NaN : this.sum / this.count;
  }

  /** Standard deviation of a sample (n - 1); NaN under two values. */
  get deviation(): number {
    return this.count < 2 ? Number.NaN : Math.sqrt(this.#squares / (this.count - 1));
  }

  /** Sorted as a typed array: without a comparison function it is several times faster. */
  #inOrder(): Float64Array | undefined {
    if (this.#values !== undefined) this.#ordered ??= Float64Array.from(this.#values).sort();
    return this.#ordered;
  }

  /** The smallest value that at least the fraction `q` (0 to 1) of the values does not exceed; NaN when empty. */
  quantile(q: number): number {
    const values = this.#inOrder();
    if (values === undefined) return this.#sketch!.quantile(q);
    if (values.length === 0) return Number.NaN;
    return values[Math.max(0, Math.ceil(q * values.length) - 1)]!;
  }

  /**
   * `n` bins of equal width from `from` to `to`; a value at `to` belongs to the last, values outside to none.
   * Empty when the bounds leave no room.
   */
  bins(n: number, from = this.min, to = this.max): Bin[] {
    const step = (to - from) / n;
    if (this.count === 0 || !(step > 0)) return [];
    const counts = new Array<number>(n).fill(0);
    const put = (value: number, count: number): void => {
      if (value < from || value > to) return;
      counts[Math.min(n - 1, Math.floor((value - from) / step))]! += count;
    };
    if (this.#values !== undefined) for (const value of this.#values) put(value, 1);
    else this.#sketch!.forEach(put);
    return counts.map((count, i) => ({ from: from + i * step, to: from + (i + 1) * step, count }));
  }
}
