/**
 * Periods: every instance of what users define, its duration, its children, and statistics of them.
 *
 * An instance that began but never completed is in no table; the completed descendants of one are, but in no
 * parent's statistics. What needs the whole tree of a root (order by hierarchy, groups, per-parent statistics) is done
 * when the root ends, so that memory holds open trees only.
 */

import { isDeepStrictEqual } from "node:util";
import { formatCount } from "../base/format.js";
import { Series } from "../base/series.js";
import { Top } from "../base/top.js";
import type { Capture, PeriodInstance } from "../periods/instance.js";
import { valueText } from "../periods/values.js";
import {
  type CommonOptions,
  defineAnalysis,
  type PeriodShape,
  type Scope,
  type TableContext,
} from "./analysis.js";
import { BeginOrder } from "./begin-order.js";
import {
  type Distribution,
  distributions,
  FREQUENCY_DEFAULTS,
  type FrequencyOptions,
  frequencyTables,
} from "./frequency.js";
import { type LogOptions, LogRows, type LogTable, logTable } from "./log.js";
import { exactness, type Stats, statsCells, statsColumns, statsOf } from "./stats.js";
import { type Column, duration, number, type Row, type Table, type TableClass, text } from "./table.js";
import { type WaterfallLine, waterfallOf } from "./waterfall.js";

export interface PeriodsOptions extends CommonOptions, FrequencyOptions, LogOptions<PeriodRow> {
  readonly stats: boolean;
  readonly top: boolean;
  readonly minDurationNs?: number;
  readonly maxDurationNs?: number;
  /** Names. */
  readonly select?: readonly string[];
  readonly aggregateBy?: string;
  readonly groupBy?: readonly { readonly period: string; readonly capture: string }[];
  readonly orderBy: "time" | "hierarchy";
  /** The longest roots as waterfalls. */
  readonly waterfall: boolean;
}

export interface PeriodRow {
  readonly id: number;
  readonly parentId: number | null;
  /** Full path. */
  readonly path: string;
  readonly name: string;
  readonly host: number;
  /** `ns` since the source's origin. */
  readonly beginNs: number;
  readonly endNs: number;
  readonly durationNs: number;
  /** Event records were lost while it was open. */
  readonly uncertain: boolean;
  readonly beginCaptures: readonly Capture[];
  readonly endCaptures: readonly Capture[];
}

/** How many instances of a definition there were, in bounds or not. */
export interface PeriodCount {
  readonly path: string;
  readonly begun: number;
  readonly completed: number;
  /** Of the completed, those with lost event records between begin and end. */
  readonly uncertain: number;
}

/** An instance with all that happened in it. */
export interface PeriodWaterfall {
  readonly root: PeriodRow;
  readonly lines: readonly WaterfallLine[];
}

/** A child period within a parent, over the parent's instances. */
export interface PairStats {
  readonly child: string;
  readonly parent: string;
  /** Sum of durations per parent instance. */
  readonly duration: NumberStats;
  /** Of that in the parent's duration, percent. */
  readonly ratio: NumberStats;
  readonly count: NumberStats;
}

export interface NumberStats {
  readonly count: number;
  readonly min: number;
  readonly avg: number;
  readonly max: number;
  readonly stdev: number | null;
}

export interface PeriodGroup {
  /** "" for all instances together. */
  readonly group: string;
  readonly periods: readonly { readonly path: string; readonly stats: Stats }[];
  /** Over parents with at least one such child; over all parents. */
  readonly active: readonly PairStats[];
  readonly global: readonly PairStats[];
  readonly distributions: readonly (Distribution & { readonly kind: "duration" | "ratio" | "count" })[];
}

/** What selected children did in one instance of the parent. */
export interface AggregatedRow {
  readonly group: string;
  readonly parent: PeriodRow;
  /** Path. */
  readonly child: string;
  readonly stats: Stats;
  readonly instances: readonly PeriodRow[];
}

export interface PeriodsResult {
  /** The definitions, parents before children: what rows may speak of. */
  readonly definitions: readonly PeriodShape[];
  /** By definition. */
  readonly counts: readonly PeriodCount[];
  readonly groups: readonly PeriodGroup[];
  readonly top: readonly PeriodRow[];
  readonly aggregated: readonly AggregatedRow[];
  readonly waterfalls: readonly PeriodWaterfall[];
  readonly log: readonly PeriodRow[];
}

const KEEP_FOR_BINS = 1 << 20;

/** Numbers of one sort, for statistics of counts and ratios. */
function numbersOf(series: Series): NumberStats {
  const { count } = series;
  return {
    count,
    min: count === 0 ? 0 : series.min,
    avg: count === 0 ? 0 : series.mean,
    max: count === 0 ? 0 : series.max,
    stdev: count < 2 ? null : series.deviation,
  };
}

class PairSums {
  readonly duration: Series;
  readonly ratio: Series;
  readonly count: Series;
  constructor(
    readonly child: string,
    readonly parent: string,
    make: () => Series,
  ) {
    this.duration = make();
    this.ratio = make();
    this.count = make();
  }

  add(durationNs: number, parentNs: number, count: number): void {
    this.duration.add(durationNs);
    // A parent without duration has nothing to share.
    if (parentNs > 0) this.ratio.add((durationNs * 100) / parentNs);
    this.count.add(count);
  }

  result(): PairStats {
    return {
      child: this.child,
      parent: this.parent,
      duration: numbersOf(this.duration),
      ratio: numbersOf(this.ratio),
      count: numbersOf(this.count),
    };
  }
}

/** Sums of one group of instances. */
class GroupSums {
  readonly periods = new Map<string, Series>();
  readonly active = new Map<string, PairSums>();
  readonly global = new Map<string, PairSums>();
  constructor(
    readonly group: string,
    private readonly make: () => Series,
  ) {}

  period(path: string): Series {
    let series = this.periods.get(path);
    if (series === undefined) this.periods.set(path, (series = this.make()));
    return series;
  }

  pair(which: "active" | "global", child: string, parent: string): PairSums {
    const key = `${child}\n${parent}`;
    let sums = this[which].get(key);
    if (sums === undefined) this[which].set(key, (sums = new PairSums(child, parent, this.make)));
    return sums;
  }
}

function durationOf(instance: PeriodInstance): number {
  return instance.endNs - instance.beginNs;
}

class Periods {
  readonly log: LogRows<PeriodRow>;
  readonly order: BeginOrder<PeriodInstance, readonly PeriodRow[]>;
  readonly top: Top<PeriodRow>;
  readonly groups = new Map<string, GroupSums>();
  readonly aggregated: AggregatedRow[] = [];
  readonly waterfalls: Top<PeriodWaterfall>;
  readonly begun: number[];
  readonly completed: number[];
  readonly uncertain: number[];
  readonly #descendants = new Map<string, string[]>();

  constructor(readonly scope: Scope<PeriodsOptions>) {
    const { options } = scope;
    this.log = new LogRows(options);
    this.order = new BeginOrder((rows) => {
      for (const row of rows) this.log.add(row);
    });
    this.top = new Top(options.top ? options.limit : 0);
    this.waterfalls = new Top(options.waterfall ? options.limit : 0);
    this.begun = scope.periods.map(() => 0);
    this.completed = scope.periods.map(() => 0);
    this.uncertain = scope.periods.map(() => 0);
    const paths = scope.periods.map(({ path }) => path);
    for (const path of paths) {
      this.#descendants.set(path, path === "" ? [] : paths.filter((other) => other.startsWith(`${path}/`)));
    }
  }

  begin(instance: PeriodInstance): void {
    this.begun[instance.definition.index]!++;
    const { log, orderBy } = this.scope.options;
    if (log && (orderBy === "time" || instance.parent === undefined)) this.order.begin(instance);
  }

  end(instance: PeriodInstance): void {
    const { options } = this.scope;
    const { completed } = instance;
    if (completed) {
      this.completed[instance.definition.index]!++;
      if (instance.uncertain) this.uncertain[instance.definition.index]!++;
    }
    const counts = completed && this.#inBounds(instance);
    const row = counts && (options.log || options.top) ? rowOf(instance) : undefined;
    if (row !== undefined && options.top && this.#selected(instance)) this.top.add(row.durationNs, row);
    if (options.log && options.orderBy === "time")
      this.order.end(instance, row === undefined ? undefined : [row]);
    if (instance.parent !== undefined) return;
    if (options.log && options.orderBy === "hierarchy") {
      this.order.end(instance, counts ? [...this.#tree(instance)].map(rowOf) : undefined);
    }
    const ns = durationOf(instance);
    if (options.waterfall && counts && this.waterfalls.wants(ns)) {
      this.waterfalls.add(ns, { root: rowOf(instance), lines: waterfallOf(instance) });
    }
    if (options.stats || options.freq || options.aggregateBy !== undefined) this.#whole(instance);
  }

  #inBounds(instance: PeriodInstance): boolean {
    const { minDurationNs, maxDurationNs } = this.scope.options;
    const ns = durationOf(instance);
    return (
      (minDurationNs === undefined || ns >= minDurationNs) &&
      (maxDurationNs === undefined || ns <= maxDurationNs)
    );
  }

  #selected(instance: PeriodInstance): boolean {
    const { select } = this.scope.options;
    return select === undefined || select.includes(instance.definition.name);
  }

  /** Completed instances of a tree, depth first; what is out of bounds is not descended into. */
  *#tree(instance: PeriodInstance): Generator<PeriodInstance> {
    if (instance.completed) {
      if (!this.#inBounds(instance)) return;
      yield instance;
    }
    for (const child of instance.children) yield* this.#tree(child);
  }

  /** The keys of the groups that an instance belongs to. */
  #groupKeys(instance: PeriodInstance): string[] {
    const { groupBy } = this.scope.options;
    if (groupBy === undefined || groupBy.length === 0) return [""];
    const values = groupBy.map(({ period, capture }) => {
      const found = new Set<string>();
      const look = (one: PeriodInstance): void => {
        if (one.definition.name !== period) return;
        for (const { key, value } of [...one.beginCaptures, ...one.endCaptures]) {
          if (key === capture) found.add(valueText(value));
        }
      };
      for (let up: PeriodInstance | undefined = instance; up !== undefined; up = up.parent) look(up);
      for (const below of this.#tree(instance)) look(below);
      return [...found].map((value) => `${period}.${capture} = ${value}`);
    });
    // Every combination of what was found; nothing found: in no group.
    return values
      .reduce<string[]>(
        (keys, next) => keys.flatMap((key) => next.map((value) => (key === "" ? value : `${key}, ${value}`))),
        [""],
      )
      .filter((key) => key !== "" || values.length === 0);
  }

  #group(key: string): GroupSums {
    let group = this.groups.get(key);
    if (group === undefined) {
      const { budget, options } = this.scope;
      group = new GroupSums(key, () => new Series(budget, options.freq ? KEEP_FOR_BINS : undefined));
      this.groups.set(key, group);
    }
    return group;
  }

  /** A root has ended: all that is said about its tree. */
  #whole(root: PeriodInstance): void {
    for (const instance of this.#tree(root)) {
      const keys = this.#groupKeys(instance);
      if (keys.length === 0) continue;
      const ns = durationOf(instance);
      const { path } = instance.definition;
      const below = this.#descendants.get(path) ?? NO_PATHS;
      if (this.#selected(instance)) for (const key of keys) this.#group(key).period(path).add(ns);
      if (below.length > 0) this.#parent(instance, ns, below, keys);
    }
  }

  /** What descendants of a kind do in one instance of their ancestor. */
  #parent(instance: PeriodInstance, ns: number, below: readonly string[], keys: readonly string[]): void {
    const { aggregateBy, select, log } = this.scope.options;
    const { path, name } = instance.definition;
    if (aggregateBy !== undefined && aggregateBy !== name) return;
    const byPath = new Map<string, PeriodInstance[]>();
    for (const child of this.#tree(instance)) {
      if (child === instance) continue;
      const list = byPath.get(child.definition.path);
      if (list === undefined) byPath.set(child.definition.path, [child]);
      else list.push(child);
    }
    for (const child of below) {
      if (select !== undefined && !select.includes(child.slice(child.lastIndexOf("/") + 1))) continue;
      const instances = byPath.get(child) ?? [];
      const sum = instances.reduce((total, one) => total + durationOf(one), 0);
      for (const key of keys) {
        const group = this.#group(key);
        if (instances.length > 0) group.pair("active", child, path).add(sum, ns, instances.length);
        group.pair("global", child, path).add(sum, ns, instances.length);
        if (!log || aggregateBy === undefined || instances.length === 0) continue;
        const series = new Series(this.scope.budget);
        for (const one of instances) series.add(durationOf(one));
        const parent = rowOf(instance);
        this.aggregated.push({
          group: key,
          parent,
          child,
          stats: statsOf(series),
          instances: instances.map(rowOf),
        });
      }
    }
  }
}

const NO_PATHS: readonly string[] = [];

function rowOf(instance: PeriodInstance): PeriodRow {
  const { id, parent, definition, host, beginNs, endNs } = instance;
  return {
    id,
    parentId: parent?.id ?? null,
    path: definition.path,
    name: definition.name,
    host,
    beginNs,
    endNs,
    durationNs: endNs - beginNs,
    uncertain: instance.uncertain,
    beginCaptures: instance.beginCaptures,
    endCaptures: instance.endCaptures,
  };
}

const rowColumns = [
  { title: "Period begin timestamp", class: "timestamp" },
  { title: "Period end timestamp", class: "timestamp" },
  { title: "Period duration", class: "duration" },
  { title: "Period name", class: "string" },
  { title: "Begin captures", class: "string" },
  { title: "End captures", class: "string" },
] as const;
const statsTail = [
  { title: "Period count", class: "number", unit: "occurences" },
  { title: "Minimum duration", class: "duration" },
  { title: "Average duration", class: "duration" },
  { title: "Maximum duration", class: "duration" },
  { title: "Period duration standard deviation", class: "duration" },
] as const;
const aggregatedColumns = [
  { title: "Parent begin timestamp", class: "timestamp" },
  { title: "Parent end timestamp", class: "timestamp" },
  { title: "Parent period name", class: "string" },
  { title: "Child begin timestamp", class: "timestamp" },
  { title: "Child end timestamp", class: "timestamp" },
  { title: "Child period name", class: "string" },
  { title: "Child period duration", class: "duration" },
  { title: "Parent period duration", class: "duration" },
  { title: "Captures", class: "string" },
] as const;
const pairColumns = [
  { title: "Period name", class: "string" },
  { title: "Parent", class: "string" },
] as const;
const occurrences = (title: string) => ({ title, class: "number", unit: "occurences" }) as const;
const pairTail = [
  occurrences("Minimum"),
  occurrences("Average"),
  occurrences("Maximum"),
  { title: "Standard deviation", class: "duration" },
] as const;

const tableClasses = {
  log: { title: "Period log", columns: rowColumns },
  top: { title: "Period top", columns: rowColumns },
  per_period_stats: {
    title: "Period statistics",
    columns: [
      { title: "Period name", class: "string" },
      ...statsTail,
      { title: "Total runtime", class: "duration" },
    ],
  },
  freq_duration: {
    title: "Period duration frequency distribution",
    columns: [
      { title: "Duration (lower bound)", class: "duration" },
      { title: "Duration (upper bound)", class: "duration" },
      { title: "Period duration", class: "number", unit: "us" },
    ],
  },
  freq_count: {
    title: "Period count frequency distribution",
    columns: [
      { title: "Count (lower bound)", class: "number" },
      { title: "Count (upper bound)", class: "number" },
      { title: "Period count", class: "number", unit: "count" },
    ],
  },
  freq_ratio: {
    title: "Period usage ratio frequency distribution",
    columns: [
      { title: "Ratio (lower bound)", class: "number" },
      { title: "Ratio (upper bound)", class: "number" },
      { title: "Period usage ratio", class: "number", unit: "%" },
    ],
  },
  aggregated_log: { title: "Hierarchical period log", columns: aggregatedColumns },
  aggregated_top: { title: "Aggregated period top", columns: aggregatedColumns },
  aggregated_stats: {
    title: "Aggregated log",
    columns: [
      { title: "Parent period name", class: "string" },
      { title: "Parent begin timestamp", class: "timestamp" },
      { title: "Parent end timestamp", class: "timestamp" },
      { title: "Child period name", class: "string" },
      ...statsTail,
      { title: "Total runtime", class: "duration" },
      { title: "Parent captures", class: "string" },
    ],
  },
  per_parent_stats: {
    title: "Per-parent period duration statistics",
    columns: [
      ...pairColumns,
      { title: "Minimum duration", class: "duration" },
      { title: "Average duration", class: "duration" },
      { title: "Maximum duration", class: "duration" },
      { title: "Period duration standard deviation", class: "duration" },
    ],
  },
  per_parent_count: { title: "Per-parent period count statistics", columns: [...pairColumns, ...pairTail] },
  per_parent_percentage: { title: "Per-parent duration ratio", columns: [...pairColumns, ...pairTail] },
} as const satisfies Record<string, TableClass>;

/** As the reference writes it: a Python dictionary. */
function dictionary(captures: readonly Capture[]): string {
  const parts = captures.map(({ key, value }) => {
    const shown = typeof value === "string" ? `'${value}'` : valueText(value);
    return `'${key}': ${shown}`;
  });
  return `{${parts.join(", ")}}`;
}

const listed = (captures: readonly Capture[]): string =>
  captures.map(({ key, value }) => `${key} = ${valueText(value)}`).join(", ");

const log: LogTable<PeriodRow> = {
  class: "log",
  heading: "Period log",
  columns: [
    { lami: rowColumns[0], text: "Begin" },
    { lami: rowColumns[1], text: "End", drop: 2 },
    { lami: rowColumns[2], text: "Duration" },
    { lami: rowColumns[3], text: undefined },
    { lami: undefined, text: "Period", class: "string" },
    { lami: rowColumns[4], text: undefined },
    { lami: rowColumns[5], text: undefined },
    { lami: undefined, text: "Begin capture", class: "string" },
    { lami: undefined, text: "End capture", class: "string", drop: 1 },
  ],
  cells: (row, { epochNs }) => [
    { class: "timestamp", value: epochNs(row.beginNs) },
    { class: "timestamp", value: epochNs(row.endNs) },
    duration(row.durationNs),
    text(row.path),
    text(`${treeName(row.path)}${row.uncertain ? " (?)" : ""}`),
    text(dictionary(row.beginCaptures)),
    text(dictionary(row.endCaptures)),
    text(listed(row.beginCaptures)),
    text(listed(row.endCaptures)),
  ],
};

/** The reference tells the name alone here. */
const topTable: LogTable<PeriodRow> = {
  ...log,
  heading: "Period top",
  cells: (row, context) => log.cells({ ...row, path: row.name }, context),
};

/** Names at the margin, children below. */
function treeLines(shapes: readonly PeriodShape[]): string[] {
  return shapes.map(({ name, path }) => {
    const depth = path === "" ? 0 : path.split("/").length - 1;
    const shown = name === "" ? "(unnamed)" : name;
    return depth === 0 ? shown : `${"    ".repeat(depth - 1)}|-- ${shown}`;
  });
}

type Unit = (value: number) => ReturnType<typeof duration>;

function pairTable(
  name: "per_parent_stats" | "per_parent_percentage" | "per_parent_count",
  heading: string,
  which: string,
  rows: readonly PairStats[],
  pick: (row: PairStats) => NumberStats,
  unit: Unit,
  hidden: boolean,
): Table {
  const { columns, title } = tableClasses[name];
  const texts = [undefined, undefined, "Min", "Average", "Max", "Stdev"];
  return {
    hidden,
    class: name,
    title: `${title} [${which}]`,
    heading: `${heading}, ${which.toLowerCase()}`,
    view: { kind: "table" },
    columns: [
      { lami: undefined, text: "Period", class: "string" },
      { lami: undefined, text: "Parent", class: "string" },
      ...columns.map((lami, i): Column => ({ lami, text: texts[i] })),
    ],
    rows: rows.map((row): Row => {
      const { min, avg, max, stdev } = pick(row);
      return [
        text(lastName(row.child)),
        text(lastName(row.parent)),
        text(row.child),
        text(row.parent),
        unit(min),
        unit(avg),
        unit(max),
        stdev === null ? { class: "unknown" } : unit(stdev),
      ];
    }),
  };
}

function statsTables(result: PeriodsResult): Table[] {
  const { per_period_stats } = tableClasses;
  const tables: Table[] = [
    {
      class: undefined,
      heading: "Period tree",
      view: { kind: "table" },
      columns: [{ lami: undefined, text: "" }],
      rows: treeLines(result.definitions).map((line) => [text(line)]),
    },
  ];
  for (const group of result.groups) {
    const of = group.group === "" ? "" : ` (${group.group})`;
    tables.push({
      class: "per_period_stats",
      ...(group.group === "" ? {} : { title: `${per_period_stats.title} [${group.group}]` }),
      heading: `Period statistics${of}`,
      view: { kind: "table" },
      columns: [
        { lami: per_period_stats.columns[0], text: undefined },
        { lami: undefined, text: "Period", class: "string" },
        ...statsColumns(statsTail),
        { lami: per_period_stats.columns[6], text: "Runtime", drop: 6 },
      ],
      rows: group.periods.map(({ path, stats }) => [
        text(path),
        text(treeName(path)),
        ...statsCells(stats),
        duration(stats.totalNs),
      ]),
      notes: exactness(group.periods.map(({ stats }) => stats)),
    });
    for (const [which, rows] of [
      ["With active children", group.active],
      ["Globally", group.global],
    ] as const) {
      const name = group.group === "" ? which : `'${group.group}' - ${which}`;
      // Where every parent has such children, both are the same.
      const hidden = rows === group.global && isDeepStrictEqual(group.active, group.global);
      tables.push(
        pairTable(
          "per_parent_stats",
          "Per-parent period duration statistics",
          name,
          rows,
          (row) => row.duration,
          duration,
          hidden,
        ),
        pairTable(
          "per_parent_percentage",
          "Per-parent duration ratio (%)",
          name,
          rows,
          (row) => row.ratio,
          tenths,
          hidden,
        ),
        pairTable(
          "per_parent_count",
          "Per-parent period count statistics",
          name,
          rows,
          (row) => row.count,
          tenths,
          hidden,
        ),
      );
    }
  }
  return tables;
}

/** Ratios and counts have fractions, which `number` would not show. */
const tenths: Unit = (value) => number(Math.round(value * 1000) / 1000);

function aggregatedTables(
  result: PeriodsResult,
  { options, epochNs }: TableContext<PeriodsOptions>,
): Table[] {
  const { columns } = tableClasses.aggregated_stats;
  const groups = [...new Set(result.aggregated.map((row) => row.group))];
  return groups.map((group) => ({
    class: "aggregated_stats",
    ...(group === "" ? {} : { title: `${tableClasses.aggregated_stats.title} [${group}]` }),
    heading: `Aggregated by ${options.aggregateBy}${group === "" ? "" : `, group: ${group}`}`,
    view: { kind: "table" },
    columns: [
      { lami: columns[0], text: "Parent", drop: 9 },
      { lami: columns[1], text: "Begin" },
      { lami: columns[2], text: "End", drop: 8 },
      { lami: undefined, text: "Duration" },
      { lami: columns[3], text: undefined },
      { lami: undefined, text: "Child", class: "string" },
      ...statsColumns(columns.slice(4, 9)),
      { lami: columns[9], text: "Runtime" },
      { lami: columns[10], text: "Parent captures", drop: 7 },
    ],
    rows: result.aggregated
      .filter((row) => row.group === group)
      .sort((a, b) => a.parent.beginNs - b.parent.beginNs)
      .map(
        (row): Row => [
          text(row.parent.path),
          { class: "timestamp", value: epochNs(row.parent.beginNs) },
          { class: "timestamp", value: epochNs(row.parent.endNs) },
          duration(row.parent.durationNs),
          text(row.child),
          text(lastName(row.child)),
          ...statsCells(row.stats),
          duration(row.stats.totalNs),
          text(listed([...row.parent.beginCaptures, ...row.parent.endCaptures])),
        ],
      ),
  }));
}

/** Each child under its parent. */
function hierarchicalTables(
  result: PeriodsResult,
  { options, epochNs }: TableContext<PeriodsOptions>,
): Table[] {
  const { columns, title } = tableClasses.aggregated_log;
  const groups = [...new Set(result.aggregated.map((row) => row.group))];
  const stamp = (ns: number) => ({ class: "timestamp" as const, value: epochNs(ns) });
  return groups.map((group) => ({
    class: "aggregated_log",
    ...(group === "" ? {} : { title: `${title} [${group}]` }),
    heading: `Children of ${options.aggregateBy}${group === "" ? "" : `, group: ${group}`}`,
    view: { kind: "table" },
    columns: [
      { lami: columns[0], text: "Parent begin" },
      { lami: columns[1], text: undefined },
      { lami: columns[2], text: undefined },
      { lami: columns[3], text: "Child begin" },
      { lami: columns[4], text: "Child end", drop: 2 },
      { lami: columns[5], text: undefined },
      { lami: undefined, text: "Child", class: "string" },
      { lami: columns[6], text: "Duration" },
      { lami: columns[7], text: "of parent's", drop: 1 },
      { lami: columns[8], text: "Captures", drop: 3 },
    ],
    rows: result.aggregated
      .filter((row) => row.group === group)
      .flatMap(({ parent, instances }) => instances.map((child) => ({ parent, child })))
      .sort((a, b) => a.parent.beginNs - b.parent.beginNs || a.child.id - b.child.id)
      .map(
        ({ parent, child }): Row => [
          stamp(parent.beginNs),
          stamp(parent.endNs),
          text(parent.path),
          stamp(child.beginNs),
          stamp(child.endNs),
          text(child.path),
          text(lastName(child.path)),
          duration(child.durationNs),
          duration(parent.durationNs),
          text(
            listed([
              ...parent.beginCaptures,
              ...parent.endCaptures,
              ...child.beginCaptures,
              ...child.endCaptures,
            ]),
          ),
        ],
      ),
  }));
}

function frequencies(result: PeriodsResult, { options }: TableContext<PeriodsOptions>): Table[] {
  const kinds = {
    duration: { class: "freq_duration", unit: "us" },
    ratio: { class: "freq_ratio", unit: "%" },
    count: { class: "freq_count", unit: "count" },
  } as const;
  return (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((kind) => {
    const { title, columns } = tableClasses[kinds[kind].class];
    const all = result.groups.flatMap((group) => group.distributions.filter((d) => d.kind === kind));
    const tables = frequencyTables(
      all,
      {
        class: kinds[kind].class,
        columns,
        title: `${title} [NAME]`,
        heading: `${title} - NAME`,
        plainHeading: title,
        seriesTitle: title,
        unit: kinds[kind].unit,
      },
      { ...options, freqSeries: false },
    );
    if (kind === "duration") return tables;
    // Bounds are plain numbers here.
    return tables.map((table) => ({
      ...table,
      rows: [...table.rows].map((row) =>
        row.map((cell) => (cell?.class === "duration" ? tenths(cell.value) : cell)),
      ),
    }));
  });
}

/** What the tables do not show. */
function remarks({ counts }: PeriodsResult): string[] {
  const notes: string[] = [];
  for (const { path, begun, completed, uncertain } of counts) {
    const name = shownPath(path);
    if (begun === 0) notes.push(`${name}: its begin expression was never true.`);
    else if (completed < begun) {
      notes.push(
        `${name}: ${formatCount(begun)} began, ${formatCount(begun - completed)} of them did not end as defined.`,
      );
    }
    if (uncertain > 0) {
      notes.push(
        `${name}: during ${formatCount(uncertain)} event records were lost; the true end may be among them (?).`,
      );
    }
  }
  return notes;
}

const shownPath = (path: string): string => (path === "" ? "(unnamed)" : path);

/** The name, as far to the right as it is deep. */
function treeName(path: string): string {
  const depth = path === "" ? 0 : path.split("/").length - 1;
  return `${"  ".repeat(depth)}${shownPath(path.slice(path.lastIndexOf("/") + 1))}`;
}

const lastName = (path: string): string => shownPath(path.slice(path.lastIndexOf("/") + 1));

export const periods = defineAnalysis({
  name: "period",
  title: "Periods analysis",
  description: "Periods frequency distribution, statistics, top, and log",
  tags: ["period", "stats", "freq", "top", "log"],
  tableClasses,
  defaults: {
    limit: 10,
    ...FREQUENCY_DEFAULTS,
    log: false,
    stats: false,
    top: false,
    orderBy: "time",
    waterfall: false,
  } as PeriodsOptions,
  needs: () => ({ sched: false }),
  periodTrees: ({ stats, freq, aggregateBy, orderBy, waterfall }) =>
    waterfall || stats || freq || aggregateBy !== undefined || orderBy === "hierarchy",
  missing: () => [],
  open: (scope: Scope<PeriodsOptions>) => new Periods(scope),
  listen: {
    periodBegin: (acc: Periods, instance) => acc.begin(instance),
    periodEnd: (acc: Periods, instance) => acc.end(instance),
  },
  close(acc: Periods): PeriodsResult {
    acc.order.finish();
    const { options } = acc.scope;
    // Bins of ratios and counts are not bounded by --min and --max, which are durations.
    const unbounded = { ...options, minNs: undefined, maxNs: undefined };
    return {
      definitions: acc.scope.periods,
      counts: acc.scope.periods.map(({ path }, i) => ({
        path,
        begun: acc.begun[i]!,
        completed: acc.completed[i]!,
        uncertain: acc.uncertain[i]!,
      })),
      groups: [...acc.groups.values()].map((group) => {
        const of = group.group === "" ? "" : `'${group.group}' - `;
        const pairs = (which: "active" | "global") => [...group[which].values()];
        const bins = (
          kind: "duration" | "ratio" | "count",
          all: { name: string; series: Series }[],
        ): PeriodGroup["distributions"] =>
          distributions(all, kind === "duration" ? options : unbounded).map((d) => ({ ...d, kind }));
        const per = (which: "active" | "global", kind: "duration" | "ratio" | "count") => {
          const verb = { duration: "Duration of", ratio: "Usage ratio of", count: "Number of" }[kind];
          const prefix = which === "global" ? "Global: " : "";
          return bins(
            kind,
            pairs(which).map((p) => ({
              name: `${of}${prefix}${verb} ${p.child} per ${p.parent}`,
              series: p[kind],
            })),
          );
        };
        return {
          group: group.group,
          periods: acc.scope.periods.flatMap(({ path }) => {
            const series = group.periods.get(path);
            return series === undefined ? [] : [{ path, stats: statsOf(series) }];
          }),
          active: pairs("active").map((p) => p.result()),
          global: pairs("global").map((p) => p.result()),
          distributions: options.freq
            ? [
                ...bins(
                  "duration",
                  [...group.periods].map(([path, series]) => ({
                    name: `${of}Duration of period: ${path}`,
                    series,
                  })),
                ),
                ...(["active", "global"] as const).flatMap((which) =>
                  (["duration", "ratio", "count"] as const).flatMap((kind) => per(which, kind)),
                ),
              ]
            : [],
        };
      }),
      top: acc.top.rows(),
      aggregated: acc.aggregated,
      waterfalls: acc.waterfalls.rows(),
      log: acc.log.rows,
    };
  },
  log,
  tables(result, context) {
    const { options } = context;
    const tables: Table[] = [];
    if (options.stats) tables.push(...statsTables(result));
    if (options.freq) tables.push(...frequencies(result, context));
    const aggregating = options.aggregateBy !== undefined;
    if (options.log && !aggregating) tables.push(logTable(log, result.log, context));
    if (options.top) tables.push({ ...logTable(topTable, result.top, context), class: "top" });
    for (const { root, lines } of result.waterfalls) {
      const captures = listed([...root.beginCaptures, ...root.endCaptures]);
      tables.push({
        class: undefined,
        heading: `${shownPath(root.path)}${captures === "" ? "" : ` (${captures})`}`,
        view: { kind: "waterfall", lines, beginNs: context.epochNs(root.beginNs) },
        columns: [],
        rows: [],
        always: true,
      });
    }
    if (options.log && aggregating) {
      tables.push(...aggregatedTables(result, context), ...hierarchicalTables(result, context));
    }
    const notes = remarks(result);
    const last = tables.pop();
    if (last !== undefined) tables.push({ ...last, notes: [...(last.notes ?? []), ...notes] });
    return tables;
  },
});
