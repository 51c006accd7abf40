/**
 * Where histories are kept: `$XDG_CACHE_HOME/periscope/history` (else `~/.cache/…`), never beside a trace, which may
 * be read-only or another's. A file's name is made of the trace's files, their sizes and times, and of the version,
 * so that what changed is not found. The oldest go when there are too many, and so does what was not finished.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { version } from "../version.js";
import type { History } from "./history.js";
import { loadHistory, PARTIAL, STORE_VERSION, saveHistory } from "./store.js";

/** Bytes that all kept histories may have. */
const MOST_BYTES = 4 * 2 ** 30;
/** Who writes a history was killed when there is nothing new in its file for so long. */
const LONGEST_WRITE_MS = 3_600_000;

export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(base, "periscope", "history");
}

/** Path of the history's file of these traces. */
export function cachePath(paths: readonly string[], folder = cacheFolder()): string {
  const hash = createHash("sha256").update(`${version} ${STORE_VERSION}\n`);
  for (const path of paths) {
    const root = resolve(path);
    hash.update(`${root}\n`);
    for (const line of fingerprints(root)) hash.update(line);
  }
  return join(folder, `${hash.digest("hex").slice(0, 32)}.history`);
}

/** Name, size and times of every file below; links count for where they lead, as they do for who reads the trace. */
function fingerprints(root: string): string[] {
  const lines: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string): void => {
    try {
      const stat = statSync(path, { bigint: true });
      if (!stat.isDirectory()) {
        // The time of change, too: whoever sets a file's time back does not make it what it was.
        lines.push(`${path} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}\n`);
        return;
      }
      const real = `${stat.dev} ${stat.ino}`;
      if (seen.has(real)) return;
      seen.add(real);
      for (const name of readdirSync(path).sort()) if (!name.startsWith(".")) visit(join(path, name));
    } catch (error) {
      // Who reads the trace says what it means that this cannot be read.
      lines.push(`${path} ${(error as NodeJS.ErrnoException).code}\n`);
    }
  };
  visit(root);
  return lines;
}

/** Is there a kept history of these traces, as they are? */
export function isKept(paths: readonly string[]): boolean {
  return existsSync(cachePath(paths));
}

/** The kept history; undefined: none. Throws `DamagedHistory`, and so do its rows when they are read. */
export function cachedHistory(path: string): History | undefined {
  const history = loadHistory(path);
  if (history === undefined) return undefined;
  try {
    // Its time is when it was used last.
    utimesSync(path, new Date(), new Date());
  } catch {
    // A folder that may only be read: it is used all the same.
  }
  return history;
}

/** Keeps a history; undefined, or why it could not. */
export function keepHistory(history: History, path: string): string | undefined {
  const folder = join(path, "..");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    saveHistory(history, path);
    forgetOldest(folder, path);
    return undefined;
  } catch (error) {
    return `${path}: the history is not kept: ${(error as Error).message}`;
  }
}

function forgetOldest(folder: string, keep: string): void {
  const files = readdirSync(folder)
    .map((name) => sizeAndTime(join(folder, name)))
    .filter((one) => one !== undefined)
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let bytes = 0;
  for (const { path, size, mtimeMs } of files) {
    bytes += size;
    const isLeft = path.endsWith(PARTIAL) && mtimeMs < Date.now() - LONGEST_WRITE_MS;
    if (isLeft || (bytes > MOST_BYTES && path !== keep)) rmSync(path, { force: true });
  }
}

/** Undefined: another process took it away. */
function sizeAndTime(path: string): { path: string; size: number; mtimeMs: number } | undefined {
  try {
    const { size, mtimeMs } = statSync(path);
    return { path, size, mtimeMs };
  } catch {
    return undefined;
  }
}
