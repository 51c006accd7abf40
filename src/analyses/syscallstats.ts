/** System calls by thread and name: how many, how long, with which results. A call counts when it ends. */

import { Series } from "../base/series.js";
import { errnoName } from "../kernel/errno.js";
import type { Cpu, Thread } from "../kernel/state.js";
import type { Syscall } from "../kernel/syscall-table.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import { exactness, type Stats, statsCells, statsColumns, statsOf } from "./stats.js";
import {
  duration,
  number,
  processCell,
  type Table,
  type TableClass,
  type ThreadRef,
  text,
  threadRef,
} from "./table.js";

export interface SyscallStatsCall {
  readonly name: string;
  /** Called by a 32-bit program on a 64-bit kernel. */
  readonly compat: boolean;
  readonly stats: Stats;
  /** Of `stats.totalNs`. */
  readonly blockedNs: number;
  /** `success` and names of errors, in the order in which they were seen first. */
  readonly results: readonly { readonly name: string; readonly count: number }[];
}

export interface SyscallStatsThread {
  readonly thread: ThreadRef;
  readonly count: number;
  readonly errors: number;
  readonly calls: readonly SyscallStatsCall[];
}

export interface SyscallStatsResult {
  /** Most calls first. */
  readonly threads: readonly SyscallStatsThread[];
  /** Over all threads; most calls first. */
  readonly calls: readonly SyscallStatsCall[];
  readonly count: number;
}

class CallSums {
  readonly series: Series;
  blockedNs = 0;
  /** By error number; 0 is success, NaN a call that returns nothing. */
  readonly results = new Map<number, number>();
  constructor(
    readonly syscall: Syscall,
    scope: Scope<CommonOptions>,
  ) {
    this.series = new Series(scope.budget);
  }

  add(spent: number, thread: Thread): void {
    this.series.add(spent);
    this.blockedNs += thread.syscallBlockedNs;
    const { syscallRet: ret } = thread;
    // Addresses above 2^63 (mmap on some machines) are no errors: the kernel's range is -1 to -4095.
    const result = ret < 0 && ret >= -4095 ? -ret : Number.isNaN(ret) ? ret : 0;
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
  }
}

interface ThreadSums {
  readonly thread: Thread;
  count: number;
  readonly calls: Map<Syscall, CallSums>;
}

class SyscallStats {
  readonly threads = new Map<Thread, ThreadSums>();
  readonly calls = new Map<Syscall, CallSums>();
  #last: ThreadSums | undefined;
  constructor(readonly scope: Scope<CommonOptions>) {}

  add(thread: Thread, cpu: Cpu | undefined, ns: number): void {
    const { filter } = this.scope;
    if (!filter.thread(thread) || (cpu !== undefined && !filter.cpu(cpu))) return;
    let sums = this.#last;
    if (sums === undefined || sums.thread !== thread) {
      sums = this.threads.get(thread);
      if (sums === undefined) {
        sums = { thread, count: 0, calls: new Map() };
        this.threads.set(thread, sums);
      }
      this.#last = sums;
    }
    sums.count++;
    const syscall = thread.syscall!;
    const spent = ns - thread.syscallBeginNs;
    for (const calls of [sums.calls, this.calls]) {
      let call = calls.get(syscall);
      if (call === undefined) {
        call = new CallSums(syscall, this.scope);
        calls.set(syscall, call);
      }
      call.add(spent, thread);
    }
  }
}

function callsOf(calls: Iterable<CallSums>): SyscallStatsCall[] {
  return [...calls]
    .sort((a, b) => b.series.count - a.series.count)
    .map(({ syscall, series, blockedNs, results }) => ({
      name: syscall.name,
      compat: syscall.compat,
      stats: statsOf(series),
      blockedNs,
      results: [...results].map(([errno, count]) => ({
        name: errno === 0 ? "success" : Number.isNaN(errno) ? "no result" : errnoName(errno),
        count,
      })),
    }));
}

/** As the reference writes it: a Python dictionary. */
function resultsText(call: SyscallStatsCall): string {
  return `{${call.results.map(({ name, count }) => `'${name}': ${count}`).join(", ")}}`;
}

const statsTail = [
  { title: "Call count", class: "number", unit: "calls" },
  { title: "Minimum call duration", class: "duration" },
  { title: "Average call duration", class: "duration" },
  { title: "Maximum call duration", class: "duration" },
  { title: "Call duration standard deviation", class: "duration" },
] as const;

const tableClasses = {
  "per-tid": {
    title: "System call statistics",
    columns: [
      { title: "System call", class: "syscall" },
      ...statsTail,
      { title: "Return values count", class: "string" },
    ],
  },
  total: {
    title: "Per-TID system call statistics",
    columns: [
      { title: "Process", class: "process" },
      { title: "Total system call count", class: "number", unit: "calls" },
    ],
  },
  summary: {
    title: "System call statistics - summary",
    columns: [
      { title: "Time range", class: "time-range" },
      { title: "Process", class: "process" },
      { title: "Total system call count", class: "number", unit: "calls" },
    ],
  },
} as const satisfies Record<string, TableClass>;

export const syscallstats = defineAnalysis({
  name: "syscallstats",
  title: "System call statistics",
  description: "Per-TID and global system call statistics",
  tags: ["syscall", "stats"],
  tableClasses,
  defaults: { limit: Number.POSITIVE_INFINITY },
  needs: () => ({ syscalls: true }),
  missing: (names) =>
    names.hasSyscalls
      ? []
      : [{ what: "system calls", events: ["syscall_entry_*", "syscall_exit_*"], vital: true }],
  open: (scope: Scope<CommonOptions>) => new SyscallStats(scope),
  listen: {
    syscallEnd(acc: SyscallStats, thread, ns) {
      acc.add(thread, thread.host.cpus[thread.cpu], ns);
    },
  },
  close(acc: SyscallStats): SyscallStatsResult {
    const threads = [...acc.threads.values()].sort(
      (a, b) => b.count - a.count || a.thread.tid - b.thread.tid,
    );
    const { limit } = acc.scope.options;
    return {
      threads: threads.slice(0, limit > 0 ? limit : undefined).map(({ thread, count, calls }) => {
        const list = callsOf(calls.values());
        const good = list.reduce(
          (sum, call) => sum + (call.results.find(({ name }) => name === "success")?.count ?? 0),
          0,
        );
        return { thread: threadRef(thread), count, errors: count - good, calls: list };
      }),
      calls: callsOf(acc.calls.values()),
      count: threads.reduce((sum, { count }) => sum + count, 0),
    };
  },
  summary: (result, { hosts }) =>
    result.threads.map(({ thread, count }) => [processCell(hosts, thread), number(count)]),
  line: {
    columns: [
      { lami: undefined, text: "Calls", class: "number" },
      { lami: undefined, text: "Most time", class: "syscall" },
      { lami: undefined, text: "Sum", class: "duration" },
    ],
    cells: ({ count, calls }) => {
      const longest = calls.reduce<SyscallStatsCall | undefined>(
        (most, call) => (most === undefined || call.stats.totalNs > most.stats.totalNs ? call : most),
        undefined,
      );
      return [
        number(count),
        longest === undefined ? null : { class: "syscall", name: longest.name },
        duration(longest?.stats.totalNs ?? 0),
      ];
    },
  },
  tables(result, { hosts }) {
    const columns = [
      { lami: tableClasses["per-tid"].columns[0], text: "System call" },
      ...statsColumns(statsTail),
      { lami: tableClasses["per-tid"].columns[6], text: "Return values" },
    ];
    const row = (call: SyscallStatsCall) => [
      { class: "syscall" as const, name: call.compat ? `${call.name} (32-bit)` : call.name },
      ...statsCells(call.stats),
      text(resultsText(call)),
    ];
    const tables: Table[] = result.threads.map(({ thread, count, calls }) => {
      const who = `${thread.name} (${thread.pid ?? "?"}, TID: ${thread.tid})`;
      return {
        class: "per-tid",
        title: `System call statistics [${who}]`,
        heading: `${who}: ${count.toLocaleString("en")} system calls`,
        columns,
        view: { kind: "table" },
        rows: calls.map(row),
        notes: exactness(calls.map((call) => call.stats)),
      };
    });
    tables.push({
      class: undefined,
      heading: "All threads",
      columns,
      view: { kind: "table" },
      rows: result.calls.map(row),
      notes: exactness(result.calls.map((call) => call.stats)),
    });
    tables.push({
      class: "total",
      heading: "Per-TID system calls",
      columns: [
        { lami: tableClasses.total.columns[0], text: "Process" },
        { lami: tableClasses.total.columns[1], text: "System calls" },
      ],
      view: { kind: "bars", value: 1 },
      rows: result.threads.map(({ thread, count }) => [processCell(hosts, thread), number(count)]),
      notes: [`Total syscalls: ${result.count}`],
    });
    return tables;
  },
});
