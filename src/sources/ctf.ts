/**
 * CTF traces as an event source.
 */
import { fieldText, headerDecoder, skipDecoder } from "../ctf/decode/decoders.js";
import { plainValue } from "../ctf/decode/interpreter.js";
import {
  absentValue,
  type FieldTarget,
  hasField,
  type RecordScope,
  type RecordTarget,
  recordDecoder,
} from "../ctf/decode/record-decoder.js";
import type { ClassDecoders, Experiment, ExperimentOptions } from "../ctf/experiment.js";
import { Merge } from "../ctf/merge.js";
import type { DataStreamClass, EventRecordClass, FieldClass } from "../ctf/metadata/types.js";
import type { PacketHeader } from "../ctf/stream/packet-header.js";
import type { DataStreamReader, Problem } from "../ctf/stream/reader.js";
import type { DataStream } from "../ctf/stream/stream.js";
import { openExperiment } from "./open.js";
import type {
  EventInfo,
  EventRun,
  EventSource,
  FieldRequest,
  FieldRequests,
  FieldType,
  RunOptions,
  RunResult,
  SourceInfo,
  Subscription,
  TraceInfo,
} from "./source.js";

export type CtfSourceOptions = ExperimentOptions;

/** Opens all traces at or below `paths`. Throws when a path has none, or when none can be opened. */
export function openSource(paths: readonly string[], options: CtfSourceOptions = {}): CtfSource {
  return new CtfSource(openExperiment(paths, options));
}

interface ClassInfo {
  readonly info: EventInfo;
  readonly stream: DataStreamClass;
  readonly event: EventRecordClass;
}

interface AnySubscription {
  readonly matches: (event: EventInfo) => boolean;
  readonly fields: FieldRequests;
  readonly handle: (record: never) => void;
  readonly record: Record<string, unknown>;
}

export class CtfSource implements EventSource {
  readonly info: SourceInfo;
  readonly #classes = new Map<EventRecordClass, ClassInfo>();
  readonly #subscriptions: AnySubscription[] = [];
  readonly #hostOf: number[];

  /** `known`: of an earlier reading; event record classes that are the same keep their description. */
  constructor(
    readonly experiment: Experiment,
    known: readonly EventInfo[] = [],
  ) {
    const before = new Map(known.map((info) => [keyOf(info), info]));
    const { traces, streams } = experiment;
    const hosts = new Map<string, number>();
    const infos: TraceInfo[] = traces.map((trace) => {
      const env = trace.class.environment;
      const name = String(env.get("hostname") ?? "");
      if (!hosts.has(name)) hosts.set(name, hosts.size);
      return {
        path: trace.paths[0]!,
        host: hosts.get(name)!,
        domain: String(env.get("domain") ?? ""),
        environment: env,
      };
    });
    const events: EventInfo[] = [];
    const classOf = new Map<EventInfo, ClassInfo>();
    traces.forEach((trace, index) => {
      for (const stream of trace.class.dataStreamClasses.values()) {
        const common = stream.commonContext?.members.map((m) => m.name) ?? [];
        for (const event of stream.eventRecordClasses.values()) {
          const described: EventInfo = {
            name: event.name ?? "",
            trace: index,
            fields: event.payload?.members.map((m) => m.name) ?? [],
            contextFields: event.specificContext
              ? [...event.specificContext.members.map((m) => m.name), ...common]
              : common,
          };
          const info = before.get(keyOf(described)) ?? described;
          events.push(info);
          const classInfo = { info, stream, event };
          this.#classes.set(event, classInfo);
          classOf.set(info, classInfo);
        }
      }
    });
    this.#hostOf = streams.map((stream) => infos[traces.indexOf(stream.trace)]!.host);
    this.info = {
      originNs: experiment.originNs,
      hosts: [...hosts.keys()].map((name) => ({ name })),
      traces: infos,
      streams: streams.map((stream) => ({
        trace: traces.indexOf(stream.trace),
        path: stream.files[0]?.path ?? "",
        completeSinceNs:
          stream.packets.count > 0 && stream.packets.sequence[0]! > 0
            ? experiment.toNs(stream, stream.packets.begin[0]!)
            : Number.NEGATIVE_INFINITY,
      })),
      events,
      fieldType: (event, from) => fieldType(classOf.get(event)!, from),
      ...experiment.range(),
    };
  }

  /** One line for each trace that could not be opened. */
  get failures(): readonly string[] {
    return this.experiment.failed.map((failed) => failed.error.message);
  }

  /** What a reader of the results must know. */
  notes(): string[] {
    return this.experiment.notes();
  }

  subscribe<F extends FieldRequests>(subscription: Subscription<F>): void {
    // Every field has its final kind of value from the start, so that the record keeps one shape.
    const record: Record<string, unknown> = { ns: 0.5, cpu: -1, host: 0, stream: 0, event: undefined };
    for (const [name, request] of Object.entries(subscription.fields))
      record[name] = absentValue(request.kind);
    this.#subscriptions.push({ ...subscription, record } as AnySubscription);
  }

  run(options: RunOptions = {}): RunResult {
    const run = this.start(options);
    run.until(Number.POSITIVE_INFINITY);
    return run.end();
  }

  start(options: RunOptions = {}): EventRun & { turn(budget: number): boolean } {
    const { experiment } = this;
    const { onDiscarded, onProgress, beginNs, endNs } = options;
    const { readers, totalBytes } = experiment.readers((stream) => this.#decoders(stream), options);
    const merge = new Merge(readers, {
      beginNs,
      endNs,
      onDiscarded:
        onDiscarded &&
        ((reader, discarded) => {
          onDiscarded({
            what: discarded.what,
            count: discarded.count,
            beginNs: experiment.toNs(reader.stream, discarded.begin),
            endNs: experiment.toNs(reader.stream, discarded.end),
            stream: reader.index,
          });
        }),
    });
    const progress = (): void => {
      let done = 0;
      let records = 0;
      for (const reader of readers) {
        done += reader.doneBytes;
        records += reader.records;
      }
      onProgress?.(done, totalBytes, records);
    };
    let firstNs = Number.NaN;
    let turns = 0;
    let toldMs = 0;
    return {
      get nextNs() {
        return merge.nextNs;
      },
      get eventRecords() {
        let records = 0;
        for (const reader of readers) records += reader.records;
        return records;
      },
      until(limitNs) {
        if (Number.isNaN(firstNs)) firstNs = merge.nextNs;
        while (merge.turn(MOST_IN_TURN, limitNs)) {
          if ((++turns & 63) !== 0 || onProgress === undefined) continue;
          const now = performance.now();
          if (now - toldMs < PROGRESS_MS) continue;
          toldMs = now;
          progress();
        }
      },
      /** Handles at most `budget` records (about). False: there are no more. */
      turn: (budget) => merge.turn(budget),
      end: () => {
        const nextNs = merge.nextNs;
        merge.close();
        const result = experiment.result(readers);
        let lastNs = Number.NaN;
        for (const stream of result.streams) if (!(stream.lastNs <= lastNs)) lastNs = stream.lastNs;
        // A reader that was stopped stands on the first record that it did not hand out.
        const stopNs = !Number.isNaN(nextNs) ? nextNs - 1 : endNs;
        if (stopNs !== undefined && !(lastNs <= stopNs)) {
          lastNs = experiment.lastRecordNs((stream) => this.#decoders(stream), stopNs);
        }
        const hostLastNs: number[] = this.info.hosts.map(() => Number.NaN);
        result.streams.forEach((stream, i) => {
          const host = this.#hostOf[i]!;
          const last = Math.min(stream.lastNs, lastNs);
          if (!(last <= hostLastNs[host]!)) hostLastNs[host] = last;
        });
        return {
          eventRecords: result.eventRecords,
          hostLastNs,
          firstNs,
          lastNs: lastNs >= firstNs ? lastNs : Number.NaN,
          problems: [...this.failures, ...result.problems.map(problemLine)],
        };
      },
    };
  }

  #decoders(stream: DataStream): ClassDecoders {
    const streamClass = stream.class;
    const { generate } = this.experiment;
    return {
      header: headerDecoder(streamClass, generate),
      decoder: (event) => {
        const classInfo = this.#classes.get(event)!;
        const targets: RecordTarget[] = [];
        for (const subscription of this.#subscriptions) {
          if (!subscription.matches(classInfo.info)) continue;
          const fields = Object.entries(subscription.fields).map(
            ([property, request]): FieldTarget => ({
              property,
              kind: request.kind,
              source: findField(classInfo, request),
            }),
          );
          targets.push({
            record: subscription.record,
            fields,
            event: classInfo.info,
            handle: subscription.handle,
          });
        }
        return recordDecoder(streamClass, event, targets, generate);
      },
      skipper: (event) => skipDecoder(streamClass, event, generate),
      idle: (event) => {
        const { info } = this.#classes.get(event)!;
        return !this.#subscriptions.some((subscription) => subscription.matches(info));
      },
      packet: (reader, header) => {
        reader.host = this.#hostOf[reader.index]!;
        reader.packetFields = packetFields(reader, header);
      },
    };
  }
}

function keyOf({ trace, name, fields, contextFields }: EventInfo): string {
  return [trace, name, ...fields, "", ...contextFields].join("\0");
}

/** Event records between looks at the clock. */
const MOST_IN_TURN = 1 << 15;
const PROGRESS_MS = 50;

export function problemLine(problem: Problem): string {
  return `${problem.file}: byte ${problem.byteOffset}: ${problem.reason}`;
}

function packetFields(_reader: DataStreamReader, header: PacketHeader): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  header.stream.packetContext?.members.forEach((member, i) => {
    fields.set(member.name, plainValue(member.fieldClass, header.context?.[i], fieldText));
  });
  return fields;
}

/** A prefix without a name (`"payload:"`) means the whole scope. */
const scopePrefix = /^(payload|specific|common|context|packet):/;

/** Where an event record class has a requested field: the first of its names that exists, scopes in order. */
function findField(classInfo: ClassInfo, request: FieldRequest): FieldTarget["source"] {
  const { stream, event } = classInfo;
  const trees: [RecordScope, EventRecordClass["payload"]][] = [
    ["payload", event.payload],
    ["specific", event.specificContext],
    ["common", stream.commonContext],
  ];
  for (const from of typeof request.from === "string" ? [request.from] : request.from) {
    const prefix = scopePrefix.exec(from)?.[1];
    const rest = prefix ? from.slice(prefix.length + 1) : from;
    const path = rest === "" ? [] : rest.split(".");
    for (const [scope, tree] of trees) {
      if (prefix === "context" ? scope === "payload" : prefix !== undefined && prefix !== scope) continue;
      if (tree !== undefined && hasField(tree, path)) return { scope, path };
      // A field's own name may have dots.
      if (path.length > 1 && hasField(tree, [rest])) return { scope, path: [rest] };
    }
    const inPacket = prefix === undefined || prefix === "packet";
    if (inPacket && stream.packetContext?.members.some((m) => m.name === rest)) return { packetField: rest };
  }
  return undefined;
}

/** The type of what a request would find; undefined: nothing. */
function fieldType(classInfo: ClassInfo, from: string): FieldType | undefined {
  const source = findField(classInfo, { from, kind: "value" });
  if (source === undefined) return undefined;
  const { stream, event } = classInfo;
  if ("packetField" in source) {
    return typeBelow(stream.packetContext, [source.packetField]);
  }
  const tree = { payload: event.payload, specific: event.specificContext, common: stream.commonContext };
  return typeBelow(tree[source.scope], source.path);
}

function typeBelow(fc: FieldClass | undefined, path: readonly string[]): FieldType | undefined {
  if (fc === undefined) return undefined;
  switch (fc.type) {
    case "optional":
    case "variant":
      return "unknown";
    case "struct": {
      if (path.length === 0) return "other";
      const member = fc.members.find(({ name }) => name === path[0]);
      return typeBelow(member?.fieldClass, path.slice(1));
    }
  }
  if (path.length > 0) return undefined;
  switch (fc.type) {
    case "int":
      if (fc.form === "boolean") return "boolean";
      return fc.mappings ? "enumeration" : fc.size > 32 ? "long" : "integer";
    case "varint":
      return fc.mappings ? "enumeration" : "long";
    case "float":
      return "real";
    case "string":
    case "static-string":
    case "dynamic-string":
      return "string";
    default:
      return "other";
  }
}
