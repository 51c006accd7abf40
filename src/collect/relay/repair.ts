/**
 * After a crash: cuts off what was being written. Of files with an index, everything after the last indexed packet;
 * of files without one (snapshots), everything after the last whole packet. Whatever was acknowledged is before that.
 */
import { existsSync, readFileSync, statSync, truncateSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { PeriscopeError } from "../../base/errors.js";
import { dataFiles, discoverTraces } from "../../ctf/trace/discover.js";
import { openTraces } from "../../ctf/trace/trace.js";

const INDEX_HEADER_BYTES = 16;

/** Answers how many bytes were cut off. A directory without a trace is left as it is. */
export function repairSession(directory: string): number {
  let cut = 0;
  let traces: ReturnType<typeof discoverTraces>;
  try {
    traces = discoverTraces(directory);
  } catch (error) {
    if (error instanceof PeriscopeError) return 0;
    throw error;
  }
  for (const { path } of traces) {
    const withoutIndex: string[] = [];
    for (const file of dataFiles(path)) {
      const index = join(dirname(file.path), "index", `${basename(file.path)}.idx`);
      if (existsSync(index)) cut += cutTo(file.path, cutIndex(index, file.size));
      else withoutIndex.push(file.path);
    }
    if (withoutIndex.length > 0) cut += cutToPackets(path, withoutIndex);
  }
  return cut;
}

/** Cuts the index after its last entry whose packet is whole; answers where that packet ends. */
function cutIndex(path: string, fileBytes: number): number {
  const bytes = readFileSync(path);
  if (bytes.length < INDEX_HEADER_BYTES) return 0;
  const entryBytes = bytes.readUInt32BE(12);
  if (entryBytes < 16) return fileBytes;
  let end = 0;
  let at = INDEX_HEADER_BYTES;
  for (; at + entryBytes <= bytes.length; at += entryBytes) {
    const next = Number(bytes.readBigUInt64BE(at) + bytes.readBigUInt64BE(at + 8) / 8n);
    if (next > fileBytes || next <= end) break;
    end = next;
  }
  cutTo(path, at);
  return end;
}

function cutToPackets(trace: string, files: readonly string[]): number {
  const ends = new Map<string, number>();
  for (const { streams } of openTraces([trace]).traces) {
    for (const { files: own, packets } of streams) {
      for (let i = 0; i < packets.count; i++) {
        const file = own[packets.file[i]!]!;
        const end = packets.offset[i]! + packets.totalBytes[i]!;
        if (end <= file.size) ends.set(file.path, Math.max(ends.get(file.path) ?? 0, end));
      }
    }
  }
  let cut = 0;
  for (const file of files) if (ends.has(file)) cut += cutTo(file, ends.get(file)!);
  return cut;
}

function cutTo(path: string, bytes: number): number {
  const { size } = statSync(path);
  if (size <= bytes) return 0;
  truncateSync(path, bytes);
  return size - bytes;
}
