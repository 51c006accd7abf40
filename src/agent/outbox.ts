/**
 * Snapshots that the collector has not acknowledged: on disk, sent when there is a connection, sent again after the
 * next one until the collector says that it has them. Bounded: the oldest go when there are too many.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join, relative } from "node:path";
import type { CollectorConnection } from "./connection.js";
import { DATA_BYTES, type SavedMessage } from "./protocol.js";

const SAVED = "saved.json";
const TRACE = "trace";

export class Outbox {
  #sending: Promise<void> | undefined;

  /** `directory` is made. What a killed agent had not finished writing is removed. */
  constructor(
    private readonly directory: string,
    private readonly maxSnapshots: number,
    private readonly connection: () => CollectorConnection,
    private readonly say: (event: string, fields: Readonly<Record<string, string | number>>) => void,
  ) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const id of readdirSync(directory)) {
      if (!existsSync(join(directory, id, SAVED)))
        rmSync(join(directory, id), { recursive: true, force: true });
    }
  }

  /** Incidents, oldest first. */
  #ids(): string[] {
    return readdirSync(this.directory)
      .filter((id) => existsSync(join(this.directory, id, SAVED)))
      .sort();
  }

  get length(): number {
    return this.#ids().length;
  }

  /** Where the trace of an incident is to be written. */
  place(incident: string): string {
    const place = join(this.directory, incident, TRACE);
    rmSync(join(this.directory, incident), { recursive: true, force: true });
    mkdirSync(place, { recursive: true });
    return place;
  }

  /** The trace is written: it will be sent. */
  add(saved: Omit<SavedMessage, "type" | "bytes">): void {
    const files = filesBelow(join(this.directory, saved.incident, TRACE));
    const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
    const message: SavedMessage = { type: "saved", ...saved, bytes };
    // Whoever is killed while writing it has not saved the snapshot: it has its name when it is whole.
    const path = join(this.directory, saved.incident, SAVED);
    writeFileSync(`${path}.new`, JSON.stringify(message));
    renameSync(`${path}.new`, path);
    const ids = this.#ids();
    for (const id of ids.slice(0, Math.max(0, ids.length - this.maxSnapshots))) {
      this.say("snapshot dropped", { incident: id, reason: `more than ${this.maxSnapshots} are not sent` });
      this.forget(id);
    }
    this.send();
  }

  /** The collector has it, or nobody wants it. */
  forget(incident: string): void {
    rmSync(join(this.directory, incident), { recursive: true, force: true });
  }

  /** Sends what there is; called when there is a connection, or something new. */
  send(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    const sent = new Set<string>();
    try {
      for (;;) {
        const id = this.#ids().find((candidate) => !sent.has(candidate));
        if (id === undefined || !this.connection().isOpen) return;
        sent.add(id);
        await this.#sendOne(id);
      }
    } catch (error) {
      this.say("snapshot not sent", { reason: (error as Error).message });
    }
  }

  async #sendOne(incident: string): Promise<void> {
    const connection = this.connection();
    const place = join(this.directory, incident, TRACE);
    const saved = JSON.parse(readFileSync(join(this.directory, incident, SAVED), "utf8")) as SavedMessage;
    const buffer = new Uint8Array(DATA_BYTES);
    for (const file of filesBelow(place)) {
      const path = relative(place, file);
      const { size } = statSync(file);
      connection.send({ type: "file", incident, path, bytes: size });
      const handle = await open(file, "r");
      try {
        for (let at = 0; at < size; ) {
          const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
          if (bytesRead === 0) throw new Error(`${file}: ends at byte ${at}, expected ${size}`);
          await connection.sendData(buffer.subarray(0, bytesRead));
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
      connection.send({ type: "fileEnd", incident, path });
    }
    connection.send(saved);
  }
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
