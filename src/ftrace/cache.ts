/**
 * Where conversions are kept: $XDG_CACHE_HOME/periscope/ftrace/ (else ~/.cache), one directory for each state of a
 * recording. An entry appears whole, by a rename, so that readers in other processes never see half of one. Where
 * nothing can be kept, a temporary directory serves this process alone.
 */
import { randomUUID } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const HOUR_MS = 3_600_000;
const KEPT_MS = 7 * 24 * HOUR_MS;

/** Traces are as secret as what was traced. */
const PRIVATE = 0o700;

function cacheDirectory(): string | undefined {
  try {
    const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
    const directory = join(base, "periscope", "ftrace");
    mkdirSync(directory, { recursive: true, mode: PRIVATE });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return directory;
  } catch {
    return undefined;
  }
}

/**
 * The entry of a recording `name` (of letters and digits) in a state: made by `make` in a directory of its own where
 * there is none yet. Whatever `make` throws is thrown, and leaves nothing.
 */
export function cached(name: string, state: string, make: (directory: string) => void): string {
  const cache = cacheDirectory();
  if (cache === undefined) return inTemporary(make);
  const entry = join(cache, `${name}-${state}`);
  if (existsSync(entry)) {
    touch(entry);
    return entry;
  }
  const begun = join(cache, `.${name}-${randomUUID()}`);
  mkdirSync(begun, { mode: PRIVATE });
  try {
    make(begun);
    try {
      renameSync(begun, entry);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(entry)) throw error;
    }
  } finally {
    rmSync(begun, { recursive: true, force: true });
  }
  prune(cache, name, entry);
  return entry;
}

function inTemporary(make: (directory: string) => void): string {
  const directory = mkdtempSync(join(tmpdir(), "periscope-ftrace-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  make(directory);
  return directory;
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Only used to tell what is old.
  }
}

/** Removes what nobody has used for a week, and older states of the same recording. */
function prune(cache: string, name: string, kept: string): void {
  for (const entry of readdirSync(cache)) {
    const path = join(cache, entry);
    try {
      const idleMs = Date.now() - statSync(path).mtimeMs;
      const isOlderState = entry.startsWith(`${name}-`) && idleMs > HOUR_MS;
      if (path !== kept && (isOlderState || idleMs > KEPT_MS)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Another process removes it.
    }
  }
}
