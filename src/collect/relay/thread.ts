/**
 * The relay in a thread of its own, so that a flood of packets holds no alarm up. This file is the thread's program,
 * and the handle that the collector has on it.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { PeriscopeError } from "../../base/errors.js";
import type { Listener } from "../listen.js";
import type { Level, LogFields, Logger } from "../log.js";
import { Journal } from "./journal.js";
import { type FinishedChunk, Relay, type RelayCounters, type RelayOptions } from "./relay.js";
import { repairSession } from "./repair.js";
import { type RelayPorts, serveRelay } from "./serve.js";

export interface RelayThreadOptions {
  readonly relay: RelayOptions;
  readonly ports: RelayPorts;
}

type FromThread =
  | { readonly type: "ready"; readonly ports: Readonly<Record<string, number>> }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "log"; readonly level: Level; readonly event: string; readonly fields: LogFields }
  | { readonly type: "chunk"; readonly phase: "begun" | "finished"; readonly chunk: FinishedChunk }
  | { readonly type: "counters"; readonly counters: RelayCounters; readonly open: readonly string[] }
  | { readonly type: "closed" };

const COUNTERS_MS = 500;

export class RelayThread {
  /** By port name: control, data, live. */
  ports: Readonly<Record<string, number>> = {};
  counters: RelayCounters | undefined;
  /** Sessions that are being written: their directories, relative to the store. */
  open: readonly string[] = [];
  onChunk: ((phase: "begun" | "finished", chunk: FinishedChunk) => void) | undefined;
  onDeath: ((reason: string) => void) | undefined;
  readonly #worker: Worker;
  #closed: (() => void) | undefined;

  private constructor(
    options: RelayThreadOptions,
    private readonly log: Logger,
  ) {
    this.#worker = new Worker(new URL("./relay-thread.js", import.meta.url), { workerData: options });
  }

  /** Throws `PeriscopeError` when a port cannot be had. */
  static async start(options: RelayThreadOptions, log: Logger): Promise<RelayThread> {
    const thread = new RelayThread(options, log);
    await new Promise<void>((resolve, reject) => {
      thread.#worker.on("message", (message: FromThread) => {
        if (message.type === "ready") {
          thread.ports = message.ports;
          resolve();
        } else if (message.type === "failed") reject(new PeriscopeError(message.message));
        else thread.#take(message);
      });
      thread.#worker.on("error", (error) => {
        reject(error);
        thread.onDeath?.(error.message);
      });
    });
    return thread;
  }

  #take(message: FromThread): void {
    if (message.type === "log") this.log(message.level, message.event, message.fields);
    else if (message.type === "chunk") this.onChunk?.(message.phase, message.chunk);
    else if (message.type === "counters") {
      this.counters = message.counters;
      this.open = message.open;
    } else if (message.type === "closed") this.#closed?.();
  }

  /** Ends sessions and files in order. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      this.#worker.postMessage("close");
    });
    await this.#worker.terminate();
  }
}

/** The thread itself. */
export async function runRelayThread(): Promise<void> {
  if (isMainThread || parentPort === null) return;
  const port = parentPort;
  const tell = (message: FromThread) => port.postMessage(message);
  const log: Logger = (level, event, fields = {}) => tell({ type: "log", level, event, fields });
  const options = workerData as RelayThreadOptions;
  let listeners: Listener[];
  const journal = new Journal(options.relay.store);
  try {
    journal.recover((directory) => {
      const cut = repairSession(directory);
      log("warn", "session was not ended", { path: directory, bytesCutOff: cut });
    });
  } catch (error) {
    log("error", "not repaired", { reason: (error as Error).message });
  }
  const relay = new Relay(options.relay, journal, log);
  relay.onChunk = (chunk) => tell({ type: "chunk", phase: "finished", chunk });
  relay.onChunkBegun = (chunk) => tell({ type: "chunk", phase: "begun", chunk });
  try {
    listeners = await serveRelay(relay, options.ports, log);
  } catch (error) {
    tell({ type: "failed", message: (error as Error).message });
    return;
  }
  const timer = setInterval(() => tell({ type: "counters", ...snapshotOf(relay) }), COUNTERS_MS);
  port.on("message", () => {
    clearInterval(timer);
    relay.close();
    void Promise.all(listeners.map((listener) => listener.close())).then(() => tell({ type: "closed" }));
  });
  tell({
    type: "ready",
    ports: Object.fromEntries(listeners.map(({ name, port: number }) => [name, number])),
  });
}

function snapshotOf(relay: Relay) {
  const open = new Set([...relay.sessions.values()].map(({ user }) => user.path));
  return { counters: { ...relay.counters, sessions: relay.sessions.size }, open: [...open] };
}
