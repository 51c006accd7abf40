/** What was recorded, for people and programs. */
import { basename, dirname } from "node:path";
import { formatCount, formatDuration, formatSize } from "../base/format.js";
import type { BackendName, SavedTrace } from "../record/recorder.js";
import { complain, writeOutput } from "./command.js";

export interface Outcome {
  readonly saved: SavedTrace;
  readonly backend: BackendName;
  /** Exit code of the command that was run, or the signal that ended it. */
  readonly command?:
    | {
        readonly exitCode: number | null;
        readonly signal: NodeJS.Signals | null;
        /** The recording's end ended it. */
        readonly wasStopped: boolean;
      }
    | undefined;
}

/** Of what programs tell, and not the kernel, there are no analyses. */
function nextSteps(path: string, directory: string): string[] {
  return basename(path) === "ust"
    ? [`next: periscope info ${directory}`, `      periscope print ${directory}`]
    : [`next: periscope report ${directory}`, "      periscope why --help"];
}

/** One JSON object, or some lines; losses are told on stderr. */
export function tellOutcome({ saved, backend, command }: Outcome, json: boolean): void {
  const durationNs = Number(saved.endNs - saved.beginNs);
  if (saved.lost > 0) {
    complain(`${formatCount(saved.lost)} event records were lost; give more memory by --buffer-size`);
  }
  if (saved.addedSwitches) {
    const count = formatCount(saved.addedSwitches);
    complain(`${count} switches were not told by this kernel and have been put in`);
  }
  if (json) {
    const { path, eventRecords, lost, bytes, addedSwitches, files, beginNs, endNs } = saved;
    const times = { beginNs: String(beginNs), endNs: String(endNs), durationNs };
    writeOutput(
      `${JSON.stringify({ path, backend, ...times, eventRecords, lost, bytes, addedSwitches, files, command })}\n`,
    );
    return;
  }
  const directory = /[/\\](kernel|ust)$/.test(saved.path) ? dirname(saved.path) : saved.path;
  const rate =
    durationNs > 0 ? ` (${formatCount(Math.round(saved.eventRecords / (durationNs / 1e9)))}/s)` : "";
  const lines = [
    `recorded    ${saved.path}`,
    `by          ${backend}`,
    `duration    ${formatDuration(durationNs)}`,
    `events      ${formatCount(saved.eventRecords)}${rate}, ${formatCount(saved.lost)} lost, ${formatSize(saved.bytes)}`,
  ];
  if (saved.files !== undefined && saved.files.opened > 0) {
    const { named, opened } = saved.files;
    lines.push(
      `file names  ${formatCount(named)} of ${formatCount(opened)} opened files (this kernel does not tell them; those still open when /proc was read are known)`,
    );
  }
  if (command !== undefined) {
    const { exitCode, signal } = command;
    lines.push(`command     ${signal === null ? `exit code ${exitCode}` : `ended by ${signal}`}`);
  }
  lines.push("", ...nextSteps(saved.path, directory), "");
  writeOutput(lines.join("\n"));
}
