/**
 * A data stream: packets of one stream class and instance, in order, in one or more files.
 */
import type { ClockClass, DataStreamClass } from "../metadata/types.js";
import type { Trace } from "../trace/trace.js";
import type { PacketIndex } from "./packet-index.js";

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
  readonly files: readonly StreamFile[];
  readonly packets: PacketIndex;
  readonly clock: ClockClass | undefined;
  /** The clock's value (cycles) at the stream's origin, and the origin itself (seconds, Unix epoch). */
  readonly originCycles: bigint;
  readonly originSeconds: bigint;
}
