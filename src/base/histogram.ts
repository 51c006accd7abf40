/**
 * A bounded log-linear histogram of positive numbers (durations in ns, sizes in bytes).
 *
 * Every power of two is cut into 64 equal bins, so a bin is at most 1/64 of its lower bound wide and its
 * middle is at most 1/128 = 0.79 % away from any value in it. Quantiles are bin middles, clamped to the exact
 * minimum and maximum: their relative error is below 1 %. Count, sum, minimum and maximum are exact.
 *
 * `add` is hot. The bin's number is read straight out of the double: its upper word, shifted, is the exponent
 * followed by the six highest bits of the mantissa. Only the span of bins in use is stored.
 */

const BITS = 6;
const SHIFT = 20 - BITS;
const FIRST = 1023 << BITS;
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** The same histogram as plain data. */
export interface HistogramData {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** Values below 1. */
  readonly zeros: number;
  /** Number of the first bin in `bins`. */
  readonly firstBin: number;
  readonly bins: readonly number[];
}

function lowerBound(bin: number): number {
  return 2 ** (bin >> BITS) * (1 + (bin & ((1 << BITS) - 1)) / (1 << BITS));
}

export class Histogram {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  private zeros = 0;
  private first = 0;
  private bins: Uint32Array = new Uint32Array(0);

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (!(value >= 1)) {
      this.zeros++;
      return;
    }
    double[0] = value;
    const at = (words[HIGH]! >>> SHIFT) - FIRST - this.first;
    if (at >= 0 && at < this.bins.length) this.bins[at]!++;
    else this.grow(at + this.first, 1);
  }

  /** Makes room for `bin`, in whole powers of two, and adds `n` to it. */
  private grow(bin: number, n: number): void {
    const step = 1 << BITS;
    const low = bin & -step;
    const empty = this.bins.length === 0;
    const first = empty ? low : Math.min(low, this.first);
    const end = empty ? low + step : Math.max(low + step, this.first + this.bins.length);
    const bins = new Uint32Array(end - first);
    bins.set(this.bins, empty ? 0 : this.first - first);
    this.bins = bins;
    this.first = first;
    bins[bin - first]! += n;
  }

  merge(other: Histogram): void {
    this.count += other.count;
    this.sum += other.sum;
    if (other.min < this.min) this.min = other.min;
    if (other.max > this.max) this.max = other.max;
    this.zeros += other.zeros;
    for (let i = 0; i < other.bins.length; i++) {
      const n = other.bins[i]!;
      if (n !== 0) this.addBin(other.first + i, n);
    }
  }

  private addBin(bin: number, n: number): void {
    const at = bin - this.first;
    if (at >= 0 && at < this.bins.length) this.bins[at]! += n;
    else this.grow(bin, n);
  }

  /** The value below which the fraction `q` (0 to 1) of the values lies; NaN when empty. */
  quantile(q: number): number {
    if (this.count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(q * this.count));
    if (rank >= this.count) return this.max;
    let seen = this.zeros;
    if (seen >= rank) return this.min;
    for (let i = 0; i < this.bins.length; i++) {
      seen += this.bins[i]!;
      if (seen < rank) continue;
      const bin = this.first + i;
      const middle = (lowerBound(bin) + lowerBound(bin + 1)) / 2;
      return Math.min(this.max, Math.max(this.min, middle));
    }
    return this.max;
  }

  /** Every bin that has values, as its middle and their number. */
  forEach(call: (value: number, count: number) => void): void {
    if (this.zeros > 0) call(this.min, this.zeros);
    for (let i = 0; i < this.bins.length; i++) {
      if (this.bins[i] === 0) continue;
      const middle = (lowerBound(this.first + i) + lowerBound(this.first + i + 1)) / 2;
      call(Math.min(this.max, Math.max(this.min, middle)), this.bins[i]!);
    }
  }

  /** Counts in steps of a power of `base` (2 or 4, say): `fromValue` is the lower bound of each non-empty span. */
  steps(octaves: number): { fromValue: number; toValue: number; count: number }[] {
    const out: { fromValue: number; toValue: number; count: number }[] = [];
    if (this.count === 0) return out;
    const width = octaves << BITS;
    const low = this.zeros > 0 ? 0 : Math.floor(this.first / width);
    const high = Math.floor((this.first + Math.max(0, this.bins.length - 1)) / width);
    for (let step = low; step <= high; step++) {
      let count = step === 0 ? this.zeros : 0;
      for (let bin = step * width; bin < (step + 1) * width; bin++) count += this.bins[bin - this.first] ?? 0;
      out.push({ fromValue: 2 ** (step * octaves), toValue: 2 ** ((step + 1) * octaves), count });
    }
    while (out.length > 0 && out[out.length - 1]!.count === 0) out.pop();
    while (out.length > 0 && out[0]!.count === 0) out.shift();
    return out;
  }

  toData(): HistogramData {
    return {
      count: this.count,
      sum: this.sum,
      min: this.count === 0 ? 0 : this.min,
      max: this.max,
      zeros: this.zeros,
      firstBin: this.first,
      bins: Array.from(this.bins),
    };
  }

  static from(data: HistogramData): Histogram {
    const h = new Histogram();
    h.count = data.count;
    h.sum = data.sum;
    h.min = data.count === 0 ? Number.POSITIVE_INFINITY : data.min;
    h.max = data.max;
    h.zeros = data.zeros;
    h.first = data.firstBin;
    h.bins = Uint32Array.from(data.bins);
    return h;
  }
}
