/** What trace-cmd compresses with: zlib, or zstd (which its builds prefer). */
import { inflateSync } from "node:zlib";
import { unzstd } from "../../base/zstd.js";

export type Decompress = (bytes: Uint8Array, size: number) => Uint8Array;

/** Undefined: nobody here knows the algorithm. What it answers throws where data are wrong. */
export function decompressorOf(algorithm: string): Decompress | undefined {
  switch (algorithm) {
    case "zlib":
      return (bytes, size) => inflateSync(bytes, { maxOutputLength: Math.max(1, size) });
    case "zstd":
      return (bytes, size) => unzstd(bytes, size);
    default:
      return undefined;
  }
}
