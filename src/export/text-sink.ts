/** Where an export goes: a file or standard output, in large pieces. */
import { writeAll } from "../base/write-all.js";

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
    writeAll(this.fd, part);
  }

  /** Writes out what has gathered. Throws what the file system throws. */
  flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "") writeAll(this.fd, Buffer.from(text));
  }
}
