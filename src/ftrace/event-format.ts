/**
 * Descriptions of events as tracefs has them (`events/SYSTEM/EVENT/format`): where in a raw record which field lies.
 * Described in the kernel's Documentation/trace/events.rst, section "Event formats".
 */
import { PeriscopeError } from "../base/errors.js";

export interface TracefsField {
  readonly name: string;
  /** As C has it: `pid_t`, `char[16]`, `__data_loc char[]`. */
  readonly type: string;
  /** Bytes from the record's begin. */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  readonly kind: FieldKind;
}

/**
 * `text`: characters in place, up to the first NUL or all of them. `string` and `data` lie at the record's end: in
 * place are an offset (low 16 bits) and a length (high 16 bits), from the record's begin, or from the field's own end
 * for `relative` ones. `bytes`: any other array. `tail`: all up to the record's end.
 */
export type FieldKind =
  | "integer"
  | "text"
  | "string"
  | "data"
  | "relative-string"
  | "relative-data"
  | "bytes"
  | "tail";

export interface TracefsEvent {
  readonly system: string;
  readonly name: string;
  /** What raw records begin with (`common_type`). */
  readonly id: number;
  /** Of every event: `common_type`, `common_flags`, `common_preempt_count`, `common_pid`. */
  readonly common: readonly TracefsField[];
  readonly fields: readonly TracefsField[];
}

const FIELD = /^\s*field:(.+?);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d+);)?\s*$/;

/** Throws `PeriscopeError` that names line and text where a description is not as expected. */
export function parseEventFormat(text: string, system: string, where: string): TracefsEvent {
  let name: string | undefined;
  let id: number | undefined;
  const common: TracefsField[] = [];
  const fields: TracefsField[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const head = /^(name|ID): (\S+)\s*$/.exec(line);
    if (head !== null) {
      if (head[1] === "name") name = head[2]!;
      else id = Number(head[2]);
      continue;
    }
    if (!/^\s*field:/.test(line)) continue;
    const match = FIELD.exec(line);
    const field = match === null ? undefined : fieldOf(match);
    if (field === undefined) {
      throw new PeriscopeError(
        `${where}: line ${i + 1}: "${line.trim()}", expected field:TYPE NAME; offset:N; size:N;`,
      );
    }
    (field.name.startsWith("common_") ? common : fields).push(field);
  }
  if (name === undefined || id === undefined || !Number.isInteger(id)) {
    throw new PeriscopeError(`${where}: expected lines "name: EVENT" and "ID: NUMBER"`);
  }
  // Of the tracers' own events the last array is as long as the record (kernel/trace/trace_entries.h).
  const last = fields.at(-1);
  if (last !== undefined && /\[\w*\]$/.test(last.type) && (system === "ftrace" || last.size === 0)) {
    if (last.kind === "text" || last.kind === "bytes") fields[fields.length - 1] = { ...last, kind: "tail" };
  }
  return { system, name, id, common, fields };
}

const BYTES = [1, 2, 4, 8] as const;

/** Bytes of one element of an array's type; undefined where that has none of 1, 2, 4 or 8. */
export function elementBytes({ type, size, kind }: TracefsField): 1 | 2 | 4 | 8 | undefined {
  const count = Number(/\[(\d+)\]$/.exec(type)?.[1] ?? Number.NaN);
  if (kind === "bytes") return BYTES.find((bytes) => bytes === size / count);
  const base = type.replace(/^__(data|rel)_loc\s+/, "").replace(/\s*\[.*\]$/, "");
  if (/\bchar$|^(__)?[us]8$|^u?int8_t$|^bool$/.test(base)) return 1;
  if (/\bshort( int)?$|^(__)?[us]16$|^u?int16_t$|^(__)?[bl]e16$/.test(base)) return 2;
  if (/\blong long|^(__)?[us]64$|^u?int64_t$/.test(base)) return 8;
  if (/\bint$|^(__)?[us]32$|^u?int32_t$|^unsigned$|^(__)?[bl]e32$/.test(base)) return 4;
  return undefined;
}

function fieldOf([, declaration, offset, size, signed]: RegExpExecArray): TracefsField | undefined {
  const array = /^(.*\S)\s+(\w+)\[([^\]]*)\]$/.exec(declaration!);
  const plain = array ?? /^(.*[\s*])(\w+)$/.exec(declaration!);
  if (plain === null) return undefined;
  const base = plain[1]!.trim();
  const type = array === null ? base : `${base}[${array[3]}]`;
  const rest = { name: plain[2]!, type, offset: Number(offset), size: Number(size), signed: signed === "1" };
  return { ...rest, kind: kindOf(base, array !== null, rest.size) };
}

function kindOf(type: string, isArray: boolean, size: number): FieldKind {
  const isText = /\bchar(\[\])?$/.test(type) && !/unsigned/.test(type);
  if (type.startsWith("__data_loc")) return isText ? "string" : "data";
  if (type.startsWith("__rel_loc")) return isText ? "relative-string" : "relative-data";
  if (isArray) return isText ? "text" : "bytes";
  return size === 1 || size === 2 || size === 4 || size === 8 ? "integer" : "bytes";
}
