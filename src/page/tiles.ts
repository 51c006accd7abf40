/**
 * Tiles: strips of one row, `TILE_PIXELS` wide, painted once into an atlas and drawn from there as often as wanted.
 * Strips that are missing are asked for in batches; until they come a coarser strip is stretched in their place.
 */
import type { ExperimentClient } from "./api-client.js";
import { TILE_PIXELS } from "./contract.js";
import { type Colors, rgb } from "./palette.js";
import type { Range } from "./view.js";

/** Strips in the atlas: 8192 of 2 KiB. */
const SLOTS = 8192;
const SLOTS_IN_SHEET = 2048;
const MOST_IN_BATCH = 96;
const MOST_REQUESTS = 4;
/** How many levels up a stand-in is looked for. */
const COARSER = 12;
/** A pixel that is used little is faint, but never gone. */
const FAINTEST = 0.35;

interface Strip {
  readonly key: string;
  readonly level: number;
  readonly index: number;
  readonly slot: number;
  /** The trace was read up to here when it was made; behind it may be more by now. */
  knownUntilNs: number;
  usedAt: number;
  /** As the server sent it: other colours are painted from it. */
  readonly bytes: Uint8Array;
}

interface Wanted {
  readonly level: number;
  readonly index: number;
  readonly rows: Set<number>;
}

const keyOf = (row: number, level: number, index: number): string => `${row} ${level} ${index}`;

export class Tiles {
  readonly #sheets: (HTMLCanvasElement | undefined)[] = [];
  readonly #strips = new Map<string, Strip>();
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, i) => SLOTS - 1 - i);
  readonly #requests = new Map<
    string,
    { readonly abort: AbortController; readonly rows: ReadonlySet<number> }
  >();
  #wanted = new Map<string, Wanted>();
  #frame = 0;
  #table = new Uint32Array(0);
  /** Moment up to which the trace is read. */
  knownUntilNs = Number.POSITIVE_INFINITY;
  onArrival: () => void = () => {};

  constructor(
    private readonly client: ExperimentClient,
    private readonly whole: Range,
    colors: Colors,
    back: string,
  ) {
    this.paint(colors, back);
  }

  /** Other colours: everything is painted anew. */
  paint(colors: Colors, back: string): void {
    const [br, bg, bb] = rgb(back);
    this.#table = new Uint32Array(32 * 256);
    for (const [doing, color] of Object.entries(colors)) {
      const [r, g, b] = rgb(color);
      for (let share = 0; share < 256; share++) {
        const alpha = FAINTEST + (1 - FAINTEST) * (share / 255);
        const mix = (from: number, to: number): number => Math.round(from + (to - from) * alpha);
        this.#table[Number(doing) * 256 + share] =
          Number(doing) === 0 ? 0 : ((255 << 24) | (mix(bb, b) << 16) | (mix(bg, g) << 8) | mix(br, r)) >>> 0;
      }
    }
    for (const strip of this.#strips.values()) this.#fill(strip);
  }

  forget(): void {
    for (const { abort } of this.#requests.values()) abort.abort();
    this.#requests.clear();
    for (const { slot } of this.#strips.values()) this.#free.push(slot);
    this.#strips.clear();
  }

  /** Level at which a pixel of the screen is no wider than one of the tile. */
  levelFor(nsPerPixel: number): number {
    return Math.max(0, Math.ceil(Math.log2(Math.max(1, nsPerPixel)) - 1e-9));
  }

  beginFrame(): void {
    this.#frame++;
    this.#wanted = new Map();
  }

  /** Draws a row between `beginNs` and `endNs` into the rectangle; answers whether everything was there. */
  draw(
    context: CanvasRenderingContext2D,
    row: number,
    { beginNs, endNs }: Range,
    level: number,
    x: number,
    y: number,
    width: number,
    height: number,
  ): boolean {
    const { whole } = this;
    const tileNs = TILE_PIXELS * 2 ** level;
    const scale = width / (endNs - beginNs);
    const first = Math.floor((beginNs - whole.beginNs) / tileNs);
    const last = Math.floor((endNs - whole.beginNs) / tileNs);
    let complete = true;
    for (let index = Math.max(0, first); index <= last; index++) {
      const tileBegin = whole.beginNs + index * tileNs;
      if (tileBegin >= whole.endNs) break;
      const from = Math.max(beginNs, tileBegin);
      const to = Math.min(endNs, tileBegin + tileNs, whole.endNs);
      if (to <= from) continue;
      const strip = this.#strips.get(keyOf(row, level, index));
      const stale = strip !== undefined && strip.knownUntilNs < to && strip.knownUntilNs < this.knownUntilNs;
      if (strip === undefined || stale) {
        this.#want(row, level, index);
        complete = false;
      }
      const found = strip ?? this.#coarser(row, level, index);
      if (found === undefined) continue;
      found.usedAt = this.#frame;
      const stripNs = TILE_PIXELS * 2 ** found.level;
      const stripBegin = whole.beginNs + found.index * stripNs;
      const perNs = TILE_PIXELS / stripNs;
      context.drawImage(
        this.#sheet(found.slot),
        (from - stripBegin) * perNs,
        found.slot % SLOTS_IN_SHEET,
        Math.max(1e-3, (to - from) * perNs),
        1,
        x + (from - beginNs) * scale,
        y,
        (to - from) * scale,
        height,
      );
    }
    return complete;
  }

  #coarser(row: number, level: number, index: number): Strip | undefined {
    for (let up = 1; up <= COARSER; up++) {
      const strip = this.#strips.get(keyOf(row, level + up, Math.floor(index / 2 ** up)));
      if (strip !== undefined) return strip;
    }
    return undefined;
  }

  #want(row: number, level: number, index: number): void {
    const key = `${level} ${index}`;
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) this.#wanted.set(key, { level, index, rows: new Set([row]) });
    else wanted.rows.add(row);
  }

  /** Asks for what the frame lacked; gives up what nobody wants any more. */
  endFrame(): void {
    for (const [key, { abort }] of this.#requests) {
      if (this.#wanted.has(key.split("/")[0]!)) continue;
      abort.abort();
      this.#requests.delete(key);
    }
    for (const [key, { level, index, rows }] of this.#wanted) {
      if (this.#requests.size >= MOST_REQUESTS) return;
      const asked = [...this.#requests].filter(([one]) => one.startsWith(`${key}/`));
      const missing = [...rows].filter((row) => !asked.some(([, request]) => request.rows.has(row)));
      if (missing.length === 0) continue;
      void this.#fetch(`${key}/${missing[0]}`, missing.slice(0, MOST_IN_BATCH), level, index);
    }
  }

  get busy(): boolean {
    return this.#requests.size > 0;
  }

  async #fetch(key: string, rows: readonly number[], level: number, index: number): Promise<void> {
    const abort = new AbortController();
    this.#requests.set(key, { abort, rows: new Set(rows) });
    const sorted = [...rows].sort((a, b) => a - b);
    try {
      const { bytes, knownUntilNs } = await this.client.tile(sorted, level, index, abort.signal);
      if (abort.signal.aborted) return;
      sorted.forEach((row, i) => {
        this.#store(row, level, index, bytes.subarray(2 * TILE_PIXELS * i), knownUntilNs);
      });
    } catch {
      // Aborted, or the server went away: the next frame asks again.
    } finally {
      if (this.#requests.get(key)?.abort === abort) this.#requests.delete(key);
      if (!abort.signal.aborted) this.onArrival();
    }
  }

  #store(row: number, level: number, index: number, bytes: Uint8Array, knownUntilNs: number): void {
    const key = keyOf(row, level, index);
    const slot = this.#strips.get(key)?.slot ?? this.#takeSlot();
    const usedAt = this.#frame;
    const own = bytes.slice(0, 2 * TILE_PIXELS);
    const strip = { key, level, index, slot, knownUntilNs, usedAt, bytes: own };
    this.#fill(strip);
    this.#strips.set(key, strip);
  }

  /** Paints a strip into its place in the atlas. */
  #fill({ slot, bytes }: Strip): void {
    const image = new ImageData(TILE_PIXELS, 1);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < TILE_PIXELS; i++) pixels[i] = this.#table[bytes[2 * i]! * 256 + bytes[2 * i + 1]!]!;
    this.#sheet(slot)
      .getContext("2d")!
      .putImageData(image, 0, slot % SLOTS_IN_SHEET);
  }

  #takeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    // An eighth of them at once: sorting costs.
    const oldest = [...this.#strips.values()].sort((a, b) => a.usedAt - b.usedAt).slice(0, SLOTS / 8);
    for (const { key, slot } of oldest) {
      this.#strips.delete(key);
      this.#free.push(slot);
    }
    return this.#free.pop()!;
  }

  #sheet(slot: number): HTMLCanvasElement {
    const index = Math.floor(slot / SLOTS_IN_SHEET);
    let sheet = this.#sheets[index];
    if (sheet === undefined) {
      sheet = document.createElement("canvas");
      sheet.width = TILE_PIXELS;
      sheet.height = SLOTS_IN_SHEET;
      this.#sheets[index] = sheet;
    }
    return sheet;
  }
}
