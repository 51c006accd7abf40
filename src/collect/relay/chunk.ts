/**
 * Trace chunks and where they lie. Chunk 0 lies in the session's directory itself; chunks of a rotated session in
 * `CREATION-ID` until they are complete, then in `archives/CREATION-CLOSE-ID`; snapshots in a directory of their
 * name. So `lttng-relayd` leaves them, and so `lttng rotate` and its users expect to find them.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CloseChunk, CreateChunk } from "../../relay/control.js";
import { safeName } from "../store-paths.js";

const ARCHIVES = "archives";

export class Chunk {
  /** Where its files lie now. */
  directory: string;
  #close: CloseChunk | undefined;
  #finished = false;
  /** Streams and relay sessions that still use it. */
  readonly #holders = new Set<object>();

  constructor(
    readonly session: UserSession,
    readonly id: bigint,
    readonly creation: bigint,
    readonly name: string,
    directory: string,
  ) {
    this.directory = directory;
  }

  get finished(): boolean {
    return this.#finished;
  }

  hold(holder: object): void {
    this.#holders.add(holder);
  }

  drop(holder: object): void {
    this.#holders.delete(holder);
    this.#finish();
  }

  /** Answers where the chunk will lie, relative to the store. The last holder's `drop` moves it there. */
  close(close: CloseChunk): string {
    this.#close ??= close;
    this.#finish();
    const { session } = this;
    if (this.name !== "") return join(session.path, this.name);
    return close.command === "complete" ? join(session.path, ARCHIVES, this.#archiveName()) : session.path;
  }

  #archiveName(): string {
    return `${isoBasic(this.creation)}-${isoBasic(this.#close!.close)}-${this.id}`;
  }

  #finish(): void {
    if (this.#finished || this.#close === undefined || this.#holders.size > 0) return;
    this.#finished = true;
    const { session } = this;
    session.forget(this);
    if (this.#close.command === "delete") {
      for (const entry of this.#entries()) {
        rmSync(join(this.directory, entry), { recursive: true, force: true });
      }
      if (this.directory !== session.directory) rmSync(this.directory, { recursive: true, force: true });
    } else if (this.#close.command === "complete" && this.name === "") {
      const target = join(session.directory, ARCHIVES, this.#archiveName());
      mkdirSync(join(session.directory, ARCHIVES), { recursive: true, mode: 0o770 });
      if (this.directory !== session.directory) renameSync(this.directory, target);
      else {
        mkdirSync(target, { mode: 0o770 });
        for (const entry of this.#entries()) renameSync(join(this.directory, entry), join(target, entry));
      }
      this.directory = target;
    }
    session.onChunk?.(this);
  }

  /** The chunk's own directories: chunk 0 shares its place with later chunks and archives. */
  #entries(): string[] {
    if (!existsSync(this.directory)) return [];
    const entries = readdirSync(this.directory);
    return this.directory === this.session.directory
      ? entries.filter((entry) => entry === "kernel" || entry === "ust")
      : entries;
  }
}

/**
 * A session as its user knows it. Relay sessions of its domains (kernel, user space of both word sizes) and of its
 * snapshots share it and its chunks; it is known by the session daemon's UUID and number.
 */
export class UserSession {
  readonly #chunks = new Map<bigint, Chunk>();
  /** A chunk is complete and where it stays, or deleted. */
  onChunk: ((chunk: Chunk) => void) | undefined;
  onChunkBegun: ((chunk: Chunk) => void) | undefined;

  constructor(
    readonly host: string,
    readonly name: string,
    /** Relative to the store. */
    readonly path: string,
    readonly directory: string,
  ) {}

  /** The chunk of that number, made when nobody did. Throws `ProtocolError` for a name that may not be. */
  create({ id, creation, name }: CreateChunk): Chunk {
    const known = this.#chunks.get(id);
    if (known !== undefined) return known;
    const own = name === "" ? undefined : safeName(name, "chunk name");
    const place = own ?? (id === 0n ? "" : `${isoBasic(creation)}-${id}`);
    let directory = join(this.directory, place);
    // Nothing that is there is overwritten.
    for (let i = 1; place !== "" && existsSync(directory); i++)
      directory = join(this.directory, `${place}-${i}`);
    mkdirSync(directory, { recursive: true, mode: 0o770 });
    const chunk = new Chunk(this, id, creation, name, directory);
    this.#chunks.set(id, chunk);
    this.onChunkBegun?.(chunk);
    return chunk;
  }

  chunk(id: bigint): Chunk | undefined {
    return this.#chunks.get(id);
  }

  forget(chunk: Chunk): void {
    if (this.#chunks.get(chunk.id) === chunk) this.#chunks.delete(chunk.id);
  }
}

/** s since the epoch as `20261123T162728+0000`, in local time, as LTTng writes it. */
export function isoBasic(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const zone = -date.getTimezoneOffset();
  const offset = `${zone < 0 ? "-" : "+"}${two(Math.abs(zone) / 60)}${two(Math.abs(zone) % 60)}`;
  return `${dateBasic(date)}T${timeBasic(date)}${offset}`;
}

/** `20261123-162728`, local time. */
export function sessionTime(date: Date): string {
  return `${dateBasic(date)}-${timeBasic(date)}`;
}

function dateBasic(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
}

function timeBasic(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
