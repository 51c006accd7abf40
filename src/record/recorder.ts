/** What recording is, whichever tracer does it. */
import type { ConvertedTrace } from "../ftrace/convert.js";

/** A trace that was written. Moments are realtime. */
export type SavedTrace = ConvertedTrace;

export type BackendName = "tracefs" | "lttng";

export interface RecordOptions {
  /** Where the trace goes; it is made. */
  readonly directory: string;
  readonly events: EventSelection;
  /** Memory per CPU. */
  readonly bufferBytes: number;
  /** What the trace calls this machine; undefined: its own name. LTTng always writes the machine's own. */
  readonly hostName?: string | undefined;
  /** Told of what the user should know, one line each. */
  readonly say: (message: string) => void;
}

/** Which events to record, by LTTng's names. */
export interface EventSelection {
  /** Patterns (`*`, `?`); system calls are `syscall_entry_NAME` and `syscall_exit_NAME`. */
  readonly patterns: readonly string[];
  /** Patterns that must each find something. */
  readonly required: readonly string[];
}

/** A recording that is going on. */
export interface Recording {
  readonly backend: BackendName;
  /** Ends it and writes the trace. Call it once. */
  stop(): Promise<SavedTrace>;
  /** Ends it and leaves nothing. */
  abandon(): Promise<void>;
}

/** Records into memory; the newest wins. */
export interface FlightRecorder {
  readonly backend: BackendName;
  /** Stops the buffers at once, synchronously. */
  freeze(): void;
  /**
   * Writes what the buffers hold as a CTF trace below `directory`, and records on as soon as the raw pages are
   * copied. Freezes them first where that was not done.
   */
  save(directory: string): Promise<SavedTrace>;
  /**
   * How many seconds back it could save now (undefined: the tracer does not tell; 0: nothing is recorded), and event
   * records lost so far.
   */
  depth(): { readonly seconds: number | undefined; readonly lost: number };
  close(): Promise<void>;
}

export type FlightOptions = Omit<RecordOptions, "directory">;

export interface Backend {
  readonly name: BackendName;
  record(options: RecordOptions): Promise<Recording>;
  openFlightRecorder(options: FlightOptions): Promise<FlightRecorder>;
}
