/**
 * How another program hands triggers to its host's agent, or to the collector: without ever waiting for it. When the
 * receiver is not there, triggers are dropped and counted, and the connection is tried again.
 */
import { request as http } from "node:http";
import { request as https } from "node:https";
import { connect, type Socket } from "node:net";
import { PeriscopeError } from "../base/errors.js";
import { certificateTrouble, speaksNoTls } from "./certificate-trouble.js";
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
  /** Authority that signed the collector's certificate; undefined: those that Node knows. */
  readonly ca: Buffer | undefined;
}

/** Says it to the collector. Answers its reply. Throws `PeriscopeError`. */
export async function postTrigger(
  target: HttpTarget,
  body: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const url = new URL("trigger", target.url.endsWith("/") ? target.url : `${target.url}/`);
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await post(url, target, JSON.stringify(body));
  } catch (error) {
    throw new PeriscopeError(`${url.href}: ${wordsOf(error as NodeJS.ErrnoException)}`);
  }
  const { status, text } = answer;
  let reply: Record<string, unknown> = {};
  try {
    reply = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Not from a collector: the status says enough.
  }
  if (status < 200 || status > 299)
    throw new PeriscopeError(`${url.href}: ${reply["error"] ?? `status ${status}`}`);
  return reply;
}

/** Not `fetch`: it cannot be told an authority. */
function post(url: URL, { token, ca }: HttpTarget, body: string): Promise<{ status: number; text: string }> {
  const options = {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    signal: AbortSignal.timeout(POST_MS),
    ...(ca !== undefined && { ca }),
  };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? https : http)(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
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
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return "nobody listens";
    case "EACCES":
      return "not permitted";
    case "ABORT_ERR":
      return `no answer within ${POST_MS / 1000} s`;
    case "ECONNRESET":
      return "closed without an answer (with certificates, a collector wants https://)";
    default:
      if (speaksNoTls(error)) return "it speaks no TLS; a collector without certificates wants http://";
      return certificateTrouble(error) ?? error.message;
  }
}
