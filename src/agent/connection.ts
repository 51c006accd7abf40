/**
 * The agent's one connection to its collector: TLS, kept open, made again when it breaks. Messages that must not be
 * lost are not its business: whoever sends them sends them again after `connected`.
 */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { realtimeNs } from "../base/realtime.js";
import { certificateTrouble, speaksNoTls } from "./certificate-trouble.js";
import {
  type AgentMessage,
  type CollectorMessage,
  encodeData,
  encodeMessage,
  FrameReader,
  MessageFields,
  PROTOCOL_VERSION,
} from "./protocol.js";

const FIRST_PAUSE_MS = 200;
const MOST_PAUSE_MS = 10_000;
const CONNECT_MS = 10_000;
/** The collector pings every 5 s. */
const SILENCE_MS = 20_000;
const CLOCK_MS = 10_000;
/** Of so many measurements of the clock the one with the shortest way counts. */
const CLOCK_SAMPLES = 8;

export interface CollectorAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
}

export interface Identity {
  readonly host: string;
  readonly group: string;
  readonly token: string | undefined;
  readonly backend: string;
}

export interface ConnectionEvents {
  connected(): void;
  freeze(incident: string): void;
  stored(incident: string): void;
  /** For people. */
  say(
    level: "info" | "warn" | "error",
    event: string,
    fields: Readonly<Record<string, string | number>>,
  ): void;
}

export class CollectorConnection {
  #socket: Socket | undefined;
  #welcome = false;
  #closed = false;
  #pauseMs = FIRST_PAUSE_MS;
  #heardMs = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #watch: NodeJS.Timeout;
  readonly #clock: NodeJS.Timeout;
  #samples: { readonly offsetNs: number; readonly errorNs: number }[] = [];
  #saidReason = "";

  constructor(
    private readonly address: CollectorAddress,
    private readonly identity: Identity,
    private readonly events: ConnectionEvents,
  ) {
    this.#watch = setInterval(() => {
      if (this.#socket !== undefined && performance.now() - this.#heardMs > SILENCE_MS) {
        this.#socket.destroy(new Error("the collector is silent"));
      }
    }, 1000);
    this.#clock = setInterval(() => this.#askClock(), CLOCK_MS);
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#welcome;
  }

  /** This host's clock less the collector's, and how wrong that may be, ns. */
  get clock(): { readonly offsetNs: number; readonly errorNs: number } | undefined {
    let best = this.#samples[0];
    for (const sample of this.#samples) if (sample.errorNs < best!.errorNs) best = sample;
    return best;
  }

  #connect(): void {
    const { host, port, tls } = this.address;
    this.#heardMs = performance.now();
    const socket =
      tls === undefined
        ? connectPlain({ host, port, timeout: CONNECT_MS })
        : connectTls({
            host,
            port,
            timeout: CONNECT_MS,
            servername: /^[\d.]+$|:/.test(host) ? "" : host,
            ...tls,
          });
    this.#socket = socket;
    const frames = new FrameReader();
    let reason = "closed by the collector";
    socket.setNoDelay(true);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      socket.setTimeout(0);
      this.send({ type: "hello", version: PROTOCOL_VERSION, ...this.identity });
    });
    socket.on("timeout", () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => {
      this.#heardMs = performance.now();
      try {
        for (const frame of frames.push(chunk)) {
          if (frame.kind !== "message") continue;
          const refusal = this.#message(frame.message as CollectorMessage & Record<string, unknown>);
          if (refusal !== undefined) reason = refusal;
        }
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reason = wordsOf(error);
    });
    socket.on("close", () => this.#ended(socket, reason));
  }

  #ended(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    const was = this.#welcome;
    this.#welcome = false;
    if (this.#closed) return;
    const where = `${this.address.host}:${this.address.port}`;
    // The same trouble is told once.
    if (was || reason !== this.#saidReason)
      this.events.say("warn", "no collector", { collector: where, reason });
    this.#saidReason = reason;
    if (was) this.#pauseMs = FIRST_PAUSE_MS;
    // Hosts do not come back all at the same moment.
    const pause = this.#pauseMs * (0.5 + Math.random());
    this.#pauseMs = Math.min(this.#pauseMs * 2, MOST_PAUSE_MS);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  /** Answers the reason when the collector refused. */
  #message(message: CollectorMessage & Record<string, unknown>): string | undefined {
    const fields = new MessageFields(message);
    switch (message.type) {
      case "freeze":
        this.events.freeze(fields.text("incident", 200));
        return undefined;
      case "stored":
        this.events.stored(fields.text("incident", 200));
        return undefined;
      case "ping":
        this.send({ type: "pong", id: fields.number("id") });
        return undefined;
      case "welcome":
        this.#welcome = true;
        this.#pauseMs = FIRST_PAUSE_MS;
        this.#saidReason = "";
        this.#samples = [];
        this.events.say("info", "connected", { collector: `${this.address.host}:${this.address.port}` });
        this.#askClock();
        this.events.connected();
        return undefined;
      case "clock":
        this.#learnClock(fields.moment("sentNs"), fields.moment("atNs"));
        return undefined;
      case "refused":
        return `refused: ${fields.text("reason")}`;
    }
    return undefined;
  }

  #askClock(): void {
    if (this.#welcome) this.send({ type: "clock", sentNs: String(realtimeNs()) });
  }

  /** As NTP has it: the collector's moment lies in the middle of the way, or at most half of it from there. */
  #learnClock(sentNs: bigint, atNs: bigint): void {
    const now = realtimeNs();
    const middle = (sentNs + now) / 2n;
    this.#samples.push({ offsetNs: Number(middle - atNs), errorNs: Number(now - sentNs) / 2 });
    if (this.#samples.length > CLOCK_SAMPLES) this.#samples.shift();
  }

  /** Dropped when there is no connection. */
  send(message: AgentMessage): void {
    if (this.#socket?.writable === true) this.#socket.write(encodeMessage(message));
  }

  /** A piece of a file; resolves when more may come. Throws when the connection is gone. */
  async sendData(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || !socket.writable) throw new Error("the connection is gone");
    if (socket.write(encodeData(bytes))) return;
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error) => {
        socket.off("drain", drained).off("close", closed);
        if (error === undefined) resolve();
        else reject(error);
      };
      const drained = () => end();
      const closed = () => end(new Error("the connection is gone"));
      socket.on("drain", drained).on("close", closed);
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    clearInterval(this.#clock);
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }
}

function wordsOf(error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNREFUSED") return "connection refused";
  if (speaksNoTls(error)) return "it speaks no TLS; a collector without certificates wants --plain";
  return certificateTrouble(error) ?? error.message;
}
