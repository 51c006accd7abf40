/**
 * Reading of a packet's header and context: which stream it belongs to, how long it is, when it was.
 */

import { Interpreter, type RawValue } from "../decode/interpreter.js";
import type { DecodeState } from "../decode/state.js";
import { FAULT, MORE } from "../decode/state.js";
import type {
  DataStreamClass,
  FixedIntClass,
  StructClass,
  TraceClass,
  VarIntClass,
} from "../metadata/types.js";

export interface PacketHeader {
  stream: DataStreamClass;
  /** `stream_instance_id`, if the header has one. */
  instance: bigint | undefined;
  /** Bits, as far as given: see `sizes` for the rules. */
  totalBits: number | undefined;
  contentBits: number | undefined;
  begin: bigint | undefined;
  end: bigint | undefined;
  discarded: bigint | undefined;
  /** Bits of the counter of discarded event records, and of the sequence number: where they wrap. */
  discardedSize: number;
  sequence: bigint | undefined;
  sequenceSize: number;
  /** Bit (from the packet's start) where event records begin. */
  headerBits: number;
  /** The packet context's fields. */
  context: readonly RawValue[] | undefined;
}

export const packetMagic = 0xc1fc1fc1;

/** Why a packet's header cannot be used; `at` is the bit of the packet. */
export interface HeaderFault {
  readonly at: number;
  readonly reason: string;
}

/**
 * Reads header and context of a packet that starts at bit 0 of `state`'s window.
 * Answers `MORE` if the window ends before they do.
 */
export function readPacketHeader(
  trace: TraceClass,
  state: DecodeState,
): PacketHeader | HeaderFault | typeof MORE {
  const header: PacketHeader = {
    stream: undefined as never,
    instance: undefined,
    totalBits: undefined,
    contentBits: undefined,
    begin: undefined,
    end: undefined,
    discarded: undefined,
    discardedSize: 64,
    sequence: undefined,
    sequenceSize: 64,
    headerBits: 0,
    context: undefined,
  };
  let streamId = 0n;
  let wrong: HeaderFault | undefined;
  const interpreter = new Interpreter(state);
  interpreter.onInt = (fc: FixedIntClass | VarIntClass, lo, hi, size) => {
    if (fc.roles.length === 0) return;
    const value = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    for (const role of fc.roles) {
      switch (role) {
        case "packet-magic-number":
          if (value !== BigInt(packetMagic)) {
            wrong ??= {
              at: interpreter.at - size,
              reason: `packet magic number 0x${value.toString(16)}, expected 0xc1fc1fc1`,
            };
          }
          break;
        case "data-stream-class-id":
          streamId = value;
          break;
        case "data-stream-id":
          header.instance = value;
          break;
        case "packet-total-length":
          header.totalBits = Number(value);
          break;
        case "packet-content-length":
          header.contentBits = Number(value);
          break;
        case "default-clock-timestamp":
          header.begin = value;
          break;
        case "packet-end-default-clock-timestamp":
          header.end = value;
          break;
        case "discarded-event-record-counter-snapshot":
          header.discarded = value;
          header.discardedSize = size;
          break;
        case "packet-sequence-number":
          header.sequence = value;
          header.sequenceSize = size;
          break;
      }
    }
  };
  const read = (tree: StructClass, at: number): number =>
    interpreter.read(tree, at, (raw) => {
      // A UUID other than the metadata's is let pass, as babeltrace2 does.
      if (tree === header.stream?.packetContext) header.context = raw as readonly RawValue[];
    });
  let at = 0;
  state.slots.fill(Number.NEGATIVE_INFINITY);
  if (trace.packetHeader) {
    at = read(trace.packetHeader, at);
    if (wrong) return wrong;
    if (at === MORE) return MORE;
    if (at === FAULT) return state.fault!;
  }
  const stream = trace.dataStreamClasses.get(Number(streamId));
  if (!stream) {
    const known = [...trace.dataStreamClasses.keys()];
    if (known.length === 0) return { at: 0, reason: "the metadata has no data stream class" };
    return { at: 0, reason: `data stream class id ${streamId}, expected ${known.slice(0, 8).join(" or ")}` };
  }
  header.stream = stream;
  if (stream.packetContext) {
    at = read(stream.packetContext, at);
    if (at === MORE) return MORE;
    if (at === FAULT) return state.fault!;
  }
  header.headerBits = at;
  return header;
}

/**
 * Sizes of a packet by CTF's rules, within `available` bytes of the file: without a total size, the content's
 * size; without both, the packet is the rest of the file.
 */
export function packetSizes(
  header: PacketHeader,
  available: number,
): { totalBytes: number; contentBits: number } | HeaderFault {
  const total = header.totalBits ?? header.contentBits;
  if (total === undefined) return { totalBytes: available, contentBits: available * 8 };
  const content = header.contentBits ?? total;
  if (header.totalBits !== undefined && total % 8 !== 0) {
    return { at: 0, reason: `packet size of ${total} bits, expected a multiple of 8` };
  }
  if (content > total) {
    return { at: 0, reason: `packet content of ${content} bits, expected at most the packet's ${total}` };
  }
  if (content < header.headerBits) {
    return {
      at: 0,
      reason: `packet content of ${content} bits, expected at least the ${header.headerBits} of its header`,
    };
  }
  return { totalBytes: Math.ceil(total / 8), contentBits: content };
}
