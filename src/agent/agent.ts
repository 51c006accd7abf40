/**
 * The agent: keeps the flight recorder armed and the connection to the collector open, hands triggers of this host on,
 * and on the collector's word stops the buffers first and saves them afterwards.
 */
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { realtimeNs } from "../base/realtime.js";
import type { FlightRecorder } from "../record/recorder.js";
import { type CollectorAddress, CollectorConnection, type Identity } from "./connection.js";
import { Outbox } from "./outbox.js";
import { StormFilter } from "./storm.js";
import { parseTriggerLine } from "./trigger-line.js";
import { type TriggerSocketOptions, TriggerSockets } from "./trigger-sockets.js";

const STATUS_MS = 1000;
const MAX_UNSENT = 20;
/** Hosts may share a machine: all should have stopped their buffers before one begins to copy. What is frozen can wait. */
const SAVE_AFTER_MS = 100;

export type Say = (
  level: "info" | "warn" | "error",
  event: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;

export interface AgentOptions {
  readonly collector: CollectorAddress;
  readonly identity: Omit<Identity, "backend">;
  readonly sockets: TriggerSocketOptions;
  /** Snapshots lie here until the collector has them. */
  readonly spool: string;
}

export class Agent {
  readonly #connection: CollectorConnection;
  readonly #outbox: Outbox;
  readonly #storm: StormFilter;
  readonly #status: NodeJS.Timeout;
  #sockets: TriggerSockets | undefined;
  #saving: string | undefined;
  #badLines = 0;

  private constructor(
    options: AgentOptions,
    private readonly recorder: FlightRecorder,
    private readonly say: Say,
  ) {
    this.#outbox = new Outbox(
      join(options.spool, "unsent"),
      MAX_UNSENT,
      () => this.#connection,
      (event, fields) => say("warn", event, fields),
    );
    this.#connection = new CollectorConnection(
      options.collector,
      { ...options.identity, backend: recorder.backend },
      {
        connected: () => {
          this.#sendStatus();
          this.#outbox.send();
        },
        freeze: (incident) => this.#freeze(incident),
        stored: (incident) => this.#outbox.forget(incident),
        say,
      },
    );
    this.#storm = new StormFilter((message) => this.#connection.send(message));
    this.#status = setInterval(() => this.#sendStatus(), STATUS_MS);
  }

  /** Throws `PeriscopeError` when a socket cannot be had. */
  static async start(options: AgentOptions, recorder: FlightRecorder, say: Say): Promise<Agent> {
    const agent = new Agent(options, recorder, say);
    try {
      agent.#sockets = await TriggerSockets.open(
        options.sockets,
        (line) => agent.#line(line),
        (event, fields) => say("warn", event, fields),
      );
    } catch (error) {
      await agent.close();
      throw error;
    }
    return agent;
  }

  #line(line: string): void {
    try {
      this.#storm.trigger(parseTriggerLine(line));
    } catch (error) {
      if (this.#badLines++ % 1000 === 0) {
        this.say("warn", "not a trigger", { reason: (error as Error).message, so_far: this.#badLines });
      }
    }
  }

  #sendStatus(): void {
    if (!this.#connection.isOpen) return;
    const { seconds, lost } = this.recorder.depth();
    const clock = this.#connection.clock;
    this.#connection.send({
      type: "status",
      ...(seconds !== undefined && { depthSeconds: seconds }),
      lost,
      unsent: this.#outbox.length,
      ...(clock && { clockOffsetNs: clock.offsetNs, clockErrorNs: clock.errorNs }),
    });
  }

  /** The buffers first. */
  #freeze(incident: string): void {
    if (this.#saving !== undefined) {
      this.#connection.send({ type: "failed", incident, reason: `still saving ${this.#saving}` });
      return;
    }
    try {
      this.recorder.freeze();
    } catch (error) {
      this.#connection.send({ type: "failed", incident, reason: (error as Error).message });
      return;
    }
    this.#connection.send({ type: "frozen", incident, atNs: String(realtimeNs()) });
    this.#saving = incident;
    setTimeout(() => void this.#save(incident), SAVE_AFTER_MS);
  }

  async #save(incident: string): Promise<void> {
    try {
      const place = this.#outbox.place(incident);
      const { beginNs, endNs, eventRecords, lost } = await this.recorder.save(place);
      this.#outbox.add({ incident, beginNs: String(beginNs), endNs: String(endNs), eventRecords, lost });
      this.say("info", "snapshot saved", { incident, eventRecords });
    } catch (error) {
      const reason =
        error instanceof PeriscopeError ? error.message : `not saved: ${(error as Error).message}`;
      this.#outbox.forget(incident);
      this.#connection.send({ type: "failed", incident, reason });
      this.say("error", "snapshot not saved", { incident, reason });
    } finally {
      this.#saving = undefined;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#status);
    this.#storm.close();
    this.#sockets?.close();
    this.#connection.close();
    await this.recorder.close();
  }
}
