/** What records tell of threads: their names and their processes. */
import type { FieldKind } from "./event-format.js";
import type { Role } from "./mapping.js";
import type { PageCursor } from "./page-cursor.js";
import { NAME_BYTES, type ThreadState, type Threads } from "./threads.js";

/** `thread`: the one that was current. */
export type Learn = (
  cursor: PageCursor & { readonly cpu: number },
  thread: ThreadState,
  threads: Threads,
) => void;

/** Undefined: nothing is to be learnt. `offset` answers where in the record a field is. */
export function learnFrom(
  role: Role,
  offset: (field: string) => number,
  kind: (field: string) => FieldKind | undefined,
): Learn | undefined {
  switch (role) {
    case "switch": {
      const [comm, pid] = [offset("next_comm"), offset("next_pid")];
      const [prev, priority] = [offset("prev_comm"), offset("next_prio")];
      return ({ view, at, cpu }, leaving, threads) => {
        if (leaving.tid !== 0) leaving.nameFrom(view, at + prev);
        const next = view.getInt32(at + pid, true);
        if (next === 0) return;
        const entering = threads.get(next, cpu);
        entering.nameFrom(view, at + comm);
        entering.priority = view.getInt32(at + priority, true) - 100;
      };
    }
    case "wake": {
      const pid = offset("pid");
      return ({ view, at, ns, cpu }, _waker, threads) => {
        threads.get(view.getInt32(at + pid, true), cpu).wokenNs = ns;
      };
    }
    case "newtask": {
      const [pid, comm, flags] = [offset("pid"), offset("comm"), offset("clone_flags")];
      return ({ view, at }, thread, threads) => {
        const child = threads.born(view.getInt32(at + pid, true), thread, view.getUint32(at + flags, true));
        child.nameFrom(view, at + comm);
      };
    }
    case "rename": {
      const [pid, comm] = [offset("pid"), offset("newcomm")];
      return ({ view, at, cpu }, thread, threads) => {
        // Without a pid it is the current thread that takes a new name.
        const renamed = pid < 0 ? thread : threads.get(view.getInt32(at + pid, true), cpu);
        renamed.nameFrom(view, at + comm);
      };
    }
    case "exec":
      // The new program's name; `task_rename` tells the same, where it is recorded.
      return learnName(offset("filename"), kind("filename"), () => -1);
    case "fork": {
      const child = offset("child_pid");
      return learnName(offset("child_comm"), kind("child_comm"), (view, at) =>
        view.getInt32(at + child, true),
      );
    }
    default:
      return undefined;
  }
}

/** A thread's name from a string or text: the last part of a path. `tid` answers whose; below 0: the current one's. */
function learnName(
  field: number,
  kind: FieldKind | undefined,
  tid: (view: DataView, at: number) => number,
): Learn | undefined {
  if (kind !== "string" && kind !== "text") return undefined;
  return ({ bytes, view, at, length, cpu }, thread, threads) => {
    const place = kind === "string" ? view.getUint32(at + field, true) : field | (NAME_BYTES << 16);
    let from = at + (place & 0xffff);
    const end = Math.min(from + (place >>> 16), at + length);
    let to = from;
    for (; to < end && bytes[to] !== 0; to++) if (bytes[to] === SLASH) from = to + 1;
    const whose = tid(view, at);
    const named = whose < 0 ? thread : threads.get(whose, cpu);
    if (to > from && named.tid !== 0) named.nameBytes(bytes, from, Math.min(to, from + NAME_BYTES - 1));
  };
}

const SLASH = 0x2f;
