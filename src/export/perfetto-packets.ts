/** Perfetto's packets on their way to a file: numbers of fields as published, sequences, and what begins a packet. */
import { ProtoWriter } from "./protobuf.js";
import type { FileSink } from "./text-sink.js";

const TRACE = { packet: 1 };

/** `trace_packet.proto` */
export const PACKET = {
  ftrace: 1,
  processTree: 2,
  clocks: 6,
  timestamp: 8,
  sequence: 10,
  trackEvent: 11,
  interned: 12,
  sequenceFlags: 13,
  system: 45,
  defaults: 59,
  track: 60,
  firstOfSequence: 87,
};

/** SEQ_INCREMENTAL_STATE_CLEARED, SEQ_NEEDS_INCREMENTAL_STATE. */
export const STATE = { cleared: 1, needed: 2 };
/** Tracks have the sequences from `tracks` on. */
export const SEQUENCE = { global: 1, ftrace: 2, tracks: 3 };

const PIECE = 1 << 18;

export class PerfettoPackets {
  readonly out = new ProtoWriter();
  /** Packets so far. */
  count = 0;

  constructor(private readonly sink: FileSink) {}

  /** Begins a packet; `end` wants what this answers. */
  begin(sequence: number, flags = 0): number {
    const { out } = this;
    const at = this.bare();
    out.integer(PACKET.sequence, sequence);
    if (flags !== 0) out.integer(PACKET.sequenceFlags, flags);
    return at;
  }

  /** The same without anything in it. */
  bare(): number {
    this.count++;
    return this.out.begin(TRACE.packet);
  }

  end(packet: number): void {
    this.out.end(packet);
    if (this.out.length >= PIECE) this.flush();
  }

  flush(): void {
    this.sink.bytes(this.out.used());
    this.out.length = 0;
  }
}
