/** Metadata of a trace → its type tree. The only file that the rest of Periscope imports from here. */

import { readCtf2 } from "./ctf2.js";
import { readMetadataText } from "./packetized.js";
import { readTsdl } from "./tsdl-build.js";
import type { TraceClass } from "./types.js";

export { formatUuid } from "./packetized.js";
export type * from "./types.js";

/**
 * Reads the bytes of a `metadata` file: packetized or plain TSDL (CTF 1.8), or CTF 2's JSON.
 * @param file Name of the file, for messages.
 * @throws {DataError} The bytes are not metadata, or packets of it are damaged.
 * @throws {MetadataError} The text is wrong at a line and column.
 */
export function readMetadata(bytes: Uint8Array, file: string): TraceClass {
  const { language, text, packetUuid } = readMetadataText(bytes, file);
  return language === "json" ? readCtf2(text, file) : readTsdl(text, file, packetUuid);
}
