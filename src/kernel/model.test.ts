import assert from "node:assert/strict";
import { test } from "node:test";
import { createKernelModel, type ModelOptions } from "./model.js";
import { syscallName } from "./names.js";
import { type ScriptedHole, type ScriptedRecord, scriptedSource, switchTo } from "./scripted-source.js";

const IDLE = [0, "swapper/0"] as const;
const A = [10, "a"] as const;
const B = [20, "b"] as const;

function event(ns: number, name: string, fields: Record<string, unknown> = {}, cpu = 0): ScriptedRecord {
  return { ns, cpu, name, fields };
}

/** Runs a script and writes down what the hooks tell. */
function play(
  script: readonly (ScriptedRecord | ScriptedHole)[],
  options: ModelOptions = {},
  hosts?: string[],
) {
  const model = createKernelModel(scriptedSource(script, hosts), options);
  const log: string[] = [];
  model.on.runEnd.push((t, cpu, from, to) =>
    log.push(`run ${t.name}@${cpu.host.name}/${cpu.number} ${from}-${to}`),
  );
  model.on.runQueueWait.push((t, _cpu, wait, ns, woken) =>
    log.push(`queued ${t.name} ${wait} at ${ns} ${woken}`),
  );
  model.on.blockEnd.push((t) =>
    log.push(
      `blocked ${t.name} ${t.blockedNs}-${t.wokenNs} by ${t.wakerKind} ${t.wakerThread?.name ?? t.wakerNumber}`,
    ),
  );
  model.on.syscallEnd.push((t, ns) => {
    const { name, compat } = t.syscall!;
    const file = t.syscallFile === undefined ? "" : ` ${t.syscallFile.kind} ${t.syscallFile.name}`;
    log.push(
      `call ${t.name || t.tid} ${name}${compat ? "/32" : ""} ${t.syscallBeginNs}-${ns} = ${t.syscallRet}${file}`,
    );
  });
  model.on.softirqEnd.push((_c, vec, raise, from, to) =>
    log.push(`softirq ${vec} raised ${raise} ${from}-${to}`),
  );
  model.on.irqEnd.push((_c, irq, from, to) => log.push(`irq ${irq} ${from}-${to}`));
  model.on.pageAlloc.push((_c, t, pages) => log.push(`alloc ${t?.name ?? "?"} ${pages}`));
  model.on.blockComplete.push((r, ns) => log.push(`disk ${r.kind} ${r.bytes} ${r.issueNs}-${ns}`));
  model.run();
  return { model, log };
}

test("running, waiting for a CPU, being blocked and woken", () => {
  const { log } = play(
    [
      event(0, "irq_handler_entry", { irq: 1, name: "x" }),
      switchTo(100, 0, A, 1, IDLE),
      event(150, "sched_waking", { tid: 10 }),
      switchTo(160, 0, IDLE, 0, A),
      event(200, "sched_waking", { tid: 20 }),
      switchTo(300, 0, A, 256, B),
      switchTo(400, 0, B, 1, A),
      switchTo(500, 0, A, 1, IDLE),
    ],
    { irq: true },
  );
  assert.deepEqual(log, [
    // Known from the first event record on; who ran is told by the first switch.
    "run a@host/0 -Infinity-100",
    "run swapper/0@host/0 100-160",
    "blocked a 100-150 by irq 1",
    "queued a 10 at 160 true",
    "run a@host/0 160-300",
    "queued b 100 at 300 true",
    "run b@host/0 300-400",
    "queued a 100 at 400 false",
    "run a@host/0 400-500",
  ]);
});

test("a wake-up between leaving the run queue and the switch is not lost", () => {
  const { log } = play([
    switchTo(0, 0, IDLE, 0, A),
    event(99, "sched_waking", { tid: 10 }, 1),
    switchTo(100, 0, A, 1, IDLE),
    switchTo(150, 0, IDLE, 0, A),
  ]);
  assert.ok(log.includes("blocked a 100-100 by unknown -1"));
  assert.ok(log.includes("queued a 50 at 150 true"));
});

test("the waker: interrupt context before the interrupted thread, timers before all", () => {
  const wakes = (...before: ScriptedRecord[]) => {
    const script = [
      switchTo(0, 0, A, 1, B),
      ...before,
      event(50, "sched_waking", { tid: 10 }),
      switchTo(60, 0, B, 0, A),
    ];
    return play(script, { irq: true }).log.find((l) => l.startsWith("blocked"));
  };
  assert.equal(wakes(), "blocked a 0-50 by thread b");
  assert.equal(wakes(event(10, "irq_softirq_entry", { vec: 3 })), "blocked a 0-50 by softirq 3");
  assert.equal(wakes(event(10, "softirq_entry", { vec: 3 })), "blocked a 0-50 by softirq 3");
  assert.equal(
    wakes(
      event(10, "irq_softirq_entry", { vec: 3 }),
      event(20, "irq_handler_entry", { irq: 9, name: "eth" }),
    ),
    "blocked a 0-50 by irq 9",
  );
  assert.equal(wakes(event(10, "timer_hrtimer_expire_entry")), "blocked a 0-50 by timer -1");
  assert.equal(
    wakes(event(10, "hrtimer_expire_entry"), event(20, "hrtimer_expire_exit")),
    "blocked a 0-50 by thread b",
  );
});

test("system calls before the first switch find their thread by context; without it they count as such", () => {
  const call = (context: object) =>
    [
      { ...event(10, "syscall_entry_read", { fd: 3 }), context },
      { ...event(30, "syscall_exit_read", { ret: 5 }), context },
    ] as ScriptedRecord[];
  assert.deepEqual(play(call({ tid: 10 }), { syscalls: true }).log, [
    "call 10 read 10-30 = 5 unknown ",
    "run @host/0 -Infinity-30",
  ]);
  const without = play(call({}), { syscalls: true });
  assert.deepEqual(without.log, []);
  assert.equal(without.model.uncertain.unattributedSyscalls, 2);
});

test("descriptors: open, dup, fork, exec with close-on-exec, close, sockets", () => {
  const on = (ns: number, name: string, fields: Record<string, unknown>): ScriptedRecord =>
    event(ns, name, fields);
  const { log } = play(
    [
      switchTo(0, 0, IDLE, 0, A),
      on(1, "syscall_entry_openat", { dfd: -100, filename: "/data", flags: 0x80000 }),
      on(2, "syscall_exit_openat", { ret: 3 }),
      on(3, "syscall_entry_dup2", { oldfd: 3, newfd: 5 }),
      on(4, "syscall_exit_dup2", { ret: 5 }),
      on(5, "sched_process_fork", {
        parent_tid: 10,
        parent_pid: 10,
        parent_comm: "a",
        child_tid: 20,
        child_pid: 20,
        child_comm: "a",
      }),
      on(6, "syscall_entry_close", { fd: 3 }),
      on(7, "syscall_exit_close", { ret: 0 }),
      on(8, "syscall_entry_read", { fd: 3 }),
      on(9, "syscall_exit_read", { ret: -9 }),
      switchTo(10, 0, A, 1, B),
      on(11, "syscall_entry_read", { fd: 3 }),
      on(12, "syscall_exit_read", { ret: 1 }),
      on(13, "sched_process_exec", { tid: 20, filename: "/bin/b" }),
      on(14, "syscall_entry_read", { fd: 3 }),
      on(15, "syscall_exit_read", { ret: -9 }),
      on(16, "syscall_entry_read", { fd: 5 }),
      on(17, "syscall_exit_read", { ret: 1 }),
      on(18, "syscall_entry_connect", { fd: 7, family: 2, dport: 53, v4addr: [8, 8, 6, 6] }),
      on(19, "syscall_exit_connect", { ret: 0 }),
    ],
    { syscalls: true },
  );
  assert.deepEqual(
    log.filter((l) => l.startsWith("call") && /read|connect/.test(l)),
    [
      "call a read 8-9 = -9 unknown ",
      "call b read 11-12 = 1 file /data",
      "call b read 14-15 = -9 unknown ",
      "call b read 16-17 = 1 file /data",
      "call b connect 18-19 = 0 socket 8.8.6.6:53",
    ],
  );
});

test("the state dump joins descriptors and processes by file table or by pid, in any order", () => {
  const read = (tid: number): ScriptedRecord[] => [
    { ...event(50, "syscall_entry_read", { fd: 3 }), context: { tid } },
    { ...event(60, "syscall_exit_read", { ret: 1 }), context: { tid } },
  ];
  const process = event(2, "lttng_statedump_process_state", {
    tid: 11,
    pid: 10,
    name: "worker",
    file_table_address: -8000,
  });
  const file = event(2, "lttng_statedump_file_descriptor", {
    file_table_address: -8000,
    fd: 3,
    flags: 0,
    filename: "/log",
  });
  const old = [
    event(1, "lttng_statedump_process_state", { tid: 11, pid: 10, name: "worker" }),
    event(2, "lttng_statedump_file_descriptor", { pid: 10, fd: 3, flags: 0, filename: "/log" }),
  ];
  for (const dump of [[process, file], [file, process], old]) {
    const { log } = play([...dump, ...read(11)], { syscalls: true });
    assert.ok(log.includes("call worker read 50-60 = 1 file /log"), log.join("; "));
  }
});

test("a recycled tid is a new thread", () => {
  const { model } = play([
    switchTo(0, 0, IDLE, 0, A),
    event(5, "sched_process_exit", { tid: 10 }),
    switchTo(10, 0, A, 16, IDLE),
    event(20, "sched_process_free", { tid: 10 }),
    switchTo(30, 0, IDLE, 0, [10, "other"]),
  ]);
  const lives = model.threads.filter((t) => t.tid === 10);
  assert.deepEqual(
    lives.map((t) => t.name),
    ["a", "other"],
  );
});

test("calls of 32-bit programs are marked, and the old single exit event ends any call", () => {
  const { log } = play(
    [
      switchTo(0, 0, IDLE, 0, A),
      event(1, "compat_syscall_entry_read", { fd: 0 }),
      event(2, "compat_syscall_exit_read", { ret: 1 }),
      event(3, "sys_getpid"),
      event(4, "exit_syscall", { ret: 10 }),
    ],
    { syscalls: true },
  );
  assert.deepEqual(log.slice(1, 3), ["call a read/32 1-2 = 1 unknown ", "call a getpid 3-4 = 10"]);
});

test("a hole: what was in flight on the CPU is not counted, what ran ends at the hole", () => {
  const { log, model } = play(
    [
      switchTo(0, 0, IDLE, 0, A),
      event(10, "syscall_entry_read", { fd: 0 }),
      { lost: { what: "events", count: 7, beginNs: 100, endNs: 200, stream: 0 } },
      event(210, "syscall_exit_read", { ret: 1 }),
      switchTo(300, 0, A, 1, IDLE),
    ],
    { syscalls: true },
  );
  assert.deepEqual(log.slice(1), ["run a@host/0 0-100", "run a@host/0 200-300"]);
  assert.equal(model.uncertain.syscalls, 1);
});

test("hosts never mix", () => {
  const { log } = play(
    [
      switchTo(0, 0, IDLE, 0, A, 0),
      switchTo(5, 0, IDLE, 0, [10, "z"], 1),
      switchTo(8, 0, [10, "z"], 0, [10, "z"], 1),
      switchTo(10, 0, A, 1, IDLE, 0),
    ],
    {},
    ["one", "two"],
  );
  assert.deepEqual(log, [
    "run swapper/0@one/0 -Infinity-0",
    "run swapper/0@two/0 -Infinity-5",
    "run z@two/0 5-8",
    "queued z 0 at 8 false",
    "run a@one/0 0-10",
  ]);
});

test("pages count 2^order; interrupts nest; softirqs have a raise", () => {
  const { log } = play(
    [
      switchTo(0, 0, IDLE, 0, A),
      event(1, "mm_page_alloc", { order: 3 }),
      event(2, "kmem_mm_page_alloc", { order: 0 }),
      event(3, "irq_softirq_raise", { vec: 1 }),
      event(4, "irq_softirq_raise", { vec: 1 }),
      event(5, "irq_softirq_entry", { vec: 1 }),
      event(6, "irq_handler_entry", { irq: 4, name: "x" }),
      event(7, "irq_handler_entry", { irq: 5, name: "y" }),
      event(8, "irq_handler_exit", { irq: 5 }),
      event(9, "irq_handler_exit", { irq: 4 }),
      event(10, "irq_softirq_exit", { vec: 1 }),
    ],
    { irq: true, memory: true },
  );
  assert.deepEqual(log.slice(1), [
    "alloc a 8",
    "alloc a 1",
    "irq 5 7-8",
    "irq 4 6-9",
    "softirq 1 raised 3 5-10",
    "run a@host/0 0-10",
  ]);
});

test("disk requests: partial completion, flush, discard", () => {
  const rq = (ns: number, what: string, sector: number, sectors: number, rwbs: number) =>
    event(ns, `block_rq_${what}`, { dev: 1, sector, nr_sector: sectors, rwbs, tid: 5 });
  const { log } = play(
    [
      rq(1, "issue", 100, 8, 1),
      rq(2, "issue", 0, 0, 0x500),
      rq(3, "complete", 100, 3, 1),
      rq(4, "complete", 2 ** 64, 0, 0x500),
      rq(5, "complete", 103, 5, 1),
      rq(6, "issue", 500, 16, 2),
      rq(7, "complete", 500, 16, 2),
      rq(8, "issue", 900, 1, 4),
      rq(9, "complete", 900, 1, 4),
    ],
    { block: true },
  );
  assert.deepEqual(log, [
    "disk flush 0 2-4",
    "disk write 4096 1-5",
    "disk discard 8192 6-7",
    "disk read 512 8-9",
  ]);
});

test("names of system call events", () => {
  assert.deepEqual(syscallName("syscall_entry_openat"), { kind: "entry", name: "openat", compat: false });
  assert.deepEqual(syscallName("syscall_exit_exit_group"), {
    kind: "exit",
    name: "exit_group",
    compat: false,
  });
  assert.deepEqual(syscallName("compat_syscall_exit_read"), { kind: "exit", name: "read", compat: true });
  assert.deepEqual(syscallName("compat_sys_read"), { kind: "entry", name: "read", compat: true });
  assert.deepEqual(syscallName("sys_open"), { kind: "entry", name: "open", compat: false });
  assert.equal(syscallName("sched_switch"), undefined);
});
