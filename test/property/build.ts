/** A random trace on disk, with the true values of every event record in it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BitWriter, Encoder } from "./encode.js";
import {
  type EventModel,
  type Language,
  type StreamModel,
  TraceGenerator,
  type TraceModel,
} from "./generate.js";
import { alignOf, fieldClassJson, type Json, jsonText, type Node, type Struct, tsdlType } from "./model.js";
import { Random } from "./random.js";

export interface ExpectedRecord {
  readonly event: EventModel;
  /** Nanoseconds since the Unix epoch; undefined without a clock. */
  readonly ns: bigint | undefined;
  readonly packet: unknown;
  readonly common: unknown;
  readonly specific: unknown;
  readonly payload: unknown;
}

export interface BuiltTrace {
  readonly model: TraceModel;
  readonly metadata: string;
  /** By file name. */
  readonly streams: ReadonlyMap<string, readonly ExpectedRecord[]>;
  /** The largest alignment of the trace, bits. */
  readonly align: number;
}

export function buildTrace(directory: string, seed: number, language: Language): BuiltTrace {
  const random = new Random(seed);
  const model = new TraceGenerator(random, language).trace();
  const metadata = language === "tsdl" ? tsdlText(model) : ctf2Text(model);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "metadata"), metadata);
  const streams = new Map<string, ExpectedRecord[]>();
  // Some clocks count from boot, some from the epoch.
  const clock = random.chance(0.5) ? BigInt(random.below(1e9)) : 1_700_000_000_000_000_000n + random.bits(58);
  for (const stream of model.streams) {
    for (let i = 0; i < random.between(1, 2); i++) {
      const name = `stream_${stream.id}_${i}`;
      const records: ExpectedRecord[] = [];
      writeFileSync(join(directory, name), streamBytes(model, stream, random, clock, records));
      streams.set(name, records);
    }
  }
  return { model, metadata, streams, align: largestAlign(model) };
}

function streamBytes(
  model: TraceModel,
  stream: StreamModel,
  random: Random,
  clock: bigint,
  expected: ExpectedRecord[],
): Uint8Array {
  const packets: Uint8Array[] = [];
  const member = (struct: Struct | undefined, name: string): Node | undefined =>
    struct?.members.find((m) => m.written === name)?.node;
  for (let n = random.between(1, 4); n > 0; n--) {
    clock += BigInt(random.below(5000));
    const out = new BitWriter(random);
    const given = new Map<Node, bigint>();
    const give = (node: Node | undefined, value: bigint) => {
      if (node) given.set(node, value);
    };
    give(member(model.packetHeader, "magic"), 0xc1fc1fc1n);
    give(member(model.packetHeader, "stream_id"), BigInt(stream.id));
    give(member(stream.packetContext, "timestamp_begin"), clock);
    // Not known yet; nothing decides by it.
    give(member(stream.packetContext, "timestamp_end"), clock + 1_000_000_000n);
    give(member(stream.packetContext, "packet_size"), 0n);
    give(member(stream.packetContext, "content_size"), 0n);
    const encoder = new Encoder(out, random, given);
    encoder.write(model.packetHeader);
    const contextAt = out.at;
    const packet = encoder.write(stream.packetContext) as Record<string, unknown>;
    const timestamp = member(stream.header, "timestamp");
    for (let r = random.below(12); r > 0; r--) {
      clock += BigInt(random.below(4000));
      const event = random.pick(stream.events);
      give(member(stream.header, "id"), BigInt(event.id));
      if (timestamp) {
        // Enough bits for the step from the record before, which is all that a reader needs.
        encoder.leastBytes = random.between(2, 10);
        const size = timestamp.type === "int" ? timestamp.size : 7 * encoder.leastBytes;
        give(timestamp, BigInt.asUintN(Math.min(size, 64), clock));
      }
      const part = (struct: Struct | undefined) => (struct ? encoder.write(struct) : undefined);
      part(stream.header);
      const common = part(stream.common);
      const specific = part(event.specific);
      const payload = part(event.payload);
      const ns = timestamp ? model.clockSeconds * 1_000_000_000n + clock : undefined;
      expected.push({ event, ns, packet, common, specific, payload });
    }
    const content = out.at;
    const total = Math.ceil(content / 8) * 8 + 8 * random.pick([0, 0, 1, 7, 600]);
    writeSizes(out, stream, contextAt, BigInt(content), BigInt(total), packet);
    packets.push(out.bytes(total / 8));
  }
  return Buffer.concat(packets);
}

/** Writes the sizes, which were not known when the packet context was written, into their fields. */
function writeSizes(
  out: BitWriter,
  stream: StreamModel,
  contextAt: number,
  content: bigint,
  total: bigint,
  packet: Record<string, unknown>,
): void {
  const end = out.at;
  // They are the first members.
  out.at = contextAt;
  out.align(alignOf(stream.packetContext));
  for (const [name, value] of [
    ["packet_size", total],
    ["content_size", content],
  ] as const) {
    const node = stream.packetContext.members.find((m) => m.name === name)!.node;
    if (node.type !== "int") throw new Error("sizes are integers of fixed length");
    out.align(node.align);
    out.bits(value, node.size, node.bigEndian, node.reversed);
    packet[name] = Number(value);
  }
  out.at = end;
}

function largestAlign(model: TraceModel): number {
  let align = Math.max(8, deepAlign(model.packetHeader));
  const see = (node: Node | undefined) => {
    if (node) align = Math.max(align, deepAlign(node));
  };
  for (const stream of model.streams) {
    see(stream.packetContext);
    see(stream.header);
    see(stream.common);
    for (const event of stream.events) {
      see(event.specific);
      see(event.payload);
    }
  }
  return align;
}

function deepAlign(node: Node): number {
  switch (node.type) {
    case "struct":
      return Math.max(alignOf(node), ...node.members.map((m) => deepAlign(m.node)));
    case "static-array":
    case "dynamic-array":
      return Math.max(alignOf(node), deepAlign(node.element));
    case "optional":
      return deepAlign(node.node);
    case "variant":
      return Math.max(...node.options.map((o) => deepAlign(o.node)));
    default:
      return alignOf(node);
  }
}

// --- metadata text ---

function tsdlText(model: TraceModel): string {
  const parts = [
    `/* CTF 1.8 */\ntrace { major = 1; minor = 8; byte_order = ${model.nativeBigEndian ? "be" : "le"};`,
    `packet.header := ${tsdlType(model.packetHeader)}; };`,
  ];
  if (model.hasClock) {
    parts.push(
      `clock { name = "c"; freq = 1000000000; offset_s = ${model.clockSeconds}; absolute = true; };`,
    );
  }
  for (const stream of model.streams) {
    parts.push(`stream { id = ${stream.id}; packet.context := ${tsdlType(stream.packetContext)};`);
    if (stream.header) parts.push(`event.header := ${tsdlType(stream.header)};`);
    if (stream.common) parts.push(`event.context := ${tsdlType(stream.common)};`);
    parts.push("};");
    for (const event of stream.events) {
      parts.push(`event { id = ${event.id}; name = "${event.name}"; stream_id = ${stream.id};`);
      if (event.specific) parts.push(`context := ${tsdlType(event.specific)};`);
      if (event.payload) parts.push(`fields := ${tsdlType(event.payload)};`);
      parts.push("};");
    }
  }
  return parts.join("\n");
}

function ctf2Text(model: TraceModel): string {
  const fragments: Json[] = [
    { type: "preamble", version: 2 },
    { type: "trace-class", "packet-header-field-class": fieldClassJson(model.packetHeader) },
  ];
  if (model.hasClock) {
    fragments.push({
      type: "clock-class",
      id: "c",
      frequency: 1_000_000_000,
      origin: "unix-epoch",
      "offset-from-origin": { seconds: model.clockSeconds, cycles: 0 },
    });
  }
  const optional = (struct: Struct | undefined) => (struct ? fieldClassJson(struct) : undefined);
  for (const stream of model.streams) {
    fragments.push({
      type: "data-stream-class",
      id: stream.id,
      "default-clock-class-id": model.hasClock ? "c" : undefined,
      "packet-context-field-class": fieldClassJson(stream.packetContext),
      "event-record-header-field-class": optional(stream.header),
      "event-record-common-context-field-class": optional(stream.common),
    });
    for (const event of stream.events) {
      fragments.push({
        type: "event-record-class",
        id: event.id,
        "data-stream-class-id": stream.id,
        name: event.name,
        "specific-context-field-class": optional(event.specific),
        "payload-field-class": optional(event.payload),
      });
    }
  }
  return fragments.map((fragment) => `\x1e${jsonText(fragment)}\n`).join("");
}
