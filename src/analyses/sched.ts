/**
 * Scheduling latencies: from a wake-up to running. The wake-up counts from `sched_waking` where that is
 * recorded (the moment somebody decides to wake), else from `sched_wakeup`.
 */

import { Series } from "../base/series.js";
import { Top } from "../base/top.js";
import { softirqName } from "../kernel/names.js";
import type { Cpu, Thread } from "../kernel/state.js";
import { type CommonOptions, defineAnalysis, type Scope, type TableContext } from "./analysis.js";
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
  type Column,
  cpuCell,
  duration,
  number,
  processCell,
  type Table,
  type TableClass,
  type ThreadRef,
  text,
  threadNow,
  threadRef,
} from "./table.js";

export interface SchedOptions extends CommonOptions, FrequencyOptions, LogOptions<SchedRow> {
  readonly stats: boolean;
  readonly top: boolean;
  /** Groups of stats and freq. */
  readonly total: boolean;
  readonly perTid: boolean;
  readonly perPrio: boolean;
}

export interface SchedRow {
  /** `ns` since the source's origin. */
  readonly wakeupNs: number;
  readonly switchNs: number;
  readonly latencyNs: number;
  readonly priority: number;
  readonly cpu: number;
  /** Named as it was then. */
  readonly wakee: ThreadRef;
  /** The thread that woke it; null for interrupts and when not known. */
  readonly waker: ThreadRef | null;
  /** What woke it when no thread did: `irq 24 (virtio1)`, `softirq NET_RX`, `timer`, "" when not known. */
  readonly wakerInterrupt: string;
}

export interface SchedGroup {
  readonly stats: Stats;
  /** Those of `perTid`. */
  readonly thread?: ThreadRef;
  /** As they were set, oldest first. */
  readonly priorities?: readonly number[];
  /** That of `perPrio`. */
  readonly priority?: number;
}

export interface SchedResult {
  /** The event from which a latency counts. */
  readonly wakeEvent: string;
  readonly total: Stats;
  readonly perTid: readonly SchedGroup[];
  readonly perPrio: readonly SchedGroup[];
  /** Those of each group: total, per thread, per priority. */
  readonly distributions: readonly (readonly Distribution[])[];
  readonly top: readonly SchedRow[];
  /** Empty unless asked for. */
  readonly log: readonly SchedRow[];
}

interface ThreadSums {
  readonly thread: Thread;
  readonly series: Series;
  readonly priorities: number[];
}

/** Distributions keep more values than quantiles need. */
const KEEP_FOR_BINS = 1 << 20;

class Sched {
  readonly total: Series;
  readonly threads = new Map<Thread, ThreadSums>();
  readonly priorities = new Map<number, Series>();
  readonly top: Top<SchedRow>;
  readonly log: LogRows<SchedRow>;

  constructor(readonly scope: Scope<SchedOptions>) {
    const { options } = scope;
    this.total = this.series();
    this.top = new Top(options.top ? options.limit : 0);
    this.log = new LogRows(options);
  }

  series(): Series {
    return new Series(this.scope.budget, this.scope.options.freq ? KEEP_FOR_BINS : undefined);
  }

  add(thread: Thread, cpu: Cpu, latencyNs: number, ns: number): void {
    const { filter, options } = this.scope;
    if (!filter.cpu(cpu) || !filter.thread(thread)) return;
    if (options.minNs !== undefined && latencyNs < options.minNs) return;
    if (options.maxNs !== undefined && latencyNs > options.maxNs) return;
    const { prio } = thread;
    if (options.stats || options.freq) {
      this.total.add(latencyNs);
      let sums = this.threads.get(thread);
      if (sums === undefined) {
        sums = { thread, series: this.series(), priorities: [] };
        this.threads.set(thread, sums);
      }
      sums.series.add(latencyNs);
      if (sums.priorities[sums.priorities.length - 1] !== prio) sums.priorities.push(prio);
      let level = this.priorities.get(prio);
      if (level === undefined) {
        level = this.series();
        this.priorities.set(prio, level);
      }
      level.add(latencyNs);
    }
    const inTop = options.top && this.top.wants(latencyNs);
    if (!inTop && !options.log) return;
    const row = rowOf(thread, cpu, latencyNs, ns);
    if (inTop) this.top.add(latencyNs, row);
    if (options.log) this.log.add(row);
  }
}

function rowOf(thread: Thread, cpu: Cpu, latencyNs: number, ns: number): SchedRow {
  const { wakerThread, wakerKind, wakerNumber } = thread;
  let wakerInterrupt = "";
  if (wakerKind === "irq") wakerInterrupt = `irq ${wakerNumber} (${thread.host.irqName(wakerNumber)})`;
  else if (wakerKind === "softirq") wakerInterrupt = `softirq ${softirqName(wakerNumber)}`;
  else if (wakerKind === "timer" || wakerKind === "interrupt") wakerInterrupt = wakerKind;
  return {
    wakeupNs: ns - latencyNs,
    switchNs: ns,
    latencyNs,
    priority: thread.prio,
    cpu: cpu.number,
    wakee: threadNow(thread),
    waker: wakerThread === undefined ? null : threadNow(wakerThread),
    wakerInterrupt,
  };
}

const statsTail = [
  { title: "Scheduling count", class: "number", unit: "schedulings" },
  { title: "Minimum latency", class: "duration" },
  { title: "Average latency", class: "duration" },
  { title: "Maximum latency", class: "duration" },
  { title: "Scheduling latency standard deviation", class: "duration" },
] as const;
const rowColumns = [
  { title: "Wakeup timestamp", class: "timestamp" },
  { title: "Switch timestamp", class: "timestamp" },
  { title: "Scheduling latency", class: "duration" },
  { title: "Priority", class: "number" },
  { title: "Target CPU", class: "cpu" },
  { title: "Wakee process", class: "process" },
  { title: "Waker process", class: "process" },
] as const;

const tableClasses = {
  log: { title: "Scheduling log", columns: rowColumns },
  top: { title: "Scheduling top", columns: rowColumns },
  total_stats: { title: "Scheduling latency stats (total)", columns: statsTail },
  per_tid_stats: {
    title: "Scheduling latency stats (per-TID)",
    columns: [
      { title: "Wakee process", class: "process" },
      ...statsTail,
      { title: "Chronological priorities", class: "string" },
    ],
  },
  per_prio_stats: {
    title: "Scheduling latency stats (per-prio)",
    columns: [{ title: "Priority", class: "number" }, ...statsTail],
  },
  freq: {
    title: "Scheduling latency frequency distribution",
    columns: [
      { title: "Duration (lower bound)", class: "duration" },
      { title: "Duration (upper bound)", class: "duration" },
      { title: "Scheduling count", class: "number", unit: "schedulings" },
    ],
  },
} as const satisfies Record<string, TableClass>;

const log: LogTable<SchedRow> = {
  class: "log",
  heading: "Scheduling log",
  columns: [
    { lami: rowColumns[0], text: "Wakeup" },
    { lami: rowColumns[1], text: "Switch", drop: 3 },
    { lami: rowColumns[2], text: "Latency" },
    { lami: rowColumns[3], text: "Priority", drop: 2 },
    { lami: rowColumns[4], text: "CPU", drop: 1 },
    { lami: rowColumns[5], text: "Wakee" },
    { lami: rowColumns[6], text: undefined },
    { lami: undefined, text: "Waker", class: "process" },
  ],
  cells(row, { epochNs, hosts }) {
    const waker: Cell = row.waker === null ? null : processCell(hosts, row.waker);
    return [
      { class: "timestamp", value: epochNs(row.wakeupNs) },
      { class: "timestamp", value: epochNs(row.switchNs) },
      duration(row.latencyNs),
      number(row.priority),
      cpuCell(hosts, row.wakee.host, row.cpu),
      processCell(hosts, row.wakee),
      waker,
      waker ?? text(row.wakerInterrupt === "" ? "unknown" : row.wakerInterrupt),
    ];
  },
};

function statsTables(result: SchedResult, { options, hosts }: TableContext<SchedOptions>): Table[] {
  const { total_stats, per_tid_stats, per_prio_stats } = tableClasses;
  const tables: Table[] = [];
  if (options.total) {
    tables.push({
      class: "total_stats",
      heading: "Scheduling latency stats (total)",
      view: { kind: "table" },
      columns: statsColumns(total_stats.columns),
      rows: [statsCells(result.total)],
      notes: exactness([result.total]),
    });
  }
  if (options.perTid) {
    const columns: Column[] = [
      { lami: per_tid_stats.columns[0], text: "Process" },
      ...statsColumns(per_tid_stats.columns.slice(1)),
      { lami: per_tid_stats.columns[6], text: "Priorities", drop: 6 },
    ];
    tables.push({
      class: "per_tid_stats",
      heading: "Scheduling latency stats (per-TID)",
      view: { kind: "table" },
      columns,
      rows: result.perTid.map((row) => [
        processCell(hosts, row.thread!),
        ...statsCells(row.stats),
        text(`[${row.priorities!.join(", ")}]`),
      ]),
      notes: exactness(result.perTid.map((row) => row.stats)),
    });
  }
  if (options.perPrio) {
    tables.push({
      class: "per_prio_stats",
      heading: "Scheduling latency stats (per-prio)",
      view: { kind: "table" },
      columns: [
        { lami: per_prio_stats.columns[0], text: "Prio" },
        ...statsColumns(per_prio_stats.columns.slice(1)),
      ],
      rows: result.perPrio.map((row) => [number(row.priority!), ...statsCells(row.stats)]),
      notes: exactness(result.perPrio.map((row) => row.stats)),
    });
  }
  return tables;
}

export const sched = defineAnalysis({
  name: "sched",
  title: "Scheduling latencies analysis",
  description: "Scheduling latencies frequency distribution, statistics, top, and log",
  tags: ["sched", "stats", "freq", "top", "log"],
  tableClasses,
  defaults: {
    limit: 10,
    ...FREQUENCY_DEFAULTS,
    log: false,
    stats: false,
    top: false,
    total: false,
    perTid: true,
    perPrio: false,
  } as SchedOptions,
  needs: () => ({ irq: true }),
  missing: (names) => {
    const events = names.missing("schedSwitch");
    if (!names.has("schedWaking") && !names.has("schedWakeup")) events.push("sched_waking");
    return events.length === 0 ? [] : [{ what: "scheduling latencies", events, vital: true }];
  },
  open: (scope: Scope<SchedOptions>) => new Sched(scope),
  listen: {
    runQueueWait(acc: Sched, thread, cpu, waitNs, ns, woken) {
      if (woken) acc.add(thread, cpu, waitNs, ns);
    },
  },
  close(acc: Sched): SchedResult {
    const { options, model } = acc.scope;
    const threads = [...acc.threads.values()].sort((a, b) => {
      const [x, y] = [a.thread.name.toLowerCase(), b.thread.name.toLowerCase()];
      return x < y ? -1 : x > y ? 1 : a.thread.tid - b.thread.tid;
    });
    const priorities = [...acc.priorities].sort(([a], [b]) => a - b);
    const groups: { name: string; series: Series }[][] = [];
    if (options.freq) {
      if (options.total) groups.push([{ name: "", series: acc.total }]);
      if (options.perTid) {
        const byTid = [...threads].sort((a, b) => a.thread.tid - b.thread.tid);
        groups.push(byTid.map(({ thread, series }) => ({ name: `TID: ${thread.tid}`, series })));
      }
      if (options.perPrio)
        groups.push(priorities.map(([prio, series]) => ({ name: `Priority: ${prio}`, series })));
    }
    return {
      wakeEvent: model.names.has("schedWaking") ? "sched_waking" : "sched_wakeup",
      total: statsOf(acc.total),
      perTid: threads.map((sums) => ({
        thread: threadRef(sums.thread),
        priorities: sums.priorities,
        stats: statsOf(sums.series),
      })),
      perPrio: priorities.map(([priority, series]) => ({ priority, stats: statsOf(series) })),
      distributions: groups.map((group) => distributions(group, options)),
      top: acc.top.rows(),
      log: acc.log.rows,
    };
  },
  log,
  line: {
    columns: [
      { lami: undefined, text: "Wake-ups", class: "number" },
      { lami: undefined, text: "Waited", class: "duration" },
      { lami: undefined, text: "Longest", class: "duration" },
    ],
    options: { stats: true },
    cells: ({ total }) => [number(total.count), duration(total.totalNs), duration(total.maxNs)],
  },
  tables(result, context) {
    const { options } = context;
    const tables: Table[] = [];
    if (options.stats) tables.push(...statsTables(result, context));
    if (options.freq) {
      const texts = {
        class: "freq",
        columns: tableClasses.freq.columns,
        title: "Scheduling latency frequency distribution [NAME]",
        heading: "Scheduling latency frequency distribution - NAME",
        plainHeading: "Scheduling latency frequency distribution - total",
        seriesTitle: "Scheduling latencies frequency distributions",
        unit: "schedulings",
      };
      for (const group of result.distributions) tables.push(...frequencyTables(group, texts, options));
    }
    if (options.log) tables.push(logTable(log, result.log, context));
    if (options.top) {
      tables.push({ ...logTable(log, result.top, context), class: "top", heading: "Scheduling top" });
    }
    const last = tables[tables.length - 1];
    if (last !== undefined) {
      const note = `Latencies count from ${result.wakeEvent}.`;
      tables[tables.length - 1] = { ...last, notes: [...(last.notes ?? []), note] };
    }
    return tables;
  },
});
