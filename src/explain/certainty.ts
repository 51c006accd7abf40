/** How sure an explanation is, and what to record next time to be surer. */
import { formatCount, formatList } from "../base/format.js";
import { ROLE_NAMES, type Role } from "../kernel/names.js";
import type { Slice } from "./critical-path.js";
import type { Recorder } from "./recorder.js";
import type { Range } from "./run.js";

export interface Certainty {
  readonly level: "high" | "medium" | "low";
  readonly reasons: readonly string[];
  /** Events that the trace lacks and that would have told more. */
  readonly enable: readonly string[];
}

/** What is not known without an event. */
const NEEDED: readonly (readonly [readonly Role[], string])[] = [
  [["schedSwitch"], "who ran and who waited"],
  [["schedWaking", "schedWakeup"], "who woke whom"],
  [["irqEntry", "irqExit"], "which interrupts ended waits and took CPU time"],
  [["softirqEntry", "softirqExit"], "which softirqs ended waits and took CPU time"],
  [["blockIssue", "blockComplete"], "what disks did"],
  [["netReceive"], "which packets ended waits"],
];
/** Worth recording when the trace lacks them, for the resource named. */
const HELPFUL: readonly (readonly [Role, string])[] = [
  ["blockGetRequest", "disk"],
  ["dirtyBuffer", "disk"],
  ["signalDeliver", "disk"],
  ["netSend", "network"],
  ["reclaimBegin", "memory"],
  ["timerEntry", "interrupts"],
];

export function missingFor(recorder: Recorder): { reasons: string[]; enable: string[] } {
  const { names } = recorder.model;
  const untold: string[] = [];
  const enable: string[] = [];
  for (const [roles, what] of NEEDED) {
    const isWakeup = roles.includes("schedWaking");
    const present = isWakeup ? roles.some((role) => names.has(role)) : roles.every((role) => names.has(role));
    if (present) continue;
    untold.push(what);
    enable.push(...(isWakeup ? [ROLE_NAMES.schedWaking[0]] : names.missing(...roles)));
  }
  if (!names.hasSyscalls) {
    untold.push("what was asked of the kernel");
    enable.push("syscall_entry_*", "syscall_exit_*");
  }
  return { reasons: untold.length === 0 ? [] : [`the trace does not tell ${formatList(untold)}`], enable };
}

/** Of a range whose critical path is known. `resources`: those that the explanation rests on. */
export function certaintyOf(
  recorder: Recorder,
  range: Range,
  slices: readonly Slice[],
  resources: readonly string[] = [],
): Certainty {
  const { reasons, enable } = missingFor(recorder);
  let penalty = reasons.length > 0 ? 1 : 0;
  const lost = recorder.holes.filter(({ beginNs, endNs }) => beginNs < range.endNs && endNs >= range.beginNs);
  if (lost.length > 0) {
    const count = lost.reduce((sum, hole) => sum + (Number.isNaN(hole.count) ? 0 : hole.count), 0);
    reasons.push(`the tracer lost ${count > 0 ? formatCount(count) : "some"} event records in this time`);
    penalty++;
  }
  if (recorder.gaveUpNs < range.endNs) {
    reasons.push("so much happened in this time that the end of it was not kept");
    penalty += 2;
  }
  let [unknownNs, earlyNs] = [0, 0];
  const total = range.endNs - range.beginNs;
  for (const slice of slices) {
    const ns = slice.endNs - slice.beginNs;
    if (isUnexplained(slice)) unknownNs += ns;
    if (slice.wait?.early === true) earlyNs += ns;
  }
  if (unknownNs > 0.02 * total) {
    reasons.push(`of ${Math.round((unknownNs * 100) / total)} % of the time nothing is known`);
    penalty += unknownNs > 0.3 * total ? 2 : 1;
  }
  if (earlyNs > 0.05 * total) {
    reasons.push("a wait began before the trace did, or in a hole of it");
    penalty++;
  }
  for (const [role, resource] of HELPFUL) {
    if (resources.includes(resource) && !recorder.model.names.has(role)) enable.push(ROLE_NAMES[role][0]!);
  }
  return {
    level: penalty === 0 ? "high" : penalty === 1 ? "medium" : "low",
    reasons,
    enable: [...new Set(enable)],
  };
}

/**
 * Whether nothing and nobody is known to blame: waits for something unknown, and time in which nobody knows what the
 * thread did. Of another thread, whom the path has led to, a wait is its own.
 */
function isUnexplained({ kind, wait, chain }: Slice): boolean {
  return kind === "unknown" && (wait === undefined || chain.length === 0);
}

/** The share of a path whose cause has a name, 0 … 1. */
export function attributedShare(slices: readonly Slice[], range: Range): number {
  let ns = 0;
  for (const slice of slices) {
    if (slice.kind !== "gone" && !isUnexplained(slice)) ns += slice.endNs - slice.beginNs;
  }
  return range.endNs > range.beginNs ? ns / (range.endNs - range.beginNs) : 1;
}
