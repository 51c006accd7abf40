/** Numbers for Prometheus, in its text format 0.0.4. */
import type { AgentRegistry } from "./agents/registry.js";
import type { Coordinator } from "./incidents/coordinator.js";
import type { RelayCounters } from "./relay/relay.js";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

export interface MetricSources {
  readonly coordinator: Coordinator;
  readonly registry: AgentRegistry;
  readonly relay: RelayCounters | undefined;
  readonly storeBytes: number;
  readonly removedBytes: number;
}

/** The whole page. */
export function metricsText(sources: MetricSources): string {
  const { coordinator, registry, relay } = sources;
  const { counters, freezes } = coordinator;
  const suppressed: Sample[] = [];
  for (const [group, reasons] of counters.suppressed) {
    for (const [reason, count] of reasons) suppressed.push([{ group, reason }, count]);
  }
  const agents = registry.all().map(({ info }) => info);
  const perAgent = (value: (info: (typeof agents)[number]) => number | undefined): Sample[] =>
    agents.flatMap((info) => {
      const one = value(info);
      return one === undefined ? [] : [[{ host: info.host, group: info.group }, one] as const];
    });
  const page = new Page();
  page.add("triggers_total", "counter", "Triggers that came.", [[{}, counters.received]]);
  page.add("triggers_joined_total", "counter", "Triggers that belonged to a young incident.", [
    [{}, counters.joined],
  ]);
  page.add(
    "triggers_suppressed_total",
    "counter",
    "Triggers for which nothing was done, by limit.",
    suppressed,
  );
  page.add("incidents_total", "counter", "Incidents since the collector began.", [[{}, counters.incidents]]);
  page.summary(
    "freeze_seconds",
    "From trigger to frozen, of every host.",
    freezes.sumMs / 1e3,
    freezes.count,
  );
  page.add("freeze_seconds_max", "gauge", "The longest way from trigger to frozen.", [
    [{}, freezes.maxMs / 1e3],
  ]);
  page.add("agents", "gauge", "Agents that are connected.", [[{}, registry.size]]);
  page.add("agent_disconnects_total", "counter", "Agents that went.", [[{}, registry.disconnects]]);
  page.add(
    "agent_depth_seconds",
    "gauge",
    "How far back a host could save now, where its tracer tells; 0 when it does not record.",
    perAgent((a) => a.depthSeconds),
  );
  page.add(
    "agent_lost_event_records_total",
    "counter",
    "Event records that a host lost.",
    perAgent((a) => a.lost),
  );
  page.add(
    "agent_clock_offset_seconds",
    "gauge",
    "A host's clock less the collector's.",
    perAgent((a) => (a.clockOffsetNs === undefined ? undefined : a.clockOffsetNs / 1e9)),
  );
  page.add(
    "agent_round_trip_seconds",
    "gauge",
    "To a host and back.",
    perAgent((a) => (a.roundTripMs === undefined ? undefined : a.roundTripMs / 1e3)),
  );
  page.add("store_bytes", "gauge", "Size of the store, when last measured.", [[{}, sources.storeBytes]]);
  page.add("store_removed_bytes_total", "counter", "Removed by retention.", [[{}, sources.removedBytes]]);
  if (relay !== undefined) {
    page.add("relay_connections", "gauge", "Connections of tracers and viewers.", [[{}, relay.connections]]);
    page.add("relay_sessions", "gauge", "Sessions that are being written.", [[{}, relay.sessions]]);
    page.add("relay_packets_total", "counter", "Packets stored.", [[{}, relay.packets]]);
    page.add("relay_bytes_total", "counter", "Bytes stored.", [[{}, relay.bytes]]);
    page.add("relay_discarded_events_total", "counter", "Event records that tracers told to be lost.", [
      [{}, Number(relay.discarded)],
    ]);
    page.add("relay_disk_full", "gauge", "1: senders wait for space.", [[{}, relay.full ? 1 : 0]]);
  }
  return page.text;
}

class Page {
  text = "";

  /** A sum and a count, without quantiles. */
  summary(name: string, help: string, sum: number, count: number): void {
    this.text += `# HELP periscope_${name} ${help}\n# TYPE periscope_${name} summary\n`;
    this.text += `periscope_${name}_sum ${sum}\nperiscope_${name}_count ${count}\n`;
  }

  add(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): void {
    this.text += `# HELP periscope_${name} ${help}\n# TYPE periscope_${name} ${type}\n`;
    for (const [labels, value] of samples) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      this.text += `periscope_${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
    }
  }
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
