/**
 * The live viewer protocol of LTTng (2.4 to 2.15), both sides: a request has a header, its reply has none, and every
 * request gets exactly one reply. Bytes in, messages out; no sockets.
 *
 * Source: LTTng-tools' `lttng-relayd` as written down in the collected notes on its protocol; names are LTTng's.
 */
import { ProtocolError, WireReader, WireWriter } from "./wire.js";

export const VIEWER_VERSION = { major: 2, minor: 15 } as const;
export const REQUEST_HEADER_BYTES = 16;

export const VIEWER_COMMANDS = {
  1: "CONNECT",
  2: "LIST_SESSIONS",
  3: "ATTACH_SESSION",
  4: "GET_NEXT_INDEX",
  5: "GET_PACKET",
  6: "GET_METADATA",
  7: "GET_NEW_STREAMS",
  8: "CREATE_SESSION",
  9: "DETACH_SESSION",
} as const satisfies Record<number, string>;

export type ViewerCommand = (typeof VIEWER_COMMANDS)[keyof typeof VIEWER_COMMANDS];

/** Payload of each request, bytes. The header's own size is not to be trusted: the original ignores it. */
export const REQUEST_BYTES: Readonly<Record<ViewerCommand, number>> = {
  CONNECT: 20,
  LIST_SESSIONS: 0,
  ATTACH_SESSION: 20,
  GET_NEXT_INDEX: 8,
  GET_PACKET: 20,
  GET_METADATA: 8,
  GET_NEW_STREAMS: 8,
  CREATE_SESSION: 0,
  DETACH_SESSION: 8,
};

const CODES = new Map(Object.entries(VIEWER_COMMANDS).map(([code, name]) => [name, Number(code)]));

export const ATTACH_STATUS = {
  ok: 1,
  already: 2,
  unknown: 3,
  notLive: 4,
  seekError: 5,
  noSession: 6,
} as const;
export const SEEK = { beginning: 1, last: 2 } as const;
export const INDEX_STATUS = { ok: 1, retry: 2, hup: 3, error: 4, inactive: 5, eof: 6 } as const;
export const PACKET_STATUS = { ok: 1, retry: 2, error: 3, eof: 4 } as const;
export const METADATA_STATUS = { ok: 1, noNew: 2, error: 3 } as const;
export const NEW_STREAMS_STATUS = { ok: 1, noNew: 2, error: 3, hup: 4 } as const;
export const CREATE_STATUS = { ok: 1, error: 2 } as const;
export const DETACH_STATUS = { ok: 1, unknown: 2, error: 3 } as const;
export const FLAG = { newMetadata: 1, newStream: 2 } as const;

const HOST_BYTES = 64;
const NAME_BYTES = 255;
const PATH_BYTES = 4096;
export const STREAM_BYTES = 8 + 8 + 4 + PATH_BYTES + NAME_BYTES;
const OLD_SESSION_BYTES = 8 + 4 + 4 + 4 + HOST_BYTES + NAME_BYTES;
const NEW_SESSION_BYTES = 8 + 6 * 4;
export const INDEX_REPLY_BYTES = 64;
export const PACKET_REPLY_BYTES = 12;
export const METADATA_REPLY_BYTES = 12;
export const ATTACH_REPLY_BYTES = 8;

export interface ConnectMessage {
  readonly id: bigint;
  readonly major: number;
  readonly minor: number;
  /** 1: commands. */
  readonly type: number;
}

export interface ViewerSession {
  readonly id: bigint;
  /** µs; 0: not live. */
  readonly liveTimer: number;
  readonly clients: number;
  readonly streams: number;
  readonly host: string;
  readonly name: string;
}

export interface ViewerStreamInfo {
  readonly id: bigint;
  /** Streams of equal number are one trace. */
  readonly trace: bigint;
  readonly isMetadata: boolean;
  readonly path: string;
  readonly channel: string;
}

export interface NextIndex {
  readonly status: number;
  readonly flags: number;
  /** Bytes from the begin of the current file. */
  readonly offset: bigint;
  readonly packetBits: bigint;
  readonly contentBits: bigint;
  /** Clock values. */
  readonly begin: bigint;
  readonly end: bigint;
  readonly discarded: bigint;
  readonly streamClass: bigint;
}

export interface AttachRequest {
  readonly session: bigint;
  readonly seek: number;
}

export interface PacketRequest {
  readonly stream: bigint;
  readonly offset: bigint;
  readonly length: number;
}

// Requests.

export function readRequestHeader(bytes: Uint8Array): { readonly command: number } {
  const reader = new WireReader(bytes, "viewer request");
  reader.skip(8);
  return { command: reader.u32() };
}

/** A request, header and all. */
export function viewerRequest(command: ViewerCommand, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const writer = new WireWriter().u64(BigInt(payload.length)).u32(CODES.get(command)!).u32(0);
  return writer.bytes(payload).finish();
}

export function readConnect(bytes: Uint8Array): ConnectMessage {
  const reader = new WireReader(bytes, "CONNECT");
  return { id: reader.u64(), major: reader.u32(), minor: reader.u32(), type: reader.u32() };
}

/** The same both ways. */
export function connectMessage({ id, major, minor, type }: ConnectMessage): Uint8Array {
  return new WireWriter().u64(id).u32(major).u32(minor).u32(type).finish();
}

export function readAttach(bytes: Uint8Array): AttachRequest {
  const reader = new WireReader(bytes, "ATTACH_SESSION");
  const session = reader.u64();
  reader.skip(8);
  return { session, seek: reader.u32() };
}

export function attachRequest({ session, seek }: AttachRequest): Uint8Array {
  return new WireWriter().u64(session).u64(0n).u32(seek).finish();
}

/** A request that is just the number of a stream or session. */
export function readId(bytes: Uint8Array, what: ViewerCommand): bigint {
  return new WireReader(bytes, what).u64();
}

export function idRequest(id: bigint): Uint8Array {
  return new WireWriter().u64(id).finish();
}

export function readPacketRequest(bytes: Uint8Array): PacketRequest {
  const reader = new WireReader(bytes, "GET_PACKET");
  return { stream: reader.u64(), offset: reader.u64(), length: reader.u32() };
}

export function packetRequest({ stream, offset, length }: PacketRequest): Uint8Array {
  return new WireWriter().u64(stream).u64(offset).u32(length).finish();
}

// Replies.

/** `minor`: of the version that both sides speak. */
export function listReply(sessions: readonly ViewerSession[], minor: number): Uint8Array {
  const writer = new WireWriter().u32(sessions.length);
  for (const { id, liveTimer, clients, streams, host, name } of sessions) {
    writer.u64(id).u32(liveTimer).u32(clients).u32(streams);
    if (minor < 15) writer.text(host, HOST_BYTES).text(name, NAME_BYTES);
    else {
      const [hostText, nameText] = [new TextEncoder().encode(host), new TextEncoder().encode(name)];
      writer.u32(hostText.length).u32(nameText.length).u32(0).bytes(hostText).bytes(nameText);
    }
  }
  return writer.finish();
}

/** A piece of the session list: which bytes come first, and what follows from them. */
export interface SessionReader {
  /** Bytes of the part that is always there. */
  readonly fixedBytes: number;
  /** Bytes that follow it. Throws `ProtocolError` where that is more than names have. */
  restBytes(fixed: Uint8Array): number;
  read(fixed: Uint8Array, rest: Uint8Array): ViewerSession;
}

export function sessionReader(minor: number): SessionReader {
  return minor < 15 ? OLD_SESSIONS : NEW_SESSIONS;
}

const OLD_SESSIONS: SessionReader = {
  fixedBytes: OLD_SESSION_BYTES,
  restBytes: () => 0,
  read(fixed) {
    const reader = new WireReader(fixed, "LIST_SESSIONS reply");
    return {
      id: reader.u64(),
      liveTimer: reader.u32(),
      clients: reader.u32(),
      streams: reader.u32(),
      host: reader.text(HOST_BYTES),
      name: reader.text(NAME_BYTES),
    };
  },
};

const NEW_SESSIONS: SessionReader = {
  fixedBytes: NEW_SESSION_BYTES,
  restBytes(fixed) {
    const reader = new WireReader(fixed, "LIST_SESSIONS reply");
    reader.skip(20);
    const bytes = reader.u32() + reader.u32();
    if (bytes > PATH_BYTES) throw new ProtocolError(`LIST_SESSIONS reply: names of ${bytes} bytes`);
    return bytes;
  },
  read(fixed, rest) {
    const reader = new WireReader(fixed, "LIST_SESSIONS reply");
    const [id, liveTimer, clients, streams] = [reader.u64(), reader.u32(), reader.u32(), reader.u32()];
    const hostBytes = reader.u32();
    const names = new WireReader(rest, "LIST_SESSIONS reply");
    const host = names.text(hostBytes);
    return { id, liveTimer, clients, streams, host, name: names.text(names.remaining) };
  },
};

function writeStreams(writer: WireWriter, streams: readonly ViewerStreamInfo[]): Uint8Array {
  for (const { id, trace, isMetadata, path, channel } of streams) {
    writer
      .u64(id)
      .u64(trace)
      .u32(isMetadata ? 1 : 0)
      .text(path, PATH_BYTES)
      .text(channel, NAME_BYTES);
  }
  return writer.finish();
}

/** Of ATTACH_SESSION and GET_NEW_STREAMS. */
export function streamsReply(status: number, streams: readonly ViewerStreamInfo[]): Uint8Array {
  return writeStreams(new WireWriter().u32(status).u32(streams.length), streams);
}

/** The first part of such a reply. Throws `ProtocolError` for more streams than there can be. */
export function readStreamsHead(bytes: Uint8Array): { readonly status: number; readonly count: number } {
  const reader = new WireReader(bytes, "stream list");
  const [status, count] = [reader.u32(), reader.u32()];
  if (count > MAX_STREAMS)
    throw new ProtocolError(`stream list: ${count} streams, expected at most ${MAX_STREAMS}`);
  return { status, count };
}

const MAX_STREAMS = 65_536;
const MAX_SESSIONS = 65_536;

export function readStreamInfo(bytes: Uint8Array): ViewerStreamInfo {
  const reader = new WireReader(bytes, "stream list");
  return {
    id: reader.u64(),
    trace: reader.u64(),
    isMetadata: reader.u32() !== 0,
    path: reader.text(PATH_BYTES),
    channel: reader.text(NAME_BYTES),
  };
}

/** The first part of a session list. */
export function readSessionCount(bytes: Uint8Array): number {
  const count = new WireReader(bytes, "LIST_SESSIONS reply").u32();
  if (count > MAX_SESSIONS) throw new ProtocolError(`LIST_SESSIONS reply: ${count} sessions`);
  return count;
}

export function nextIndexReply(index: NextIndex): Uint8Array {
  const { offset, packetBits, contentBits, begin, end, discarded, streamClass, status, flags } = index;
  return new WireWriter()
    .u64(offset)
    .u64(packetBits)
    .u64(contentBits)
    .u64(begin)
    .u64(end)
    .u64(discarded)
    .u64(streamClass)
    .u32(status)
    .u32(flags)
    .finish();
}

export function readNextIndex(bytes: Uint8Array): NextIndex {
  const reader = new WireReader(bytes, "GET_NEXT_INDEX reply");
  const words = Array.from({ length: 7 }, () => reader.u64());
  const [offset, packetBits, contentBits, begin, end, discarded, streamClass] = words as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const [status, flags] = [reader.u32(), reader.u32()];
  return { offset, packetBits, contentBits, begin, end, discarded, streamClass, status, flags };
}

/** What comes before a packet's `bytes` bytes. */
export function packetHead(status: number, flags: number, bytes: number): Uint8Array {
  return new WireWriter().u32(status).u32(bytes).u32(flags).finish();
}

export function readPacketHead(bytes: Uint8Array): {
  readonly status: number;
  readonly length: number;
  readonly flags: number;
} {
  const reader = new WireReader(bytes, "GET_PACKET reply");
  return { status: reader.u32(), length: reader.u32(), flags: reader.u32() };
}

/** What comes before `bytes` bytes of metadata. */
export function metadataHead(status: number, bytes: number): Uint8Array {
  return new WireWriter().u64(BigInt(bytes)).u32(status).finish();
}

/** Throws `ProtocolError` for more than metadata ever has. */
export function readMetadataHead(bytes: Uint8Array): { readonly status: number; readonly length: number } {
  const reader = new WireReader(bytes, "GET_METADATA reply");
  const length = reader.u64();
  if (length > BigInt(MAX_METADATA_BYTES)) {
    throw new ProtocolError(`GET_METADATA reply: ${length} bytes, expected at most ${MAX_METADATA_BYTES}`);
  }
  return { length: Number(length), status: reader.u32() };
}

const MAX_METADATA_BYTES = 1 << 28;

/** A reply that is only a number: CREATE_SESSION, DETACH_SESSION. */
export function statusReply(status: number): Uint8Array {
  return new WireWriter().u32(status).finish();
}

export function readStatus(bytes: Uint8Array): number {
  return new WireReader(bytes, "reply").u32();
}
