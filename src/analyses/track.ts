/**
 * Event records of chosen threads: everything that happens on a CPU while one of them runs there, and what is said
 * of them elsewhere (state dump, switches to and from them).
 */

import type { EventInfo, EventSource } from "../sources/source.js";

export interface TrackOptions {
  readonly tids?: readonly number[];
  /** Names of processes: once a thread has one of them, it is tracked for good. */
  readonly procnames?: readonly string[];
  /** Children of tracked threads are tracked, too. */
  readonly followChild?: boolean;
}

/** A field of a payload as plain data (see `FieldKind` "value"). */
export type Payload = Readonly<Record<string, unknown>>;

export interface TrackedRecord {
  readonly ns: number;
  readonly cpu: number;
  readonly host: number;
  readonly event: EventInfo;
  readonly payload: Payload;
  /** Who ran on the CPU; undefined when that is not known. */
  readonly tid: number | undefined;
}

/** Fields that tell a thread's name. */
const NAMED: readonly (readonly [comm: string, tid: string])[] = [
  ["comm", "tid"],
  ["name", "tid"],
  ["next_comm", "next_tid"],
  ["prev_comm", "prev_tid"],
  ["parent_comm", "parent_tid"],
  ["child_comm", "child_tid"],
];

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Subscribes; `found` is called for each record, in order, once. Without options: all records. */
export function track(
  source: EventSource,
  options: TrackOptions,
  found: (record: TrackedRecord) => void,
): void {
  const { tids, procnames, followChild } = options;
  const all = tids === undefined && procnames === undefined;
  const names = new Set(procnames ?? []);
  const hosts = source.info.hosts.map(() => ({
    tracked: new Set(tids ?? []),
    current: new Map<number, number>(),
  }));
  source.subscribe({
    matches: () => true,
    fields: {
      payload: { from: "payload:", kind: "value" },
      contextTid: { from: "context:tid", kind: "number" },
    },
    handle(r) {
      const { tracked, current } = hosts[r.host]!;
      const payload = (r.payload ?? {}) as Payload;
      const { name } = r.event;
      const known = current.get(r.cpu);
      const tid = known ?? (Number.isNaN(r.contextTid) ? undefined : r.contextTid);
      const number = (field: string): number | undefined => {
        const value = payload[field];
        return typeof value === "number" ? value : undefined;
      };
      if (names.size > 0) learn(payload, name, tid, tracked, number);
      if (name === "sched_process_fork" && followChild) {
        const parent = number("parent_tid") ?? number("parent_pid");
        const child = number("child_tid");
        if (parent !== undefined && child !== undefined && tracked.has(parent)) tracked.add(child);
      }
      let keep = all || (tid !== undefined && tracked.has(tid));
      if (name === "sched_switch") {
        const next = number("next_tid");
        keep ||= tracked.has(number("prev_tid") ?? -1) || tracked.has(next ?? -1);
        if (next !== undefined) current.set(r.cpu, next);
      } else if (name.startsWith("lttng_statedump_")) {
        // Whoever dumps the state is not whom it is about.
        const about = number("tid") ?? number("pid");
        keep = all || (about !== undefined && tracked.has(about));
      }
      if (keep) found({ ns: r.ns, cpu: r.cpu, host: r.host, event: r.event, payload, tid });
    },
  });

  const learn = (
    payload: Payload,
    event: string,
    running: number | undefined,
    tracked: Set<number>,
    number: (field: string) => number | undefined,
  ): void => {
    for (const [comm, field] of NAMED) {
      const name = payload[comm];
      const tid = number(field);
      if (typeof name === "string" && tid !== undefined && names.has(name)) tracked.add(tid);
    }
    const exec = event === "sched_process_exec";
    if (!exec && event !== "syscall_entry_execve" && event !== "syscall_entry_execveat") return;
    const filename = payload["filename"];
    const tid = exec ? number("tid") : running;
    if (typeof filename === "string" && tid !== undefined && names.has(baseName(filename))) tracked.add(tid);
  };
}
