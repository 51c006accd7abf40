/** A connection to a live relay (`lttng-relayd`, `periscope collect`): one request after the other. */
import { connect, type Socket } from "node:net";
import { PeriscopeError } from "../base/errors.js";
import { Closed, SocketReader } from "../relay/socket.js";
import {
  ATTACH_REPLY_BYTES,
  ATTACH_STATUS,
  attachRequest,
  CREATE_STATUS,
  connectMessage,
  INDEX_REPLY_BYTES,
  idRequest,
  METADATA_REPLY_BYTES,
  METADATA_STATUS,
  NEW_STREAMS_STATUS,
  type NextIndex,
  PACKET_REPLY_BYTES,
  PACKET_STATUS,
  packetRequest,
  readConnect,
  readMetadataHead,
  readNextIndex,
  readPacketHead,
  readSessionCount,
  readStatus,
  readStreamInfo,
  readStreamsHead,
  STREAM_BYTES,
  sessionReader,
  VIEWER_VERSION,
  type ViewerCommand,
  type ViewerSession,
  type ViewerStreamInfo,
  viewerRequest,
} from "../relay/viewer.js";

const ANSWER_MS = 30_000;
const CONNECT_MS = 10_000;
const CONNECT_BYTES = 20;
/** Viewers say this as their number before they have one. */
const NO_ID = 0xffff_ffff_ffff_ffffn;
/** Packets are not larger: the original's buffers end there. */
const MAX_PACKET_BYTES = 1 << 30;
const TRIES = 100;
const PAUSE_MS = 50;

export class ViewerClient {
  readonly #reader: SocketReader;
  #minor = 0;
  #failure: string | undefined;

  private constructor(
    private readonly socket: Socket,
    /** As the user gave it, for errors. */
    readonly where: string,
  ) {
    this.#reader = new SocketReader(socket);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure = error.message;
    });
    socket.on("timeout", () => {
      this.#failure = `no answer within ${ANSWER_MS / 1000} s`;
      socket.destroy();
    });
  }

  /** Throws `PeriscopeError`. */
  static async connect(host: string, port: number): Promise<ViewerClient> {
    const where = `net://${host.includes(":") ? `[${host}]` : host}:${port}`;
    const socket = connect({ host, port, timeout: CONNECT_MS });
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => reject(new PeriscopeError(`${where}: ${reason}`));
      socket.once("connect", resolve);
      socket.once("timeout", () => {
        socket.destroy();
        fail("no answer");
      });
      socket.once("error", (error: NodeJS.ErrnoException) => {
        fail(
          error.code === "ECONNREFUSED"
            ? "connection refused; is a relay with a live port there?"
            : error.message,
        );
      });
    });
    socket.removeAllListeners("timeout").removeAllListeners("error");
    socket.setNoDelay(true);
    socket.setTimeout(ANSWER_MS);
    const client = new ViewerClient(socket, where);
    await client.#hello();
    return client;
  }

  async #hello(): Promise<void> {
    const { major, minor } = VIEWER_VERSION;
    await this.#send("CONNECT", connectMessage({ id: NO_ID, major, minor, type: 1 }));
    const reply = readConnect(await this.#exactly(CONNECT_BYTES));
    if (reply.major !== major) {
      throw new PeriscopeError(
        `${this.where}: speaks version ${reply.major}.${reply.minor}, expected ${major}.x`,
      );
    }
    this.#minor = Math.min(minor, reply.minor);
  }

  async #send(command: ViewerCommand, payload?: Uint8Array): Promise<void> {
    this.socket.write(viewerRequest(command, payload));
  }

  async #exactly(bytes: number): Promise<Uint8Array> {
    try {
      return await this.#reader.exactly(bytes);
    } catch (error) {
      if (!(error instanceof Closed)) throw error;
      throw new PeriscopeError(`${this.where}: ${this.#failure ?? "the relay closed the connection"}`);
    }
  }

  async sessions(): Promise<ViewerSession[]> {
    await this.#send("LIST_SESSIONS");
    const count = readSessionCount(await this.#exactly(4));
    const reader = sessionReader(this.#minor);
    const sessions: ViewerSession[] = [];
    for (let i = 0; i < count; i++) {
      const fixed = Uint8Array.from(await this.#exactly(reader.fixedBytes));
      sessions.push(reader.read(fixed, await this.#exactly(reader.restBytes(fixed))));
    }
    return sessions;
  }

  /** Must come before `attach`. */
  async createSession(): Promise<void> {
    await this.#send("CREATE_SESSION");
    if (readStatus(await this.#exactly(4)) !== CREATE_STATUS.ok) {
      throw new PeriscopeError(`${this.where}: the relay refuses to make a viewer session`);
    }
  }

  /** Its streams so far, to be read from `seek` on. Throws `PeriscopeError` when it cannot be had. */
  async attach({ id, host, name }: ViewerSession, seek: number): Promise<ViewerStreamInfo[]> {
    await this.#send("ATTACH_SESSION", attachRequest({ session: id, seek }));
    const { status, count } = readStreamsHead(await this.#exactly(ATTACH_REPLY_BYTES));
    if (status !== ATTACH_STATUS.ok) {
      const reason = ATTACH_REASONS[status] ?? `status ${status}`;
      throw new PeriscopeError(`${this.where}/host/${host}/${name}: ${reason}`);
    }
    return await this.#streams(count);
  }

  async #streams(count: number): Promise<ViewerStreamInfo[]> {
    const streams: ViewerStreamInfo[] = [];
    for (let i = 0; i < count; i++) streams.push(readStreamInfo(await this.#exactly(STREAM_BYTES)));
    return streams;
  }

  /** Undefined: the session is over. */
  async newStreams(session: bigint): Promise<ViewerStreamInfo[] | undefined> {
    await this.#send("GET_NEW_STREAMS", idRequest(session));
    const { status, count } = readStreamsHead(await this.#exactly(ATTACH_REPLY_BYTES));
    const streams = await this.#streams(count);
    if (status === NEW_STREAMS_STATUS.error) {
      throw new PeriscopeError(`${this.where}: the relay does not know session ${session} any more`);
    }
    return status === NEW_STREAMS_STATUS.hup ? undefined : streams;
  }

  async nextIndex(stream: bigint): Promise<NextIndex> {
    await this.#send("GET_NEXT_INDEX", idRequest(stream));
    return readNextIndex(await this.#exactly(INDEX_REPLY_BYTES));
  }

  /** All bytes of a packet. `onFlags` fetches what has to come first. */
  async packet(
    stream: bigint,
    index: NextIndex,
    onFlags: (flags: number) => Promise<void>,
  ): Promise<Uint8Array> {
    const bytes = Number(index.packetBits / 8n);
    if (bytes > MAX_PACKET_BYTES) throw new PeriscopeError(`${this.where}: a packet of ${bytes} bytes`);
    const pieces: Uint8Array[] = [];
    let tries = 0;
    for (let have = 0; have < bytes; ) {
      const request = { stream, offset: index.offset + BigInt(have), length: bytes - have };
      await this.#send("GET_PACKET", packetRequest(request));
      const { status, length, flags } = readPacketHead(await this.#exactly(PACKET_REPLY_BYTES));
      if (status === PACKET_STATUS.ok && length > 0 && length <= request.length) {
        pieces.push(await this.#exactly(length));
        have += length;
        continue;
      }
      if (length > 0)
        throw new PeriscopeError(`${this.where}: ${length} bytes of a packet, expected ${request.length}`);
      if (++tries > TRIES)
        throw new PeriscopeError(`${this.where}: a packet that it announced cannot be had`);
      if (flags !== 0) await onFlags(flags);
      else if (status === PACKET_STATUS.error) {
        throw new PeriscopeError(`${this.where}: the relay does not have a packet that it announced`);
      } else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return pieces.length === 1 ? pieces[0]!.slice() : Buffer.concat(pieces);
  }

  /** What is new of a metadata stream; empty: nothing. */
  async metadata(stream: bigint): Promise<Uint8Array> {
    await this.#send("GET_METADATA", idRequest(stream));
    const { status, length } = readMetadataHead(await this.#exactly(METADATA_REPLY_BYTES));
    const bytes = Uint8Array.from(await this.#exactly(length));
    if (status === METADATA_STATUS.error) {
      throw new PeriscopeError(
        `${this.where}: the relay does not have metadata of a stream that it announced`,
      );
    }
    return bytes;
  }

  close(): void {
    this.socket.destroy();
  }
}

const ATTACH_REASONS: Readonly<Record<number, string>> = {
  [ATTACH_STATUS.already]: "another viewer reads it, and this relay allows one",
  [ATTACH_STATUS.unknown]: "the session is not there any more",
  [ATTACH_STATUS.notLive]: "not a live session; make it with lttng create --live",
  [ATTACH_STATUS.seekError]: "cannot be read from its begin",
};
