/**
 * Names of opened files, for kernels that do not tell them: the system call's argument is only an address. Who
 * holds a descriptor when /proc is read shows its name; the call that made the descriptor is the last one before
 * that answered its number. `execve` has its name in `sched_process_exec`.
 *
 * Names are found in a reading of their own, before the events are written, and are kept by the number of the call
 * in the order of time.
 */

import type { CpuReader } from "./cpu-reader.js";
import { OPENING, tracefsCall } from "./events/syscalls.js";
import type { CompiledMapping } from "./mapping.js";
import type { OpenFiles } from "./statedump.js";
import type { ThreadState } from "./threads.js";

/** Names that are no paths. */
const NO_PATH = /^(socket|pipe|anon_inode|mnt|net|pid|user|uts|ipc|cgroup|time):/;

export class FileNames {
  /** By number of the call. */
  readonly #names: (string | undefined)[] = [];
  /** Calls under way, by tid. */
  readonly #pending = new Map<number, number>();
  readonly #executing = new Map<number, number>();
  /** Calls that made what is open now: pid → descriptor → number of the call. */
  readonly #made = new Map<number, Map<number, number>>();
  readonly #moments: { readonly ns: number; readonly files: OpenFiles["files"] }[];
  #next = 0;
  opened = 0;
  named = 0;

  constructor(moments: readonly OpenFiles[], originNs: bigint) {
    this.#moments = moments.map(({ ns, files }) => ({ ns: Number(BigInt(ns) - originNs), files }));
    this.#moments.sort((a, b) => a.ns - b.ns);
  }

  /** Whether an event's records must be shown to `see`. */
  static concerns({ role, event }: CompiledMapping): boolean {
    return role === "open" || role === "opened" || role === "closed" || role === "exec" || isExec(event.name);
  }

  see(mapping: CompiledMapping, { view, at, ns }: CpuReader, thread: ThreadState): void {
    while (this.#next < this.#moments.length && this.#moments[this.#next]!.ns < ns) this.#look();
    const { role, event } = mapping;
    if (role === "open") this.#pending.set(thread.tid, this.#names.push(undefined) - 1);
    else if (role === "opened") {
      const call = this.#pending.get(thread.tid);
      if (call === undefined) return;
      this.#pending.delete(thread.tid);
      const fd = view.getInt32(at + mapping.offset("ret"), true);
      if (fd < 0) return;
      this.opened++;
      let made = this.#made.get(thread.pid);
      if (made === undefined) this.#made.set(thread.pid, (made = new Map()));
      made.set(fd, call);
    } else if (role === "closed") {
      // dup2 and dup3 put another file under their second argument.
      const field = event.name === "sys_enter_close" ? "fd" : "newfd";
      this.#made.get(thread.pid)?.delete(view.getInt32(at + mapping.offset(field), true));
    } else if (role === "exec") {
      const call = this.#executing.get(thread.tid);
      if (call === undefined) return;
      const place = view.getUint32(at + mapping.offset("filename"), true);
      const from = at + (place & 0xffff);
      const bytes = new Uint8Array(view.buffer, view.byteOffset + from, place >>> 16);
      const end = bytes.indexOf(0);
      this.#names[call] = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    } else if (isExec(event.name)) this.#executing.set(thread.tid, this.#names.push(undefined) - 1);
  }

  /** After the last record: the state at the end. */
  finish(): void {
    while (this.#next < this.#moments.length) this.#look();
  }

  #look(): void {
    for (const { pid, fd, name } of this.#moments[this.#next]!.files) {
      const call = this.#made.get(pid)?.get(fd);
      if (call === undefined || this.#names[call] !== undefined || NO_PATH.test(name)) continue;
      this.#names[call] = name.replace(/ \(deleted\)$/, "");
      this.named++;
    }
    this.#next++;
  }

  /** Name of the call with this number, "" when nobody knows. */
  name(call: number): string {
    return this.#names[call] ?? "";
  }
}

/** Entries that count as calls with a name. */
export function isNamed({ role, event }: CompiledMapping): boolean {
  return role === "open" || isExec(event.name);
}

function isExec(name: string): boolean {
  return name === "sys_enter_execve" || name === "sys_enter_execveat";
}

/** Whether records of this event lack a name that could be found. */
export function lacksName(mapping: CompiledMapping): boolean {
  const found = tracefsCall(mapping.event.name);
  const opens = found?.entry === true && OPENING.has(found.call);
  return opens && !mapping.event.fields.some(({ name, kind }) => kind !== "integer" && /name/.test(name));
}
