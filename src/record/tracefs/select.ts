/** Which events of this kernel are recorded. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../base/errors.js";
import { globToRegExp } from "../../base/glob.js";
import { CARRIERS, KNOWN_EVENTS, RAW_SYSCALLS } from "../../ftrace/events/index.js";
import { tracefsCall } from "../../ftrace/events/syscalls.js";
import type { EventSelection } from "../recorder.js";

export interface SelectedEvents {
  /** `system/event`. */
  readonly events: readonly string[];
  /** All system calls: enabled by one write. */
  readonly allSyscalls: boolean;
}

/** Directories `system/event` below `events/` of one system. */
function eventsOf(tracefs: string, system: string): string[] {
  const path = join(tracefs, "events", system);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${system}/${name}`);
}

/**
 * The events whose LTTng names match; what LTTng has no name for is found by the kernel's name. Throws `UsageError`
 * for a required pattern that finds nothing.
 */
export function selectEvents(tracefs: string, { patterns, required }: EventSelection): SelectedEvents {
  const names = new Map<string, string>();
  for (const { from, to } of KNOWN_EVENTS) {
    if (to !== undefined && existsSync(join(tracefs, "events", from))) names.set(from, to);
  }
  const calls = eventsOf(tracefs, "syscalls");
  for (const event of calls) {
    const { call, entry } = tracefsCall(event.slice("syscalls/".length)) ?? {};
    if (call !== undefined) names.set(event, `syscall_${entry ? "entry" : "exit"}_${call}`);
  }
  if (calls.length === 0) {
    for (const { from, to } of RAW_SYSCALLS) {
      if (existsSync(join(tracefs, "events", from))) names.set(from, to!);
    }
  }
  const chosen = new Set<string>();
  for (const pattern of new Set([...patterns, ...required])) {
    const regexp = globToRegExp(pattern);
    const found = [...names].filter(([, name]) => regexp.test(name)).map(([event]) => event);
    // Kernels without descriptions of calls have all of them in one event.
    if (found.length === 0 && calls.length === 0 && pattern.startsWith("syscall_")) {
      found.push(...RAW_SYSCALLS.map(({ from }) => from).filter((from) => names.has(from)));
    }
    if (found.length === 0 && required.includes(pattern)) found.push(...otherEvents(tracefs, regexp));
    if (found.length === 0 && required.includes(pattern)) {
      throw new UsageError(`--events: this kernel has no event "${pattern}"`);
    }
    for (const event of found) chosen.add(event);
  }
  for (const { from } of CARRIERS) if (existsSync(join(tracefs, "events", from))) chosen.add(from);
  return {
    events: [...chosen],
    allSyscalls: calls.length > 0 && calls.every((event) => chosen.has(event)),
  };
}

/** By the kernel's own names, in all systems. */
function otherEvents(tracefs: string, regexp: RegExp): string[] {
  const lines = readFileSync(join(tracefs, "available_events"), "utf8").split("\n");
  return lines
    .map((line) => line.split(":"))
    .filter(([system, name]) => name !== undefined && system !== "ftrace" && regexp.test(name))
    .map(([system, name]) => `${system}/${name}`);
}
