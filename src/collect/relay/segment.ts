/**
 * One data file of a stream, and LTTng's index beside it. Writers append whole packets; viewers read by the same open
 * files, so that renaming or removing a file takes nothing from them.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { writeAll } from "../../base/write-all.js";
import type { PacketIndexEntry } from "../../relay/control.js";
import type { PacketBuffer } from "./packet-buffer.js";

const INDEX_MAGIC = 0xc1f1dcc1;
const INDEX_HEADER_BYTES = 16;
/** Of index files 1.0 (before LTTng 2.8) and 1.1. */
const OLD_ENTRY_BYTES = 56;
const ENTRY_BYTES = 72;

/** An index entry as it lies in the file. */
export interface StoredEntry extends Omit<PacketIndexEntry, "stream" | "sequence"> {
  /** Bytes from the file's begin. */
  readonly offset: number;
}

export type IndexKind = "none" | "1.0" | "1.1";

export interface SegmentOptions {
  readonly indexKind: IndexKind;
  /** What was appended is to survive a power cut, too. */
  readonly sync: boolean;
  readonly isMetadata?: boolean;
}

export class Segment {
  /** What comes after this file in its stream; viewers go there when they have read all. */
  next: Segment | undefined;
  /** The file is overwritten or deleted: viewers need not read on. */
  obsolete = false;
  bytes = 0;
  entries = 0;
  #openedFile: number | undefined;
  readonly #index: number | undefined;
  /** The packet that is being written while it comes, and how many bytes of it lie behind the others. */
  #coming: { readonly packet: PacketBuffer; bytes: number } | undefined;
  #references = 1;

  /**
   * Makes both files anew, metadata when the first of it comes: readers take a directory where it is empty for a damaged
   * trace, and `lttng-consumerd` may send none for as long as a session lasts. Throws what the file system throws.
   */
  constructor(
    readonly path: string,
    private readonly options: SegmentOptions,
  ) {
    const { indexKind, isMetadata } = options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o770 });
    // A file that viewers still read is replaced, not emptied.
    if (existsSync(path)) unlinkSync(path);
    if (isMetadata) return;
    this.#openedFile = openSync(path, "wx+", 0o660);
    if (indexKind === "none") return;
    const directory = join(dirname(path), "index");
    mkdirSync(directory, { recursive: true, mode: 0o770 });
    const indexPath = join(directory, `${basename(path)}.idx`);
    if (existsSync(indexPath)) unlinkSync(indexPath);
    this.#index = openSync(indexPath, "wx+", 0o660);
    const head = new DataView(new ArrayBuffer(INDEX_HEADER_BYTES));
    head.setUint32(0, INDEX_MAGIC);
    head.setUint32(4, 1);
    head.setUint32(8, indexKind === "1.1" ? 1 : 0);
    head.setUint32(12, this.#entryBytes);
    writeAll(this.#index, new Uint8Array(head.buffer), 0);
  }

  get #file(): number {
    this.#openedFile ??= openSync(this.path, "wx+", 0o660);
    return this.#openedFile;
  }

  get #entryBytes(): number {
    return this.options.indexKind === "1.1" ? ENTRY_BYTES : OLD_ENTRY_BYTES;
  }

  /** Keeps the files open; false: they are closed already. */
  retain(): boolean {
    if (this.#references === 0) return false;
    this.#references++;
    return true;
  }

  release(): void {
    if (--this.#references > 0) return;
    if (this.#openedFile !== undefined) closeSync(this.#openedFile);
    if (this.#index !== undefined) closeSync(this.#index);
  }

  /**
   * Appends a packet, then its index entry: what ends the program between the two is repaired at the next start.
   * May be done again when the file system refused.
   */
  append(data: PacketBuffer, paddingBytes: number, entry: PacketIndexEntry | undefined): void {
    const end = this.bytes + data.bytes + paddingBytes;
    if (this.#coming?.packet !== data) this.dropComing();
    data.writeTo(this.#file, this.bytes, paddingBytes, this.#coming?.bytes);
    if (this.options.sync) fdatasyncSync(this.#file);
    if (entry !== undefined && this.#index !== undefined) {
      this.#writeEntry(entry, this.bytes);
      if (this.options.sync) fdatasyncSync(this.#index);
    }
    this.bytes = end;
    this.#coming = undefined;
  }

  /**
   * Writes what is there of a packet that will be appended next, so that less is left to do when all of it came. That may
   * turn out not to be so.
   */
  appendComing(packet: PacketBuffer): void {
    if (this.#coming?.packet !== packet) {
      this.dropComing();
      this.#coming = { packet, bytes: 0 };
    }
    try {
      this.#coming.bytes = packet.writeBegin(this.#file, this.bytes, this.#coming.bytes);
    } catch {
      // Whoever appends it will see the same.
      this.dropComing();
    }
  }

  /** The packet, if it is this one, does not come, or to another place. */
  dropComing(packet = this.#coming?.packet): void {
    if (this.#coming === undefined || this.#coming.packet !== packet) return;
    this.#coming = undefined;
    ftruncateSync(this.#file, this.bytes);
  }

  #writeEntry(entry: PacketIndexEntry, offset: number): void {
    const view = new DataView(new ArrayBuffer(this.#entryBytes));
    const { packetBits, contentBits, begin, end, discarded, streamClass, instance, packetSequence } = entry;
    const words = [BigInt(offset), packetBits, contentBits, begin, end, discarded, streamClass];
    if (this.options.indexKind === "1.1") words.push(instance ?? 0n, packetSequence ?? 0n);
    words.forEach((word, i) => {
      view.setBigUint64(8 * i, word);
    });
    writeAll(this.#index!, new Uint8Array(view.buffer), INDEX_HEADER_BYTES + this.entries * this.#entryBytes);
    this.entries++;
  }

  /** Plain bytes (metadata). */
  appendBytes(bytes: Uint8Array, paddingBytes: number): void {
    writeAll(this.#file, bytes, this.bytes);
    const end = this.bytes + bytes.length + paddingBytes;
    if (paddingBytes > 0) ftruncateSync(this.#file, end);
    this.bytes = end;
  }

  /** Empties the file (metadata that is sent anew). */
  clear(): void {
    if (this.bytes > 0) ftruncateSync(this.#file, 0);
    this.bytes = 0;
  }

  /** `i` < `entries`. */
  entry(i: number): StoredEntry {
    const bytes = this.#entryBytes;
    const block = new Uint8Array(bytes);
    readSync(this.#index!, block, 0, bytes, INDEX_HEADER_BYTES + i * bytes);
    const view = new DataView(block.buffer);
    const word = (n: number) => view.getBigUint64(8 * n);
    const whole = this.options.indexKind === "1.1";
    return {
      offset: Number(word(0)),
      packetBits: word(1),
      contentBits: word(2),
      begin: word(3),
      end: word(4),
      discarded: word(5),
      streamClass: word(6),
      instance: whole ? word(7) : undefined,
      packetSequence: whole ? word(8) : undefined,
    };
  }

  /** Bytes of the file, fewer at its end. */
  read(offset: number, length: number): Uint8Array {
    const block = new Uint8Array(Math.max(0, Math.min(length, this.bytes - offset)));
    let done = 0;
    while (done < block.length) {
      const read = readSync(this.#file, block, done, block.length - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    return block.subarray(0, done);
  }

  /** Moves all packets from entry `first` on to `target` (a rotation that was told late). */
  moveTail(first: number, target: Segment): void {
    if (first >= this.entries) return;
    const from = this.entry(first).offset;
    for (let i = first; i < this.entries; i++) {
      const entry = this.entry(i);
      const bytes = Number(entry.packetBits / 8n);
      target.appendBytes(this.read(entry.offset, bytes), 0);
      target.#writeEntry({ stream: 0n, sequence: 0n, ...entry }, target.bytes - bytes);
    }
    ftruncateSync(this.#file, from);
    ftruncateSync(this.#index!, INDEX_HEADER_BYTES + first * this.#entryBytes);
    this.bytes = from;
    this.entries = first;
  }
}
