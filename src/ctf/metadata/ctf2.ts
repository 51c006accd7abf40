/** CTF 2 metadata: the fragments of its JSON text sequence → `TraceClass`. */

import { MetadataError } from "../../base/errors.js";
import { readLttngAttributes } from "./ctf2-attributes.js";
import { readClock } from "./ctf2-clock.js";
import { Ctf2FieldClasses, refuseExtensions } from "./ctf2-field-classes.js";
import { checkRoles, hasRole } from "./ctf2-roles.js";
import type { Mutable } from "./field-classes.js";
import { describeJson, JsonAccess, type JsonObject, JsonReader } from "./json.js";
import { formatUuid } from "./packetized.js";
import { positionAt } from "./position.js";
import { Resolver } from "./resolve.js";
import type {
  ClockClass,
  DataStreamClass,
  EventRecordClass,
  Scope,
  StructClass,
  TraceClass,
} from "./types.js";

const MAX_ID = Number.MAX_SAFE_INTEGER;

/** Reads the CTF 2 metadata `text` of `file`. */
export function readCtf2(text: string, file: string): TraceClass {
  return new Ctf2Reader(text, file).read();
}

/** Event record class with its structures as read. */
interface EventPlan {
  readonly at: number;
  readonly record: Mutable<EventRecordClass>;
}

/** Data stream class, and the event record classes that came after it. */
interface StreamPlan {
  readonly at: number;
  readonly stream: Mutable<DataStreamClass>;
  readonly events: Map<number, EventPlan>;
}

class Ctf2Reader {
  private readonly json: JsonAccess;
  private readonly fieldClasses: Ctf2FieldClasses;
  private readonly resolver: Resolver;
  private readonly warnings: string[] = [];
  private readonly clocks = new Map<string, Mutable<ClockClass>>();
  private readonly streams = new Map<number, StreamPlan>();
  private readonly environment = new Map<string, string | bigint>();
  private traceFragment: JsonObject | undefined;
  private packetHeader: StructClass | undefined;
  private uuid: string | undefined;

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {
    const fail = (at: number, reason: string): never => {
      const { line, column } = positionAt(text, at);
      throw new MetadataError(file, line, column, reason);
    };
    this.json = new JsonAccess(fail);
    this.fieldClasses = new Ctf2FieldClasses(this.json);
    this.resolver = new Resolver({
      language: "json",
      fail,
      warn: (at, warning) => this.warn(at, warning),
      keptNames: new Set(),
      environment: new Map(),
    });
  }

  read(): TraceClass {
    const reader = new JsonReader(this.text, this.json.fail);
    const first = reader.next();
    this.readPreamble(this.json.object(first?.value, first?.at ?? 0, "the preamble: an object"));
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      this.readFragment(this.json.object(next.value, next.at, "a fragment: an object"));
    }
    return this.build();
  }

  private warn(at: number, warning: string): void {
    const { line, column } = positionAt(this.text, at);
    if (this.warnings.length < 100) this.warnings.push(`${this.file}:${line}:${column}: ${warning}`);
  }

  private readPreamble(fragment: JsonObject): void {
    if (fragment.get("type") !== "preamble") {
      this.json.fail(
        fragment.at,
        `found type ${describeJson(fragment.get("type"))}, expected "preamble" first`,
      );
    }
    const version = fragment.get("version");
    if (version !== 2) {
      this.json.fail(fragment.positionOf("version"), `found version ${describeJson(version)}, expected 2`);
    }
    refuseExtensions(this.json, fragment);
    this.uuid = this.readUuid(fragment);
  }

  private readUuid(object: JsonObject): string | undefined {
    const bytes = this.json.optionalArray(object, "uuid");
    if (bytes === undefined) return undefined;
    const isByte = (item: unknown) => Number.isInteger(item) && Number(item) >= 0 && Number(item) <= 255;
    if (bytes.items.length !== 16 || !bytes.items.every(isByte)) {
      this.json.fail(bytes.at, "found another array, expected the 16 bytes of a UUID");
    }
    return formatUuid(bytes.items as number[]);
  }

  private readFragment(fragment: JsonObject): void {
    refuseExtensions(this.json, fragment);
    const type = this.json.string(fragment, "type");
    switch (type) {
      case "field-class-alias":
        this.fieldClasses.addAlias(fragment);
        return;
      case "trace-class":
        this.readTraceClass(fragment);
        return;
      case "clock-class":
        this.readClockClass(fragment);
        return;
      case "data-stream-class":
        this.readDataStreamClass(fragment);
        return;
      case "event-record-class":
        this.readEventRecordClass(fragment);
        return;
      case "preamble":
        this.json.fail(fragment.at, "found a second preamble, expected one");
    }
    this.json.fail(fragment.positionOf("type"), `found ${describeJson(type)}, expected a type of fragment`);
  }

  /** The structure of `scope` that is the value of a property. */
  private root(fragment: JsonObject, key: string, scope: Scope): StructClass | undefined {
    if (!fragment.entries.has(key)) return undefined;
    const fieldClass = this.fieldClasses.property(fragment, key);
    const at = fragment.positionOf(key);
    if (fieldClass.type !== "struct") {
      this.json.fail(at, `found a ${fieldClass.type} for "${key}", expected a structure`);
    }
    this.resolver.check(fieldClass, at);
    checkRoles(fieldClass, scope, (reason) => this.json.fail(at, reason));
    return fieldClass;
  }

  private readTraceClass(fragment: JsonObject): void {
    if (this.traceFragment !== undefined)
      this.json.fail(fragment.at, "found a second trace class, expected one");
    if (this.streams.size > 0)
      this.json.fail(fragment.at, "found a trace class, expected it before data stream classes");
    this.traceFragment = fragment;
    this.packetHeader = this.root(fragment, "packet-header-field-class", "packet-header");
    const environment = this.json.optionalObject(fragment, "environment");
    for (const [key, value] of environment?.entries ?? []) {
      const integer = typeof value === "string" ? undefined : this.json.optionalBigint(environment!, key);
      this.environment.set(key, typeof value === "string" ? value : integer!);
    }
  }

  private readClockClass(fragment: JsonObject): void {
    const clock = readClock(fragment, this.json, this.readUuid(fragment));
    if (this.clocks.has(clock.id)) {
      this.json.fail(
        fragment.at,
        `found a second clock class ${describeJson(clock.id)}, expected another id`,
      );
    }
    this.clocks.set(clock.id, clock);
  }

  private readDataStreamClass(fragment: JsonObject): void {
    const id = this.json.optionalInteger(fragment, "id", 0, MAX_ID) ?? 0;
    if (this.streams.has(id)) {
      this.json.fail(fragment.at, `found a second data stream class of id ${id}, expected another id`);
    }
    const stream: Mutable<DataStreamClass> = {
      id,
      name: this.json.optionalString(fragment, "name"),
      namespace: this.json.optionalString(fragment, "namespace"),
      uid: this.json.optionalString(fragment, "uid"),
      defaultClock: this.defaultClock(fragment),
      packetContext: this.root(fragment, "packet-context-field-class", "packet-context"),
      eventRecordHeader: this.root(fragment, "event-record-header-field-class", "event-record-header"),
      commonContext: this.root(
        fragment,
        "event-record-common-context-field-class",
        "event-record-common-context",
      ),
      eventRecordClasses: new Map(),
    };
    if (stream.defaultClock === undefined) this.refuseTimestamps(stream, fragment.at);
    this.streams.set(id, { at: fragment.at, stream, events: new Map() });
  }

  private refuseTimestamps(stream: DataStreamClass, at: number): void {
    for (const struct of [stream.packetContext, stream.eventRecordHeader]) {
      if (
        hasRole(struct, "default-clock-timestamp") ||
        hasRole(struct, "packet-end-default-clock-timestamp")
      ) {
        this.json.fail(
          at,
          "found a timestamp in a data stream class without clock, expected default-clock-class-id",
        );
      }
    }
  }

  private defaultClock(fragment: JsonObject): ClockClass | undefined {
    // Drafts of CTF 2 had names instead of ids.
    const key = fragment.entries.has("default-clock-class-id")
      ? "default-clock-class-id"
      : "default-clock-class-name";
    const id = this.json.optionalString(fragment, key);
    if (id === undefined) return undefined;
    const clock = this.clocks.get(id);
    if (clock === undefined) {
      this.json.fail(
        fragment.positionOf(key),
        `found ${describeJson(id)}, expected a clock class before this fragment`,
      );
    }
    return clock;
  }

  private readEventRecordClass(fragment: JsonObject): void {
    const id = this.json.optionalInteger(fragment, "id", 0, MAX_ID) ?? 0;
    const streamId = this.json.optionalInteger(fragment, "data-stream-class-id", 0, MAX_ID) ?? 0;
    const plan = this.streams.get(streamId);
    if (plan === undefined) {
      this.json.fail(
        fragment.positionOf("data-stream-class-id"),
        `found data-stream-class-id ${streamId}, expected a data stream class before this fragment`,
      );
    }
    if (plan.events.has(id)) {
      this.json.fail(
        fragment.at,
        `found a second event record class of id ${id} in data stream class ${streamId}, expected another id`,
      );
    }
    const record: Mutable<EventRecordClass> = {
      id,
      name: this.json.optionalString(fragment, "name"),
      namespace: this.json.optionalString(fragment, "namespace"),
      uid: this.json.optionalString(fragment, "uid"),
      ...readLttngAttributes(fragment, this.json),
      specificContext: this.root(fragment, "specific-context-field-class", "event-record-specific-context"),
      payload: this.root(fragment, "payload-field-class", "event-record-payload"),
    };
    plan.events.set(id, { at: fragment.at, record });
  }

  private build(): TraceClass {
    const { json, resolver, traceFragment } = this;
    const traceAt = traceFragment?.at ?? 0;
    this.recognizeLttngClock();
    resolver.setRoot("packet-header", this.packetHeader, traceAt);
    if (this.streams.size > 1 && !hasRole(this.packetHeader, "data-stream-class-id")) {
      json.fail(
        traceAt,
        `found ${this.streams.size} data stream classes, expected a packet header field of role "data-stream-class-id"`,
      );
    }
    const dataStreamClasses = new Map<number, DataStreamClass>();
    for (const [id, plan] of this.streams) dataStreamClasses.set(id, this.buildStream(plan));
    return {
      ctfVersion: "2.0",
      byteOrder: undefined,
      uuid: this.uuid,
      name: traceFragment && json.optionalString(traceFragment, "name"),
      namespace: traceFragment && json.optionalString(traceFragment, "namespace"),
      uid: traceFragment && json.optionalString(traceFragment, "uid"),
      environment: this.environment,
      packetHeader: resolver.root("packet-header"),
      clocks: [...this.clocks.values()],
      dataStreamClasses,
      slotCount: resolver.slotCount,
      warnings: this.warnings,
    };
  }

  /** As in CTF 1.8: LTTng's monotonic clock counts from the epoch, whatever (early) metadata says. */
  private recognizeLttngClock(): void {
    const tracer = this.environment.get("tracer_name");
    if (typeof tracer !== "string" || !tracer.startsWith("lttng")) return;
    const clock = this.clocks.get("monotonic");
    if (clock !== undefined && clock.originKey === undefined) clock.originIsUnixEpoch = true;
  }

  private buildStream(plan: StreamPlan): DataStreamClass {
    const { resolver } = this;
    const { stream, at } = plan;
    if (plan.events.size > 1 && !hasRole(stream.eventRecordHeader, "event-record-class-id")) {
      this.json.fail(
        at,
        `found ${plan.events.size} event record classes, expected a header field of role "event-record-class-id"`,
      );
    }
    resolver.setRoot("packet-context", stream.packetContext, at);
    resolver.setRoot("event-record-header", stream.eventRecordHeader, at);
    resolver.setRoot("event-record-common-context", stream.commonContext, at);
    const records = new Map<number, EventRecordClass>();
    for (const [id, { at: eventAt, record }] of plan.events) {
      resolver.resolveRecord(record, eventAt);
      records.set(id, record);
    }
    // Only now: references from event records may have made copies.
    stream.packetContext = resolver.root("packet-context");
    stream.eventRecordHeader = resolver.root("event-record-header");
    stream.commonContext = resolver.root("event-record-common-context");
    stream.eventRecordClasses = records;
    return stream;
  }
}
