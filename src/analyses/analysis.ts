/**
 * What an analysis is: one module that says which hooks of the kernel model (or event records) it listens to,
 * what it keeps per slice of time, its result as plain data, and its tables. `run.ts` runs any number of them in
 * one pass; nothing else has to know them.
 */

import type { SampleBudget } from "../base/series.js";
import type { Hooks } from "../kernel/hooks.js";
import type { KernelModel, ModelOptions } from "../kernel/model.js";
import type { KernelNames } from "../kernel/names.js";
import type { PeriodInstance } from "../periods/instance.js";
import type { EventInfo, FieldRequests, RecordOf } from "../sources/source.js";
import type { Filter } from "./filter.js";
import type { LogTable } from "./log.js";
import type { Column, Row, Table, TableClass } from "./table.js";

/** Options that every analysis has; `limit` may be `Infinity`. */
export interface CommonOptions {
  /** Most rows of a top table. */
  readonly limit: number;
}

/** Where an accumulator lives: one slice of one run. */
export interface Scope<O> {
  readonly model: KernelModel;
  readonly options: O;
  readonly filter: Filter;
  /** Begin of the slice, `ns` since the source's origin. */
  readonly beginNs: number;
  readonly budget: SampleBudget;
  /** What users have defined, parents before children. */
  readonly periods: readonly PeriodShape[];
}

/** A definition of a period, as far as tables care. */
export interface PeriodShape {
  readonly name: string;
  /** `root/child`; "" for definitions without a name. */
  readonly path: string;
  /** As users wrote it. */
  readonly text: string;
}

/** What a run tells of periods, beside the model's hooks. */
export interface PeriodHooks {
  periodBegin: ((instance: PeriodInstance) => void)[];
  /** Also of instances that were not completed. */
  periodEnd: ((instance: PeriodInstance) => void)[];
}

type AllHooks = Hooks & PeriodHooks;

/** Functions for hooks of the model, with the accumulator before the hook's own arguments. */
export type Listeners<A> = {
  readonly [H in keyof AllHooks]?: (accumulator: A, ...args: Parameters<AllHooks[H][number]>) => void;
};

/** Event records that the model does not know. */
export interface RecordListener<A, F extends FieldRequests = FieldRequests> {
  readonly matches: (event: EventInfo) => boolean;
  readonly fields: F;
  readonly handle: (accumulator: A, record: RecordOf<F>, model: KernelModel) => void;
}

/** Keeps the types of fields in place: `onRecords({ matches, fields, handle(acc, record) {…} })`. */
export function onRecords<A, F extends FieldRequests>(listener: RecordListener<A, F>): RecordListener<A> {
  return listener as unknown as RecordListener<A>;
}

/** A part of the result that cannot be made, because the trace lacks event records. */
export interface Missing {
  /** What is missing, as a reader calls it: "disk latencies". */
  readonly what: string;
  /** Events to enable. */
  readonly events: readonly string[];
  /** Without them there is no result at all. */
  readonly vital?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of analyses holds all sorts of them
export type AnyAnalysis = Analysis<any, any, any>;

export interface Analysis<A, R, O extends CommonOptions = CommonOptions> {
  /** Its command, or the common part of its commands' names. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** For LAMI's metadata. */
  readonly tags: readonly string[];
  readonly tableClasses: Readonly<Record<string, TableClass>>;
  /** Options where none are given. */
  readonly defaults: O;
  /** Subsystems of the model that it listens to. */
  readonly needs: (options: O) => ModelOptions;
  /** Whether instances of periods must know their descendants when they end. */
  readonly periodTrees?: (options: O) => boolean;
  readonly missing: (names: KernelNames, options: O) => Missing[];
  /** A new accumulator; slices may overlap. */
  readonly open: (scope: Scope<O>) => A;
  readonly listen?: Listeners<A> | ((options: O) => Listeners<A>);
  readonly records?: readonly RecordListener<A>[];
  /** The result of a slice that ends at `endNs`. What still runs then has been told to `runEnd`. */
  readonly close: (accumulator: A, endNs: number) => R;
  /** For families with a log: see `LogOptions.logTo`. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are the analysis's own
  readonly log?: LogTable<any>;
  /** Rows of the table class `summary` for one of several slices, after its time range. */
  readonly summary?: (result: R, context: TableContext<O>) => Row[];
  /** The result in one line, for lists of results. */
  readonly line?: {
    readonly columns: readonly Column[];
    /** Sections that it needs. */
    readonly options?: Partial<O>;
    readonly cells: (result: R, context: TableContext<O>) => Row;
  };
  readonly tables: (result: R, context: TableContext<O>) => Table[];
}

export interface TableContext<O> {
  readonly options: O;
  readonly beginNs: number;
  readonly endNs: number;
  /** Exact ns since the epoch of a `ns`. */
  epochNs(ns: number): bigint;
  /** Names of hosts; more than one: tables say which. */
  readonly hosts: readonly string[];
}

export function defineAnalysis<A, R, O extends CommonOptions>(
  analysis: Analysis<A, R, O>,
): Analysis<A, R, O> {
  return analysis;
}
