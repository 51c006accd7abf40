/**
 * Decoders that fill subscriptions' records and call their handlers.
 */
import type { DataStreamClass, EventRecordClass, FieldClass, StructClass } from "../metadata/types.js";
import { compile, fieldText, recordGenerator, recordTrees, skipDecoder } from "./decoders.js";
import { Interpreter, plainValue, type RawValue } from "./interpreter.js";
import { labelsOf } from "./labels.js";
import { addWant, RecordAction, wantTree } from "./record-action.js";
import type { Decoder, DecodeState } from "./state.js";

export type RecordScope = "common" | "specific" | "payload";

/** A field of one event record class that goes into a record. */
export interface FieldTarget {
  readonly property: string;
  readonly kind: "number" | "address" | "string" | "value";
  /**
   * Where it is; undefined: this class does not have it. Path elements are names of structure members;
   * variants and optional fields are passed through.
   */
  readonly source:
    | { readonly scope: RecordScope; readonly path: readonly string[] }
    | { readonly packetField: string }
    | undefined;
}

/** A record to fill for one event record class. */
export interface RecordTarget {
  readonly record: Record<string, unknown>;
  readonly fields: readonly FieldTarget[];
  /** The value of `record.event`. */
  readonly event: unknown;
  readonly handle: (record: never) => void;
}

/** What readers have besides `DecodeState`, copied into every record. */
export interface RecordState extends DecodeState {
  readonly ns: number;
  readonly cpu: number;
  readonly host: number;
  readonly index: number;
  readonly packetFields: ReadonlyMap<string, unknown>;
}

export function absentValue(kind: FieldTarget["kind"]): unknown {
  return kind === "string" ? "" : kind === "value" ? undefined : Number.NaN;
}

export function recordDecoder(
  stream: DataStreamClass,
  event: EventRecordClass,
  targets: readonly RecordTarget[],
  generate: boolean,
): Decoder {
  if (targets.length === 0) return skipDecoder(stream, event, generate);
  return generate
    ? generateRecordDecoder(stream, event, targets)
    : interpretRecordDecoder(stream, event, targets);
}

const absentSource = { number: "NaN", address: "NaN", string: '""', value: "undefined" } as const;

function generateRecordDecoder(
  stream: DataStreamClass,
  event: EventRecordClass,
  targets: readonly RecordTarget[],
): Decoder {
  const g = recordGenerator(stream, event);
  const trees = { common: wantTree(), specific: wantTree(), payload: wantTree() };
  const names: string[] = [];
  const values: unknown[] = [];
  targets.forEach((target, i) => {
    names.push(`R${i}`, `H${i}`);
    values.push(target.record, target.handle);
    for (const field of target.fields) {
      const property = JSON.stringify(field.property);
      if (field.source === undefined) {
        g.line(`R${i}[${property}] = ${absentSource[field.kind]};`);
      } else if ("packetField" in field.source) {
        const value = `s.packetFields.get(${g.constant(field.source.packetField)})`;
        g.line(
          field.kind === "string"
            ? `R${i}[${property}] = String(${value} ?? "");`
            : field.kind === "value"
              ? `R${i}[${property}] = ${value};`
              : `R${i}[${property}] = Number(${value} ?? NaN);`,
        );
      } else {
        const { scope, path } = field.source;
        if (isConditional(stream, event, scope, path)) {
          g.line(`R${i}[${property}] = ${absentSource[field.kind]};`);
        }
        addWant(trees[scope], path, { record: `R${i}`, property: field.property, kind: field.kind });
      }
    }
  });
  for (const { scope, tree } of recordTrees(stream, event)) {
    g.walk(tree, RecordAction.of(g, trees[scope], tree));
  }
  targets.forEach((target, i) => {
    const info = g.constant(target.event);
    g.line(
      `R${i}.ns = s.ns; R${i}.cpu = s.cpu; R${i}.host = s.host; R${i}.stream = s.index; R${i}.event = ${info};`,
    );
    g.line(`H${i}(R${i});`);
  });
  g.finish();
  return compile(g, names, values) as Decoder;
}

function scopeTree(
  stream: DataStreamClass,
  event: EventRecordClass,
  scope: RecordScope,
): StructClass | undefined {
  return recordTrees(stream, event).find((entry) => entry.scope === scope)?.tree;
}

/** Whether a field may be missing from a record although its class has it. */
function isConditional(
  stream: DataStreamClass,
  event: EventRecordClass,
  scope: RecordScope,
  path: readonly string[],
): boolean {
  let fc: FieldClass | undefined = scopeTree(stream, event, scope);
  for (const name of path) {
    if (fc?.type !== "struct") return true;
    fc = fc.members.find((m) => m.name === name)?.fieldClass;
  }
  return fc === undefined || fc.type === "variant" || fc.type === "optional";
}

/** Whether a tree has a field at `path`, in some option of its variants. */
export function hasField(fc: FieldClass | undefined, path: readonly string[]): boolean {
  if (fc === undefined) return false;
  if (fc.type === "variant") return fc.options.some((option) => hasField(option.fieldClass, path));
  if (fc.type === "optional") return hasField(fc.fieldClass, path);
  const [name, ...rest] = path;
  if (name === undefined) return true;
  if (fc.type !== "struct") return false;
  return hasField(fc.members.find((m) => m.name === name)?.fieldClass, rest);
}

function interpretRecordDecoder(
  stream: DataStreamClass,
  event: EventRecordClass,
  targets: readonly RecordTarget[],
): Decoder {
  const trees = recordTrees(stream, event);
  return (state, at) => {
    const values = new Map<RecordScope, { fc: FieldClass; raw: RawValue }>();
    const interpreter = new Interpreter(state);
    for (const { scope, tree } of trees) {
      at = interpreter.read(tree, at, (raw) => values.set(scope, { fc: tree, raw }));
      if (at < 0) return at;
    }
    const reader = state as RecordState;
    for (const target of targets) {
      const record = target.record;
      for (const field of target.fields) {
        record[field.property] = interpretField(field, values, reader);
      }
      record["ns"] = reader.ns;
      record["cpu"] = reader.cpu;
      record["host"] = reader.host;
      record["stream"] = reader.index;
      record["event"] = target.event;
      target.handle(record as never);
    }
    return at;
  };
}

function interpretField(
  field: FieldTarget,
  values: ReadonlyMap<RecordScope, { fc: FieldClass; raw: RawValue }>,
  reader: RecordState,
): unknown {
  if (field.source === undefined) return absentValue(field.kind);
  if ("packetField" in field.source) {
    const value = reader.packetFields.get(field.source.packetField);
    if (field.kind === "value") return value;
    return field.kind === "string" ? String(value ?? "") : Number(value ?? Number.NaN);
  }
  let { fc, raw } = values.get(field.source.scope)!;
  const unwrap = (): boolean => {
    for (;;) {
      if (fc.type === "variant") {
        const selected = raw as { option: number; value: RawValue };
        fc = fc.options[selected.option]!.fieldClass;
        raw = selected.value;
      } else if (fc.type === "optional") {
        if (raw === undefined) return false;
        fc = fc.fieldClass;
        raw = (raw as RawValue[])[0];
      } else return true;
    }
  };
  for (const name of field.source.path) {
    if (!unwrap() || fc.type !== "struct") return absentValue(field.kind);
    const index = fc.members.findIndex((m) => m.name === name);
    if (index < 0) return absentValue(field.kind);
    fc = fc.members[index]!.fieldClass;
    raw = (raw as RawValue[])[index];
  }
  if (!unwrap()) return absentValue(field.kind);
  return fieldValue(fc, raw, field.kind);
}

function fieldValue(fc: FieldClass, raw: RawValue, kind: FieldTarget["kind"]): unknown {
  if (kind === "value") return plainValue(fc, raw, fieldText);
  switch (fc.type) {
    case "int":
    case "varint": {
      const value = raw as number | bigint;
      if (kind === "string") return fc.mappings ? (labelsOf(fc.mappings, value)[0] ?? "") : String(value);
      return kind === "address" ? Number(BigInt.asIntN(64, BigInt(value))) : Number(value);
    }
    case "float":
      return kind === "string" ? String(raw) : raw;
    case "string":
    case "static-string":
    case "dynamic-string":
      return kind === "string" ? fieldText(raw as Uint8Array, fc.encoding) : absentValue(kind);
    default:
      return absentValue(kind);
  }
}
