/** Instances of periods as text. */
import { formatDuration } from "../base/format.js";
import type { Capture, PeriodInstance } from "../periods/instance.js";
import { valueText } from "../periods/values.js";

/** `worker_pid = 271, fd = 11`; what was not there is `None`. */
export function capturesText(captures: readonly Capture[]): string {
  return captures.map(({ key, value }) => `${key} = ${valueText(value)}`).join(", ");
}

/** The name as users wrote it, from the root down. */
export function periodName(path: string): string {
  return path === "" ? "(unnamed)" : path;
}

/** What an instance is, in one line. */
export function periodLine(instance: PeriodInstance): string {
  const { definition, beginNs, endNs, completed, uncertain } = instance;
  const captures = capturesText([...instance.beginCaptures, ...instance.endCaptures]);
  return [
    `Period: ${periodName(definition.path)}, ${formatDuration(endNs - beginNs)}`,
    ...(captures === "" ? [] : [captures]),
    ...(completed ? [] : ["did not end as defined"]),
    ...(uncertain ? ["event records were lost"] : []),
  ].join(", ");
}
