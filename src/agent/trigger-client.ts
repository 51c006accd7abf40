/**
 * How another program hands triggers to its host's agent, or to the collector: without ever waiting for it. When the
 * receiver is not there, triggers are dropped and counted, and the connection is tried again.
 */
import { connect, type Socket } from "node:net";
import { PeriscopeError } from "../base/errors.js";
import type { Attributes } from "./protocol.js";
import { formatTriggerLine } from "./trigger-line.js";

export const DEFAULT_SOCKET = "/run/periscope/agent.sock";
const MAX_UNREAD_BYTES = 1 << 20;
const RETRY_MS = 1000;
const POST_MS = 10_000;

export interface TriggerSink {
  /** Never waits, never throws. */
  send(cause: string, atNs: bigint, attributes: Attributes): void;
  readonly dropped: number;
  close(): void;
}

/** Over the agent's stream socket. */
export class SocketSink implements TriggerSink {
  dropped = 0;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #said = false;

  constructor(
    private readonly path: string,
    private readonly say: (message: string) => void,
  ) {
    this.#connect();
  }

  #connect(): void {
    const socket = connect(this.path);
    this.#socket = socket;
    socket.unref();
    socket.on("connect", () => {
      this.#said = false;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (!this.#said)
        this.say(`${this.path}: ${wordsOf(error)}; triggers are dropped until an agent is there`);
      this.#said = true;
    });
    socket.on("close", () => {
      this.#socket = undefined;
      if (this.#closed) return;
      this.#timer = setTimeout(() => this.#connect(), RETRY_MS);
      this.#timer.unref();
    });
  }

  send(cause: string, atNs: bigint, attributes: Attributes): void {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength > MAX_UNREAD_BYTES) this.dropped++;
    else socket.write(`${formatTriggerLine(cause, atNs, attributes)}\n`);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.end();
  }
}

/** Where a collector takes triggers by HTTP. */
export interface HttpTarget {
  readonly url: string;
  readonly token: string | undefined;
}

/** Says it to the collector. Answers its reply. Throws `PeriscopeError`. */
export async function postTrigger(
  { url, token }: HttpTarget,
  body: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const target = new URL("trigger", url.endsWith("/") ? url : `${url}/`);
  let response: Response;
  try {
    response = await fetch(target, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(POST_MS),
    });
  } catch (error) {
    const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
    throw new PeriscopeError(
      `${target.href}: ${cause === undefined ? (error as Error).message : wordsOf(cause)}`,
    );
  }
  const text = await response.text();
  let reply: Record<string, unknown> = {};
  try {
    reply = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not from a collector: the status says enough.
  }
  if (!response.ok)
    throw new PeriscopeError(`${target.href}: ${reply["error"] ?? `status ${response.status}`}`);
  return reply;
}

/** By HTTP, at most a few at a time: what comes meanwhile is counted and sent with the next one of its cause. */
export class HttpSink implements TriggerSink {
  dropped = 0;
  #busy = 0;

  constructor(
    private readonly target: HttpTarget,
    private readonly group: string | undefined,
    private readonly say: (message: string) => void,
  ) {}

  send(cause: string, atNs: bigint, attributes: Attributes): void {
    if (this.#busy >= 4) {
      this.dropped++;
      return;
    }
    this.#busy++;
    const body = {
      cause,
      at: String(atNs),
      attributes,
      ...(this.group !== undefined && { group: this.group }),
    };
    postTrigger(this.target, body)
      .catch((error: Error) => this.say(error.message))
      .finally(() => this.#busy--);
  }

  close(): void {}
}

function wordsOf(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT" || error.code === "ECONNREFUSED") return "nobody listens";
  if (error.code === "EACCES") return "not permitted";
  return error.message;
}
