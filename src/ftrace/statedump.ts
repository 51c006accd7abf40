/**
 * The state of the machine as /proc and /sys tell it: threads, descriptors, disks, interrupts, network interfaces.
 *
 * Written in LTTng's shapes. Descriptors carry the pid, as up to lttng-modules 2.11: /proc does not tell addresses of
 * file tables, and every reader still knows the older shape.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { FieldSpec, FieldSpecs, WrittenValue } from "../ctf/write/schema.js";
import type { KnownThread } from "./threads.js";

export interface DumpedThread extends KnownThread {
  readonly ppid: number;
  readonly isKernel: boolean;
  /** State letter of /proc/PID/stat. */
  readonly state: string;
  readonly cpu: number;
}

export interface DumpedFile {
  readonly pid: number;
  readonly fd: number;
  readonly name: string;
  /** Flags of open(2). */
  readonly flags: number;
}

/** Descriptors that were open at a moment (ns, monotonic, as text). */
export interface OpenFiles {
  readonly ns: string;
  readonly files: readonly DumpedFile[];
}

export interface Dump extends OpenFiles {
  readonly endNs: string;
  /** Thread that read it. */
  readonly by: number;
  readonly threads: readonly DumpedThread[];
  readonly disks: readonly { readonly dev: number; readonly name: string }[];
  readonly interrupts: readonly { readonly irq: number; readonly chip: string; readonly action: string }[];
  readonly interfaces: readonly { readonly name: string; readonly address: number }[];
}

/** Whatever vanishes while it is read is left out. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const numbers = (directory: string): number[] =>
  (attempt(() => readdirSync(directory)) ?? []).filter((name) => /^\d+$/.test(name)).map(Number);

/** Reads everything. */
export function takeDump(): Dump {
  const ns = process.hrtime.bigint();
  const pids = numbers("/proc");
  const threads = pids.flatMap((pid) =>
    numbers(`/proc/${pid}/task`).flatMap((tid) => readThread(pid, tid) ?? []),
  );
  const files = pids.flatMap((pid) => readFiles(pid, true));
  return {
    ns: String(ns),
    threads,
    files,
    disks: readDisks(),
    interrupts: readInterrupts(),
    interfaces: readInterfaces(),
    endNs: String(process.hrtime.bigint()),
    by: process.pid,
  };
}

/** Names of what is open now. */
export function sampleFiles(): OpenFiles {
  const ns = String(process.hrtime.bigint());
  return { ns, files: numbers("/proc").flatMap((pid) => readFiles(pid, false)) };
}

/** Format: proc(5), /proc/pid/stat. */
export function parseStat(text: string): Omit<DumpedThread, "pid"> | undefined {
  // The name stands in parentheses and may hold some itself.
  const match = /^(\d+) \((.*)\) (\S) (.*)$/s.exec(text.trimEnd());
  if (match === null) return undefined;
  const rest = match[4]!.split(" ").map(Number);
  const PF_KTHREAD = 0x200000;
  return {
    tid: Number(match[1]),
    name: match[2]!,
    state: match[3]!,
    ppid: rest[0]!,
    isKernel: (rest[5]! & PF_KTHREAD) !== 0,
    cpu: rest[35] ?? 0,
  };
}

function readThread(pid: number, tid: number): DumpedThread | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/task/${tid}/stat`, "utf8"));
  const stat = text === undefined ? undefined : parseStat(text);
  return stat && { ...stat, pid };
}

function readFiles(pid: number, withFlags: boolean): DumpedFile[] {
  return numbers(`/proc/${pid}/fd`).flatMap((fd) => {
    const name = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    if (name === undefined) return [];
    const info = withFlags ? attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) : undefined;
    const flags = /^flags:\s*([0-7]+)/m.exec(info ?? "")?.[1];
    return [{ pid, fd, name, flags: flags === undefined ? 0 : Number.parseInt(flags, 8) }];
  });
}

/** Format: /proc/partitions, "major minor blocks name". */
function readDisks(): Dump["disks"] {
  const text = attempt(() => readFileSync("/proc/partitions", "utf8")) ?? "";
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+\d+\s+(\S+)$/gm)].map(([, major, minor, name]) => ({
    dev: Number(major) * 2 ** 20 + Number(minor),
    name: name!,
  }));
}

/** Format: /sys/kernel/irq/N/, one file per property (Documentation/ABI/testing/sysfs-kernel-irq). */
function readInterrupts(): Dump["interrupts"] {
  return numbers("/sys/kernel/irq").flatMap((irq) => {
    const property = (name: string) =>
      attempt(() => readFileSync(join("/sys/kernel/irq", String(irq), name), "utf8").trim()) ?? "";
    return property("actions")
      .split(",")
      .filter((action) => action !== "")
      .map((action) => ({ irq, chip: property("chip_name"), action }));
  });
}

function readInterfaces(): Dump["interfaces"] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      .filter(({ family }) => family === "IPv4")
      .map(({ address }) => ({
        name,
        address: address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0),
      })),
  );
}

const int = (size: 8 | 16 | 32 | 64, signed: boolean, base: 10 | 16 = 10): FieldSpec => ({
  type: "integer",
  size,
  signed,
  base,
});
const I32 = int(32, true);
const U32 = int(32, false);
const TEXT: FieldSpec = { type: "string" };

export interface DumpRow {
  readonly event: string;
  readonly fields: FieldSpecs;
  readonly values: readonly WrittenValue[];
}

/** LTTng's numbers for a thread's state: wait for a CPU 2, exit 3, zombie 4, wait 5, run 6, dead 7. */
function statusOf(state: string): number {
  return { R: 2, Z: 4, X: 7, x: 7 }[state] ?? 5;
}

const PROCESS = {
  tid: I32,
  pid: I32,
  ppid: I32,
  name: { type: "text", bytes: 16 },
  type: I32,
  mode: I32,
  submode: I32,
  status: I32,
  cpu: U32,
} satisfies FieldSpecs;
const FILE = { pid: I32, fd: I32, flags: U32, fmode: int(32, false, 16), filename: TEXT };
const DISK = { dev: U32, diskname: TEXT };
const INTERRUPT = { irq: U32, name: TEXT, action: TEXT, tid: I32 };
const INTERFACE = { name: TEXT, address_ipv4: int(32, false, 16) };
/** Mode "system call", as LTTng has it for all but kernel threads. */
const IN_SYSCALL = 5;

/** The dump as LTTng's events, in LTTng's order. */
export function* dumpRows(dump: Dump): Generator<DumpRow> {
  const row = (event: string, fields: FieldSpecs, values: readonly WrittenValue[]) => ({
    event: `lttng_statedump_${event}`,
    fields,
    values,
  });
  yield row("start", {}, []);
  for (const { tid, pid, ppid, name, isKernel, state, cpu } of dump.threads) {
    const values = [tid, pid, ppid, name, isKernel ? 1 : 0, IN_SYSCALL, 0, statusOf(state), cpu];
    yield row("process_state", PROCESS, values);
  }
  for (const { pid, fd, flags, name } of dump.files) {
    // Bits 0 and 1: readable, writable.
    yield row("file_descriptor", FILE, [pid, fd, flags, ((flags & 3) + 1) & 3, name]);
  }
  for (const { dev, name } of dump.disks) yield row("block_device", DISK, [dev, name]);
  for (const { irq, chip, action } of dump.interrupts) {
    yield row("interrupt", INTERRUPT, [irq, chip, action, 0]);
  }
  for (const { name, address } of dump.interfaces) yield row("network_interface", INTERFACE, [name, address]);
  yield row("end", {}, []);
}
