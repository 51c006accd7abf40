/** A control connection: requests one after the other, each answered before the next is looked at. */
import type { Socket } from "node:net";
import {
  COMMANDS,
  type CommandName,
  type ControlHeader,
  codeReply,
  configurationReply,
  createSessionReply,
  HEADER_BYTES,
  METADATA_HEAD_BYTES,
  type PacketIndexEntry,
  RETURN,
  readAddStream,
  readCloseChunk,
  readControlHeader,
  readCreateChunk,
  readCreateSession,
  readNumber,
  readRotateStreams,
  readSendIndex,
  readSendMetadata,
  readStreamAndSequence,
  readVersion,
  VERSION,
  versionReply,
} from "../../relay/control.js";
import { Closed, drained, SocketReader, send } from "../../relay/socket.js";
import { ProtocolError } from "../../relay/wire.js";
import { isFull, isPeersFault, logEnd } from "./connection.js";
import { PacketBuffer } from "./packet-buffer.js";
import type { Relay } from "./relay.js";
import { Refusal, type RelaySession } from "./relay-session.js";
import type { RelayStream } from "./relay-stream.js";

/** Metadata comes in pieces of a ring buffer's packet. */
const MAX_METADATA_BYTES = 1 << 24;
/** Names are at most some kilobytes; only a rotation lists all streams of its session. */
const MAX_REQUEST_BYTES = 1 << 16;
const MAX_ROTATION_BYTES = 1 << 21;
/** How long a message may take from its first byte to its last, however short, and what it must bring beyond that. */
const MESSAGE_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 16;
/** How long an index entry may wait for its packet, which was sent before it. */
const DATA_TIMEOUT_MS = 30_000;

/** Serves one connection until it ends; never throws. */
export async function serveControl(socket: Socket, relay: Relay, peer: string): Promise<void> {
  const connection = new ControlConnection(socket, relay, peer);
  try {
    await connection.serve();
  } catch (error) {
    logEnd(relay.log, "control connection", peer, error);
  } finally {
    connection.end();
    socket.destroy();
  }
}

/** Undefined: nothing is answered. */
type Answer = Uint8Array | undefined;

class ControlConnection {
  readonly #reader: SocketReader;
  #minor: number = VERSION.minor;
  #session: RelaySession | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly relay: Relay,
    private readonly peer: string,
  ) {
    this.#reader = new SocketReader(socket);
  }

  async serve(): Promise<void> {
    for (;;) {
      const first = await this.#reader.some(HEADER_BYTES);
      const header =
        first.length === HEADER_BYTES
          ? readControlHeader(first)
          : await this.#timely(0, () => this.#restOfHeader(first));
      const command = (COMMANDS as Record<number, CommandName>)[header.command];
      this.#checkSize(header, command);
      if (command === "SEND_METADATA") {
        await this.#timely(header.payloadBytes, () => this.#metadata(header.payloadBytes));
        continue;
      }
      // Thousands of small requests come in a second: what is here is not waited for.
      const payload =
        this.#reader.now(header.payloadBytes) ??
        (await this.#timely(header.payloadBytes, () => this.#payload(header.payloadBytes)));
      let reply: Uint8Array | undefined;
      let goOn = true;
      try {
        const answer = command === undefined ? undefined : this.#answer(command, payload);
        reply = answer instanceof Promise ? await answer : answer;
        if (command === undefined) throw new ProtocolError(`command ${header.command} is not known`);
      } catch (error) {
        if (error instanceof Refusal) {
          ({ reply, goOn } = error);
          this.relay.log("warn", "refused", { peer: this.peer, reason: error.message });
        } else if (isPeersFault(error)) {
          await send(this.socket, codeReply(RETURN.unknown));
          throw error;
        } else throw error;
      }
      if (reply !== undefined && !this.socket.write(reply)) await drained(this.socket);
      if (!goOn || this.#snapshotIsComplete) throw new Closed();
    }
  }

  /**
   * LTTng 2.13 keeps the connections of a snapshot open for as long as its consumer daemon lives, and opens new ones
   * for the next: they are closed from here.
   */
  get #snapshotIsComplete(): boolean {
    return this.#session?.request.snapshot === true && this.#session.started && this.#session.complete;
  }

  /** What `receive` answers, if it has all within the time that `bytes` may take. Throws `ProtocolError` after it. */
  async #timely<T>(bytes: number, receive: () => Promise<T>): Promise<T> {
    const limit = MESSAGE_MS + bytes / SLOWEST_BYTES_PER_MS;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.socket.destroy();
    }, limit);
    try {
      return await receive();
    } catch (error) {
      if (late) throw new ProtocolError(`a message took longer than ${Math.round(limit / 1000)} s`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #restOfHeader(first: Uint8Array): Promise<ControlHeader> {
    const rest = await this.#reader.exactly(HEADER_BYTES - first.length);
    return readControlHeader(Buffer.concat([first, rest]));
  }

  #checkSize({ payloadBytes, command }: ControlHeader, name: CommandName | undefined): void {
    const limit =
      name === "SEND_METADATA"
        ? MAX_METADATA_BYTES
        : name === "ROTATE_STREAMS" && this.#session?.started === true
          ? MAX_ROTATION_BYTES
          : MAX_REQUEST_BYTES;
    if (payloadBytes <= limit) return;
    throw new ProtocolError(
      `command ${name ?? command} with ${payloadBytes} bytes, expected at most ${limit}`,
    );
  }

  async #payload(bytes: number): Promise<Uint8Array> {
    if (bytes <= MAX_REQUEST_BYTES) return await this.#reader.exactly(bytes);
    const packet = await this.#gather(bytes);
    try {
      return packet.contents();
    } finally {
      packet.release();
    }
  }

  /** What may be large waits for its end within the memory that all packets have, or in a file. */
  async #gather(bytes: number): Promise<PacketBuffer> {
    const packet = new PacketBuffer(this.relay.budget);
    try {
      while (packet.bytes < bytes) {
        const piece = await this.#reader.some(bytes - packet.bytes);
        for (let at = 0; at < piece.length; ) {
          const room = packet.room(piece.length - at);
          room.set(piece.subarray(at, at + room.length));
          packet.filled(room.length);
          at += room.length;
          await this.#withSpace(() => packet.flush());
        }
      }
    } catch (error) {
      packet.release();
      throw error;
    }
    return packet;
  }

  #answer(command: Exclude<CommandName, "SEND_METADATA">, payload: Uint8Array): Answer | Promise<Answer> {
    switch (command) {
      case "VERSION":
        return this.#version(payload);
      case "GET_CONFIGURATION":
        return configurationReply(readNumber(payload, command), this.relay.options.allowClear);
      case "START_DATA":
        return codeReply(RETURN.ok);
      case "CREATE_SESSION":
        return this.#createSession(payload);
    }
    const session = this.#session;
    if (session === undefined) throw new ProtocolError(`${command} before CREATE_SESSION`);
    switch (command) {
      case "ADD_STREAM":
        return this.#addStream(session, payload);
      case "STREAMS_SENT":
        return session.streamsSent();
      case "SEND_INDEX":
        return this.#index(session, payload);
      case "CLOSE_STREAM": {
        const { stream, last } = readStreamAndSequence(payload, command);
        const reply = session.closeStream(stream, last);
        this.relay.checkComplete(session);
        return reply;
      }
      case "DATA_PENDING": {
        const { stream, last } = readStreamAndSequence(payload, command);
        return session.dataPending(stream, last);
      }
      case "QUIESCENT_CONTROL":
        return session.quiescent(readNumber(payload, command));
      case "BEGIN_DATA_PENDING":
        return session.beginDataPending();
      case "END_DATA_PENDING":
        return session.endDataPending();
      case "RESET_METADATA":
        return session.resetMetadata(readStreamAndSequence(payload, command).stream);
      case "ROTATE_STREAMS":
        return session.rotateStreams(readRotateStreams(payload));
      case "CREATE_TRACE_CHUNK":
        return session.createChunk(readCreateChunk(payload));
      case "CLOSE_TRACE_CHUNK": {
        const request = readCloseChunk(payload);
        if (request.command === "delete" && !this.relay.options.allowClear) {
          throw new Refusal("clearing is not allowed", codeReply(RETURN.invalidProtocol), true);
        }
        const reply = session.closeChunk(request);
        this.relay.checkComplete(session);
        return reply;
      }
      case "TRACE_CHUNK_EXISTS":
        return session.chunkExists(readNumber(payload, command));
    }
  }

  #version(payload: Uint8Array): Uint8Array {
    const { major, minor } = readVersion(payload);
    if (major !== VERSION.major) {
      throw new Refusal(`version ${major}.${minor}, expected ${VERSION.major}.x`, versionReply(), false);
    }
    this.#minor = Math.min(minor, VERSION.minor);
    return versionReply();
  }

  #createSession(payload: Uint8Array): Uint8Array {
    const minor = this.#minor;
    const refusal = createSessionReply(0n, undefined, minor);
    if (this.#session !== undefined) {
      throw new Refusal("CREATE_SESSION: the connection has a session already", refusal, false);
    }
    try {
      this.#session = this.relay.createSession(readCreateSession(payload, minor), minor, this.peer);
    } catch (error) {
      if (isPeersFault(error)) throw new Refusal(error.message, refusal, true);
      throw error;
    }
    return createSessionReply(this.#session.id, this.#session.user.path, minor);
  }

  /** The one command that is not answered; it is stored as it comes. */
  async #metadata(payloadBytes: number): Promise<void> {
    const session = this.#session;
    if (session === undefined) throw new ProtocolError("SEND_METADATA before CREATE_SESSION");
    if (payloadBytes < METADATA_HEAD_BYTES)
      throw new ProtocolError(`SEND_METADATA with ${payloadBytes} bytes`);
    const head = readSendMetadata(await this.#reader.exactly(METADATA_HEAD_BYTES));
    const stream = session.stream(head.stream);
    if (stream === undefined || !stream.isMetadata) {
      throw new ProtocolError(`SEND_METADATA: no metadata stream ${head.stream}`);
    }
    if (head.paddingBytes > MAX_METADATA_BYTES) {
      throw new ProtocolError(`SEND_METADATA: padding of ${head.paddingBytes} bytes`);
    }
    const metadata = await this.#gather(payloadBytes - METADATA_HEAD_BYTES);
    try {
      await this.#withSpace(() => stream.appendMetadata(metadata, head.paddingBytes));
    } finally {
      metadata.release();
    }
  }

  async #addStream(session: RelaySession, payload: Uint8Array): Promise<Answer> {
    let reply: Answer;
    const request = readAddStream(payload, this.#minor);
    await this.#withSpace(() => {
      reply = session.addStream(request);
    });
    return reply;
  }

  /** Answered when the packet is on disk: what is acknowledged is safe. */
  #index(session: RelaySession, payload: Uint8Array): Answer | Promise<Answer> {
    const entry = readSendIndex(payload, this.#minor);
    const stream = session.stream(entry.stream);
    if (stream === undefined) throw new ProtocolError(`SEND_INDEX: no stream ${entry.stream}`);
    stream.takeIndex(entry);
    if (entry.packetBits === 0n) return codeReply(RETURN.ok);
    try {
      stream.store();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    if (stream.storedSequence < BigInt.asIntN(64, entry.sequence))
      return this.#whenStored(session, stream, entry);
    this.relay.checkComplete(session);
    return codeReply(RETURN.ok);
  }

  async #whenStored(session: RelaySession, stream: RelayStream, entry: PacketIndexEntry): Promise<Answer> {
    await this.#withSpace(() => stream.store());
    if (stream.storedSequence < BigInt.asIntN(64, entry.sequence)) {
      const stored = await this.relay.whenStored(stream, entry.sequence, DATA_TIMEOUT_MS);
      if (!stored)
        throw new ProtocolError(`SEND_INDEX: packet ${entry.sequence} of stream ${entry.stream} never came`);
    }
    this.relay.checkComplete(session);
    return codeReply(RETURN.ok);
  }

  async #withSpace(operation: () => void): Promise<void> {
    await this.relay.withSpace(operation, () => this.socket.destroyed);
  }

  end(): void {
    if (this.#session !== undefined) this.relay.controlEnded(this.#session);
  }
}
