/**
 * The control connection of LTTng's relay protocol (2.1 to 2.15): requests of session and consumer daemons, and the
 * replies. Bytes in, messages out; no sockets.
 *
 * Source: LTTng-tools' `lttng-relayd` as written down in the collected notes on its protocol; names are LTTng's.
 */
import { ProtocolError, WireReader, WireWriter } from "./wire.js";

/** What this side speaks: the layouts of 2.11 to 2.14 are the same, and 2.15 adds the trace format. */
export const VERSION = { major: 2, minor: 15 } as const;

export const HEADER_BYTES = 24;
/** Larger messages than this are nonsense; the original's limit. */
export const MAX_PAYLOAD_BYTES = 1 << 27;

export const COMMANDS = {
  1: "ADD_STREAM",
  2: "CREATE_SESSION",
  3: "START_DATA",
  5: "VERSION",
  6: "SEND_METADATA",
  7: "CLOSE_STREAM",
  8: "DATA_PENDING",
  9: "QUIESCENT_CONTROL",
  10: "BEGIN_DATA_PENDING",
  11: "END_DATA_PENDING",
  13: "SEND_INDEX",
  16: "STREAMS_SENT",
  17: "RESET_METADATA",
  18: "ROTATE_STREAMS",
  19: "CREATE_TRACE_CHUNK",
  20: "CLOSE_TRACE_CHUNK",
  21: "TRACE_CHUNK_EXISTS",
  22: "GET_CONFIGURATION",
} as const satisfies Record<number, string>;

export type CommandName = (typeof COMMANDS)[keyof typeof COMMANDS];

/** Return codes of replies. */
export const RETURN = {
  ok: 10,
  unknown: 11,
  fatal: 25,
  noMemory: 26,
  invalid: 97,
  invalidProtocol: 152,
  fileCreation: 153,
} as const;

export interface ControlHeader {
  /** Bytes that follow. */
  readonly payloadBytes: number;
  readonly command: number;
}

/** Throws `ProtocolError` where the header claims more than any message has. */
export function readControlHeader(bytes: Uint8Array): ControlHeader {
  const reader = new WireReader(bytes, "control header");
  reader.skip(8);
  const payload = reader.u64();
  const command = reader.u32();
  if (payload > BigInt(MAX_PAYLOAD_BYTES)) {
    throw new ProtocolError(
      `control header: byte 8: command ${command} with ${payload} bytes, expected at most ${MAX_PAYLOAD_BYTES}`,
    );
  }
  return { payloadBytes: Number(payload), command };
}

export interface CreateSession {
  readonly name: string;
  readonly host: string;
  /** Path below the host's directory that the user chose, or "". */
  readonly basePath: string;
  /** µs; 0: not live. */
  readonly liveTimer: number;
  readonly snapshot: boolean;
  readonly nameHasTime: boolean;
  /** Hexadecimal; "" before 2.11. */
  readonly daemonUuid: string;
  /** The session daemon's own number for the session. */
  readonly daemonSession: bigint;
  /** s since the epoch; 0 before 2.11. */
  readonly creation: bigint;
  readonly currentChunk: bigint | undefined;
  readonly traceFormat: "ctf 1.8" | "ctf 2";
}

/** Before 2.4 the request is empty; up to 2.10 it has fields of fixed size. */
export function readCreateSession(payload: Uint8Array, minor: number): CreateSession {
  const reader = new WireReader(payload, "CREATE_SESSION");
  const old = {
    basePath: "",
    nameHasTime: true,
    daemonUuid: "",
    daemonSession: 0n,
    creation: 0n,
    currentChunk: undefined,
    traceFormat: "ctf 1.8",
  } as const;
  if (minor < 4) return { ...old, name: "", host: "", liveTimer: 0, snapshot: false };
  if (minor < 11) {
    const name = reader.text(255);
    const host = reader.text(64);
    return { ...old, name, host, liveTimer: reader.u32(), snapshot: reader.u32() !== 0 };
  }
  const [nameBytes, hostBytes, baseBytes] = [reader.u32(), reader.u32(), reader.u32()];
  const liveTimer = reader.u32();
  const snapshot = reader.u8() !== 0;
  const nameHasTime = reader.u8() !== 0;
  const daemonUuid = Buffer.from(reader.bytes(16)).toString("hex");
  const daemonSession = reader.u64();
  const creation = reader.u64();
  const chunkIsSet = reader.u8() !== 0;
  const chunk = reader.u64();
  const format = minor >= 15 ? reader.u32() : 1;
  if (format !== 1 && format !== 2) {
    throw new ProtocolError(`CREATE_SESSION: byte 59: trace format ${format}, expected 1 or 2`);
  }
  return {
    name: reader.text(nameBytes),
    host: reader.text(hostBytes),
    basePath: reader.text(baseBytes),
    liveTimer,
    snapshot,
    nameHasTime,
    daemonUuid,
    daemonSession,
    creation,
    currentChunk: chunkIsSet ? chunk : undefined,
    traceFormat: format === 2 ? "ctf 2" : "ctf 1.8",
  };
}

export interface AddStream {
  /** `CHANNEL_CPU`, or `metadata`. */
  readonly channel: string;
  /** Directory, relative to the chunk (before 2.11: to the output directory). */
  readonly path: string;
  /** Bytes after which a new file begins; 0: never. */
  readonly fileBytes: bigint;
  /** Files kept; 0: all. */
  readonly fileCount: bigint;
}

export function readAddStream(payload: Uint8Array, minor: number): AddStream {
  const reader = new WireReader(payload, "ADD_STREAM");
  if (minor < 11) {
    const channel = reader.text(264);
    const path = reader.text(4096);
    if (minor === 1) return { channel, path, fileBytes: 0n, fileCount: 0n };
    return { channel, path, fileBytes: reader.u64(), fileCount: reader.u64() };
  }
  const [channelBytes, pathBytes] = [reader.u32(), reader.u32()];
  const [fileBytes, fileCount] = [reader.u64(), reader.u64()];
  reader.skip(8);
  return { channel: reader.text(channelBytes), path: reader.text(pathBytes), fileBytes, fileCount };
}

export interface PacketIndexEntry {
  readonly stream: bigint;
  readonly sequence: bigint;
  /** Bits, with padding; 0: a beacon, no packet. */
  readonly packetBits: bigint;
  readonly contentBits: bigint;
  readonly begin: bigint;
  readonly end: bigint;
  readonly discarded: bigint;
  readonly streamClass: bigint;
  /** Since 2.8. */
  readonly instance: bigint | undefined;
  readonly packetSequence: bigint | undefined;
}

export function readSendIndex(payload: Uint8Array, minor: number): PacketIndexEntry {
  const reader = new WireReader(payload, "SEND_INDEX");
  const entry = {
    stream: reader.u64(),
    sequence: reader.u64(),
    packetBits: reader.u64(),
    contentBits: reader.u64(),
    begin: reader.u64(),
    end: reader.u64(),
    discarded: reader.u64(),
    streamClass: reader.u64(),
  };
  if (minor < 8) return { ...entry, instance: undefined, packetSequence: undefined };
  return { ...entry, instance: reader.u64(), packetSequence: reader.u64() };
}

/** Of a `SEND_METADATA`, what comes before the metadata itself. */
export const METADATA_HEAD_BYTES = 12;

export interface MetadataHead {
  readonly stream: bigint;
  /** Zero bytes that follow in the file. */
  readonly paddingBytes: number;
}

export function readSendMetadata(head: Uint8Array): MetadataHead {
  const reader = new WireReader(head, "SEND_METADATA");
  return { stream: reader.u64(), paddingBytes: reader.u32() };
}

/** A stream's number, and the last packet's (`CLOSE_STREAM`, `DATA_PENDING`; 2^64-1: none). */
export function readStreamAndSequence(payload: Uint8Array, what: string): { stream: bigint; last: bigint } {
  const reader = new WireReader(payload, what);
  return { stream: reader.u64(), last: reader.u64() };
}

/** A lone number (`QUIESCENT_CONTROL`, `BEGIN_DATA_PENDING`, `TRACE_CHUNK_EXISTS`, …). */
export function readNumber(payload: Uint8Array, what: string): bigint {
  return new WireReader(payload, what).u64();
}

export interface RotateStreams {
  /** Undefined: the streams leave their chunk and have none. */
  readonly newChunk: bigint | undefined;
  readonly streams: readonly {
    readonly stream: bigint;
    /** Sequence number, in its stream, of the first packet of the new chunk. */
    readonly position: bigint;
  }[];
}

/** The head's layout is that of the sender's compiler: 13 bytes (packed), 16 (32-bit x86) or 20 (x86-64). */
export function readRotateStreams(payload: Uint8Array): RotateStreams {
  const reader = new WireReader(payload, "ROTATE_STREAMS");
  const count = reader.u32();
  const head = payload.length - 16 * count;
  if (head !== 13 && head !== 16 && head !== 20) {
    throw new ProtocolError(
      `ROTATE_STREAMS: byte 0: ${count} streams in ${payload.length} bytes, expected 13, 16 or 20 bytes beside 16 each`,
    );
  }
  const isSet = reader.u8() !== 0;
  reader.skip(head - 13);
  const chunk = reader.u64();
  const streams = Array.from({ length: count }, () => ({ stream: reader.u64(), position: reader.u64() }));
  return { newChunk: isSet ? chunk : undefined, streams };
}

export interface CreateChunk {
  readonly id: bigint;
  /** s since the epoch. */
  readonly creation: bigint;
  /** Of snapshots: the directory's name. */
  readonly name: string;
}

export function readCreateChunk(payload: Uint8Array): CreateChunk {
  const reader = new WireReader(payload, "CREATE_TRACE_CHUNK");
  const [id, creation, nameBytes] = [reader.u64(), reader.u64(), reader.u32()];
  return { id, creation, name: reader.text(nameBytes) };
}

export interface CloseChunk {
  readonly id: bigint;
  readonly close: bigint;
  readonly command: "complete" | "keep" | "delete" | undefined;
}

export function readCloseChunk(payload: Uint8Array): CloseChunk {
  const reader = new WireReader(payload, "CLOSE_TRACE_CHUNK");
  const [id, close, isSet, command] = [reader.u64(), reader.u64(), reader.u8() !== 0, reader.u32()];
  if (!isSet) return { id, close, command: undefined };
  const known = (["complete", "keep", "delete"] as const)[command];
  if (known === undefined) {
    throw new ProtocolError(`CLOSE_TRACE_CHUNK: byte 17: command ${command}, expected 0, 1 or 2`);
  }
  return { id, close, command: known };
}

/** Version, of both sides. */
export function readVersion(payload: Uint8Array): { major: number; minor: number } {
  const reader = new WireReader(payload, "VERSION");
  return { major: reader.u32(), minor: reader.u32() };
}

export function codeReply(code: number): Uint8Array {
  return new WireWriter().u32(code).finish();
}

export function versionReply(): Uint8Array {
  return new WireWriter().u32(VERSION.major).u32(VERSION.minor).finish();
}

/** `path`: of the session, below the output directory; told since 2.11. Undefined: refused. */
export function createSessionReply(id: bigint, path: string | undefined, minor: number): Uint8Array {
  const writer = new WireWriter().u64(path === undefined ? 0n : id);
  writer.u32(path === undefined ? RETURN.fatal : RETURN.ok);
  if (minor >= 11) putPath(writer, path);
  return writer.finish();
}

export function addStreamReply(handle: bigint, code: number): Uint8Array {
  return new WireWriter().u64(handle).u32(code).finish();
}

export function closeChunkReply(code: number, path: string | undefined): Uint8Array {
  const writer = new WireWriter().u32(code);
  putPath(writer, path);
  return writer.finish();
}

function putPath(writer: WireWriter, path: string | undefined): void {
  if (path === undefined) writer.u32(0);
  else {
    const bytes = new TextEncoder().encode(`${path}\0`);
    writer.u32(bytes.length).bytes(bytes);
  }
}

export function chunkExistsReply(exists: boolean): Uint8Array {
  return new WireWriter()
    .u32(RETURN.ok)
    .u8(exists ? 1 : 0)
    .finish();
}

/** `queryFlags` must be 0. */
export function configurationReply(queryFlags: bigint, clearAllowed: boolean): Uint8Array {
  const ok = queryFlags === 0n;
  return new WireWriter()
    .u32(ok ? RETURN.ok : RETURN.invalidProtocol)
    .u64(ok && clearAllowed ? 1n : 0n)
    .finish();
}
