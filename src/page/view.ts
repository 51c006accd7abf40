/** The stretch of time that is shown: zoom, pan, and what was shown before. */

export interface Range {
  readonly beginNs: number;
  readonly endNs: number;
}

/** Shorter stretches show nothing more. */
const SHORTEST_NS = 50;
const MOST_UNDO = 100;
/** Changes that follow each other this fast are one step of undo. */
const ONE_STEP_MS = 600;

export class View {
  #range: Range;
  readonly #undo: Range[] = [];
  readonly #redo: Range[] = [];
  #changedMs = Number.NEGATIVE_INFINITY;
  onChange: () => void = () => {};

  constructor(
    readonly whole: Range,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#range = whole;
  }

  get beginNs(): number {
    return this.#range.beginNs;
  }

  get endNs(): number {
    return this.#range.endNs;
  }

  get range(): Range {
    return this.#range;
  }

  get spanNs(): number {
    return this.endNs - this.beginNs;
  }

  /** Shows a range, cut to what there is. `remember`: undo goes back to the one before. */
  show(beginNs: number, endNs: number, remember = true): void {
    const { whole } = this;
    const most = Math.max(SHORTEST_NS, whole.endNs - whole.beginNs);
    const span = Math.min(most, Math.max(SHORTEST_NS, endNs - beginNs));
    const center = (beginNs + endNs) / 2;
    const begin = Math.max(whole.beginNs, Math.min(center - span / 2, whole.beginNs + most - span));
    if (begin === this.beginNs && begin + span === this.endNs) return;
    const now = this.now();
    if (remember && now - this.#changedMs > ONE_STEP_MS) {
      this.#undo.push(this.#range);
      if (this.#undo.length > MOST_UNDO) this.#undo.shift();
      this.#redo.length = 0;
    }
    if (remember) this.#changedMs = now;
    this.#range = { beginNs: begin, endNs: begin + span };
    this.onChange();
  }

  /** Zooms so that the moment `atNs` stays where it is; factors below 1 show more detail. */
  zoom(factor: number, atNs = (this.beginNs + this.endNs) / 2): void {
    const span = Math.min(
      Math.max(SHORTEST_NS, this.spanNs * factor),
      Math.max(SHORTEST_NS, this.whole.endNs - this.whole.beginNs),
    );
    const share = (atNs - this.beginNs) / this.spanNs;
    const begin = atNs - share * span;
    this.show(begin, begin + span);
  }

  /** Moves by a share of what is shown. */
  pan(share: number): void {
    this.panBy(share * this.spanNs);
  }

  panBy(ns: number): void {
    const { whole, spanNs } = this;
    const begin = Math.max(whole.beginNs, Math.min(this.beginNs + ns, whole.endNs - spanNs));
    this.show(begin, begin + spanNs);
  }

  /** Shows a stretch with some room around it. */
  showAround(beginNs: number, endNs: number, room = 0.15): void {
    const extra = Math.max(SHORTEST_NS, (endNs - beginNs) * room);
    this.#changedMs = Number.NEGATIVE_INFINITY;
    this.show(beginNs - extra, endNs + extra);
  }

  all(): void {
    this.#changedMs = Number.NEGATIVE_INFINITY;
    this.show(this.whole.beginNs, this.whole.endNs);
  }

  undo(): void {
    const before = this.#undo.pop();
    if (before === undefined) return;
    this.#redo.push(this.#range);
    this.#range = before;
    this.#changedMs = Number.NEGATIVE_INFINITY;
    this.onChange();
  }

  redo(): void {
    const after = this.#redo.pop();
    if (after === undefined) return;
    this.#undo.push(this.#range);
    this.#range = after;
    this.onChange();
  }
}
