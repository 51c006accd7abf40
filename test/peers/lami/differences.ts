/**
 * Where Periscope's numbers differ from LTTng analyses', why, and what proves who is right.
 *
 * Every difference on every shared trace is matched by exactly one of these rules, and every rule is needed. Where a
 * number differs, the rule holds only if ours equals `truth.ts`: accounting from babeltrace2's text alone. `proof`
 * names event records that anybody can look at (`babeltrace2 --clock-seconds .cache/traces/NAME`); a test checks
 * that they are there.
 */

import { type Cell, cellValue, type Difference } from "./compare.js";
import { bytesOf, type Call, Numbers, type Truth } from "./truth.js";

export interface Rule {
  readonly id: string;
  readonly why: string;
  /** A trace and parts of lines that follow one another in babeltrace2's text of it. */
  readonly proof?: { readonly trace: string; readonly lines: readonly RegExp[] };
  readonly commands: readonly string[];
  matches(difference: Difference, truth: Truth, trace: string): boolean;
}

const close = (a: number, b: number): boolean =>
  Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1);

/** Columns of a statistics table after `skip` others: count, least, mean, most, deviation. */
function isStatistic(cell: Cell, column: number, skip: number, numbers: Numbers): boolean {
  const { count, min, mean, max, deviation } = numbers;
  const wanted = [count, min, mean, max, deviation][column - skip];
  if (wanted === undefined) return false;
  const value = cellValue(cell);
  return Number.isNaN(wanted) ? value === null : typeof value === "number" && close(value, wanted);
}

function numbersOf(values: Iterable<number>): Numbers {
  const numbers = new Numbers();
  numbers.all.push(...values);
  return numbers;
}

const hasBins = (rows: Cell[][], numbers: Numbers): boolean => {
  const wanted = numbers.bins(rows.length);
  return rows.every((row, i) => row[2].value === wanted[i]);
};

const OPENS = /^(open|openat|openat2|creat|socket|dup|dup2|dup3)$/;
const READS = /^(read|pread64|readv|preadv|preadv2|recvfrom|recvmsg|splice|sendfile64)$/;
const WRITES = /^(write|pwrite64|writev|pwritev|pwritev2|sendto|sendmsg|splice|sendfile64)$/;
const SYNCS = /^(sync|fsync|fdatasync|sync_file_range|syncfs|msync)$/;

/** `fcntl` commands that make a descriptor. */
function duplicates(call: Call): boolean {
  return call.name === "fcntl" && /, cmd = (0|1030),/.test(call.entry);
}

function callsOf(truth: Truth, category: string): Call[] {
  const is = { open: OPENS, read: READS, write: WRITES, sync: SYNCS }[category.toLowerCase()];
  return truth.calls.filter(
    (call) => is?.test(call.name) || (category.toLowerCase() === "open" && duplicates(call)),
  );
}

const durations = (calls: readonly Call[]): Numbers =>
  numbersOf(calls.map((call) => call.endNs - call.beginNs));

function latenciesOf(truth: Truth, which: (latency: Truth["latencies"][number]) => boolean): Numbers {
  return numbersOf(truth.latencies.filter(which).map((latency) => latency.switchNs - latency.wakeNs));
}

const bytes = (truth: Truth, tid: number, is: RegExp): number =>
  truth.calls
    .filter((call) => call.tid === tid && is.test(call.name))
    .reduce((n, call) => n + bytesOf(call), 0);

const isProcessName = (d: Difference): boolean =>
  d.what === "cell" &&
  d.reference?.class === "process" &&
  d.ours?.class === "process" &&
  d.reference.tid === d.ours.tid;

/** Names in the order in which event records show them. */
function namesInOrder(truth: Truth, tid: number, first: string, then: string): boolean {
  const names = truth.names.get(tid) ?? [];
  const at = names.indexOf(first);
  return at >= 0 && names.indexOf(then, at) > at;
}

const EXEC_PROOF = {
  trace: "idle-small",
  lines: [
    /sched_process_fork: .*parent_comm = "bash", .*child_comm = "bash", child_tid = 366,/,
    /sched_process_exec: .*tid = 366/,
    /sched_switch: .*next_comm = "find", next_tid = 366,/,
  ],
};

export const RULES: readonly Rule[] = [
  {
    id: "name-after-exec",
    why: "The reference shows the name from before exec; ours the last one (the earlier ones are told beside it).",
    proof: EXEC_PROOF,
    commands: ["cputop", "memtop", "schedstats", "syscallstats"],
    matches: (d, truth) =>
      isProcessName(d) &&
      d.table !== "log" &&
      d.table !== "top" &&
      (d.reference.name === "" || namesInOrder(truth, d.ours.tid, d.reference.name, d.ours.name)),
  },
  {
    id: "name-at-the-time",
    why: "In logs and tops the reference shows the name at the end of the slice; ours the name when it happened.",
    proof: EXEC_PROOF,
    commands: ["iousagetop", "schedstats"],
    matches: (d, truth) =>
      isProcessName(d) &&
      (d.table === "log" || d.table.startsWith("top")) &&
      (namesInOrder(truth, d.ours.tid, d.ours.name, d.reference.name) ||
        // Threads that rename themselves back and forth.
        namesInOrder(truth, d.ours.tid, d.reference.name, d.ours.name)),
  },
  {
    id: "idle-is-no-user",
    why: "The reference counts what ran before a CPU's first switch as use, also the idle task.",
    proof: {
      trace: "case1-slow",
      lines: [/sched_switch: \{ cpu_id = 1 \}.*prev_comm = "swapper\/1", prev_tid = 0,/],
    },
    commands: ["cputop"],
    matches: (d, truth) => {
      const busy = (cpu: number) => (truth.busyNs.get(cpu) ?? 0) / truth.durationNs;
      if (d.what === "row missing") return d.table === "per-process" && d.reference[0].tid === 0;
      if (d.what !== "cell") return false;
      if (d.table === "per-cpu") return close(d.ours.value, busy(d.row[0].id));
      const all = [...new Set([...truth.busyNs.keys(), ...truth.idleNs.keys()])];
      return (
        d.table === "total" && close(d.ours.value, all.reduce((n, cpu) => n + busy(cpu), 0) / all.length)
      );
    },
  },
  {
    id: "priorities",
    why: "The reference tells no priority of threads whose priority did not change after its first sight.",
    commands: ["cputop"],
    matches: (d, truth) =>
      d.what === "cell" &&
      d.table === "per-process" &&
      d.column === 2 &&
      d.ours.value === `[${(truth.priorities.get(d.row[0].tid) ?? []).join(", ")}]`,
  },
  {
    id: "pages-of-an-order",
    why: "An allocation of order n is 2^n pages, the reference counts 1; it ignores frees while its balance is 0.",
    proof: { trace: "idle-small", lines: [/kmem_mm_page_alloc: .*order = [1-9]/] },
    commands: ["memtop"],
    matches: (d, truth) => {
      const { allocated, freed } = truth.pages;
      // Who only freed is in none of its tables.
      if (d.what === "row extra") {
        const { tid } = d.ours[0];
        const pages = d.table === "allocd" ? allocated : freed;
        return !allocated.has(tid) && d.ours[1].value === (pages.get(tid) ?? 0);
      }
      if (d.what !== "cell") return false;
      const sum = (map: Map<number, number>) => [...map.values()].reduce((a, b) => a + b, 0);
      if (d.table === "total") return d.ours.value === sum(d.column === 0 ? allocated : freed);
      const pages = d.table === "allocd" ? allocated : freed;
      return d.column === 1 && d.ours.value === (pages.get(d.row[0].tid) ?? 0);
    },
  },
  {
    id: "out-of-range-is-no",
    why: "LAMI's bool has a value; the reference writes null for no.",
    commands: ["iousagetop"],
    matches: (d) =>
      d.what === "cell" &&
      d.ours?.class === "bool" &&
      d.ours.value === false &&
      cellValue(d.reference) === null,
  },
  {
    id: "file-names",
    why:
      "Names that the reference does not know: descriptors of the state dump (it needs a `pid` field that tracers since " +
      "2.12 do not write), accepted sockets, pipes, sockets by family, paths of failed opens.",
    proof: {
      trace: "idle-small",
      lines: [/lttng_statedump_file_descriptor: .*file_table_address = .*filename = "/],
    },
    commands: ["iousagetop"],
    matches: (d) => {
      if (d.what !== "cell" || d.column !== 6 || (d.table !== "log" && !d.table.startsWith("top-syscall")))
        return false;
      const [before, after] = [cellValue(d.reference), cellValue(d.ours)];
      // An empty name: the tracer could not read the page that it is in. It is not known.
      if (before === "") return after === null || after === "unknown";
      if (after === null) return false;
      if (before === null || before === "unknown") return true;
      // Relative to a directory whose descriptor is known.
      if (String(after).endsWith(`/${String(before)}`)) return true;
      // A name that the reference had for a socket or for the wrong owner's descriptor.
      return (
        /^(socket|pipe|anon_inode|\d+\.\d+\.\d+\.\d+:)/.test(String(before)) ||
        /^(socket|pipe|anon)/.test(String(after))
      );
    },
  },
  {
    id: "more-calls",
    why:
      "splice, sendfile, fcntl(F_DUPFD_CLOEXEC) and others that the reference declares or lacks: they read, write and open " +
      "like any.",
    proof: { trace: "idle-small", lines: [/syscall_entry_splice: /, /syscall_entry_fcntl: .*cmd = 1030,/] },
    commands: ["iousagetop"],
    matches: (d, truth) => {
      if (d.what === "row extra" && (d.table === "log" || d.table.startsWith("top-syscall"))) {
        return /^(splice|sendfile64|fcntl|openat2|creat|preadv2|pwritev2|copy_file_range|syncfs|msync)$/.test(
          d.ours[3].name,
        );
      }
      if (d.what === "cell" && d.table === "syscall-latency-stats") {
        return isStatistic(d.ours, d.column, 1, durations(callsOf(truth, d.row[0].value)));
      }
      const category = /^freq \[(open|read|write|sync)\]$/.exec(d.table)?.[1];
      return (
        d.what === "bins" && category !== undefined && hasBins(d.ours, durations(callsOf(truth, category)))
      );
    },
  },
  {
    id: "bytes-of-splice",
    why: "What splice moves is read from one descriptor and written to the other; the reference counts none of it.",
    proof: { trace: "idle-small", lines: [/syscall_exit_splice: .*ret = 65536/] },
    commands: ["iousagetop"],
    matches: (d, truth) =>
      d.what === "cell" &&
      d.table.startsWith("per-process-top [") &&
      d.column === 1 &&
      d.ours.value === bytes(truth, d.row[0].tid, d.table.includes("read") ? READS : WRITES),
  },
  {
    id: "kinds-of-descriptors",
    why:
      "Whether bytes went to a disk or a socket: the reference knows neither for inherited descriptors and accepted " +
      "sockets, and takes pipes and devices that were opened for disks. The parts sum to the exact total.",
    commands: ["iousagetop"],
    matches: (d, truth) => {
      if (d.what !== "cell" || !d.table.startsWith("per-process-top [") || d.column < 2) return false;
      const total = d.row[2].value + d.row[3].value + d.row[4].value;
      return total === bytes(truth, d.row[0].tid, d.table.includes("read") ? READS : WRITES);
    },
  },
  {
    id: "rows-of-nothing",
    why: "The reference lists processes that moved nothing, and never called; ours only those that did something.",
    commands: ["iousagetop"],
    matches: (d, truth) =>
      d.what === "row missing" &&
      d.table.startsWith("per-process-top [") &&
      d.reference.slice(1).every((cell: Cell) => cell.value === 0) &&
      bytes(truth, d.reference[0].tid, READS) === 0 &&
      bytes(truth, d.reference[0].tid, WRITES) === 0,
  },
  {
    id: "files-by-their-names",
    why:
      "Bytes that the reference puts under `unknown (NAME)`, `socket (NAME)` or a wrong owner stand under the file's or " +
      "peer's name; descriptors told are those that were used. The sum over all files is checked apart.",
    commands: ["iousagetop"],
    matches: (d) => {
      if (!d.table.startsWith("per-file-top")) return false;
      if (d.what === "row extra" || (d.what === "cell" && d.column === 2)) return true;
      const path = String(cellValue(d.what === "row missing" ? d.reference[0] : d.row[0]));
      return (
        /^(unknown|socket|pipe|anon_inode|\d)/.test(path) || d.what === "row missing" || d.what === "cell"
      );
    },
  },
  {
    id: "received-packets",
    why: "The reference does not know `net_if_receive_skb`: it receives nothing.",
    proof: { trace: "case1-slow", lines: [/net_if_receive_skb: .*name = "lo"/] },
    commands: ["iousagetop"],
    matches: (d, truth) =>
      d.what === "cell" &&
      d.table === "per-netif-top [received]" &&
      d.reference.value === 0 &&
      d.ours.value === truth.received.get(d.row[0].name),
  },
  {
    id: "softirqs",
    why: "The reference does not know `irq_softirq_*`: there are no softirqs on any modern trace.",
    proof: { trace: "idle-small", lines: [/irq_softirq_entry: .*vec = 1/, /irq_softirq_exit: .*vec = 1/] },
    commands: ["irqstats"],
    matches: (d, truth) => {
      const soft = (nr: number) =>
        numbersOf(truth.irqs.filter((i) => !i.hard && i.irq === nr).map((i) => i.endNs - i.beginNs));
      if (d.what === "row extra" && d.table === "log") return d.ours[3].hard === false;
      if (d.what !== "table extra") return false;
      if (d.table === "soft-stats") {
        return d.ours.every((row: Cell[]) =>
          [1, 2, 3, 4, 5].every((column) => isStatistic(row[column], column, 1, soft(row[0].nr))),
        );
      }
      const nr = /^freq \[.*_SOFTIRQ \((\d+)\)\]$/.exec(d.table)?.[1];
      return nr !== undefined && hasBins(d.ours, soft(Number(nr)));
    },
  },
  {
    id: "interrupts-wake",
    why: "A wake-up by an interrupt or softirq is charged to the thread that it interrupted; it has no waking thread.",
    proof: {
      trace: "idle-small",
      lines: [
        /irq_softirq_entry: \{ cpu_id = 1 \}.*vec = 9/,
        /sched_waking: \{ cpu_id = 1 \}.*comm = "rcu_preempt"/,
      ],
    },
    commands: ["schedstats"],
    matches: (d) =>
      d.what === "cell" &&
      (d.table === "log" || d.table === "top") &&
      d.column === 6 &&
      cellValue(d.ours) === null,
  },
  {
    id: "woken-while-leaving",
    why:
      "A thread that is woken just before it leaves the CPU waits from then on; the reference ignores that wake-up and counts " +
      "from `sched_wakeup`, later.",
    proof: {
      trace: "idle-small",
      lines: [
        /^\[1795452901\.385048260\].* sched_waking: \{ cpu_id = 1 \}.*tid = 303, prio = 20, target_cpu = 0/,
        /^\[1795452901\.385053582\].* sched_switch: \{ cpu_id = 0 \}.*prev_tid = 303, prev_prio = 20, prev_state = 2/,
        /^\[1795452901\.385073502\].* sched_wakeup: .*tid = 303/,
        /^\[1795452901\.385085159\].* sched_switch: .*next_tid = 303/,
      ],
    },
    commands: ["schedstats"],
    matches: (d, truth) => {
      const all = (): Numbers => latenciesOf(truth, () => true);
      if (d.what === "cell" && (d.table === "log" || d.table === "top") && [0, 2, 6].includes(d.column)) {
        const switchNs = Number(d.row[1].value - BigInt(truth.originSecond) * 1_000_000_000n);
        const found = truth.latencies.find((l) => l.switchNs === switchNs && l.tid === d.row[5].tid);
        if (found === undefined || switchNs - found.wakeNs !== d.row[2].value) return false;
        // Whoever ran where `sched_waking` happened (also where it has the time of the switch: the order of equal
        // times differs between babeltrace 1, which the reference reads with, and 2).
        return d.column !== 6 || (d.ours?.tid ?? 0) === found.waker;
      }
      const tid = (nr: number) => latenciesOf(truth, (l) => l.tid === nr);
      const prio = (nr: number) => latenciesOf(truth, (l) => l.prio === nr);
      if (d.what === "cell") {
        if (d.table === "total_stats") return isStatistic(d.ours, d.column, 0, all());
        if (d.table === "per_tid_stats") return isStatistic(d.ours, d.column, 1, tid(d.row[0].tid));
        if (d.table === "per_prio_stats") return isStatistic(d.ours, d.column, 1, prio(d.row[0].value));
      }
      if (d.what !== "bins") return false;
      if (d.table === "freq") return hasBins(d.ours, all());
      const [, kind, nr] = /^freq \[(TID|Priority): (-?\d+)\]$/.exec(d.table) ?? [];
      return hasBins(d.ours, kind === "TID" ? tid(Number(nr)) : prio(Number(nr)));
    },
  },
  {
    id: "results-counted-once",
    why: "Every count of a result is one too high in the reference.",
    proof: { trace: "idle-small", lines: [/syscall_entry_unlink|syscall_exit_execve: .*ret = 0/] },
    commands: ["syscallstats"],
    matches: (d) => {
      if (d.what !== "cell" || d.column !== 6 || !d.table.startsWith("per-tid")) return false;
      const counts = (text: string) =>
        new Map([...text.matchAll(/'([^']+)': (\d+)/g)].map(([, name, n]) => [name!, Number(n)]));
      const [theirs, mine] = [counts(d.reference.value), counts(d.ours.value)];
      const sum = [...mine.values()].reduce((a, b) => a + b, 0);
      return (
        sum === d.row[1].value &&
        theirs.size === mine.size &&
        [...mine].every(
          ([name, n]) =>
            theirs.get(name) === n + 1 || theirs.get(name === "ERESTARTSYS" ? "512" : name) === n + 1,
        )
      );
    },
  },
  {
    id: "deviation-of-two",
    why: "Two calls have a standard deviation; the reference wants three here (two elsewhere).",
    commands: ["syscallstats"],
    matches: (d) =>
      d.what === "cell" &&
      d.table.startsWith("per-tid") &&
      d.column === 5 &&
      cellValue(d.reference) === null &&
      d.row[1].value === 2 &&
      // Of two values: their distance over the square root of 2.
      close(d.ours.value, (d.row[4].value - d.row[2].value) / Math.SQRT2),
  },
  {
    id: "calls-without-description",
    why: "Calls that the tracer records as `unknown` with a number are told by name, each apart.",
    proof: { trace: "idle-small", lines: [/syscall_entry_unknown: .*id = 334/] },
    commands: ["syscallstats"],
    matches: (d, truth) => {
      if (!d.table.startsWith("per-tid")) return false;
      if (d.what === "row missing") return d.reference[0].name === "unknown";
      if (d.what !== "row extra") return false;
      const tid = Number(/TID (\d+)/.exec(d.table)?.[1]);
      const numbers = durations(
        truth.calls.filter((call) => call.tid === tid && call.name === d.ours[0].name),
      );
      return [1, 2, 3, 4, 5].every((column) => isStatistic(d.ours[column], column, 1, numbers));
    },
  },
];
