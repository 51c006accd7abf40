/**
 * The three forms of a metadata file, and its text.
 *
 * 1. Packetized TSDL: packets with a 37-byte header each, as LTTng writes them. The header's magic number
 *    also tells the byte order of the headers.
 * 2. Plain TSDL text, which starts with the signature comment (slash-star CTF 1.8 star-slash).
 * 3. CTF 2: a JSON text sequence (RFC 7464): each fragment follows a record separator, 0x1E.
 *
 * The text of the packets is concatenated before it is parsed: a token may be split over two packets.
 */

import { Buffer, isAscii } from "node:buffer";
import { DataError } from "../../base/errors.js";

/** Metadata text and the language that it is in. */
export interface MetadataText {
  readonly language: "tsdl" | "json";
  readonly text: string;
  /** From the packet headers, canonical form; absent for plain text or when it is all zeros. */
  readonly packetUuid?: string;
}

const PACKET_MAGIC = 0x75d11d57;
const HEADER_BYTES = 37;
/** More text than this is refused: real metadata is a hundred times smaller. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
const RECORD_SEPARATOR = 0x1e;

/** Offsets of the fields of a metadata packet's header. */
const AT_UUID = 4;
const AT_CONTENT_SIZE = 24;
const AT_PACKET_SIZE = 28;
const AT_COMPRESSION = 32;
const AT_ENCRYPTION = 33;
const AT_CHECKSUM_SCHEME = 34;
const AT_MAJOR = 35;
const AT_MINOR = 36;

/** Finds out the form of the metadata in `bytes` and returns its text. */
export function readMetadataText(bytes: Uint8Array, file: string): MetadataText {
  if (bytes.length >= 4) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint32(0, true) === PACKET_MAGIC) return readPackets(bytes, view, true, file);
    if (view.getUint32(0, false) === PACKET_MAGIC) return readPackets(bytes, view, false, file);
  }
  const end = endOfText(bytes);
  if (end === 0) throw new DataError(file, 0, "the metadata is empty");
  checkTextSize(end, file);
  if (isJsonSequence(bytes)) return { language: "json", text: decodeText(bytes.subarray(0, end)) };
  const start = skipByteOrderMark(bytes);
  const text = decodeText(bytes.subarray(start, end));
  checkSignature(text, start, file);
  return { language: "tsdl", text };
}

/** Concatenates the contents of the packets after checking every header. */
function readPackets(bytes: Uint8Array, view: DataView, littleEndian: boolean, file: string): MetadataText {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length; ) {
    const packet = readPacketHeader(bytes, view, littleEndian, at, file);
    parts.push(bytes.subarray(at + HEADER_BYTES, at + packet.contentBytes));
    total += packet.contentBytes - HEADER_BYTES;
    checkTextSize(total, file);
    at += packet.packetBytes;
  }
  const content = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    content.set(part, offset);
    offset += part.length;
  }
  const packetUuid = formatUuid(bytes, AT_UUID);
  return {
    language: isJsonSequence(content) ? "json" : "tsdl",
    text: decodeText(content.subarray(0, endOfText(content))),
    packetUuid: packetUuid === NIL_UUID ? undefined : packetUuid,
  };
}

/** Checks the header of the packet at `at` and returns its sizes in bytes. */
function readPacketHeader(
  bytes: Uint8Array,
  view: DataView,
  littleEndian: boolean,
  at: number,
  file: string,
): { contentBytes: number; packetBytes: number } {
  const left = bytes.length - at;
  if (left < HEADER_BYTES) {
    throw new DataError(
      file,
      at,
      `found ${left} bytes, expected a metadata packet header of ${HEADER_BYTES}`,
    );
  }
  const magic = view.getUint32(at, littleEndian);
  if (magic !== PACKET_MAGIC) {
    throw new DataError(file, at, `found magic number 0x${magic.toString(16)}, expected 0x75d11d57`);
  }
  checkVersion(bytes, at, file);
  for (const [offset, what] of NEVER_SET) {
    if (bytes[at + offset] !== 0) {
      throw new DataError(file, at + offset, `found ${what} ${bytes[at + offset]}, expected 0 (none)`);
    }
  }
  if (!hasSameUuid(bytes, at)) {
    const first = formatUuid(bytes, AT_UUID);
    const here = formatUuid(bytes, at + AT_UUID);
    throw new DataError(file, at + AT_UUID, `found UUID ${here}, expected ${first} as in the first packet`);
  }
  const contentBits = view.getUint32(at + AT_CONTENT_SIZE, littleEndian);
  const packetBits = view.getUint32(at + AT_PACKET_SIZE, littleEndian);
  checkSizes(contentBits, packetBits, at, left, file);
  return { contentBytes: contentBits / 8, packetBytes: packetBits / 8 };
}

/** Whether the packet at `at` has the UUID of the first one. */
function hasSameUuid(bytes: Uint8Array, at: number): boolean {
  for (let i = AT_UUID; i < AT_UUID + 16; i++) if (bytes[at + i] !== bytes[i]) return false;
  return true;
}

/** What LTTng's headers have room for, but no tracer does. */
const NEVER_SET: readonly (readonly [number, string])[] = [
  [AT_COMPRESSION, "compression scheme"],
  [AT_ENCRYPTION, "encryption scheme"],
  [AT_CHECKSUM_SCHEME, "checksum scheme"],
];

function checkVersion(bytes: Uint8Array, at: number, file: string): void {
  const major = bytes[at + AT_MAJOR]!;
  const minor = bytes[at + AT_MINOR]!;
  if ((major === 1 && minor === 8) || (major === 2 && minor === 0)) return;
  throw new DataError(file, at + AT_MAJOR, `found metadata version ${major}.${minor}, expected 1.8 or 2.0`);
}

function checkSizes(contentBits: number, packetBits: number, at: number, left: number, file: string): void {
  if (contentBits % 8 !== 0 || contentBits < HEADER_BYTES * 8) {
    throw new DataError(
      file,
      at + AT_CONTENT_SIZE,
      `found content size ${contentBits} bits, expected whole bytes and at least ${HEADER_BYTES * 8} bits`,
    );
  }
  if (packetBits % 8 !== 0 || packetBits < contentBits) {
    throw new DataError(
      file,
      at + AT_PACKET_SIZE,
      `found packet size ${packetBits} bits, expected whole bytes and at least the content's ${contentBits} bits`,
    );
  }
  if (packetBits / 8 > left) {
    throw new DataError(
      file,
      at + AT_PACKET_SIZE,
      `found packet size ${packetBits / 8} bytes, expected at most the ${left} bytes left in the file`,
    );
  }
}

/** A JSON text sequence starts with a record separator; Trace Compass' files have only the object. */
function isJsonSequence(bytes: Uint8Array): boolean {
  for (let at = skipByteOrderMark(bytes); at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === RECORD_SEPARATOR || byte === 0x7b) return true;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return false;
}

function skipByteOrderMark(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Length without the NUL bytes that pad the end of some files. */
function endOfText(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

function checkTextSize(length: number, file: string): void {
  if (length > MAX_TEXT_BYTES) {
    throw new DataError(file, 0, `found more than ${MAX_TEXT_BYTES} bytes of metadata text, the limit`);
  }
}

/** Plain text must say what it is: otherwise any file called `metadata` would be taken for TSDL. */
function checkSignature(text: string, start: number, file: string): void {
  const signature = /^\/\*\s*CTF\s+(\d+)\.(\d+)/.exec(text);
  if (signature === null) {
    throw new DataError(
      file,
      start,
      `found ${describeStart(text)}, expected a metadata packet, "/* CTF 1.8 */", or a CTF 2 JSON sequence`,
    );
  }
  if (signature[1] !== "1" || signature[2] !== "8") {
    throw new DataError(file, start, `found CTF version ${signature[1]}.${signature[2]}, expected 1.8`);
  }
}

function describeStart(text: string): string {
  return JSON.stringify(text.slice(0, 16));
}

function decodeText(bytes: Uint8Array): string {
  // One-byte strings are the fastest to make and to scan.
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  // A process name or a path may be in any encoding: what cannot be read is replaced.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

const NIL_UUID = "00000000-0000-0000-0000-000000000000";

/** Canonical text of the 16 bytes at `at`. */
export function formatUuid(bytes: ArrayLike<number>, at = 0): string {
  let text = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += ((bytes[at + i] ?? 0) | 0x100).toString(16).slice(1);
  }
  return text;
}
