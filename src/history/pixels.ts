/**
 * A row at the resolution of a screen: what it did most in each pixel, and with which share of the pixel's time.
 *
 * Wide pixels hold thousands of states; for them a row keeps an overview of the whole trace in `BUCKETS` buckets,
 * made once (and extended while the trace is still being read), so that the cost of a picture does not grow with
 * the trace.
 */
import { DOINGS, Doing, ON_CPU_BITS } from "./doing.js";
import type { StateRow } from "./state-row.js";

export interface Stretch {
  /** `ns` since the origin. */
  readonly beginNs: number;
  readonly endNs: number;
}

/** Buckets of an overview. */
const BUCKETS = 4096;
/** Rows with fewer states are quicker walked. */
const FEW_STATES = 4096;
/** States on a CPU are shown where they took more than this share, though waits took more. */
const SEEN = 0.1;

const times = new Float64Array(DOINGS);

/** Two bytes for each pixel: `Doing`, and 0 … 255 for its share of the pixel. */
export type Pixels = Uint8Array;

class Overview {
  readonly pixels = new Uint8Array(2 * BUCKETS);
  /** Buckets before this one are final. */
  done = 0;
}

export class PixelReader {
  readonly #overviews: (Overview | undefined)[] = [];
  /** Overviews in a file. */
  readonly #stored: (() => Uint8Array)[] = [];

  constructor(readonly whole: Stretch) {}

  get bucketNs(): number {
    return Math.max(1, (this.whole.endNs - this.whole.beginNs) / BUCKETS);
  }

  /** Fills `count` pixels of `pixelNs` from `beginNs` on, into `out` from `offset` bytes on. */
  read(
    row: StateRow,
    beginNs: number,
    pixelNs: number,
    count: number,
    untilNs: number,
    out: Pixels,
    offset: number,
  ): void {
    const { bucketNs, whole } = this;
    if (pixelNs < 2 * bucketNs || row.length < FEW_STATES) {
      fill(row, beginNs, pixelNs, count, untilNs, out, offset);
      return;
    }
    const { pixels } = this.overview(row, untilNs);
    for (let pixel = 0; pixel < count; pixel++) {
      const from = (beginNs + pixel * pixelNs - whole.beginNs) / bucketNs;
      merge(pixels, Math.floor(from), Math.floor(from + pixelNs / bucketNs), out, offset + 2 * pixel);
    }
  }

  /** The overview of a row, as far as the trace is read. */
  overview(row: StateRow, untilNs: number): Overview {
    const { bucketNs, whole } = this;
    let overview = this.#overviews[row.id];
    if (overview === undefined) {
      this.#overviews[row.id] = overview = new Overview();
      const read = this.#stored[row.id];
      if (read !== undefined) {
        overview.pixels.set(read());
        overview.done = BUCKETS;
      }
    }
    const known = Math.min(BUCKETS, Math.ceil((untilNs - whole.beginNs) / bucketNs));
    if (overview.done < known || overview.done === 0) {
      const { done, pixels } = overview;
      fill(row, whole.beginNs + done * bucketNs, bucketNs, known - done, untilNs, pixels, 2 * done);
      // The last one may have been read in part only.
      overview.done = untilNs >= whole.endNs ? BUCKETS : Math.max(0, known - 1);
    }
    return overview;
  }

  /** Rows whose overviews are worth keeping. */
  isLarge(row: StateRow): boolean {
    return row.length >= FEW_STATES;
  }

  /** Takes an overview, once it is needed, that was made in an earlier run. */
  adopt(row: StateRow, read: () => Uint8Array): void {
    this.#stored[row.id] = read;
  }
}

/** Bytes of an overview. */
export const OVERVIEW_BYTES = 2 * BUCKETS;

/** Fills pixels from the states themselves. */
function fill(
  row: StateRow,
  beginNs: number,
  pixelNs: number,
  count: number,
  untilNs: number,
  out: Pixels,
  offset: number,
): void {
  out.fill(0, offset, offset + 2 * count);
  const { length } = row;
  if (length === 0) return;
  const { ns, doing } = row;
  const endNs = Math.min(untilNs, beginNs + count * pixelNs);
  let i = Math.max(0, row.indexAt(beginNs));
  let pixel = -1;
  for (; i < length; i++) {
    const from = Math.max(ns[i]!, beginNs);
    if (from >= endNs) break;
    const to = Math.min(i + 1 < length ? ns[i + 1]! : untilNs, endNs);
    if (to <= from) continue;
    const what = doing[i]!;
    const first = Math.min(count - 1, Math.floor((from - beginNs) / pixelNs));
    const last = Math.min(count - 1, Math.floor((to - beginNs) / pixelNs));
    if (first !== pixel) {
      if (pixel >= 0) settle(pixelNs, out, offset + 2 * pixel);
      pixel = first;
    }
    if (last === first) {
      times[what]! += to - from;
      continue;
    }
    times[what]! += beginNs + (first + 1) * pixelNs - from;
    settle(pixelNs, out, offset + 2 * first);
    for (let at = first + 1; at < last; at++) {
      out[offset + 2 * at] = what;
      out[offset + 2 * at + 1] = 255;
    }
    pixel = last;
    times[what]! += to - (beginNs + last * pixelNs);
  }
  if (pixel >= 0) settle(pixelNs, out, offset + 2 * pixel);
}

/** Writes the pixel that `times` is about, and empties `times`. */
function settle(pixelNs: number, out: Pixels, at: number): void {
  let [best, bestNs, onCpu, onCpuBest, onCpuBestNs] = [0, 0, 0, 0, 0];
  for (let doing = 1; doing < DOINGS; doing++) {
    const ns = times[doing]!;
    if (ns === 0) continue;
    times[doing] = 0;
    if (ns > bestNs) [best, bestNs] = [doing, ns];
    if (((ON_CPU_BITS >> doing) & 1) === 0) continue;
    onCpu += ns;
    if (ns > onCpuBestNs) [onCpuBest, onCpuBestNs] = [doing, ns];
  }
  if (onCpu > SEEN * pixelNs) [best, bestNs] = [onCpuBest, onCpu];
  out[at] = best;
  out[at + 1] = Math.min(255, Math.round((255 * bestNs) / pixelNs));
}

/** One pixel from several buckets of an overview. */
function merge(buckets: Pixels, first: number, end: number, out: Pixels, at: number): void {
  const [from, to] = [Math.max(0, first), Math.min(BUCKETS, Math.max(first + 1, end))];
  for (let bucket = from; bucket < to; bucket++) {
    const doing = buckets[2 * bucket]!;
    if (doing !== Doing.none) times[doing]! += buckets[2 * bucket + 1]! / 255;
  }
  out[at] = out[at + 1] = 0;
  settle(Math.max(1, end - first), out, at);
}
