/** Text that is written now and wanted later: in memory while it is little, in a temporary file beyond. */

import { closeSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAll } from "./write-all.js";

const IN_MEMORY = 1 << 20;
let files = 0;

/** What takes bytes: a `ByteWriter`, another `Spool`. */
export interface ByteSink {
  bytes(bytes: Uint8Array): void;
}

export class Spool implements ByteSink {
  #buffer = Buffer.alloc(1 << 12);
  #at = 0;
  #fd = -1;
  #spilled = 0;

  add(text: string): void {
    this.#room(text.length * 3);
    this.#at += this.#buffer.write(text, this.#at);
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  get empty(): boolean {
    return this.#at === 0 && this.#spilled === 0;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    if (this.#at + bytes > IN_MEMORY) this.#spill();
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#at + bytes));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }

  #spill(): void {
    if (this.#fd < 0) {
      const path = join(tmpdir(), `periscope-${process.pid}-${files++}`);
      this.#fd = openSync(path, "wx+", 0o600);
      // It lives as long as it is open, also when we die.
      unlinkSync(path);
    }
    writeAll(this.#fd, this.#buffer.subarray(0, this.#at), this.#spilled);
    this.#spilled += this.#at;
    this.#at = 0;
  }

  /** Hands everything over, and is empty again. */
  drain(out: ByteSink): void {
    if (this.#fd >= 0) {
      this.#spill();
      for (let at = 0; at < this.#spilled; ) {
        const got = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, at);
        if (got === 0) break;
        at += got;
        out.bytes(this.#buffer.subarray(0, got));
      }
      closeSync(this.#fd);
      this.#fd = -1;
      this.#spilled = 0;
    } else out.bytes(this.#buffer.subarray(0, this.#at));
    this.#at = 0;
  }
}
