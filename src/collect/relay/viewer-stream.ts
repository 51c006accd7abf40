/** How far one viewer has read one stream: which file, which packet of it, how much metadata. */
import {
  FLAG,
  INDEX_STATUS,
  METADATA_STATUS,
  type NextIndex,
  PACKET_STATUS,
  type PacketRequest,
  SEEK,
  type ViewerStreamInfo,
} from "../../relay/viewer.js";
import type { RelayStream } from "./relay-stream.js";
import type { Segment } from "./segment.js";

/** Larger packets are sent in pieces, as the protocol allows. */
const MAX_REPLY_BYTES = 4 << 20;
const NOTHING = {
  offset: 0n,
  packetBits: 0n,
  contentBits: 0n,
  begin: 0n,
  end: 0n,
  discarded: 0n,
  streamClass: 0n,
};

/** A part of a file that is a reply's data; none: no data. */
export interface FilePart {
  readonly segment: Segment;
  /** Bytes from the file's begin. */
  readonly offset: number;
  readonly length: number;
}

interface DataReply {
  readonly status: number;
  readonly data?: FilePart;
}

export class ViewerStream {
  /** The viewer was told that there is no more. */
  hungUp = false;
  #segment: Segment | undefined;
  #entry = 0;
  #metadataSent = 0;

  constructor(
    readonly stream: RelayStream,
    readonly info: ViewerStreamInfo,
    seek: number,
  ) {
    const { segment } = stream;
    if (segment === undefined || !segment.retain()) return;
    this.#segment = segment;
    if (seek === SEEK.last && !stream.isMetadata) this.#entry = segment.entries;
  }

  /** `rotating`: packets may be moved now. `flags`: what else is new. */
  nextIndex(rotating: boolean, flags: number): NextIndex {
    const answer = (status: number, fields: Partial<NextIndex> = {}): NextIndex => {
      return { ...NOTHING, ...fields, status, flags };
    };
    if (this.stream.isMetadata) return answer(INDEX_STATUS.error);
    const segment = this.#current();
    if (segment !== undefined && this.#entry < segment.entries) {
      if (rotating) return answer(INDEX_STATUS.retry);
      const { offset, packetBits, contentBits, begin, end, discarded, streamClass } = segment.entry(
        this.#entry++,
      );
      return answer(INDEX_STATUS.ok, {
        offset: BigInt(offset),
        packetBits,
        contentBits,
        begin,
        end,
        discarded,
        streamClass,
      });
    }
    const { beacon, closed } = this.stream;
    if (closed) {
      this.hungUp = true;
      return answer(INDEX_STATUS.hup);
    }
    if (beacon !== undefined && !rotating) {
      return answer(INDEX_STATUS.inactive, { end: beacon.end, streamClass: beacon.streamClass });
    }
    return answer(INDEX_STATUS.retry);
  }

  /** The file with the next packet: files that were overwritten or that nobody has open any more are passed over. */
  #current(): Segment | undefined {
    if (this.#segment === undefined) {
      const { segment } = this.stream;
      if (segment?.retain() !== true) return undefined;
      this.#segment = segment;
      this.#entry = 0;
    }
    let segment = this.#segment;
    while ((segment.obsolete || this.#entry >= segment.entries) && segment.next !== undefined) {
      let next: Segment | undefined = segment.next;
      while (next !== undefined && (next.obsolete || !next.retain())) next = next.next;
      if (next === undefined) return segment;
      segment.release();
      this.#segment = next;
      this.#entry = 0;
      segment = next;
    }
    return segment;
  }

  /** Bytes of the file that the last index was of. */
  packet({ offset, length }: PacketRequest): DataReply {
    const segment = this.#segment;
    const end = offset + BigInt(length);
    if (segment === undefined || this.stream.isMetadata || end > BigInt(segment.bytes)) {
      return { status: PACKET_STATUS.error };
    }
    const data = { segment, offset: Number(offset), length: Math.min(length, MAX_REPLY_BYTES) };
    return { status: PACKET_STATUS.ok, data };
  }

  get hasNewMetadata(): boolean {
    return this.stream.isMetadata && this.stream.metadataBytes > this.#metadataSent;
  }

  /** What is new of it. A new file after a rotation begins with all that was in the former one. */
  metadata(): DataReply {
    const { stream } = this;
    if (!stream.isMetadata) return { status: METADATA_STATUS.error };
    const { segment } = stream;
    const isOther = segment !== undefined && segment !== this.#segment && segment.retain();
    if (isOther) {
      this.#segment?.release();
      this.#segment = segment;
    }
    const current = this.#segment;
    if (current === undefined || current.bytes <= this.#metadataSent) {
      return { status: METADATA_STATUS.noNew };
    }
    const offset = this.#metadataSent;
    const data = { segment: current, offset, length: current.bytes - offset };
    this.#metadataSent = current.bytes;
    return { status: METADATA_STATUS.ok, data };
  }

  release(): void {
    this.#segment?.release();
    this.#segment = undefined;
  }
}

/** Flags of a reply. */
export function flagsOf(newMetadata: boolean, newStream: boolean): number {
  return (newMetadata ? FLAG.newMetadata : 0) | (newStream ? FLAG.newStream : 0);
}
