/**
 * Futex contention: who waited for whom. A wait is the time that a thread was blocked in `futex`; whom it waited
 * for is the thread that woke it (who let go of the lock, signalled the condition, or ended the work).
 */

import { Series } from "../base/series.js";
import type { Thread } from "../kernel/state.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import { exactness, type Stats, statsCells, statsColumns, statsOf } from "./stats.js";
import { duration, hostOf, number, processCell, type ThreadRef, text, threadRef } from "./table.js";

export interface FutexPair {
  readonly waiter: ThreadRef;
  /** Null: a time-out, a signal, or nobody known. */
  readonly waker: ThreadRef | null;
  readonly waits: Stats;
}

export interface FutexLock {
  readonly host: number;
  /** Process whose memory it is in (pid, or tid where the trace does not tell). */
  readonly process: ThreadRef;
  /** Hexadecimal address. */
  readonly address: string;
  readonly waiters: number;
  readonly waits: Stats;
}

export interface FutexResult {
  /** Most time first, at most `limit`. */
  readonly pairs: readonly FutexPair[];
  readonly locks: readonly FutexLock[];
  readonly total: Stats;
}

/** Operations in which a thread waits: FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2. */
const WAITS = new Set([0, 6, 9, 11, 13]);
const OPERATION = 0x7f;

interface Pair {
  readonly waiter: Thread;
  readonly waker: Thread | undefined;
  readonly waits: Series;
}

interface Lock {
  readonly thread: Thread;
  readonly address: number;
  readonly waiters: Set<Thread>;
  readonly waits: Series;
}

class Futex {
  readonly pairs = new Map<Thread, Map<Thread | undefined, Pair>>();
  readonly locks = new Map<object, Map<number, Lock>>();
  readonly total: Series;
  constructor(readonly scope: Scope<CommonOptions>) {
    this.total = new Series(scope.budget);
  }

  add(waiter: Thread, waker: Thread | undefined, address: number, spent: number): void {
    const { budget } = this.scope;
    this.total.add(spent);
    let wakers = this.pairs.get(waiter);
    if (wakers === undefined) {
      wakers = new Map();
      this.pairs.set(waiter, wakers);
    }
    let pair = wakers.get(waker);
    if (pair === undefined) {
      pair = { waiter, waker, waits: new Series(budget) };
      wakers.set(waker, pair);
    }
    pair.waits.add(spent);
    let locks = this.locks.get(waiter.process);
    if (locks === undefined) {
      locks = new Map();
      this.locks.set(waiter.process, locks);
    }
    let lock = locks.get(address);
    if (lock === undefined) {
      lock = { thread: waiter, address, waiters: new Set(), waits: new Series(budget) };
      locks.set(address, lock);
    }
    lock.waiters.add(waiter);
    lock.waits.add(spent);
  }
}

function processOf(thread: Thread): ThreadRef {
  const leader = thread.pid === -1 ? undefined : thread.host.find(thread.pid);
  return threadRef(leader?.process === thread.process ? leader : thread);
}

export const futex = defineAnalysis({
  name: "futex",
  title: "Futex contention",
  description: "Who waited for whom on futexes, and on which",
  tags: ["futex", "lock", "top"],
  tableClasses: {
    pairs: {
      title: "Futex waits by waiter and waker",
      columns: [
        { title: "Waiter", class: "process" },
        { title: "Waker", class: "process" },
        { title: "Total wait", class: "duration" },
        { title: "Wait count", class: "number", unit: "waits" },
        { title: "Minimum wait", class: "duration" },
        { title: "Average wait", class: "duration" },
        { title: "Maximum wait", class: "duration" },
        { title: "Wait standard deviation", class: "duration" },
      ],
    },
    locks: {
      title: "Futex waits by futex",
      columns: [
        { title: "Process", class: "process" },
        { title: "Address", class: "string" },
        { title: "Waiters", class: "number", unit: "threads" },
        { title: "Total wait", class: "duration" },
        { title: "Wait count", class: "number", unit: "waits" },
        { title: "Minimum wait", class: "duration" },
        { title: "Average wait", class: "duration" },
        { title: "Maximum wait", class: "duration" },
        { title: "Wait standard deviation", class: "duration" },
      ],
    },
  },
  defaults: { limit: 10 },
  needs: () => ({ syscalls: true, irq: true }),
  missing: (names) => {
    const missing = [];
    if (!names.hasSyscalls) missing.push({ what: "futexes", events: ["syscall_entry_futex"], vital: true });
    const events = names.missing("schedSwitch");
    if (!names.has("schedWaking") && !names.has("schedWakeup")) events.push("sched_waking");
    if (events.length > 0) missing.push({ what: "who waited for whom", events, vital: true });
    return missing;
  },
  open: (scope: Scope<CommonOptions>) => new Futex(scope),
  listen: {
    syscallEnd(acc: Futex, thread) {
      if (thread.syscall!.name !== "futex" || !(thread.syscallBlockedNs > 0)) return;
      if (!WAITS.has(thread.syscallArg & OPERATION) || !acc.scope.filter.thread(thread)) return;
      const waker =
        thread.syscallLongestWakerKind === "thread" ? thread.syscallLongestWakerThread : undefined;
      acc.add(thread, waker, thread.syscallAddress, thread.syscallBlockedNs);
    },
  },
  close(acc: Futex): FutexResult {
    const { limit } = acc.scope.options;
    const most = <T extends { readonly waits: Series }>(rows: T[]): T[] =>
      rows.sort((a, b) => b.waits.sum - a.waits.sum).slice(0, limit > 0 ? limit : undefined);
    const pairs = most([...acc.pairs.values()].flatMap((wakers) => [...wakers.values()]));
    const locks = most([...acc.locks.values()].flatMap((own) => [...own.values()]));
    return {
      pairs: pairs.map(({ waiter, waker, waits }) => ({
        waiter: threadRef(waiter),
        waker: waker === undefined ? null : threadRef(waker),
        waits: statsOf(waits),
      })),
      locks: locks.map(({ thread, address, waiters, waits }) => ({
        host: thread.host.index,
        process: processOf(thread),
        address: Number.isNaN(address) ? "" : `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`,
        waiters: waiters.size,
        waits: statsOf(waits),
      })),
      total: statsOf(acc.total),
    };
  },
  line: {
    columns: [
      { lami: undefined, text: "Waits", class: "number" },
      { lami: undefined, text: "Waited", class: "duration" },
      { lami: undefined, text: "Longest", class: "duration" },
    ],
    cells: ({ total }) => [number(total.count), duration(total.totalNs), duration(total.maxNs)],
  },
  tables(result, { hosts }) {
    const { pairs, locks } = this.tableClasses;
    return [
      {
        class: "pairs",
        heading: "Futex waits: who waited for whom",
        view: { kind: "table" },
        columns: [
          { lami: pairs!.columns[0], text: "Waiter" },
          { lami: pairs!.columns[1], text: "Waited for" },
          { lami: pairs!.columns[2], text: "Total" },
          ...statsColumns(pairs!.columns.slice(3)),
        ],
        rows: result.pairs.map((row) => [
          processCell(hosts, row.waiter),
          row.waker === null ? text("time-out, signal") : processCell(hosts, row.waker),
          duration(row.waits.totalNs),
          ...statsCells(row.waits),
        ]),
        notes: exactness(result.pairs.map((row) => row.waits)),
      },
      {
        class: "locks",
        heading: "Futex waits by futex",
        view: { kind: "table" },
        columns: [
          { lami: locks!.columns[0], text: "Process" },
          { lami: locks!.columns[1], text: "Address" },
          { lami: locks!.columns[2], text: "Waiters" },
          { lami: locks!.columns[3], text: "Total" },
          ...statsColumns(locks!.columns.slice(4)),
        ],
        rows: result.locks.map((row) => [
          { ...processCell(hosts, row.process)!, ...hostOf(hosts, row.host) },
          text(row.address),
          number(row.waiters),
          duration(row.waits.totalNs),
          ...statsCells(row.waits),
        ]),
      },
    ];
  },
});
