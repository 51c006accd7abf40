/**
 * A relay session: what one control connection is about. Every command of the protocol is a method, and its reply
 * what the method answers.
 */
import {
  type AddStream,
  addStreamReply,
  type CloseChunk,
  type CreateChunk,
  type CreateSession,
  chunkExistsReply,
  closeChunkReply,
  codeReply,
  RETURN,
  type RotateStreams,
} from "../../relay/control.js";
import { ProtocolError } from "../../relay/wire.js";
import { safeName, safePath } from "../store-paths.js";
import type { Chunk, UserSession } from "./chunk.js";
import { isPeersFault } from "./connection.js";
import { RelayStream, type StreamEvents } from "./relay-stream.js";
import type { IndexKind } from "./segment.js";

const MAX_STREAMS = 65_536;

/** A command that cannot be done: its reply, and whether the connection can go on. */
export class Refusal extends ProtocolError {
  constructor(
    message: string,
    readonly reply: Uint8Array,
    readonly goOn: boolean,
  ) {
    super(message);
  }
}

export interface StreamTable {
  /** See `SegmentOptions`. */
  readonly sync: boolean;
  nextHandle(): bigint;
  nextTrace(): bigint;
  add(stream: RelayStream, session: RelaySession): void;
}

export class RelaySession {
  readonly streams = new Map<bigint, RelayStream>();
  /** The producer is gone: nothing more will come. */
  ended = false;
  /** Viewers look here for new streams. */
  publications = 0;
  /** How many are attached. */
  viewers = 0;
  readonly #traces = new Map<string, bigint>();
  #chunk: Chunk | undefined;
  /** The chunk before, while it is not closed: a rotation is going on. */
  #rotatingFrom: Chunk | undefined;
  readonly #held = new Set<Chunk>();
  /** For `END_DATA_PENDING`: the streams asked for since `BEGIN_DATA_PENDING`. */
  readonly #checked = new Set<bigint>();

  constructor(
    readonly id: bigint,
    readonly minor: number,
    readonly request: CreateSession,
    readonly user: UserSession,
    private readonly table: StreamTable,
    private readonly events: StreamEvents,
  ) {
    if (request.currentChunk === undefined) {
      // Before 2.11 nobody talks of chunks: the session is one.
      if (minor < 11) this.createChunk({ id: 0n, creation: 0n, name: "" });
      return;
    }
    const chunk = user.chunk(request.currentChunk);
    if (chunk === undefined) {
      throw new ProtocolError(
        `CREATE_SESSION: chunk ${request.currentChunk} of "${request.name}" is not known`,
      );
    }
    this.#takeChunk(chunk);
  }

  get live(): boolean {
    return this.request.liveTimer > 0;
  }

  get #indexKind(): IndexKind {
    if (this.minor < 4 || this.request.snapshot) return "none";
    return this.minor < 8 ? "1.0" : "1.1";
  }

  stream(handle: bigint): RelayStream | undefined {
    return this.streams.get(handle);
  }

  /** Number of the trace whose streams lie in `path`; never that of another session's. */
  traceNumber(path: string): bigint {
    let number = this.#traces.get(path);
    if (number === undefined) {
      number = this.table.nextTrace();
      this.#traces.set(path, number);
    }
    return number;
  }

  addStream(request: AddStream): Uint8Array {
    const refuse = (reason: string) =>
      new Refusal(`ADD_STREAM: ${reason}`, addStreamReply(-1n, RETURN.unknown), true);
    if (this.#chunk === undefined) throw refuse("the session has no chunk");
    if (this.streams.size >= MAX_STREAMS) throw refuse(`more than ${MAX_STREAMS} streams`);
    if (request.fileBytes > 0n !== request.fileCount > 0n && request.fileBytes === 0n) {
      throw refuse("a number of files without a size");
    }
    let safe: AddStream;
    try {
      const path = this.minor < 11 ? request.path.replace(/^\/+/, "") : request.path;
      safe = {
        ...request,
        channel: safeName(request.channel, "channel"),
        path: safePath(path, "stream path"),
      };
    } catch (error) {
      throw refuse((error as Error).message);
    }
    let stream: RelayStream;
    try {
      const files = { indexKind: this.#indexKind, sync: this.table.sync };
      stream = new RelayStream(this.table.nextHandle(), safe, this.#chunk, files, this.events);
    } catch (error) {
      if (isPeersFault(error)) throw refuse(error.message);
      throw error;
    }
    this.streams.set(stream.handle, stream);
    this.table.add(stream, this);
    return addStreamReply(stream.handle, RETURN.ok);
  }

  /** Streams added since become visible to viewers, all at once. */
  streamsSent(): Uint8Array {
    for (const stream of this.streams.values()) stream.published = true;
    this.publications++;
    return codeReply(RETURN.ok);
  }

  closeStream(handle: bigint, last: bigint): Uint8Array {
    this.#known(handle, "CLOSE_STREAM").close(BigInt.asIntN(64, last));
    return codeReply(RETURN.ok);
  }

  #known(handle: bigint, what: string, reply: Uint8Array = codeReply(RETURN.unknown)): RelayStream {
    const stream = this.streams.get(handle);
    if (stream === undefined) throw new Refusal(`${what}: no stream ${handle}`, reply, false);
    return stream;
  }

  /** 1: packets up to `last` are not all on disk. */
  dataPending(handle: bigint, last: bigint): Uint8Array {
    const stream = this.#known(handle, "DATA_PENDING", codeReply(0xffff_ffff));
    this.#checked.add(handle);
    return codeReply(stream.storedSequence >= BigInt.asIntN(64, last) ? 0 : 1);
  }

  quiescent(handle: bigint): Uint8Array {
    this.#checked.add(handle);
    return codeReply(RETURN.ok);
  }

  beginDataPending(): Uint8Array {
    this.#checked.clear();
    return codeReply(RETURN.ok);
  }

  endDataPending(): Uint8Array {
    const pending = [...this.streams.values()].some(
      (stream) => !this.#checked.has(stream.handle) && !stream.closed && stream.pending,
    );
    return codeReply(pending ? 1 : 0);
  }

  createChunk(request: CreateChunk): Uint8Array {
    const chunk = this.user.create(request);
    if (this.#chunk !== undefined && this.#chunk !== chunk) this.#rotatingFrom = this.#chunk;
    this.#takeChunk(chunk);
    return codeReply(RETURN.ok);
  }

  #takeChunk(chunk: Chunk): void {
    chunk.hold(this);
    this.#held.add(chunk);
    this.#chunk = chunk;
  }

  closeChunk(request: CloseChunk): Uint8Array {
    const chunk = this.user.chunk(request.id);
    if (chunk === undefined) {
      const message = `CLOSE_TRACE_CHUNK: no chunk ${request.id}`;
      throw new Refusal(message, closeChunkReply(RETURN.noMemory, undefined), false);
    }
    const path = chunk.close(request);
    if (this.#rotatingFrom === chunk) this.#rotatingFrom = undefined;
    if (this.#chunk === chunk) this.#chunk = undefined;
    this.#held.delete(chunk);
    chunk.drop(this);
    return closeChunkReply(RETURN.ok, path);
  }

  chunkExists(id: bigint): Uint8Array {
    return chunkExistsReply(this.user.chunk(id) !== undefined);
  }

  rotateStreams(request: RotateStreams): Uint8Array {
    const chunk = request.newChunk === undefined ? undefined : this.user.chunk(request.newChunk);
    if (request.newChunk !== undefined && chunk === undefined) {
      const message = `ROTATE_STREAMS: no chunk ${request.newChunk}`;
      throw new Refusal(message, codeReply(RETURN.invalidProtocol), false);
    }
    for (const { stream, position } of request.streams) {
      this.#known(stream, "ROTATE_STREAMS", codeReply(RETURN.invalid)).rotate(chunk, position);
    }
    return codeReply(RETURN.ok);
  }

  resetMetadata(handle: bigint): Uint8Array {
    const stream = this.#known(handle, "RESET_METADATA");
    if (!stream.isMetadata || this.live) {
      const reason = this.live ? "the session is live" : "not a metadata stream";
      throw new Refusal(`RESET_METADATA: stream ${handle}: ${reason}`, codeReply(RETURN.unknown), false);
    }
    stream.resetMetadata();
    return codeReply(RETURN.ok);
  }

  /** Is a rotation going on? Viewers wait. */
  get rotating(): boolean {
    return this.#rotatingFrom !== undefined || [...this.streams.values()].some((stream) => stream.rotating);
  }

  /** Has it had streams? */
  get started(): boolean {
    return this.streams.size > 0;
  }

  /** Snapshots are complete when their chunk is closed and all announced data is there. */
  get complete(): boolean {
    return this.#chunk === undefined && [...this.streams.values()].every((stream) => stream.closed);
  }

  /** Is there a packet that was announced and is not here yet? */
  get awaitsData(): boolean {
    return [...this.streams.values()].some((stream) => stream.awaitsData);
  }

  /** The producer is gone, and nothing of it is under way: streams end with what they have. */
  end(): void {
    this.ended = true;
    for (const stream of this.streams.values()) stream.abandon();
    for (const chunk of this.#held) chunk.drop(this);
    this.#held.clear();
    this.#chunk = undefined;
    this.#rotatingFrom = undefined;
  }
}
