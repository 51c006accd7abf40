/** Short text forms of type trees, so that tests can be tables that a person reads. */

import type { FieldClass, IntRange, TraceClass } from "./types.js";

/** `u8`, `i32le@8=clock#slot!role`, `{a: u8, b: string}`, `u8[4]`, `u8[len#0]`, `<tag#0 a[0..1]: u8>`. */
export function show(fieldClass: FieldClass | undefined): string {
  if (fieldClass === undefined) return "-";
  switch (fieldClass.type) {
    case "int": {
      const roles = fieldClass.roles.map((role) => `!${role}`).join("");
      const form = fieldClass.form === "integer" ? (fieldClass.signed ? "i" : "u") : `${fieldClass.form} `;
      const base = fieldClass.base === 10 ? "" : `~${fieldClass.base}`;
      const reversed = fieldClass.reversedBits ? "^" : "";
      const clock = fieldClass.clock === undefined ? "" : `=${fieldClass.clock.id}`;
      const labels = fieldClass.mappings
        ?.map(({ label, ranges }) => `${label}${showRanges(ranges)}`)
        .join(" ");
      const mappings = labels === undefined ? "" : `(${labels})`;
      const order = fieldClass.size > 8 && fieldClass.byteOrder === "be" ? "be" : "";
      const align = fieldClass.align === 1 ? "" : `@${fieldClass.align}`;
      return `${form}${fieldClass.size}${order}${reversed}${align}${base}${mappings}${clock}${showSlot(fieldClass)}${roles}`;
    }
    case "varint": {
      const roles = fieldClass.roles.map((role) => `!${role}`).join("");
      return `${fieldClass.signed ? "vi" : "vu"}${showSlot(fieldClass)}${roles}`;
    }
    case "float":
      return `f${fieldClass.size}${fieldClass.byteOrder === "be" ? "be" : ""}@${fieldClass.align}`;
    case "string":
      return fieldClass.encoding === "utf-8" ? "string" : `string ${fieldClass.encoding}`;
    case "static-string":
      return `string(${fieldClass.length})`;
    case "dynamic-string":
      return `string(${showRef(fieldClass.length)})`;
    case "static-blob":
      return `blob(${fieldClass.length})${fieldClass.roles.map((role) => `!${role}`).join("")}`;
    case "dynamic-blob":
      return `blob(${showRef(fieldClass.length)})`;
    case "struct": {
      const members = fieldClass.members.map((member) => `${member.name}: ${show(member.fieldClass)}`);
      return `{${members.join(", ")}}${fieldClass.align === 1 ? "" : `@${fieldClass.align}`}`;
    }
    case "static-array": {
      const roles = fieldClass.roles.map((role) => `!${role}`).join("");
      return `${show(fieldClass.element)}[${fieldClass.length}]${roles}`;
    }
    case "dynamic-array":
      return `${show(fieldClass.element)}[${showRef(fieldClass.length)}]`;
    case "optional": {
      const ranges = fieldClass.ranges === undefined ? "" : showRanges(fieldClass.ranges);
      return `?<${showRef(fieldClass.selector)}${ranges} ${show(fieldClass.fieldClass)}>`;
    }
    case "variant": {
      const options = fieldClass.options.map(
        (option) => `${option.name ?? ""}${showRanges(option.ranges)}: ${show(option.fieldClass)}`,
      );
      return `<${showRef(fieldClass.selector)} ${options.join(", ")}>`;
    }
  }
}

function showRef(ref: { text: string; slot: number }): string {
  return `${ref.text}#${ref.slot}`;
}

function showSlot(fieldClass: { slot?: number }): string {
  return fieldClass.slot === undefined ? "" : `#${fieldClass.slot}`;
}

function showRanges(ranges: readonly IntRange[]): string {
  return `[${ranges.map(({ lower, upper }) => (lower === upper ? `${lower}` : `${lower}..${upper}`)).join(" ")}]`;
}

/** The payload of the only event of the only stream. */
export function payloadOf(trace: TraceClass): string {
  const [stream] = trace.dataStreamClasses.values();
  const [record] = stream!.eventRecordClasses.values();
  return show(record!.payload);
}
