/** A live viewer's connection: babeltrace2, Trace Compass, `periscope print net://…`. */
import type { Socket } from "node:net";
import { SocketReader, send } from "../../relay/socket.js";
import {
  ATTACH_STATUS,
  CREATE_STATUS,
  connectMessage,
  DETACH_STATUS,
  listReply,
  METADATA_STATUS,
  metadataHead,
  NEW_STREAMS_STATUS,
  nextIndexReply,
  PACKET_STATUS,
  packetHead,
  REQUEST_BYTES,
  REQUEST_HEADER_BYTES,
  readAttach,
  readConnect,
  readId,
  readPacketRequest,
  readRequestHeader,
  SEEK,
  statusReply,
  streamsReply,
  VIEWER_COMMANDS,
  VIEWER_VERSION,
  type ViewerCommand,
  type ViewerStreamInfo,
} from "../../relay/viewer.js";
import { ProtocolError } from "../../relay/wire.js";
import { logEnd } from "./connection.js";
import type { Relay } from "./relay.js";
import type { RelaySession } from "./relay-session.js";
import { type FilePart, flagsOf, ViewerStream } from "./viewer-stream.js";

const UNKNOWN_COMMAND = 11;
/** Type of a connection for commands; the other one was never used. */
const COMMAND_CONNECTION = 1;

/** Serves one connection until it ends; never throws. */
export async function serveLive(socket: Socket, relay: Relay, peer: string): Promise<void> {
  const connection = new LiveConnection(socket, relay);
  try {
    await connection.serve();
  } catch (error) {
    logEnd(relay.log, "viewer connection", peer, error);
  } finally {
    connection.end();
    socket.destroy();
  }
}

/** Of a packet or metadata, so much is in memory at a time: a viewer that does not read costs no more. */
const PIECE_BYTES = 1 << 16;

interface DataReply {
  readonly head: Uint8Array;
  readonly data: FilePart | undefined;
}

interface Attachment {
  readonly session: RelaySession;
  /** Publications of streams that the viewer has heard of. */
  publications: number;
}

class LiveConnection {
  readonly #reader: SocketReader;
  #minor: number | undefined;
  #hasViewerSession = false;
  readonly #attached = new Map<bigint, Attachment>();
  readonly #streams = new Map<bigint, ViewerStream>();

  constructor(
    private readonly socket: Socket,
    private readonly relay: Relay,
  ) {
    this.#reader = new SocketReader(socket);
  }

  async serve(): Promise<void> {
    for (;;) {
      const { command } = readRequestHeader(await this.#reader.exactly(REQUEST_HEADER_BYTES));
      const name = (VIEWER_COMMANDS as Record<number, ViewerCommand>)[command];
      if (name === undefined) {
        await send(this.socket, statusReply(UNKNOWN_COMMAND));
        throw new ProtocolError(`command ${command} is not known`);
      }
      const payload = await this.#reader.exactly(REQUEST_BYTES[name]);
      const reply = this.#answer(name, payload);
      if (reply instanceof Uint8Array) await send(this.socket, reply);
      else await this.#sendData(reply);
    }
  }

  async #sendData({ head, data }: DataReply): Promise<void> {
    await send(this.socket, head);
    if (data === undefined) return;
    for (let at = 0; at < data.length && !this.socket.destroyed; ) {
      const piece = data.segment.read(data.offset + at, Math.min(PIECE_BYTES, data.length - at));
      if (piece.length === 0) {
        throw new ProtocolError(
          `${data.segment.path}: ended ${data.length - at} bytes before what was promised`,
        );
      }
      await send(this.socket, piece);
      at += piece.length;
    }
  }

  #answer(command: ViewerCommand, payload: Uint8Array): Uint8Array | DataReply {
    if (command === "CONNECT") return this.#connect(payload);
    if (this.#minor === undefined) throw new ProtocolError(`${command} before CONNECT`);
    switch (command) {
      case "LIST_SESSIONS":
        return this.#list(this.#minor);
      case "CREATE_SESSION":
        this.#hasViewerSession = true;
        return statusReply(CREATE_STATUS.ok);
      case "ATTACH_SESSION":
        return this.#attach(payload);
      case "GET_NEW_STREAMS":
        return this.#newStreams(readId(payload, command));
      case "GET_NEXT_INDEX":
        return this.#nextIndex(readId(payload, command));
      case "GET_PACKET":
        return this.#packet(payload);
      case "GET_METADATA":
        return this.#metadata(readId(payload, command));
      case "DETACH_SESSION":
        return this.#detach(readId(payload, command));
    }
  }

  #connect(payload: Uint8Array): Uint8Array {
    const { major, minor, type } = readConnect(payload);
    if (major !== VIEWER_VERSION.major || type !== COMMAND_CONNECTION) {
      throw new ProtocolError(`CONNECT: version ${major}.${minor}, type ${type}, expected 2.x, type 1`);
    }
    this.#minor = Math.min(minor, VIEWER_VERSION.minor);
    return connectMessage({ id: this.relay.nextViewer(), ...VIEWER_VERSION, type });
  }

  #list(minor: number): Uint8Array {
    const sessions = [...this.relay.sessions.values()].filter(
      ({ ended, request }) => !ended && !request.snapshot,
    );
    return listReply(
      sessions.map((session) => ({
        id: session.id,
        liveTimer: session.request.liveTimer,
        clients: session.viewers,
        streams: [...session.streams.values()].filter(({ published }) => published).length,
        host: session.request.host,
        name: session.request.name,
      })),
      minor,
    );
  }

  #attach(payload: Uint8Array): Uint8Array {
    const { session: id, seek } = readAttach(payload);
    const refuse = (status: number) => streamsReply(status, []);
    if (!this.#hasViewerSession) return refuse(ATTACH_STATUS.noSession);
    const session = this.relay.sessions.get(id);
    if (session === undefined) return refuse(ATTACH_STATUS.unknown);
    if (!session.live) return refuse(ATTACH_STATUS.notLive);
    if (this.#attached.has(id)) return refuse(ATTACH_STATUS.already);
    if (seek !== SEEK.beginning && seek !== SEEK.last) return refuse(ATTACH_STATUS.seekError);
    const attachment = { session, publications: -1 };
    this.#attached.set(id, attachment);
    session.viewers++;
    return streamsReply(ATTACH_STATUS.ok, session.rotating ? [] : this.#take(attachment, seek));
  }

  /** Streams that the viewer has not heard of. */
  #take(attachment: Attachment, seek: number): ViewerStreamInfo[] {
    const { session } = attachment;
    attachment.publications = session.publications;
    const infos: ViewerStreamInfo[] = [];
    const published = [...session.streams.values()].filter((stream) => stream.published);
    const withMetadata = new Set(published.filter(({ isMetadata }) => isMetadata).map(({ path }) => path));
    for (const stream of published) {
      if (this.#streams.has(stream.handle)) continue;
      // A trace is told when its metadata is known, all at once.
      if (!withMetadata.has(stream.path)) {
        attachment.publications = -1;
        continue;
      }
      const info = {
        id: stream.handle,
        trace: session.traceNumber(stream.path),
        isMetadata: stream.isMetadata,
        path: stream.path,
        channel: stream.channel,
      };
      this.#streams.set(stream.handle, new ViewerStream(stream, info, seek));
      infos.push(info);
    }
    return infos;
  }

  #newStreams(id: bigint): Uint8Array {
    const attachment = this.#attached.get(id);
    if (attachment === undefined) return streamsReply(NEW_STREAMS_STATUS.error, []);
    const { session } = attachment;
    if (session.rotating) return streamsReply(NEW_STREAMS_STATUS.noNew, []);
    const infos = this.#take(attachment, SEEK.beginning);
    if (infos.length > 0) return streamsReply(NEW_STREAMS_STATUS.ok, infos);
    return streamsReply(this.#isOver(session) ? NEW_STREAMS_STATUS.hup : NEW_STREAMS_STATUS.noNew, []);
  }

  /** The producer is gone, and the viewer was told of each stream that it has ended. */
  #isOver(session: RelaySession): boolean {
    if (!session.ended) return false;
    for (const { stream, hungUp } of this.#streams.values()) {
      if (session.streams.has(stream.handle) && !stream.isMetadata && !hungUp) return false;
    }
    return true;
  }

  get #hasNewStreams(): boolean {
    return [...this.#attached.values()].some(
      ({ session, publications }) => publications >= 0 && session.publications > publications,
    );
  }

  #flags(one: ViewerStream): number {
    let newMetadata = false;
    for (const other of this.#streams.values()) {
      if (other.info.trace === one.info.trace && other.hasNewMetadata) newMetadata = true;
    }
    return flagsOf(newMetadata, this.#hasNewStreams);
  }

  #nextIndex(id: bigint): Uint8Array {
    const stream = this.#streams.get(id);
    if (stream === undefined) throw new ProtocolError(`GET_NEXT_INDEX: not attached to stream ${id}`);
    const session = this.relay.streamOf(id)?.session;
    return nextIndexReply(stream.nextIndex(session?.rotating === true, this.#flags(stream)));
  }

  #packet(payload: Uint8Array): DataReply {
    const request = readPacketRequest(payload);
    const stream = this.#streams.get(request.stream);
    if (stream === undefined) return { head: packetHead(PACKET_STATUS.error, 0, 0), data: undefined };
    const { status, data } = stream.packet(request);
    return { head: packetHead(status, this.#flags(stream), data?.length ?? 0), data };
  }

  #metadata(id: bigint): DataReply {
    const { status, data } = this.#streams.get(id)?.metadata() ?? { status: METADATA_STATUS.error };
    return { head: metadataHead(status, data?.length ?? 0), data };
  }

  #detach(id: bigint): Uint8Array {
    const attachment = this.#attached.get(id);
    if (attachment === undefined) {
      return statusReply(this.relay.sessions.has(id) ? DETACH_STATUS.error : DETACH_STATUS.unknown);
    }
    this.#forget(attachment);
    return statusReply(DETACH_STATUS.ok);
  }

  #forget({ session }: Attachment): void {
    this.#attached.delete(session.id);
    session.viewers--;
    for (const [handle, stream] of this.#streams) {
      if (!session.streams.has(handle)) continue;
      stream.release();
      this.#streams.delete(handle);
    }
  }

  end(): void {
    for (const attachment of [...this.#attached.values()]) this.#forget(attachment);
    for (const stream of this.#streams.values()) stream.release();
    this.#streams.clear();
  }
}
