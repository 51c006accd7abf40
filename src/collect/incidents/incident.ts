/** What an incident is: a trigger, and what every host saved because of it. Moments are realtime ns. */
import type { Attributes } from "../../agent/protocol.js";

/** `late`: it froze its buffers, but what it saved begins after the moment of the trigger. */
export type HostState = "freezing" | "saving" | "stored" | "late" | "failed" | "lost";

/** One host of an incident. */
export interface IncidentHost {
  readonly host: string;
  state: HostState;
  /** When its buffers were frozen (its own clock), and how long after the trigger's arrival the collector knew (ms). */
  frozenNs: bigint | undefined;
  freezeMs: number | undefined;
  /** Of the trace. */
  beginNs: bigint | undefined;
  endNs: bigint | undefined;
  eventRecords: number;
  lostEventRecords: number;
  bytes: number;
  /** Its clock less the collector's, and how wrong that may be. */
  clockOffsetNs: number | undefined;
  clockErrorNs: number | undefined;
  /** Below the store. */
  path: string;
  reason: string;
}

/** `none`: no host was there. */
export type IncidentState = "saving" | "complete" | "incomplete" | "none" | "deleted";

/** `stored`: beside the traces. */
export type WhyState = "waiting" | "running" | "stored" | "failed" | "none";

export interface Incident {
  readonly id: string;
  readonly group: string;
  readonly cause: string;
  /** Host that saw it. */
  readonly host: string;
  /** When it was late, by who saw it; when the collector heard of it. */
  readonly atNs: bigint;
  readonly receivedNs: bigint;
  readonly attributes: Attributes;
  /** How many triggers it stands for, itself included. */
  triggers: number;
  /** Triggers that came while it was saved and for which nothing was done. */
  suppressed: number;
  state: IncidentState;
  why: WhyState;
  /** The first lines of the answer. */
  whySummary: string;
  readonly hosts: Map<string, IncidentHost>;
}

export function newHost(host: string, path: string): IncidentHost {
  return {
    host,
    state: "freezing",
    frozenNs: undefined,
    freezeMs: undefined,
    beginNs: undefined,
    endNs: undefined,
    eventRecords: 0,
    lostEventRecords: 0,
    bytes: 0,
    clockOffsetNs: undefined,
    clockErrorNs: undefined,
    path,
    reason: "",
  };
}

export function bytesOf(incident: Incident): number {
  let bytes = 0;
  for (const host of incident.hosts.values()) bytes += host.bytes;
  return bytes;
}

/** How long before the trigger the host's trace begins, by the collector's clock (s); undefined: not known. */
export function coverSeconds(incident: Incident, host: IncidentHost): number | undefined {
  if (host.beginNs === undefined) return undefined;
  return (Number(incident.atNs - host.beginNs) + (host.clockOffsetNs ?? 0)) / 1e9;
}

/** Of all hosts that saved anything, the least; undefined: none did. */
export function coveredByAll(incident: Incident): number | undefined {
  const covers = [...incident.hosts.values()]
    .map((host) => coverSeconds(incident, host))
    .filter((cover) => cover !== undefined);
  return covers.length === 0 ? undefined : Math.min(...covers);
}

/** How long what was late took (s), as whoever saw it says (`duration_ms`); undefined: it does not. */
export function lateSeconds({ attributes }: Incident): number | undefined {
  const ms = Number(attributes["duration_ms"]);
  return ms > 0 && Number.isFinite(ms) ? ms / 1e3 : undefined;
}

/** Hosts that saved something, but not from the begin of what was late on; none where its duration is not known. */
export function shortHosts(incident: Incident): IncidentHost[] {
  const wanted = lateSeconds(incident);
  if (wanted === undefined) return [];
  return [...incident.hosts.values()].filter((host) => {
    const cover = coverSeconds(incident, host);
    return cover !== undefined && cover < wanted;
  });
}

/** Plain data for JSON: moments as decimal text. */
export function incidentJson(incident: Incident): Record<string, unknown> {
  const { hosts, atNs, receivedNs, ...rest } = incident;
  return {
    ...rest,
    atNs: String(atNs),
    receivedNs: String(receivedNs),
    bytes: bytesOf(incident),
    coveredSeconds: coveredByAll(incident) ?? null,
    lateSeconds: lateSeconds(incident) ?? null,
    shortHosts: shortHosts(incident).map(({ host }) => host),
    hosts: [...hosts.values()].map((host) => ({
      ...host,
      frozenNs: textOf(host.frozenNs),
      beginNs: textOf(host.beginNs),
      endNs: textOf(host.endNs),
      freezeMs: host.freezeMs ?? null,
      clockOffsetNs: host.clockOffsetNs ?? null,
      clockErrorNs: host.clockErrorNs ?? null,
      coveredSeconds: coverSeconds(incident, host) ?? null,
    })),
  };
}

function textOf(moment: bigint | undefined): string | null {
  return moment === undefined ? null : String(moment);
}
