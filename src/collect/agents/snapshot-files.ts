/**
 * Files of one host's snapshot as they arrive: into a directory `HOST.partial`, which gets its name when all of them
 * are on disk. What a crash leaves is removed; the agent sends it again.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AgentProtocolError } from "../../agent/protocol.js";
import { safePath } from "../store-paths.js";

const PARTIAL = ".partial";
/** So long as a trace is not whole, it has no file of this name: nobody takes it for a trace. */
const METADATA = "metadata";
const MAX_FILES = 100_000;

export class SnapshotFiles {
  bytes = 0;
  readonly #partial: string;
  #files = 0;
  readonly #hidden: string[] = [];
  #current:
    | { readonly handle: FileHandle; readonly path: string; at: number; readonly end: number }
    | undefined;

  constructor(
    /** Of the host in the incident. */
    readonly directory: string,
  ) {
    this.#partial = directory + PARTIAL;
  }

  /** Begins anew: what came before of it is dropped. */
  async begin(): Promise<void> {
    await this.abandon();
    await mkdir(this.#partial, { recursive: true, mode: 0o770 });
  }

  /** Throws `ProtocolError` for a path that may not be. */
  async file(path: string, bytes: number): Promise<void> {
    if (this.#current !== undefined)
      throw new AgentProtocolError(`file: "${this.#current.path}" has not ended`);
    if (++this.#files > MAX_FILES) throw new AgentProtocolError(`file: more than ${MAX_FILES}`);
    const target = join(this.#partial, safePath(path, "file"));
    if (target === this.#partial) throw new AgentProtocolError("file: no path");
    await mkdir(dirname(target), { recursive: true, mode: 0o770 });
    const hidden = basename(target) === METADATA;
    if (hidden) this.#hidden.push(target);
    this.#current = {
      handle: await open(hidden ? target + PARTIAL : target, "w", 0o660),
      path,
      at: 0,
      end: bytes,
    };
  }

  /** Throws what the file system throws, and may be called again then. */
  async data(bytes: Uint8Array): Promise<void> {
    const current = this.#current;
    if (current === undefined || current.at + bytes.length > current.end) {
      throw new AgentProtocolError("data that no file was announced for");
    }
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await current.handle.write(
        bytes,
        done,
        bytes.length - done,
        current.at + done,
      );
      done += bytesWritten;
    }
    current.at += bytes.length;
    this.bytes += bytes.length;
  }

  async fileEnd(path: string): Promise<void> {
    const current = this.#current;
    if (current?.path !== path || current.at !== current.end) {
      const state = current === undefined ? "was not announced" : `lacks ${current.end - current.at} bytes`;
      throw new AgentProtocolError(`fileEnd: "${path}" ${state}`);
    }
    this.#current = undefined;
    await current.handle.datasync();
    await current.handle.close();
  }

  /** All of it is on disk: it gets its name. */
  async finish(): Promise<void> {
    if (this.#current !== undefined)
      throw new AgentProtocolError(`saved: "${this.#current.path}" has not ended`);
    for (const path of this.#hidden) await rename(path + PARTIAL, path);
    await rm(this.directory, { recursive: true, force: true });
    await rename(this.#partial, this.directory);
    const parent = await open(dirname(this.directory), "r");
    await parent.sync();
    await parent.close();
  }

  /** The agent is gone. */
  async abandon(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    this.#files = 0;
    this.#hidden.length = 0;
    this.bytes = 0;
    await current?.handle.close();
    await rm(this.#partial, { recursive: true, force: true });
  }
}

/** Removes what a crash left; `incidents`: directory of all incidents. */
export function removePartial(incidents: string): void {
  if (!existsSync(incidents)) return;
  for (const id of readdirSync(incidents)) {
    for (const name of readdirSync(join(incidents, id))) {
      if (name.endsWith(PARTIAL)) rmSync(join(incidents, id, name), { recursive: true, force: true });
    }
  }
}
