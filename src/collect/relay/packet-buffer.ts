/**
 * The bytes of one packet while they arrive: in memory as long as all packets together are within a budget, else in
 * a file beside the store. A peer that claims 4 GB costs no memory.
 */
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { PIECE_BYTES, writeAll } from "../../base/write-all.js";

const COPY_BYTES = 1 << 20;
/** Memory that stays for packets; more of it is never needed where CPUs are few. */
const BLOCK_BYTES = 1 << 20;
const MOST_BLOCKS = 8;
/**
 * Where no block is left, a packet gets as much memory again as it fills already, from this on: who claims and does not
 * send takes little.
 */
const LEAST_BYTES = 1 << 12;
/** What a packet without memory waits in for the disk. */
const LANDING_BYTES = 1 << 16;

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
   * Memory that was used just before, so that it is in the processor's caches: reading into other places each time, and
   * writing it from there, took twice as long. It is not counted. Undefined: all is in use.
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
  /** Memory, full but for the last one, where `#last` bytes are. */
  readonly #parts: Uint8Array[] = [];
  #last = 0;
  #inMemory = 0;
  readonly #blocks: Uint8Array[] = [];
  #counted = 0;
  /** From the first byte on that had no room in memory: what comes lands here, and goes to the file. */
  #landing: Uint8Array | undefined;
  #landed = 0;
  #file: number | undefined;
  #inFile = 0;

  constructor(private readonly budget: MemoryBudget) {}

  get bytes(): number {
    return this.#inFile + this.#inMemory + this.#landed;
  }

  /** Where the next bytes are to lie: at least one, at most `most`. What was filled before has been flushed. */
  room(most: number): Uint8Array {
    if (this.#landing === undefined && this.#last === (this.#parts.at(-1)?.length ?? 0)) {
      const part = this.#memory(most);
      if (part === undefined) this.#landing = new Uint8Array(LANDING_BYTES);
      else {
        this.#parts.push(part);
        this.#last = 0;
      }
    }
    if (this.#landing !== undefined) return this.#landing.subarray(0, most);
    return this.#parts.at(-1)!.subarray(this.#last, this.#last + most);
  }

  #memory(most: number): Uint8Array | undefined {
    const block = this.budget.takeBlock();
    if (block !== undefined) {
      this.#blocks.push(block);
      return block;
    }
    const bytes = Math.min(most, Math.max(LEAST_BYTES, Math.min(this.#inMemory, BLOCK_BYTES)));
    if (!this.budget.take(bytes)) return undefined;
    this.#counted += bytes;
    return new Uint8Array(bytes);
  }

  /** So many bytes of the last `room` are filled; `flush` comes next. */
  filled(bytes: number): void {
    if (this.#landing !== undefined) this.#landed = bytes;
    else {
      this.#last += bytes;
      this.#inMemory += bytes;
    }
  }

  /** Brings to the file what has no room in memory. Throws what the file system throws; may be called again then. */
  flush(): void {
    if (this.#landed === 0) return;
    this.#file ??= this.budget.spillFile();
    let at = this.#inFile;
    for (const piece of [...this.#pieces(), this.#landing!.subarray(0, this.#landed)]) {
      writeAll(this.#file, piece, at);
      at += piece.length;
    }
    this.#inFile = at;
    this.#landed = 0;
    this.#forget();
  }

  #pieces(): Uint8Array[] {
    return this.#parts.map((part, i) => (i === this.#parts.length - 1 ? part.subarray(0, this.#last) : part));
  }

  #forget(): void {
    this.budget.give(this.#counted);
    this.#counted = 0;
    for (const block of this.#blocks) this.budget.giveBlock(block);
    this.#blocks.length = 0;
    this.#parts.length = 0;
    this.#last = 0;
    this.#inMemory = 0;
  }

  /**
   * Writes everything to `file`, where it begins at `position`, then `paddingBytes` zeros; may be done again. The first
   * `done` bytes are there already. Throws what the file system throws.
   */
  writeTo(file: number, position: number, paddingBytes: number, done = 0): void {
    if (this.#file === undefined) this.#write(file, position, done, this.#inMemory);
    else this.#copy(this.#file, file, position);
    if (paddingBytes > 0) ftruncateSync(file, position + this.bytes + paddingBytes);
  }

  /**
   * The same with what is there while the packet comes, in whole pieces of `writeAll`, unless it waits in a file. Answers
   * how many bytes are written now.
   */
  writeBegin(file: number, position: number, done: number): number {
    if (this.#file !== undefined) return done;
    const end = this.#inMemory - (this.#inMemory % PIECE_BYTES);
    this.#write(file, position, done, end);
    return end;
  }

  #write(file: number, position: number, begin: number, end: number): void {
    let at = 0;
    for (const piece of this.#pieces()) {
      const bytes = piece.subarray(Math.max(0, begin - at), Math.max(0, end - at));
      if (bytes.length > 0) writeAll(file, bytes, position + Math.max(at, begin));
      at += piece.length;
    }
  }

  #copy(from: number, file: number, position: number): void {
    const block = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < this.#inFile; ) {
      const read = readSync(from, block, 0, block.length, at);
      writeAll(file, block.subarray(0, read), position + at);
      at += read;
    }
  }

  /** All of it, in memory. */
  contents(): Uint8Array {
    if (this.#file === undefined) return Buffer.concat(this.#pieces(), this.#inMemory);
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
    this.#landing = undefined;
    this.#landed = 0;
  }
}
