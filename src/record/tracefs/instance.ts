/**
 * A tracing instance of our own: buffers, clock and events that nobody else sees, below tracefs' `instances/`.
 * (The kernel's Documentation/trace/ftrace.rst, section "Instances".) The top-level instance is never touched.
 *
 * Its name says whose it is. A recorder that was killed leaves it behind; the next one finds that its process is
 * gone, and removes it.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../../base/errors.js";
import { startTime } from "../../base/process.js";
import { type PageLayout, parseHeaderPage } from "../../ftrace/ring-buffer.js";

/** Beyond this a page brings nothing. */
const MOST_PAGE_KB = 64;
/** Pages per buffer at least, so that losses stay small. */
const LEAST_PAGES = 16;

const OURS = /^periscope-(\d+)-(\d+)(?:-\d+)?$/;
let made = 0;

/** Removes instances and event probes whose recorder is gone. Answers their names. */
export function removeStale(tracefs: string): string[] {
  const removed: string[] = [];
  for (const name of readdirSync(join(tracefs, "instances"))) {
    const match = OURS.exec(name);
    if (match === null || startTime(Number(match[1])) === match[2]) continue;
    try {
      remove(join(tracefs, "instances", name));
      removed.push(name);
    } catch {
      // Somebody reads from it: the next start tries again.
    }
  }
  removed.push(...removeProbes(tracefs, ([pid, time]) => startTime(Number(pid)) !== time));
  return removed;
}

/** Removes event probes of groups `periscope_PID_TIME` that `isGone` chooses. */
function removeProbes(tracefs: string, isGone: (group: readonly string[]) => boolean): string[] {
  const path = join(tracefs, "dynamic_events");
  if (!existsSync(path)) return [];
  const removed: string[] = [];
  for (const [, group, pid, time, name] of readFileSync(path, "utf8").matchAll(
    /^e:(periscope_(\d+)_(\d+))\/(\S+)/gm,
  )) {
    if (!isGone([pid!, time!])) continue;
    appendFileSync(path, `-:${group}/${name}\n`);
    removed.push(`${group}/${name}`);
  }
  return removed;
}

function remove(path: string): void {
  writeFileSync(join(path, "tracing_on"), "0");
  writeFileSync(join(path, "events/enable"), "0");
  rmdirSync(path);
}

export interface InstanceOptions {
  readonly bufferBytes: number;
}

export class Instance {
  readonly path: string;
  readonly layout: PageLayout;
  /** CPUs that have a buffer. */
  readonly cpus: readonly number[];
  /** Bytes per CPU, as the kernel has them. */
  readonly bufferBytes: number;
  /** Group of event probes that belong to this recorder. */
  readonly probeGroup: string;
  readonly #on: number;

  /** Makes the instance; it does not record yet. Throws `PeriscopeError`. */
  constructor(
    readonly tracefs: string,
    { bufferBytes }: InstanceOptions,
  ) {
    const time = startTime(process.pid) ?? "0";
    this.probeGroup = `periscope_${process.pid}_${time}`;
    this.path = join(tracefs, "instances", `periscope-${process.pid}-${time}${made++ > 0 ? `-${made}` : ""}`);
    try {
      mkdirSync(this.path);
    } catch (error) {
      throw new PeriscopeError(`${this.path}: ${(error as Error).message.replace(/, mkdir.*/, "")}`);
    }
    try {
      this.put("tracing_on", "0");
      this.put("trace_clock", "mono");
      const pageKb = this.#choosePage(bufferBytes);
      this.put("buffer_size_kb", String(Math.max(Math.ceil(bufferBytes / 1024), 2 * pageKb)));
      // The newest records are kept: a page that was overwritten tells how many it held.
      this.try("options/overwrite", "1");
      const where = join(tracefs, "events/header_page");
      const page = parseHeaderPage(readFileSync(where, "utf8"), where);
      this.layout = { ...page, pageBytes: pageKb * 1024 };
      this.cpus = readdirSync(join(this.path, "per_cpu"))
        .map((name) => Number(name.slice(3)))
        .sort((a, b) => a - b);
      this.bufferBytes = Number.parseInt(this.get("per_cpu/cpu0/buffer_size_kb"), 10) * 1024;
      this.#on = openSync(join(this.path, "tracing_on"), "w");
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  /** Larger pages cost fewer system calls to read. */
  #choosePage(bufferBytes: number): number {
    let kb = 4;
    if (!existsSync(join(this.path, "buffer_subbuf_size_kb"))) return kb;
    kb = Number.parseInt(this.get("buffer_subbuf_size_kb"), 10);
    while (kb * 2 <= MOST_PAGE_KB && kb * 2 * 1024 * LEAST_PAGES <= bufferBytes) kb *= 2;
    if (!this.try("buffer_subbuf_size_kb", String(kb))) return 4;
    return Number.parseInt(this.get("buffer_subbuf_size_kb"), 10);
  }

  put(path: string, text: string): void {
    try {
      writeFileSync(join(this.path, path), text);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new PeriscopeError(`${join(this.path, path)}: "${text}" is refused (${code ?? error})`);
    }
  }

  /** Answers whether the kernel took it. */
  try(path: string, text: string): boolean {
    try {
      writeFileSync(join(this.path, path), text);
      return true;
    } catch {
      return false;
    }
  }

  get(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }

  /** Stops or starts recording at once; one write to a file that is open. */
  turn(on: boolean): void {
    writeSync(this.#on, on ? "1" : "0", 0);
  }

  /** Records that the kernel lost on a CPU since the instance was made: overwritten unread, or dropped. */
  lost(cpu: number, withOverwritten: boolean): number {
    const stats = this.get(`per_cpu/cpu${cpu}/stats`);
    const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(stats)?.[1] ?? 0);
    const dropped = value("commit overrun") + value("dropped events");
    return dropped + (withOverwritten ? value("overrun") : 0);
  }

  /** Moment of the oldest record of a CPU, in seconds; 0 where there is none. */
  oldestSeconds(cpu: number): number {
    return Number(/^oldest event ts:\s*([\d.]+)/m.exec(this.get(`per_cpu/cpu${cpu}/stats`))?.[1] ?? 0);
  }

  #remove(): void {
    removeProbes(this.tracefs, ([pid, time]) => this.probeGroup === `periscope_${pid}_${time}`);
    remove(this.path);
  }

  /** Removes the instance with all that it holds. Throws `PeriscopeError` where somebody else uses it. */
  close(): void {
    closeSync(this.#on);
    try {
      this.#remove();
    } catch (error) {
      throw new PeriscopeError(`${this.path} cannot be removed: ${(error as Error).message}`);
    }
  }
}
