/**
 * Opens whatever Periscope reads: CTF traces as they are, recordings of trace-cmd and copies of tracefs as the CTF
 * traces that they are converted to.
 */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { Experiment, type ExperimentOptions } from "../ctf/experiment.js";
import { isDatFile } from "../ftrace/dat/file.js";
import { importKind, importTrace, type Kind, killedRecorder } from "../ftrace/import.js";

/** Opens all traces at or below `paths`. Throws `PeriscopeError` where a path has none, or none can be opened. */
export function openExperiment(paths: readonly string[], options: ExperimentOptions = {}): Experiment {
  const readable: string[] = [];
  const beside = { failed: [], problems: [], notes: [] } as {
    failed: { path: string; error: PeriscopeError }[];
    problems: { file: string; byteOffset: number; reason: string }[];
    notes: string[];
  };
  for (const path of paths) {
    const { recordings, hasOthers } = lookFor(path);
    if (hasOthers || recordings.length === 0) readable.push(path);
    for (const { at, kind } of recordings) {
      try {
        const imported = importTrace(at, kind);
        readable.push(imported.path);
        beside.problems.push(...imported.problems);
        beside.notes.push(...imported.notes);
      } catch (error) {
        if (!(error instanceof PeriscopeError)) throw error;
        beside.failed.push({ path: at, error });
      }
    }
  }
  if (readable.length === 0 && beside.failed.length > 0) throw beside.failed[0]!.error;
  return new Experiment(readable, { ...options, beside });
}

interface Found {
  readonly recordings: { readonly at: string; readonly kind: Kind }[];
  /** There are CTF traces, too. */
  hasOthers: boolean;
}

/** Recordings at or below a path. */
function lookFor(path: string): Found {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.isFile() && stat.size === 0)) {
    const killed = killedRecorder(path);
    if (killed !== undefined) throw killed;
  }
  const kind = importKind(path);
  if (kind !== undefined) return { recordings: [{ at: path, kind }], hasOthers: false };
  const found: Found = { recordings: [], hasOthers: false };
  if (stat?.isDirectory()) visit(path, found, new Set());
  else found.hasOthers = true;
  return found;
}

function visit(directory: string, found: Found, seen: Set<string>): void {
  const real = realpathSync(directory);
  if (seen.has(real)) return;
  seen.add(real);
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (entries.some(({ name }) => name === "metadata")) {
    found.hasOthers = true;
  }
  for (const { name } of entries) {
    if (name.startsWith(".")) continue;
    const at = join(directory, name);
    const stat = statSync(at, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      const kind = importKind(at);
      if (kind === undefined) visit(at, found, seen);
      else found.recordings.push({ at, kind });
    } else if (stat?.isFile() && name.endsWith(".dat") && isDatFile(at)) {
      found.recordings.push({ at, kind: "dat" });
    }
  }
}
