/**
 * The library: open traces, walk through their event records.
 *
 * Two ways. `events()` gives one plain object after the other, for scripts. `subscribe()` and `run()` call
 * back with a reused record and decode nothing but what was asked for, for analyses of millions of records.
 */

import { PeriscopeError, UsageError } from "../base/errors.js";
import { globToRegExp } from "../base/glob.js";
import { type ExperimentSummary, summarize } from "../ctf/summary.js";
import { type CtfSource, type CtfSourceOptions, openSource } from "../sources/ctf.js";
import type {
  EventInfo,
  EventRecord,
  FieldRequests,
  RunOptions,
  RunResult,
  SourceInfo,
  Subscription,
} from "../sources/source.js";
import { type Moment, momentNs } from "./moment.js";

/** A decoded value: number (bigint where a number would not be exact), string, boolean, array, object, bytes. */
export type FieldValue =
  | number
  | bigint
  | string
  | boolean
  | Uint8Array
  | undefined
  | FieldValue[]
  | { [name: string]: FieldValue };

export interface EventQuery<F extends string = string> {
  /** Event names or patterns (`sched_*`); default all. */
  readonly names?: string | readonly string[];
  /**
   * Names of the fields wanted, looked up in payload, then contexts, then packet context; `a.b` goes into
   * structures. Nothing else is decoded. Default: everything.
   */
  readonly fields?: readonly F[];
  /** Only event records at or after `begin` and at or before `end`. Reading starts near `begin`. */
  readonly begin?: Moment;
  readonly end?: Moment;
}

/** One event record. A plain object that may be kept. */
export interface TraceEvent<F extends string = string> {
  readonly name: string;
  /** Nanoseconds since the Unix epoch (since the clock's own origin if that is another). */
  readonly timestamp: bigint;
  /** Nanoseconds since `TraceSet.originNs`: exact for 104 days around it, and cheap. */
  readonly ns: number;
  /** CPU number from the packet context, or -1. */
  readonly cpu: number;
  readonly host: string;
  /** With `EventQuery.fields`: those; otherwise the payload. */
  readonly fields: { readonly [P in F]: FieldValue };
  /** Specific and common context (empty if `EventQuery.fields` was given). */
  readonly context: { readonly [name: string]: FieldValue };
}

export interface OpenOptions extends CtfSourceOptions {
  /** Throw when a part of the traces cannot be read. Default: read the rest; see `TraceSet.problems`. */
  readonly strict?: boolean;
}

/** Opens all traces at or below one or more paths. Throws `PeriscopeError` if there are none. */
export function open(paths: string | readonly string[], options: OpenOptions = {}): TraceSet {
  const list = typeof paths === "string" ? [paths] : paths;
  if (list.length === 0) throw new UsageError("open: expected at least one path");
  return new TraceSet(openSource(list, options), list, options);
}

/** Event records handed out per step of an iteration: bounds what is decoded in advance. */
const stepRecords = 256;

export class TraceSet {
  /** What could not be read so far: one line each with file and byte offset. */
  readonly problems: string[] = [];

  constructor(
    readonly source: CtfSource,
    private readonly paths: readonly string[],
    private readonly options: OpenOptions,
  ) {
    this.#note(source.failures);
  }

  /** Traces, hosts, streams, event record classes, time range. */
  get info(): SourceInfo {
    return this.source.info;
  }

  /** Unix-epoch nanoseconds of `TraceEvent.ns` 0. */
  get originNs(): bigint {
    return this.source.info.originNs;
  }

  /** Exact Unix-epoch nanoseconds of a `ns` (of a record or a subscription's handler). */
  toEpochNs(ns: number): bigint {
    return this.originNs + BigInt(ns);
  }

  /** Event records in time order across all streams. */
  *events<F extends string = string>(query: EventQuery<F> = {}): Generator<TraceEvent<F>, void, undefined> {
    // Subscriptions belong to one run: every iteration has its own.
    const source = this.#fresh();
    const { hosts, originNs } = source.info;
    const names = query.fields;
    let ready: TraceEvent<F>[] = [];
    const requests: Record<string, { from: string; kind: "value" }> = {};
    if (names) {
      for (const [i, name] of names.entries()) requests[`f${i}`] = { from: name, kind: "value" };
    } else {
      for (const scope of ["payload", "specific", "common"]) {
        requests[scope] = { from: `${scope}:`, kind: "value" };
      }
    }
    source.subscribe({
      matches: nameFilter(query.names),
      fields: requests as FieldRequests,
      handle: (record) => {
        const values = record as unknown as Record<string, FieldValue>;
        const fields: Record<string, FieldValue> = {};
        if (names) {
          names.forEach((name, i) => {
            const value = values[`f${i}`];
            if (value !== undefined) fields[name] = value;
          });
        }
        ready.push({
          name: record.event.name,
          timestamp: originNs + BigInt(Number.isFinite(record.ns) ? record.ns : 0),
          ns: record.ns,
          cpu: record.cpu,
          host: hosts[record.host]!.name,
          fields: (names
            ? fields
            : ((values["payload"] ?? {}) as Record<string, FieldValue>)) as TraceEvent<F>["fields"],
          context: names
            ? {}
            : { ...(values["common"] as object | undefined), ...(values["specific"] as object | undefined) },
        });
      },
    });
    const steps = source.start({
      beginNs: momentNs(query.begin, this.originNs),
      endNs: momentNs(query.end, this.originNs),
    });
    try {
      for (let more = true; more; ) {
        more = steps.turn(stepRecords);
        if (ready.length === 0) continue;
        const batch = ready;
        ready = [];
        yield* batch;
      }
    } finally {
      this.#note(steps.end().problems);
    }
  }

  /**
   * Asks for event records to be handed to `handle` during `run`, decoded into one reused record. See
   * `Subscription`.
   */
  subscribe<F extends FieldRequests>(subscription: Subscription<F>): void {
    this.source.subscribe(subscription);
  }

  /** Reads everything (in the range) once, for all subscriptions. */
  run(options: RunOptions = {}): RunResult {
    const result = this.source.run(options);
    this.#note(result.problems);
    return result;
  }

  /** Counts: event records by name, streams, losses. Reads everything once. */
  summary(): ExperimentSummary {
    return summarize(this.source.experiment);
  }

  #fresh(): CtfSource {
    return openSource(this.paths, this.options);
  }

  #note(problems: readonly string[]): void {
    for (const problem of problems) {
      if (this.problems.includes(problem)) continue;
      if (this.options.strict) throw new PeriscopeError(problem);
      this.problems.push(problem);
    }
  }
}

function nameFilter(names: EventQuery["names"]): (event: EventInfo) => boolean {
  if (names === undefined) return () => true;
  const patterns = (typeof names === "string" ? [names] : names).map(globToRegExp);
  return (event) => patterns.some((pattern) => pattern.test(event.name));
}

export type { EventInfo, EventRecord };
