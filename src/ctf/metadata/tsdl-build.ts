/** TSDL blocks → `TraceClass`: ids, clocks, roles and references, which need the whole metadata. */

import type { MutableClock } from "./field-classes.js";
import { Resolver } from "./resolve.js";
import { shorten } from "./tsdl-lexer.js";
import { type EventBlock, type StreamBlock, TsdlParser } from "./tsdl-parser.js";
import { collectClocks, type RoleContext, withRoles } from "./tsdl-roles.js";
import type { ClockClass, DataStreamClass, EventRecordClass, StructClass, TraceClass } from "./types.js";

/** Reads the TSDL `text` of `file`. */
export function readTsdl(text: string, file: string, packetUuid?: string): TraceClass {
  const parser = new TsdlParser(text, file);
  parser.parse();
  return new TsdlBuilder(parser, packetUuid).build();
}

/** A stream block (or the implicit stream) with its events. */
interface Stream {
  readonly id: number;
  readonly block: StreamBlock;
  readonly events: EventBlock[];
  readonly records: Map<number, EventRecordClass>;
}

class TsdlBuilder {
  private readonly resolver: Resolver;
  private readonly clocks: MutableClock[] = [];
  private readonly streams = new Map<number, Stream>();

  constructor(
    private readonly parser: TsdlParser,
    private readonly packetUuid: string | undefined,
  ) {
    this.resolver = new Resolver({
      language: "tsdl",
      fail: (at, reason) => parser.fail(at, reason),
      warn: (at, text) => parser.warn(at, text),
      keptNames: parser.keptNames,
      environment: parser.environment,
    });
  }

  build(): TraceClass {
    const { parser } = this;
    if (parser.traceAt < 0) parser.fail(parser.text.length, "found no trace block, expected one");
    this.checkUuid();
    this.finishClocks();
    this.collectStreams();
    this.collectEvents();
    const header = this.scopeWithRoles(parser.packetHeader, "packet-header", parser.traceAt);
    this.resolver.setRoot("packet-header", header, parser.traceAt);
    this.checkStreamsTellApart();
    const dataStreamClasses = new Map<number, DataStreamClass>();
    for (const stream of this.streams.values()) dataStreamClasses.set(stream.id, this.buildStream(stream));
    return {
      ctfVersion: "1.8",
      byteOrder: parser.nativeByteOrder,
      uuid: parser.uuid,
      environment: parser.environment,
      packetHeader: this.resolver.root("packet-header"),
      clocks: this.clocks,
      dataStreamClasses,
      slotCount: this.resolver.slotCount,
      warnings: parser.warnings,
    };
  }

  private checkUuid(): void {
    const { uuid, traceAt } = this.parser;
    if (uuid !== undefined && this.packetUuid !== undefined && uuid !== this.packetUuid) {
      this.parser.warn(
        traceAt,
        `the trace has UUID ${uuid}, but the metadata packets have ${this.packetUuid}`,
      );
    }
  }

  private finishClocks(): void {
    const tracer = this.parser.environment.get("tracer_name");
    const isLttng = typeof tracer === "string" && tracer.startsWith("lttng");
    for (const { clock, at, declared } of this.parser.clocks.values()) {
      if (!declared) {
        this.parser.fail(at, `found clock "${shorten(clock.id)}", expected one that is declared`);
      }
      // LTTng measures the offset of its monotonic clock from the epoch, but does not say so.
      if (isLttng && clock.id === "monotonic") clock.originIsUnixEpoch = true;
      this.clocks.push(clock);
    }
  }

  private collectStreams(): void {
    const { parser } = this;
    for (const block of parser.streams) {
      if (block.id === undefined && parser.streams.length > 1) {
        parser.fail(block.at, "found a stream without id, expected one as there are several streams");
      }
      const id = block.id ?? 0;
      if (this.streams.has(id))
        parser.fail(block.at, `found a second stream of id ${id}, expected another id`);
      this.streams.set(id, { id, block, events: [], records: new Map() });
    }
  }

  private collectEvents(): void {
    for (const event of this.parser.events) {
      const stream = this.streamOf(event);
      if (!event.hasId && stream.events.length > 0) {
        this.parser.fail(
          event.at,
          "found an event without id, expected one as its stream has several events",
        );
      }
      const { id } = event.record;
      if (stream.records.has(id)) {
        this.parser.fail(
          event.at,
          `found a second event of id ${id} in stream ${stream.id}, expected another id`,
        );
      }
      stream.records.set(id, event.record);
      stream.events.push(event);
    }
  }

  /** The stream of an event; without any stream block there is one, which has nothing. */
  private streamOf(event: EventBlock): Stream {
    if (this.parser.streams.length === 0 && (event.streamId ?? 0) === 0) {
      let implicit = this.streams.get(0);
      if (implicit === undefined) {
        implicit = { id: 0, block: { at: event.at }, events: [], records: new Map() };
        this.streams.set(0, implicit);
      }
      return implicit;
    }
    if (event.streamId === undefined && this.streams.size > 1) {
      this.parser.fail(
        event.at,
        "found an event without stream_id, expected one as there are several streams",
      );
    }
    const id = event.streamId ?? this.streams.keys().next().value!;
    const stream = this.streams.get(id);
    if (stream === undefined)
      this.parser.fail(event.at, `found stream_id ${id}, expected the id of a stream`);
    return stream;
  }

  /** Several streams need an id in the packets. */
  private checkStreamsTellApart(): void {
    const header = this.resolver.root("packet-header");
    if (this.streams.size > 1 && !header?.members.some((member) => member.name === "stream_id")) {
      this.parser.fail(
        this.parser.traceAt,
        `found ${this.streams.size} streams, expected a field "stream_id" in the packet header`,
      );
    }
  }

  private buildStream(stream: Stream): DataStreamClass {
    const { resolver } = this;
    const { block } = stream;
    const packetContext = this.scopeWithRoles(block.packetContext, "packet-context", block.at);
    const eventHeader = this.scopeWithRoles(block.eventHeader, "event-record-header", block.at);
    if (stream.events.length > 1 && eventHeader === undefined) {
      this.parser.fail(
        block.at,
        `found ${stream.events.length} events in stream ${stream.id}, expected an event.header with their id`,
      );
    }
    resolver.check(block.eventContext, block.at);
    const defaultClock = this.clockOf(stream, [packetContext, eventHeader]);
    resolver.setRoot("packet-context", packetContext, block.at);
    resolver.setRoot("event-record-header", eventHeader, block.at);
    resolver.setRoot("event-record-common-context", block.eventContext, block.at);
    for (const { record, at } of stream.events) resolver.resolveRecord(record, at);
    return {
      id: stream.id,
      defaultClock,
      // Only now: references from events may have made copies.
      packetContext: resolver.root("packet-context"),
      eventRecordHeader: resolver.root("event-record-header"),
      commonContext: resolver.root("event-record-common-context"),
      eventRecordClasses: stream.records,
    };
  }

  private scopeWithRoles(
    struct: StructClass | undefined,
    scope: "packet-header" | "packet-context" | "event-record-header",
    at: number,
  ) {
    this.resolver.check(struct, at);
    const context: RoleContext = {
      keptNames: this.parser.keptNames,
      impliedClock: (name) => this.impliedClock(name, at),
      fail: (reason) => this.parser.fail(at, reason),
    };
    return withRoles(struct, scope, context);
  }

  /** The only clock; if there is none, one that counts nanoseconds from an unknown origin. */
  private impliedClock(name: string, at: number): ClockClass {
    if (this.clocks.length > 1) {
      this.parser.fail(at, `found field "${name}" without clock, expected "map" as there are several clocks`);
    }
    if (this.clocks.length === 0) {
      this.clocks.push({
        id: "default",
        name: "default",
        frequency: 1_000_000_000n,
        offsetSeconds: 0n,
        offsetCycles: 0n,
        originIsUnixEpoch: false,
      });
    }
    return this.clocks[0]!;
  }

  /** The one clock of a stream's timestamps. */
  private clockOf(stream: Stream, timed: readonly (StructClass | undefined)[]): ClockClass | undefined {
    const found = new Set<ClockClass>();
    for (const struct of timed) collectClocks(struct, found);
    const [defaultClock] = found;
    if (this.clocks.length > 1) {
      collectClocks(stream.block.eventContext, found);
      for (const event of stream.events) {
        this.resolver.check(event.record.specificContext, event.at);
        this.resolver.check(event.record.payload, event.at);
        collectClocks(event.record.specificContext, found);
        collectClocks(event.record.payload, found);
      }
    }
    if (found.size > 1) {
      const names = Array.from(found, (clock) => `"${shorten(clock.id)}"`).join(", ");
      this.parser.fail(stream.block.at, `found the clocks ${names} in one stream, expected one`);
    }
    return defaultClock;
  }
}
