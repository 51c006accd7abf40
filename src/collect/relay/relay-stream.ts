/**
 * One stream of a relay session: packets come by the data connection, their index entries by the control connection,
 * in any order. A packet is stored, whole and with its entry, when both are there; the entry is answered only then.
 */
import { join } from "node:path";
import type { AddStream, PacketIndexEntry } from "../../relay/control.js";
import { ProtocolError } from "../../relay/wire.js";
import type { Chunk } from "./chunk.js";
import type { PacketBuffer } from "./packet-buffer.js";
import { Segment, type SegmentOptions } from "./segment.js";

/** Halves of packets that wait for the other one; the original client has one or two. */
const MAX_PENDING = 16;
/** "No packet": 2^64-1 as a signed number. */
const NONE = -1n;

interface Half {
  data?: PacketBuffer;
  paddingBytes: number;
  index?: PacketIndexEntry;
}

interface Rotation {
  readonly chunk: Chunk | undefined;
  readonly position: bigint;
}

/** What happens to a stream, for who watches over it. */
export interface StreamEvents {
  stored(stream: RelayStream, bytes: number, discarded: bigint): void;
  closed(stream: RelayStream): void;
}

export class RelayStream {
  readonly isMetadata: boolean;
  /** First file that viewers read, then `next`. */
  segment: Segment | undefined;
  /** Clock value before which no further event record is, if the tracer said so after its last packet. */
  beacon: { readonly end: bigint; readonly streamClass: bigint } | undefined;
  published = false;
  closed = false;
  /** Bytes of metadata that came (metadata streams only). */
  metadataBytes = 0;
  #chunk: Chunk | undefined;
  #rotation: Rotation | undefined;
  #fileNumber = 0;
  readonly #halves = new Map<bigint, Half>();
  /** Of the last packet that is stored, and of the last whose data came. */
  #stored = NONE;
  #packetSequence: bigint | undefined;
  /** The last packet that will come. */
  #last: bigint | undefined;
  #discarded = 0n;
  readonly #segments: Segment[] = [];

  /** Makes its file at once. Throws what the file system throws. */
  constructor(
    readonly handle: bigint,
    private readonly spec: AddStream,
    chunk: Chunk,
    private readonly files: SegmentOptions,
    private readonly events: StreamEvents,
  ) {
    this.isMetadata = spec.channel === "metadata";
    this.#chunk = chunk;
    chunk.hold(this);
    try {
      this.#openSegment();
    } catch (error) {
      chunk.drop(this);
      throw error;
    }
  }

  get channel(): string {
    return this.spec.channel;
  }

  /** Directory of its files, relative to the chunk. */
  get path(): string {
    return this.spec.path;
  }

  /** Sequence number of the last packet on disk; -1: none yet. */
  get storedSequence(): bigint {
    return this.#stored;
  }

  get rotating(): boolean {
    return this.#rotation !== undefined;
  }

  get hasChunk(): boolean {
    return this.#chunk !== undefined;
  }

  /** Does data or an index entry wait for its other half? */
  get pending(): boolean {
    return this.#halves.size > 0;
  }

  #openSegment(): void {
    const { fileBytes, channel, path } = this.spec;
    const name = fileBytes > 0n ? `${channel}_${this.#fileNumber}` : channel;
    const options: SegmentOptions = this.isMetadata
      ? { ...this.files, indexKind: "none", isMetadata: true }
      : this.files;
    const segment = new Segment(join(this.#chunk!.directory, path, name), options);
    if (this.segment !== undefined) {
      this.segment.dropComing();
      this.segment.next = segment;
      this.segment.release();
    }
    this.segment = segment;
    this.#segments.push(segment);
    // Of files that are kept forever, nobody needs to know which came before.
    const kept = Number(this.spec.fileCount) || 1;
    while (this.#segments.length > kept) {
      const old = this.#segments.shift()!;
      if (this.spec.fileCount > 0n) old.obsolete = true;
    }
  }

  /** The data half came; throws `ProtocolError` for packets that cannot be. */
  checkData(sequence: bigint): void {
    if (this.closed) throw new ProtocolError(`stream ${this.handle}: packet ${sequence} after its end`);
    if (this.#chunk === undefined && this.#rotation === undefined) {
      throw new ProtocolError(`stream ${this.handle}: packet ${sequence}, but the stream is in no chunk`);
    }
    if (this.#halves.get(sequence)?.data !== undefined || this.#halves.size > MAX_PENDING) {
      throw new ProtocolError(`stream ${this.handle}: packet ${sequence} came before, or none is indexed`);
    }
  }

  takeData(sequence: bigint, data: PacketBuffer, paddingBytes: number): void {
    const half = this.#half(sequence);
    half.data = data;
    half.paddingBytes = paddingBytes;
  }

  /** Writes the begin of a packet, of which `bytes` will come, if it is clear where it will lie. */
  storeComing(data: PacketBuffer, bytes: number): void {
    if (this.pending || this.#chunk === undefined || this.#rotation !== undefined) return;
    if (!this.#needsNextFile(bytes)) this.segment?.appendComing(data);
  }

  /** A packet that was stored in part will not come. */
  dropComing(data: PacketBuffer): void {
    if (!this.closed) this.segment?.dropComing(data);
  }

  /** Throws `ProtocolError` for an entry that came before. */
  takeIndex(entry: PacketIndexEntry): void {
    if (entry.packetBits === 0n) {
      if (!this.pending) this.beacon = { end: entry.end, streamClass: entry.streamClass };
      return;
    }
    this.beacon = undefined;
    if (this.#halves.get(entry.sequence)?.index !== undefined || entry.sequence <= this.#stored) {
      throw new ProtocolError(`stream ${this.handle}: index of packet ${entry.sequence} came before`);
    }
    if (this.#halves.size > MAX_PENDING)
      throw new ProtocolError(`stream ${this.handle}: no data for indexes`);
    this.#half(entry.sequence).index = entry;
  }

  #half(sequence: bigint): Half {
    let half = this.#halves.get(sequence);
    if (half === undefined) {
      half = { paddingBytes: 0 };
      this.#halves.set(sequence, half);
    }
    return half;
  }

  /**
   * Stores what is complete, in order. Throws what the file system throws (a full disk): nothing is lost then, and
   * it may be called again.
   */
  store(): void {
    for (const [sequence, half] of this.#halves) {
      const { data, index } = half;
      if (data === undefined || (index === undefined && this.files.indexKind !== "none")) return;
      if (index !== undefined && index.packetBits !== BigInt(data.bytes + half.paddingBytes) * 8n) {
        throw new ProtocolError(
          `stream ${this.handle}: packet ${sequence} has ${data.bytes + half.paddingBytes} bytes, its index says ${index.packetBits / 8n}`,
        );
      }
      const position = index?.packetSequence;
      if (this.#rotation !== undefined && position !== undefined && position >= this.#rotation.position) {
        this.#switchChunk();
      }
      if (this.#chunk === undefined) {
        throw new ProtocolError(`stream ${this.handle}: packet ${sequence}, but the stream is in no chunk`);
      }
      const bytes = data.bytes;
      this.#nextFile(bytes);
      this.segment!.append(data, half.paddingBytes, index);
      this.#halves.delete(sequence);
      data.release();
      this.#stored = sequence;
      this.#packetSequence = position ?? this.#packetSequence;
      const lost = index === undefined ? 0n : index.discarded - this.#discarded;
      if (index !== undefined) this.#discarded = index.discarded;
      this.events.stored(this, bytes, lost > 0n ? lost : 0n);
    }
    this.#rotateIfPast();
    this.#closeIfComplete();
  }

  #needsNextFile(bytes: number): boolean {
    const { fileBytes } = this.spec;
    const used = this.segment?.bytes ?? 0;
    return fileBytes > 0n && used > 0 && BigInt(used + bytes) > fileBytes;
  }

  /** The next of the files in turn, where their size is limited. */
  #nextFile(bytes: number): void {
    if (!this.#needsNextFile(bytes)) return;
    const { fileCount } = this.spec;
    this.#fileNumber = fileCount > 0n ? (this.#fileNumber + 1) % Number(fileCount) : this.#fileNumber + 1;
    this.#openSegment();
  }

  /** Metadata is not answered: it is stored as it comes. */
  appendMetadata(metadata: PacketBuffer, paddingBytes: number): void {
    if (this.#chunk === undefined) throw new ProtocolError(`stream ${this.handle}: metadata, but no chunk`);
    this.segment!.append(metadata, paddingBytes, undefined);
    this.metadataBytes = this.segment!.bytes;
    this.events.stored(this, metadata.bytes, 0n);
  }

  resetMetadata(): void {
    this.segment?.clear();
    this.metadataBytes = 0;
  }

  /** Packets from `position` (the tracer's own number) on belong to `chunk`; metadata switches at once. */
  rotate(chunk: Chunk | undefined, position: bigint): void {
    if (this.#rotation !== undefined) throw new ProtocolError(`stream ${this.handle}: is rotating already`);
    chunk?.hold(this);
    this.#rotation = { chunk, position };
    if (this.isMetadata) this.#switchChunk();
    else this.#rotateIfPast();
  }

  #rotateIfPast(): void {
    if (this.#rotation === undefined || this.isMetadata) return;
    const { position } = this.#rotation;
    const next = this.#packetSequence === undefined ? 0n : this.#packetSequence + 1n;
    if (next < position) return;
    const old = this.segment;
    // Packets of the new chunk may be in the old one: the two commands come by different threads of the peer.
    let first = old?.entries ?? 0;
    while (first > 0 && (old!.entry(first - 1).packetSequence ?? 0n) >= position) first--;
    const late = old !== undefined && first < old.entries;
    old?.retain();
    this.#switchChunk();
    if (late && this.segment !== undefined) old.moveTail(first, this.segment);
    old?.release();
  }

  #switchChunk(): void {
    const { chunk } = this.#rotation!;
    const old = this.#chunk;
    this.segment?.dropComing();
    this.#rotation = undefined;
    this.#chunk = chunk;
    this.#fileNumber = 0;
    if (chunk !== undefined) this.#openSegment();
    else if (this.isMetadata) this.metadataBytes = 0;
    old?.drop(this);
  }

  /** `last`: sequence number of the last packet; -1: none, or it is not known (metadata). */
  close(last: bigint): void {
    this.#last = last;
    this.#closeIfComplete();
  }

  #closeIfComplete(): void {
    if (this.#last !== undefined && this.#stored >= this.#last) this.#end();
  }

  /** Was a packet announced, by its index or as the stream's last, whose data is not here? */
  get awaitsData(): boolean {
    return !this.closed && (this.pending || (this.#last !== undefined && this.#stored < this.#last));
  }

  /** The peer is gone: halves have no other half any more. */
  abandon(): void {
    this.#end();
  }

  #end(): void {
    if (this.closed) return;
    this.closed = true;
    for (const { data } of this.#halves.values()) data?.release();
    this.#halves.clear();
    this.segment?.dropComing();
    this.segment?.release();
    this.#chunk?.drop(this);
    this.#rotation?.chunk?.drop(this);
    this.#rotation = undefined;
    this.events.closed(this);
  }
}
