/** The rows of largest value, at most `limit` of them, whatever comes by. */
export class Top<T> {
  /** A heap: the smallest of the kept first. Of equal values the one that came first is kept. */
  readonly #kept: { value: number; order: number; row: T }[] = [];
  #order = 0;

  constructor(readonly limit: number) {}

  /** Would a row of this value be kept? Ask before making the row. */
  wants(value: number): boolean {
    return this.#kept.length < this.limit || (this.limit > 0 && value > this.#kept[0]!.value);
  }

  add(value: number, row: T): void {
    if (!this.wants(value)) return;
    const kept = this.#kept;
    const entry = { value, order: this.#order++, row };
    if (kept.length < this.limit) {
      kept.push(entry);
      // Nothing is ever thrown out before the limit is reached: no order needed until then.
      if (kept.length === this.limit) for (let i = (kept.length >> 1) - 1; i >= 0; i--) this.#down(i);
      return;
    }
    kept[0] = entry;
    this.#down(0);
  }

  #less(a: number, b: number): boolean {
    const x = this.#kept[a]!;
    const y = this.#kept[b]!;
    return x.value < y.value || (x.value === y.value && x.order > y.order);
  }

  #down(at: number): void {
    const kept = this.#kept;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= kept.length) return;
      if (child + 1 < kept.length && this.#less(child + 1, child)) child++;
      if (!this.#less(child, at)) return;
      [kept[at], kept[child]] = [kept[child]!, kept[at]!];
      at = child;
    }
  }

  /** Largest first. */
  rows(): T[] {
    return [...this.#kept].sort((a, b) => b.value - a.value || a.order - b.order).map((entry) => entry.row);
  }
}
