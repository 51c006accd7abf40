/** What a conversion reads: pages of all CPUs and what must be known to understand them, whoever kept them. */
import type { ClockSpec } from "../ctf/write/schema.js";
import type { CpuReader } from "./cpu-reader.js";
import type { TracefsEvent } from "./event-format.js";
import type { Dump, OpenFiles } from "./statedump.js";
import type { KnownThread } from "./threads.js";

export interface Recording {
  /** Of the trace, by the buffer's clock: moments of readers count from here. */
  readonly beginNs: bigint;
  /** Undefined: with the last event record. */
  readonly endNs?: bigint | undefined;
  readonly clock: ClockSpec;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly events: readonly TracefsEvent[];
  /** Per CPU: records that the kernel says were lost. */
  readonly lost?: Readonly<Record<number, number>> | undefined;
  /** State when the recording began. */
  readonly dump?: Dump | undefined;
  /** Threads as they were at the end. */
  readonly laterThreads: readonly KnownThread[];
  /** Descriptors at moments; none where nobody looked. */
  readonly openFiles: readonly OpenFiles[];
  /** Canonical UUID text of the trace; default: a random one. */
  readonly uuid?: string | undefined;
  /** Readers of all CPUs, each at its begin; called once for each reading. */
  open(): CpuReader[];
}
