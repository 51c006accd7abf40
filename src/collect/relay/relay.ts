/**
 * The relay: sessions that hosts stream to this store, and the connections that they come by. It speaks LTTng's relay
 * protocol, so that unmodified `lttng-sessiond` and `lttng-consumerd` can send to it.
 */
import { existsSync, mkdirSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { CreateSession } from "../../relay/control.js";
import { Closed } from "../../relay/socket.js";
import { ProtocolError } from "../../relay/wire.js";
import type { Logger } from "../log.js";
import { INCIDENTS, safeName, safePath } from "../store-paths.js";
import { type Chunk, sessionTime, UserSession } from "./chunk.js";
import { withSpace } from "./connection.js";
import type { Journal } from "./journal.js";
import { MemoryBudget } from "./packet-buffer.js";
import { RelaySession } from "./relay-session.js";
import type { RelayStream } from "./relay-stream.js";

/** Memory that packets may take while they arrive, bytes. */
const BUDGET_BYTES = 64 << 20;
/** How long announced data is waited for when its producer is gone. */
const GRACE_MS = 5000;

export interface RelayOptions {
  /** Directory of the store. */
  readonly store: string;
  readonly allowClear: boolean;
  /** What is acknowledged is to survive a power cut, too; each packet costs a `fdatasync` then. */
  readonly sync: boolean;
}

/** What a finished chunk is told with: a snapshot that arrived, a part of a rotated session. */
export interface FinishedChunk {
  readonly host: string;
  readonly session: string;
  /** The snapshot's name; "" for chunks of rotated sessions. */
  readonly name: string;
  readonly directory: string;
}

export interface RelayCounters {
  connections: number;
  sessions: number;
  packets: number;
  bytes: number;
  discarded: bigint;
  /** Is the disk full, so that senders wait? */
  full: boolean;
}

interface Target {
  readonly stream: RelayStream;
  readonly session: RelaySession;
}

interface Waiter {
  readonly stream: RelayStream;
  readonly sequence: bigint;
  readonly settle: (stored: boolean) => void;
}

export class Relay {
  readonly sessions = new Map<bigint, RelaySession>();
  readonly counters: RelayCounters = {
    connections: 0,
    sessions: 0,
    packets: 0,
    bytes: 0,
    discarded: 0n,
    full: false,
  };
  readonly budget: MemoryBudget;
  onChunk: ((chunk: FinishedChunk) => void) | undefined;
  /** A named chunk (a snapshot) begins to arrive. */
  onChunkBegun: ((chunk: FinishedChunk) => void) | undefined;
  #nextSession = 1n;
  #nextHandle = 1n;
  #nextTrace = 1n;
  #nextViewer = 1n;
  readonly #targets = new Map<bigint, Target>();
  readonly #users = new Map<string, { session: UserSession; uses: number; done: () => void }>();
  readonly #waiters = new Set<Waiter>();
  readonly #dataSockets = new Map<RelaySession, Set<Socket>>();
  readonly #withoutControl = new Set<RelaySession>();
  #lastFullLog = 0;

  constructor(
    readonly options: RelayOptions,
    private readonly journal: Journal,
    readonly log: Logger,
  ) {
    const spill = join(options.store, ".periscope", "spill");
    mkdirSync(spill, { recursive: true });
    this.budget = new MemoryBudget(BUDGET_BYTES, spill);
  }

  /** Throws `ProtocolError` for names that may not be, or a chunk that is not known. */
  createSession(request: CreateSession, minor: number, peer: string): RelaySession {
    const key = `${request.daemonUuid} ${request.daemonSession}`;
    const old = minor < 11;
    if (!old && /^0*$/.test(request.daemonUuid)) throw new ProtocolError("CREATE_SESSION: the UUID is nil");
    const id = this.#nextSession++;
    const userKey = old ? `old ${id}` : key;
    const user = this.#users.get(userKey) ?? this.#createUser(request, old, userKey);
    const session = new RelaySession(
      id,
      minor,
      request,
      user.session,
      {
        sync: this.options.sync,
        nextHandle: () => this.#nextHandle++,
        nextTrace: () => this.#nextTrace++,
        add: (stream, owner) => this.#targets.set(stream.handle, { stream, session: owner }),
      },
      {
        stored: (_stream, bytes, discarded) => {
          this.counters.packets++;
          this.counters.bytes += bytes;
          this.counters.discarded += discarded;
        },
        closed: (stream) => {
          this.#targets.delete(stream.handle);
          this.stored(stream);
        },
      },
    );
    user.uses++;
    this.sessions.set(id, session);
    this.counters.sessions++;
    const { host, name, snapshot, liveTimer } = request;
    this.log("info", "session begins", {
      peer,
      host,
      session: name,
      snapshot,
      liveTimer,
      path: user.session.path,
    });
    return session;
  }

  #createUser(request: CreateSession, old: boolean, key: string) {
    const path = old ? "" : this.#sessionPath(request);
    const directory = join(this.options.store, path);
    mkdirSync(directory, { recursive: true, mode: 0o770 });
    const session = new UserSession(request.host, request.name, path, directory);
    const describe = ({ name, directory }: Chunk): FinishedChunk => {
      return { host: request.host, session: request.name, name, directory };
    };
    session.onChunk = (chunk) => this.onChunk?.(describe(chunk));
    session.onChunkBegun = (chunk) => {
      if (chunk.name !== "") this.onChunkBegun?.(describe(chunk));
    };
    const done = this.journal.open(path);
    const user = { session, uses: 0, done };
    this.#users.set(key, user);
    return user;
  }

  /**
   * `HOST/NAME-TIME`, or as the user chose. Snapshots of a session come by connections of their own and share its
   * directory; nothing else gets one that has a trace already.
   */
  #sessionPath({ name, host, basePath, nameHasTime, creation, snapshot }: CreateSession): string {
    const directory = safeName(host, "host name");
    if (directory === INCIDENTS)
      throw new ProtocolError(`host name "${host}": the store keeps incidents there`);
    safeName(name, "session name");
    const time = sessionTime(new Date(Number(creation) * 1000));
    const base = basePath !== "" ? safePath(basePath, "base path") : nameHasTime ? name : `${name}-${time}`;
    let path = join(directory, base);
    if (snapshot) return path;
    for (let i = 1; existsSync(join(this.options.store, path)); i++) path = join(directory, `${base}-${i}`);
    return path;
  }

  /** Number of a viewer's connection. */
  nextViewer(): bigint {
    return this.#nextViewer++;
  }

  streamOf(handle: bigint): Target | undefined {
    return this.#targets.get(handle);
  }

  /** A packet of `stream` is on disk, or the stream has ended: whoever waits for it is told. */
  stored(stream: RelayStream): void {
    for (const waiter of this.#waiters) {
      if (waiter.stream !== stream) continue;
      const stored = stream.storedSequence >= waiter.sequence;
      if (stored || stream.closed) waiter.settle(stored);
    }
  }

  /** Answers whether the packet got there within `timeoutMs`. */
  whenStored(stream: RelayStream, sequence: bigint, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiter.settle(false), timeoutMs);
      const waiter: Waiter = {
        stream,
        sequence,
        settle: (stored) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(stored);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** As `withSpace`, with log and counters; gives up when the connection is `gone`. */
  async withSpace(operation: () => void, gone: () => boolean): Promise<void> {
    await withSpace(operation, (error) => {
      this.counters.full = true;
      if (Date.now() - this.#lastFullLog > 10_000) {
        this.#lastFullLog = Date.now();
        this.log("error", "no space: senders wait", { reason: error.message });
      }
      if (gone()) throw new Closed();
    });
    this.counters.full = false;
  }

  dataBegan(session: RelaySession, socket: Socket): void {
    const sockets = this.#dataSockets.get(session) ?? new Set();
    this.#dataSockets.set(session, sockets.add(socket));
  }

  dataEnded(session: RelaySession, socket: Socket): void {
    const sockets = this.#dataSockets.get(session);
    sockets?.delete(socket);
    if (sockets === undefined || sockets.size > 0) return;
    this.#dataSockets.delete(session);
    if (this.#withoutControl.has(session)) this.#end(session);
    else {
      // Entries that wait for data which cannot come any more are answered with an error.
      for (const waiter of this.#waiters) if (session.streams.has(waiter.stream.handle)) waiter.settle(false);
    }
  }

  /** What is under way by the data connection is still taken. */
  controlEnded(session: RelaySession): void {
    session.ended = true;
    if (!session.awaitsData) this.#end(session);
    else {
      this.#withoutControl.add(session);
      const wait = setTimeout(() => this.#end(session), GRACE_MS);
      wait.unref();
    }
  }

  /** Ends sessions whose last announced packet came after their control connection went. */
  checkComplete(session: RelaySession): void {
    if (this.#withoutControl.has(session) && !session.awaitsData) this.#end(session);
  }

  #end(session: RelaySession): void {
    if (!this.sessions.delete(session.id)) return;
    this.#withoutControl.delete(session);
    for (const waiter of this.#waiters) if (session.streams.has(waiter.stream.handle)) waiter.settle(false);
    session.end();
    for (const socket of this.#dataSockets.get(session) ?? []) socket.destroy();
    this.#dataSockets.delete(session);
    this.log("info", "session ends", { host: session.request.host, session: session.request.name });
    for (const [key, user] of this.#users) {
      if (user.session !== session.user || --user.uses > 0) continue;
      this.#users.delete(key);
      user.done();
    }
  }

  /** Ends everything: the collector stops. */
  close(): void {
    for (const session of [...this.sessions.values()]) this.#end(session);
  }
}
