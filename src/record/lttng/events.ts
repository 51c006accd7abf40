/** Events as LTTng's command and session profiles ask for them. */
import type { EventSelection } from "../recorder.js";

/** System calls by name or all of them, and tracepoints. */
export function lttngEvents({ patterns, required }: EventSelection): {
  calls: readonly string[] | "all";
  points: readonly string[];
} {
  const all = [...new Set([...patterns, ...required])];
  const calls = all.filter((name) => name.startsWith("syscall_"));
  return {
    calls: calls.includes("syscall_*")
      ? "all"
      : [...new Set(calls.map((name) => name.replace(/^syscall_(entry_|exit_)?/, "")))],
    points: all.filter((name) => !name.startsWith("syscall_")),
  };
}
