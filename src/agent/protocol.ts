/**
 * What an agent and its collector say to each other, over one TLS connection.
 *
 * A message is a frame: four bytes big endian (how many follow), one byte for the kind, then JSON text (kind 1) or
 * bytes of the file that is being sent (kind 2). Nothing needs an answer before the next message may come, so that
 * an alarm never waits behind a trace that is being sent.
 *
 * One alarm: the agent (or anybody by HTTP) says `trigger`; the collector makes an incident of it and says `freeze`
 * to all agents of the group; each stops its buffers, says `frozen`, writes its trace, sends it (`file`, bytes,
 * `fileEnd` for each file) and says `saved`; the collector says `stored` when all of it is on disk, and only then
 * the agent forgets it. What is not acknowledged is sent again after the next connection.
 */
import { PeriscopeError } from "../base/errors.js";

export const PROTOCOL_VERSION = 1;
/** Data frames are made at most so long; longer ones of any kind are refused. */
export const DATA_BYTES = 256 << 10;
const MAX_FRAME_BYTES = 1 << 20;
const HEAD_BYTES = 5;

/** Values that a trigger carries for people: request, URL, duration, … */
export type Attributes = Readonly<Record<string, string | number>>;

/** Moments are realtime, ns since the epoch, as decimal text: they exceed what JSON numbers hold exactly. */
export interface TriggerMessage {
  readonly type: "trigger";
  /** What was late, in a word or two: limits count by it. */
  readonly cause: string;
  readonly atNs: string;
  /** How many triggers this one stands for (a storm is counted where it arises). */
  readonly count: number;
  readonly attributes: Attributes;
}

export type AgentMessage =
  | {
      readonly type: "hello";
      readonly version: number;
      readonly host: string;
      readonly group: string;
      readonly token: string | undefined;
      readonly backend: string;
    }
  | AgentStatus
  | { readonly type: "pong"; readonly id: number }
  | { readonly type: "clock"; readonly sentNs: string }
  | TriggerMessage
  | { readonly type: "frozen"; readonly incident: string; readonly atNs: string }
  | { readonly type: "failed"; readonly incident: string; readonly reason: string }
  | { readonly type: "file"; readonly incident: string; readonly path: string; readonly bytes: number }
  | { readonly type: "fileEnd"; readonly incident: string; readonly path: string }
  | SavedMessage;

/** How an agent is, each second. */
export interface AgentStatus {
  readonly type: "status";
  /** How many seconds back it could save now; absent: its tracer does not tell. */
  readonly depthSeconds?: number;
  /** Event records lost since it began. */
  readonly lost: number;
  /** The host's clock less the collector's, and how wrong that may be (ns); absent: not measured yet. */
  readonly clockOffsetNs?: number;
  readonly clockErrorNs?: number;
  /** Snapshots that the collector has not acknowledged. */
  readonly unsent: number;
}

export interface SavedMessage {
  readonly type: "saved";
  readonly incident: string;
  readonly beginNs: string;
  readonly endNs: string;
  readonly eventRecords: number;
  readonly lost: number;
  readonly bytes: number;
}

export type CollectorMessage =
  | { readonly type: "welcome"; readonly collector: string }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "ping"; readonly id: number }
  /** The agent's moment, and the collector's own when it came. */
  | { readonly type: "clock"; readonly sentNs: string; readonly atNs: string }
  | { readonly type: "freeze"; readonly incident: string; readonly cause: string; readonly atNs: string }
  | { readonly type: "stored"; readonly incident: string };

/** The peer does not speak the protocol. */
export class AgentProtocolError extends PeriscopeError {
  override name = "AgentProtocolError";
}

const text = new TextEncoder();
const utf8 = new TextDecoder();

export function encodeMessage(message: AgentMessage | CollectorMessage): Uint8Array {
  return frame(1, text.encode(JSON.stringify(message)));
}

/** A piece of the file that is being sent. */
export function encodeData(bytes: Uint8Array): Uint8Array {
  return frame(2, bytes);
}

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length + 1);
  bytes[4] = kind;
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

export type Frame =
  | {
      readonly kind: "message";
      readonly message: Readonly<Record<string, unknown>> & { readonly type: string };
    }
  | { readonly kind: "data"; readonly bytes: Uint8Array };

/** Takes frames from bytes as they come. Never holds more than one frame and what came with it. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** Throws `AgentProtocolError` for what cannot be a frame. */
  *push(chunk: Uint8Array): Generator<Frame> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= HEAD_BYTES) {
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (length < 1 || length > MAX_FRAME_BYTES) {
        throw new AgentProtocolError(`frame of ${length} bytes, expected 1 to ${MAX_FRAME_BYTES}`);
      }
      if (bytes.length < 4 + length) break;
      const payload = bytes.subarray(HEAD_BYTES, 4 + length);
      const kind = bytes[4]!;
      bytes = bytes.subarray(4 + length);
      // Whoever handles the frame may end the loop: what follows must not be lost then.
      this.#rest = bytes;
      yield parseFrame(kind, payload);
    }
    this.#rest = bytes.length === 0 ? bytes : bytes.slice();
  }
}

function parseFrame(kind: number, payload: Uint8Array): Frame {
  if (kind === 2) return { kind: "data", bytes: payload };
  if (kind !== 1) throw new AgentProtocolError(`frame of kind ${kind}, expected 1 or 2`);
  let message: unknown;
  try {
    message = JSON.parse(utf8.decode(payload));
  } catch {
    throw new AgentProtocolError("message is not JSON");
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new AgentProtocolError("message is not a JSON object");
  }
  const { type } = message as { type?: unknown };
  if (typeof type !== "string") throw new AgentProtocolError("message without a type");
  return { kind: "message", message: message as Record<string, unknown> & { type: string } };
}

/** Reads the members of a message that came from outside; every method throws `AgentProtocolError`. */
export class MessageFields {
  constructor(private readonly message: Readonly<Record<string, unknown>> & { readonly type: string }) {}

  #wrong(name: string, expected: string): never {
    throw new AgentProtocolError(`${this.message.type}: member "${name}", expected ${expected}`);
  }

  text(name: string, maxLength = 4096): string {
    const value = this.message[name];
    if (typeof value !== "string" || value.length > maxLength) {
      this.#wrong(name, `text of at most ${maxLength} characters`);
    }
    return value;
  }

  number(name: string): number {
    const value = this.message[name];
    if (typeof value !== "number" || !Number.isFinite(value)) this.#wrong(name, "a number");
    return value;
  }

  has(name: string): boolean {
    return this.message[name] !== undefined;
  }

  optionalNumber(name: string): number | undefined {
    return this.message[name] === undefined ? undefined : this.number(name);
  }

  /** A whole number >= 0 that a number holds exactly. */
  size(name: string): number {
    const value = this.number(name);
    if (!Number.isSafeInteger(value) || value < 0) this.#wrong(name, "a whole number");
    return value;
  }

  moment(name: string): bigint {
    const value = this.text(name, 24);
    if (!/^-?\d+$/.test(value)) this.#wrong(name, "nanoseconds as decimal text");
    return BigInt(value);
  }

  /** At most 64 of them. */
  attributes(name: string): Attributes {
    const value = this.message[name] ?? {};
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#wrong(name, "an object");
    return boundedAttributes(value as Record<string, unknown>);
  }
}

const MAX_ATTRIBUTES = 64;
const MAX_VALUE_LENGTH = 1024;

/** Attributes as they may be kept: few, short, text or numbers. Others are made text or left out. */
export function boundedAttributes(values: Readonly<Record<string, unknown>>): Attributes {
  const kept: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(values).slice(0, MAX_ATTRIBUTES)) {
    const name = key.slice(0, 64);
    if (typeof value === "number" && Number.isFinite(value)) kept[name] = value;
    else if (typeof value === "string") kept[name] = value.slice(0, MAX_VALUE_LENGTH);
    else if (typeof value === "boolean" || typeof value === "bigint") kept[name] = String(value);
  }
  return kept;
}
