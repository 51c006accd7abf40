/** Pages taken from and given back to the page allocator, by thread: 2^order pages per event record. */

import type { Cpu, Thread } from "../kernel/state.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import { type Column, number, processCell, type TableClass, type ThreadRef, threadRef } from "./table.js";

export interface MemTopThread {
  readonly thread: ThreadRef;
  readonly allocatedPages: number;
  readonly freedPages: number;
}

export interface MemTopResult {
  /** Most first, at most `limit`. */
  readonly allocated: readonly MemTopThread[];
  readonly freed: readonly MemTopThread[];
  readonly threadCount: number;
  /** Over all threads that the filters keep. */
  readonly allocatedPages: number;
  readonly freedPages: number;
  /** Of these, by the idle task (interrupts while idle) or by nobody known; in no thread's row. */
  readonly unattributedAllocatedPages: number;
  readonly unattributedFreedPages: number;
}

interface Sums {
  readonly thread: Thread;
  allocated: number;
  freed: number;
}

class MemTop {
  readonly threads = new Map<Thread, Sums>();
  readonly nobody = { allocated: 0, freed: 0 };
  constructor(readonly scope: Scope<CommonOptions>) {}

  sums(cpu: Cpu, thread: Thread | undefined): { allocated: number; freed: number } | undefined {
    const { filter } = this.scope;
    if (!filter.cpu(cpu) || !filter.thread(thread)) return undefined;
    if (thread === undefined || thread.tid === 0) return this.nobody;
    let sums = this.threads.get(thread);
    if (sums === undefined) {
      sums = { thread, allocated: 0, freed: 0 };
      this.threads.set(thread, sums);
    }
    return sums;
  }
}

const processColumn = { title: "Process", class: "process" } as const;
const tableClasses = {
  allocd: {
    title: "Per-TID top allocated memory",
    columns: [processColumn, { title: "Allocated pages", class: "number", unit: "pages" }],
  },
  freed: {
    title: "Per-TID top freed memory",
    columns: [processColumn, { title: "Freed pages", class: "number", unit: "pages" }],
  },
  total: {
    title: "Total allocated/freed memory",
    columns: [
      { title: "Total allocated pages", class: "number", unit: "pages" },
      { title: "Total freed pages", class: "number", unit: "pages" },
    ],
  },
  summary: {
    title: "Memory usage - summary",
    columns: [
      { title: "Time range", class: "time-range" },
      { title: "Total allocated pages", class: "number", unit: "pages" },
      { title: "Total freed pages", class: "number", unit: "pages" },
    ],
  },
} as const satisfies Record<string, TableClass>;

export const memtop = defineAnalysis({
  name: "memtop",
  title: "Top memory usage",
  description: "Per-TID top allocated/freed memory",
  tags: ["memory", "top"],
  tableClasses,
  defaults: { limit: 10 },
  needs: () => ({ memory: true }),
  missing: (names) => {
    const events = names.missing("pageAlloc", "pageFree");
    return events.length === 0 ? [] : [{ what: "memory", events, vital: events.length === 2 }];
  },
  open: (scope: Scope<CommonOptions>) => new MemTop(scope),
  listen: {
    pageAlloc(acc: MemTop, cpu, thread, pages) {
      const sums = acc.sums(cpu, thread);
      if (sums !== undefined) sums.allocated += pages;
    },
    pageFree(acc: MemTop, cpu, thread, pages) {
      const sums = acc.sums(cpu, thread);
      if (sums !== undefined) sums.freed += pages;
    },
  },
  close(acc: MemTop): MemTopResult {
    const { limit } = acc.scope.options;
    const all = [...acc.threads.values()];
    const top = (value: (sums: Sums) => number) =>
      [...all]
        .sort((a, b) => value(b) - value(a) || a.thread.tid - b.thread.tid)
        .slice(0, limit > 0 ? limit : undefined)
        .map((sums) => ({
          thread: threadRef(sums.thread),
          allocatedPages: sums.allocated,
          freedPages: sums.freed,
        }));
    const sum = (value: (sums: { allocated: number; freed: number }) => number) =>
      all.reduce((total, sums) => total + value(sums), value(acc.nobody));
    return {
      allocated: top((sums) => sums.allocated),
      freed: top((sums) => sums.freed),
      threadCount: all.length,
      allocatedPages: sum((sums) => sums.allocated),
      freedPages: sum((sums) => sums.freed),
      unattributedAllocatedPages: acc.nobody.allocated,
      unattributedFreedPages: acc.nobody.freed,
    };
  },
  summary: (result) => [[number(result.allocatedPages), number(result.freedPages)]],
  line: {
    columns: [
      { lami: undefined, text: "Allocated", class: "number" },
      { lami: undefined, text: "Freed", class: "number" },
      { lami: undefined, text: "Most by", class: "process" },
    ],
    cells: ({ allocatedPages, freedPages, allocated: [first] }, { hosts }) => [
      number(allocatedPages),
      number(freedPages),
      first === undefined ? null : processCell(hosts, first.thread),
    ],
  },
  tables(result, { hosts }) {
    const columns = (which: "allocd" | "freed"): Column[] => [
      { lami: tableClasses[which].columns[0], text: "Process" },
      { lami: tableClasses[which].columns[1], text: "Pages" },
    ];
    const nobody = (pages: number) =>
      pages === 0
        ? []
        : [`${pages.toLocaleString("en")} more pages while no thread ran (interrupts of idle CPUs)`];
    return [
      {
        class: "allocd",
        heading: "Per-TID Memory Allocations",
        view: { kind: "bars", value: 1 },
        columns: columns("allocd"),
        rows: result.allocated.map((row) => [
          processCell(hosts, row.thread, false),
          number(row.allocatedPages),
        ]),
        notes: nobody(result.unattributedAllocatedPages),
      },
      {
        class: "freed",
        heading: "Per-TID Memory Deallocations",
        view: { kind: "bars", value: 1 },
        columns: columns("freed"),
        rows: result.freed.map((row) => [processCell(hosts, row.thread, false), number(row.freedPages)]),
        notes: nobody(result.unattributedFreedPages),
      },
      {
        class: "total",
        heading: "Total memory usage",
        view: { kind: "facts" },
        columns: [
          { lami: tableClasses.total.columns[0], text: "Pages allocated" },
          { lami: tableClasses.total.columns[1], text: "Pages freed" },
        ],
        rows: [[number(result.allocatedPages), number(result.freedPages)]],
      },
    ];
  },
});
