// What LTTng analyses get wrong, and what is right: one test per line of ../shared/spec/analyses-gaps.md, each on
// a script of a few event records whose outcome a reader can work out.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ScriptedHole,
  type ScriptedRecord,
  scriptedSource,
  switchTo,
} from "../kernel/scripted-source.js";
import type { AnyAnalysis } from "./analysis.js";
import { cputop } from "./cputop.js";
import { futex } from "./futex.js";
import { io } from "./io.js";
import { irq } from "./irq.js";
import { memtop } from "./memtop.js";
import { type RunAnalysesOptions, runAnalyses, type Slice } from "./run.js";
import { sched } from "./sched.js";
import { syscallstats } from "./syscallstats.js";

const IDLE = [0, "swapper/0"] as const;
const A = [10, "a"] as const;
const B = [20, "b"] as const;

function event(
  ns: number,
  name: string,
  fields: Record<string, unknown> = {},
  cpu = 0,
  context: Record<string, unknown> = {},
): ScriptedRecord {
  return { ns, cpu, name, fields, context };
}

type Script = readonly (ScriptedRecord | ScriptedHole)[];

/** Slices of one analysis over a script. */
function slices(
  analysis: AnyAnalysis,
  script: Script,
  options: object = {},
  run: RunAnalysesOptions = {},
): Slice[] {
  const out: Slice[] = [];
  runAnalyses(scriptedSource(script), [{ analysis, options }], {
    ...run,
    onSlice: (slice) => out.push(slice),
  });
  return out;
}

// biome-ignore lint/suspicious/noExplicitAny: results of any analysis
type AnyResult = any;

function result(
  analysis: AnyAnalysis,
  script: Script,
  options: object = {},
  run: RunAnalysesOptions = {},
): AnyResult {
  return slices(analysis, script, options, run)[0]!.results[0]!.result;
}

test("cputop: idle before a CPU's first switch is idle, and never a user", () => {
  const r = result(cputop, [
    switchTo(0, 1, [0, "swapper/1"], 0, B),
    switchTo(900, 0, IDLE, 0, A),
    switchTo(1000, 0, A, 1, IDLE),
  ]);
  assert.deepEqual(
    r.threads.map((t: { thread: { name: string }; usage: number }) => [t.thread.name, t.usage]),
    [
      ["b", 1],
      ["a", 0.1],
    ],
  );
  assert.deepEqual(
    r.cpus.map((c: { usage: number; idleNs: number }) => [c.usage, c.idleNs]),
    [
      [0.1, 900],
      [1, 0],
    ],
  );
});

test("cputop: a thread that hogs a CPU through the whole slice has used all of it", () => {
  const r = result(
    cputop,
    [switchTo(0, 0, IDLE, 0, A), event(100, "x", {}, 0), event(200, "x", {}, 0), event(300, "x", {}, 0)],
    {},
    { beginNs: 100, endNs: 200 },
  );
  assert.deepEqual([r.durationNs, r.threads[0].runNs, r.usage], [100, 100, 1]);
});

test("cputop: it has used all of each slice of a refresh", () => {
  const script = [switchTo(0, 0, IDLE, 0, A)];
  for (let ns = 100; ns <= 400; ns += 100) script.push(event(ns, "x"));
  assert.deepEqual(
    slices(cputop, script, {}, { refreshNs: 100 }).map(({ results }) => results[0]!.result.threads[0]?.runNs),
    [100, 100, 100, 100, undefined],
  );
});

test("cputop: who leaves a CPU first has run since before the trace", () => {
  const r = result(cputop, [event(0, "x", {}, 1), switchTo(80, 0, A, 1, IDLE), switchTo(100, 0, IDLE, 0, A)]);
  assert.deepEqual([r.threads[0].thread.name, r.threads[0].runNs], ["a", 80]);
});

test("cputop: threads that are switched out are filtered like all others", () => {
  const script = [switchTo(0, 0, IDLE, 0, A), switchTo(40, 0, A, 0, B), switchTo(100, 0, B, 1, IDLE)];
  const r = result(cputop, script, {}, { filter: { tids: [20] } });
  assert.deepEqual(
    r.threads.map((t: { thread: { tid: number }; runNs: number }) => [t.thread.tid, t.runNs]),
    [[20, 60]],
  );
});

test("names: aggregated under the last one, the earlier ones told; a row of a log has the name of its time", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, [10, "bash"]),
    event(5, "syscall_entry_read", { fd: 3 }),
    event(6, "syscall_exit_read", { ret: 1 }),
    event(10, "sched_process_exec", { tid: 10, filename: "/usr/bin/find" }),
    switchTo(100, 0, [10, "find"], 1, IDLE),
  ];
  const [thread] = result(cputop, script).threads;
  assert.equal(thread.thread.name, "find");
  assert.deepEqual(thread.thread.earlierNames, ["bash"]);
  assert.equal(thread.runNs, 100);
  assert.equal(result(io, script, { log: true }).log[0].thread.name, "bash");
});

test("names: a thread whose name is never told is known by its tid", () => {
  const script = [event(0, "sched_waking", { tid: 33 }), switchTo(10, 0, IDLE, 0, [33, ""]), event(20, "x")];
  assert.equal(result(cputop, script).threads[0].thread.name, "tid 33");
});

const READ = [
  switchTo(0, 0, IDLE, 0, A),
  event(1, "syscall_entry_openat", { dfd: -100, filename: "/data", flags: 0 }),
  event(2, "syscall_exit_openat", { ret: 5 }),
  event(100, "syscall_entry_read", { fd: 5 }),
  event(150, "syscall_exit_read", { ret: 4096 }),
  event(200, "syscall_entry_read", { fd: 9 }),
  event(260, "syscall_exit_read", { ret: 100 }),
  event(300, "x"),
];

test("io: descriptors opened before the slice count in it, under their names", () => {
  const r = result(io, READ, { usage: true, stats: true, log: true }, { beginNs: 50 });
  assert.equal(r.usage.threadsByRead[0].read.diskBytes, 4096);
  assert.equal(r.usage.filesByRead[0].path, "/data");
  assert.equal(r.syscalls.read.count, 2);
  assert.deepEqual(
    r.log.map((row: { path: string; bytes: number }) => [row.path, row.bytes]),
    [
      ["/data", 4096],
      ["unknown", 100],
    ],
  );
});

test("io: refresh loses nothing", () => {
  const all = slices(io, READ, { usage: true }, { refreshNs: 50 });
  const bytes = all.map((s) => s.results[0]!.result.usage.threadsByRead[0]?.read);
  assert.ok(all.length >= 3);
  const sum = bytes.reduce(
    (n, b) => n + (b === undefined ? 0 : b.diskBytes + b.otherBytes + b.networkBytes),
    0,
  );
  assert.equal(sum, 4196);
});

test("io: the log is in order of begin, calls that began before the slice first and marked", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    switchTo(0, 1, [0, "swapper/1"], 0, B),
    event(10, "syscall_entry_read", { fd: 1 }, 0),
    event(20, "syscall_entry_read", { fd: 1 }, 1),
    event(30, "syscall_exit_read", { ret: 1 }, 1),
    event(40, "syscall_entry_read", { fd: 1 }, 1),
    event(50, "syscall_exit_read", { ret: 2 }, 1),
    event(60, "syscall_exit_read", { ret: 3 }, 0),
  ];
  assert.deepEqual(
    result(io, script, { log: true }).log.map((row: { bytes: number }) => row.bytes),
    [3, 1, 2],
  );
  const slice = slices(io, script, { log: true }, { beginNs: 15 })[0]!;
  const marks = [...slice.results[0]!.tables()[0]!.rows].map((row) => (row[1] as { value: boolean }).value);
  assert.deepEqual(marks, [true, false, false]);
});

test("io: splice and sendfile read and write; preadv2 and openat2 are I/O like any", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    event(1, "syscall_entry_openat2", { dfd: -100, filename: "/in", flags: 0 }),
    event(2, "syscall_exit_openat2", { ret: 3 }),
    event(3, "syscall_entry_sendfile64", { out_fd: 4, in_fd: 3 }),
    event(4, "syscall_exit_sendfile64", { ret: 1000 }),
    event(5, "syscall_entry_preadv2", { fd: 3 }),
    event(6, "syscall_exit_preadv2", { ret: 24 }),
  ];
  const r = result(io, script, { usage: true, stats: true });
  assert.deepEqual([r.syscalls.open.count, r.syscalls.read.count, r.syscalls.write.count], [1, 2, 1]);
  assert.equal(r.usage.filesByRead[0].readBytes, 1024);
});

test("io: discards and flushes are no reads; partial completions lose nothing; unknown devices have numbers", () => {
  const request = { dev: 0x800010, nr_sector: 8, tid: 10 };
  const r = result(
    io,
    [
      switchTo(0, 0, IDLE, 0, A),
      event(1, "block_rq_issue", { ...request, sector: 100, rwbs: 1 }),
      event(5, "block_rq_complete", { dev: request.dev, sector: 100, nr_sector: 4, rwbs: 1 }),
      event(9, "block_rq_complete", { dev: request.dev, sector: 104, nr_sector: 4, rwbs: 1 }),
      event(10, "block_rq_issue", { ...request, sector: 200, rwbs: 2 }),
      event(12, "block_rq_complete", { dev: request.dev, sector: 200, nr_sector: 8, rwbs: 2 }),
      event(20, "block_rq_issue", { ...request, sector: 0, nr_sector: 0, rwbs: 0x100 }),
      event(25, "block_rq_complete", { dev: request.dev, sector: 0, nr_sector: 0, rwbs: 0x100 }),
    ],
    { usage: true, stats: true },
  );
  assert.equal(r.usage.disks[0].disk, "(8,16)");
  assert.deepEqual(
    [r.usage.disks[0].requests, r.usage.disks[0].sectors, r.usage.disks[0].flushes],
    [2, 16, 1],
  );
  assert.equal(r.usage.blockByWrite[0].writeBytes, 4096);
  assert.equal(r.usage.blockByRead.length, 0);
  assert.deepEqual([r.disks[0].stats.minNs, r.disks[0].stats.maxNs], [2, 8]);
});

test("io: requests that were remapped belong to the partition or volume that was asked", () => {
  const [disk, partition, volume] = [0x800000, 0x800001, 0xfd00000];
  const r = result(
    io,
    [
      switchTo(0, 0, IDLE, 0, A),
      event(1, "lttng_statedump_block_device", { dev: volume, diskname: "dm-0" }),
      event(2, "block_bio_remap", { dev: partition, sector: 50, old_dev: volume, old_sector: 10 }),
      event(3, "block_bio_remap", { dev: disk, sector: 2098, old_dev: partition, old_sector: 50 }),
      event(4, "block_rq_issue", { dev: disk, sector: 2098, nr_sector: 8, rwbs: 0, tid: 10 }),
      event(6, "block_rq_complete", { dev: disk, sector: 2098, nr_sector: 8, rwbs: 0 }),
    ],
    { stats: true },
  );
  assert.deepEqual([r.disks.length, r.disks[0].disk, r.disks[0].stats.maxNs], [1, "dm-0", 2]);
});

test("io: the modern name of received packets counts", () => {
  const r = result(
    io,
    [
      switchTo(0, 0, IDLE, 0, A),
      event(1, "net_if_receive_skb", { name: "eth0", len: 1500 }),
      event(2, "net_dev_xmit", { name: "eth0", len: 60, rc: 0 }),
      event(3, "net_dev_xmit", { name: "eth0", len: 60, rc: 16 }),
    ],
    { usage: true },
  );
  const { receivedBytes, sentBytes, sentPackets } = r.usage.interfaces[0];
  assert.deepEqual([receivedBytes, sentBytes, sentPackets], [1500, 60, 1]);
});

test("memtop: pages count 2^order, all frees count, missing events are told", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    event(1, "kmem_mm_page_free", { order: 1 }),
    event(2, "kmem_mm_page_alloc", { order: 3 }),
  ];
  const r = result(memtop, script);
  assert.deepEqual([r.allocatedPages, r.freedPages], [8, 2]);
  const [slice] = slices(memtop, [switchTo(0, 0, IDLE, 0, A), event(1, "x")]);
  assert.deepEqual(slice!.results[0]!.missing[0]!.events, ["kmem_mm_page_alloc", "kmem_mm_page_free"]);
});

test("syscallstats: counts are exact, two calls have a deviation, errors have names, a call may have no result", () => {
  const calls = (n: number, ret: number): ScriptedRecord[] => [
    event(n, "syscall_entry_read", { fd: 3 }),
    event(n + 10 + n / 10, "syscall_exit_read", { ret }),
  ];
  const r = result(syscallstats, [
    switchTo(0, 0, IDLE, 0, A),
    ...calls(100, 5),
    ...calls(200, -11),
    event(300, "syscall_entry_getpid"),
    event(301, "syscall_exit_getpid"),
  ]);
  const [read, getpid] = r.threads[0].calls;
  assert.deepEqual(read.results, [
    { name: "success", count: 1 },
    { name: "EAGAIN", count: 1 },
  ]);
  assert.equal(read.stats.count, 2);
  assert.ok(Math.abs(read.stats.stdevNs - Math.sqrt(50)) < 1e-9);
  assert.deepEqual(getpid.results, [{ name: "no result", count: 1 }]);
});

test("syscallstats: a recycled tid is another thread; 32-bit calls are counted and marked", () => {
  const call = (ns: number): ScriptedRecord[] => [
    event(ns, "compat_syscall_entry_write", { fd: 1 }),
    event(ns + 1, "compat_syscall_exit_write", { ret: 1 }),
  ];
  const r = result(syscallstats, [
    switchTo(0, 0, IDLE, 0, [10, "one"]),
    ...call(1),
    event(5, "sched_process_exit", { tid: 10 }),
    switchTo(6, 0, [10, "one"], 16, IDLE),
    event(7, "sched_process_free", { tid: 10 }),
    switchTo(8, 0, IDLE, 0, [10, "two"]),
    ...call(9),
  ]);
  assert.deepEqual(r.threads.map((t: { thread: { name: string } }) => t.thread.name).sort(), ["one", "two"]);
  assert.deepEqual([r.calls[0].name, r.calls[0].compat, r.calls[0].stats.count], ["write", true, 2]);
});

test("syscalls before a CPU's first switch belong to the thread that their context names", () => {
  const r = result(syscallstats, [
    event(1, "syscall_entry_read", { fd: 3 }, 0, { tid: 77 }),
    event(2, "syscall_exit_read", { ret: 1 }, 0, { tid: 77 }),
  ]);
  assert.deepEqual([r.threads[0].thread.tid, r.count], [77, 1]);
});

test("tracers of 2012: sys_*, exit_syscall, softirq_*, netif_receive_skb", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    event(1, "sys_open", { filename: "/old", flags: 0 }),
    event(2, "exit_syscall", { ret: 3 }),
    event(3, "sys_read", { fd: 3 }),
    event(4, "exit_syscall", { ret: 10 }),
    event(5, "softirq_raise", { vec: 3 }),
    event(6, "softirq_entry", { vec: 3 }),
    event(8, "softirq_exit", { vec: 3 }),
    event(9, "softirq_entry", { vec: 27 }),
    event(10, "softirq_exit", { vec: 27 }),
    event(11, "netif_receive_skb", { name: "lo", len: 7 }),
  ];
  const r = result(io, script, { usage: true });
  assert.deepEqual([r.usage.filesByRead[0].path, r.usage.filesByRead[0].readBytes], ["/old", 10]);
  assert.equal(r.usage.interfaces[0].receivedBytes, 7);
  const soft = result(irq, script, { stats: true }).soft;
  assert.deepEqual(
    soft.map((s: { irq: { name: string }; handler: { maxNs: number }; raise: { count: number } }) => [
      s.irq.name,
      s.handler.maxNs,
      s.raise.count,
    ]),
    [
      ["NET_RX_SOFTIRQ", 2, 1],
      ["softirq 27_SOFTIRQ", 1, 0],
    ],
  );
});

test("sched: latency counts from sched_waking where that is recorded; the wake-up of an interrupt is no thread's", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    switchTo(1, 0, A, 1, B),
    event(10, "irq_handler_entry", { irq: 7, name: "nic" }),
    event(12, "sched_waking", { tid: 10 }),
    event(15, "irq_handler_exit", { irq: 7 }),
    event(20, "sched_wakeup", { tid: 10 }),
    switchTo(30, 0, B, 0, A),
    event(40, "sched_waking", { tid: 20 }),
  ];
  const r = result(sched, script, { top: true, stats: true });
  assert.equal(r.wakeEvent, "sched_waking");
  const [row] = r.top;
  assert.deepEqual([row.latencyNs, row.waker, row.wakerInterrupt], [18, null, "irq 7 (nic)"]);
  const old = result(
    sched,
    script.filter((s) => s.name !== "sched_waking"),
    { top: true },
  );
  assert.deepEqual([old.wakeEvent, old.top[0].latencyNs], ["sched_wakeup", 10]);
});

test("sched: wake-ups without success, which old kernels tell of, are none", () => {
  const r = result(
    sched,
    [
      switchTo(0, 0, IDLE, 0, A),
      switchTo(1, 0, A, 1, B),
      event(10, "sched_wakeup", { tid: 10, success: 0 }),
      event(20, "sched_wakeup", { tid: 10, success: 1 }),
      switchTo(30, 0, B, 0, A),
    ],
    { top: true },
  );
  assert.deepEqual(r.top[0].latencyNs, 10);
});

test("sched: being preempted is no wake-up, and --limit is the number of rows", () => {
  const script: ScriptedRecord[] = [switchTo(0, 0, IDLE, 0, A)];
  for (let i = 1; i <= 30; i++) {
    script.push(switchTo(100 * i, 0, A, 1, B), event(100 * i + 1, "sched_waking", { tid: 10 }));
    script.push(switchTo(100 * i + i + 1, 0, B, 0, A));
  }
  for (const limit of [1, 7]) {
    const { top } = result(sched, script, { top: true, limit });
    assert.deepEqual(
      top.map((row: { latencyNs: number }) => row.latencyNs),
      Array.from({ length: limit }, (_, i) => 30 - i),
    );
  }
  assert.equal(result(sched, script, { stats: true }).total.count, 30);
});

test("irq: nested handlers are measured each; two handlers of a line are told together; filters name numbers", () => {
  const script = [
    switchTo(0, 0, IDLE, 0, A),
    event(1, "irq_handler_entry", { irq: 5, name: "disk" }),
    event(2, "irq_handler_entry", { irq: 6, name: "nic" }),
    event(4, "irq_handler_exit", { irq: 6 }),
    event(9, "irq_handler_exit", { irq: 5 }),
    event(10, "irq_handler_entry", { irq: 5, name: "usb" }),
    event(11, "irq_handler_exit", { irq: 5 }),
  ];
  const { hard } = result(irq, script, { stats: true });
  assert.deepEqual(
    hard.map((h: { irq: { name: string }; handler: { count: number; maxNs: number } }) => [
      h.irq.name,
      h.handler.count,
      h.handler.maxNs,
    ]),
    [
      ["disk, usb", 2, 8],
      ["nic", 1, 2],
    ],
  );
  assert.equal(result(irq, script, { stats: true, irqs: [6] }).count, 1);
  assert.equal(result(irq, script, { stats: true, softirqs: [1] }).count, 0);
});

test("lost event records: what was under way is not counted, and the hole is told", () => {
  const [slice] = slices(syscallstats, [
    switchTo(0, 0, IDLE, 0, A),
    event(10, "syscall_entry_read", { fd: 3 }),
    { lost: { what: "events", count: 5, beginNs: 20, endNs: 30, stream: 0 } },
    event(40, "syscall_exit_read", { ret: 1 }, 0, { tid: 10 }),
  ]);
  assert.equal(slice!.results[0]!.result.count, 0);
  assert.deepEqual(slice!.lost, { events: 5, packets: 0, holes: 1 });
});

test("several slices: each has its own results, adjacent, the ending event record counts in the next", () => {
  const script = [0, 40, 99, 100, 150, 230, 300].map((ns) =>
    event(ns, "irq_handler_entry", { irq: 1, name: "x" }),
  );
  const exits = script.map((s) => event(s.ns, "irq_handler_exit", { irq: 1 }));
  const all = slices(
    irq,
    script.flatMap((s, i) => [s, exits[i]!]),
    { stats: true },
    { refreshNs: 100 },
  );
  assert.deepEqual(
    all.map((s) => [s.beginNs, s.endNs, s.results[0]!.result.count]),
    [
      [0, 100, 3],
      [100, 230, 2],
      [230, 300, 2],
    ],
  );
});

test("filters: by name with wildcards, by CPU, by namespaces of the state dump that children inherit", () => {
  const script = [
    event(0, "lttng_statedump_process_state", { tid: 10, pid: 10, name: "web-1" }),
    event(1, "lttng_statedump_process_cgroup_ns", { tid: 10, ns_inum: 4026 }),
    switchTo(2, 0, IDLE, 0, [10, "web-1"]),
    event(3, "sched_process_fork", {
      parent_tid: 10,
      parent_pid: 10,
      parent_comm: "web-1",
      child_tid: 11,
      child_pid: 11,
      child_comm: "web-2",
    }),
    switchTo(10, 0, [10, "web-1"], 0, [11, "web-2"]),
    switchTo(30, 0, [11, "web-2"], 0, [12, "db"]),
    switchTo(60, 0, [12, "db"], 0, IDLE),
  ];
  const ran = (filter: object): unknown =>
    result(cputop, script, {}, { filter }).threads.map((t: { thread: { tid: number } }) => t.thread.tid);
  assert.deepEqual(ran({ procnames: ["web-*"] }), [11, 10]);
  assert.deepEqual(ran({ cgroups: [4026] }), [11, 10]);
  assert.deepEqual(ran({ containers: [4026] }), [11, 10]);
  assert.deepEqual(ran({ cgroups: [1] }), []);
  assert.deepEqual(ran({ cpus: [1] }), []);
});

test("futex: who waited for whom, on what, for how long", () => {
  const r = result(futex, [
    switchTo(0, 0, IDLE, 0, A),
    event(5, "syscall_entry_futex", { uaddr: 4096, op: 128 }),
    switchTo(10, 0, A, 1, B),
    event(50, "syscall_entry_futex", { uaddr: 4096, op: 129 }),
    event(60, "sched_waking", { tid: 10 }),
    event(61, "syscall_exit_futex", { ret: 1 }),
    switchTo(70, 0, B, 1, A),
    event(80, "syscall_exit_futex", { ret: 0 }),
  ]);
  const [pair] = r.pairs;
  assert.deepEqual([pair.waiter.name, pair.waker.name, pair.waits.totalNs], ["a", "b", 50]);
  assert.deepEqual([r.locks[0].address, r.locks[0].waiters, r.total.count], ["0x1000", 1, 1]);
});
