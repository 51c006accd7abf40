/** CPU use: per thread, per CPU, in total. Idle is never a user; what is not known is told. */

import type { KernelModel } from "../kernel/model.js";
import type { Cpu, Thread } from "../kernel/state.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import {
  cpuCell,
  number,
  processCell,
  ratio,
  type TableClass,
  type ThreadRef,
  text,
  threadRef,
} from "./table.js";

export interface CpuTopThread {
  readonly thread: ThreadRef;
  readonly runNs: number;
  /** Of one CPU, over the slice. */
  readonly usage: number;
  readonly migrations: number;
  /** As they were set, oldest first (20 is nice 0). */
  readonly priorities: readonly number[];
}

export interface CpuTopCpu {
  readonly host: number;
  readonly cpu: number;
  readonly busyNs: number;
  readonly idleNs: number;
  /** Nobody knows who ran: event records are missing there. */
  readonly unknownNs: number;
  readonly usage: number;
}

export interface CpuTopResult {
  readonly durationNs: number;
  readonly threads: readonly CpuTopThread[];
  /** Before `limit` cut the list. */
  readonly threadCount: number;
  readonly cpus: readonly CpuTopCpu[];
  /** Mean of the CPUs. */
  readonly usage: number;
}

/** Share of the time of which nothing is known that is worth a remark. */
const UNKNOWN_TOLD = 0.001;

class ThreadSums {
  runNs = 0;
  migrations = 0;
  readonly priorities: number[] = [];
  constructor(readonly thread: Thread) {}
}

interface CpuSums {
  busyNs: number;
  idleNs: number;
  unknownNs: number;
}

class CpuTop {
  readonly model: KernelModel;
  readonly threads = new Map<Thread, ThreadSums>();
  readonly cpus: CpuSums[] = [];
  constructor(readonly scope: Scope<CommonOptions>) {
    this.model = scope.model;
  }

  thread(thread: Thread): ThreadSums {
    let sums = this.threads.get(thread);
    if (sums === undefined) {
      sums = new ThreadSums(thread);
      this.threads.set(thread, sums);
    }
    return sums;
  }

  cpu(cpu: Cpu): CpuSums {
    let sums = this.cpus[cpu.id];
    if (sums === undefined) this.cpus[cpu.id] = sums = { busyNs: 0, idleNs: 0, unknownNs: 0 };
    return sums;
  }
}

const tableClasses = {
  "per-process": {
    title: "Per-TID top CPU usage",
    columns: [
      { title: "Process", class: "process" },
      { title: "Migration count", class: "number", unit: "migrations" },
      { title: "Chronological priorities", class: "string" },
      { title: "CPU usage", class: "ratio" },
    ],
  },
  "per-cpu": {
    title: "Per-CPU top CPU usage",
    columns: [
      { title: "CPU", class: "cpu" },
      { title: "CPU usage", class: "ratio" },
    ],
  },
  total: { title: "Total CPU usage", columns: [{ title: "CPU usage", class: "ratio" }] },
  summary: {
    title: "CPU usage - summary",
    columns: [
      { title: "Time range", class: "time-range" },
      { title: "Total CPU usage", class: "ratio" },
    ],
  },
} as const satisfies Record<string, TableClass>;

export const cputop = defineAnalysis({
  name: "cputop",
  title: "Top CPU usage",
  description: "Per-TID, per-CPU, and total top CPU usage",
  tags: ["cpu", "top"],
  tableClasses,
  defaults: { limit: 10 },
  needs: () => ({}),
  missing: (names) =>
    names.has("schedSwitch") ? [] : [{ what: "CPU usage", events: ["sched_switch"], vital: true }],
  open: (scope: Scope<CommonOptions>) => new CpuTop(scope),
  listen: {
    runEnd(acc: CpuTop, thread, cpu, beginNs, endNs) {
      const { filter, beginNs: sliceNs } = acc.scope;
      if (!filter.cpu(cpu)) return;
      const spent = endNs - Math.max(beginNs, sliceNs);
      if (!(spent > 0)) return;
      const sums = acc.cpu(cpu);
      if (thread.tid === 0) {
        sums.idleNs += spent;
        return;
      }
      if (!filter.thread(thread)) return;
      sums.busyNs += spent;
      acc.thread(thread).runNs += spent;
    },
    switched(acc: CpuTop, cpu, _prev, next) {
      if (next.tid === 0 || !acc.scope.filter.cpu(cpu) || !acc.scope.filter.thread(next)) return;
      const { priorities } = acc.thread(next);
      if (priorities[priorities.length - 1] !== next.prio) priorities.push(next.prio);
    },
    migrate(acc: CpuTop, thread) {
      if (acc.scope.filter.thread(thread)) acc.thread(thread).migrations++;
    },
  },
  close(acc: CpuTop, endNs): CpuTopResult {
    const { beginNs, options, filter } = acc.scope;
    const durationNs = endNs - beginNs;
    const share = (ns: number) => (durationNs > 0 ? ns / durationNs : 0);
    const threads = [...acc.threads.values()].sort(
      (a, b) => b.runNs - a.runNs || a.thread.tid - b.thread.tid,
    );
    const cpus = acc.model.cpus
      .filter((cpu) => filter.cpu(cpu))
      .map((cpu): CpuTopCpu => {
        const { busyNs, idleNs } = acc.cpu(cpu);
        const unknownNs = filter.allThreads ? Math.max(0, durationNs - busyNs - idleNs) : 0;
        return { host: cpu.host.index, cpu: cpu.number, busyNs, idleNs, unknownNs, usage: share(busyNs) };
      });
    cpus.sort((a, b) => a.host - b.host || a.cpu - b.cpu);
    return {
      durationNs,
      threads: threads.slice(0, options.limit > 0 ? options.limit : undefined).map((sums) => ({
        thread: threadRef(sums.thread),
        runNs: sums.runNs,
        usage: share(sums.runNs),
        migrations: sums.migrations,
        priorities: sums.priorities,
      })),
      threadCount: threads.length,
      cpus,
      usage: cpus.length === 0 ? 0 : cpus.reduce((sum, cpu) => sum + cpu.usage, 0) / cpus.length,
    };
  },
  summary: (result) => [[ratio(result.usage)]],
  line: {
    columns: [
      { lami: undefined, text: "CPU", class: "ratio" },
      { lami: undefined, text: "Most of it", class: "process" },
      { lami: undefined, text: "Share", class: "ratio" },
    ],
    cells: ({ usage, threads: [first] }, { hosts }) => [
      ratio(usage),
      first === undefined ? null : processCell(hosts, first.thread),
      first === undefined ? null : ratio(first.usage),
    ],
  },
  tables(result, { hosts }) {
    const { "per-process": perProcess, "per-cpu": perCpu, total } = tableClasses;
    return [
      {
        class: "per-process",
        heading: "Per-TID Usage",
        view: { kind: "bars", value: 3 },
        columns: [
          { lami: perProcess.columns[0], text: "Process" },
          { lami: perProcess.columns[1], text: "Migrations" },
          { lami: perProcess.columns[2], text: "Priorities", drop: 1 },
          { lami: perProcess.columns[3], text: "Usage" },
        ],
        rows: result.threads.map((row) => [
          processCell(hosts, row.thread, false),
          number(row.migrations),
          text(`[${row.priorities.join(", ")}]`),
          ratio(row.usage),
        ]),
        notes:
          result.threadCount > result.threads.length
            ? [`${result.threadCount - result.threads.length} more threads ran (--limit)`]
            : [],
      },
      {
        class: "per-cpu",
        heading: "Per-CPU Usage",
        view: { kind: "bars", value: 1 },
        columns: [
          { lami: perCpu.columns[0], text: "CPU" },
          { lami: perCpu.columns[1], text: "Usage" },
        ],
        notes: result.cpus
          .filter((row) => row.unknownNs > UNKNOWN_TOLD * result.durationNs)
          .map((row) => {
            const share = ((100 * row.unknownNs) / result.durationNs).toFixed(1);
            return `CPU ${row.cpu}: what ran is not known for ${share} % of the time, which counts as no use.`;
          }),
        rows: result.cpus.map((row) => [cpuCell(hosts, row.host, row.cpu), ratio(row.usage)]),
      },
      {
        class: "total",
        heading: "Total CPU Usage",
        view: { kind: "facts" },
        columns: [{ lami: total.columns[0], text: "Total CPU Usage" }],
        rows: result.cpus.length === 0 ? [] : [[ratio(result.usage)]],
      },
    ];
  },
});
