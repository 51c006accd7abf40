/**
 * System calls in flight: begun, ended, with the arguments that matter for files and waits.
 *
 * Hot: subscriptions are grouped by the fields they need, so that each handler sees one shape of record; the
 * call is found by one map lookup on the event's description.
 */

import type { EventInfo, EventSource, SourceInfo } from "../sources/source.js";
import { beginConnect, descriptorFile, endAccept, endDescriptorCall, endPair } from "./files.js";
import type { Context } from "./model.js";
import { unknownSyscallName } from "./names.js";
import type { Thread } from "./state.js";
import type { Syscall, SyscallKind } from "./syscall-table.js";

type Shape =
  | "plain"
  | "fd"
  | "open"
  | "connect"
  | "socket"
  | "poll"
  | "select"
  | "epoll"
  | "dup"
  | "fcntl"
  | "copy"
  | "clone"
  | "futex"
  | "accept"
  | "pair"
  | "unknown";

/** Which arguments of an entry to read. */
function entryShape(name: string, kind: SyscallKind, event: EventInfo): Shape {
  if (name === "unknown") return "unknown";
  if (kind === "open") return "open";
  if (kind === "connect" || kind === "socket" || kind === "copy") return kind;
  if (name === "poll" || name === "ppoll") return "poll";
  if (name === "select" || name === "pselect6") return "select";
  if (name.startsWith("epoll_") && name !== "epoll_ctl" && event.fields.includes("timeout")) return "epoll";
  if (name.startsWith("fcntl")) return "fcntl";
  if (kind === "dup") return "dup";
  if (name === "futex") return "futex";
  if (kind === "fork" && event.fields.includes("flags")) return "clone";
  if (name !== "mmap" && ["fd", "epfd", "fildes"].some((f) => event.fields.includes(f))) return "fd";
  return "plain";
}

function exitShape(name: string): Shape {
  if (name === "accept" || name === "accept4") return "accept";
  return name === "pipe" || name === "pipe2" || name === "socketpair" ? "pair" : "plain";
}

export function attachSyscalls(source: EventSource, model: Context): void {
  const { hosts, names, on, syscalls, uncertain } = model;
  const byEvent = new Map<EventInfo, Syscall>();
  const entries = new Map<EventInfo, Shape>();
  const exits = new Map<EventInfo, Shape>();
  for (const event of source.info.events) {
    const found = names.syscall(event);
    if (found === undefined) continue;
    if (found.name === "") {
      exits.set(event, "plain");
      continue;
    }
    const syscall = syscalls.get(found.name, found.compat);
    byEvent.set(event, syscall);
    if (found.kind === "entry") entries.set(event, entryShape(found.name, syscall.kind, event));
    else exits.set(event, exitShape(found.name));
  }
  const entry = (shape: Shape) => (event: EventInfo) => entries.get(event) === shape;
  const exit = (shape: Shape) => (event: EventInfo) => exits.get(event) === shape;
  const tid = { from: "context:tid", kind: "number" } as const;
  const number = (...from: string[]) => ({ from, kind: "number" }) as const;
  const x86 = isX86(source.info);

  /** The thread of a call that begins, its arguments cleared. */
  const begin = (hostIndex: number, cpuNumber: number, contextTid: number, syscall: Syscall, ns: number) => {
    const host = hosts[hostIndex]!;
    const thread = host.current(host.cpu(cpuNumber, ns), contextTid);
    if (thread === undefined) {
      uncertain.unattributedSyscalls++;
      return undefined;
    }
    thread.syscall = syscall;
    thread.syscallBeginNs = ns;
    thread.syscallFd = -1;
    thread.syscallFile = undefined;
    thread.syscallFile2 = undefined;
    thread.syscallFdCount = 0;
    thread.syscallTimeoutNs = Number.NaN;
    thread.syscallArg = 0;
    thread.syscallArg2 = 0;
    thread.syscallBlockedNs = 0;
    thread.syscallBlocks = 0;
    thread.syscallLongestNs = 0;
    return thread;
  };
  const begun = (thread: Thread, ns: number): void => {
    const l = on.syscallBegin;
    for (let i = 0; i < l.length; i++) l[i]!(thread, ns);
  };
  const setFd = (thread: Thread, fd: number): void => {
    thread.syscallFd = fd;
    const known = thread.process.fds.get(fd);
    const file = known !== undefined ? known.file : descriptorFile(thread.process, fd);
    thread.syscallFile = file;
    if (file !== undefined && file.kind === "unknown" && thread.syscall!.onSocket) file.kind = "socket";
  };

  source.subscribe({
    matches: entry("plain"),
    fields: { tid },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread !== undefined) begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("fd"),
    fields: { tid, fd: number("payload:fd", "payload:epfd", "payload:fildes") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      setFd(thread, r.fd);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("open"),
    fields: {
      tid,
      path: { from: ["filename", "pathname"], kind: "string" },
      dfd: number("dfd"),
      flags: number("payload:flags"),
    },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      thread.syscallPath = r.path;
      thread.syscallArg = !Number.isNaN(r.dfd) ? r.dfd : -100;
      thread.syscallArg2 = r.flags;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("connect"),
    fields: {
      tid,
      fd: number("fd"),
      family: number("family"),
      port: number("dport"),
      v4: { from: "v4addr", kind: "value" },
      v6: { from: "v6addr", kind: "value" },
    },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      thread.syscallFd = r.fd;
      if (!Number.isNaN(r.family)) beginConnect(thread, r.family, r.port, r.v4, r.v6);
      else setFd(thread, r.fd);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("socket"),
    fields: { tid, family: number("family"), type: number("type") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      thread.syscallArg = r.family;
      thread.syscallArg2 = r.type;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("poll"),
    fields: {
      tid,
      timeout: number("timeout_msecs"),
      fds: { from: "fds", kind: "value" },
      count: number("nfds"),
    },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      if (r.timeout >= 0) thread.syscallTimeoutNs = r.timeout * 1e6;
      thread.syscallFdCount = r.count;
      const first = Array.isArray(r.fds) ? (r.fds[0] as { fd?: unknown } | undefined)?.fd : undefined;
      if (typeof first === "number" && first >= 0) setFd(thread, first);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("select"),
    fields: { tid, read: { from: "readfds", kind: "value" }, write: { from: "writefds", kind: "value" } },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      const fds = [...bits(r.read), ...bits(r.write)];
      thread.syscallFdCount = fds.length;
      if (fds[0] !== undefined) setFd(thread, fds[0]);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("epoll"),
    fields: { tid, fd: number("epfd"), timeout: number("timeout") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      if (r.timeout >= 0) thread.syscallTimeoutNs = r.timeout * 1e6;
      setFd(thread, r.fd);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("dup"),
    fields: { tid, fd: number("fildes", "oldfd"), flags: number("payload:flags") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      setFd(thread, r.fd);
      thread.syscallArg2 = r.flags;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("fcntl"),
    fields: { tid, fd: number("fd"), command: number("cmd") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      setFd(thread, r.fd);
      thread.syscallArg = r.command;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("copy"),
    fields: { tid, from: number("in_fd", "fd_in"), to: number("out_fd", "fd_out") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      setFd(thread, r.from);
      thread.syscallFd2 = r.to;
      thread.syscallFile2 = descriptorFile(thread.process, r.to);
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("clone"),
    fields: { tid, flags: number("payload:flags", "payload:clone_flags") },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      thread.syscallArg = r.flags;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("futex"),
    fields: { tid, op: number("op"), address: { from: "uaddr", kind: "address" } },
    handle(r) {
      const thread = begin(r.host, r.cpu, r.tid, byEvent.get(r.event)!, r.ns);
      if (thread === undefined) return;
      thread.syscallArg = r.op;
      thread.syscallAddress = r.address;
      begun(thread, r.ns);
    },
  });
  source.subscribe({
    matches: entry("unknown"),
    fields: { tid, id: number("payload:id") },
    handle(r) {
      const { compat } = byEvent.get(r.event)!;
      const syscall = syscalls.get(unknownSyscallName(r.id, x86 && !compat), compat);
      const thread = begin(r.host, r.cpu, r.tid, syscall, r.ns);
      if (thread !== undefined) begun(thread, r.ns);
    },
  });

  /** The thread whose call ends here; undefined when its begin was not seen. */
  const ending = (hostIndex: number, cpuNumber: number, contextTid: number, event: EventInfo, ns: number) => {
    const host = hosts[hostIndex]!;
    const thread = host.current(host.cpu(cpuNumber, ns), contextTid);
    if (thread === undefined) {
      uncertain.unattributedSyscalls++;
      return undefined;
    }
    const syscall = thread.syscall;
    if (syscall === undefined) return undefined;
    const expected = byEvent.get(event);
    if (expected !== undefined && expected !== syscall && expected.name !== "unknown") {
      // Its own exit and this call's entry are lost.
      thread.syscall = undefined;
      uncertain.syscalls++;
      return undefined;
    }
    return thread;
  };
  const ended = (thread: Thread, ns: number): void => {
    const l = on.syscallEnd;
    for (let i = 0; i < l.length; i++) l[i]!(thread, ns);
    thread.syscall = undefined;
  };

  source.subscribe({
    matches: exit("plain"),
    fields: { tid, ret: number("payload:ret") },
    handle(r) {
      const thread = ending(r.host, r.cpu, r.tid, r.event, r.ns);
      if (thread === undefined) return;
      thread.syscallRet = r.ret;
      if (thread.syscall!.changesFds && r.ret >= 0) endDescriptorCall(thread);
      ended(thread, r.ns);
    },
  });
  source.subscribe({
    matches: exit("accept"),
    fields: {
      tid,
      ret: number("payload:ret"),
      family: number("family"),
      port: number("sport"),
      v4: { from: "v4addr", kind: "value" },
      v6: { from: "v6addr", kind: "value" },
    },
    handle(r) {
      const thread = ending(r.host, r.cpu, r.tid, r.event, r.ns);
      if (thread === undefined) return;
      thread.syscallRet = r.ret;
      if (r.ret >= 0) endAccept(thread, r.family, r.port, r.v4, r.v6);
      ended(thread, r.ns);
    },
  });
  source.subscribe({
    matches: exit("pair"),
    fields: {
      tid,
      ret: number("payload:ret"),
      fds: { from: ["fildes", "socket", "usockvec"], kind: "value" },
    },
    handle(r) {
      const thread = ending(r.host, r.cpu, r.tid, r.event, r.ns);
      if (thread === undefined) return;
      thread.syscallRet = r.ret;
      if (r.ret >= 0) endPair(thread, r.fds);
      ended(thread, r.ns);
    },
  });
}

/**
 * Whether numbers of system calls are those of x86-64. Traces do not say; the calls that a kernel has do: machines
 * younger than x86-64 never had `access`, older ones still have `waitpid` and `nice`.
 */
function isX86(info: SourceInfo): boolean {
  const calls = new Set(info.events.map((event) => event.name));
  const has = (name: string) => calls.has(`syscall_entry_${name}`);
  const wide = info.traces.every(
    (trace) => Number(trace.environment.get("architecture_bit_width") ?? 64) === 64,
  );
  return has("ioperm") || has("iopl") || (wide && has("access") && !has("waitpid") && !has("nice"));
}

/** Numbers of the bits set in the bytes of an fd_set. */
function bits(bytes: unknown): number[] {
  const out: number[] = [];
  if (!Array.isArray(bytes)) return out;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    for (let b = 0; b < 8; b++) if (byte & (1 << b)) out.push(i * 8 + b);
  }
  return out;
}
