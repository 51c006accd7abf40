/**
 * File names by event probes, where the kernel has them (CONFIG_EPROBE_EVENTS): an event that takes another one's
 * argument and reads the text behind it. (The kernel's Documentation/trace/eprobetrace.rst.)
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEventFormat } from "../../ftrace/event-format.js";

/** Calls whose names are worth an event of their own. */
const WITH_NAME = [
  "open",
  "openat",
  "openat2",
  "creat",
  "execve",
  "execveat",
  "unlinkat",
  "newfstatat",
  "statx",
];
const NAMES = new Set(["filename", "pathname"]);

/** The line for `dynamic_events`; undefined where the event has no name among its arguments. */
export function probeDefinition(group: string, formatText: string): string | undefined {
  const format = parseEventFormat(formatText, "syscalls", "format");
  const args = format.fields.filter(({ name }) => !name.startsWith("__"));
  if (!args.some(({ name }) => NAMES.has(name))) return undefined;
  // Newer kernels read the text themselves.
  if (format.fields.some(({ name }) => name.endsWith("name_val"))) return undefined;
  const list = args.map(({ name }) =>
    NAMES.has(name) ? `${name}=+0($${name}):ustring` : `${name}=$${name}:u64`,
  );
  return `e:${group}/${format.name} syscalls.${format.name} ${list.join(" ")}`;
}

/**
 * Makes probes for the events of system calls that are to be recorded. Answers the names of those that it made:
 * their probes are recorded in their place.
 */
export function makeProbes(tracefs: string, group: string, events: readonly string[]): string[] {
  const path = join(tracefs, "dynamic_events");
  if (!existsSync(path)) return [];
  const made: string[] = [];
  for (const call of WITH_NAME) {
    const name = `sys_enter_${call}`;
    if (!events.includes(`syscalls/${name}`)) continue;
    const definition = probeDefinition(
      group,
      readFileSync(join(tracefs, "events/syscalls", name, "format"), "utf8"),
    );
    if (definition === undefined) continue;
    try {
      appendFileSync(path, `${definition}\n`);
    } catch {
      // This kernel has none, or refuses this one: the event itself is recorded.
      continue;
    }
    made.push(name);
  }
  return made;
}
