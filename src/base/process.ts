/** Processes, told apart for good. */
import { readFileSync } from "node:fs";

/**
 * When a process began, in ticks since boot (proc(5), field 22 of stat); undefined when it is gone, or has ended and only
 * waits for its parent to ask. With the pid, which is given again, it names a process for as long as the machine runs.
 */
export function startTime(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
