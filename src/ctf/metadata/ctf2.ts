import type { TraceClass } from "./types.js";
export function readCtf2(_t: string, _f: string): TraceClass {
  throw new Error("todo");
}
