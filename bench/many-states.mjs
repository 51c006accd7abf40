// A kernel trace as busy as one wants, made with the library's writer: `threads` threads on four CPUs that call, wait,
// wake each other and are preempted, until their rows (and those of the CPUs) have about `states` states.
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CtfWriter } from "../dist/index.js";

const CPUS = 4;
const THREADS_OF_PROCESS = 12;
/** What a turn on a CPU adds: woken, on the CPU, in a call, out of it, off the CPU, and the CPU's own of these. */
const STATES_OF_TURN = 7.05;
/** Mean turn on a CPU, ns. */
const TURN_NS = 50_000;
const CALLS = ["read", "futex", "epoll_wait", "recvfrom", "nanosleep", "write"];
const NAMES = ["nginx", "php-fpm", "mysqld", "redis-server", "java", "postgres", "node", "containerd"];
const IDLE = { tid: 0, name: "swapper/0", pid: 0, call: -1, readyAt: 0 };

const int = (size, signed = true) => ({ type: "integer", size, signed });
const i32 = int(32);
const i64 = int(64);
const comm = { type: "text", bytes: 16 };
const WAKE = { comm, tid: i32, prio: i32, target_cpu: i32 };
const SWITCH = {
  prev_comm: comm,
  prev_tid: i32,
  prev_prio: i32,
  prev_state: i64,
  next_comm: comm,
  next_tid: i32,
  next_prio: i32,
};
const PROCESS = {
  tid: i32,
  vtid: i32,
  pid: i32,
  vpid: i32,
  ppid: i32,
  vppid: i32,
  name: { type: "string" },
  type: i32,
  mode: i32,
  submode: i32,
  status: i32,
  ns_level: i32,
  ns_inum: int(32, false),
};

/** The trace's path, in `folder`; made when it is not there. */
export function manyStates(folder, { states, threads }) {
  const path = join(folder, `states-${states}-threads-${threads}`);
  if (existsSync(path)) return path;
  const unfinished = `${path}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  write(join(unfinished, "kernel"), Math.round(states / STATES_OF_TURN), threads);
  renameSync(unfinished, path);
  return path;
}

function write(directory, turns, threadCount) {
  const writer = new CtfWriter(directory, {
    environment: { hostname: "busy", domain: "kernel", tracer_name: "lttng-modules", tracer_major: 2 },
    clock: { name: "monotonic", frequency: 1_000_000_000n, offset: 1_795_000_000_000_000_000n },
    context: {},
  });
  const switched = writer.event("sched_switch", SWITCH);
  const waking = writer.event("sched_waking", WAKE);
  const dumped = writer.event("lttng_statedump_process_state", PROCESS);
  const entries = CALLS.map((name) => writer.event(`syscall_entry_${name}`, { count: i64 }));
  const exits = CALLS.map((name) => writer.event(`syscall_exit_${name}`, { ret: i64 }));
  let seed = 4711;
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  const threads = Array.from({ length: threadCount }, (_, i) => {
    const process = Math.floor(i / THREADS_OF_PROCESS);
    const pid = 1000 + process * 100;
    const name = `${NAMES[process % NAMES.length]}${i % THREADS_OF_PROCESS === 0 ? "" : `-${i % THREADS_OF_PROCESS}`}`;
    return { tid: pid + (i % THREADS_OF_PROCESS), pid, name, call: -1, readyAt: 0, blocked: true };
  });
  const append = (cpu, at, event, values) => writer.stream(cpu).append(event, BigInt(at), [], values);
  threads.forEach(({ tid, pid, name }, i) => {
    append(0, 1000 + i, dumped, [tid, tid, pid, pid, 1, 1, name, 0, 0, 0, 5, 0, 4_026_531_836]);
  });

  const cpus = Array.from({ length: CPUS }, (_, cpu) => ({ cpu, at: 10_000 + 100 * cpu, runs: IDLE }));
  const ready = [];
  const wake = (cpu, at, thread) => {
    if (!thread.blocked) return;
    append(cpu, at, waking, [thread.name, thread.tid, 20, cpu]);
    thread.blocked = false;
    thread.readyAt = at;
    ready.push(thread);
  };
  // Few are busy, all are seen; which ones are busy drifts, as it does in life.
  const someone = (at) =>
    threads[Math.floor((random() ** 2 * threadCount + at / 2e7) % threadCount)] ?? threads[0];
  const change = (one, at, state, next) => {
    const { name, tid } = one.runs;
    append(one.cpu, at, switched, [name, tid, 20, state, next.name, next.tid, 20]);
    one.runs = next;
  };
  for (let done = 0; done < turns; ) {
    const one = cpus.reduce((first, other) => (other.at < first.at ? other : first));
    const { cpu } = one;
    let at = one.at;
    const next = ready[0]?.readyAt < at ? ready.shift() : undefined;
    if (next === undefined) {
      if (one.runs !== IDLE) change(one, at, 1, IDLE);
      // An interrupt wakes somebody.
      wake(cpu, at + 2000, someone(at));
      one.at = at + 5000 + Math.floor(random() * 20_000);
      continue;
    }
    change(one, at, 0, next);
    done++;
    const length = Math.floor(2000 - Math.log(1 - random()) * TURN_NS);
    if (next.call >= 0) append(cpu, at + 300, exits[next.call], [random() < 0.1 ? -11 : 512]);
    next.call = -1;
    for (let left = ready.length < 4 ? 2 : ready.length > 12 ? 0 : 1; left > 0; left--)
      wake(cpu, at + 400 + Math.floor(length / (left + 2)), someone(at));
    at += length;
    // A fifth is preempted, the others wait for something.
    if (random() < 0.2) {
      next.readyAt = at;
      ready.push(next);
      change(one, at, 0, IDLE);
    } else {
      next.call = Math.floor(random() * CALLS.length);
      append(cpu, at - 500, entries[next.call], [3]);
      next.blocked = true;
      change(one, at, 1, IDLE);
    }
    one.at = at + 200;
  }
  writer.close();
}
