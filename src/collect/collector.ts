/** The collector: its parts, put together, started and stopped in order. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { realtimeNs } from "../base/realtime.js";
import { type AgentAccess, serveAgent } from "./agents/agent-connection.js";
import { AgentRegistry } from "./agents/registry.js";
import { removePartial } from "./agents/snapshot-files.js";
import { type HttpListener, type HttpOptions, serveHttp } from "./http.js";
import { Coordinator } from "./incidents/coordinator.js";
import { Explainer } from "./incidents/explain.js";
import type { Incident } from "./incidents/incident.js";
import { IncidentIndex } from "./incidents/index-file.js";
import { type Listener, type ListenOptions, listen } from "./listen.js";
import type { Logger } from "./log.js";
import { metricsText } from "./metrics.js";
import type { FinishedChunk } from "./relay/relay.js";
import type { RelayPorts } from "./relay/serve.js";
import { RelayThread } from "./relay/thread.js";
import { Retention, type RetentionOptions } from "./retention.js";
import { lockStore } from "./store-lock.js";
import type { LimitOptions } from "./triggers/limits.js";
import { DEFAULT_GROUP, type Trigger } from "./triggers/trigger.js";

const SWEEP_MS = 60_000;
/** Snapshots whose name begins so were asked for by LTTng's own trigger: see `periscope collect --help`. */
export const LTTNG_TRIGGER = "periscope-trigger";

export interface CollectorOptions {
  readonly store: string;
  readonly relay: RelayPorts;
  readonly allowClear: boolean;
  /** What LTTng streams survives a power cut once it is acknowledged, not only the end of this program. */
  readonly sync: boolean;
  readonly agents: ListenOptions;
  readonly http: Omit<HttpOptions, "token">;
  /** Agents and callers by HTTP must know it. */
  readonly token: string | undefined;
  readonly limits: Partial<LimitOptions>;
  readonly retention: RetentionOptions;
  /** The program `periscope`, and arguments of `why`. */
  readonly program: string;
  readonly whyArguments: readonly string[];
}

export class Collector {
  readonly registry = new AgentRegistry();
  #coordinator!: Coordinator;
  #explainer!: Explainer;
  #relay: RelayThread | undefined;
  #agents: Listener | undefined;
  #http: HttpListener | undefined;
  #retention!: Retention;
  #sweeper: NodeJS.Timeout | undefined;
  #index!: IncidentIndex;

  private constructor(
    private readonly options: CollectorOptions,
    private readonly log: Logger,
    private readonly unlock: () => void,
  ) {}

  /** Throws `PeriscopeError` when the store or a port cannot be had. */
  static async start(options: CollectorOptions, log: Logger): Promise<Collector> {
    try {
      mkdirSync(options.store, { recursive: true });
    } catch (error) {
      throw new PeriscopeError(`${options.store}: ${(error as Error).message}`);
    }
    const collector = new Collector(options, log, lockStore(options.store));
    try {
      await collector.#start();
    } catch (error) {
      await collector.close();
      throw error;
    }
    return collector;
  }

  /** By name: control, data, live, agents, http. */
  get ports(): Readonly<Record<string, number>> {
    return { ...this.#relay?.ports, agents: this.#agents?.port ?? 0, http: this.#http?.port ?? 0 };
  }

  async #start(): Promise<void> {
    const { options, log } = this;
    const { store } = options;
    removePartial(join(store, "incidents"));
    this.#index = IncidentIndex.open(store);
    this.#explainer = new Explainer(
      { store, program: options.program, whyArguments: options.whyArguments },
      (incident) => this.#coordinator.update(incident),
      log,
    );
    this.#coordinator = new Coordinator(
      { store, limits: options.limits, onComplete: (incident) => this.#explainer.explain(incident) },
      this.registry,
      this.#index,
      log,
    );
    this.#coordinator.resume();
    this.#relay = await RelayThread.start(
      { relay: { store, allowClear: options.allowClear, sync: options.sync }, ports: options.relay },
      log,
    );
    this.#relay.onChunk = (phase, chunk) => this.#chunk(phase, chunk);
    const access: AgentAccess = { token: options.token, plain: options.agents.tls === undefined };
    this.#agents = await listen("agents", options.agents, log, (socket, peer) => {
      serveAgent(socket, peer, access, this.registry, this.#coordinator, log);
    });
    this.#http = await serveHttp({ ...options.http, token: options.token }, this.#handlers());
    this.#retention = new Retention(
      store,
      options.retention,
      () => this.#inUse(),
      (id) => this.#deleted(id),
      log,
    );
    this.#sweeper = setInterval(() => void this.#retention.sweep(Date.now()), SWEEP_MS);
    void this.#retention.sweep(Date.now());
  }

  #handlers() {
    return {
      trigger: (trigger: Trigger) => this.#coordinator.trigger(trigger),
      incidents: (limit: number) => {
        this.#coordinator.flush();
        return this.#index.list(limit);
      },
      incident: (id: string) => this.#coordinator.find(id),
      why: (id: string, format: "txt" | "json") => {
        const path = join(this.options.store, "incidents", id, `why.${format}`);
        return this.#coordinator.find(id)?.why === "stored" && existsSync(path)
          ? readFileSync(path, "utf8")
          : undefined;
      },
      agents: () => this.registry.all().map(({ info }) => ({ ...info, sinceNs: String(info.sinceNs) })),
      metrics: () =>
        metricsText({
          coordinator: this.#coordinator,
          registry: this.registry,
          relay: this.#relay?.counters,
          storeBytes: this.#retention.storeBytes,
          removedBytes: this.#retention.removedBytes,
        }),
      troubles: () => [
        ...(this.#relay?.trouble === undefined ? [] : [this.#relay.trouble]),
        ...(this.#relay?.counters?.full === true ? ["the disk is full"] : []),
      ],
    };
  }

  /** A snapshot that an LTTng trigger made: everybody else saves, too. */
  #chunk(phase: "begun" | "finished", chunk: FinishedChunk): void {
    if (phase !== "begun" || !chunk.name.startsWith(LTTNG_TRIGGER)) return;
    const group = /^periscope-trigger\.([\w]+)/.exec(chunk.name)?.[1] ?? DEFAULT_GROUP;
    this.#coordinator.trigger({
      cause: `LTTng trigger, session ${chunk.session}`,
      group,
      atNs: realtimeNs(),
      count: 1,
      attributes: { session: chunk.session, snapshot: chunk.directory },
      host: chunk.host,
    });
  }

  /** The newest incident, those which still arrive, and sessions that are being written. */
  #inUse(): ReadonlySet<string> {
    const [newest, ...others] = this.#index.list(100);
    const busy = others.filter(({ state, why }) => state === "saving" || why === "running");
    const incidents = newest === undefined ? busy : [newest, ...busy];
    return new Set([...incidents.map(({ id }) => join("incidents", id)), ...(this.#relay?.open ?? [])]);
  }

  #deleted(id: string): void {
    const incident: Incident | undefined = this.#coordinator.find(id);
    if (incident === undefined) return;
    incident.state = "deleted";
    for (const host of incident.hosts.values()) host.bytes = 0;
    this.#coordinator.update(incident);
  }

  trigger(trigger: Trigger): void {
    this.#coordinator.trigger(trigger);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#explainer?.close();
    await this.#http?.close();
    await this.#agents?.close();
    await this.#relay?.close();
    this.#coordinator?.close();
    this.#index?.close();
    this.unlock();
  }
}
