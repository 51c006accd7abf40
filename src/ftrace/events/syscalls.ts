/** System calls: `sys_enter_openat` of tracefs is LTTng's `syscall_entry_openat`. */
import type { FieldSpec } from "../../ctf/write/schema.js";
import type { TracefsEvent } from "../event-format.js";
import { type EventMapping, event, type FieldMapping, i32, i64, type Role, x64 } from "../mapping.js";
import { kernelNames, lttngArguments } from "../syscall-fields.js";

/** Calls that turn a name into a descriptor. */
export const OPENING = new Set(["open", "openat", "openat2", "creat"]);
/** Calls after which a descriptor is another one or none. */
const CLOSING = new Set(["close", "dup2", "dup3"]);
const TEXTS = new Set(["filename", "pathname", "path"]);

/** The call of a tracefs event; undefined for other events. */
export function tracefsCall(name: string): { readonly call: string; readonly entry: boolean } | undefined {
  const match = /^sys_(enter|exit)_(.+)$/.exec(name);
  return match === null ? undefined : { call: match[2]!, entry: match[1] === "enter" };
}

export function mapSyscall(format: TracefsEvent): EventMapping | undefined {
  const found = tracefsCall(format.name);
  if (found === undefined) return undefined;
  const { call, entry } = found;
  const from = `${format.system}/${format.name}`;
  if (entry) return event(from, `syscall_entry_${call}`, entryFields(call, format), entryRole(call));
  // Addresses of memory have no sign.
  const ret = call === "mmap" || call === "mremap" || call === "brk" ? x64("ret") : i64("ret");
  return event(from, `syscall_exit_${call}`, [ret], OPENING.has(call) ? "opened" : "plain");
}

function entryRole(call: string): Role {
  return OPENING.has(call) ? "open" : CLOSING.has(call) ? "closed" : "plain";
}

function entryFields(call: string, format: TracefsEvent): FieldMapping[] {
  const has = (name: string) => format.fields.some((field) => field.name === name);
  const known = lttngArguments(call);
  if (known === undefined) {
    return format.fields
      .filter(({ name }) => name !== "__syscall_nr" && !name.startsWith("__"))
      .map(({ name, type, signed }) => {
        if (/char \*$/.test(type) && (TEXTS.has(name) || has(`__${name}_val`)))
          return text(name, [name], has);
        const base = type.endsWith("*") ? 16 : 10;
        return argument(name, integerOf(type, signed, base), [name]);
      });
  }
  return known.flatMap(({ name, type }) => {
    const names = kernelNames(call, name);
    if (!names.some(has)) return [];
    if (type === "s") return [text(name, names, has)];
    const spec: FieldSpec = {
      type: "integer",
      size: Number(type.slice(1)) as 8 | 16 | 32 | 64,
      signed: type.startsWith("i"),
      base: type.startsWith("x") ? 16 : 10,
    };
    return [argument(name, spec, names)];
  });
}

function argument(name: string, spec: FieldSpec, names: readonly string[]): FieldMapping {
  return { name, spec, origin: { kind: "field", names } };
}

/** A kernel that reads strings of callers has them as `__NAME_val`; an event probe has them under the name itself. */
function text(name: string, names: readonly string[], has: (name: string) => boolean): FieldMapping {
  const own = names.map((one) => `__${one}_val`).find(has);
  if (own !== undefined) return argument(name, { type: "string" }, [own]);
  return { name, spec: { type: "string" }, origin: { kind: "filename" } };
}

/** Arguments take 64 bits in the record; their C type says how many count. */
function integerOf(type: string, signed: boolean, base: 10 | 16): FieldSpec {
  const narrow = /^(const )?(int|pid_t|key_t|clockid_t|timer_t|mqd_t|__s32)$/.test(type);
  const unsigned = /^(const )?(unsigned int|unsigned|uid_t|gid_t|u32|__u32|qid_t|aio_context_t)$/.test(type);
  if (narrow) return { type: "integer", size: 32, signed: true, base };
  if (unsigned) return { type: "integer", size: 32, signed: false, base };
  return { type: "integer", size: 64, signed: signed || /^(long|loff_t|off_t|ssize_t)$/.test(type), base };
}

/** For kernels without descriptions of calls. */
export const RAW_SYSCALLS = [
  event("raw_syscalls/sys_enter", "syscall_entry_unknown", [
    i32("id"),
    {
      name: "args",
      spec: { type: "array", length: 6, element: { type: "integer", size: 64, signed: false } },
      origin: { kind: "field", names: ["args"] },
    },
  ]),
  event("raw_syscalls/sys_exit", "syscall_exit_unknown", [i32("id"), i64("ret")]),
];
