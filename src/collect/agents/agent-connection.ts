/** An agent's connection at the collector: who it is, what it says, the files that it sends. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  AgentProtocolError,
  type CollectorMessage,
  encodeMessage,
  FrameReader,
  MessageFields,
  PROTOCOL_VERSION,
} from "../../agent/protocol.js";
import { PeriscopeError } from "../../base/errors.js";
import { realtimeNs } from "../../base/realtime.js";
import type { Logger } from "../log.js";
import { isFull } from "../relay/connection.js";
import { safeName } from "../store-paths.js";
import { boundedName, DEFAULT_GROUP, type Trigger } from "../triggers/trigger.js";
import type { Agent, AgentInfo, AgentRegistry } from "./registry.js";
import type { SnapshotFiles } from "./snapshot-files.js";

const HELLO_MS = 10_000;
const PING_MS = 5000;
/** An agent that says nothing for so long is gone. */
const SILENCE_MS = 20_000;
/** What an agent may leave unread; it never should. */
const MAX_UNREAD_BYTES = 8 << 20;
const FULL_RETRY_MS = 1000;

/** What connections tell the collector. */
export interface AgentEvents {
  trigger(trigger: Trigger): void;
  frozen(host: string, incident: string, atNs: bigint): void;
  failed(host: string, incident: string, reason: string): void;
  /** Where its files go; undefined: no such incident, the agent may forget it. */
  files(host: string, incident: string): SnapshotFiles | undefined;
  saved(host: string, incident: string, saved: Saved): void;
  connected(agent: Agent): void;
  gone(agent: Agent): void;
}

export interface Saved {
  readonly beginNs: bigint;
  readonly endNs: bigint;
  readonly eventRecords: number;
  readonly lost: number;
  readonly bytes: number;
}

export interface AgentAccess {
  /** Agents must know it, unless their certificate is signed by the collector's authority. */
  readonly token: string | undefined;
  /** TLS is off (loopback, tests): then there are no certificates to ask for. */
  readonly plain: boolean;
}

/** Serves one connection until it ends; never throws. */
export function serveAgent(
  socket: Socket,
  peer: string,
  access: AgentAccess,
  registry: AgentRegistry,
  events: AgentEvents,
  log: Logger,
): void {
  new AgentConnection(socket, peer, access, registry, events, log);
}

class AgentConnection implements Agent {
  info!: AgentInfo;
  readonly #frames = new FrameReader();
  #known = false;
  #ended = false;
  readonly #timer: NodeJS.Timeout;
  #heardMs = performance.now();
  #ping: { readonly id: number; readonly sentMs: number } | undefined;
  #pings = 0;
  #upload: { readonly incident: string; readonly files: SnapshotFiles | undefined } | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly peer: string,
    private readonly access: AgentAccess,
    private readonly registry: AgentRegistry,
    private readonly events: AgentEvents,
    private readonly log: Logger,
  ) {
    const began = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (!this.#known && now - began > HELLO_MS) this.drop("no hello");
      else if (now - this.#heardMs > SILENCE_MS) this.drop("silent");
      else if (this.#known) {
        this.#ping = { id: ++this.#pings, sentMs: now };
        this.send({ type: "ping", id: this.#pings });
      }
    }, PING_MS);
    void this.#serve();
  }

  async #serve(): Promise<void> {
    let reason = "closed";
    try {
      // What is wrong is told before the connection is closed.
      const chunks = this.socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
      for await (const chunk of chunks) {
        this.#heardMs = performance.now();
        for (const frame of this.#frames.push(chunk)) {
          if (frame.kind === "data") await this.#data(frame.bytes);
          else await this.#message(frame.message);
        }
        if (this.#ended) break;
      }
    } catch (error) {
      reason = (error as Error).message;
      if (error instanceof PeriscopeError) this.send({ type: "refused", reason });
      this.socket.end();
    }
    clearInterval(this.#timer);
    await this.#upload?.files?.abandon().catch(() => undefined);
    if (this.#known) {
      this.registry.remove(this);
      this.events.gone(this);
    }
    this.log(this.#known ? "info" : "warn", "agent gone", {
      host: this.#known ? this.info.host : undefined,
      peer: this.peer,
      reason,
    });
    setTimeout(() => this.socket.destroy(), 100).unref();
  }

  send(message: CollectorMessage): void {
    this.sendEncoded(encodeMessage(message));
  }

  sendEncoded(bytes: Uint8Array): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    this.socket.write(bytes);
    if (this.socket.writableLength > MAX_UNREAD_BYTES) this.drop("does not read");
  }

  drop(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.log("warn", "agent dropped", { peer: this.peer, reason });
    this.socket.destroy();
  }

  async #message(message: Readonly<Record<string, unknown>> & { readonly type: string }): Promise<void> {
    const fields = new MessageFields(message);
    if (!this.#known) {
      if (message.type !== "hello") throw new AgentProtocolError(`${message.type} before hello`);
      this.#hello(fields);
      return;
    }
    const { host } = this.info;
    switch (message.type) {
      case "status":
        this.#status(fields);
        return;
      case "pong":
        if (fields.number("id") === this.#ping?.id) {
          this.info.roundTripMs = performance.now() - this.#ping.sentMs;
        }
        return;
      case "clock":
        this.send({ type: "clock", sentNs: String(fields.moment("sentNs")), atNs: String(realtimeNs()) });
        return;
      case "trigger":
        this.events.trigger({
          cause: boundedName(fields.text("cause"), "trigger"),
          group: this.info.group,
          atNs: fields.moment("atNs"),
          count: Math.max(1, fields.size("count")),
          attributes: fields.attributes("attributes"),
          host,
        });
        return;
      case "frozen":
        this.events.frozen(host, fields.text("incident"), fields.moment("atNs"));
        return;
      case "failed":
        this.events.failed(host, fields.text("incident"), fields.text("reason"));
        return;
      case "file":
        await this.#file(fields);
        return;
      case "fileEnd":
        await this.#upload?.files?.fileEnd(fields.text("path"));
        return;
      case "saved":
        await this.#saved(fields);
        return;
      default:
        throw new AgentProtocolError(`"${message.type.slice(0, 80)}" is not a message of an agent`);
    }
  }

  #hello(fields: MessageFields): void {
    const version = fields.number("version");
    if (version !== PROTOCOL_VERSION) {
      throw new AgentProtocolError(`version ${version}, expected ${PROTOCOL_VERSION}`);
    }
    if (!this.#authorized(fields)) {
      const what = fields.has("token") ? "wrong token" : "no token (agent --token-file)";
      throw new AgentProtocolError(`${what}, and no certificate of a known authority`);
    }
    this.info = {
      host: safeName(fields.text("host"), "host name"),
      group: boundedName(fields.text("group"), DEFAULT_GROUP),
      backend: fields.text("backend"),
      peer: this.peer,
      sinceNs: realtimeNs(),
      depthSeconds: undefined,
      lost: 0,
      clockOffsetNs: undefined,
      clockErrorNs: undefined,
      roundTripMs: undefined,
      unsent: 0,
    };
    this.#known = true;
    this.registry.add(this);
    this.send({ type: "welcome", collector: "periscope" });
    const { host, group, backend } = this.info;
    this.log("info", "agent connected", { host, group, backend, peer: this.peer });
    this.events.connected(this);
  }

  #authorized(fields: MessageFields): boolean {
    if (!this.access.plain && (this.socket as TLSSocket).authorized) return true;
    const { token } = this.access;
    if (token === undefined) return this.access.plain;
    if (!fields.has("token")) return false;
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(fields.text("token")), digest(token));
  }

  #status(fields: MessageFields): void {
    const { info } = this;
    info.depthSeconds = fields.optionalNumber("depthSeconds");
    info.lost = fields.number("lost");
    info.clockOffsetNs = fields.optionalNumber("clockOffsetNs") ?? info.clockOffsetNs;
    info.clockErrorNs = fields.optionalNumber("clockErrorNs") ?? info.clockErrorNs;
    info.unsent = fields.number("unsent");
  }

  async #file(fields: MessageFields): Promise<void> {
    const incident = fields.text("incident");
    if (this.#upload?.incident !== incident) {
      await this.#upload?.files?.abandon();
      const files = this.events.files(this.info.host, incident);
      this.#upload = { incident, files };
      await this.#untilSpace(async () => files?.begin());
    }
    const { files } = this.#upload!;
    await this.#untilSpace(async () => files?.file(fields.text("path"), fields.size("bytes")));
  }

  async #data(bytes: Uint8Array): Promise<void> {
    if (this.#upload === undefined) throw new AgentProtocolError("data that no file was announced for");
    const { files } = this.#upload;
    if (files !== undefined) await this.#untilSpace(() => files.data(bytes));
  }

  /** While the disk is full, the agent waits, as nothing is read from it. */
  async #untilSpace(operation: () => Promise<void> | undefined): Promise<void> {
    for (;;) {
      try {
        await operation();
        return;
      } catch (error) {
        if (!isFull(error) || this.socket.destroyed) throw error;
        this.log("error", "no space: agent waits", { host: this.info.host });
        this.#heardMs = performance.now();
        await new Promise((resolve) => setTimeout(resolve, FULL_RETRY_MS));
        this.#heardMs = performance.now();
      }
    }
  }

  async #saved(fields: MessageFields): Promise<void> {
    const incident = fields.text("incident");
    const upload = this.#upload;
    this.#upload = undefined;
    if (upload?.incident === incident && upload.files !== undefined) {
      const { files } = upload;
      const bytes = fields.size("bytes");
      if (files.bytes !== bytes) throw new AgentProtocolError(`saved: ${files.bytes} bytes came of ${bytes}`);
      await files.finish();
      this.events.saved(this.info.host, incident, {
        beginNs: fields.moment("beginNs"),
        endNs: fields.moment("endNs"),
        eventRecords: fields.size("eventRecords"),
        lost: fields.size("lost"),
        bytes,
      });
    }
    this.send({ type: "stored", incident });
  }
}
