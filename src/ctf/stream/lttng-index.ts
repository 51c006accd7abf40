/**
 * LTTng's packet index files (`index/NAME.idx`), big endian: u32 magic 0xC1F1DCC1, u32 major (1), u32 minor,
 * u32 bytes per entry; entries of u64: offset (bytes), packet size (bits), content size (bits),
 * timestamp begin and end (cycles), events discarded, stream class id and, since 1.1, stream instance id and
 * packet sequence number.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface IndexEntry {
  readonly offset: number;
  readonly packetBits: number;
  readonly contentBits: number;
  readonly begin: bigint;
  readonly end: bigint;
  readonly discarded: bigint;
  readonly streamClass: bigint;
  readonly streamInstance: bigint | undefined;
  readonly sequence: bigint | undefined;
}

/**
 * The entries of the index of data file `path`, or undefined if there is none or there is any doubt about it:
 * wrong magic, version or length; entries that overlap, leave gaps or do not end with the file.
 */
export function readLttngIndex(path: string, fileBytes: number): IndexEntry[] | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(dirname(path), "index", `${basename(path)}.idx`));
  } catch {
    return undefined;
  }
  if (bytes.length < 16 || bytes.readUInt32BE(0) !== 0xc1f1dcc1 || bytes.readUInt32BE(4) !== 1)
    return undefined;
  const entryBytes = bytes.readUInt32BE(12);
  if (entryBytes < 56 || (bytes.length - 16) % entryBytes !== 0) return undefined;
  const hasInstance = bytes.readUInt32BE(8) >= 1 && entryBytes >= 72;
  const entries: IndexEntry[] = [];
  let expected = 0;
  for (let at = 16; at < bytes.length; at += entryBytes) {
    const entry: IndexEntry = {
      offset: Number(bytes.readBigUInt64BE(at)),
      packetBits: Number(bytes.readBigUInt64BE(at + 8)),
      contentBits: Number(bytes.readBigUInt64BE(at + 16)),
      begin: bytes.readBigUInt64BE(at + 24),
      end: bytes.readBigUInt64BE(at + 32),
      discarded: bytes.readBigUInt64BE(at + 40),
      streamClass: bytes.readBigUInt64BE(at + 48),
      streamInstance: hasInstance ? bytes.readBigUInt64BE(at + 56) : undefined,
      sequence: hasInstance ? bytes.readBigUInt64BE(at + 64) : undefined,
    };
    if (entry.offset !== expected || entry.packetBits % 8 !== 0 || entry.packetBits === 0) return undefined;
    if (entry.contentBits > entry.packetBits) return undefined;
    expected += entry.packetBits / 8;
    entries.push(entry);
  }
  return expected === fileBytes ? entries : undefined;
}
