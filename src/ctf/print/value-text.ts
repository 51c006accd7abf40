/**
 * Decoded values as text, without generated code: packet contexts (once per packet), and everything where
 * code generation is forbidden. Must write what `PrettyAction` and `JsonAction` generate.
 */
import type { ByteWriter } from "../../base/byte-writer.js";
import { wideText } from "../decode/decoders.js";
import type { RawValue } from "../decode/interpreter.js";
import { labelsOf } from "../decode/labels.js";
import { visibleMembers } from "../decode/layout.js";
import type { FieldClass, FixedIntClass, VarIntClass } from "../metadata/types.js";
import { enumSuffix } from "./json-action.js";
import { enumPrefix } from "./pretty-action.js";
import { formatG, writeQuoted } from "./quote.js";

/** An integer in its display base, as babeltrace2's text sink writes it. */
export function integerText(value: number | bigint, size: number, base: number, signed: boolean): string {
  const exact = BigInt(value);
  switch (base) {
    case 16: {
      const width = Math.min(64, Math.ceil(size / 4) * 4);
      return `0x${BigInt.asUintN(width, exact).toString(16).toUpperCase()}`;
    }
    case 8: {
      const width = signed && size < 64 ? Math.ceil(size / 3) * 3 : 64;
      return `0${BigInt.asUintN(width, exact).toString(8)}`;
    }
    case 2:
      return `0b${BigInt.asUintN(size, exact).toString(2).padStart(size, "0")}`;
    default:
      return exact.toString();
  }
}

/** Bytes as babeltrace2 writes an array of them (it has no blobs): hexadecimal elements. */
export function blobText(bytes: Uint8Array, names: boolean): string {
  const elements = Array.from(bytes, (byte, i) => {
    const value = `0x${byte.toString(16).toUpperCase()}`;
    return names ? `[${i}] = ${value}` : value;
  });
  return `[${elements.map((element, i) => (i === 0 ? ` ${element}` : `, ${element}`)).join("")} ]`;
}

/** JSON for a floating-point number: what JSON cannot say is a string. */
export function jsonNumber(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
}

/** JSON text of bytes in an encoding. */
export function jsonText(bytes: Uint8Array, encoding: string): string {
  return JSON.stringify(
    encoding === "utf-8"
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")
      : wideText(bytes, 0, bytes.length, encoding),
  );
}

export function jsonBlob(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}"`;
}

/** How a string is written other than as it is: `place` says which field it is. */
export type TextWriter = (place: string, bytes: Uint8Array) => void;

/** Appends a value in babeltrace2's text format. */
export function writePretty(
  out: ByteWriter,
  fc: FieldClass,
  raw: RawValue,
  names: boolean,
  text?: TextWriter,
  place = "",
): void {
  switch (fc.type) {
    case "int":
    case "varint":
      out.text(integerFieldText(fc, raw as number | bigint));
      break;
    case "float":
      out.text(formatG(raw as number));
      break;
    case "string":
    case "static-string":
    case "dynamic-string": {
      if (text && fc.encoding === "utf-8") {
        text(place, raw as Uint8Array);
        break;
      }
      const bytes =
        fc.encoding === "utf-8"
          ? (raw as Uint8Array)
          : Buffer.from(wideText(raw as Uint8Array, 0, (raw as Uint8Array).length, fc.encoding));
      out.at = writeQuoted(out, out.at, bytes, 0, bytes.length);
      break;
    }
    case "static-blob":
    case "dynamic-blob":
      out.text(blobText(raw as Uint8Array, names));
      break;
    case "struct":
      out.text("{");
      visibleMembers(fc).forEach((member, i) => {
        out.text(`${i === 0 ? " " : ", "}${names ? `${member.name} = ` : ""}`);
        writePretty(out, member.fieldClass, (raw as RawValue[])[member.index], names, text, `${place}.${i}`);
      });
      out.text(" }");
      break;
    case "static-array":
    case "dynamic-array":
      out.text("[");
      (raw as RawValue[]).forEach((value, i) => {
        out.text(`${i === 0 ? " " : ", "}${names ? `[${i}] = ` : ""}`);
        writePretty(out, fc.element, value, names, text, `${place}.${i}`);
      });
      out.text(" ]");
      break;
    case "optional":
      if (raw === undefined) out.text("<none>");
      else {
        out.text("{ ");
        writePretty(out, fc.fieldClass, (raw as RawValue[])[0], names, text, `${place}.0`);
        out.text(" }");
      }
      break;
    case "variant": {
      const { option, value } = raw as { option: number; value: RawValue };
      out.text("{ ");
      writePretty(out, fc.options[option]!.fieldClass, value, names, text, `${place}.${option}`);
      out.text(" }");
      break;
    }
  }
}

function integerFieldText(fc: FixedIntClass | VarIntClass, value: number | bigint): string {
  const form = fc.type === "int" ? fc.form : "integer";
  const size = fc.type === "int" ? fc.size : 64;
  if (form === "boolean") return Number(value) !== 0 ? "true" : "false";
  if (form !== "integer") return integerText(value, size, 16, false);
  const number = integerText(value, size, fc.base, fc.signed);
  return fc.mappings ? `${enumPrefix(labelsOf(fc.mappings, value))}${number} )` : number;
}

/** Appends a value as JSON. */
export function writeJson(out: ByteWriter, fc: FieldClass, raw: RawValue): void {
  switch (fc.type) {
    case "int":
    case "varint": {
      const value = raw as number | bigint;
      const form = fc.type === "int" ? fc.form : "integer";
      if (form === "boolean") out.text(Number(value) !== 0 ? "true" : "false");
      else if (fc.mappings && form === "integer") {
        out.text(`{"value":${value}${enumSuffix(labelsOf(fc.mappings, value))}`);
      } else out.text(String(value));
      break;
    }
    case "float":
      out.text(jsonNumber(raw as number));
      break;
    case "string":
    case "static-string":
    case "dynamic-string":
      out.text(jsonText(raw as Uint8Array, fc.encoding));
      break;
    case "static-blob":
    case "dynamic-blob":
      out.text(jsonBlob(raw as Uint8Array));
      break;
    case "struct":
      out.text("{");
      visibleMembers(fc).forEach((member, i) => {
        out.text(`${i === 0 ? "" : ","}${JSON.stringify(member.name)}:`);
        writeJson(out, member.fieldClass, (raw as RawValue[])[member.index]);
      });
      out.text("}");
      break;
    case "static-array":
    case "dynamic-array":
      out.text("[");
      (raw as RawValue[]).forEach((value, i) => {
        if (i > 0) out.text(",");
        writeJson(out, fc.element, value);
      });
      out.text("]");
      break;
    case "optional":
      if (raw === undefined) out.text("null");
      else writeJson(out, fc.fieldClass, (raw as RawValue[])[0]);
      break;
    case "variant": {
      const { option, value } = raw as { option: number; value: RawValue };
      writeJson(out, fc.options[option]!.fieldClass, value);
      break;
    }
  }
}

/** Copies bytes to `at`, with room made; returns the position after them. */
function copyBytes(out: ByteWriter, at: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (at + length > out.capacity) out.room(at, length);
  const { u8 } = out;
  for (let i = 0; i < length; i++) u8[at + i] = bytes[i]!;
  return at + length;
}

/** Writes text at `at`, with room made; returns the position after it. */
export function writeText(out: ByteWriter, at: number, text: string): number {
  return copyBytes(out, at, Buffer.from(text));
}

const escapedInJson = new Uint8Array(256);
escapedInJson.fill(1, 0, 32);
escapedInJson[34] = 1;
escapedInJson[92] = 1;
escapedInJson.fill(1, 127, 256);

/** Writes `length` bytes of `from` as a JSON string. */
export function writeJsonText(
  out: ByteWriter,
  at: number,
  from: Uint8Array,
  start: number,
  length: number,
  encoding: string,
): number {
  if (at + length + 2 > out.capacity) out.room(at, length + 2);
  if (encoding === "utf-8") {
    const { u8 } = out;
    let to = at;
    u8[to++] = 34;
    let i = 0;
    for (; i < length; i++) {
      const byte = from[start + i]!;
      if (escapedInJson[byte] === 1) break;
      u8[to++] = byte;
    }
    if (i === length) {
      u8[to] = 34;
      return to + 1;
    }
  }
  return writeText(out, at, jsonText(from.subarray(start, start + length), encoding));
}
