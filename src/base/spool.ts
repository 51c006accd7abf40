/** Text that is written now and wanted later: in memory while it is little, in a temporary file beyond. */

import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const IN_MEMORY = 1 << 20;
let files = 0;

export class Spool {
  #parts: string[] = [];
  #length = 0;
  #fd = -1;
  #bytes = 0;

  add(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
    if (this.#length >= IN_MEMORY) this.#spill();
  }

  get empty(): boolean {
    return this.#length === 0 && this.#bytes === 0;
  }

  #spill(): void {
    if (this.#fd < 0) {
      const path = join(tmpdir(), `periscope-${process.pid}-${files++}`);
      this.#fd = openSync(path, "wx+", 0o600);
      // It lives as long as it is open, also when we die.
      unlinkSync(path);
    }
    const bytes = Buffer.from(this.#parts.join(""));
    for (let at = 0; at < bytes.length; )
      at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#bytes + at);
    this.#bytes += bytes.length;
    this.#parts = [];
    this.#length = 0;
  }

  /** Hands everything over, in pieces, and is empty again. */
  drain(write: (text: string) => void): void {
    if (this.#fd >= 0) {
      this.#spill();
      const buffer = Buffer.alloc(IN_MEMORY);
      // A piece may end within a character: bytes are decoded as a stream.
      const decoder = new TextDecoder();
      for (let at = 0; at < this.#bytes; ) {
        const got = readSync(this.#fd, buffer, 0, buffer.length, at);
        if (got === 0) break;
        at += got;
        write(decoder.decode(buffer.subarray(0, got), { stream: true }));
      }
      closeSync(this.#fd);
      this.#fd = -1;
      this.#bytes = 0;
    } else for (const part of this.#parts) write(part);
    this.#parts = [];
    this.#length = 0;
  }
}
