/**
 * From a trigger to an incident that is explained: decides by the limits, tells all agents of the group at once, keeps
 * account of what arrives, and ends the incident when all hosts have sent theirs or time is up.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encodeMessage } from "../../agent/protocol.js";
import { realtimeNs } from "../../base/realtime.js";
import type { AgentEvents, Saved } from "../agents/agent-connection.js";
import type { Agent, AgentRegistry } from "../agents/registry.js";
import { SnapshotFiles } from "../agents/snapshot-files.js";
import type { Logger } from "../log.js";
import { DEFAULT_LIMITS, type Decision, type LimitOptions, TriggerLimits } from "../triggers/limits.js";
import { DEFAULT_GROUP, type Trigger } from "../triggers/trigger.js";
import { bytesOf, coverSeconds, type Incident, type IncidentHost, newHost } from "./incident.js";
import type { IncidentIndex } from "./index-file.js";

/** After so long without all of them, an incident ends with what it has. Late ones are still taken. */
const COMPLETE_MS = 120_000;
/** What storms can change is written so seldom. */
const FLUSH_MS = 500;
/** Incidents in memory: those whose hosts may still send. */
const MAX_RECENT = 200;

/** See `#newId`. */
const ID = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d{3})$/;

export interface CoordinatorOptions {
  readonly store: string;
  readonly limits?: Partial<LimitOptions>;
  /** Called when an incident has what it will have: to explain it. */
  readonly onComplete: (incident: Incident) => void;
}

export interface TriggerCounters {
  received: number;
  incidents: number;
  joined: number;
  /** By group, then reason. */
  readonly suppressed: Map<string, Map<string, number>>;
}

/** What a trigger led to. */
export type TriggerOutcome =
  | Exclude<Decision, { kind: "incident" }>
  | { readonly kind: "incident"; readonly incident: string };

export class Coordinator implements AgentEvents {
  readonly counters: TriggerCounters = { received: 0, incidents: 0, joined: 0, suppressed: new Map() };
  /** Trigger to "frozen" of each host, ms: sums for the metrics. */
  readonly freezes = { count: 0, sumMs: 0, maxMs: 0 };
  readonly #limits: TriggerLimits;
  readonly #recent = new Map<string, Incident>();
  readonly #began = new Map<string, number>();
  readonly #dirty = new Set<Incident>();
  readonly #dirtySuppressed = new Set<string>();
  #flush: NodeJS.Immediate | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #lastIdMs = 0;
  #closed = false;

  constructor(
    private readonly options: CoordinatorOptions,
    private readonly registry: AgentRegistry,
    private readonly index: IncidentIndex,
    private readonly log: Logger,
  ) {
    this.#limits = new TriggerLimits({ ...DEFAULT_LIMITS, ...options.limits });
    for (const { group, reason, count } of index.suppressed()) this.#reasons(group).set(reason, count);
  }

  /** A former run was killed: its incidents wait for their hosts again. To be called once, when `onComplete` may be. */
  resume(): void {
    for (const incident of this.index.unfinished()) this.#takeUp(incident);
  }

  #takeUp(incident: Incident): void {
    this.#remember(incident);
    for (const host of incident.hosts.values()) {
      if (host.state === "freezing") this.#hostFailed(incident, host, "lost", "the collector was restarted");
    }
    if (incident.state === "saving") {
      this.#expect(incident);
      this.#checkComplete(incident);
    } else this.options.onComplete(incident);
  }

  trigger(trigger: Trigger): TriggerOutcome {
    const nowMs = performance.now();
    this.counters.received += trigger.count;
    const decision = this.#limits.decide(trigger.group, trigger.cause, nowMs);
    if (decision.kind === "incident") return { kind: "incident", incident: this.#begin(trigger, nowMs) };
    if (decision.kind === "joins") {
      this.counters.joined += trigger.count;
      const incident = this.#recent.get(decision.incident);
      if (incident !== undefined) {
        incident.triggers += trigger.count;
        this.#write(incident, false);
      }
      return decision;
    }
    this.#suppress(trigger, decision.reason);
    return decision;
  }

  #suppress(trigger: Trigger, reason: string): void {
    const reasons = this.#reasons(trigger.group);
    const before = reasons.get(reason) ?? 0;
    reasons.set(reason, before + trigger.count);
    this.#dirtySuppressed.add(trigger.group);
    const latest = [...this.#recent.values()].at(-1);
    if (reason === "cool-down" && latest?.group === trigger.group) {
      latest.suppressed += trigger.count;
      this.#dirty.add(latest);
    }
    this.#flushSoon();
    if (before === 0)
      this.log("warn", "trigger suppressed", { group: trigger.group, cause: trigger.cause, reason });
  }

  #reasons(group: string): Map<string, number> {
    let reasons = this.counters.suppressed.get(group);
    if (reasons === undefined) {
      reasons = new Map();
      this.counters.suppressed.set(group, reasons);
    }
    return reasons;
  }

  /** The order matters: first all agents are told, everything else comes after. */
  #begin(trigger: Trigger, nowMs: number): string {
    const id = this.#newId();
    const agents = this.registry.inGroup(trigger.group);
    const message = encodeMessage({
      type: "freeze",
      incident: id,
      cause: trigger.cause,
      atNs: String(trigger.atNs),
    });
    for (const agent of agents) agent.sendEncoded(message);
    this.#limits.begin(trigger.group, trigger.cause, id, nowMs);
    this.#began.set(id, nowMs);
    this.counters.incidents++;
    this.counters.joined += trigger.count - 1;
    const path = (host: string) => join("incidents", id, host);
    const incident: Incident = {
      id,
      group: trigger.group,
      cause: trigger.cause,
      host: trigger.host,
      atNs: trigger.atNs,
      receivedNs: realtimeNs(),
      attributes: trigger.attributes,
      triggers: trigger.count,
      suppressed: 0,
      state: "saving",
      why: "waiting",
      whySummary: "",
      hosts: new Map(agents.map(({ info }) => [info.host, newHost(info.host, path(info.host))])),
    };
    for (const { info } of agents) {
      const host = incident.hosts.get(info.host)!;
      host.clockOffsetNs = info.clockOffsetNs;
      host.clockErrorNs = info.clockErrorNs;
    }
    this.#remember(incident);
    this.#expect(incident);
    // Written a little later: what the agents answer comes first.
    this.#write(incident, false);
    this.log("info", "incident", {
      incident: id,
      group: trigger.group,
      cause: trigger.cause,
      host: trigger.host,
      agents: agents.length,
    });
    if (agents.length === 0) setImmediate(() => this.#checkComplete(incident));
    return id;
  }

  /** `20261124-144501-250`: UTC with milliseconds, sorts by time. Made without looking anywhere: agents wait. */
  #newId(): string {
    this.#lastIdMs = Math.max(Date.now(), this.#lastIdMs + 1);
    return new Date(this.#lastIdMs)
      .toISOString()
      .slice(0, 23)
      .replace(/[-:]/g, "")
      .replace("T", "-")
      .replace(".", "-");
  }

  #remember(incident: Incident): void {
    this.#recent.set(incident.id, incident);
    if (this.#recent.size <= MAX_RECENT) return;
    const oldest = this.#recent.keys().next().value!;
    this.#recent.delete(oldest);
    this.#began.delete(oldest);
  }

  /** As it is now; older ones from the index. */
  find(id: string): Incident | undefined {
    return this.#recent.get(id) ?? this.index.get(id);
  }

  frozen(hostName: string, id: string, atNs: bigint): void {
    const incident = this.#recent.get(id);
    const host = incident?.hosts.get(hostName);
    if (incident === undefined || host === undefined || host.state !== "freezing") return;
    host.state = "saving";
    host.frozenNs = atNs;
    const began = this.#began.get(id);
    if (began !== undefined) {
      host.freezeMs = performance.now() - began;
      this.freezes.count++;
      this.freezes.sumMs += host.freezeMs;
      this.freezes.maxMs = Math.max(this.freezes.maxMs, host.freezeMs);
    }
    this.#write(incident, false);
  }

  failed(hostName: string, id: string, reason: string): void {
    const incident = this.find(id);
    const host = incident?.hosts.get(hostName);
    if (incident === undefined || host === undefined) return;
    this.#hostFailed(incident, host, "failed", reason.slice(0, 500));
    this.#checkComplete(incident);
  }

  #hostFailed(incident: Incident, host: IncidentHost, state: "failed" | "lost", reason: string): void {
    host.state = state;
    host.reason = reason;
    this.#write(incident, true);
    this.log("warn", "host failed", { incident: incident.id, host: host.host, reason });
  }

  files(hostName: string, id: string): SnapshotFiles | undefined {
    const incident = this.find(id) ?? this.#unknown(id);
    if (incident === undefined || incident.state === "deleted") return undefined;
    if (!incident.hosts.has(hostName)) {
      incident.hosts.set(hostName, newHost(hostName, join("incidents", id, hostName)));
    }
    mkdirSync(join(this.options.store, "incidents", id), { recursive: true, mode: 0o770 });
    return new SnapshotFiles(join(this.options.store, "incidents", id, hostName));
  }

  /** The collector was killed before it had written the incident: its snapshots are kept all the same. */
  #unknown(id: string): Incident | undefined {
    const match = ID.exec(id);
    if (match === null) return undefined;
    const [, year, month, day, hour, minute, second, milli] = match;
    const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milli}Z`);
    if (Number.isNaN(ms)) return undefined;
    const atNs = BigInt(ms) * 1_000_000n;
    const incident: Incident = {
      ...{
        id,
        group: DEFAULT_GROUP,
        cause: "not known: the collector was restarted",
        host: "",
        attributes: {},
      },
      ...{
        atNs,
        receivedNs: atNs,
        triggers: 1,
        suppressed: 0,
        state: "saving",
        why: "waiting",
        whySummary: "",
      },
      hosts: new Map(),
    };
    this.#remember(incident);
    this.#expect(incident);
    return incident;
  }

  /** It ends after a while, whoever has not come until then. */
  #expect(incident: Incident): void {
    this.#timers.set(
      incident.id,
      setTimeout(() => this.#complete(incident), COMPLETE_MS),
    );
  }

  saved(hostName: string, id: string, saved: Saved): void {
    const incident = this.find(id);
    const host = incident?.hosts.get(hostName);
    if (incident === undefined || host === undefined) return;
    host.beginNs = saved.beginNs;
    host.endNs = saved.endNs;
    host.eventRecords = saved.eventRecords;
    host.lostEventRecords = saved.lost;
    host.bytes = saved.bytes;
    host.reason = "";
    const late = (coverSeconds(incident, host) ?? 0) < 0;
    host.state = late ? "late" : "stored";
    this.#limits.stored(saved.bytes, performance.now());
    this.#write(incident, true);
    this.log(late ? "warn" : "info", "snapshot stored", {
      incident: id,
      host: hostName,
      bytes: saved.bytes,
      coversSeconds: coverSeconds(incident, host),
    });
    const wasComplete = incident.state !== "saving";
    this.#checkComplete(incident);
    // A host that was away sent its part after all: the explanation is made again.
    if (wasComplete) this.#explainAgain(incident);
  }

  #explainAgain(incident: Incident): void {
    incident.state = this.#finalState(incident);
    incident.why = "waiting";
    this.#write(incident, true);
    this.options.onComplete(incident);
  }

  connected(_agent: Agent): void {}

  /** What it had begun it will send when it comes again. */
  gone(agent: Agent): void {
    for (const incident of this.#recent.values()) {
      const host = incident.hosts.get(agent.info.host);
      if (host?.state !== "freezing" || this.registry.get(agent.info.host) !== undefined) continue;
      this.#hostFailed(incident, host, "lost", "the agent was gone before its buffers were frozen");
      this.#checkComplete(incident);
    }
  }

  #checkComplete(incident: Incident): void {
    if (incident.state !== "saving") return;
    const pending = [...incident.hosts.values()].some(
      ({ state }) => state === "freezing" || state === "saving",
    );
    if (!pending) this.#complete(incident);
  }

  #finalState(incident: Incident): Incident["state"] {
    if (incident.hosts.size === 0) return "none";
    const all = [...incident.hosts.values()].every(({ state }) => state === "stored" || state === "late");
    return all ? "complete" : "incomplete";
  }

  #complete(incident: Incident): void {
    if (incident.state !== "saving") return;
    clearTimeout(this.#timers.get(incident.id));
    this.#timers.delete(incident.id);
    incident.state = this.#finalState(incident);
    this.#limits.finish(incident.group, incident.id);
    if (bytesOf(incident) === 0) incident.why = "none";
    this.#write(incident, true);
    this.log("info", "incident complete", {
      incident: incident.id,
      state: incident.state,
      hosts: incident.hosts.size,
      bytes: bytesOf(incident),
    });
    if (incident.why === "waiting") this.options.onComplete(incident);
  }

  /** What the explanation changed. */
  update(incident: Incident): void {
    this.#write(incident, true);
  }

  /** Everything is written after whatever else is to be done now; what storms can change, a second later. */
  #write(incident: Incident, soon: boolean): void {
    this.#dirty.add(incident);
    if (soon) this.#flush ??= setImmediate(() => this.flush());
    else this.#flushSoon();
  }

  #flushSoon(): void {
    this.#flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  flush(): void {
    clearImmediate(this.#flush);
    clearTimeout(this.#flushTimer);
    this.#flush = undefined;
    this.#flushTimer = undefined;
    if (this.#closed) return;
    try {
      for (const incident of this.#dirty) {
        this.index.put(incident);
        this.#dirty.delete(incident);
      }
      for (const group of this.#dirtySuppressed) {
        for (const [reason, count] of this.#reasons(group)) this.index.putSuppressed(group, reason, count);
        this.#dirtySuppressed.delete(group);
      }
    } catch (error) {
      this.log("error", "index not written", { reason: (error as Error).message });
      this.#flushSoon();
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.flush();
    // What connections that end now still tell is found out anew by the next run: the index is closed.
    this.#closed = true;
    clearTimeout(this.#flushTimer);
  }
}
