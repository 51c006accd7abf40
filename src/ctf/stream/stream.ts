/**
 * A data stream: packets of one stream class and instance, in order, in one or more files.
 */
import type { ClockClass, DataStreamClass, TraceClass } from "../metadata/types.js";
import type { PacketIndex } from "./packet-index.js";

/** A part of a stream that could not be read. */
export interface Problem {
  readonly file: string;
  readonly byteOffset: number;
  readonly reason: string;
}

export interface Trace {
  /** Directories; the first is the trace's name to people. */
  readonly paths: readonly string[];
  /** babeltrace2's name of it: host name and, if the trace was found below the given path, that path. */
  readonly name: string;
  readonly class: TraceClass;
  readonly streams: DataStream[];
  /** Packets and files that could not be used. */
  readonly problems: Problem[];
  /** Packets found twice (the same packet in two directories). */
  duplicatePackets: number;
  /** Bytes: every alignment in the trace divides it (windows of a packet begin at multiples of it). */
  readonly windowStep: number;
}

export interface StreamFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export interface DataStream {
  readonly trace: Trace;
  readonly class: DataStreamClass;
  /** `stream_instance_id`, if packets carry one. */
  readonly instance: bigint | undefined;
  /** Which stream of its class it is, in the order of file names: babeltrace2's id of streams without one. */
  readonly ordinal: number;
  readonly files: readonly StreamFile[];
  readonly packets: PacketIndex;
  readonly clock: ClockClass | undefined;
  /** The clock's value (cycles) at the stream's origin, and the origin itself (seconds, Unix epoch). */
  readonly originCycles: bigint;
  readonly originSeconds: bigint;
}
