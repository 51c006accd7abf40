/**
 * Runs analyses over a source in one pass, for one slice of time or many.
 *
 * Slices begin and end at event records. The event record that begins a slice is counted in it, the one that
 * ends it is not. State (who runs, what is open, who waits) is built from the first event record of the source
 * on and carried into every slice.
 */

import { SampleBudget } from "../base/series.js";
import { createKernelModel, type KernelModel, type ModelOptions, type Uncertain } from "../kernel/model.js";
import type { EventSource, FieldRequests } from "../sources/source.js";
import type { AnyAnalysis, Listeners, Missing, TableContext } from "./analysis.js";
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
  #count = 0;

  constructor(
    private readonly source: EventSource,
    requests: readonly AnalysisRequest[],
    private readonly options: RunAnalysesOptions,
    /** Called with the source before the model subscribes: what it subscribes is told first. */
    before?: (run: AnalysisRun) => void,
  ) {
    before?.(this);
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
    const needs: { -readonly [K in keyof ModelOptions]: boolean } = {};
    for (const { analysis, options: all } of this.#running) {
      for (const [need, wanted] of Object.entries(analysis.needs(all)) as [keyof ModelOptions, boolean][]) {
        if (wanted) needs[need] = true;
      }
    }
    this.model = createKernelModel(source, needs);
    for (const running of this.#running) this.#attach(running);
    this.model.on.lost.push((_host, _cpu, _begin, _end, count, what) => {
      for (const { lost } of this.#slices) {
        lost.holes++;
        if (!Number.isNaN(count)) lost[what] += count;
      }
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
      const list = model.on[hook as keyof typeof model.on] as unknown[];
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
  open(beginNs: number): OpenSlice {
    const accumulators = this.#running.map(({ analysis, options, open }) => {
      const { model } = this;
      const accumulator = analysis.open({
        model,
        options,
        filter: this.#filter,
        beginNs,
        budget: this.#budget,
      });
      open.push(accumulator);
      return accumulator;
    });
    const slice = { beginNs, accumulators, lost: { events: 0, packets: 0, holes: 0 } };
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
          const until = Math.min(cpu.host.lastNs, endNs);
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
      beginNs,
      endNs,
      beginEpochNs: epoch(beginNs),
      endEpochNs: epoch(endNs),
      results,
      lost: slice.lost,
    };
  }

  run(): RunAnalysesResult {
    const { beginNs, endNs, refreshNs, onProgress, onSlice } = this.options;
    const run = this.model.start({ endNs, onProgress });
    if (beginNs !== undefined) run.until(beginNs);
    let slice: OpenSlice | undefined;
    if (!Number.isNaN(run.nextNs)) {
      this.options.onBegin?.(this.model);
      slice = this.open(run.nextNs);
      while (refreshNs !== undefined) {
        run.until(slice.beginNs + refreshNs);
        const nextNs = run.nextNs;
        if (Number.isNaN(nextNs)) break;
        onSlice?.(this.close(slice, nextNs));
        slice = this.open(nextNs);
      }
      run.until(Number.POSITIVE_INFINITY);
    }
    const result = run.end();
    if (slice !== undefined) onSlice?.(this.close(slice, result.lastNs));
    return {
      slices: this.#count,
      eventRecords: result.eventRecords,
      problems: result.problems,
      uncertain: this.model.uncertain,
    };
  }
}
