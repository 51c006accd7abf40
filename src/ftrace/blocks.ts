/**
 * Pages of one CPU that lie whole in a file: one after the other, or in compressed chunks. What is damaged is told
 * and passed over; the pages after it are read.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { DataError } from "../base/errors.js";
import { CpuReader } from "./cpu-reader.js";
import type { PageLayout } from "./ring-buffer.js";

/** Some pages in memory. Their bytes may be changed. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Where they are in the file. */
  readonly at: number;
  /** That is where their compressed chunk is. */
  readonly isCompressed: boolean;
}

export interface Blocks {
  readonly path: string;
  /** Undefined at the end. Throws `DataError`: then there may be more. */
  next(): Block | undefined;
  close(): void;
}

const BLOCK_BYTES = 256 << 10;

/** Pages in a row, from `offset` on; the file may end before `size` bytes. */
export class PlainBlocks implements Blocks {
  readonly #file: number;
  readonly #end: number;
  #at: number;
  readonly #block: Uint8Array;

  constructor(
    readonly path: string,
    offset: number,
    size: number,
    pageBytes: number,
  ) {
    this.#file = openSync(path, "r");
    this.#at = offset;
    this.#end = offset + size;
    this.#block = new Uint8Array(Math.max(1, Math.floor(BLOCK_BYTES / pageBytes)) * pageBytes);
  }

  next(): Block | undefined {
    const wanted = Math.min(this.#block.length, this.#end - this.#at);
    if (wanted <= 0) return undefined;
    const at = this.#at;
    let read = 0;
    while (read < wanted) {
      const more = readSync(this.#file, this.#block, read, wanted - read, at + read);
      if (more === 0) break;
      read += more;
    }
    this.#at += wanted;
    if (read === 0) {
      this.#at = this.#end;
      throw new DataError(this.path, at, `expected pages up to byte ${this.#end}, but the file ends here`);
    }
    return { bytes: this.#block.subarray(0, read), at, isCompressed: false };
  }

  close(): void {
    closeSync(this.#file);
  }
}

export interface PageForm {
  readonly layout: PageLayout;
  /** By the buffer's clock. */
  readonly origin: bigint;
  /** Makes a page of another byte order one of this one. */
  readonly reorder?: ((page: DataView) => void) | undefined;
  /** Ticks since the origin, to nanoseconds since that. */
  readonly toNs?: ((ticks: number) => number) | undefined;
  /** Told of what is damaged. */
  readonly problem: (error: DataError) => void;
}

/** Moments are numbers, exact up to here: 104 days. */
const MOST_NS = 2 ** 53;
/** A clock may step back while it is corrected, not by more. */
const LEAST_NS = -1e9;

export class BlockReader extends CpuReader {
  #block: Block | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #ended = false;
  #pageAt = 0;

  constructor(
    readonly cpu: number,
    private readonly blocks: Blocks,
    private readonly form: PageForm,
  ) {
    super(form.layout, form.origin, blocks.path);
  }

  override advance(): boolean {
    const { toNs } = this.form;
    for (;;) {
      try {
        if (this.next()) {
          if (!(this.ns >= LEAST_NS && this.ns < MOST_NS)) {
            throw this.fault(
              this.#pageAt,
              `a page with a moment that is ${this.ns} ticks after the others' first`,
            );
          }
          if (toNs !== undefined) this.ns = toNs(this.ns);
          return true;
        }
      } catch (error) {
        this.#pass(error);
        this.leavePage();
      }
      if (!this.turn()) return false;
    }
  }

  /** Goes on after what is damaged. */
  #pass(error: unknown): void {
    if (!(error instanceof DataError)) throw error;
    this.form.problem(error);
    this.lostUnknown = true;
  }

  protected turn(): boolean {
    const { pageBytes } = this.layout as PageLayout;
    while (!this.#ended) {
      try {
        if (this.#block === undefined || this.#at >= this.#block.bytes.length) {
          this.#at = 0;
          this.#block = undefined;
          this.#block = this.blocks.next();
          if (this.#block === undefined) {
            this.#ended = true;
            break;
          }
          const { bytes } = this.#block;
          this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        }
        if (this.#openPage(this.#block, pageBytes)) return true;
      } catch (error) {
        this.#pass(error);
      }
    }
    return false;
  }

  #openPage(block: Block, pageBytes: number): boolean {
    const at = (this.#pageAt = this.#at);
    this.#at += pageBytes;
    this.base = block.at;
    const length = Math.min(pageBytes, block.bytes.length - at);
    if (length < pageBytes) {
      throw this.fault(at, `expected a page of ${pageBytes} bytes, but only ${length} follow`);
    }
    const view = this.#view;
    this.form.reorder?.(new DataView(view.buffer, view.byteOffset + at, length));
    this.open(block.bytes, view, at, length);
    if (this.lost < 0) this.lostUnknown = true;
    else this.lostBefore += this.lost;
    return true;
  }

  override fault(at: number, reason: string): DataError {
    const block = this.#block;
    if (block === undefined || !block.isCompressed) return super.fault(at, reason);
    return new DataError(this.where, block.at, `byte ${at} of the chunk's uncompressed data: ${reason}`);
  }

  override tooShort(): void {
    this.form.problem(
      this.fault(this.at, `a record of ${this.length} bytes, which its event's description does not fit`),
    );
  }

  close(): void {
    this.blocks.close();
  }
}
