/**
 * The bytes of one packet while they arrive: in memory as long as all packets together are within a budget, else in
 * a file beside the store. A peer that claims 4 GB costs no memory.
 */
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync, writevSync } from "node:fs";
import { join } from "node:path";

const COPY_BYTES = 1 << 20;
/** Padding that is written with its packet: whoever reads the file meanwhile sees the packet whole, or not at all. */
const ZEROS = new Uint8Array(1 << 16);
/** `writev` takes at most this many pieces (IOV_MAX). */
const MAX_PIECES = 1024;

/** Packets of this size and less are gathered in blocks; more of these are never needed where CPUs are few. */
const BLOCK_BYTES = 1 << 20;
const MOST_BLOCKS = 8;

/** What all packets of a collector may hold in memory. */
export class MemoryBudget {
  #used = 0;
  #files = 0;
  #blocks = 0;
  readonly #free: Uint8Array[] = [];

  constructor(
    readonly limitBytes: number,
    /** Where packets go that have no room in memory. */
    readonly spillDirectory: string,
  ) {}

  get usedBytes(): number {
    return this.#used;
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > this.limitBytes) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }

  /**
   * Memory that was used just before, so that it is in the processor's caches: what a socket gives lies in other places
   * each time, and writing it from there took twice as long. Undefined: all are in use.
   */
  takeBlock(): Uint8Array | undefined {
    const block = this.#free.pop();
    if (block !== undefined || this.#blocks === MOST_BLOCKS) return block;
    this.#blocks++;
    return new Uint8Array(BLOCK_BYTES);
  }

  giveBlock(block: Uint8Array): void {
    this.#free.push(block);
  }

  /** A new, empty, nameless file: it is gone when it is closed, however that comes. */
  spillFile(): number {
    const path = join(this.spillDirectory, `spill-${process.pid}-${this.#files++}`);
    const file = openSync(path, "wx+");
    unlinkSync(path);
    return file;
  }
}

export class PacketBuffer {
  #pieces: Uint8Array[] = [];
  /** Where the first piece lies, and all others as long as they fit. */
  #block: Uint8Array | undefined;
  #inMemory = 0;
  #file: number | undefined;
  #inFile = 0;

  constructor(private readonly budget: MemoryBudget) {}

  get bytes(): number {
    return this.#inFile + this.#inMemory;
  }

  /** Throws what the file system throws, having taken nothing. */
  add(piece: Uint8Array): void {
    if (this.#file === undefined && this.#pieces.length < MAX_PIECES && this.budget.take(piece.length)) {
      if (this.#inMemory === 0) this.#block = this.budget.takeBlock();
      const end = this.#inMemory + piece.length;
      if (this.#block !== undefined && this.#pieces.length <= 1 && end <= BLOCK_BYTES) {
        this.#block.set(piece, this.#inMemory);
        this.#pieces = [this.#block.subarray(0, end)];
      } else this.#pieces.push(piece);
      this.#inMemory = end;
      return;
    }
    this.#file ??= this.budget.spillFile();
    this.#spill();
    writeAllAt(this.#file, piece, this.#inFile);
    this.#inFile += piece.length;
  }

  /** A full disk may refuse it in the middle: then all of it is written again. */
  #spill(): void {
    let at = this.#inFile;
    for (const piece of this.#pieces) {
      writeAllAt(this.#file!, piece, at);
      at += piece.length;
    }
    this.#inFile = at;
    this.#forget();
  }

  #forget(): void {
    this.budget.give(this.#inMemory);
    this.#inMemory = 0;
    this.#pieces = [];
    if (this.#block !== undefined) this.budget.giveBlock(this.#block);
    this.#block = undefined;
  }

  /**
   * Writes everything to `file` at `position`, then `paddingBytes` zeros; may be done again. Throws what the file system
   * throws.
   */
  writeTo(file: number, position: number, paddingBytes: number): void {
    if (this.#file === undefined) {
      const zeros = ZEROS.subarray(0, paddingBytes);
      const pieces = zeros.length === paddingBytes ? [...this.#pieces, zeros] : this.#pieces;
      if (writevSync(file, pieces, position) < this.#inMemory) {
        // A short write: the rest, or the reason, comes piece by piece.
        let at = position;
        for (const piece of this.#pieces) {
          writeAllAt(file, piece, at);
          at += piece.length;
        }
      }
    } else this.#copy(this.#file, file, position);
    if (paddingBytes > 0) ftruncateSync(file, position + this.bytes + paddingBytes);
  }

  #copy(from: number, file: number, position: number): void {
    const block = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < this.#inFile; ) {
      const read = readSync(from, block, 0, block.length, at);
      writeAllAt(file, block.subarray(0, read), position + at);
      at += read;
    }
  }

  /** All of it, in memory. */
  contents(): Uint8Array {
    if (this.#file === undefined) return Buffer.concat(this.#pieces, this.#inMemory);
    const all = new Uint8Array(this.#inFile);
    for (let at = 0; at < all.length; ) at += readSync(this.#file, all, at, all.length - at, at);
    return all;
  }

  /** Gives memory and file back. */
  release(): void {
    this.#forget();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#inFile = 0;
  }
}

export function writeAllAt(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
  }
}
