/** Values → bytes: one function per structure, made once of its field types. */
import type { FieldSpec, FieldSpecs, IntegerSpec, WrittenValue } from "./schema.js";

/** Where bytes go. `room` says whether more fit; writing beyond is the caller's to prevent. */
export interface Target {
  u8: Uint8Array;
  view: DataView;
  at: number;
}

/** Bytes that a value takes at most. */
export type Measure = (values: readonly WrittenValue[]) => number;
export type Encode = (target: Target, values: readonly WrittenValue[]) => void;

const utf8 = new TextEncoder();

export function writeInteger({ view, at }: Target, size: number, value: number | bigint): void {
  switch (size) {
    case 8:
      view.setUint8(at, Number(value) & 0xff);
      return;
    case 16:
      view.setUint16(at, Number(value) & 0xffff, true);
      return;
    case 32:
      view.setUint32(at, Number(value) >>> 0, true);
      return;
    default:
      if (typeof value === "bigint") view.setBigUint64(at, BigInt.asUintN(64, value), true);
      else {
        // Both halves of two's complement, exact as far as the number is.
        view.setUint32(at, value >>> 0, true);
        view.setUint32(at + 4, Math.floor(value / 2 ** 32) >>> 0, true);
      }
  }
}

function put(target: Target, { size }: Pick<IntegerSpec, "size">, value: WrittenValue): void {
  writeInteger(target, size, value as number | bigint);
  target.at += size / 8;
}

/** Text up to its first NUL, which would end it for readers. */
function plain(value: WrittenValue): string {
  const text = value as string;
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function encodeField(spec: FieldSpec): (target: Target, value: WrittenValue) => void {
  switch (spec.type) {
    case "integer":
    case "enumeration":
      return (target, value) => put(target, spec, value);
    case "string":
      return (target, value) => {
        const { written } = utf8.encodeInto(plain(value), target.u8.subarray(target.at));
        target.at += written;
        target.u8[target.at++] = 0;
      };
    case "text":
      return (target, value) => {
        const end = target.at + spec.bytes;
        // Characters are not cut apart, and the last byte stays NUL.
        const { written } = utf8.encodeInto(plain(value), target.u8.subarray(target.at, end - 1));
        target.u8.fill(0, target.at + written, end);
        target.at = end;
      };
    case "array":
      return (target, value) => {
        const values = value as readonly (number | bigint)[];
        for (let i = 0; i < spec.length; i++) put(target, spec.element, values[i] ?? 0);
      };
    case "sequence":
      return (target, value) => {
        const values = value as readonly (number | bigint)[];
        put(target, { size: 32 }, values.length);
        for (const one of values) put(target, spec.element, one);
      };
  }
}

function measureField(spec: FieldSpec): (value: WrittenValue) => number {
  switch (spec.type) {
    case "integer":
    case "enumeration":
      return () => spec.size / 8;
    case "string":
      // UTF-8 takes three bytes for a UTF-16 unit at most.
      return (value) => 3 * (value as string).length + 1;
    case "text":
      return () => spec.bytes;
    case "array":
      return () => (spec.length * spec.element.size) / 8;
    case "sequence":
      return (value) => 4 + ((value as readonly unknown[]).length * spec.element.size) / 8;
  }
}

export function encoderOf(fields: FieldSpecs): { readonly encode: Encode; readonly measure: Measure } {
  const specs = Object.values(fields);
  const encoders = specs.map(encodeField);
  const measures = specs.map(measureField);
  return {
    encode(target, values) {
      for (let i = 0; i < encoders.length; i++) encoders[i]!(target, values[i]!);
    },
    measure(values) {
      let bytes = 0;
      for (let i = 0; i < measures.length; i++) bytes += measures[i]!(values[i]!);
      return bytes;
    },
  };
}
