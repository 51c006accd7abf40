/**
 * Opens traces: metadata, data files, packet indexes, streams.
 *
 * Trace directories with the same UUID are one trace (chunks of a rotated session, several snapshots): their
 * files become the streams of one trace, in order of time.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { DataError, MetadataError, PeriscopeError } from "../../base/errors.js";
import { alignsBeyond } from "../decode/layout.js";
import { DecodeState, MORE } from "../decode/state.js";
import { readMetadata } from "../metadata/index.js";
import type { DataStreamClass, FieldClass, TraceClass } from "../metadata/types.js";
import { type ClockCorrection, correctClock, streamOrigin } from "../stream/clock.js";
import { readLttngIndex } from "../stream/lttng-index.js";
import { packetMagic, packetSizes, readPacketHeader } from "../stream/packet-header.js";
import { PacketIndex } from "../stream/packet-index.js";
import type { StreamFile, Trace } from "../stream/stream.js";
import { dataFiles, discoverTraces, type FoundTrace } from "./discover.js";

export type { Trace };

/** A trace that could not be opened at all. */
export interface FailedTrace {
  readonly path: string;
  readonly error: PeriscopeError;
}

/** Opens all traces at or below `paths`, in a stable order. Throws when a path has no trace. */
export function openTraces(
  paths: readonly string[],
  clocks?: ReadonlyMap<string, ClockCorrection>,
): { traces: Trace[]; failed: FailedTrace[] } {
  const groups = new Map<string, { class: TraceClass; name: string; dirs: FoundTrace[] }>();
  const failed: FailedTrace[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    for (const found of discoverTraces(path)) {
      if (seen.has(found.path)) continue;
      seen.add(found.path);
      const file = join(found.path, "metadata");
      let traceClass: TraceClass;
      try {
        traceClass = readMetadata(readFileSync(file), file);
        const correction = clocks?.get(hostName(traceClass));
        if (correction !== undefined) correctClocks(traceClass, correction);
      } catch (error) {
        if (error instanceof MetadataError || error instanceof DataError)
          failed.push({ path: found.path, error });
        else if (isSystemError(error)) {
          failed.push({ path: found.path, error: new PeriscopeError(`${file}: ${error.message}`) });
        } else throw error;
        continue;
      }
      const domain = traceClass.environment.get("domain") ?? "";
      const key = traceClass.uuid === undefined ? `path ${found.path}` : `${traceClass.uuid} ${domain}`;
      const group = groups.get(key);
      if (!group) groups.set(key, { class: traceClass, name: traceName(traceClass, found), dirs: [found] });
      else {
        group.dirs.push(found);
        group.name = hostName(traceClass);
        // A later chunk's metadata may know more stream and event classes.
        if (classCount(traceClass) > classCount(group.class)) group.class = traceClass;
      }
    }
  }
  const traces = [...groups.values()].map((group) =>
    buildTrace(group.dirs.map((dir) => dir.path).sort(), group.name, group.class),
  );
  return { traces, failed };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}

function classCount(traceClass: TraceClass): number {
  let count = 0;
  for (const stream of traceClass.dataStreamClasses.values()) count += 1 + stream.eventRecordClasses.size;
  return count;
}

/** Before anything is made from them: clock classes belong to this trace class alone. */
function correctClocks(traceClass: TraceClass, correction: ClockCorrection): void {
  const clocks = new Set([...traceClass.dataStreamClasses.values()].map(({ defaultClock }) => defaultClock));
  for (const clock of clocks) if (clock !== undefined) Object.assign(clock, correctClock(clock, correction));
}

function hostName(traceClass: TraceClass): string {
  const host = traceClass.environment.get("hostname");
  return typeof host === "string" ? host : "";
}

function traceName(traceClass: TraceClass, found: FoundTrace): string {
  const host = hostName(traceClass);
  if (found.relative === "") return host;
  return host === "" ? found.relative : `${host}/${found.relative}`;
}

/** The usual step is a memory page; larger alignments than that are possible but nobody has seen one. */
function windowStep(traceClass: TraceClass): number {
  let step = 4096;
  const seen = new Set<FieldClass>();
  for (const stream of traceClass.dataStreamClasses.values()) {
    const trees: (FieldClass | undefined)[] = [
      stream.packetContext,
      stream.eventRecordHeader,
      stream.commonContext,
    ];
    for (const event of stream.eventRecordClasses.values()) trees.push(event.specificContext, event.payload);
    for (const tree of trees) {
      if (!alignsBeyond(tree, step * 8, seen)) continue;
      do step *= 2;
      while (alignsBeyond(tree, step * 8, new Set()));
    }
  }
  return step;
}

interface RawPacket {
  file: StreamFile;
  offset: number;
  totalBytes: number;
  contentBits: number;
  begin: bigint | undefined;
  end: bigint | undefined;
  sequence: number;
  discarded: number;
}

function buildTrace(paths: string[], name: string, traceClass: TraceClass): Trace {
  const trace: Trace = {
    paths,
    name,
    class: traceClass,
    streams: [],
    problems: [],
    duplicatePackets: 0,
    windowStep: windowStep(traceClass),
  };
  const groups = new Map<
    string,
    { class: DataStreamClass; instance: bigint | undefined; packets: RawPacket[] }
  >();
  const add = (stream: DataStreamClass, instance: bigint | undefined, packet: RawPacket): void => {
    const key = `${stream.id} ${instance ?? packet.file.path}`;
    let group = groups.get(key);
    if (!group) {
      group = { class: stream, instance, packets: [] };
      groups.set(key, group);
    }
    group.packets.push(packet);
  };
  for (const path of paths) {
    for (const file of dataFiles(path)) {
      if (!indexFromLttng(traceClass, file, add)) indexFromPackets(trace, file, add);
    }
  }
  // One origin for all streams of a clock, so that they differ by nothing but their cycles.
  const origins = new Map<unknown, { cycles: bigint; seconds: bigint }>();
  for (const group of groups.values()) {
    const clock = group.class.defaultClock;
    let first: bigint | undefined;
    for (const packet of group.packets) {
      if (packet.begin !== undefined && (first === undefined || packet.begin < first)) first = packet.begin;
    }
    let origin = origins.get(clock);
    if (!origin) {
      origin = clock ? streamOrigin(clock, first ?? 0n) : { cycles: 0n, seconds: 0n };
      origins.set(clock, origin);
    }
    const files = [...new Set(group.packets.map((packet) => packet.file))];
    const fileIndex = new Map(files.map((file, i) => [file, i]));
    const packets = new PacketIndex();
    const since = (value: bigint | undefined): number =>
      value === undefined ? Number.NaN : Number(value - origin.cycles);
    for (const packet of group.packets) {
      packets.add(
        fileIndex.get(packet.file)!,
        packet.offset,
        packet.totalBytes,
        packet.contentBits,
        since(packet.begin),
        since(packet.end),
        packet.sequence,
        packet.discarded,
      );
    }
    trace.duplicatePackets += packets.sortAndDeduplicate();
    repairEnds(packets);
    trace.streams.push({
      trace,
      class: group.class,
      instance: group.instance,
      ordinal: trace.streams.filter((other) => other.class === group.class).length,
      files,
      packets,
      clock,
      originCycles: origin.cycles,
      originSeconds: origin.seconds,
    });
  }
  return trace;
}

/** LTTng's crash buffers have end 0: the packet lasts until the next one begins (unknown for the last). */
function repairEnds(packets: PacketIndex): void {
  for (let i = 0; i < packets.count; i++) {
    if (packets.end[i]! < packets.begin[i]!) {
      packets.end[i] = i + 1 < packets.count ? packets.begin[i + 1]! : Number.NaN;
    }
  }
}

type AddPacket = (stream: DataStreamClass, instance: bigint | undefined, packet: RawPacket) => void;

function indexFromLttng(traceClass: TraceClass, file: StreamFile, add: AddPacket): boolean {
  const entries = readLttngIndex(file.path, file.size);
  if (!entries || entries.length === 0) return false;
  const hasInstance = traceClass.packetHeader?.members.some(
    (m) => m.fieldClass.type === "int" && m.fieldClass.roles.includes("data-stream-id"),
  );
  for (const entry of entries) {
    const stream = traceClass.dataStreamClasses.get(Number(entry.streamClass));
    if (!stream?.packetContext || (hasInstance && entry.streamInstance === undefined)) return false;
  }
  for (const entry of entries) {
    const stream = traceClass.dataStreamClasses.get(Number(entry.streamClass))!;
    const has = (role: string) =>
      stream.packetContext!.members.some(
        (m) => m.fieldClass.type === "int" && m.fieldClass.roles.includes(role as never),
      );
    add(stream, hasInstance ? entry.streamInstance : undefined, {
      file,
      offset: entry.offset,
      totalBytes: entry.packetBits / 8,
      contentBits: entry.contentBits,
      begin: has("default-clock-timestamp") ? entry.begin : undefined,
      end: has("packet-end-default-clock-timestamp") ? entry.end : undefined,
      sequence:
        entry.sequence !== undefined && has("packet-sequence-number") ? Number(entry.sequence) : Number.NaN,
      discarded: has("discarded-event-record-counter-snapshot") ? Number(entry.discarded) : Number.NaN,
    });
  }
  return true;
}

/** Reads the header and context of each packet of a file. */
function indexFromPackets(trace: Trace, file: StreamFile, add: AddPacket): void {
  const fd = openSync(file.path, "r");
  try {
    const state = new DecodeState();
    state.slots = new Array(trace.class.slotCount).fill(Number.NEGATIVE_INFINITY);
    let buffer = new Uint8Array(4096);
    let offset = 0;
    const report = (at: number, reason: string) => {
      trace.problems.push({ file: file.path, byteOffset: offset + at, reason });
    };
    while (offset < file.size) {
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, file.size - offset), offset);
      if (got === 0) break;
      state.u8 = buffer;
      state.dv = new DataView(buffer.buffer);
      state.end = got * 8;
      const header = readPacketHeader(trace.class, state);
      if (header === MORE && offset + got < file.size && buffer.length < 1 << 26) {
        buffer = new Uint8Array(buffer.length * 2);
        continue;
      }
      let sizes: ReturnType<typeof packetSizes>;
      if (header === MORE)
        sizes = {
          at: 0,
          reason: `packet header and context need more than the ${got} bytes left in the file`,
        };
      else if (typeof header === "number") sizes = { at: 0, reason: "packet header cannot be read" };
      else if ("reason" in header) sizes = header;
      else sizes = packetSizes(header, file.size - offset);
      if ("reason" in sizes || sizes.totalBytes === 0) {
        if ("reason" in sizes) report(Math.floor(sizes.at / 8), sizes.reason);
        else report(0, "packet of 0 bytes");
        const next = findPacket(trace.class, fd, offset + 1, file.size);
        if (next < 0) return;
        offset = next;
        continue;
      }
      if (typeof header === "number" || "reason" in header) return;
      const available = file.size - offset;
      if (sizes.totalBytes > available) {
        report(0, `packet of ${sizes.totalBytes} bytes, but the file has only ${available} more`);
      }
      add(header.stream, header.instance, {
        file,
        offset,
        totalBytes: Math.min(sizes.totalBytes, available),
        contentBits: Math.min(sizes.contentBits, available * 8),
        begin: header.begin,
        end: header.end,
        sequence: header.sequence === undefined ? Number.NaN : Number(header.sequence),
        discarded: header.discarded === undefined ? Number.NaN : Number(header.discarded),
      });
      offset += sizes.totalBytes;
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Where the next packet begins after a damaged one: the next place with the packet magic number, or -1.
 * Without a magic number there is nothing to look for.
 */
function findPacket(traceClass: TraceClass, fd: number, from: number, size: number): number {
  const first = traceClass.packetHeader?.members[0]?.fieldClass;
  if (first?.type !== "int" || !first.roles.includes("packet-magic-number") || first.size !== 32) return -1;
  const pattern = Buffer.alloc(4);
  if (first.byteOrder === "be") pattern.writeUInt32BE(packetMagic);
  else pattern.writeUInt32LE(packetMagic);
  // Small at first: there may be many places to look at, each followed by another.
  let buffer = Buffer.alloc(1 << 12);
  for (let at = from; at < size; ) {
    const got = readSync(fd, buffer, 0, buffer.length, at);
    if (got < pattern.length) return -1;
    const index = buffer.subarray(0, got).indexOf(pattern);
    if (index >= 0) return at + index;
    at += got - pattern.length + 1;
    if (buffer.length < 1 << 20) buffer = Buffer.alloc(buffer.length * 4);
  }
  return -1;
}
