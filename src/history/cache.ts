/**
 * Where histories are kept: `$XDG_CACHE_HOME/periscope/history` (else `~/.cache/…`), never beside a trace, which may
 * be read-only or another's. A file's name is made of the trace's files, their sizes and times, and of the version,
 * so that what changed is not found. The oldest go when there are too many.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { version } from "../version.js";
import type { History } from "./history.js";
import { loadHistory, STORE_VERSION, saveHistory } from "./store.js";

/** Bytes that all kept histories may have. */
const MOST_BYTES = 4 * 2 ** 30;

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

/** Name, size and time of every file below. */
function fingerprints(root: string): string[] {
  const lines: string[] = [];
  const add = (path: string): void => {
    const { size, mtimeMs } = statSync(path);
    lines.push(`${path} ${size} ${mtimeMs}\n`);
  };
  if (!statSync(root).isDirectory()) add(root);
  else {
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) add(join(entry.parentPath ?? entry.path, entry.name));
    }
  }
  return lines.sort();
}

/** Is there a kept history of these traces, as they are? */
export function isKept(paths: readonly string[]): boolean {
  return existsSync(cachePath(paths));
}

/** The kept history; undefined: none. */
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
    .map((name) => join(folder, name))
    .map((path) => ({ path, ...sizeAndTime(path) }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let bytes = 0;
  for (const { path, size } of files) {
    bytes += size;
    if (bytes > MOST_BYTES && path !== keep) rmSync(path, { force: true });
  }
}

function sizeAndTime(path: string): { size: number; mtimeMs: number } {
  const { size, mtimeMs } = statSync(path);
  return { size, mtimeMs };
}
