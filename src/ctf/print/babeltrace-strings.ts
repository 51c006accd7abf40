/**
 * Which text babeltrace2 2.0.4 prints for an empty string.
 *
 * Its string fields are emptied by setting their length to 0 while the text stays in the buffer, and its text
 * sink prints the buffer: an empty string field shows what the same field object held before. Event objects are
 * recycled, so that depends on which object an event record gets. People compare our text with babeltrace2's;
 * to be equal, we keep the same books:
 *
 * - every event record class has a pool of objects, last in, first out;
 * - each stream's iterator decodes (takes objects for) up to 15 messages at a time, when its queue is empty;
 * - the muxer fills batches of 15 messages, in order of time; before each it refills all empty queues;
 * - the sink prints a batch, giving each event's object back as it goes.
 *
 * Messages are: stream beginning; per packet losses, packet beginning, event records, packet end; stream end.
 * Guarded by the comparison with babeltrace2 on all traces (test/peers/print.test.ts).
 */
import type { ByteWriter } from "../../base/byte-writer.js";
import { headerDecoder, skipDecoder } from "../decode/decoders.js";
import type { Experiment } from "../experiment.js";
import type { EventRecordClass } from "../metadata/types.js";
import type { DataStreamReader } from "../stream/reader.js";
import { writeQuoted, writeQuotedAndKeep, writeQuotedUntilNull } from "./quote.js";

/** babeltrace2's MSG_BATCH_SIZE. */
const batchSize = 15;

/** The text that a string field of an event object holds. */
interface HeldText {
  bytes: Uint8Array;
  length: number;
}

/** An event object: what its string fields hold. */
export class EventObject {
  /** Text fields of 16 bytes as four words each: process names, which nearly every record has. */
  readonly words = new Int32Array(4 * shortTexts);
  /** By the number of the field in its event record class. */
  readonly texts: HeldText[] = [];
  /** Elements of arrays (and everything, for the interpreter) by a key of their place. */
  readonly places = new Map<number | string, HeldText>();
}

/** Text fields of 16 bytes per event record class that are kept as words. */
export const shortTexts = 16;

const newText = (): HeldText => ({ bytes: new Uint8Array(32), length: 0 });

/** The messages that one stream's iterator has ready, and where the stream goes on. */
class StreamMessages {
  /** Times; NaN: none, the message goes at once. */
  readonly ns = new Float64Array(batchSize);
  /** Objects of event records; undefined for other messages. */
  readonly objects: (EventObject | undefined)[] = new Array(batchSize).fill(undefined);
  readonly pools: (EventObject[] | undefined)[] = new Array(batchSize).fill(undefined);
  head = 0;
  count = 0;
  ended = false;
  #started = false;
  #more = true;
  #packet = -1;
  /** Times of messages that are not event records and come next. */
  readonly #waiting: number[] = [Number.NaN];

  constructor(
    private readonly experiment: Experiment,
    readonly reader: DataStreamReader,
  ) {}

  addEvent(pool: EventObject[]): void {
    this.ns[this.count] = this.reader.ns;
    this.pools[this.count] = pool;
    this.objects[this.count++] = pool.pop() ?? new EventObject();
  }

  /** Refills the queue: up to 15 messages, or as many as there are. */
  refill(): void {
    this.head = 0;
    this.count = 0;
    while (this.count < batchSize) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.ns[this.count] = next;
        this.objects[this.count] = undefined;
        this.pools[this.count++] = undefined;
      } else if (!this.#more) break;
      else if (!this.#started) {
        this.#started = true;
        this.#more = this.reader.start();
        this.#packetsTo(this.#more ? this.reader.packet : this.reader.stream.packets.count);
      } else {
        this.#more = this.reader.consume(Number.POSITIVE_INFINITY, batchSize - this.count);
        const packet = this.#more ? this.reader.packet : this.reader.stream.packets.count;
        if (packet !== this.#packet) this.#packetsTo(packet);
      }
    }
    if (this.count === 0) this.ended = true;
  }

  /** The current packet ends, and others begin (and end, if they have no event records) up to `packet`. */
  #packetsTo(packet: number): void {
    const { reader, experiment } = this;
    const { stream } = reader;
    const { packets } = stream;
    const waiting = this.#waiting;
    if (this.#packet >= 0) waiting.push(experiment.toNs(stream, packets.end[this.#packet]!));
    for (let i = this.#packet + 1; i <= packet && i < packets.count; i++) {
      if (i === packet || packet === packets.count) {
        for (const what of ["events", "packets"]) {
          for (const lost of reader.discarded) {
            if (lost.what === what) waiting.push(experiment.toNs(stream, lost.begin));
          }
        }
        reader.discarded.length = 0;
      }
      waiting.push(experiment.toNs(stream, packets.begin[i]!));
      if (i !== packet) waiting.push(experiment.toNs(stream, packets.end[i]!));
    }
    // The stream's end.
    if (packet === packets.count) waiting.push(Number.NaN);
    this.#packet = packet;
  }
}

export class RecycledStrings {
  /** Empty strings that were printed with an older text. */
  shown = 0;
  readonly #streams: StreamMessages[];
  readonly #pools = new Map<EventRecordClass, EventObject[]>();
  #last = Number.NEGATIVE_INFINITY;
  /** Objects of the event records of the current batch, in the order of printing. */
  readonly #batch: EventObject[] = Array.from({ length: batchSize }, () => new EventObject());
  readonly #batchPools: EventObject[][] = Array.from({ length: batchSize }, () => []);
  #count = 0;
  #at = 0;

  constructor(experiment: Experiment) {
    const owners = new Map<DataStreamReader, StreamMessages>();
    const { readers } = experiment.readers((stream) => ({
      header: headerDecoder(stream.class, experiment.generate),
      skipper: (event) => skipDecoder(stream.class, event, experiment.generate),
      decoder: (event) => {
        const skip = skipDecoder(stream.class, event, experiment.generate);
        const pool: EventObject[] = [];
        this.#pools.set(event, pool);
        return (state, at) => {
          const answer = skip(state, at);
          if (answer >= 0) owners.get(state as DataStreamReader)!.addEvent(pool);
          return answer;
        };
      },
    }));
    this.#streams = readers.map((reader) => {
      const messages = new StreamMessages(experiment, reader);
      owners.set(reader, messages);
      return messages;
    });
  }

  /** The object of the event record that is printed next. */
  object(): EventObject {
    if (this.#at >= this.#count) this.#nextBatch();
    return this.#batch[this.#at < batchSize ? this.#at : 0]!;
  }

  /** That event record is done. */
  advance(): void {
    this.#at++;
  }

  #nextBatch(): void {
    this.#count = 0;
    this.#at = 0;
    // A batch without event records prints nothing: go on to one that has some.
    while (this.#count === 0 && this.#fillBatch()) {
      for (let i = 0; i < this.#count; i++) this.#batchPools[i]!.push(this.#batch[i]!);
    }
  }

  /** False: all streams have ended. */
  #fillBatch(): boolean {
    const streams = this.#streams;
    for (let n = 0; n < batchSize; n++) {
      let youngest: StreamMessages | undefined;
      let youngestNs = Number.POSITIVE_INFINITY;
      for (let i = 0; i < streams.length; i++) {
        const stream = streams[i]!;
        if (stream.head === stream.count) {
          if (stream.ended) continue;
          stream.refill();
          if (stream.ended) continue;
        }
        const ns = stream.ns[stream.head]!;
        const time = Number.isFinite(ns) ? ns : this.#last;
        if (youngest === undefined || time < youngestNs) {
          youngest = stream;
          youngestNs = time;
        }
      }
      if (youngest === undefined) return n > 0;
      this.#last = youngestNs;
      const object = youngest.objects[youngest.head];
      if (object !== undefined) {
        this.#batch[this.#count] = object;
        this.#batchPools[this.#count++] = youngest.pools[youngest.head]!;
      }
      youngest.head++;
    }
    return true;
  }

  /** Writes string field number `slot` of an object as babeltrace2 does, and keeps its text. */
  write(
    out: ByteWriter,
    at: number,
    object: EventObject,
    slot: number,
    from: Uint8Array,
    start: number,
    length: number,
  ): number {
    const { texts } = object;
    while (texts.length <= slot) texts.push(newText());
    return this.#write(out, at, texts[slot]!, from, start, length);
  }

  /** The same for a string that is found by its place. */
  writePlace(
    out: ByteWriter,
    at: number,
    object: EventObject,
    place: number | string,
    from: Uint8Array,
    start: number,
    length: number,
  ): number {
    let held = object.places.get(place);
    if (held === undefined) {
      held = newText();
      object.places.set(place, held);
    }
    return this.#write(out, at, held, from, start, length);
  }

  /** Writes what the 16-byte text field number `slot` holds; its field is empty. */
  writeHeld16(out: ByteWriter, at: number, object: EventObject, slot: number): number {
    const bytes = new Uint8Array(object.words.buffer, slot * 16, 16);
    if (bytes[0] !== 0) this.shown++;
    return writeQuotedUntilNull(out, at, bytes, 0, 16);
  }

  #write(
    out: ByteWriter,
    at: number,
    held: HeldText,
    from: Uint8Array,
    start: number,
    length: number,
  ): number {
    if (length === 0) {
      if (held.length > 0) this.shown++;
      return writeQuoted(out, at, held.bytes, 0, held.length);
    }
    let { bytes } = held;
    if (bytes.length < length) {
      bytes = new Uint8Array(length * 2);
      held.bytes = bytes;
    }
    held.length = length;
    return writeQuotedAndKeep(out, at, from, start, length, bytes);
  }

  close(): void {
    for (const stream of this.#streams) stream.reader.close();
  }
}
