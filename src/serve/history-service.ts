/** The thread that holds an experiment's history: builds or loads it, and answers what viewers ask of it. */

import { lowerBound } from "../base/columns.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { alignedTraces } from "../explain/aligned.js";
import { HistoryBuilder } from "../history/builder.js";
import { cachedHistory, cachePath, keepHistory } from "../history/cache.js";
import type { History } from "../history/history.js";
import { type MomentDetails, momentOf, runningInstead } from "../history/labels.js";
import {
  distributionIn,
  futexLatencies,
  irqLatencies,
  type Latencies,
  type LatencyLine,
  type LatencySource,
  type LatencyStats,
  latenciesIn,
  lineOf,
  nearestLatency,
  periodLatencies,
  schedulingLatencies,
  statsIn,
  syscallLatencies,
} from "../history/latencies.js";
import { PeriodTable, type PeriodTableData, tableOf } from "../history/period-table.js";
import type { Stretch } from "../history/pixels.js";
import {
  addUse,
  cpuShareIn,
  densityIn,
  type Series,
  type StateLine,
  seriesIn,
  statesIn,
  type WakeLine,
  wakesIn,
} from "../history/queries.js";
import {
  activeTimes,
  type IrqSum,
  irqsIn,
  type RangeSummary,
  type SyscallSum,
  summarise,
  syscallsIn,
} from "../history/range-summary.js";
import { DamagedHistory } from "../history/store.js";
import type { PeriodLine, RowInfo } from "../page/contract.js";

/** Long steps would keep callers waiting, short ones cost. */
const STEP_MS = 25;

export interface HistoryTask {
  readonly paths: readonly string[];
  /** Do not look into the cache folder, nor write there. */
  readonly noCache: boolean;
}

export interface HistoryInfo {
  readonly originNs: bigint;
  readonly beginNs: number;
  readonly endNs: number;
  readonly knownUntilNs: number;
  readonly eventRecords: number;
  readonly complete: boolean;
  readonly done: number;
  readonly hosts: readonly string[];
  readonly rows: readonly RowInfo[];
  readonly notes: readonly string[];
}

function complainOf({ message }: DamagedHistory): void {
  process.stderr.write(`periscope: ${message}; the history is built again\n`);
}

export class HistoryService {
  history: History;
  #builder: HistoryBuilder | undefined;
  readonly #paths: readonly string[];
  readonly #cachePath: string;
  #notes: readonly string[] = [];
  /** By the key of their definitions; "": those of the experiment. */
  readonly #periods = new Map<string, PeriodTable>();
  readonly #latencyTables = new Map<string, Latencies>();
  #failure: string | undefined;

  /** Throws `PeriscopeError` when a path has no traces. */
  constructor({ paths, noCache }: HistoryTask) {
    this.#paths = paths;
    this.#cachePath = noCache ? "" : cachePath(paths);
    const cached = noCache ? undefined : this.#cached();
    if (cached !== undefined) {
      this.history = cached;
      return;
    }
    const builder = this.#begin();
    this.#builder = builder;
    this.history = builder.history;
    setImmediate(() => this.#build(builder));
  }

  #cached(): History | undefined {
    try {
      return cachedHistory(this.#cachePath);
    } catch (error) {
      if (!(error instanceof DamagedHistory)) throw error;
      complainOf(error);
      return undefined;
    }
  }

  #begin(): HistoryBuilder {
    const source = alignedTraces(this.#paths).open();
    if (source.info.traces.length === 0) throw new PeriscopeError(source.failures.join("; "));
    this.#notes = source.experiment.notes();
    return new HistoryBuilder(source);
  }

  /**
   * Builds the history again, at once, after a row of the kept one turned out to be damaged. Nothing is answered
   * meanwhile: viewers were told already that all is known. Rows have the same numbers as before.
   */
  rebuild(damage: DamagedHistory): void {
    complainOf(damage);
    const builder = this.#begin();
    while (!builder.step(Number.POSITIVE_INFINITY));
    this.#builder = builder;
    this.history = builder.history;
    this.#keep();
  }

  #build(builder: HistoryBuilder): void {
    try {
      if (!builder.step(STEP_MS)) {
        setImmediate(() => this.#build(builder));
        return;
      }
      this.#keep();
    } catch (error) {
      this.#failure = (error as Error).message;
    }
  }

  #keep(): void {
    if (this.#cachePath === "") return;
    const failure = keepHistory(this.history, this.#cachePath);
    if (failure !== undefined) this.history.problems = [...this.history.problems, failure];
  }

  /** Throws `PeriscopeError` when building failed. */
  info(withRows: boolean): HistoryInfo {
    const { history } = this;
    if (this.#failure !== undefined) throw new PeriscopeError(this.#failure);
    return {
      originNs: history.originNs,
      beginNs: history.beginNs,
      endNs: history.endNs,
      knownUntilNs: history.untilNs,
      eventRecords: history.eventRecords,
      complete: history.complete,
      done: history.complete ? 1 : (this.#builder?.done ?? 1),
      hosts: history.hosts,
      rows: withRows ? this.#rows() : [],
      notes: history.complete ? history.problems : this.#notes,
    };
  }

  #rows(): RowInfo[] {
    const { history } = this;
    const active = activeTimes(history);
    return history.rows.map((row): RowInfo => {
      const { label, tid, pid, process, container } = history.names[row.id]!;
      return {
        id: row.id,
        kind: row.kind,
        host: history.hosts[row.host] ?? "",
        label,
        tid,
        pid,
        process,
        container,
        activeNs: active[row.id]!,
        states: row.length,
      };
    });
  }

  /** See `TILE_PIXELS`; the moment up to which the trace was read is in `info`. */
  tile(rows: readonly number[], level: number, index: number, pixels: number): Uint8Array {
    const pixelNs = 2 ** level;
    return this.pixels(rows, this.history.beginNs + index * pixels * pixelNs, pixelNs, pixels);
  }

  pixels(rows: readonly number[], beginNs: number, pixelNs: number, count: number): Uint8Array {
    const { history } = this;
    const out = new Uint8Array(2 * count * rows.length);
    rows.forEach((id, i) => {
      const row = history.rows[id];
      if (row !== undefined) {
        history.pixels.read(row, beginNs, pixelNs, count, history.untilNs, out, 2 * count * i);
      }
    });
    return out;
  }

  states(
    rows: readonly number[],
    range: Stretch,
    most: number,
    leastNs = 0,
  ): { row: number; tooMany: boolean; states: StateLine[] }[] {
    return rows
      .filter((id) => this.history.rows[id] !== undefined)
      .map((row) => {
        const states = statesIn(this.history, this.history.rows[row]!, range, most, leastNs);
        return { row, tooMany: states === undefined, states: states ?? [] };
      });
  }

  at(row: number, ns: number): MomentDetails | undefined {
    return momentOf(this.history, row, ns);
  }

  arrows(
    range: Stretch,
    rows: readonly number[] | undefined,
    most: number,
  ): { readonly tooMany: boolean; readonly wakes: readonly WakeLine[] } {
    return wakesIn(this.history, range, rows === undefined ? undefined : new Set(rows), most);
  }

  density(range: Stretch, pixels: number): number[] {
    return densityIn(this.history, range, pixels);
  }

  series(range: Stretch, pixels: number): Series[] {
    return seriesIn(this.history, range, pixels);
  }

  cpuShare(range: Stretch, pixels: number): number[] {
    return cpuShareIn(this.history, range, pixels);
  }

  /** Share of each pixel that a row was on a CPU. */
  rowShare(id: number, range: Stretch, pixels: number): number[] {
    const row = this.history.rows[id];
    const sums = new Float64Array(pixels);
    const pixelNs = Math.max(1, (range.endNs - range.beginNs) / pixels);
    if (row !== undefined) addUse(row, range.beginNs, range.endNs, pixelNs, this.history.untilNs, sums);
    return Array.from(sums, (ns) => ns / pixelNs);
  }

  range(range: Stretch): RangeSummary {
    return summarise(this.history, range);
  }

  syscallSums(range: Stretch): SyscallSum[] {
    return syscallsIn(this.history, range);
  }

  irqSums(range: Stretch): IrqSum[] {
    return irqsIn(this.history, range);
  }

  latencies(source: LatencySource, range: Stretch, most: number, key = ""): LatencyLine[] {
    return latenciesIn(this.#latencies(source, key), range, most);
  }

  latencyStats(source: LatencySource, range: Stretch, key = ""): LatencyStats[] {
    return statsIn(this.#latencies(source, key), range);
  }

  latencyDistribution(source: LatencySource, range: Stretch, bins: number, what: string, key = "") {
    return distributionIn(this.#latencies(source, key), range, bins, what);
  }

  /** Lines of the table of all latencies, and how many there are. */
  latencyLines(
    source: LatencySource,
    index: number,
    count: number,
    key = "",
  ): { total: number; lines: LatencyLine[] } {
    const all = this.#latencies(source, key);
    const lines: LatencyLine[] = [];
    for (let i = Math.max(0, index); i < Math.min(all.length, index + count); i++) lines.push(lineOf(all, i));
    return { total: all.length, lines };
  }

  nearestLatency(
    source: LatencySource,
    ns: number,
    durationNs: number | undefined,
    what: string,
    key = "",
  ): LatencyLine | undefined {
    return nearestLatency(this.#latencies(source, key), ns, durationNs, what);
  }

  /** Place of the first latency that ended at or after a moment. */
  latencyIndex(source: LatencySource, ns: number, key = ""): number {
    const { end, length } = this.#latencies(source, key);
    return lowerBound(end, length, ns);
  }

  #latencies(source: LatencySource, key: string): Latencies {
    const { history } = this;
    const name = `${source} ${key}`;
    let all = this.#latencyTables.get(name);
    if (all === undefined) {
      const table = this.#periods.get(key);
      if (source === "periods") all = periodLatencies(history, table ?? new PeriodTable("", []));
      else if (source === "syscalls") all = syscallLatencies(history);
      else if (source === "irqs") all = irqLatencies(history);
      else if (source === "futexes") all = futexLatencies(history);
      else all = schedulingLatencies(history);
      // What still grows is made anew every time.
      if (history.complete && (source !== "periods" || table !== undefined))
        this.#latencyTables.set(name, all);
    }
    return all;
  }

  setPeriods(data: PeriodTableData, key = ""): void {
    this.#periods.set(key, tableOf(data));
  }

  periodTable(key = ""): { profile: string; definitions: PeriodTable["definitions"] } | undefined {
    const table = this.#periods.get(key);
    return table === undefined ? undefined : { profile: table.profile, definitions: table.definitions };
  }

  /** Instances that touch the range; beyond `limit` the longest. */
  periods(
    { beginNs, endNs }: Stretch,
    limit: number,
    key = "",
  ): { tooMany: boolean; instances: PeriodLine[] } {
    const table = this.#periods.get(key);
    if (table === undefined) return { tooMany: false, instances: [] };
    const { of, length } = table.lines;
    let found: number[] = [];
    for (let i = 0; i < length && of.begin[i]! <= endNs; i++) if (!(of.end[i]! < beginNs)) found.push(i);
    const tooMany = found.length > limit;
    if (tooMany) {
      const length = (i: number) => this.#endOf(table, i) - of.begin[i]!;
      found = found
        .sort((a, b) => length(b) - length(a))
        .slice(0, limit)
        .sort((a, b) => a - b);
    }
    return { tooMany, instances: found.map((i) => this.#period(table, i)) };
  }

  /** Of open ones the trace's. */
  #endOf({ lines }: PeriodTable, i: number): number {
    const endNs = lines.of.end[i]!;
    return Number.isNaN(endNs) ? this.history.endNs : endNs;
  }

  #period(table: PeriodTable, i: number): PeriodLine {
    const { of } = table.lines;
    const endNs = this.#endOf(table, i);
    const tid = of.tid[i]!;
    const row = tid < 0 ? -1 : this.history.rowOfThread(of.host[i]!, tid, of.begin[i]!);
    return [i, of.definition[i]!, of.begin[i]!, endNs, row, of.parent[i]!];
  }

  /** Throws `UsageError` when there is no such instance. */
  instance(id: number): {
    readonly id: number;
    readonly path: string;
    readonly beginNs: number;
    readonly endNs: number;
    readonly row: number;
    readonly captures: readonly (readonly [string, string])[];
    readonly rank: number;
    /** From 1, among the instances of its period. */
    readonly number: number;
  } {
    const table = this.#periods.get("");
    if (table === undefined || !(id >= 0 && id < table.lines.length))
      throw new UsageError(`no instance ${id}`);
    const [, definition, beginNs, endNs, row] = this.#period(table, id);
    const durations = table.durations(definition);
    const { of } = table.lines;
    let number = 0;
    for (let i = 0; i <= id; i++) if (of.definition[i] === definition) number++;
    return {
      id,
      path: table.definitions[definition]!.path,
      beginNs,
      endNs,
      row,
      captures: table.captures.get(id) ?? [],
      rank: lowerBound(durations, durations.length, endNs - beginNs) / Math.max(1, durations.length),
      number,
    };
  }

  /** Durations of completed instances by definition: ascending. */
  periodDurations(): { path: string; durations: Float64Array }[] {
    const table = this.#periods.get("");
    if (table === undefined) return [];
    return table.definitions.map(({ path }, i) => ({ path, durations: table.durations(i) }));
  }

  /** Rows of the threads that CPUs ran at these moments; -1 not known. */
  running(
    moments: readonly { readonly host: number; readonly cpu: number; readonly ns: number }[],
  ): number[] {
    return moments.map(({ host, cpu, ns }) => runningInstead(this.history, host, cpu, ns));
  }

  /** Rows of threads by number, as they lived at these moments; -1 none. */
  rowsOf(threads: readonly { readonly host: string; readonly tid: number; readonly ns: number }[]): number[] {
    const { history } = this;
    return threads.map(({ host, tid, ns }) =>
      history.rowOfThread(Math.max(0, history.hosts.indexOf(host)), tid, ns),
    );
  }

  holes(): { beginNs: number; endNs: number; count: number }[] {
    const { of, length } = this.history.tables.holes;
    return Array.from({ length }, (_, i) => ({
      beginNs: of.begin[i]!,
      endNs: of.end[i]!,
      count: of.count[i]!,
    }));
  }

  parents(): number[] {
    return this.history.names.map(({ parent }) => parent);
  }
}
