/**
 * Where event records come from: the one interface between readers and everything that listens.
 *
 * A source is opened, describes itself, takes subscriptions ("these event names, these fields"), and then
 * runs once, calling handlers in time order across all its streams. The record that a handler gets is one
 * object per subscription, reused for every event record: handlers read what they need and keep nothing.
 *
 * Time on the hot path is a `number`: nanoseconds since `SourceInfo.originNs`, exact for 104 days around
 * it. Exact epoch nanoseconds are `originNs + BigInt(record.ns)`.
 */

/** How a field is handed to a handler. */
export type FieldKind =
  /** A JavaScript number; 64-bit values beyond 2^53 are rounded. Absent: `NaN`. */
  | "number"
  /**
   * A 64-bit address as an exact identity: the value as a signed integer, which is exact for kernel
   * addresses that are multiples of 8. Absent: `NaN`.
   */
  | "address"
  /** An interned string (enumerations: the first label, or ""). Absent: `""`. */
  | "string"
  /** Any value as plain data: numbers, bigint where a number is not exact, strings, arrays, objects. Absent: `undefined`. */
  | "value";

/**
 * What values a field has: integers that a `number` holds exactly, longer integers, integers with labels, and so
 * on. `other`: arrays, structures and blobs; `unknown`: that depends on the event record (variants, optional fields).
 */
export type FieldType =
  | "integer"
  | "long"
  | "enumeration"
  | "boolean"
  | "real"
  | "string"
  | "other"
  | "unknown";

export interface FieldRequest {
  /**
   * Name of the field, or names in order of preference (tracer versions differ). Dots go into structures:
   * `"header.len"`. A plain name is looked up in the payload, then the event's specific context, then the
   * common context, then the packet context. The prefixes `payload:`, `specific:`, `common:`,
   * `context:` (specific, then common) and `packet:` restrict it; a prefix alone means the whole scope.
   */
  readonly from: string | readonly string[];
  readonly kind: FieldKind;
}

/** Fields of a record by the property name under which the handler finds them. */
export type FieldRequests = Readonly<Record<string, FieldRequest>>;

/** What every record has. */
export interface EventRecord {
  /** Nanoseconds since the source's origin. */
  ns: number;
  /** CPU number from the packet context (`cpu_id`), or -1. */
  cpu: number;
  /** Index of the host in `SourceInfo.hosts`. */
  host: number;
  /** The event's description. */
  event: EventInfo;
  /** Index of the data stream in `SourceInfo.streams`. */
  stream: number;
}

type ValueOfKind<K extends FieldKind> = K extends "number" | "address"
  ? number
  : K extends "string"
    ? string
    : unknown;

export type RecordOf<F extends FieldRequests> = EventRecord & { [P in keyof F]: ValueOfKind<F[P]["kind"]> };

/** One event record class of one trace. */
export interface EventInfo {
  readonly name: string;
  /** Index of the trace in `SourceInfo.traces`. */
  readonly trace: number;
  /** Top-level field names of the payload. */
  readonly fields: readonly string[];
  /** Top-level field names of the specific and common contexts. */
  readonly contextFields: readonly string[];
}

export interface HostInfo {
  readonly name: string;
}

export interface TraceInfo {
  readonly path: string;
  readonly host: number;
  /** `kernel`, `ust`, or "" when the trace does not say. */
  readonly domain: string;
  readonly environment: ReadonlyMap<string, string | bigint>;
}

export interface StreamInfo {
  readonly trace: number;
  readonly path: string;
  /**
   * `ns` from which on all event records of the stream are there (as far as none are told to be discarded):
   * `-Infinity`, unless packets from before its first one were overwritten or are in another trace.
   */
  readonly completeSinceNs: number;
}

export interface SourceInfo {
  /** Epoch nanoseconds (or nanoseconds since the clock's own origin) of `ns` 0. */
  readonly originNs: bigint;
  readonly hosts: readonly HostInfo[];
  readonly traces: readonly TraceInfo[];
  readonly streams: readonly StreamInfo[];
  /** All event record classes that may occur. */
  readonly events: readonly EventInfo[];
  /**
   * The type of what `from` (as in a `FieldRequest`) finds in an event record class; undefined: it has no such
   * field. Sources that do not know types lack this.
   */
  readonly fieldType?: (event: EventInfo, from: string) => FieldType | undefined;
  /** First and last known moment, `ns` since the origin; NaN without packets. */
  readonly beginNs: number;
  readonly endNs: number;
}

/** Event records or packets that the tracer dropped, placed in time. */
export interface DiscardedInfo {
  readonly what: "events" | "packets";
  /** NaN when it is not known how many. */
  readonly count: number;
  /** `ns` since the origin; NaN when not known. */
  readonly beginNs: number;
  readonly endNs: number;
  readonly stream: number;
}

export interface Subscription<F extends FieldRequests = FieldRequests> {
  /** Which events, asked once per event record class (never per event record). */
  readonly matches: (event: EventInfo) => boolean;
  readonly fields: F;
  /** Called for each event record in time order; subscriptions of one event in order of subscription. */
  readonly handle: (record: RecordOf<F>) => void;
}

export interface RunOptions {
  /** Only event records with begin <= ns <= end (both `ns` since the origin). */
  readonly beginNs?: number;
  readonly endNs?: number;
  /** Told about lost event records and packets, in time order with the records around them. */
  readonly onDiscarded?: (info: DiscardedInfo) => void;
  /** Called now and then with what is done: bytes of `totalBytes`, and event records so far. */
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

export interface RunResult {
  /** Event records seen in the range, delivered or not. */
  readonly eventRecords: number;
  /** `ns` of the first and the last of them; NaN if there was none. */
  readonly firstNs: number;
  readonly lastNs: number;
  /** The last of each host. */
  readonly hostLastNs: readonly number[];
  /** Packets that could not be decoded (wholly): one message each. */
  readonly problems: readonly string[];
}

/** A run that stops where its caller wants, without cost per event record. */
export interface EventRun {
  /** `ns` of the next event record, subscribed to or not; NaN when there is none (in the range). */
  readonly nextNs: number;
  /** Event records handled so far, subscribed to or not. */
  readonly eventRecords: number;
  /** Handles all event records before `limitNs`. */
  until(limitNs: number): void;
  /** Ends the run, also before all is read. */
  end(): RunResult;
}

export interface EventSource {
  readonly info: SourceInfo;
  subscribe<F extends FieldRequests>(subscription: Subscription<F>): void;
  /** Reads everything once. Handlers and errors are synchronous. */
  run(options?: RunOptions): RunResult;
  /** The same, step by step. A source runs once, this way or that. */
  start(options?: RunOptions): EventRun;
}
