/** Pages of version 7 in compressed chunks: their number, then each behind its sizes. */
import { closeSync, fstatSync, openSync } from "node:fs";
import type { Block, Blocks } from "../blocks.js";
import { Cursor, filePlace } from "./cursor.js";
import type { Decompress } from "./decompress.js";

/** trace-cmd makes them of ten pages. */
const MOST_CHUNK = 64 << 20;

export class ChunkBlocks implements Blocks {
  readonly #file: number;
  readonly #cursor: Cursor;
  readonly #end: number;
  #left: number | undefined;

  constructor(
    readonly path: string,
    offset: number,
    size: number,
    bigEndian: boolean,
    private readonly decompress: Decompress,
  ) {
    this.#file = openSync(path, "r");
    this.#cursor = new Cursor(path, filePlace(this.#file, fstatSync(this.#file).size), bigEndian, offset);
    this.#end = offset + size;
  }

  next(): Block | undefined {
    const cursor = this.#cursor;
    if (this.#left === undefined) {
      this.#left = 0;
      if (this.#end <= cursor.at) return undefined;
      this.#left = cursor.u32("number of chunks");
    }
    if (this.#left === 0) return undefined;
    const left = this.#left;
    const at = cursor.at;
    // Without its sizes nobody knows where the next chunk is.
    this.#left = 0;
    const packed = cursor.u32("size of a compressed chunk");
    const size = cursor.u32("size of an uncompressed chunk");
    if (size > MOST_CHUNK)
      throw cursor.fault(`a chunk of ${size} bytes, expected at most ${MOST_CHUNK}`, at + 4);
    const bytes = cursor.bytes(packed, "a compressed chunk");
    this.#left = left - 1;
    try {
      return { bytes: this.decompress(bytes, size), at, isCompressed: true };
    } catch (error) {
      throw cursor.fault(`a chunk that cannot be uncompressed: ${(error as Error).message}`, at);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
