/**
 * Who runs where, who waits for a CPU, who is blocked and who woke whom.
 *
 * Hot: `sched_switch` and the wake-ups are a third of many traces. The handlers touch preallocated objects.
 */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";
import { BLOCKED, type Cpu, RUNNABLE, RUNNING, type Thread, UNKNOWN } from "./state.js";

/** Task state bits that mean "not runnable"; higher bits mark preemption (0x100 and above). */
const NOT_RUNNABLE = 0xff;
/** Zombie or dead. */
const GONE = 0x30;
const CLONE_FILES = 0x400;

export function attachSched(source: EventSource, model: Context): void {
  const { hosts, names, on, streamCpu } = model;
  attachSwitch(source, model);

  const wake = (hostIndex: number, cpuNumber: number, tid: number, target: number, ns: number): void => {
    const host = hosts[hostIndex]!;
    const cpu = host.cpu(cpuNumber, ns);
    const thread = host.thread(tid);
    if (thread.state === RUNNABLE) return;
    setWaker(thread, cpu);
    if (thread.state === RUNNING) {
      thread.earlyWakeNs = ns;
      return;
    }
    thread.state = RUNNABLE;
    thread.runnableNs = ns;
    thread.wokenNs = ns;
    if (thread.cpu < 0 && target >= 0) thread.cpu = target;
    const l = on.wakeup;
    for (let i = 0; i < l.length; i++) l[i]!(thread, cpu, ns);
  };
  const woken = {
    tid: { from: "payload:tid", kind: "number" },
    target: { from: "target_cpu", kind: "number" },
  } as const;
  // `sched_waking` happens where the waker runs; `sched_wakeup` may happen later on the target's CPU.
  const waking = names.has("schedWaking") ? "schedWaking" : "schedWakeup";
  source.subscribe({
    matches: names.is(waking),
    fields: { ...woken, success: { from: "success", kind: "number" } },
    handle(r) {
      // Kernels before 4.3 tell also of wake-ups that found nobody asleep.
      if (r.success !== 0) wake(r.host, r.cpu, r.tid, r.target, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("schedWakeupNew"),
    fields: woken,
    handle: (r) => wake(r.host, r.cpu, r.tid, r.target, r.ns),
  });

  source.subscribe({
    matches: names.is("schedMigrate"),
    fields: {
      tid: { from: "payload:tid", kind: "number" },
      comm: { from: "comm", kind: "string" },
      from: { from: "orig_cpu", kind: "number" },
      to: { from: "dest_cpu", kind: "number" },
    },
    handle(r) {
      const thread = hosts[r.host]!.thread(r.tid);
      thread.rename(r.comm);
      if (thread.state === RUNNABLE) thread.cpu = r.to;
      const l = on.migrate;
      for (let i = 0; i < l.length; i++) l[i]!(thread, r.from, r.to, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("schedFork"),
    fields: {
      parentTid: { from: ["parent_tid", "parent_pid"], kind: "number" },
      parentPid: { from: "parent_pid", kind: "number" },
      parentComm: { from: "parent_comm", kind: "string" },
      childTid: { from: "child_tid", kind: "number" },
      childPid: { from: "child_pid", kind: "number" },
      childComm: { from: "child_comm", kind: "string" },
      childNs: { from: "child_ns_inum", kind: "number" },
    },
    handle(r) {
      const host = hosts[r.host]!;
      const cpu = host.cpu(r.cpu, r.ns);
      streamCpu[r.stream] = cpu;
      const current = cpu.current;
      // Tracers before 2.8 or so have the pid where the tid should be: the thread that runs knows better.
      const parent = current !== undefined && current.tid !== 0 ? current : host.thread(r.parentTid);
      if (parent.tid === r.parentTid) parent.rename(r.parentComm);
      host.setPid(parent, r.parentPid);
      const isThread = r.childPid !== r.childTid;
      const shares = isThread || (parent.syscall?.kind === "fork" && (parent.syscallArg & CLONE_FILES) !== 0);
      const process = isThread
        ? parent.process
        : host.newProcess(r.childPid, shares ? parent.process.fds : new Map(parent.process.fds));
      const child = host.newThread(r.childTid, process);
      child.name = r.childComm;
      child.namespaces = parent.namespaces;
      child.parent = parent;
      child.executable = parent.executable;
      if (!Number.isNaN(r.childNs) && child.namespaces?.get("pid") !== r.childNs) {
        child.namespaces = new Map([...(child.namespaces ?? []), ["pid", r.childNs]]);
      }
      const l = on.fork;
      for (let i = 0; i < l.length; i++) l[i]!(parent, child, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("schedExec"),
    fields: {
      tid: { from: "payload:tid", kind: "number" },
      filename: { from: "filename", kind: "string" },
      procname: { from: "context:procname", kind: "string" },
    },
    handle(r) {
      const thread = hosts[r.host]!.thread(r.tid);
      thread.rename(
        r.procname !== "" ? r.procname : r.filename.slice(r.filename.lastIndexOf("/") + 1).slice(0, 15),
      );
      thread.executable = r.filename;
      const fds = thread.process.fds;
      for (const [fd, d] of fds) if (d.closeOnExec) fds.delete(fd);
    },
  });

  source.subscribe({
    matches: names.is("schedExit"),
    fields: { tid: { from: "payload:tid", kind: "number" } },
    handle(r) {
      const thread = hosts[r.host]!.thread(r.tid);
      thread.exited = true;
      const l = on.exit;
      for (let i = 0; i < l.length; i++) l[i]!(thread, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("schedFree"),
    fields: { tid: { from: "payload:tid", kind: "number" } },
    handle(r) {
      const host = hosts[r.host]!;
      const thread = host.find(r.tid);
      // Freeing is delayed: the tid may have a new owner by now.
      if (thread !== undefined && (thread.exited || !names.has("schedExit"))) host.removeThread(thread);
    },
  });

  source.subscribe({
    matches: names.is("schedSetPrio"),
    fields: { tid: { from: "payload:tid", kind: "number" }, prio: { from: "newprio", kind: "number" } },
    handle(r) {
      hosts[r.host]!.thread(r.tid).prio = r.prio;
    },
  });
}

function attachSwitch(source: EventSource, model: Context): void {
  const { hosts, names, on, streamCpu } = model;
  source.subscribe({
    matches: names.is("schedSwitch"),
    fields: {
      prevTid: { from: "prev_tid", kind: "number" },
      prevComm: { from: "prev_comm", kind: "string" },
      prevState: { from: "prev_state", kind: "number" },
      prevPid: { from: "context:pid", kind: "number" },
      nextTid: { from: "next_tid", kind: "number" },
      nextComm: { from: "next_comm", kind: "string" },
      nextPrio: { from: "next_prio", kind: "number" },
    },
    handle(r) {
      const ns = r.ns;
      const host = hosts[r.host]!;
      const cpu = host.cpu(r.cpu, ns);
      streamCpu[r.stream] = cpu;

      const prevTid = r.prevTid;
      let prev = cpu.current;
      if (prev === undefined || prev.tid !== prevTid) {
        const believed = prev;
        prev = prevTid === 0 ? cpu.idle : host.thread(prevTid);
        // Nobody known: `prev` ran since the CPU is known. Somebody else believed: switches were lost.
        cpu.runBeginNs = believed === undefined ? cpu.knownSinceNs : Number.NaN;
        if (believed !== undefined && believed.state === RUNNING) believed.state = UNKNOWN;
      }
      const beginNs = cpu.runBeginNs;
      if (prevTid !== 0) {
        if (prev.name !== r.prevComm) prev.rename(r.prevComm);
        if (prev.pid === -1 && !Number.isNaN(r.prevPid)) host.setPid(prev, r.prevPid);
        const bits = r.prevState & NOT_RUNNABLE;
        prev.cpu = cpu.number;
        if (bits === 0) {
          prev.state = RUNNABLE;
          prev.runnableNs = ns;
          prev.blockedNs = Number.NaN;
        } else {
          prev.state = BLOCKED;
          prev.runnableNs = Number.NaN;
          prev.wokenNs = Number.NaN;
          if (Number.isNaN(prev.earlyWakeNs)) {
            prev.wakerKind = "unknown";
            prev.wakerThread = undefined;
            prev.wakerNumber = -1;
          }
          prev.blockedState = bits;
          prev.blockedNs = (bits & GONE) !== 0 ? Number.NaN : ns;
        }
      }
      const ends = on.runEnd;
      if (beginNs <= ns) for (let i = 0; i < ends.length; i++) ends[i]!(prev, cpu, beginNs, ns);

      const nextTid = r.nextTid;
      const next = nextTid === 0 ? cpu.idle : host.thread(nextTid);
      cpu.current = next;
      cpu.runBeginNs = ns;
      if (nextTid !== 0) {
        if (next.name !== r.nextComm) next.rename(r.nextComm);
        next.prio = r.nextPrio;
        next.cpu = cpu.number;
        if (next.state !== RUNNING) switchIn(model, next, cpu, ns);
        next.state = RUNNING;
      }
      const l = on.switched;
      for (let i = 0; i < l.length; i++) l[i]!(cpu, prev, next, ns);
    },
  });
}

/** `next` was blocked, runnable or unknown, and gets the CPU now. */
function switchIn(model: Context, next: Thread, cpu: Cpu, ns: number): void {
  const { on } = model;
  const blockedNs = next.blockedNs;
  const blocked = !Number.isNaN(blockedNs);
  if (next.state === BLOCKED && blocked && !Number.isNaN(next.earlyWakeNs)) {
    // Nothing has woken it since it blocked, so the wake-up while it still ran was for this block: on another CPU,
    // between leaving the run queue and the switch itself.
    next.runnableNs = blockedNs;
    next.wokenNs = blockedNs;
  }
  if (blocked) {
    if (Number.isNaN(next.wokenNs)) next.wokenNs = ns;
    const spent = next.wokenNs - blockedNs;
    if (next.syscall !== undefined) {
      next.syscallBlockedNs += spent;
      next.syscallBlocks++;
      if (spent >= next.syscallLongestNs) {
        next.syscallLongestNs = spent;
        next.syscallLongestState = next.blockedState;
        next.syscallLongestWakerKind = next.wakerKind;
        next.syscallLongestWakerThread = next.wakerThread;
        next.syscallLongestWakerNumber = next.wakerNumber;
      }
    }
    const l = on.blockEnd;
    for (let i = 0; i < l.length; i++) l[i]!(next, cpu, ns);
  }
  const runnableNs = next.runnableNs;
  if (!Number.isNaN(runnableNs)) {
    const l = on.runQueueWait;
    const woken = runnableNs === next.wokenNs;
    for (let i = 0; i < l.length; i++) l[i]!(next, cpu, ns - runnableNs, ns, woken);
  }
  next.runnableNs = Number.NaN;
  next.blockedNs = Number.NaN;
  next.earlyWakeNs = Number.NaN;
}

/** Interrupt context first: the thread that it interrupted has nothing to do with the wake-up. */
function setWaker(thread: Thread, cpu: Cpu): void {
  thread.wakerThread = undefined;
  thread.wakerNumber = -1;
  if (cpu.timerDepth > 0) thread.wakerKind = "timer";
  else if (cpu.irqDepth > 0) {
    thread.wakerKind = "irq";
    thread.wakerNumber = cpu.irqNumbers[cpu.irqDepth - 1]!;
  } else if (cpu.softirq >= 0) {
    thread.wakerKind = "softirq";
    thread.wakerNumber = cpu.softirq;
  } else if (cpu.current === undefined) thread.wakerKind = "unknown";
  else if (cpu.current.tid === 0) thread.wakerKind = "interrupt";
  else {
    thread.wakerKind = "thread";
    thread.wakerThread = cpu.current;
  }
}
