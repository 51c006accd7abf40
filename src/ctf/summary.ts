/**
 * What is in an experiment: read once, decoding nothing but headers and lengths.
 */
import { headerDecoder, skipDecoder } from "./decode/decoders.js";
import type { Experiment, StreamResult } from "./experiment.js";
import type { ClockClass, EventRecordClass } from "./metadata/types.js";
import type { DataStream } from "./stream/stream.js";
import type { Trace } from "./trace/trace.js";

export interface StreamSummary {
  readonly classId: number;
  readonly instance: bigint | undefined;
  readonly cpu: number | undefined;
  readonly files: readonly string[];
  readonly bytes: number;
  readonly packets: number;
  readonly eventRecords: number;
  /** Known losses; `mayHaveDiscarded`: the tracer's count did not begin at 0, so there may be more. */
  readonly discardedEvents: number;
  readonly discardedPackets: number;
  readonly mayHaveDiscarded: boolean;
  /** First and last event record, Unix epoch. */
  readonly beginNs: bigint | undefined;
  readonly endNs: bigint | undefined;
}

export interface TraceSummary {
  readonly paths: readonly string[];
  readonly ctfVersion: string;
  readonly uuid: string | undefined;
  readonly environment: ReadonlyMap<string, string | bigint>;
  readonly clocks: readonly ClockClass[];
  readonly streams: readonly StreamSummary[];
  /** Event records by name, most first. Names of which none occurred are left out. */
  readonly events: readonly { readonly name: string; readonly count: number }[];
  readonly eventClasses: number;
  readonly duplicatePackets: number;
  readonly warnings: readonly string[];
}

export interface ExperimentSummary {
  readonly traces: readonly TraceSummary[];
  readonly eventRecords: number;
  readonly discardedEvents: number;
  readonly discardedPackets: number;
  readonly beginNs: bigint | undefined;
  readonly endNs: bigint | undefined;
  readonly problems: readonly {
    readonly file: string;
    readonly byteOffset: number;
    readonly reason: string;
  }[];
  readonly lostPackets: number;
}

/** Reads everything once and counts. */
export function summarize(
  experiment: Experiment,
  onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void,
): ExperimentSummary {
  const counts = new Map<EventRecordClass, { count: number }>();
  const losses = new Map<DataStream, { events: number; packets: number; unknown: boolean }>();
  const result = experiment.run(
    ({ class: streamClass }) => ({
      lean: true,
      header: headerDecoder(streamClass, experiment.generate),
      skipper: (event) => skipDecoder(streamClass, event, experiment.generate),
      decoder: (event) => {
        const skip = skipDecoder(streamClass, event, experiment.generate);
        const counter = { count: 0 };
        counts.set(event, counter);
        return (state, at) => {
          const answer = skip(state, at);
          if (answer >= 0) counter.count++;
          return answer;
        };
      },
    }),
    {
      anyOrder: true,
      onProgress,
      onDiscarded: ({ stream }, { what, count }) => {
        const loss = losses.get(stream) ?? { events: 0, packets: 0, unknown: false };
        losses.set(stream, loss);
        if (Number.isNaN(count)) loss.unknown = true;
        else if (what === "events") loss.events += count;
        else loss.packets += count;
      },
    },
  );
  const streamSummary = (read: StreamResult): StreamSummary => {
    const { stream } = read;
    const loss = losses.get(stream);
    let bytes = 0;
    for (let i = 0; i < stream.packets.count; i++) bytes += stream.packets.totalBytes[i]!;
    return {
      classId: stream.class.id,
      instance: stream.instance,
      cpu: read.cpu >= 0 ? read.cpu : undefined,
      files: stream.files.map((file) => file.path),
      bytes,
      packets: stream.packets.count,
      eventRecords: read.eventRecords,
      discardedEvents: loss?.events ?? 0,
      discardedPackets: loss?.packets ?? 0,
      mayHaveDiscarded: loss?.unknown ?? false,
      beginNs: epochNs(experiment, read.firstNs),
      endNs: epochNs(experiment, read.lastNs),
    };
  };
  const traces = experiment.traces.map((trace) =>
    traceSummary(
      trace,
      result.streams.filter((read) => read.stream.trace === trace).map(streamSummary),
      counts,
    ),
  );
  const streams = traces.flatMap((trace) => trace.streams);
  return {
    traces,
    eventRecords: result.eventRecords,
    discardedEvents: streams.reduce((sum, stream) => sum + stream.discardedEvents, 0),
    discardedPackets: streams.reduce((sum, stream) => sum + stream.discardedPackets, 0),
    beginNs: extreme(
      streams.map((stream) => stream.beginNs),
      (a, b) => a < b,
    ),
    endNs: extreme(
      streams.map((stream) => stream.endNs),
      (a, b) => a > b,
    ),
    problems: result.problems,
    lostPackets: result.lostPackets,
  };
}

function traceSummary(
  trace: Trace,
  streams: readonly StreamSummary[],
  counts: ReadonlyMap<EventRecordClass, { count: number }>,
): TraceSummary {
  const byName = new Map<string, number>();
  let eventClasses = 0;
  for (const stream of trace.class.dataStreamClasses.values()) {
    for (const event of stream.eventRecordClasses.values()) {
      eventClasses++;
      const count = counts.get(event)?.count ?? 0;
      const name = event.name ?? `(event record class ${event.id})`;
      if (count > 0) byName.set(name, (byName.get(name) ?? 0) + count);
    }
  }
  return {
    paths: trace.paths,
    ctfVersion: trace.class.ctfVersion,
    uuid: trace.class.uuid,
    environment: trace.class.environment,
    clocks: trace.class.clocks,
    streams,
    events: [...byName]
      .map(([name, count]) => ({ name, count }))
      .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)),
    eventClasses,
    duplicatePackets: trace.duplicatePackets,
    warnings: trace.class.warnings,
  };
}

function epochNs(experiment: Experiment, ns: number): bigint | undefined {
  return Number.isFinite(ns) ? experiment.originNs + BigInt(ns) : undefined;
}

function extreme(
  values: readonly (bigint | undefined)[],
  better: (a: bigint, b: bigint) => boolean,
): bigint | undefined {
  let best: bigint | undefined;
  for (const value of values)
    if (value !== undefined && (best === undefined || better(value, best))) best = value;
  return best;
}
