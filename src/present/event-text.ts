/** Fields of event records as text: `{ fd = 3, filename = "/etc/passwd", fds = [ [0] = 1, [1] = 2 ] }`. */

import { printable } from "./text.js";

function quoted(text: string): string {
  return `"${printable(text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t"))}"`;
}

/** A value as `FieldKind` "value" gives it. */
function fieldText(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[ ${value.map((item, i) => `[${i}] = ${fieldText(item)}`).join(", ")} ]`;
  if (value !== null && typeof value === "object") return fieldsText(value as Record<string, unknown>);
  return String(value);
}

export function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(fields).map(([name, value]) => `${name} = ${fieldText(value)}`);
  return parts.length === 0 ? "{ }" : `{ ${parts.join(", ")} }`;
}
