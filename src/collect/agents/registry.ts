/** The agents that are connected now, by group. */
import type { CollectorMessage } from "../../agent/protocol.js";

export interface AgentInfo {
  readonly host: string;
  readonly group: string;
  readonly backend: string;
  readonly peer: string;
  readonly sinceNs: bigint;
  /** How far back it could save now; undefined: its tracer does not tell. */
  depthSeconds: number | undefined;
  lost: number;
  clockOffsetNs: number | undefined;
  clockErrorNs: number | undefined;
  /** Round trip of the latest ping, ms. */
  roundTripMs: number | undefined;
  unsent: number;
}

export interface Agent {
  readonly info: AgentInfo;
  send(message: CollectorMessage): void;
  /** The same with the message encoded: for many agents at once. */
  sendEncoded(bytes: Uint8Array): void;
  /** Ends the connection. */
  drop(reason: string): void;
}

export class AgentRegistry {
  readonly #agents = new Map<string, Agent>();
  /** Agents that came, and that went. */
  connects = 0;
  disconnects = 0;

  /** A host that connects again replaces its former connection, which may not have been missed yet. */
  add(agent: Agent): void {
    this.#agents.get(agent.info.host)?.drop("the host connected again");
    this.#agents.set(agent.info.host, agent);
    this.connects++;
  }

  remove(agent: Agent): void {
    if (this.#agents.get(agent.info.host) === agent) this.#agents.delete(agent.info.host);
    this.disconnects++;
  }

  get(host: string): Agent | undefined {
    return this.#agents.get(host);
  }

  get size(): number {
    return this.#agents.size;
  }

  all(): Agent[] {
    return [...this.#agents.values()].sort((a, b) => (a.info.host < b.info.host ? -1 : 1));
  }

  inGroup(group: string): Agent[] {
    return [...this.#agents.values()].filter((agent) => agent.info.group === group);
  }
}
