/** Incidents as a table, and one incident as a page. */
import { formatCount, formatDuration, formatSize } from "../base/format.js";
import {
  bytesOf,
  coveredByAll,
  coverSeconds,
  type Incident,
  type IncidentHost,
  lateSeconds,
  shortHosts,
} from "../collect/incidents/incident.js";
import { ClockText } from "./clock-text.js";
import { heading, paint, printable, type TextOptions, table, wrap } from "./text.js";

export interface IncidentTextOptions extends TextOptions {
  readonly gmt: boolean;
}

const seconds = (value: number | undefined): string =>
  value === undefined ? "–" : value < 0 ? "too late" : formatDuration(value * 1e9);
const ms = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(1)} ms`);

/** One word for where an incident is: being saved, explained, or done. */
function stateOf({ state, why }: Incident): string {
  if (state !== "complete") return state;
  return { waiting: state, running: "explaining", stored: "explained", failed: "no answer", none: state }[
    why
  ];
}

/** Lines of `text`, indented by two columns. */
function indented(text: string, options: TextOptions): string[] {
  return wrap(printable(text), options.width - 2).map((line) => `  ${line}`);
}

/** The least that is covered; `!`: it took longer. */
function coverCell(incident: Incident): string {
  const hosts = [...incident.hosts.values()].filter(({ beginNs }) => beginNs !== undefined);
  const late = hosts.filter(({ state }) => state === "late").length;
  if (late > 0) return late < hosts.length ? `${late} late` : "too late";
  return seconds(coveredByAll(incident)) + (shortHosts(incident).length > 0 ? "!" : "");
}

/** Newest first, as given. The date is in the incident's name, the seconds as well. */
export function incidentsText(incidents: readonly Incident[], options: IncidentTextOptions): string {
  if (incidents.length === 0) return "No incidents.\n";
  const clock = new ClockText({ gmt: options.gmt, date: false });
  const rows = incidents.map((incident) => {
    const hosts = [...incident.hosts.values()];
    const here = hosts.filter(({ state }) => state === "stored" || state === "late").length;
    return [
      incident.id,
      clock.format(incident.atNs).slice(0, 5),
      incident.cause,
      `${here} of ${hosts.length}`,
      coverCell(incident),
      formatSize(bytesOf(incident)),
      stateOf(incident),
    ];
  });
  const lines = table(
    [
      { title: "incident", align: "left" },
      { title: "when", align: "left" },
      { title: "cause", align: "left", shrinks: true },
      { title: "hosts", align: "left" },
      { title: "covers", align: "right" },
      { title: "size", align: "right" },
      { title: "state", align: "left" },
    ],
    rows,
    options,
  );
  if (incidents.some((incident) => shortHosts(incident).length > 0)) {
    lines.push(
      "",
      ...indented("!: it took longer than what is covered; periscope incident ID says more", options),
    );
  }
  return `${lines.join("\n")}\n`;
}

export interface SuppressedCount {
  readonly group: string;
  readonly reason: string;
  readonly count: number;
}

export function suppressedText(counts: readonly SuppressedCount[]): string {
  if (counts.length === 0) return "";
  const parts = counts.map(
    ({ group, reason, count }) => `${formatCount(count)} by ${reason} (${printable(group)})`,
  );
  return `\nSuppressed: ${parts.join(", ")}\n`;
}

function hostRow(incident: Incident, host: IncidentHost): string[] {
  const { clockOffsetNs, clockErrorNs } = host;
  return [
    host.host,
    host.reason === "" ? host.state : `${host.state}: ${host.reason}`,
    ms(host.freezeMs),
    seconds(coverSeconds(incident, host)),
    host.bytes === 0 ? "–" : formatCount(host.eventRecords),
    formatCount(host.lostEventRecords),
    host.bytes === 0 ? "–" : formatSize(host.bytes),
    clockOffsetNs === undefined
      ? "–"
      : `${clockOffsetNs < 0 ? "" : "+"}${formatDuration(clockOffsetNs)} ±${formatDuration(clockErrorNs ?? 0)}`,
  ];
}

/** `why`: the stored explanation; undefined: there is none. */
export function incidentText(
  incident: Incident,
  directory: string,
  why: string | undefined,
  options: IncidentTextOptions,
): string {
  const clock = new ClockText({ gmt: options.gmt, date: true });
  const row = (label: string, value: string) =>
    wrap(printable(value), options.width - 14)
      .map((line, i) => `  ${(i === 0 ? label : "").padEnd(12)}${line}`)
      .join("\n");
  const attributes = Object.entries(incident.attributes).map(([key, value]) => `${key}=${value}`);
  const lines = [
    heading(`Incident ${incident.id}`, options),
    row("cause", incident.cause),
    row("when", clock.format(incident.atNs)),
    row("group", incident.group),
    ...(incident.host === "" ? [] : [row("seen by", incident.host)]),
    ...(attributes.length === 0 ? [] : [row("with", attributes.join(" "))]),
    row(
      "triggers",
      `${formatCount(incident.triggers)}${incident.suppressed > 0 ? `, ${formatCount(incident.suppressed)} more suppressed` : ""}`,
    ),
    row("state", incident.state),
    // Whole, however long: for copying.
    `  traces      ${incident.state === "deleted" ? "removed by the store's limits, or by hand" : printable(directory)}`,
    "",
    ...hostLines(incident, options),
    "",
    ...shortLines(incident, options),
    heading("Why", options),
  ];
  const answer = why ?? `  ${withoutWhy(incident)}\n`;
  return `${lines.join("\n")}\n${answer}`;
}

function withoutWhy({ state, why, whySummary }: Incident): string {
  if (why === "failed") return whySummary;
  return why === "waiting" && state !== "saving" ? "not explained yet: others come first" : WITHOUT_WHY[why];
}

const WITHOUT_WHY: Readonly<Record<Incident["why"], string>> = {
  waiting: "not explained yet: traces are still arriving",
  running: "is being explained",
  stored: "the explanation is not there any more",
  failed: "could not be explained",
  none: "nothing was saved that could be explained",
};

/** That the traces begin too late for what they are to explain, and what would help; nothing where they do not. */
function shortLines(incident: Incident, options: TextOptions): string[] {
  const wanted = lateSeconds(incident);
  const short = shortHosts(incident);
  if (wanted === undefined || short.length === 0) return [];
  const covers = Math.min(...short.map((host) => coverSeconds(incident, host) ?? 0));
  const whose =
    short.length === incident.hosts.size
      ? "no host's trace"
      : `not the trace of ${short.map(({ host }) => host).join(", ")}`;
  const enough =
    covers > 0 ? `some ${formatCount(Math.ceil(wanted / covers))} times as much memory` : "more memory";
  const text =
    `Too short: it took ${formatDuration(wanted * 1e9)}, and ${whose} is whole from its begin on; ` +
    `what came before is not explained. Next time: ${enough} for the agents (agent --buffer-size), ` +
    "or fewer events (agent --profile, --events).";
  return [...indented(text, options).map((line) => paint(line, "yellow", options)), ""];
}

function hostLines(incident: Incident, options: TextOptions): string[] {
  if (incident.hosts.size === 0) return ["  No agent of the group was connected."];
  return table(
    [
      { title: "host", align: "left" },
      { title: "state", align: "left", shrinks: true },
      { title: "frozen in", align: "right" },
      { title: "covers", align: "right" },
      { title: "events", align: "right" },
      { title: "lost", align: "right" },
      { title: "size", align: "right" },
      { title: "clock", align: "left" },
    ],
    [...incident.hosts.values()].map((host) => hostRow(incident, host)),
    options,
  );
}
