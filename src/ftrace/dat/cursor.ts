/** Reads numbers and texts of a trace.dat file one after the other; every error has the file and the byte. */
import { readSync } from "node:fs";
import { DataError } from "../../base/errors.js";

/** Bytes that are read by place: a file, or what a section holds. */
export interface Place {
  readonly size: number;
  /** Fills `into`, which lies inside. */
  read(into: Uint8Array, at: number): void;
}

export function filePlace(file: number, size: number): Place {
  return {
    size,
    read(into, at) {
      for (let done = 0; done < into.length; ) {
        const read = readSync(file, into, done, into.length - done, at + done);
        // Cut off while it is read.
        if (read === 0) return void into.fill(0, done);
        done += read;
      }
    },
  };
}

export const memoryPlace = (bytes: Uint8Array): Place => ({
  size: bytes.length,
  read: (into, at) => into.set(bytes.subarray(at, at + into.length)),
});

/** No text of a file's head is longer. */
const MOST_NAME = 4096;
const CHUNK = 256;

export class Cursor {
  constructor(
    readonly file: string,
    readonly place: Place,
    readonly bigEndian: boolean,
    public at = 0,
    /** Where in the file the compressed section begins that this is the inside of. */
    readonly section?: number,
  ) {}

  fault(reason: string, at = this.at): DataError {
    if (this.section === undefined) return new DataError(this.file, at, reason);
    return new DataError(this.file, this.section, `byte ${at} of the section's uncompressed data: ${reason}`);
  }

  get left(): number {
    return this.place.size - this.at;
  }

  bytes(length: number, what: string): Buffer {
    if (length > this.left) {
      throw this.fault(`expected ${what} (${length} bytes), but only ${Math.max(0, this.left)} bytes follow`);
    }
    const bytes = Buffer.allocUnsafe(length);
    this.place.read(bytes, this.at);
    this.at += length;
    return bytes;
  }

  u8(what: string): number {
    return this.bytes(1, what)[0]!;
  }

  u16(what: string): number {
    const bytes = this.bytes(2, what);
    return this.bigEndian ? bytes.readUInt16BE() : bytes.readUInt16LE();
  }

  u32(what: string): number {
    const bytes = this.bytes(4, what);
    return this.bigEndian ? bytes.readUInt32BE() : bytes.readUInt32LE();
  }

  u64(what: string): bigint {
    const bytes = this.bytes(8, what);
    return this.bigEndian ? bytes.readBigUInt64BE() : bytes.readBigUInt64LE();
  }

  /** An offset or a size: exact as a number, or wrong. */
  size(what: string): number {
    const at = this.at;
    const value = this.u64(what);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw this.fault(`${what} ${value}, which is in no file`, at);
    return Number(value);
  }

  text(length: number, what: string): string {
    return this.bytes(length, what).toString("latin1");
  }

  /** A text that ends with NUL. */
  name(what: string): string {
    const begin = this.at;
    let text = "";
    while (text.length < MOST_NAME) {
      const part = this.text(Math.max(1, Math.min(CHUNK, this.left)), `${what} that ends with a NUL`);
      const end = part.indexOf("\0");
      if (end >= 0) {
        text += part.slice(0, end);
        this.at = begin + text.length + 1;
        return text;
      }
      text += part;
    }
    throw this.fault(`${what} without an end, expected at most ${MOST_NAME} bytes`, begin);
  }

  expect(text: string, what: string): void {
    const at = this.at;
    const found = this.text(text.length, what);
    if (found !== text) {
      throw this.fault(`expected ${what} ${JSON.stringify(text)}, found ${JSON.stringify(found)}`, at);
    }
  }

  skip(length: number, what: string): void {
    if (length > this.left) {
      throw this.fault(`expected ${what} (${length} bytes), but only ${this.left} bytes follow`);
    }
    this.at += length;
  }
}
