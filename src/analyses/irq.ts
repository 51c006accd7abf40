/** Interrupt handlers and softirqs: how long they take, and how long softirqs wait after they are raised. */

import { Series } from "../base/series.js";
import { softirqName } from "../kernel/names.js";
import type { Cpu, Host } from "../kernel/state.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import {
  type Distribution,
  distributions,
  FREQUENCY_DEFAULTS,
  type FrequencyOptions,
  frequencyTables,
} from "./frequency.js";
import { type LogOptions, LogRows, type LogTable, logTable } from "./log.js";
import { exactness, type Stats, statsCells, statsColumns, statsOf } from "./stats.js";
import {
  type Cell,
  cpuCell,
  duration,
  hostOf,
  number,
  type Table,
  type TableClass,
  timeRange,
} from "./table.js";

export interface IrqOptions extends CommonOptions, FrequencyOptions, LogOptions<IrqRow> {
  readonly stats: boolean;
  /** Numbers to keep; when only one of the two is given, the other kind is left out. */
  readonly irqs?: readonly number[];
  readonly softirqs?: readonly number[];
}

export interface IrqRef {
  readonly host: number;
  readonly hard: boolean;
  readonly number: number;
  /** Several handlers of one line are joined by `, `. */
  readonly name: string;
}

export interface IrqRow {
  readonly irq: IrqRef;
  readonly cpu: number;
  /** `ns` since the source's origin. */
  readonly beginNs: number;
  readonly endNs: number;
  /** Of a softirq whose raise was seen. */
  readonly raiseNs: number | null;
}

export interface IrqSums {
  readonly irq: IrqRef;
  readonly handler: Stats;
  /** From raise to begin, of those softirqs whose raise was seen. */
  readonly raise: Stats;
}

export interface IrqResult {
  readonly count: number;
  readonly hard: readonly IrqSums[];
  readonly soft: readonly IrqSums[];
  readonly distributions: readonly Distribution[];
  readonly log: readonly IrqRow[];
}

interface Sums {
  readonly host: Host;
  readonly hard: boolean;
  readonly number: number;
  readonly handler: Series;
  readonly raise: Series;
}

const KEEP_FOR_BINS = 1 << 20;

class Irq {
  readonly #byHost: Map<number, Sums>[] = [];
  readonly log: LogRows<IrqRow>;
  readonly irqs: ReadonlySet<number> | undefined;
  readonly softirqs: ReadonlySet<number> | undefined;
  count = 0;

  constructor(readonly scope: Scope<IrqOptions>) {
    const { irqs, softirqs } = scope.options;
    this.log = new LogRows(scope.options);
    const other = irqs !== undefined || softirqs !== undefined ? new Set<number>() : undefined;
    this.irqs = irqs === undefined ? other : new Set(irqs);
    this.softirqs = softirqs === undefined ? other : new Set(softirqs);
  }

  /** Those of one host by number; softirqs count below zero. */
  sums(host: Host, hard: boolean, number: number): Sums {
    const key = hard ? number : -1 - number;
    let map = this.#byHost[host.index];
    if (map === undefined) this.#byHost[host.index] = map = new Map();
    let sums = map.get(key);
    if (sums === undefined) {
      const keep = this.scope.options.freq ? KEEP_FOR_BINS : undefined;
      const { budget } = this.scope;
      sums = { host, hard, number, handler: new Series(budget, keep), raise: new Series(budget) };
      map.set(key, sums);
    }
    return sums;
  }

  everything(): Sums[] {
    return this.#byHost
      .flatMap((map) => [...map.values()])
      .sort((a, b) => Number(b.hard) - Number(a.hard) || a.host.index - b.host.index || a.number - b.number);
  }

  add(cpu: Cpu, hard: boolean, number: number, raiseNs: number, beginNs: number, endNs: number): void {
    const { filter, options } = this.scope;
    if (!filter.cpu(cpu) || !filter.thread(cpu.current)) return;
    const wanted = hard ? this.irqs : this.softirqs;
    if (wanted !== undefined && !wanted.has(number)) return;
    const spent = endNs - beginNs;
    if (options.minNs !== undefined && spent < options.minNs) return;
    if (options.maxNs !== undefined && spent > options.maxNs) return;
    this.count++;
    const sums = this.sums(cpu.host, hard, number);
    sums.handler.add(spent);
    const raised = !Number.isNaN(raiseNs);
    if (raised) sums.raise.add(beginNs - raiseNs);
    if (options.log) {
      this.log.add({
        irq: refOf(cpu.host, hard, number),
        cpu: cpu.number,
        beginNs,
        endNs,
        raiseNs: raised ? raiseNs : null,
      });
    }
  }
}

function refOf(host: Host, hard: boolean, number: number): IrqRef {
  const name = hard ? host.irqName(number) : `${softirqName(number)}_SOFTIRQ`;
  return { host: host.index, hard, number, name };
}

function irqCell(hosts: readonly string[], irq: IrqRef): Cell {
  return { class: "irq", hard: irq.hard, nr: irq.number, name: irq.name, ...hostOf(hosts, irq.host) };
}

const irqColumn = { title: "Interrupt", class: "irq" } as const;
const statsTail = [
  { title: "Interrupt count", class: "number", unit: "interrupts" },
  { title: "Minimum duration", class: "duration" },
  { title: "Average duration", class: "duration" },
  { title: "Maximum duration", class: "duration" },
  { title: "Interrupt duration standard deviation", class: "duration" },
] as const;
const raiseTail = [
  { title: "Interrupt raise count", class: "number", unit: "interrupt raises" },
  { title: "Minimum raise latency", class: "duration" },
  { title: "Average raise latency", class: "duration" },
  { title: "Maximum raise latency", class: "duration" },
  { title: "Interrupt raise latency standard deviation", class: "duration" },
] as const;

const tableClasses = {
  log: {
    title: "Interrupt log",
    columns: [
      { title: "Time range", class: "time-range" },
      { title: "Raised timestamp", class: "timestamp" },
      { title: "CPU", class: "cpu" },
      irqColumn,
    ],
  },
  "hard-stats": { title: "Hardware interrupt statistics", columns: [irqColumn, ...statsTail] },
  "soft-stats": { title: "Software interrupt statistics", columns: [irqColumn, ...statsTail, ...raiseTail] },
  freq: {
    title: "Interrupt handler duration frequency distribution",
    columns: [
      { title: "Duration (lower bound)", class: "duration" },
      { title: "Duration (upper bound)", class: "duration" },
      { title: "Interrupt count", class: "number", unit: "interrupts" },
    ],
  },
  summary: {
    title: "Interrupt statistics - summary",
    columns: [
      { title: "Time range", class: "time-range" },
      { title: "Total interrupt count", class: "number", unit: "interrupts" },
    ],
  },
} as const satisfies Record<string, TableClass>;

const log: LogTable<IrqRow> = {
  class: "log",
  heading: "Interrupt log",
  columns: [
    { lami: tableClasses.log.columns[0], text: undefined },
    { lami: undefined, text: "Begin", class: "timestamp" },
    { lami: undefined, text: "End", class: "timestamp", drop: 2 },
    { lami: undefined, text: "Duration", class: "duration" },
    { lami: tableClasses.log.columns[2], text: "CPU" },
    { lami: tableClasses.log.columns[3], text: "Interrupt" },
    { lami: tableClasses.log.columns[1], text: "Raised", drop: 1 },
  ],
  cells: (row, { epochNs, hosts }) => [
    timeRange(epochNs(row.beginNs), epochNs(row.endNs)),
    { class: "timestamp", value: epochNs(row.beginNs) },
    { class: "timestamp", value: epochNs(row.endNs) },
    duration(row.endNs - row.beginNs),
    cpuCell(hosts, row.irq.host, row.cpu),
    irqCell(hosts, row.irq),
    row.raiseNs === null ? null : { class: "timestamp", value: epochNs(row.raiseNs) },
  ],
};

/** Columns of softirqs: handler time, then raise latency. */
const softColumns = [
  { lami: irqColumn, text: "Soft IRQ" },
  ...statsColumns(statsTail),
  ...statsColumns(raiseTail).map((column) => ({
    ...column,
    text: column.text === "Count" ? "Raised" : `Raise ${column.text!.toLowerCase()}`,
    // The text tells what matters most; all of it is in the machine outputs.
    drop: column.text === "Count" || column.text === "Average" ? 7 : 8 + (column.drop ?? 0),
  })),
];

export const irq = defineAnalysis({
  name: "irq",
  title: "System interrupt analysis",
  description: "Interrupt frequency distribution, statistics, and log",
  tags: ["interrupt", "stats", "freq", "log"],
  tableClasses,
  defaults: {
    limit: Number.POSITIVE_INFINITY,
    ...FREQUENCY_DEFAULTS,
    log: false,
    stats: false,
  } as IrqOptions,
  needs: () => ({ irq: true }),
  missing: (names) => {
    const hard = names.missing("irqEntry", "irqExit");
    const soft = names.missing("softirqEntry", "softirqExit");
    const raise = names.missing("softirqRaise");
    const vital = hard.length > 0 && soft.length > 0;
    return [
      { what: "hard interrupts", events: hard, vital },
      { what: "softirqs", events: soft, vital },
      { what: "raise latencies of softirqs", events: raise },
    ].filter(({ events }) => events.length > 0);
  },
  open: (scope: Scope<IrqOptions>) => new Irq(scope),
  listen: {
    irqEnd(acc: Irq, cpu, number, beginNs, endNs) {
      acc.add(cpu, true, number, Number.NaN, beginNs, endNs);
    },
    softirqEnd(acc: Irq, cpu, vector, raiseNs, beginNs, endNs) {
      acc.add(cpu, false, vector, raiseNs, beginNs, endNs);
    },
  },
  close(acc: Irq): IrqResult {
    const { options } = acc.scope;
    const all = acc.everything();
    const sums = (hard: boolean): IrqSums[] =>
      all
        .filter((s) => s.hard === hard)
        .map((s) => ({
          irq: refOf(s.host, hard, s.number),
          handler: statsOf(s.handler),
          raise: statsOf(s.raise),
        }));
    return {
      count: acc.count,
      hard: sums(true),
      soft: sums(false),
      distributions: options.freq
        ? distributions(
            all.map((s) => ({
              name: `${refOf(s.host, s.hard, s.number).name} (${s.number})`,
              series: s.handler,
            })),
            options,
          )
        : [],
      log: acc.log.rows,
    };
  },
  log,
  summary: (result) => [[number(result.count)]],
  line: {
    columns: [
      { lami: undefined, text: "Interrupts", class: "number" },
      { lami: undefined, text: "Time", class: "duration" },
    ],
    cells: ({ count, hard, soft }) => [
      number(count),
      duration([...hard, ...soft].reduce((sum, { handler }) => sum + handler.totalNs, 0)),
    ],
  },
  tables(result, context) {
    const { options, hosts } = context;
    const tables: Table[] = [];
    if (options.stats) {
      tables.push({
        class: "hard-stats",
        heading: "Hard IRQ",
        view: { kind: "table" },
        columns: [{ lami: irqColumn, text: "Hard IRQ" }, ...statsColumns(statsTail)],
        rows: result.hard.map((row) => [irqCell(hosts, row.irq), ...statsCells(row.handler)]),
        notes: exactness(result.hard.map((row) => row.handler)),
      });
      tables.push({
        class: "soft-stats",
        heading: "Soft IRQ",
        view: { kind: "table" },
        columns: softColumns,
        rows: result.soft.map((row) => {
          const raise = statsCells(row.raise);
          return [irqCell(hosts, row.irq), ...statsCells(row.handler), ...raise];
        }),
        notes: exactness(result.soft.map((row) => row.handler)),
      });
    }
    if (options.freq) {
      const texts = {
        class: "freq",
        columns: tableClasses.freq.columns,
        title: "Interrupt handler duration frequency distribution [NAME]",
        heading: "Handler duration frequency distribution NAME",
        plainHeading: "",
        seriesTitle: "Interrupt handlers duration frequency distributions",
        unit: "interrupts",
      };
      tables.push(...frequencyTables(result.distributions, texts, options));
    }
    if (options.log) tables.push(logTable(log, result.log, context));
    return tables;
  },
});
