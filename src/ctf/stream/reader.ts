/**
 * Reads one data stream: packet after packet, event record after event record, through a window of the file.
 *
 * The hot loop (`recordLoop`, made for the trace) costs one call of the event record's decoder per record.
 * Everything rare (the window's end, the packet's end, wrong data) is in the slow path here. Guarded by `npm run bench`.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { StockText } from "../../base/byte-writer.js";
import { LOOP_HEADER, LOOP_LIMIT, LOOP_RECORD, type RecordLoop } from "../decode/decoders.js";
import type { Decoder } from "../decode/state.js";
import { DecodeState, FAULT, MORE } from "../decode/state.js";
import type { EventRecordClass } from "../metadata/types.js";
import { cyclesToNs } from "./clock.js";
import { type PacketHeader, packetSizes, readPacketHeader } from "./packet-header.js";
import type { DataStream, Problem } from "./stream.js";

export type { Problem };

/** Largest event record that is read: bounds memory whatever a packet claims. */
const largestWindow = 1 << 27;

/** Event records or packets lost between two moments (cycles since the stream's origin; NaN: unknown). */
export interface Discarded {
  readonly what: "events" | "packets";
  /** NaN: the tracer may have lost some; it is not known how many. */
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

/** What the reader calls; made by whoever wants the records. */
export interface StreamPlan {
  readonly header: Decoder;
  /** The loop made for the stream class; without it, a general one is used. */
  readonly loop?: RecordLoop;
  /** Decoder of event records of a class; called once per class and stream class, then kept. */
  decoder(event: EventRecordClass): Decoder;
  /** The same, for records before the range. */
  skipper(event: EventRecordClass): Decoder;
  /** Called when a packet begins, before its records. */
  packet?(reader: DataStreamReader, header: PacketHeader): void;
  /** Decoders made so far, by event record class id: shared by the streams of a class. */
  readonly decoders: (Decoder | undefined)[];
  readonly skippers: (Decoder | undefined)[];
  /** Which of these classes nobody wants, as far as it is known. */
  readonly idle: boolean[];
}

export class DataStreamReader extends DecodeState {
  /** Unix seconds of the stream's origin. */
  readonly originSecond: number;
  cpu = -1;
  /** Index among the experiment's streams, and its host's index. */
  index = 0;
  host = 0;
  /** Text shown before the contexts by a printer (set by `StreamPlan.packet`). */
  prefix = new StockText(new Uint8Array(0));
  /** The packet context's fields, by name. */
  packetFields: ReadonlyMap<string, unknown> = new Map();
  records = 0;
  /** See `guarded`: where an event record of no bits was. */
  emptyAt = -1;
  /** `ns` of the first record. */
  firstNs = Number.NaN;
  doneBytes = 0;
  readonly problems: Problem[] = [];
  lostPackets = 0;
  /** Losses found when packets were opened, not yet told. */
  readonly discarded: Discarded[] = [];

  #packet = -1;
  #lastPacket: number;
  #fd = -1;
  #file = -1;
  #windowStart = 0;
  #windowBytes = 0;
  #contentBits = 0;
  #totalBytes = 0;
  #packetOffset = 0;
  #buffer = new Uint8Array(0);
  #skipping = false;
  readonly #hz1e9: boolean;
  readonly #hasClock: boolean;
  /** Bytes that the window's start is a multiple of. */
  readonly #step: number;

  constructor(
    readonly stream: DataStream,
    private readonly plan: StreamPlan,
    private readonly windowSize: number,
    /** Packets to read: `[first, last)`. */
    firstPacket = 0,
    lastPacket = stream.packets.count,
  ) {
    super();
    this.originHi = Number(stream.originCycles >> 32n);
    this.originLo = Number(stream.originCycles & 0xffffffffn);
    this.setClock(0n);
    this.slots = new Array(stream.trace.class.slotCount).fill(Number.NEGATIVE_INFINITY);
    this.originSecond = Number(stream.originSeconds);
    this.#packet = firstPacket - 1;
    this.#lastPacket = lastPacket;
    this.#hasClock = stream.clock !== undefined;
    this.#hz1e9 = stream.clock === undefined || stream.clock.frequency === 1_000_000_000n;
    this.#step = stream.trace.windowStep;
    if (firstPacket > 0) this.#notePriorPacket(firstPacket - 1);
  }

  /** Nanoseconds of the current record since the stream's origin (a whole second). */
  get rel(): number {
    if (!this.#hasClock) return 0;
    return this.#hz1e9 ? this.cycles : cyclesToNs(this.cycles, this.stream.clock!.frequency);
  }

  /** Index of the packet being read. */
  get packet(): number {
    return this.#packet;
  }

  /** Path of the file being read, for messages. */
  get path(): string {
    return this.stream.files[Math.max(0, this.#file)]!.path;
  }

  /** Moves to the first record. False: there is none. */
  start(): boolean {
    const more = this.#nextPacket();
    if (more) this.firstNs = this.ns;
    return more;
  }

  /** Records before the range are passed over with the skipping decoders. */
  set skipping(value: boolean) {
    this.#skipping = value;
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#file = -1;
  }

  /**
   * Handles the current record and those after it while their time is below `limit`, at most `budget`; returns
   * also when a new packet has begun (losses may be to be told). False: the stream has ended. Records that nobody wants
   * are passed over also beyond `limit`, as far as `hard`.
   */
  consume(limit: number, budget: number, hard = limit): boolean {
    const table = this.#skipping ? this.plan.skippers : this.plan.decoders;
    const loop = this.plan.loop ?? plainLoop(this.plan.header);
    let left = budget;
    for (;;) {
      const why = loop(this, table, limit, left, hard, this.plan.idle);
      this.records += this.done;
      left -= this.done;
      if (why === LOOP_LIMIT) return true;
      let at = this.record;
      if (why === LOOP_RECORD) {
        at = this.#slowDecode(this.answer);
        // The packet is lost from here on.
        if (at < 0) return this.#nextPacket();
        this.records++;
        left--;
      }
      const packet = this.#packet;
      if (!this.#slowHeader(at)) return false;
      if (packet !== this.#packet || !(this.ns < limit) || left <= 0) return true;
    }
  }

  // --- slow path ---

  /** The current record's decoder answered `answer` (or does not exist): tries again with more data. */
  #slowDecode(answer: number): number {
    const event = this.stream.class.eventRecordClasses.get(this.id);
    if (!event) {
      const known = this.stream.class.eventRecordClasses.size;
      this.#fault(
        this.record,
        `event record class id ${this.id}, expected one of the ${known} in the metadata`,
      );
      return FAULT;
    }
    const table = this.#skipping ? this.plan.skippers : this.plan.decoders;
    let decode = table[this.id];
    if (decode === undefined) {
      decode = this.#skipping ? this.plan.skipper(event) : this.plan.decoder(event);
      // Ids are the trace's own numbers: a huge one must not make a huge table.
      if (this.id < 1 << 20) table[this.id] = decode;
      answer = decode(this, this.record);
    }
    const cycles = this.cycles;
    const low = this.clockLow;
    while (answer === MORE) {
      if (!this.#refill(this.record)) {
        const what =
          event.name === undefined ? `event record of class ${event.id}` : `event record ${event.name}`;
        this.#fault(this.record, `${what} runs past the end of the packet's content`);
        return FAULT;
      }
      this.record = this.#shifted;
      this.cycles = cycles;
      this.clockLow = low;
      answer = decode(this, this.record);
    }
    if (answer === FAULT) this.#fault(this.fault!.at, this.fault!.reason);
    return answer;
  }

  /** No header could be decoded at `at`: the window's or the packet's end, or wrong data. */
  #slowHeader(at: number): boolean {
    for (;;) {
      if (at + this.#windowStart * 8 >= this.#contentBits) return this.#nextPacket();
      const next = this.plan.header(this, at);
      if (next >= 0) {
        this.record = next;
        this.updateTime();
        return true;
      }
      if (next === MORE && this.#refill(at)) {
        at = this.#shifted;
        continue;
      }
      if (next === MORE) this.#fault(at, "event record header runs past the end of the packet's content");
      else this.#fault(this.fault!.at, this.fault!.reason);
      return this.#nextPacket();
    }
  }

  /** Sets `ns` from the clock. */
  updateTime(): void {
    this.ns = this.#hasClock ? this.rel + this.baseNs : Number.NEGATIVE_INFINITY;
  }

  #fault(at: number, reason: string): void {
    this.problems.push({
      file: this.path,
      byteOffset: this.#packetOffset + this.#windowStart + Math.floor(at / 8),
      reason,
    });
    this.lostPackets++;
  }

  #shifted = 0;

  /**
   * Moves the window so that it begins at (or a little before) bit `at`, with more data behind it than now.
   * `#shifted` is then where `at` is. False: the window already ends with the content.
   */
  #refill(at: number): boolean {
    const have = this.#windowStart + this.#windowBytes;
    const contentBytes = Math.ceil(this.#contentBits / 8);
    if (have >= contentBytes) return false;
    const start = this.#windowStart + Math.floor(at / 8 / this.#step) * this.#step;
    if (start === this.#windowStart) {
      if (this.#buffer.length >= largestWindow) return false;
      this.#resize(Math.min(largestWindow, this.#buffer.length * 2));
    }
    this.#shifted = at - (start - this.#windowStart) * 8;
    return this.#fill(start);
  }

  #resize(size: number): void {
    this.#buffer = new Uint8Array(size);
    this.u8 = this.#buffer;
    this.dv = new DataView(this.#buffer.buffer);
  }

  /** Fills the window from byte `start` of the packet. False: nothing could be read. */
  #fill(start: number): boolean {
    const contentBytes = Math.ceil(this.#contentBits / 8);
    const want = Math.min(this.#buffer.length, contentBytes - start);
    let got = 0;
    while (got < want) {
      const n = readSync(this.#fd, this.#buffer, got, want - got, this.#packetOffset + start + got);
      if (n === 0) break;
      got += n;
    }
    if (got < want) {
      // The file has become shorter since it was indexed.
      this.#contentBits = (start + got) * 8;
    }
    this.#windowStart = start;
    this.#windowBytes = got;
    this.end = Math.min(got * 8, this.#contentBits - start * 8);
    return got > 0;
  }

  #openFile(file: number): void {
    if (file === this.#file) return;
    this.close();
    this.#fd = openSync(this.stream.files[file]!.path, "r");
    this.#file = file;
  }

  /** Goes to the first record of the next packet that has one. */
  #nextPacket(): boolean {
    const { packets } = this.stream;
    if (this.#packet >= 0) this.doneBytes += this.#totalBytes;
    this.#totalBytes = 0;
    while (++this.#packet < this.#lastPacket) {
      const i = this.#packet;
      if (!this.#openPacket(i)) {
        this.doneBytes += packets.totalBytes[i]!;
        continue;
      }
      const at = this.#headerBits;
      if (at < this.#contentBits) return this.#slowHeader(at);
      this.doneBytes += this.#totalBytes;
      this.#totalBytes = 0;
    }
    this.close();
    return false;
  }

  #headerBits = 0;

  #openPacket(i: number): boolean {
    const { packets, trace } = this.stream;
    this.#openFile(packets.file[i]!);
    this.emptyAt = -1;
    this.#packetOffset = packets.offset[i]!;
    this.#totalBytes = packets.totalBytes[i]!;
    this.#contentBits = packets.contentBits[i]!;
    if (this.#buffer.length === 0) {
      let largest = 0;
      for (let k = 0; k < packets.count; k++) largest = Math.max(largest, packets.contentBits[k]!);
      this.#resize(Math.min(this.windowSize, Math.max(4096, Math.ceil(largest / 8))));
    }
    this.#fill(0);
    for (;;) {
      const header = readPacketHeader(trace.class, this);
      if (header === MORE) {
        if (this.#windowBytes * 8 < this.#contentBits && this.#buffer.length < largestWindow) {
          this.#resize(this.#buffer.length * 2);
          this.#fill(0);
          continue;
        }
        this.#fault(0, "packet header and context run past the end of the packet");
        return false;
      }
      if (typeof header === "number") return false;
      if ("reason" in header) {
        this.#fault(header.at, header.reason);
        return false;
      }
      const sizes = packetSizes(header, this.#totalBytes);
      if ("reason" in sizes) {
        this.#fault(sizes.at, sizes.reason);
        return false;
      }
      this.#headerBits = header.headerBits;
      if (header.begin !== undefined) this.setClock(header.begin);
      this.#noteLosses(i, header);
      this.cpu = cpuOf(header);
      this.plan.packet?.(this, header);
      return true;
    }
  }

  // --- losses (C.2 of our CTF notes; babeltrace's rules) ---

  #priorEnd = Number.NaN;
  #priorDiscarded: number | undefined;
  #priorSequence: number | undefined;

  /** Before a range: the packet that came before it counts for losses at its edge, silently. */
  #notePriorPacket(i: number): void {
    const { packets } = this.stream;
    this.#priorEnd = packets.end[i]!;
    if (!Number.isNaN(packets.discarded[i]!)) this.#priorDiscarded = packets.discarded[i]!;
    if (!Number.isNaN(packets.sequence[i]!)) this.#priorSequence = packets.sequence[i]!;
  }

  #noteLosses(i: number, header: PacketHeader): void {
    const { packets } = this.stream;
    const begin = packets.begin[i]!;
    const end = packets.end[i]!;
    if (header.sequence !== undefined) {
      const sequence = Number(header.sequence);
      if (this.#priorSequence !== undefined) {
        const missing = modulo(sequence - this.#priorSequence - 1, header.sequenceSize);
        // A step back is not a loss of almost 2^64 packets.
        if (missing > 0 && missing < 2 ** 48) {
          this.discarded.push({ what: "packets", count: missing, begin: this.#priorEnd, end: begin });
        }
      }
      this.#priorSequence = sequence;
    }
    if (header.discarded !== undefined) {
      const count = Number(header.discarded);
      if (this.#priorDiscarded === undefined) {
        // The tracer's count before this trace's first packet is not known: there may have been losses.
        if (count > 0) this.discarded.push({ what: "events", count: Number.NaN, begin, end });
      } else {
        const lost = modulo(count - this.#priorDiscarded, header.discardedSize);
        if (lost > 0 && lost < 2 ** 48) {
          this.discarded.push({ what: "events", count: lost, begin: this.#priorEnd, end });
        }
      }
      this.#priorDiscarded = count;
    }
    this.#priorEnd = end;
  }
}

/** The loop over records in its general form: any clock, header decoded by a call. */
function plainLoop(header: Decoder): RecordLoop {
  return (state, decoders, limit, budget, hard, idle) => {
    const reader = state as DataStreamReader;
    let done = 0;
    for (;;) {
      const decode = decoders[reader.id];
      const at = decode === undefined ? MORE : decode(reader, reader.record);
      reader.done = done;
      if (at < 0) {
        reader.answer = at;
        return LOOP_RECORD;
      }
      reader.done = ++done;
      const next = at < reader.end ? header(reader, at) : MORE;
      if (next < 0) {
        reader.record = at;
        return LOOP_HEADER;
      }
      reader.record = next;
      reader.updateTime();
      const past = !(reader.ns < limit) && !(reader.ns < hard && idle[reader.id] === true);
      if (past || done >= budget) return LOOP_LIMIT;
    }
  };
}

function modulo(value: number, bits: number): number {
  if (value >= 0) return value;
  return bits >= 53 ? Number(BigInt.asUintN(bits, BigInt(value))) : value + 2 ** bits;
}

function cpuOf(header: PacketHeader): number {
  const context = header.stream.packetContext;
  if (!context || !header.context) return -1;
  const index = context.members.findIndex((member) => member.name === "cpu_id");
  const value = index < 0 ? undefined : header.context[index];
  return typeof value === "number" ? value : -1;
}
