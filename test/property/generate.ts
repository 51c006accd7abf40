/** Random traces: field classes of every kind, with references across structures and scopes. */
import type { Carrier, Encoding, Int, Labels, Node, Range, Ref, Struct } from "./model.js";
import type { Random } from "./random.js";

export type Language = "tsdl" | "json";

/** What a field can be used for by later ones. */
type Use = "length" | "length4" | "selector" | "boolean";

interface Available {
  readonly use: Use;
  readonly target: Carrier;
  /** Selectors: ranges that hold every value, by label. */
  readonly labels?: readonly Labels[];
  /** From the structure that has it. */
  readonly written: readonly string[];
  readonly names: readonly string[];
}

interface Frame {
  readonly struct: Struct;
  readonly available: Available[];
}

interface Outer {
  readonly tsdl: string;
  readonly origin: string;
  readonly available: readonly Available[];
}

export interface StreamModel {
  readonly id: number;
  readonly packetContext: Struct;
  readonly header?: Struct;
  readonly common?: Struct;
  readonly events: readonly EventModel[];
}

export interface EventModel {
  readonly id: number;
  readonly name: string;
  readonly specific?: Struct;
  readonly payload?: Struct;
}

export interface TraceModel {
  readonly language: Language;
  readonly nativeBigEndian: boolean;
  readonly hasClock: boolean;
  readonly clockSeconds: bigint;
  readonly packetHeader: Struct;
  readonly streams: readonly StreamModel[];
}

const encodings: readonly Encoding[] = ["utf-8", "utf-16be", "utf-16le", "utf-32be", "utf-32le"];
const aligns = [1, 1, 1, 2, 4, 8, 8, 16, 32, 64, 256];
/** Names that a careless program would trip over. */
const oddTsdl = ["_integer", "_struct", "_align", "__proto__", "_constructor", "_toString", "_event", "__x"];
const oddJson = [
  "__proto__",
  "constructor",
  "toString",
  "",
  "a.b",
  " ",
  "\u2028",
  "$" + "{1}",
  "`",
  "*/",
  '"',
  "'",
  "\\",
  "é\n",
  "payload:",
];

export class TraceGenerator {
  #count = 0;
  #frames: Frame[] = [];
  #outer: Outer[] = [];
  #budget = 0;
  /** Bit-packed fields of both byte orders may not meet within a byte. */
  readonly #packedBigEndian: boolean;

  constructor(
    private readonly random: Random,
    private readonly language: Language,
  ) {
    this.#packedBigEndian = random.chance(0.5);
  }

  trace(): TraceModel {
    const { random } = this;
    const hasClock = random.chance(0.8);
    const packetHeader = this.#scope("trace.packet.header", "packet-header", 2, (struct) => {
      this.#add(struct, "magic", this.#role(32, "packet-magic-number"));
      this.#add(struct, "stream_id", this.#role(random.between(3, 64), "data-stream-class-id"));
    });
    const kept = this.#outer.slice();
    const streams: StreamModel[] = [];
    for (let id = 0; id < random.between(1, 2); id++) {
      this.#outer = kept.slice();
      streams.push(this.#stream(id, hasClock));
    }
    return {
      language: this.language,
      nativeBigEndian: random.chance(0.5),
      hasClock,
      clockSeconds: BigInt(random.between(-1000, 2_000_000_000)),
      packetHeader,
      streams,
    };
  }

  #stream(id: number, hasClock: boolean): StreamModel {
    const { random } = this;
    const packetContext = this.#scope(
      "stream.packet.context",
      "packet-context",
      random.below(5),
      (struct) => {
        this.#add(struct, "packet_size", this.#role(random.between(20, 64), "packet-total-length"));
        this.#add(struct, "content_size", this.#role(random.between(20, 64), "packet-content-length"));
        if (hasClock) {
          this.#add(struct, "timestamp_begin", this.#role(64, "default-clock-timestamp"));
          this.#add(struct, "timestamp_end", this.#role(64, "packet-end-default-clock-timestamp"));
        }
      },
    );
    const eventCount = random.between(1, 3);
    const header =
      eventCount > 1 || hasClock || random.chance(0.7)
        ? this.#scope("stream.event.header", "event-record-header", random.below(4), (struct) => {
            if (eventCount > 1) this.#add(struct, "id", this.#headerRole(2, "event-record-class-id"));
            if (hasClock) this.#add(struct, "timestamp", this.#headerRole(12, "default-clock-timestamp"));
          })
        : undefined;
    const common = random.chance(0.5)
      ? this.#scope("stream.event.context", "event-record-common-context", random.below(4))
      : undefined;
    const kept = this.#outer.slice();
    const events: EventModel[] = [];
    for (let i = 0; i < eventCount; i++) {
      this.#outer = kept.slice();
      const specific = random.chance(0.4)
        ? this.#scope("event.context", "event-record-specific-context", random.below(4))
        : undefined;
      // A record of no bits would repeat for ever.
      const payload = this.#scope("event.fields", "event-record-payload", random.below(9), (struct) =>
        this.#add(struct, "first", this.#int(random.between(1, 64), 8)),
      );
      events.push({ id: eventCount === 1 ? 0 : i, name: `event ${id} ${i}`, specific, payload });
    }
    return { id, packetContext, header, common, events };
  }

  #scope(tsdl: string, origin: string, members: number, begin?: (struct: Struct) => void): Struct {
    const struct: Struct = { type: "struct", align: this.random.pick(aligns), members: [] };
    const frame: Frame = { struct, available: [] };
    this.#frames = [frame];
    this.#budget = 40;
    begin?.(struct);
    for (let i = 0; i < members; i++) this.#member(frame, 0);
    this.#frames = [];
    this.#outer.push({ tsdl, origin, available: frame.available });
    return struct;
  }

  #add(struct: Struct, name: string, node: Node): void {
    struct.members.push({ written: name, name, node });
  }

  #role(size: number, role: string): Int {
    const name = this.language === "tsdl" && role.includes("clock") ? "clock" : role;
    return {
      ...this.#int(size, this.random.pick([1, 8, 16])),
      signed: false,
      role: name,
      mappings: undefined,
    };
  }

  #headerRole(least: number, role: string): Carrier {
    if (this.language === "json" && this.random.chance(0.2)) {
      return { type: "varint", signed: false, base: 10, role };
    }
    return this.#role(this.random.between(least, 64), role);
  }

  #int(size: number, align: number): Int {
    const wholeBytes = align >= 8 && size % 8 === 0;
    return {
      type: "int",
      form: "integer",
      signed: this.random.chance(0.5),
      size,
      align,
      bigEndian: wholeBytes ? this.random.chance(0.5) : this.#packedBigEndian,
      reversed: this.language === "json" && this.random.chance(0.2),
      base: this.random.pick([10, 10, 16, 8, 2]),
    };
  }

  // --- members ---

  #name(frame: Frame): { written: string; name: string } {
    const { random, language } = this;
    if (random.chance(0.1)) {
      const written = random.pick(language === "tsdl" ? oddTsdl : oddJson);
      const name = language === "tsdl" ? written.slice(1) : written;
      if (!frame.struct.members.some((member) => member.name === name)) return { written, name };
    }
    const name = `f${this.#count++}`;
    return { written: language === "tsdl" && random.chance(0.5) ? `_${name}` : name, name };
  }

  #member(frame: Frame, depth: number): void {
    const node = this.#node(depth);
    const { written, name } = this.#name(frame);
    frame.struct.members.push({ written, name, node });
  }

  /** Notes what is inside a structure that is itself a member: other fields may refer to it through its name. */
  #memberStruct(depth: number): void {
    const outer = this.#frames.at(-1)!;
    const { node, available } = this.#struct(depth);
    const name = `s${this.#count++}`;
    outer.struct.members.push({ written: name, name, node });
    for (const item of available) {
      outer.available.push({ ...item, written: [name, ...item.written], names: [name, ...item.names] });
    }
  }

  #struct(depth: number): { node: Struct; available: readonly Available[] } {
    const struct: Struct = { type: "struct", align: this.random.pick(aligns), members: [] };
    const frame: Frame = { struct, available: [] };
    this.#frames.push(frame);
    const count = this.random.below(5);
    for (let i = 0; i < count; i++) {
      if (depth < 3 && this.random.chance(0.1)) this.#memberStruct(depth + 1);
      else this.#member(frame, depth + 1);
    }
    this.#frames.pop();
    return { node: struct, available: frame.available };
  }

  #node(depth: number): Node {
    const { random } = this;
    const isJson = this.language === "json";
    if (--this.#budget > 0 && depth < 4 && random.chance(0.45)) {
      switch (random.below(isJson ? 7 : 6)) {
        case 0:
        case 1: {
          const align = isJson ? random.pick(aligns) : 1;
          return { type: "static-array", align, length: random.below(5), element: this.#node(depth + 1) };
        }
        case 2:
        case 3: {
          const length = this.#ref("length");
          const align = isJson ? random.pick(aligns) : 1;
          return { type: "dynamic-array", align, length, element: this.#node(depth + 1) };
        }
        case 4:
          return this.#struct(depth + 1).node;
        case 5:
          return this.#variant(depth);
        default:
          return this.#optional(depth);
      }
    }
    return this.#leaf();
  }

  #leaf(): Node {
    const { random } = this;
    const isJson = this.language === "json";
    const encoding = isJson ? random.pick(encodings) : "utf-8";
    const unit = encoding === "utf-8" ? "length" : "length4";
    switch (random.below(isJson ? 14 : 9)) {
      case 0:
        return { type: "string", encoding };
      case 1:
        return {
          type: "static-string",
          encoding,
          length: encoding === "utf-8" ? random.below(20) : 4 * random.below(5),
        };
      case 2:
        return { type: "static-string", encoding: "utf-8", length: 16 };
      case 3:
        return { type: "dynamic-string", encoding, length: this.#ref(unit) };
      case 4: {
        const size = random.pick(isJson ? ([16, 32, 64] as const) : ([32, 64] as const));
        const align = random.pick(aligns);
        const bigEndian = align >= 8 ? random.chance(0.5) : this.#packedBigEndian;
        return { type: "float", size, align, bigEndian, reversed: isJson && random.chance(0.2) };
      }
      case 9:
        return { type: "static-blob", length: random.below(9) };
      case 10:
        return { type: "dynamic-blob", length: this.#ref("length") };
      case 11: {
        const signed = random.chance(0.5);
        return { type: "varint", signed, base: random.pick([10, 16]), mappings: this.#mappings(64, signed) };
      }
      case 12:
        return { ...this.#int(random.between(1, 64), random.pick(aligns)), form: "boolean", signed: false };
      case 13: {
        const int = { ...this.#int(random.between(1, 64), random.pick(aligns)), signed: false };
        if (random.chance(0.5)) return { ...int, form: "bit-array", base: 16 };
        const top = BigInt(int.size - 1);
        return { ...int, form: "bit-map", base: 16, mappings: [{ label: "all", ranges: [[0n, top]] }] };
      }
    }
    const size = random.pick([random.between(1, 64), random.pick([8, 16, 32, 64])]);
    const int = this.#int(size, random.pick(aligns));
    return { ...int, mappings: this.#mappings(size, int.signed) };
  }

  /** Labels whose ranges may overlap. */
  #mappings(size: number, signed: boolean): readonly Labels[] | undefined {
    const { random } = this;
    if (!random.chance(0.3)) return undefined;
    return Array.from({ length: random.between(1, 4) }, (_, i) => ({
      label: random.pick([`L${i}`, `a b"${i}`, `\u2028${i}`]),
      ranges: Array.from({ length: random.between(1, 2) }, (): Range => {
        const a = random.integer(size, signed);
        const b = random.chance(0.5) ? a : random.integer(size, signed);
        return a < b ? [a, b] : [b, a];
      }),
    }));
  }

  #optional(depth: number): Node {
    const { random } = this;
    if (random.chance(0.4)) {
      return { type: "optional", selector: this.#ref("boolean"), node: this.#node(depth + 1) };
    }
    const { ref, labels } = this.#selector();
    const ranges = random.pick(labels).ranges;
    return { type: "optional", selector: ref, ranges, node: this.#node(depth + 1) };
  }

  #variant(depth: number): Node {
    const { random } = this;
    const { ref, labels } = this.#selector();
    const options = random.shuffle(labels).map(({ label, ranges }) => ({
      written: this.language === "json" && random.chance(0.3) ? undefined : label,
      ranges,
      node: this.#node(depth + 1),
    }));
    return { type: "variant", selector: ref, options };
  }

  // --- references ---

  #ref(use: Use): Ref {
    return this.#find(use).ref;
  }

  #selector(): { ref: Ref; labels: readonly Labels[] } {
    const { ref, item } = this.#find("selector");
    return { ref, labels: item.labels! };
  }

  /** A field that was decoded before and can be used so, or a new one in the structure being made. */
  #find(use: Use): { ref: Ref; item: Available } {
    const { random } = this;
    const found: { ref: Ref; item: Available }[] = [];
    if (random.chance(0.6)) {
      this.#frames.forEach((frame, level) => {
        const up = this.#frames.length - 1 - level;
        for (const item of frame.available) {
          if (item.use === use) found.push({ ref: inside(item, up), item });
        }
      });
      for (const outer of this.#outer) {
        for (const item of outer.available) {
          if (item.use === use) found.push({ ref: across(item, outer), item });
        }
      }
    }
    if (found.length > 0) return random.pick(found);
    const frame = this.#frames.at(-1)!;
    const item = this.#carrier(use);
    const written = item.written[0]!;
    frame.struct.members.push({ written, name: item.names[0]!, node: item.target });
    frame.available.push(item);
    return { ref: inside(item, 0), item };
  }

  #carrier(use: Use): Available {
    const { random } = this;
    const name = `c${this.#count++}`;
    const written = [this.language === "tsdl" && random.chance(0.5) ? `_${name}` : name];
    const names = [name];
    if (use === "boolean") {
      const int: Int = {
        ...this.#int(random.between(1, 64), random.pick(aligns)),
        form: "boolean",
        signed: false,
      };
      return { use, target: int, written, names };
    }
    if (use === "selector") {
      const signed = random.chance(0.5);
      const size = random.between(5, 64);
      const labels = this.#selectorLabels(size, signed);
      const domain = labels.flatMap(({ ranges }) => ranges.flat());
      const target: Carrier =
        this.language === "json" && random.chance(0.2)
          ? { type: "varint", signed, base: 10, domain }
          : { ...this.#int(size, random.pick(aligns)), signed, domain };
      // TSDL selects by label; JSON's ranges stand with the options.
      return {
        use,
        target: this.language === "tsdl" ? { ...target, mappings: labels } : target,
        labels,
        written,
        names,
      };
    }
    const domain = use === "length" ? [0n, 1n, 2n, 3n, 5n] : [0n, 4n, 8n, 16n];
    const target: Carrier =
      this.language === "json" && random.chance(0.2)
        ? { type: "varint", signed: false, base: 10, domain }
        : { ...this.#int(random.between(5, 64), random.pick(aligns)), signed: false, domain };
    return { use, target, written, names };
  }

  /** Disjoint ranges for JSON; for TSDL, where the first option has a value of several, overlapping ones too. */
  #selectorLabels(size: number, signed: boolean): readonly Labels[] {
    const { random } = this;
    const count = random.between(2, 4);
    const bounds = new Set<bigint>();
    while (bounds.size < 2 * count) bounds.add(random.integer(size, signed));
    const sorted = [...bounds].sort((a, b) => (a < b ? -1 : 1));
    return Array.from({ length: count }, (_, i) => {
      const ranges: Range[] = [[sorted[2 * i]!, sorted[2 * i + 1]!]];
      if (this.language === "tsdl" && random.chance(0.3)) {
        ranges.push([sorted[0]!, sorted[random.below(sorted.length)]!]);
      }
      return { label: `o${this.#count++}`, ranges };
    });
  }
}

function inside(item: Available, up: number): Ref {
  const path = [...new Array<null>(up).fill(null), ...item.names];
  return { target: item.target, tsdl: item.written.join("."), path };
}

function across(item: Available, outer: Outer): Ref {
  return {
    target: item.target,
    tsdl: `${outer.tsdl}.${item.written.join(".")}`,
    origin: outer.origin,
    path: item.names,
  };
}
