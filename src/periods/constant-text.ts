/** A literal as messages show it. */
import type { LiteralValue } from "./ast.js";

/** `the string "a"`, `the number 5`. */
export function constantText(value: LiteralValue): string {
  if (typeof value === "string") return `the string ${JSON.stringify(value)}`;
  return typeof value === "boolean" ? String(value) : `the number ${value}`;
}
