/**
 * How events of tracefs become LTTng's: which fields, of which type, from where. `events/` has the lists; here they
 * are put together with what this kernel has, into words that `write-record.ts` follows for every record.
 */
import type { FieldSpec, FieldSpecs } from "../ctf/write/schema.js";
import type { TracefsEvent, TracefsField } from "./event-format.js";
import { type Learn, learnFrom } from "./learn.js";
import type { CallOf } from "./numbered-calls.js";

/** What else an event's records tell. */
export type Role =
  | "switch"
  | "wake"
  | "newtask"
  | "rename"
  | "exec"
  | "fork"
  | "open"
  | "opened"
  | "closed"
  | "plain";

/** Where a value comes from: a field of the record (under one of these names), or elsewhere. */
export type Origin =
  | { readonly kind: "field"; readonly names: readonly string[] }
  /** The field less 100, as LTTng counts priorities: 20 is an ordinary thread. */
  | { readonly kind: "priority"; readonly names: readonly string[] }
  /** The field's letters (`WS`, `FF`) as LTTng's flags. */
  | { readonly kind: "rwbs"; readonly names: readonly string[] }
  /** The thread that was current. */
  | { readonly kind: "tid" }
  | { readonly kind: "comm" }
  /** Process of the thread that the field names. */
  | { readonly kind: "process"; readonly names: readonly string[] }
  /** A file's name that the record itself lacks; see `file-names.ts`. */
  | { readonly kind: "filename" };

export interface FieldMapping {
  readonly name: string;
  readonly spec: FieldSpec;
  readonly origin: Origin;
}

export interface EventMapping {
  /** `system/event` in tracefs. */
  readonly from: string;
  /** LTTng's name; undefined: read for what it tells of threads, not written. */
  readonly to: string | undefined;
  readonly role: Role;
  readonly fields: readonly FieldMapping[];
}

/** What to do for one field: the operation, where in the record (bytes), and how many bytes where that varies. */
export enum Operation {
  Copy8,
  Copy16,
  Copy32,
  Copy64,
  /** Signed or unsigned 32 bits to 64. */
  Extend32Signed,
  Extend32,
  /** 8 and 16 bits to 32. */
  Widen8,
  Widen16,
  Bytes,
  /** Text in place, of which the last byte must be NUL. */
  Text,
  /** A string elsewhere in the record, by offset from the record's begin, or from the field's end. */
  String,
  RelativeString,
  /** The same into a thread's name. */
  StringToText,
  /** Text in place, as a string. */
  TextToString,
  /** Integers elsewhere in the record, by the same offsets as strings; the size is that of one. */
  Sequence,
  RelativeSequence,
  /** What follows to the record's end: text, or integers of a size. */
  TailString,
  Tail,
  Priority,
  Rwbs,
  Tid,
  Comm,
  Process,
  Filename,
}

/** An event of this kernel, ready to be written. */
export interface CompiledMapping {
  readonly event: TracefsEvent;
  readonly to: string | undefined;
  readonly role: Role;
  readonly fields: FieldSpecs;
  /** Three words per field: operation, offset, size. */
  readonly words: Int32Array;
  /** Bytes that all fields take which do not vary. */
  readonly fixedBytes: number;
  /** How many fields vary with the record. */
  readonly varying: number;
  /** A record has at least so many bytes, else it is not one of this event. */
  readonly leastBytes: number;
  /** For records that are one of many calls: which. */
  readonly calls?: CallOf | undefined;
  /** What threads learn from a record, before it is written. */
  readonly learn: Learn | undefined;
  /** Offset of the field by name, for who reads records for other reasons; -1 where there is none. */
  offset(field: string): number;
}

const integer = (size: 8 | 16 | 32 | 64, signed: boolean, base: 10 | 16 = 10) =>
  ({ type: "integer", size, signed, base }) as const;
const field = (name: string, spec: FieldSpec, names: readonly string[]): FieldMapping => ({
  name,
  spec,
  origin: { kind: "field", names: names.length === 0 ? [name] : names },
});
export const COMM: FieldSpec = { type: "text", bytes: 16 };

/** Shorthands for the lists: LTTng's name, then the kernel's names where they differ. */
export const i32 = (name: string, ...names: string[]) => field(name, integer(32, true), names);
export const u32 = (name: string, ...names: string[]) => field(name, integer(32, false), names);
export const i64 = (name: string, ...names: string[]) => field(name, integer(64, true), names);
export const u64 = (name: string, ...names: string[]) => field(name, integer(64, false), names);
export const x64 = (name: string, ...names: string[]) => field(name, integer(64, false, 16), names);
export const comm = (name: string, ...names: string[]) => field(name, COMM, names);
export const string = (name: string, ...names: string[]) => field(name, { type: "string" }, names);
export const priority = (name: string): FieldMapping => ({
  name,
  spec: integer(32, true),
  origin: { kind: "priority", names: [name] },
});
export const rwbs: FieldMapping = {
  name: "rwbs",
  spec: integer(32, false),
  origin: { kind: "rwbs", names: ["rwbs"] },
};
export const currentTid: FieldMapping = { name: "tid", spec: integer(32, true), origin: { kind: "tid" } };
export const currentComm: FieldMapping = { name: "comm", spec: COMM, origin: { kind: "comm" } };
/** A name that the record itself has; records say it as it was then, ours may be of a moment before. */
export const ownComm: FieldMapping = comm("comm");
export const processOf = (name: string, ...names: string[]): FieldMapping => ({
  name,
  spec: integer(32, true),
  origin: { kind: "process", names },
});

export function event(
  from: string,
  to: string | undefined,
  fields: readonly FieldMapping[],
  role: Role = "plain",
): EventMapping {
  return { from, to, role, fields };
}

/** Fields that this kernel does not have are left out. */
export function compileMapping(mapping: EventMapping, format: TracefsEvent): CompiledMapping {
  const specs: Record<string, FieldSpec> = Object.create(null) as Record<string, FieldSpec>;
  const words: number[] = [];
  let fixedBytes = 0;
  let varying = 0;
  // The kinds of event and thread that every record begins with.
  let leastBytes = 8;
  const learnt = (name: string) => {
    const one = byName.get(name);
    if (one !== undefined) leastBytes = Math.max(leastBytes, one.offset + (name.endsWith("comm") ? 16 : 4));
    return one?.offset ?? -1;
  };
  const byName = new Map([...format.common, ...format.fields].map((one) => [one.name, one]));
  for (const { name, spec, origin } of mapping.fields) {
    const source = "names" in origin ? origin.names.map((n) => byName.get(n)).find((f) => f) : undefined;
    const found = operationOf(spec, origin, source);
    if (found === undefined || name in specs) continue;
    if (VARYING.has(found.operation)) varying++;
    if (source !== undefined) leastBytes = Math.max(leastBytes, source.offset + readBytes(found));
    specs[name] = spec;
    words.push(found.operation, source?.offset ?? 0, found.size);
    fixedBytes += fixedBytesOf(spec);
  }
  const offset = (name: string) => byName.get(name)?.offset ?? -1;
  return {
    event: format,
    to: mapping.to,
    role: mapping.role,
    fields: specs,
    words: Int32Array.from(words),
    fixedBytes,
    varying,
    learn: learnFrom(mapping.role, learnt, (name) => byName.get(name)?.kind),
    leastBytes,
    offset,
  };
}

const VARYING = new Set([
  Operation.String,
  Operation.RelativeString,
  Operation.TextToString,
  Operation.Sequence,
  Operation.RelativeSequence,
  Operation.TailString,
  Operation.Tail,
]);

/** Bytes of the record that an operation reads from its field's offset on. */
function readBytes({ operation, size }: { operation: Operation; size: number }): number {
  switch (operation) {
    case Operation.TailString:
    case Operation.Tail:
      return 0;
    case Operation.Sequence:
    case Operation.RelativeSequence:
    case Operation.StringToText:
      return 4;
    default:
      return size;
  }
}

function fixedBytesOf(spec: FieldSpec): number {
  switch (spec.type) {
    case "integer":
    case "enumeration":
      return spec.size / 8;
    case "text":
      return spec.bytes;
    case "array":
      return (spec.length * spec.element.size) / 8;
    case "sequence":
      return 4;
    default:
      return 1;
  }
}

function operationOf(
  spec: FieldSpec,
  origin: Origin,
  source: TracefsField | undefined,
): { operation: Operation; size: number } | undefined {
  switch (origin.kind) {
    case "tid":
      return { operation: Operation.Tid, size: 4 };
    case "comm":
      return { operation: Operation.Comm, size: 16 };
    case "filename":
      return { operation: Operation.Filename, size: 0 };
    case "priority":
      return source && { operation: Operation.Priority, size: 4 };
    case "rwbs":
      return source && { operation: Operation.Rwbs, size: source.size };
    case "process":
      return source && { operation: Operation.Process, size: 4 };
    case "field":
      return source && copyOf(spec, source);
  }
}

/** How a field of the kernel becomes one of this type; undefined where it cannot. */
function copyOf(spec: FieldSpec, source: TracefsField): { operation: Operation; size: number } | undefined {
  const { kind, size } = source;
  if (spec.type === "string") {
    if (kind === "string") return { operation: Operation.String, size };
    if (kind === "relative-string") return { operation: Operation.RelativeString, size };
    if (kind === "tail") return { operation: Operation.TailString, size: 1 };
    return kind === "text" ? { operation: Operation.TextToString, size } : undefined;
  }
  if (spec.type === "text") {
    if (kind === "text" && size >= spec.bytes) return { operation: Operation.Text, size: spec.bytes };
    return kind === "string" ? { operation: Operation.StringToText, size: spec.bytes } : undefined;
  }
  if (spec.type === "array") return { operation: Operation.Bytes, size: fixedBytesOf(spec) };
  if (spec.type === "sequence") {
    const element = spec.element.size / 8;
    if (kind === "data") return { operation: Operation.Sequence, size: element };
    if (kind === "relative-data") return { operation: Operation.RelativeSequence, size: element };
    return kind === "tail" ? { operation: Operation.Tail, size: element } : undefined;
  }
  if (kind !== "integer") return undefined;
  const wanted = spec.size / 8;
  if (wanted <= size) {
    // Little-endian: the low bytes come first.
    const operation = { 1: Operation.Copy8, 2: Operation.Copy16, 4: Operation.Copy32, 8: Operation.Copy64 }[
      wanted
    ]!;
    return { operation, size: wanted };
  }
  if (wanted === 8 && size === 4) {
    return { operation: source.signed ? Operation.Extend32Signed : Operation.Extend32, size };
  }
  if (wanted === 4 && size === 1) return { operation: Operation.Widen8, size };
  return wanted === 4 && size === 2 ? { operation: Operation.Widen16, size } : undefined;
}
