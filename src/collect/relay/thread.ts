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
/** After a thread's death the next one begins so much later, twice as much after each that dies soon. */
const FIRST_PAUSE_MS = 500;
const MOST_PAUSE_MS = 60_000;
/** Who ran so long did not die of its start. */
const SOUND_MS = 60_000;

export class RelayThread {
  /** By port name: control, data, live. */
  ports: Readonly<Record<string, number>> = {};
  counters: RelayCounters | undefined;
  /** Sessions that are being written: their directories, relative to the store. */
  open: readonly string[] = [];
  onChunk: ((phase: "begun" | "finished", chunk: FinishedChunk) => void) | undefined;
  /** Why there is no thread now; undefined: it runs. */
  trouble: string | undefined;
  #worker: Worker | undefined;
  #closed: (() => void) | undefined;
  #closing = false;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly options: RelayThreadOptions,
    private readonly log: Logger,
  ) {}

  /** Throws `PeriscopeError` when a port cannot be had. A thread that dies later is replaced by another one. */
  static async start(options: RelayThreadOptions, log: Logger): Promise<RelayThread> {
    const thread = new RelayThread(options, log);
    await thread.#run();
    return thread;
  }

  /** Resolves when it serves. Throws what it died of before. */
  async #run(): Promise<void> {
    const worker = new Worker(new URL("./relay-thread.js", import.meta.url), {
      workerData: { ...this.options, ports: this.#samePorts() },
    });
    this.#worker = worker;
    const began = performance.now();
    let serves = false;
    try {
      await new Promise<void>((resolve, reject) => {
        worker.on("message", (message: FromThread) => {
          if (message.type === "ready") {
            this.ports = message.ports;
            serves = true;
            resolve();
          } else if (message.type === "failed") reject(new PeriscopeError(message.message));
          else this.#take(message);
        });
        let reason = "it ended";
        worker.on("error", (error) => {
          reason = error.message;
        });
        worker.on("exit", () => {
          if (serves) this.#died(reason, performance.now() - began);
          else reject(new PeriscopeError(`relay: ${reason}`));
        });
      });
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** Whom senders and viewers knew before: the ports that the first thread was given. */
  #samePorts(): RelayPorts {
    const { control, data, live } = this.options.ports;
    const same = (name: "control" | "data" | "live", options: RelayPorts["control"]) => ({
      ...options,
      port: this.ports[name] ?? options.port,
    });
    return { control: same("control", control), data: same("data", data), live: same("live", live) };
  }

  #died(reason: string, ranMs: number): void {
    if (this.#closing) {
      this.#closed?.();
      return;
    }
    if (ranMs > SOUND_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#worker = undefined;
    this.trouble = `relay: ${reason}`;
    this.counters = undefined;
    this.open = [];
    this.log("error", "the relay died", { reason, again_after_ms: this.#pauseMs });
    this.#timer = setTimeout(() => void this.#again(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, MOST_PAUSE_MS);
  }

  async #again(): Promise<void> {
    try {
      await this.#run();
      this.trouble = undefined;
      this.log("info", "the relay runs again", this.ports);
    } catch (error) {
      this.#died((error as Error).message, 0);
    }
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
    this.#closing = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      worker.postMessage("close");
    });
    await worker.terminate();
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
