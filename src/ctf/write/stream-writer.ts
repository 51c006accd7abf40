/**
 * One data stream: event records into packets, packets into a file, their places into LTTng's index beside it.
 *
 * A packet is written whole, and its index entry after it: whatever ends the program, readers find complete packets.
 */
import { closeSync, openSync } from "node:fs";
import { writeAll } from "../../base/write-all.js";
import { type Encode, type Measure, type Target, writeInteger } from "./encoder.js";
import type { WrittenValue } from "./schema.js";

/** Packet header (36 bytes: magic, UUID, stream class, instance) and packet context (52). */
const HEADER_BYTES = 4 + 16 + 4 + 8;
const CONTEXT_BYTES = 6 * 8 + 4;
const FIRST_RECORD = HEADER_BYTES + CONTEXT_BYTES;
const RECORD_HEADER_BYTES = 2 + 4 + 8;
const MAGIC = 0xc1fc1fc1;
const EXTENDED = 65_535;
const INDEX_MAGIC = 0xc1f1dcc1;
const INDEX_ENTRY_BYTES = 9 * 8;

/** An event record class of the trace, as streams need it. */
export interface RecordClass {
  readonly id: number;
  readonly name: string;
  readonly encode: Encode;
  readonly measure: Measure;
}

export interface StreamOptions {
  readonly path: string;
  readonly indexPath: string;
  readonly uuid: Uint8Array;
  readonly instance: number;
  readonly cpu: number;
  readonly packetBytes: number;
  readonly context: Pick<RecordClass, "encode" | "measure">;
  /** What `reserve` counts its moments from. Default 0. */
  readonly originCycles?: bigint;
  /** Number of the first packet: not 0 where packets before it were overwritten. Default 0. */
  readonly firstSequence?: bigint;
}

export class StreamWriter {
  /** Event records lost before the next packet's begin, since the stream's; counted on by who knows of losses. */
  discarded = 0n;
  readonly #options: StreamOptions;
  readonly #file: number;
  readonly #index: number;
  #target: Target;
  #packetBytes: number;
  #open = false;
  #beginCycles = 0n;
  /** Moment of the last event record, and how much of it readers can reconstruct. */
  #lastCycles = 0n;
  #sequence: bigint;
  #offset = 0n;
  readonly #origin: bigint;
  /** The last moment as `reserve` counts; NaN while `append` does. Its low 32 bits by the clock itself. */
  #last = Number.NaN;
  #lastLow = 0;

  /** Makes the files anew. Throws what the file system throws. */
  constructor(options: StreamOptions) {
    this.#options = options;
    this.#origin = options.originCycles ?? 0n;
    this.#sequence = options.firstSequence ?? 0n;
    this.#packetBytes = Math.max(options.packetBytes, FIRST_RECORD + 64);
    this.#target = targetOf(this.#packetBytes);
    this.#file = openSync(options.path, "w");
    this.#index = openSync(options.indexPath, "w");
    const head = new DataView(new ArrayBuffer(16));
    head.setUint32(0, INDEX_MAGIC);
    head.setUint32(4, 1);
    head.setUint32(8, 1);
    head.setUint32(12, INDEX_ENTRY_BYTES);
    writeAll(this.#index, new Uint8Array(head.buffer));
  }

  /**
   * Appends an event record. `cycles` (of the trace's clock) must not go back; `context` and `values` are in the
   * order of their fields.
   */
  append(
    event: RecordClass,
    cycles: bigint,
    context: readonly WrittenValue[],
    values: readonly WrittenValue[],
  ): void {
    this.#leaveNumbers();
    if (cycles < this.#lastCycles) {
      throw new RangeError(
        `${this.#options.path}: ${event.name} at ${cycles} cycles, after one at ${this.#lastCycles}`,
      );
    }
    const most = RECORD_HEADER_BYTES + this.#options.context.measure(context) + event.measure(values);
    if (this.#open && this.#target.at + most > this.#target.u8.length) this.flush(cycles);
    if (!this.#open) this.#begin(cycles, most);
    const target = this.#target;
    // Readers count 32 bits of the clock on from the last one: a longer pause needs all of them.
    const near = cycles - this.#lastCycles < 1n << 32n && event.id < EXTENDED;
    if (near) {
      target.view.setUint16(target.at, event.id, true);
      target.view.setUint32(target.at + 2, Number(cycles & 0xffffffffn), true);
      target.at += 6;
    } else {
      target.view.setUint16(target.at, EXTENDED, true);
      target.view.setUint32(target.at + 2, event.id, true);
      target.view.setBigUint64(target.at + 6, cycles, true);
      target.at += 14;
    }
    this.#options.context.encode(target, context);
    event.encode(target, values);
    this.#lastCycles = cycles;
  }

  /**
   * The fast way to append: writes the header of an event record `at` cycles after the origin, and answers where its
   * context and payload go, together at most `most` bytes. The caller moves `target.at` to their end.
   */
  reserve(id: number, at: number, most: number): Target {
    // Also true for NaN: the numbers must be entered first.
    if (!(at >= this.#last)) this.#enterNumbers(at);
    const bytes = RECORD_HEADER_BYTES + most;
    if (!this.#open || this.#target.at + bytes > this.#target.u8.length) this.#turn(at, bytes);
    const target = this.#target;
    const pause = at - this.#last;
    this.#last = at;
    if (pause < 2 ** 32 && id < EXTENDED) {
      this.#lastLow = (this.#lastLow + pause) >>> 0;
      target.view.setUint16(target.at, id, true);
      target.view.setUint32(target.at + 2, this.#lastLow, true);
      target.at += 6;
      return target;
    }
    const cycles = this.#origin + BigInt(at);
    this.#lastLow = Number(cycles & 0xffffffffn);
    target.view.setUint16(target.at, EXTENDED, true);
    target.view.setUint32(target.at + 2, id, true);
    target.view.setBigUint64(target.at + 6, cycles, true);
    target.at += 14;
    return target;
  }

  #enterNumbers(at: number): void {
    const last = Number(this.#lastCycles - this.#origin);
    if (at < (Number.isNaN(this.#last) ? last : this.#last)) {
      throw new RangeError(
        `${this.#options.path}: a record ${at} cycles after the origin, after a later one`,
      );
    }
    this.#last = last;
    this.#lastLow = Number(this.#lastCycles & 0xffffffffn);
  }

  #leaveNumbers(): void {
    if (!Number.isNaN(this.#last)) this.#lastCycles = this.#origin + BigInt(this.#last);
    this.#last = Number.NaN;
  }

  /** The next packet begins with a record of `bytes` bytes. */
  #turn(at: number, bytes: number): void {
    const cycles = this.#origin + BigInt(at);
    if (this.#open) this.flush(cycles);
    this.#begin(cycles, bytes);
    this.#last = at;
    this.#lastLow = Number(cycles & 0xffffffffn);
  }

  /** Begins a packet: nothing was lost since `cycles`, though there may be no event record for a while. */
  open(cycles: bigint): void {
    this.flush();
    this.#begin(cycles, 64);
  }

  /** Tells that `count` event records were lost after the last one. */
  lose(count: number): void {
    this.flush();
    this.discarded += BigInt(count);
  }

  #begin(cycles: bigint, recordBytes: number): void {
    // A record larger than a packet gets one of its size.
    const bytes = Math.max(this.#packetBytes, FIRST_RECORD + recordBytes);
    if (this.#target.u8.length !== bytes) this.#target = targetOf(bytes);
    this.#target.at = FIRST_RECORD;
    this.#beginCycles = cycles;
    this.#lastCycles = cycles;
    this.#last = Number.NaN;
    this.#open = true;
  }

  /** Writes the packet in hand, if there is one; it ends at `endCycles` (default: with its last event record). */
  flush(endCycles?: bigint): void {
    this.#leaveNumbers();
    if (!this.#open) return;
    const end = endCycles ?? this.#lastCycles;
    const { uuid, instance, cpu } = this.#options;
    const { u8, view, at } = this.#target;
    view.setUint32(0, MAGIC, true);
    u8.set(uuid, 4);
    view.setUint32(20, 0, true);
    writeInteger({ u8, view, at: 24 }, 64, instance);
    const bits = BigInt(at) * 8n;
    const words = [this.#beginCycles, end, bits, bits, this.#sequence, this.discarded];
    words.forEach((word, i) => {
      view.setBigUint64(HEADER_BYTES + 8 * i, word, true);
    });
    view.setUint32(HEADER_BYTES + 48, cpu, true);
    writeAll(this.#file, u8.subarray(0, at));
    this.#writeIndex([this.#offset, bits, bits, this.#beginCycles, end, this.discarded, 0n]);
    this.#offset += BigInt(at);
    this.#sequence++;
    this.#open = false;
  }

  #writeIndex(words: readonly bigint[]): void {
    const entry = new DataView(new ArrayBuffer(INDEX_ENTRY_BYTES));
    [...words, BigInt(this.#options.instance), this.#sequence].forEach((word, i) => {
      entry.setBigUint64(8 * i, word);
    });
    writeAll(this.#index, new Uint8Array(entry.buffer));
  }

  close(endCycles?: bigint): void {
    this.flush(endCycles);
    closeSync(this.#file);
    closeSync(this.#index);
  }
}

function targetOf(bytes: number): Target {
  const u8 = new Uint8Array(bytes);
  return { u8, view: new DataView(u8.buffer), at: 0 };
}
