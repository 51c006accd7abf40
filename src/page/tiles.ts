/**
 * Tiles: stretches of time at a level of detail, with a strip of `TILE_PIXELS` for each row. A frame is put together of
 * strips, pixel by pixel, into a picture that is one pixel a row high. Strips that are missing are asked for in batches;
 * until they come a coarser one is stretched in their place.
 *
 * Hot: `draw` writes up to a million pixels a frame where hundreds of rows are shown, which is several times as fast as
 * having the canvas stretch thousands of strips. Guarded by `npm run bench:frames`.
 */
import type { ExperimentClient } from "./api-client.js";
import { TILE_PIXELS } from "./contract.js";
import { type Colors, rgb } from "./palette.js";
import type { Range } from "./view.js";

/** Of 1 KiB each. */
const MOST_STRIPS = 24_576;
/** Few and small, since they are answered one after the other: what is needed next does not wait for long. */
const MOST_IN_BATCH = 64;
const MOST_REQUESTS = 2;
const RETRY_MS = 1000;
/** How many levels up a stand-in is looked for. */
const COARSER = 12;
/** A pixel that is used little is faint, but never gone. */
const FAINTEST = 0.35;
/** Bits of a strip's place behind the point. */
const FRACTION = 16;

interface Strip {
  readonly row: number;
  /** The trace was read up to here when it was made; behind it may be more by now. */
  readonly knownUntilNs: number;
  usedAt: number;
  /** A pixel each, as the server sent it: `Doing`, and its share in the upper byte. */
  readonly codes: Uint16Array;
}

/** A stretch of time at one level, with the strips that are there of it. */
interface Tile {
  readonly key: string;
  readonly level: number;
  readonly index: number;
  readonly beginNs: number;
  readonly strips: Map<number, Strip>;
  /** Rows that the frame lacks. */
  readonly wanted: number[];
}

/** A tile as far as the frame shows it. */
interface Shown {
  readonly tile: Tile;
  /** Wider tiles of the same time, the finest first: what there is to stretch. */
  readonly coarser: readonly Tile[];
  readonly endNs: number;
  /** Columns of the picture: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Moment of the first column's middle. */
  readonly ns: number;
}

const keyOf = (level: number, index: number): string => `${level} ${index}`;

/** `#rrggbb` as a pixel of an `ImageData` seen as 32-bit numbers. */
function pixelOf(color: string): number {
  const [r, g, b] = rgb(color);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export class Tiles {
  readonly #tiles = new Map<string, Tile>();
  readonly #requests = new Set<{ readonly tile: Tile; readonly rows: ReadonlySet<number> }>();
  /** Ends the requests of a trace that is not shown any more. */
  #abort = new AbortController();
  readonly #canvas = document.createElement("canvas");
  readonly #context = this.#canvas.getContext("2d", { alpha: false })!;
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(this.#image.data.buffer);
  /** Pixels by code. */
  readonly #table = new Uint32Array(1 << 16);
  #back = 0;
  #band = 0;
  #shown: readonly Shown[] = [];
  #nsPerPixel = 1;
  #frame = 0;
  #count = 0;
  /** Moment up to which the trace is read. */
  knownUntilNs = Number.POSITIVE_INFINITY;
  onArrival: () => void = () => {};

  constructor(
    private readonly client: ExperimentClient,
    private readonly whole: Range,
  ) {}

  /** Colours of states, of what is empty, and of headings. */
  paint(colors: Colors, back: string, band: string): void {
    this.#back = pixelOf(back);
    this.#band = pixelOf(band);
    const [br, bg, bb] = rgb(back);
    for (const [doing, color] of Object.entries(colors)) {
      const [r, g, b] = rgb(color);
      for (let share = 0; share < 256; share++) {
        const alpha = FAINTEST + (1 - FAINTEST) * (share / 255);
        const mix = (from: number, to: number): number => Math.round(from + (to - from) * alpha);
        this.#table[Number(doing) | (share << 8)] =
          ((255 << 24) | (mix(bb, b) << 16) | (mix(bg, g) << 8) | mix(br, r)) >>> 0;
      }
    }
  }

  forget(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#requests.clear();
    this.#tiles.clear();
    this.#count = 0;
  }

  /** Begins the picture of a range with so many columns and lines. */
  beginFrame({ beginNs, endNs }: Range, columns: number, lines: number): void {
    this.#frame++;
    if (this.#image.width !== columns || this.#image.height < lines) {
      this.#image = new ImageData(columns, lines);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
      this.#canvas.width = columns;
      this.#canvas.height = lines;
    }
    this.#pixels.fill(this.#back, 0, columns * lines);
    const { whole } = this;
    const nsPerPixel = (endNs - beginNs) / columns;
    this.#nsPerPixel = nsPerPixel;
    // A column is no wider than a pixel of the tile.
    const level = Math.max(0, Math.ceil(Math.log2(Math.max(1, nsPerPixel)) - 1e-9));
    const tileNs = TILE_PIXELS * 2 ** level;
    const first = Math.max(0, Math.floor((beginNs - whole.beginNs) / tileNs));
    const last = Math.floor((endNs - whole.beginNs) / tileNs);
    const column = (ns: number): number =>
      Math.max(0, Math.min(columns, Math.ceil((ns - beginNs) / nsPerPixel - 0.5)));
    const shown: Shown[] = [];
    for (let index = first; index <= last; index++) {
      const tile = this.#tileAt(level, index);
      tile.wanted.length = 0;
      const until = Math.min(endNs, tile.beginNs + tileNs, whole.endNs);
      const [from, to] = [column(tile.beginNs), column(until)];
      if (to <= from) continue;
      const coarser: Tile[] = [];
      for (let up = 1; up <= COARSER; up++) {
        const above = this.#tiles.get(keyOf(level + up, Math.floor(index / 2 ** up)));
        if (above !== undefined && above.strips.size > 0) coarser.push(above);
      }
      shown.push({ tile, coarser, endNs: until, from, to, ns: beginNs + (from + 0.5) * nsPerPixel });
    }
    this.#shown = shown;
  }

  #tileAt(level: number, index: number): Tile {
    const key = keyOf(level, index);
    let tile = this.#tiles.get(key);
    if (tile === undefined) {
      const beginNs = this.whole.beginNs + index * TILE_PIXELS * 2 ** level;
      this.#tiles.set(key, (tile = { key, level, index, beginNs, strips: new Map(), wanted: [] }));
    }
    return tile;
  }

  /** A line that is no row's. */
  drawBand(line: number): void {
    const { width } = this.#image;
    this.#pixels.fill(this.#band, line * width, (line + 1) * width);
  }

  /** Draws a row into a line of the picture; answers whether everything was there. */
  draw(row: number, line: number): boolean {
    let complete = true;
    const at = line * this.#image.width;
    const pixels = this.#pixels;
    const table = this.#table;
    for (const { tile, coarser, endNs, from, to, ns } of this.#shown) {
      let source = tile;
      let strip = tile.strips.get(row);
      if (strip === undefined || (strip.knownUntilNs < endNs && strip.knownUntilNs < this.knownUntilNs)) {
        tile.wanted.push(row);
        complete = false;
      }
      for (let i = 0; strip === undefined && i < coarser.length; i++) {
        source = coarser[i]!;
        strip = source.strips.get(row);
      }
      if (strip === undefined) continue;
      strip.usedAt = this.#frame;
      const { codes } = strip;
      const one = 2 ** (FRACTION - source.level);
      // Rounded down, so that the last one does not leave the strip.
      const step = Math.floor(this.#nsPerPixel * one);
      let place = Math.max(0, Math.floor((ns - source.beginNs) * one));
      for (let i = at + from; i < at + to; i++) {
        pixels[i] = table[codes[place >> FRACTION]!]!;
        place += step;
      }
    }
    return complete;
  }

  /**
   * Asks for what the frame lacked. What was asked for and is not wanted any more comes all the same: the server would
   * not stop, and a zoom's next step may stretch it. Answers the picture: a pixel high for each line.
   */
  endFrame(): HTMLCanvasElement {
    this.#context.putImageData(this.#image, 0, 0);
    for (const { tile } of this.#shown) {
      if (tile.wanted.length === 0) continue;
      const asked = [...this.#requests].filter((one) => one.tile === tile);
      const missing = tile.wanted.filter((row) => !asked.some(({ rows }) => rows.has(row)));
      for (let i = 0; i < missing.length && this.#requests.size < MOST_REQUESTS; i += MOST_IN_BATCH)
        void this.#fetch(tile, missing.slice(i, i + MOST_IN_BATCH));
    }
    return this.#canvas;
  }

  async #fetch(tile: Tile, wanted: readonly number[]): Promise<void> {
    const { signal } = this.#abort;
    const rows = [...wanted].sort((a, b) => a - b);
    const request = { tile, rows: new Set(rows) };
    this.#requests.add(request);
    try {
      const { bytes, knownUntilNs } = await this.client.tile(rows, tile.level, tile.index, signal);
      if (signal.aborted) return;
      this.#makeRoom(rows.length);
      rows.forEach((row, i) => {
        // Little-endian, as all browsers are: the first byte is the lower one.
        const codes = new Uint16Array(bytes.slice(2 * TILE_PIXELS * i, 2 * TILE_PIXELS * (i + 1)).buffer);
        if (!tile.strips.has(row)) this.#count++;
        tile.strips.set(row, { row, knownUntilNs, usedAt: this.#frame, codes });
      });
    } catch {
      // Aborted, or the server went away: some later frame asks again.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      this.#requests.delete(request);
      if (!signal.aborted) this.onArrival();
    }
  }

  /** Forgets what was not drawn for the longest time, an eighth at once: sorting costs. */
  #makeRoom(strips: number): void {
    if (this.#count + strips <= MOST_STRIPS) return;
    const all = [...this.#tiles.values()].flatMap((tile) =>
      [...tile.strips.values()].map((strip) => ({ tile, strip })),
    );
    all.sort((a, b) => a.strip.usedAt - b.strip.usedAt);
    for (const { tile, strip } of all.slice(0, MOST_STRIPS / 8)) tile.strips.delete(strip.row);
    this.#count = all.length - Math.min(all.length, MOST_STRIPS / 8);
    // What is shown or asked for is filled soon.
    const needed = new Set([...this.#shown, ...this.#requests].map(({ tile }) => tile));
    for (const [key, tile] of this.#tiles)
      if (tile.strips.size === 0 && !needed.has(tile)) this.#tiles.delete(key);
  }
}
