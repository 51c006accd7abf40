/**
 * Puts things that are known at their end into the order of their begin.
 *
 * Every begin takes a place in a queue; what is at the head and has ended leaves it. A call that blocks for long
 * holds back those behind it: beyond `MOST_HELD` places it is passed over, and comes late when it ends.
 */

const MOST_HELD = 1 << 16;

interface Place<T> {
  row: T | undefined;
  /** It will never end here: its end was not seen, or is of no interest. */
  dropped: boolean;
}

export class BeginOrder<K, T> {
  #queue: Place<T>[] = [];
  #head = 0;
  readonly #open = new Map<K, Place<T>>();
  /** Rows that came out of order. */
  late = 0;

  constructor(private readonly out: (row: T) => void) {}

  /** `key` (a thread, which does one thing at a time) begins something. */
  begin(key: K): void {
    const before = this.#open.get(key);
    if (before !== undefined) before.dropped = true;
    const place: Place<T> = { row: undefined, dropped: false };
    this.#open.set(key, place);
    this.#queue.push(place);
    if (this.#queue.length - this.#head > MOST_HELD) this.#pass();
  }

  /** What `key` began has ended: with a row, or without one that matters. */
  end(key: K, row: T | undefined): void {
    const place = this.#open.get(key);
    if (place === undefined || place.dropped) {
      if (row !== undefined) {
        this.late++;
        this.out(row);
      }
    } else if (row === undefined) place.dropped = true;
    else place.row = row;
    this.#open.delete(key);
    this.#advance();
  }

  #advance(): void {
    const queue = this.#queue;
    while (this.#head < queue.length) {
      const place = queue[this.#head]!;
      if (place.row !== undefined) this.out(place.row);
      else if (!place.dropped) break;
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > queue.length) {
      this.#queue = queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Gives up waiting for the head. */
  #pass(): void {
    this.#queue[this.#head]!.dropped = true;
    this.#advance();
  }

  /** Forgets what was begun by keys of which `gone` says so. */
  drop(gone: (key: K) => boolean): void {
    for (const [key, place] of this.#open) {
      if (!gone(key)) continue;
      place.dropped = true;
      this.#open.delete(key);
    }
    this.#advance();
  }

  /** The rest, in order; what has not ended is left out. */
  finish(): void {
    for (const place of this.#queue.slice(this.#head)) if (place.row !== undefined) this.out(place.row);
    this.#queue = [];
    this.#head = 0;
  }
}
