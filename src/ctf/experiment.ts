/**
 * All traces below the given paths, read as one: streams in rank order, one origin of time, one run.
 */

import { mayGenerate, recordLoop } from "./decode/decoders.js";
import type { Decoder } from "./decode/state.js";
import { compareStreams, mergeStreams } from "./merge.js";
import type { EventRecordClass } from "./metadata/types.js";
import { type ClockCorrection, cyclesToNs, nsToCycles } from "./stream/clock.js";
import { guarded } from "./stream/guard.js";
import type { PacketHeader } from "./stream/packet-header.js";
import { DataStreamReader, type Discarded, type Problem, type StreamPlan } from "./stream/reader.js";
import type { DataStream } from "./stream/stream.js";
import { type FailedTrace, openTraces, type Trace } from "./trace/trace.js";

/** How to decode the event records of one stream class: made once per class, by whoever wants the records. */
export interface ClassDecoders {
  readonly header: Decoder;
  decoder(event: EventRecordClass): Decoder;
  skipper(event: EventRecordClass): Decoder;
  /** Whether nobody wants the records of a class: their order cannot be seen. */
  idle?(event: EventRecordClass): boolean;
  packet?(reader: DataStreamReader, header: PacketHeader): void;
  /** See `recordLoop`. */
  readonly lean?: boolean;
}

export interface ExperimentRun {
  readonly beginNs?: number;
  readonly endNs?: number;
  /** See `MergeOptions.anyOrder`. */
  readonly anyOrder?: boolean;
  /** Bytes of window per stream, for tests: small ones make records cross their ends. */
  readonly windowBytes?: number;
  readonly onDiscarded?: (reader: DataStreamReader, discarded: Discarded) => void;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

export interface ExperimentOptions {
  /** False: decode with the interpreter even where code generation is allowed. */
  readonly generate?: boolean;
  /** Of `ns` 0, where several readings must agree on it; else that of the first packet. */
  readonly originSeconds?: bigint | undefined;
  /** By host name: what makes its clocks show the others' time. */
  readonly clocks?: ReadonlyMap<string, ClockCorrection>;
  /** What is already known of these traces by who made them of something else. */
  readonly beside?: {
    readonly failed: readonly FailedTrace[];
    readonly problems: readonly Problem[];
    readonly notes: readonly string[];
  };
}

/** What was read of one stream. */
export interface StreamResult {
  readonly stream: DataStream;
  readonly eventRecords: number;
  /** Times of the first and last event record read, `ns`; NaN if there was none. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly cpu: number;
}

export interface ExperimentResult {
  readonly eventRecords: number;
  readonly streams: readonly StreamResult[];
  readonly problems: readonly Problem[];
  /** Packets of which event records were lost to wrong data. */
  readonly lostPackets: number;
}

/** Bytes of window per stream: large windows read faster, many streams must share the memory. */
function windowSize(streams: number): number {
  return Math.max(1 << 16, Math.min(1 << 17, (1 << 26) / Math.max(1, streams)));
}

export class Experiment {
  readonly traces: readonly Trace[];
  /** Traces that could not be opened (their metadata is wrong). */
  readonly failed: readonly FailedTrace[];
  /** In rank order: the index is the tie-break of equal times. */
  readonly streams: readonly DataStream[];
  /** Seconds (Unix epoch) of `ns` 0. */
  readonly originSeconds: bigint;
  readonly generate: boolean;
  readonly #beside: ExperimentOptions["beside"];

  constructor(paths: readonly string[], options: ExperimentOptions = {}) {
    const { traces, failed } = openTraces(paths, options.clocks);
    this.traces = traces;
    this.failed = [...failed, ...(options.beside?.failed ?? [])];
    this.#beside = options.beside;
    this.streams = traces.flatMap((trace) => trace.streams).sort(compareStreams);
    let origin: bigint | undefined;
    for (const stream of this.streams) {
      if (!stream.clock) continue;
      if (origin === undefined || stream.originSeconds < origin) origin = stream.originSeconds;
    }
    this.originSeconds = options.originSeconds ?? origin ?? 0n;
    this.generate = (options.generate ?? true) && mayGenerate();
  }

  /**
   * What a reader of the result must know: traces whose clocks cannot be compared (neither counts from the
   * Unix epoch, and they are not the same clock) are put in an order that means nothing.
   */
  notes(): string[] {
    const clocks = new Map<string, Trace>();
    for (const { clock, trace } of this.streams) {
      if (!clock) continue;
      const key = clock.originIsUnixEpoch ? "epoch" : (clock.originKey ?? clock.uid ?? trace.paths[0]!);
      if (!clocks.has(key)) clocks.set(key, trace);
    }
    const notes = [...(this.#beside?.notes ?? [])];
    if (clocks.size < 2) return notes;
    const [first, second] = [...clocks.values()].map((trace) => trace.paths[0]);
    return [
      ...notes,
      `the clocks of ${clocks.size} traces or groups of traces have nothing in common (${first} and ${second}): ` +
        "their event records are not in a meaningful order",
    ];
  }

  /** Nanoseconds (Unix epoch) of `ns` 0. */
  get originNs(): bigint {
    return this.originSeconds * 1_000_000_000n;
  }

  /** Nanoseconds from the experiment's origin to a stream's; -Infinity for a stream without a clock. */
  baseNs(stream: DataStream): number {
    if (!stream.clock) return Number.NEGATIVE_INFINITY;
    return Number(stream.originSeconds - this.originSeconds) * 1e9;
  }

  /** Cycles since a stream's origin as `ns` since the experiment's. */
  toNs(stream: DataStream, cycles: number): number {
    if (!stream.clock || Number.isNaN(cycles)) return Number.NaN;
    return cyclesToNs(cycles, stream.clock.frequency) + this.baseNs(stream);
  }

  /** First packet's begin and last packet's end, `ns`; NaN without packets that say. */
  range(): { beginNs: number; endNs: number } {
    let beginNs = Number.NaN;
    let endNs = Number.NaN;
    for (const stream of this.streams) {
      const { packets } = stream;
      if (packets.count === 0) continue;
      const first = this.toNs(stream, packets.begin[0]!);
      if (!(first >= beginNs)) beginNs = Number.isNaN(first) ? beginNs : first;
      for (let i = Math.max(0, packets.count - 2); i < packets.count; i++) {
        const last = this.toNs(stream, packets.end[i]!);
        if (!(last <= endNs)) endNs = Number.isNaN(last) ? endNs : last;
      }
    }
    return { beginNs, endNs };
  }

  /** Readers of all streams, for the packets that may have records in the range. */
  readers(
    decoders: (stream: DataStream) => ClassDecoders,
    range: { beginNs?: number; endNs?: number; windowBytes?: number } = {},
  ): { readers: DataStreamReader[]; totalBytes: number } {
    const plans = new Map<unknown, StreamPlan>();
    const size = range.windowBytes ?? windowSize(this.streams.length);
    let totalBytes = 0;
    const readers = this.streams.map((stream, index) => {
      let plan = plans.get(stream.class);
      if (!plan) {
        plan = withTables(decoders(stream), stream, this.generate);
        plans.set(stream.class, plan);
      }
      const packets = this.#packetRange(stream, range.beginNs, range.endNs);
      for (let i = packets.first; i < packets.last; i++) totalBytes += stream.packets.totalBytes[i]!;
      const reader = new DataStreamReader(stream, plan, size, packets.first, packets.last);
      reader.index = index;
      reader.baseNs = this.baseNs(stream);
      return reader;
    });
    return { readers, totalBytes };
  }

  /** Reads everything (in the range) once. `decoders` is asked once per stream class. */
  run(decoders: (stream: DataStream) => ClassDecoders, options: ExperimentRun = {}): ExperimentResult {
    const { readers, totalBytes } = this.readers(decoders, options);
    const progress = (): void => {
      let done = 0;
      let records = 0;
      for (const reader of readers) {
        done += reader.doneBytes;
        records += reader.records;
      }
      options.onProgress?.(done, totalBytes, records);
    };
    mergeStreams(readers, {
      beginNs: options.beginNs,
      endNs: options.endNs,
      anyOrder: options.anyOrder,
      onDiscarded: options.onDiscarded,
      onTurn: options.onProgress ? progress : undefined,
    });
    return this.result(readers);
  }

  /** `ns` of the last record at or before `endNs`; NaN: there is none. */
  lastRecordNs(decoders: (stream: DataStream) => ClassDecoders, endNs: number): number {
    let last = Number.NaN;
    for (const stream of this.streams) {
      const plan = withTables(decoders(stream), stream, this.generate);
      let packet = this.#packetRange(stream, undefined, endNs).last - 1;
      for (let found = false; !found && packet >= 0; packet--) {
        const reader = new DataStreamReader(stream, plan, windowSize(1), packet, packet + 1);
        reader.baseNs = this.baseNs(stream);
        reader.skipping = true;
        for (let more = reader.start(); more && reader.ns <= endNs; more = reader.consume(endNs, 1)) {
          found = true;
          if (!(reader.ns <= last)) last = reader.ns;
        }
        reader.close();
      }
    }
    return last;
  }

  /** What readers have read. */
  result(readers: readonly DataStreamReader[]): ExperimentResult {
    let eventRecords = 0;
    let lostPackets = 0;
    const problems: Problem[] = [...(this.#beside?.problems ?? [])];
    const cutFiles = new Set<string>();
    for (const trace of this.traces) {
      for (const problem of trace.problems) {
        problems.push(problem);
        if (isCut(problem.reason)) cutFiles.add(problem.file);
      }
    }
    for (const reader of readers) {
      eventRecords += reader.records;
      lostPackets += reader.lostPackets;
      for (const problem of reader.problems) {
        // A packet cut short by the end of its file was told of when the file was indexed.
        const cut = isCut(problem.reason);
        if (!cut || !cutFiles.has(problem.file)) problems.push(problem);
        if (cut) cutFiles.add(problem.file);
      }
    }
    const streams = readers.map((reader) => ({
      stream: reader.stream,
      eventRecords: reader.records,
      firstNs: reader.records > 0 ? reader.firstNs : Number.NaN,
      lastNs: reader.records > 0 ? reader.ns : Number.NaN,
      cpu: reader.cpu,
    }));
    return { eventRecords, streams, problems, lostPackets };
  }

  /** Packets that may have records in the range. */
  #packetRange(stream: DataStream, beginNs = Number.NEGATIVE_INFINITY, endNs = Number.POSITIVE_INFINITY) {
    const { packets, clock } = stream;
    let first = 0;
    let last = packets.count;
    if (clock) {
      const base = this.baseNs(stream);
      const begin = nsToCycles(beginNs - base, clock.frequency);
      const end = nsToCycles(endNs - base, clock.frequency) + 1;
      while (first < last && packets.end[first]! < begin && (packets.begin[first + 1] ?? 0) <= begin) first++;
      // A packet without a begin may hold anything.
      while (last > first && packets.begin[last - 1]! > end) last--;
    }
    return { first, last };
  }
}

/** Problems that only say that the data end too early. */
function isCut(reason: string): boolean {
  return reason.includes("past the end of the packet") || reason.includes("but the file has only");
}

function withTables(decoders: ClassDecoders, stream: DataStream, generate: boolean): StreamPlan {
  let most = 0;
  for (const id of stream.class.eventRecordClasses.keys()) if (id < 65536) most = Math.max(most, id);
  const table = (): (Decoder | undefined)[] => new Array(most + 1).fill(undefined);
  const idle: boolean[] = new Array(most + 1).fill(false);
  return {
    header: decoders.header,
    loop: recordLoop(stream.class, generate, decoders.lean),
    decoder: (event) => {
      if (event.id <= most && decoders.idle?.(event)) idle[event.id] = true;
      return guarded(decoders.decoder(event), stream.class, event);
    },
    idle,
    skipper: (event) => guarded(decoders.skipper(event), stream.class, event),
    packet: decoders.packet && ((reader, header) => decoders.packet!(reader, header)),
    decoders: table(),
    skippers: table(),
  };
}
