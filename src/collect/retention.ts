/**
 * Keeps the store within its size and age: whole incidents and whole sessions go, oldest first. What is being written
 * stays, and the newest incident too.
 */
import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Logger } from "./log.js";
import { INCIDENTS } from "./store-paths.js";

export interface RetentionOptions {
  /** Bytes; Infinity: no limit. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

interface Item {
  readonly kind: "incident" | "session";
  readonly path: string;
  readonly bytes: number;
  /** When it was last written, ms since the epoch. */
  readonly writtenMs: number;
}

export class Retention {
  /** After the last sweep that came to its end. */
  storeBytes = 0;
  removedBytes = 0;
  #busy = false;

  constructor(
    private readonly store: string,
    private readonly options: RetentionOptions,
    /** Sessions and incidents that may not go: paths relative to the store. */
    private readonly inUse: () => ReadonlySet<string>,
    private readonly removed: (incident: string) => void,
    private readonly log: Logger,
  ) {}

  /** Measures the store and removes what is too old or too much. Never throws. */
  async sweep(nowMs: number): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const items = await this.#items();
      let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
      const inUse = this.inUse();
      for (const item of items.sort((a, b) => a.writtenMs - b.writtenMs)) {
        const tooOld = nowMs - item.writtenMs > this.options.maxAgeMs;
        if (!tooOld && bytes <= this.options.maxBytes) continue;
        if (inUse.has(relative(this.store, item.path))) continue;
        await this.#remove(item, tooOld ? "age" : "size");
        bytes -= item.bytes;
      }
      this.storeBytes = bytes;
    } catch (error) {
      this.log("error", "retention failed", { reason: (error as Error).message });
    } finally {
      this.#busy = false;
    }
  }

  async #remove(item: Item, reason: "age" | "size"): Promise<void> {
    await rm(item.path, { recursive: true, force: true });
    this.removedBytes += item.bytes;
    const path = relative(this.store, item.path);
    this.log("info", "removed", { path, bytes: item.bytes, reason });
    if (item.kind === "incident") this.removed(path.slice(INCIDENTS.length + 1));
  }

  async #items(): Promise<Item[]> {
    const items: Item[] = [];
    for (const host of await directories(this.store)) {
      for (const name of await directories(join(this.store, host))) {
        const path = join(this.store, host, name);
        items.push({ kind: host === INCIDENTS ? "incident" : "session", path, ...(await measure(path)) });
      }
    }
    return items;
  }
}

async function directories(path: string): Promise<string[]> {
  if (!existsSync(path)) return [];
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name);
}

async function measure(path: string): Promise<{ bytes: number; writtenMs: number }> {
  let bytes = 0;
  let writtenMs = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // It may be gone by now.
    const info = await stat(join(entry.parentPath ?? entry.path, entry.name)).catch(() => undefined);
    if (info === undefined) continue;
    bytes += info.blocks * 512;
    writtenMs = Math.max(writtenMs, info.mtimeMs);
  }
  return { bytes, writtenMs: writtenMs || (await stat(path)).mtimeMs };
}
