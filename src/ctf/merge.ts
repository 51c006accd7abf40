/**
 * Time order across data streams: always the reader with the earliest record goes on, as far as the next
 * one's time.
 *
 * Records of equal time come in the order of the readers' ranks. Ranks follow babeltrace2: trace UUID, trace
 * name, stream class id, stream instance id.
 */

import type { DataStreamReader, Discarded } from "./stream/reader.js";
import type { DataStream } from "./stream/stream.js";

export interface MergeOptions {
  /** Only records with begin <= ns <= end (since the experiment's origin). */
  readonly beginNs?: number;
  readonly endNs?: number;
  readonly onDiscarded?: (reader: DataStreamReader, discarded: Discarded) => void;
  /** The order does not matter to the caller: streams one after the other, which is faster. */
  readonly anyOrder?: boolean;
  /** Called every few thousand turns. */
  readonly onTurn?: () => void;
}

/** Orders streams for equal times. */
export function compareStreams(a: DataStream, b: DataStream): number {
  const text = (x: string | undefined, y: string | undefined) =>
    x === y ? 0 : x === undefined ? 1 : y === undefined ? -1 : x < y ? -1 : 1;
  return (
    text(a.trace.class.uuid, b.trace.class.uuid) ||
    text(a.trace.name, b.trace.name) ||
    a.class.id - b.class.id ||
    Number((a.instance ?? 0n) - (b.instance ?? 0n)) ||
    text(a.files[0]?.path, b.files[0]?.path)
  );
}

/** Whether `a`'s current record comes before `b`'s; `a` has the lower rank if `a.index < b.index`. */
function before(a: DataStreamReader, b: DataStreamReader): boolean {
  if (a.ns !== b.ns) return a.ns < b.ns;
  // Beyond 2^53 ns from the origin equal doubles may hide different moments.
  if (Math.abs(a.ns) > Number.MAX_SAFE_INTEGER && Number.isFinite(a.ns)) {
    const exactA = BigInt(a.baseNs) + BigInt(a.rel);
    const exactB = BigInt(b.baseNs) + BigInt(b.rel);
    if (exactA !== exactB) return exactA < exactB;
  }
  return a.index < b.index;
}

/** Runs the readers to the end of the range. Their `index` is their rank. */
export function mergeStreams(readers: readonly DataStreamReader[], options: MergeOptions = {}): void {
  const merge = new Merge(readers, options);
  if (options.anyOrder) merge.oneByOne();
  else {
    for (let turn = 1; merge.turn(Number.POSITIVE_INFINITY); turn++) {
      if ((turn & 0x3fff) === 0) options.onTurn?.();
    }
  }
  merge.close();
}

/** A merge that can be stopped after any turn. */
export class Merge {
  readonly #heap: DataStreamReader[] = [];
  readonly #pastEnd: number;
  #started = false;

  constructor(
    private readonly readers: readonly DataStreamReader[],
    private readonly options: MergeOptions = {},
  ) {
    this.#pastEnd = (options.endNs ?? Number.POSITIVE_INFINITY) + 1;
  }

  /** `ns` of the next record; NaN: there is none in the range. */
  get nextNs(): number {
    if (!this.#started) this.#start();
    const top = this.#heap[0];
    return top !== undefined && top.ns < this.#pastEnd ? top.ns : Number.NaN;
  }

  /**
   * Lets the earliest reader go on as far as the next one's time, at most `budget` records, and not to `limitNs`
   * or beyond. False: there is nothing (before that).
   */
  turn(budget: number, limitNs = this.#pastEnd): boolean {
    if (!this.#started) this.#start();
    const heap = this.#heap;
    const top = heap[0];
    const hard = Math.min(limitNs, this.#pastEnd);
    let limit = hard;
    if (top === undefined || !(top.ns < limit)) return false;
    if (top.discarded.length > 0) this.#tell(top);
    if (heap.length > 1) {
      let next = heap[1]!;
      if (heap.length > 2 && before(heap[2]!, next)) next = heap[2]!;
      if (next.ns < limit) limit = next.ns;
    }
    if (!top.consume(limit, budget, hard)) {
      this.#tell(top);
      const last = heap.pop()!;
      if (heap.length === 0) return false;
      if (last !== top) heap[0] = last;
    }
    siftDown(heap);
    return true;
  }

  /** All readers to their ends, one after the other. */
  oneByOne(): void {
    for (const reader of this.readers) {
      let more = this.#begin(reader);
      while (more && reader.ns < this.#pastEnd) {
        this.#tell(reader);
        more = reader.consume(this.#pastEnd, Number.POSITIVE_INFINITY);
        this.options.onTurn?.();
      }
      this.#tell(reader);
      reader.close();
    }
  }

  close(): void {
    for (const reader of this.readers) reader.close();
  }

  #start(): void {
    this.#started = true;
    for (const reader of this.readers) {
      if (this.#begin(reader)) {
        this.#heap.push(reader);
        siftUp(this.#heap, this.#heap.length - 1);
      } else this.#tell(reader);
    }
  }

  /** Moves a reader to its first record of the range. */
  #begin(reader: DataStreamReader): boolean {
    const beginNs = this.options.beginNs ?? Number.NEGATIVE_INFINITY;
    let more = reader.start();
    if (beginNs === Number.NEGATIVE_INFINITY) return more;
    reader.skipping = true;
    while (more && reader.ns < beginNs) {
      reader.discarded.length = 0;
      more = reader.consume(beginNs, Number.POSITIVE_INFINITY);
    }
    reader.skipping = false;
    reader.records = 0;
    return more;
  }

  #tell(reader: DataStreamReader): void {
    for (const discarded of reader.discarded) this.options.onDiscarded?.(reader, discarded);
    reader.discarded.length = 0;
  }
}

function siftUp(heap: DataStreamReader[], at: number): void {
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(heap[at]!, heap[parent]!)) return;
    const moved = heap[at]!;
    heap[at] = heap[parent]!;
    heap[parent] = moved;
    at = parent;
  }
}

function siftDown(heap: DataStreamReader[]): void {
  let at = 0;
  const size = heap.length;
  for (;;) {
    const left = 2 * at + 1;
    if (left >= size) return;
    const child = left + 1 < size && before(heap[left + 1]!, heap[left]!) ? left + 1 : left;
    if (!before(heap[child]!, heap[at]!)) return;
    const moved = heap[at]!;
    heap[at] = heap[child]!;
    heap[child] = moved;
    at = child;
  }
}
