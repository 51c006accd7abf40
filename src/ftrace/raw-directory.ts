/**
 * A copy of tracefs as people make it: `per_cpu/cpuN/trace_pipe_raw` with the pages, `events/SYSTEM/EVENT/format`,
 * `events/header_page`, and what else was copied (`saved_cmdlines`, `saved_tgids`, `trace_clock`).
 */
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { PlainBlocks } from "./blocks.js";
import { type Foreign, parseFormats, parseThreads, type Tell } from "./foreign.js";
import { parseHeaderPage } from "./ring-buffer.js";

/** Where a directory keeps its pages, by CPU; empty: it is none of this kind. */
export function rawPages(directory: string): { readonly cpu: number; readonly path: string }[] {
  if (!existsSync(join(directory, "events", "header_page"))) return [];
  let names: string[];
  try {
    names = readdirSync(join(directory, "per_cpu"));
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const path = join(directory, "per_cpu", name, "trace_pipe_raw");
      const cpu = /^cpu(\d+)$/.exec(name)?.[1];
      return cpu !== undefined && existsSync(path) ? [{ cpu: Number(cpu), path }] : [];
    })
    .sort((a, b) => a.cpu - b.cpu);
}

const TRACEFS_MAGIC = 0x74726163;
const DEBUGFS_MAGIC = 0x64626720;

/** Whether it is the kernel's own: to read its pages would take them away. */
export function isLiveTracefs(directory: string): boolean {
  const { type } = statfsSync(directory);
  return type === TRACEFS_MAGIC || type === DEBUGFS_MAGIC;
}

/** Throws `PeriscopeError` where the descriptions are missing or wrong. */
export function rawDirectory(directory: string, tell: Tell): Foreign {
  if (isLiveTracefs(directory)) {
    throw new PeriscopeError(
      `${directory}: the kernel's own tracefs, expected a copy of it; periscope record records from it`,
    );
  }
  const text = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path, "latin1") : "";
  };
  const headerPage = join(directory, "events", "header_page");
  const layout = parseHeaderPage(readFileSync(headerPage, "latin1"), headerPage);
  const { pageBytes, dataOffset, commitOffset, commitSize } = layout;
  if (
    !(commitSize === 4 || commitSize === 8) ||
    commitOffset + commitSize > dataOffset ||
    pageBytes > 1 << 24
  ) {
    throw new PeriscopeError(`${headerPage}: expected a time, a commit of 4 or 8 bytes, then data`);
  }
  return {
    path: directory,
    name: "",
    layout,
    bigEndian: false,
    events: parseFormats(directory, formatsOf(directory), tell),
    threads: parseThreads(text("saved_cmdlines"), text("saved_tgids")),
    clock: /\[([\w-]+)\]/.exec(text("trace_clock"))?.[1] ?? "",
    offsetNs: 0n,
    uname: text("uname").trim(),
    recordedBy: "tracefs",
    sources: rawPages(directory).map(({ cpu, path }) => ({
      cpu,
      open: () => new PlainBlocks(path, 0, statSync(path).size, pageBytes),
    })),
  };
}

function formatsOf(directory: string): { system: string; text: string; at: number }[] {
  const events = join(directory, "events");
  const below = (path: string) =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  return below(events).flatMap((system) =>
    below(join(events, system)).flatMap((name) => {
      const path = join(events, system, name, "format");
      return existsSync(path) ? [{ system, text: readFileSync(path, "latin1"), at: 0 }] : [];
    }),
  );
}
