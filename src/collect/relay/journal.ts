/**
 * Which sessions are being written, so that the next start knows what to repair after a crash: a file per session
 * in the store's hidden part. Repairing cuts half packets off; what was acknowledged is whole.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class Journal {
  readonly #directory: string;
  #count = 0;

  constructor(private readonly store: string) {
    this.#directory = join(store, ".periscope", "open");
    mkdirSync(this.#directory, { recursive: true });
  }

  /** `path`: the session's, relative to the store. Answers what to call when nothing more is written. */
  open(path: string): () => void {
    const file = join(this.#directory, `${process.pid}-${Date.now()}-${this.#count++}`);
    writeFileSync(file, path);
    return () => rmSync(file, { force: true });
  }

  /** Calls `repair` with the directory of every session that a former run left open, and forgets them. */
  recover(repair: (directory: string) => void): void {
    for (const name of readdirSync(this.#directory)) {
      const file = join(this.#directory, name);
      repair(join(this.store, readFileSync(file, "utf8")));
      rmSync(file, { force: true });
    }
  }
}
