/**
 * Between the thread that talks to the relay and the one that reads event records. The reader asks for what is new and
 * sleeps until it is there; nothing is fetched ahead of it but one update, so that memory stays bounded.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { LiveSession } from "./live-session.js";
import type { NextUpdate } from "./live-source.js";
import { emptyUpdate, type LiveUpdate } from "./update.js";

const POLL_MS = 100;

/** What the reader's thread is given. */
export interface FeedPort {
  readonly port: MessagePort;
  /** Counts updates, for waiting. */
  readonly signal: Int32Array;
}

/** The reader's side: blocks. */
export function blockingFeed({ port, signal }: FeedPort): NextUpdate {
  let ended = false;
  return () => {
    if (ended) return undefined;
    const seen = Atomics.load(signal, 0);
    port.postMessage("next");
    Atomics.wait(signal, 0, seen);
    const update = receiveMessageOnPort(port)?.message as LiveUpdate | undefined;
    if (update === undefined || update.ended) ended = true;
    return update;
  };
}

/** The other side: answers each question when there is something new. `stop` ends it. */
export class LiveFeed {
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(
    private readonly session: LiveSession,
    private readonly port: MessagePort,
    private readonly signal: Int32Array,
  ) {
    port.on("message", () => void this.#answer());
  }

  async #answer(): Promise<void> {
    const update = await this.#news();
    this.port.postMessage(update);
    Atomics.add(this.signal, 0, 1);
    Atomics.notify(this.signal, 0);
  }

  async #news(): Promise<LiveUpdate> {
    try {
      for (;;) {
        if (this.#stopped) return { ...emptyUpdate(), ended: true };
        const { update } = await this.session.poll();
        if (update.ended || update.packets.length > 0 || update.known.size > 0 || update.streams.length > 0) {
          return update;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          setTimeout(resolve, POLL_MS);
        });
      }
    } catch (error) {
      return { ...emptyUpdate(), ended: true, failure: (error as Error).message };
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }
}
