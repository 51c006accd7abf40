/**
 * What the contexts of event records say of threads: process and name, as they are at a moment.
 *
 * A raw record tells the tid only. Names follow `sched_switch`, `task_rename` and `task_newtask`, processes follow
 * `task_newtask`; what existed before comes from the dumps of /proc.
 */
import type { Target } from "../ctf/write/encoder.js";

/** Bytes of a thread's name in the kernel (`TASK_COMM_LEN`). */
export const NAME_BYTES = 16;
const CLONE_THREAD = 0x10000;
const NAME = new Uint8Array(NAME_BYTES);
const NAME_VIEW = new DataView(NAME.buffer);

export class ThreadState {
  /** Of its process; the tid where nobody knows. */
  pid: number;
  /** The name as four words, little-endian: compared and copied without looking at characters. */
  name0 = 0;
  name1 = 0;
  name2 = 0;
  name3 = 0;
  /** As LTTng counts: 20 is an ordinary thread. */
  priority = 20;
  /** Its last wake-up, since the origin. */
  wokenNs = 0;

  constructor(
    readonly tid: number,
    pid = tid,
  ) {
    this.pid = pid;
  }

  nameFrom(view: DataView, at: number): void {
    this.name0 = view.getUint32(at, true);
    this.name1 = view.getUint32(at + 4, true);
    this.name2 = view.getUint32(at + 8, true);
    this.name3 = view.getUint32(at + 12, true);
  }

  /** From the bytes `from` to `to`, at most 15. */
  nameBytes(bytes: Uint8Array, from: number, to: number): void {
    NAME.fill(0);
    for (let i = from; i < to; i++) NAME[i - from] = bytes[i]!;
    this.nameFrom(NAME_VIEW, 0);
  }

  named(text: string): this {
    const bytes = new Uint8Array(NAME_BYTES);
    new TextEncoder().encodeInto(text, bytes.subarray(0, NAME_BYTES - 1));
    this.nameFrom(new DataView(bytes.buffer), 0);
    return this;
  }

  get name(): string {
    const bytes = new Uint8Array(NAME_BYTES);
    const view = new DataView(bytes.buffer);
    this.writeName({ view }, 0);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  writeName({ view }: Pick<Target, "view">, at: number): void {
    view.setUint32(at, this.name0, true);
    view.setUint32(at + 4, this.name1, true);
    view.setUint32(at + 8, this.name2, true);
    view.setUint32(at + 12, this.name3, true);
  }
}

/** What a dump of /proc tells of a thread. */
export interface KnownThread {
  readonly tid: number;
  readonly pid: number;
  readonly name: string;
}

export class Threads {
  readonly #living = new Map<number, ThreadState>();
  readonly #idle: ThreadState[] = [];
  readonly #later = new Map<number, KnownThread>();

  /** `later`: threads found at the end, for those whose birth was not recorded. */
  constructor(known: Iterable<KnownThread>, later: Iterable<KnownThread> = []) {
    for (const { tid, pid, name } of known) this.#living.set(tid, new ThreadState(tid, pid).named(name));
    for (const thread of later) this.#later.set(thread.tid, thread);
  }

  /** The thread `tid` as it lives now; every CPU has its own thread 0. */
  get(tid: number, cpu: number): ThreadState {
    if (tid === 0) return (this.#idle[cpu] ??= new ThreadState(0, 0).named(`swapper/${cpu}`));
    let thread = this.#living.get(tid);
    if (thread === undefined) {
      const later = this.#later.get(tid);
      thread = new ThreadState(tid, later?.pid).named(later?.name ?? "");
      this.#living.set(tid, thread);
    }
    return thread;
  }

  /** A thread is born; `parent` made it with these flags (the low 32 bits). */
  born(tid: number, parent: ThreadState, cloneFlags: number): ThreadState {
    const thread = new ThreadState(tid, cloneFlags & CLONE_THREAD ? parent.pid : tid);
    this.#living.set(tid, thread);
    return thread;
  }
}
