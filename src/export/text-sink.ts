/** Where an export goes: a file or standard output, in large pieces. */
import { writeSync } from "node:fs";

const PIECE = 1 << 20;

export interface TextSink {
  write(text: string): void;
}

export class FileSink implements TextSink {
  #text = "";

  constructor(private readonly fd: number) {}

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE) this.flush();
  }

  /** Written at once: callers gather large pieces, and may use their array again. */
  bytes(part: Uint8Array): void {
    this.flush();
    this.#put(part);
  }

  /** Writes out what has gathered. Throws what the file system throws. */
  flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#put(Buffer.from(text));
  }

  #put(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      try {
        at += writeSync(this.fd, bytes, at);
      } catch (error) {
        // A pipe whose reader is slower.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }
}
