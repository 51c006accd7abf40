/** Processes, told apart for good. */
import { readFileSync } from "node:fs";

/**
 * When a process began, in ticks since boot (proc(5), field 22 of stat); undefined when it is gone. With the pid, which
 * is given again, it names a process for as long as the machine runs.
 */
export function startTime(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
