/** Reads a user's session from a relay, with all of its relay sessions (kernel, user space), as it grows. */
import { PeriscopeError, UsageError } from "../base/errors.js";
import { FLAG, INDEX_STATUS, SEEK, type ViewerSession, type ViewerStreamInfo } from "../relay/viewer.js";
import { emptyUpdate, type LiveUpdate } from "./update.js";
import { ViewerClient } from "./viewer-client.js";

const LIVE_PORT = 5344;
/** Bytes of packets in one update. */
const MAX_UPDATE_BYTES = 32 << 20;

export interface LiveUrl {
  readonly host: string;
  readonly port: number;
  /** Undefined: none chosen, the relay's sessions are to be listed. */
  readonly session: { readonly host: string; readonly name: string } | undefined;
}

export function isLiveUrl(text: string): boolean {
  return /^net[46]?:\/\//.test(text);
}

/** `net://RELAY[:PORT][/host/HOST/SESSION]`, as babeltrace2 has it. Throws `UsageError`. */
export function parseLiveUrl(text: string): LiveUrl {
  const match =
    /^net[46]?:\/\/(?:\[([^\]]+)\]|([^:/]+))(?::(\d{1,5}))?(?:\/host\/([^/]+)\/([^/]+))?\/?$/.exec(text);
  if (match === null) throw new UsageError(`"${text}", expected net://RELAY[:PORT]/host/HOST/SESSION`);
  const [, v6, plain, port, host, name] = match;
  return {
    host: v6 ?? plain!,
    port: Number(port ?? LIVE_PORT),
    session:
      host === undefined ? undefined : { host: decodeURIComponent(host), name: decodeURIComponent(name!) },
  };
}

interface Stream {
  readonly info: ViewerStreamInfo;
  readonly id: number;
  readonly trace: number;
}

export class LiveSession {
  readonly #streams = new Map<bigint, Stream>();
  readonly #traces = new Map<bigint, number>();
  /** Relay sessions that are not over. */
  readonly #open = new Set<bigint>();
  /** What idle streams said last. */
  readonly #inactive = new Map<number, bigint>();
  #nextId = 0;
  #wantsStreams = true;

  private constructor(private readonly client: ViewerClient) {}

  /** `seek`: from the session's begin, or from now on. Throws `PeriscopeError`, which names what sessions there are. */
  static async open(url: LiveUrl, seek: number = SEEK.beginning): Promise<LiveSession> {
    const client = await ViewerClient.connect(url.host, url.port);
    try {
      const all = await client.sessions();
      const wanted = url.session;
      const chosen = all.filter(({ host, name }) => host === wanted?.host && name === wanted.name);
      if (wanted === undefined || chosen.length === 0) {
        const what = wanted === undefined ? "expected a session" : `no session ${wanted.host}/${wanted.name}`;
        throw new PeriscopeError(`${client.where}: ${what}; there ${listOf(client.where, all)}`);
      }
      const session = new LiveSession(client);
      await client.createSession();
      session.#first = emptyUpdate();
      for (const one of chosen) {
        session.#add(await client.attach(one, seek), session.#first);
        session.#open.add(one.id);
      }
      return session;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  #first: LiveUpdate | undefined;

  #add(infos: readonly ViewerStreamInfo[], update: LiveUpdate): void {
    for (const info of infos) {
      if (this.#streams.has(info.id)) continue;
      let trace = this.#traces.get(info.trace);
      if (trace === undefined) {
        trace = this.#traces.size;
        this.#traces.set(info.trace, trace);
      }
      const id = this.#nextId++;
      this.#streams.set(info.id, { info, id, trace });
      update.streams.push({ id, trace, isMetadata: info.isMetadata, channel: info.channel });
    }
  }

  /** What is new now; `isCaughtUp`: there was no more to be had. */
  async poll(): Promise<{ readonly update: LiveUpdate; readonly isCaughtUp: boolean }> {
    const update = this.#first ?? emptyUpdate();
    this.#first = undefined;
    if (this.#wantsStreams || ![...this.#streams.values()].some(({ info }) => !info.isMetadata)) {
      await this.#newStreams(update);
    }
    const budget = { bytes: MAX_UPDATE_BYTES };
    let isCaughtUp = true;
    for (const stream of [...this.#streams.values()]) {
      if (!stream.info.isMetadata && !(await this.#read(stream, update, budget))) isCaughtUp = false;
    }
    update.ended = this.#open.size === 0 && this.#streams.size === 0;
    return { update, isCaughtUp: isCaughtUp && !this.#wantsStreams };
  }

  async #newStreams(update: LiveUpdate): Promise<void> {
    this.#wantsStreams = false;
    for (const session of [...this.#open]) {
      const infos = await this.client.newStreams(session);
      if (infos !== undefined) this.#add(infos, update);
      else this.#open.delete(session);
    }
    if (this.#open.size > 0) return;
    // Metadata streams are not told to end.
    for (const [handle, { info }] of this.#streams) if (info.isMetadata) this.#streams.delete(handle);
  }

  /** Reads what the stream has. False: there is more. */
  async #read(stream: Stream, update: LiveUpdate, budget: { bytes: number }): Promise<boolean> {
    const { id, info } = stream;
    for (;;) {
      if (budget.bytes <= 0) return false;
      const index = await this.client.nextIndex(info.id);
      await this.#heed(index.flags, stream, update);
      switch (index.status) {
        case INDEX_STATUS.ok: {
          const bytes = await this.client.packet(info.id, index, (flags) =>
            this.#heed(flags, stream, update),
          );
          budget.bytes -= bytes.length;
          update.packets.push({ stream: id, bytes });
          update.known.set(id, index.end);
          break;
        }
        case INDEX_STATUS.inactive:
          if (this.#inactive.get(id) !== index.end) update.known.set(id, index.end);
          this.#inactive.set(id, index.end);
          return true;
        case INDEX_STATUS.retry:
          return true;
        case INDEX_STATUS.hup:
        case INDEX_STATUS.eof:
          this.#streams.delete(info.id);
          update.closed.push(id);
          this.#wantsStreams = true;
          return true;
        default:
          throw new PeriscopeError(
            `${this.client.where}: the relay cannot tell the next packet of "${info.channel}"`,
          );
      }
    }
  }

  async #heed(flags: number, { trace }: Stream, update: LiveUpdate): Promise<void> {
    if ((flags & FLAG.newStream) !== 0) this.#wantsStreams = true;
    if ((flags & FLAG.newMetadata) === 0) return;
    for (const { info, trace: other } of this.#streams.values()) {
      if (!info.isMetadata || other !== trace) continue;
      for (;;) {
        const bytes = await this.client.metadata(info.id);
        if (bytes.length === 0) break;
        update.metadata.push({ trace, bytes });
      }
    }
  }

  close(): void {
    this.client.close();
  }
}

/** Sessions of a relay, each by the URL that reads it. */
export function sessionUrls(where: string, sessions: readonly ViewerSession[]): string[] {
  const urls = sessions.map(
    ({ host, name }) => `${where}/host/${encodeURIComponent(host)}/${encodeURIComponent(name)}`,
  );
  return [...new Set(urls)];
}

function listOf(where: string, sessions: readonly ViewerSession[]): string {
  const urls = sessionUrls(where, sessions);
  return urls.length === 0 ? "is none" : `${urls.length === 1 ? "is" : "are"} ${urls.join(", ")}`;
}
