/**
 * Runs analyses over a source in one pass, for one slice of time or many.
 *
 * Slices begin and end at event records. The event record that begins a slice is counted in it, the one that
 * ends it is not. State (who runs, what is open, who waits) is built from the first event record of the source
 * on and carried into every slice.
 */

import { SampleBudget } from "../base/series.js";
import { createKernelModel, type KernelModel, type ModelOptions, type Uncertain } from "../kernel/model.js";
import type { PeriodSet } from "../periods/define.js";
import { type GivenUp, PeriodEngine } from "../periods/engine.js";
import type { PeriodInstance } from "../periods/instance.js";
import type { EventSource, FieldRequests } from "../sources/source.js";
import type { AnyAnalysis, Listeners, Missing, PeriodHooks, PeriodShape, TableContext } from "./analysis.js";
import { Filter, type FilterOptions } from "./filter.js";
import { type Row, type Table, timeRange } from "./table.js";

/** One analysis to run. */
export interface AnalysisRequest {
  readonly analysis: AnyAnalysis;
  /** Overrides of the analysis's `defaults`. */
  readonly options?: object;
}

export interface RunAnalysesOptions {
  readonly filter?: FilterOptions;
  /** Bounds, `ns` since the source's origin, inclusive. */
  readonly beginNs?: number;
  readonly endNs?: number;
  /** Cut into slices of at least this length, ns. */
  readonly refreshNs?: number;
  /** What users have defined. */
  readonly periods?: PeriodSet;
  /** A slice for every instance of these periods (they may overlap), as it ends. Not together with `refreshNs`. */
  readonly perPeriod?: boolean;
  /** Called as slices end, in order. */
  readonly onSlice?: (slice: Slice) => void;
  /** Called when the first slice begins: what the trace lacks is known. */
  readonly onBegin?: (model: KernelModel) => void;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

/** What one analysis says of one slice. */
export interface AnalysisResult {
  readonly analysis: AnyAnalysis;
  readonly options: object;
  // biome-ignore lint/suspicious/noExplicitAny: as plain as the analysis makes it
  readonly result: any;
  readonly missing: readonly Missing[];
  tables(): Table[];
  /** Rows of the table class `summary`, the slice's time range first; none where the analysis has no summary. */
  summary(): Row[];
}

export interface Slice {
  /** The instance that it is of, with `perPeriod`. */
  readonly period?: PeriodInstance;
  /** `ns` since the source's origin, and exact since the epoch. */
  readonly beginNs: number;
  readonly endNs: number;
  readonly beginEpochNs: bigint;
  readonly endEpochNs: bigint;
  readonly results: readonly AnalysisResult[];
  /** Lost in this slice; `events` and `packets` are numbers, as far as they are known. */
  readonly lost: Lost;
}

export interface Lost {
  readonly events: number;
  readonly packets: number;
  /** Holes in time: after each, states are unknown until they are told anew. */
  readonly holes: number;
}

export interface RunAnalysesResult {
  readonly slices: number;
  readonly eventRecords: number;
  readonly problems: readonly string[];
  /** What lost event records made unusable, over the whole run. */
  readonly uncertain: Readonly<Uncertain>;
  /** Instances of periods that were not held to their end. */
  readonly givenUp?: Readonly<GivenUp>;
}

interface Running {
  readonly analysis: AnyAnalysis;
  readonly options: object;
  readonly listeners: Listeners<unknown>;
  /** Accumulators of open slices. */
  readonly open: unknown[];
}

/** An open slice: its accumulators, in the order of the requests. */
interface OpenSlice {
  readonly beginNs: number;
  readonly period: PeriodInstance | undefined;
  readonly accumulators: readonly unknown[];
  readonly lost: { events: number; packets: number; holes: number };
}

/** Runs to the end. Throws nothing of its own; what cannot be read is in `problems`. */
export function runAnalyses(
  source: EventSource,
  requests: readonly AnalysisRequest[],
  options: RunAnalysesOptions = {},
): RunAnalysesResult {
  return new AnalysisRun(source, requests, options).run();
}

export class AnalysisRun {
  readonly model: KernelModel;
  readonly #running: Running[];
  readonly #filter: Filter;
  readonly #slices: OpenSlice[] = [];
  readonly #budget = new SampleBudget();
  readonly #shapes: readonly PeriodShape[];
  readonly #periods: PeriodEngine | undefined;
  readonly #periodHooks: PeriodHooks = { periodBegin: [], periodEnd: [] };
  #count = 0;

  constructor(
    private readonly source: EventSource,
    requests: readonly AnalysisRequest[],
    private readonly options: RunAnalysesOptions,
  ) {
    const definitions = options.periods?.definitions ?? [];
    this.#shapes = definitions.map(({ name, path, text }) => ({ name, path, text }));
    this.#filter = new Filter(options.filter);
    this.#running = requests.map(({ analysis, options: given }) => {
      const all = { ...analysis.defaults, ...given };
      const { listen = {} } = analysis;
      return {
        analysis,
        options: all,
        listeners: typeof listen === "function" ? listen(all) : listen,
        open: [],
      };
    });
    // Before the model: what an event record begins and ends is known before it is counted.
    this.#periods = this.#periodEngine();
    const needs = this.#running.map(({ analysis, options: all }) => analysis.needs(all));
    this.model = createKernelModel(source, unite([...needs, this.#periods?.needs ?? { sched: false }]));
    this.#periods?.attach(this.model);
    for (const running of this.#running) this.#attach(running);
    this.model.on.lost.push((_host, _cpu, _begin, _end, count, what) => {
      for (const { lost } of this.#slices) {
        lost.holes++;
        if (!Number.isNaN(count)) lost[what] += count;
      }
    });
  }

  #periodEngine(): PeriodEngine | undefined {
    const { periods, perPeriod, onSlice } = this.options;
    if (periods === undefined || periods.definitions.length === 0) return undefined;
    const { periodBegin, periodEnd } = this.#periodHooks;
    const slices = new Map<PeriodInstance, OpenSlice>();
    return new PeriodEngine(this.source, periods, {
      keepTrees: this.#running.some(({ analysis, options }) => analysis.periodTrees?.(options)),
      onBegin: (instance) => {
        if (perPeriod) slices.set(instance, this.open(instance.beginNs, instance));
        for (const listener of periodBegin) listener(instance);
      },
      onEnd: (instance) => {
        for (const listener of periodEnd) listener(instance);
        const slice = slices.get(instance);
        if (slice === undefined) return;
        slices.delete(instance);
        onSlice?.(this.close(slice, instance.endNs));
      },
    });
  }

  /** What the trace lacks, of each request. */
  missing(): Missing[][] {
    return this.#running.map(({ analysis, options }) => analysis.missing(this.model.names, options));
  }

  #attach({ analysis, listeners, open }: Running): void {
    const { model, source } = this;
    for (const [hook, listener] of Object.entries(listeners)) {
      const call = listener as (accumulator: unknown, ...args: unknown[]) => void;
      const list = { ...model.on, ...this.#periodHooks }[hook as keyof typeof model.on] as unknown[];
      list.push((a: unknown, b: unknown, c: unknown, d: unknown, e: unknown, f: unknown) => {
        for (let i = 0; i < open.length; i++) call(open[i], a, b, c, d, e, f);
      });
    }
    for (const { matches, fields, handle } of analysis.records ?? []) {
      source.subscribe<FieldRequests>({
        matches,
        fields,
        handle: (record) => {
          for (let i = 0; i < open.length; i++) handle(open[i], record, model);
        },
      });
    }
  }

  /** Opens a slice now. */
  open(beginNs: number, period?: PeriodInstance): OpenSlice {
    const accumulators = this.#running.map(({ analysis, options, open }) => {
      const { model } = this;
      const accumulator = analysis.open({
        model,
        options,
        filter: this.#filter,
        beginNs,
        budget: this.#budget,
        periods: this.#shapes,
      });
      open.push(accumulator);
      return accumulator;
    });
    const slice = { beginNs, period, accumulators, lost: { events: 0, packets: 0, holes: 0 } };
    this.#slices.push(slice);
    return slice;
  }

  /** Ends a slice: what still runs is told up to `endNs`. */
  close(slice: OpenSlice, endNs: number): Slice {
    this.#slices.splice(this.#slices.indexOf(slice), 1);
    this.#count++;
    const { info } = this.source;
    const { beginNs } = slice;
    const results = this.#running.map(({ analysis, options, listeners, open }, i): AnalysisResult => {
      const accumulator = slice.accumulators[i];
      open.splice(open.indexOf(accumulator), 1);
      const { runEnd } = listeners;
      if (runEnd !== undefined) {
        for (const cpu of this.model.cpus) {
          // A host that fell silent before the end; not known (NaN) before all is read.
          const { lastNs } = cpu.host;
          const until = Number.isNaN(lastNs) ? endNs : Math.min(lastNs, endNs);
          if (cpu.current !== undefined && cpu.runBeginNs < until) {
            runEnd(accumulator, cpu.current, cpu, cpu.runBeginNs, until);
          }
        }
      }
      const result = analysis.close(accumulator, endNs);
      const context: TableContext<object> = {
        options,
        beginNs,
        endNs,
        epochNs: (ns) => info.originNs + BigInt(Math.round(ns)),
        hosts: info.hosts.map((host) => host.name),
      };
      return {
        analysis,
        options,
        result,
        missing: analysis.missing(this.model.names, options),
        tables: () => analysis.tables(result, context),
        summary: () => {
          const range = timeRange(context.epochNs(beginNs), context.epochNs(endNs));
          return (analysis.summary?.(result, context) ?? []).map((row: Row) => [range, ...row]);
        },
      };
    });
    const epoch = (ns: number) => info.originNs + BigInt(Math.round(ns));
    return {
      ...(slice.period === undefined ? {} : { period: slice.period }),
      beginNs,
      endNs,
      beginEpochNs: epoch(beginNs),
      endEpochNs: epoch(endNs),
      results,
      lost: slice.lost,
    };
  }

  run(): RunAnalysesResult {
    const { beginNs, endNs, refreshNs, perPeriod, onProgress, onSlice } = this.options;
    const run = this.model.start({ endNs, onProgress });
    if (beginNs !== undefined) run.until(beginNs);
    let slice: OpenSlice | undefined;
    if (!Number.isNaN(run.nextNs)) {
      this.options.onBegin?.(this.model);
      if (!perPeriod) slice = this.open(run.nextNs);
      if (this.#periods !== undefined) this.#periods.active = true;
      while (refreshNs !== undefined && slice !== undefined) {
        run.until(slice.beginNs + refreshNs);
        const nextNs = run.nextNs;
        if (Number.isNaN(nextNs)) break;
        onSlice?.(this.close(slice, nextNs));
        slice = this.open(nextNs);
      }
      run.until(Number.POSITIVE_INFINITY);
    }
    const result = run.end();
    this.#periods?.closeAll(result.lastNs);
    if (slice !== undefined) onSlice?.(this.close(slice, result.lastNs));
    return {
      slices: this.#count,
      eventRecords: result.eventRecords,
      problems: result.problems,
      uncertain: this.model.uncertain,
      ...(this.#periods === undefined ? {} : { givenUp: this.#periods.givenUp }),
    };
  }
}

/** What any of them needs; who runs is needed unless all decline it. */
export function unite(all: readonly ModelOptions[]): ModelOptions {
  const needs: { -readonly [K in keyof ModelOptions]: boolean } = {
    sched: all.some(({ sched }) => sched !== false),
  };
  for (const one of all) {
    for (const [need, wanted] of Object.entries(one) as [keyof ModelOptions, boolean][]) {
      if (wanted) needs[need] = true;
    }
  }
  return needs;
}
