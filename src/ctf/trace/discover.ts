/**
 * Finds trace directories (those that hold a file `metadata`) below the paths that a person gives.
 */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { PeriscopeError } from "../../base/errors.js";

export interface FoundTrace {
  readonly path: string;
  /** Path below the given one, "" if it is the given one. */
  readonly relative: string;
}

/** All trace directories at or below `path`, sorted. Throws if there is none. */
export function discoverTraces(path: string): FoundTrace[] {
  let root = resolve(path);
  let isFile: boolean;
  try {
    isFile = statSync(root).isFile();
  } catch {
    throw new PeriscopeError(
      `${path}: no such file or directory, expected a trace or a directory above traces`,
    );
  }
  if (isFile) {
    if (basename(root) !== "metadata") {
      throw new PeriscopeError(
        `${path}: a file, expected a trace directory (one that holds a file "metadata")`,
      );
    }
    root = dirname(root);
  }
  const found: FoundTrace[] = [];
  const seen = new Set<string>();
  const visit = (directory: string, relative: string): void => {
    const real = realpathSync(directory);
    if (seen.has(real)) return;
    seen.add(real);
    const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    if (entries.some((entry) => entry.name === "metadata" && !entry.isDirectory())) {
      found.push({ path: directory, relative });
    }
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const child = join(directory, entry.name);
      if (entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(child))) {
        visit(child, relative === "" ? entry.name : `${relative}/${entry.name}`);
      }
    }
  };
  visit(root, "");
  if (found.length === 0) {
    throw new PeriscopeError(
      `${path}: no trace found, expected a file "metadata" in it or in a directory below`,
    );
  }
  return found;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The data stream files of a trace directory, sorted: regular files, not hidden, not the metadata. */
export function dataFiles(directory: string): { path: string; size: number }[] {
  const files: { path: string; size: number }[] = [];
  for (const name of readdirSync(directory).sort()) {
    if (name === "metadata" || name.startsWith(".")) continue;
    const path = join(directory, name);
    try {
      const stat = statSync(path);
      if (stat.isFile() && stat.size > 0) files.push({ path, size: stat.size });
    } catch {
      // A dangling link: not a data file.
    }
  }
  return files;
}
