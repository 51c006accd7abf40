/** `info` as text and as JSON. */
import { formatCount, formatDuration, formatSize, formatUtc } from "../base/format.js";
import type { ExperimentSummary, StreamSummary, TraceSummary } from "../ctf/summary.js";

export interface InfoTextOptions {
  /** How many event names to list per trace. */
  readonly events: number;
}

export function infoText(summary: ExperimentSummary, options: InfoTextOptions): string {
  const lines: string[] = [];
  const row = (label: string, value: string) => lines.push(`  ${label.padEnd(12)}${value}`);
  const count = summary.traces.length;
  const streams = summary.traces.reduce((sum, trace) => sum + trace.streams.length, 0);
  lines.push(
    `${count} ${count === 1 ? "trace" : "traces"}, ${streams} data ${streams === 1 ? "stream" : "streams"}`,
  );
  rangeRows(row, summary.beginNs, summary.endNs);
  row("events", formatCount(summary.eventRecords));
  row(
    "discarded",
    `${formatCount(summary.discardedEvents)} events, ${formatCount(summary.discardedPackets)} packets`,
  );
  summary.traces.forEach((trace, i) => {
    lines.push("", ...traceLines(trace, i + 1, options));
  });
  return `${lines.join("\n")}\n`;
}

function rangeRows(
  row: (label: string, value: string) => void,
  begin: bigint | undefined,
  end: bigint | undefined,
): void {
  if (begin === undefined || end === undefined) return;
  row("begin", `${formatUtc(begin)} UTC`);
  row("end", `${formatUtc(end)} UTC`);
  row("duration", formatDuration(Number(end - begin)));
}

function traceLines(trace: TraceSummary, number: number, options: InfoTextOptions): string[] {
  const lines: string[] = [`Trace ${number}: ${trace.paths[0]}`];
  const row = (label: string, value: string | undefined) => {
    if (value !== undefined && value !== "") lines.push(`  ${label.padEnd(12)}${value}`);
  };
  for (const path of trace.paths.slice(1)) row("and", path);
  const env = (key: string): string | undefined => trace.environment.get(key)?.toString();
  const buffering = env("tracer_buffering_scheme") ?? env("trace_buffering_scheme");
  const scheme = buffering === "uid" || buffering === "pid" ? `per-${buffering}` : buffering;
  row("host", env("hostname"));
  row("domain", [env("domain"), scheme && `${scheme} buffers`].filter(Boolean).join(", "));
  row("process", env("procname") && `${env("procname")} (${env("vpid") ?? "?"})`);
  row("kernel", [env("sysname"), env("kernel_release"), env("kernel_version")].filter(Boolean).join(" "));
  const version = ["tracer_major", "tracer_minor", "tracer_patchlevel"]
    .map(env)
    .filter((part) => part !== undefined);
  row("tracer", env("tracer_name") && `${env("tracer_name")} ${version.join(".")}`);
  row(
    "session",
    [env("trace_name"), env("trace_creation_datetime") && `created ${env("trace_creation_datetime")}`]
      .filter(Boolean)
      .join(", "),
  );
  row("format", `CTF ${trace.ctfVersion}${trace.uuid ? `, UUID ${trace.uuid}` : ""}`);
  for (const clock of trace.clocks) {
    row(
      "clock",
      `${clock.name ?? clock.id}, ${frequencyText(clock.frequency)}, ${clock.originIsUnixEpoch ? "since the Unix epoch" : "own origin"}, offset ${clock.offsetSeconds} s + ${clock.offsetCycles} cycles`,
    );
  }
  if (trace.duplicatePackets > 0)
    row("duplicates", `${formatCount(trace.duplicatePackets)} packets found twice, read once`);
  for (const warning of trace.warnings.slice(0, 5)) row("warning", warning);
  if (trace.warnings.length > 5) row("", `${trace.warnings.length - 5} more warnings about the metadata`);
  lines.push("", ...streamTable(trace.streams));
  lines.push("", ...eventTable(trace, options));
  return lines;
}

function frequencyText(hz: bigint): string {
  for (const [unit, size] of [
    ["GHz", 1_000_000_000n],
    ["MHz", 1_000_000n],
    ["kHz", 1000n],
  ] as const) {
    if (hz >= size && hz % (size / 1000n) === 0n) return `${Number(hz) / Number(size)} ${unit}`;
  }
  return `${hz} Hz`;
}

function streamTable(streams: readonly StreamSummary[]): string[] {
  const rows = streams.map((stream) => [
    `${stream.classId}${stream.instance === undefined ? "" : `/${stream.instance}`}`,
    stream.cpu === undefined ? "-" : String(stream.cpu),
    formatCount(stream.eventRecords),
    formatCount(stream.packets),
    formatSize(stream.bytes),
    `${formatCount(stream.discardedEvents)}${stream.mayHaveDiscarded ? "+?" : ""}`,
    formatCount(stream.discardedPackets),
    `${baseName(stream.files[0] ?? "")}${stream.files.length > 1 ? ` and ${stream.files.length - 1} more` : ""}`,
  ]);
  return table(
    ["stream", "CPU", "events", "packets", "size", "lost events", "lost packets", "file"],
    rows,
    7,
  );
}

function eventTable(trace: TraceSummary, options: InfoTextOptions): string[] {
  const shown = trace.events.slice(0, options.events);
  const total = trace.events.reduce((sum, event) => sum + event.count, 0);
  const lines = table(
    ["events", "share", "name"],
    shown.map((event) => [
      formatCount(event.count),
      `${((100 * event.count) / total).toFixed(1)} %`,
      event.name,
    ]),
    2,
  );
  const rest = trace.events.length - shown.length;
  if (rest > 0) lines.push(`  ${rest} more event names; --events all lists them`);
  const unused = trace.eventClasses - trace.events.length;
  if (unused > 0) lines.push(`  ${formatCount(unused)} event classes described but not recorded`);
  return lines;
}

/** Right-aligned columns; `left` is the one that is not. */
function table(head: readonly string[], rows: readonly (readonly string[])[], left: number): string[] {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => (i === left ? cell : cell.padStart(widths[i]!))).join("  ")}`.trimEnd();
  return [line(head), ...rows.map(line)];
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * `info --json`. Moments are Unix-epoch nanoseconds and clock values as bare integers: more than 2^53, so read
 * them with a parser that keeps big integers.
 */
export function infoJson(summary: ExperimentSummary): string {
  return bigJson({
    traces: summary.traces.map((trace) => ({
      paths: trace.paths,
      host: trace.environment.get("hostname"),
      domain: trace.environment.get("domain"),
      ctfVersion: trace.ctfVersion,
      uuid: trace.uuid,
      tracer: {
        name: trace.environment.get("tracer_name"),
        major: trace.environment.get("tracer_major"),
        minor: trace.environment.get("tracer_minor"),
        patchlevel: trace.environment.get("tracer_patchlevel"),
      },
      environment: Object.fromEntries(trace.environment),
      clocks: trace.clocks.map((clock) => ({
        name: clock.name ?? clock.id,
        uid: clock.uid,
        description: clock.description,
        frequencyHz: clock.frequency,
        offsetSeconds: clock.offsetSeconds,
        offsetCycles: clock.offsetCycles,
        originIsUnixEpoch: clock.originIsUnixEpoch,
      })),
      streams: trace.streams.map((stream) => ({
        classId: stream.classId,
        instanceId: stream.instance,
        cpu: stream.cpu,
        files: stream.files,
        sizeBytes: stream.bytes,
        packets: stream.packets,
        events: stream.eventRecords,
        discardedEvents: stream.discardedEvents,
        discardedPackets: stream.discardedPackets,
        mayHaveDiscarded: stream.mayHaveDiscarded,
        beginNs: stream.beginNs,
        endNs: stream.endNs,
      })),
      events: Object.fromEntries(trace.events.map((event) => [event.name, event.count])),
      duplicatePackets: trace.duplicatePackets,
      warnings: trace.warnings,
    })),
    events: summary.eventRecords,
    discardedEvents: summary.discardedEvents,
    discardedPackets: summary.discardedPackets,
    beginNs: summary.beginNs,
    endNs: summary.endNs,
    durationNs:
      summary.beginNs === undefined || summary.endNs === undefined
        ? undefined
        : summary.endNs - summary.beginNs,
    problems: summary.problems,
    lostPackets: summary.lostPackets,
  });
}

/** JSON with bigint values as bare integers, two spaces deep. */
function bigJson(value: unknown): string {
  // A marker that cannot be in the data: JSON has no raw control characters in strings.
  const text = JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? `\u0000${item}` : item), 2);
  return `${text.replace(/"\\u0000(-?\d+)"/g, "$1")}\n`;
}
