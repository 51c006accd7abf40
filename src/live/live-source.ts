/**
 * A live session as an event source: event records are handed out as soon as no stream can bring an earlier one.
 * Waiting blocks the thread, so it must not be the one that talks to the relay; see `feed.ts`.
 */
import type { Experiment } from "../ctf/experiment.js";
import { CtfSource } from "../sources/ctf.js";
import type {
  EventInfo,
  EventRun,
  EventSource,
  FieldRequests,
  RunOptions,
  RunResult,
  SourceInfo,
  Subscription,
} from "../sources/source.js";
import type { LiveSpool } from "./live-spool.js";
import type { LiveUpdate } from "./update.js";

/** Answers what is new, waiting for it; undefined after the end. */
export type NextUpdate = () => LiveUpdate | undefined;

export interface Batch {
  readonly experiment: Experiment;
  /** `ns` since the origin, both inclusive. */
  readonly beginNs: number | undefined;
  readonly endNs: number | undefined;
}

/** Turns updates into stretches of time that are complete. */
export class LiveBatches {
  failure: string | undefined;
  /** Called before it is waited for the relay: whoever has something to show shows it. */
  onWait: (() => void) | undefined;
  #doneNs: number | undefined;
  #last: { readonly experiment: Experiment; readonly safeNs: number } | undefined;
  #ended = false;

  constructor(
    private readonly spool: LiveSpool,
    private readonly next: NextUpdate,
  ) {}

  /** The next stretch that has packets; waits for it. Undefined at the end. */
  take(): Batch | undefined {
    if (this.#last !== undefined) this.spool.forget(this.#last.experiment, this.#last.safeNs);
    this.#last = undefined;
    while (!this.#ended) {
      this.onWait?.();
      const update = this.next();
      if (update === undefined || update.ended) this.#ended = true;
      if (update !== undefined) this.spool.apply(update);
      if (update?.failure !== undefined) this.failure = update.failure;
      if (this.#ended) this.spool.apply({ ...EMPTY, ended: true });
      const experiment = this.spool.open();
      if (experiment === undefined) continue;
      const safeNs = this.spool.safeNs(experiment);
      if (safeNs <= (this.#doneNs ?? Number.NEGATIVE_INFINITY)) continue;
      const beginNs = this.#doneNs;
      this.#doneNs = safeNs;
      this.#last = { experiment, safeNs };
      return { experiment, beginNs, endNs: Number.isFinite(safeNs) ? safeNs - 1 : undefined };
    }
    return undefined;
  }
}

const EMPTY: LiveUpdate = {
  streams: [],
  metadata: [],
  packets: [],
  known: new Map(),
  closed: [],
  ended: false,
};

export class LiveSource implements EventSource {
  readonly #subscriptions: Subscription<FieldRequests>[] = [];
  readonly #first: CtfSource | undefined;
  readonly #firstBatch: Batch | undefined;

  /** Waits for the first packets: what there is is known then. */
  constructor(private readonly batches: LiveBatches) {
    this.#firstBatch = batches.take();
    this.#first = this.#firstBatch && new CtfSource(this.#firstBatch.experiment);
  }

  get info(): SourceInfo {
    return this.#first?.info ?? NOTHING;
  }

  get failures(): readonly string[] {
    return this.#first?.failures ?? [];
  }

  /** `show` is called whenever all that has come is read. */
  whileWaiting(show: () => void): void {
    this.batches.onWait = show;
  }

  notes(): string[] {
    return this.#first?.notes() ?? [];
  }

  subscribe<F extends FieldRequests>(subscription: Subscription<F>): void {
    this.#subscriptions.push(subscription as unknown as Subscription<FieldRequests>);
  }

  run(options: RunOptions = {}): RunResult {
    const run = this.start(options);
    run.until(Number.POSITIVE_INFINITY);
    return run.end();
  }

  start(options: RunOptions = {}): EventRun {
    return new LiveRun(this.batches, this.#firstBatch, this.info.events, this.#subscriptions, options);
  }
}

class LiveRun implements EventRun {
  #run: EventRun | undefined;
  #eventRecords = 0;
  #firstNs = Number.NaN;
  #lastNs = Number.NaN;
  readonly #hostLastNs: number[] = [];
  readonly #problems = new Set<string>();

  constructor(
    private readonly batches: LiveBatches,
    first: Batch | undefined,
    private readonly events: readonly EventInfo[],
    private readonly subscriptions: readonly Subscription<FieldRequests>[],
    private readonly options: RunOptions,
  ) {
    if (first !== undefined) this.#begin(first);
  }

  #begin({ experiment, beginNs, endNs }: Batch): void {
    const source = new CtfSource(experiment, this.events);
    for (const subscription of this.subscriptions) source.subscribe(subscription);
    const { beginNs: from, endNs: until } = this.options;
    this.#run = source.start({
      ...this.options,
      beginNs: later(beginNs, from),
      endNs: earlier(endNs, until),
      onProgress: undefined,
    });
  }

  /** The run that has an event record; waits for it. */
  #current(): EventRun | undefined {
    while (this.#run !== undefined && Number.isNaN(this.#run.nextNs)) {
      this.#end(this.#run);
      const batch = this.#isPast() ? undefined : this.batches.take();
      if (batch === undefined) this.#run = undefined;
      else this.#begin(batch);
    }
    return this.#run;
  }

  /** Is everything that was asked for read? */
  #isPast(): boolean {
    return this.options.endNs !== undefined && this.#lastNs >= this.options.endNs;
  }

  #end(run: EventRun): void {
    const { eventRecords, firstNs, lastNs, hostLastNs, problems } = run.end();
    this.#eventRecords += eventRecords;
    if (Number.isNaN(this.#firstNs)) this.#firstNs = firstNs;
    if (!Number.isNaN(lastNs)) this.#lastNs = lastNs;
    hostLastNs.forEach((ns, host) => {
      if (!Number.isNaN(ns)) this.#hostLastNs[host] = ns;
    });
    for (const problem of problems) this.#problems.add(problem);
  }

  get nextNs(): number {
    return this.#current()?.nextNs ?? Number.NaN;
  }

  get eventRecords(): number {
    return this.#eventRecords + (this.#run?.eventRecords ?? 0);
  }

  until(limitNs: number): void {
    for (let run = this.#current(); run !== undefined && run.nextNs < limitNs; run = this.#current()) {
      run.until(limitNs);
    }
  }

  end(): RunResult {
    if (this.#run !== undefined) this.#end(this.#run);
    this.#run = undefined;
    const { failure } = this.batches;
    return {
      eventRecords: this.#eventRecords,
      firstNs: this.#firstNs,
      lastNs: this.#lastNs,
      hostLastNs: this.#hostLastNs,
      problems: [...this.#problems, ...(failure === undefined ? [] : [failure])],
    };
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

const NOTHING: SourceInfo = {
  originNs: 0n,
  hosts: [],
  traces: [],
  streams: [],
  events: [],
  beginNs: Number.NaN,
  endNs: Number.NaN,
};
