/**
 * One record after the other from pages of the kernel's ring buffer: the hot way of `readPage`, which says what
 * the words mean. Moments are numbers: nanoseconds since an origin that is near enough to be exact for 104 days.
 * `bench/record.mjs` guards its speed.
 */
import { DataError } from "../base/errors.js";
import type { PageLayout } from "./ring-buffer.js";

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const DELTA_BITS = 2 ** 27;
const MISSED_EVENTS = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
const LENGTH_MASK = 0x3fff_ffff;
const ABSOLUTE_MASK = (1n << 59n) - 1n;

export class PageCursor {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** The record in hand: its moment since the origin, where its data begin in `bytes`, how long they are. */
  ns = 0;
  at = 0;
  length = 0;
  /** Records lost just before the page in hand; -1: some, nobody knows how many. */
  lost = 0;
  /** Where `bytes` begins in the file, for messages. */
  base = 0;
  #time = 0;
  #next = 0;
  #end = 0;

  constructor(
    readonly layout: Pick<PageLayout, "commitOffset" | "commitSize" | "dataOffset">,
    /** By the buffer's clock. */
    readonly originNs: bigint,
    /** For messages. */
    readonly where: string,
  ) {}

  /** Turns to the page of `length` bytes at `from`; `bytes` and `view` are the same memory. */
  open(bytes: Uint8Array, view: DataView, from: number, length: number): void {
    const { commitOffset, commitSize, dataOffset } = this.layout;
    const commit = view.getUint32(from + commitOffset, true);
    const used = commit & LENGTH_MASK;
    if (dataOffset + used > length) {
      throw this.fault(from + commitOffset, `${used} bytes used, expected at most ${length - dataOffset}`);
    }
    this.bytes = bytes;
    this.view = view;
    this.#time = Number(view.getBigUint64(from, true) - this.originNs);
    this.#next = from + dataOffset;
    this.#end = this.#next + used;
    this.lost = 0;
    if (commit & MISSED_EVENTS) {
      const stored = (commit & MISSED_STORED) !== 0 && dataOffset + used + commitSize <= length;
      if (!stored) this.lost = -1;
      else
        this.lost =
          commitSize === 4 ? view.getUint32(this.#end, true) : Number(view.getBigUint64(this.#end, true));
    }
  }

  /** The page's next record; false at its end. */
  next(): boolean {
    const { view } = this;
    const end = this.#end;
    let at = this.#next;
    while (at + 4 <= end) {
      const head = view.getUint32(at, true);
      const type = head & 31;
      const delta = head >>> 5;
      if (type < PADDING) {
        this.#time += delta;
        const data = type === 0 ? at + 8 : at + 4;
        if (data > end) throw this.#cutOff(at);
        const length = type === 0 ? view.getUint32(at + 4, true) - 4 : type * 4;
        if (length < 0 || data + length > end) throw this.#cutOff(at);
        this.ns = this.#time;
        this.at = data;
        this.length = length;
        this.#next = data + ((length + 3) & ~3);
        return true;
      }
      if (type === PADDING) {
        if (delta === 0 || at + 8 > end) break;
        // Of a record that was taken back: the next one's time counts from it.
        this.#time += delta;
        at += 4 + view.getUint32(at + 4, true);
        continue;
      }
      if (at + 8 > end) throw this.#cutOff(at);
      const high = view.getUint32(at + 4, true);
      if (type === TIME_EXTEND) this.#time += high * DELTA_BITS + delta;
      else if (type === TIME_STAMP) this.#time = this.#absolute(high, delta);
      at += 8;
    }
    this.#next = end;
    return false;
  }

  #absolute(high: number, delta: number): number {
    const low = BigInt(high) * BigInt(DELTA_BITS) + BigInt(delta);
    const now = this.originNs + BigInt(this.#time);
    return Number(((now & ~ABSOLUTE_MASK) | (low & ABSOLUTE_MASK)) - this.originNs);
  }

  #cutOff(at: number): DataError {
    return this.fault(at, `a record reaches beyond byte ${this.base + this.#end}, where the page's data end`);
  }

  /** An error at the byte `at` of `bytes`. */
  fault(at: number, reason: string): DataError {
    return new DataError(this.where, this.base + at, reason);
  }

  /** Gives up what is left of the page. */
  protected leavePage(): void {
    this.#next = this.#end;
  }
}
