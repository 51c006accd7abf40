/**
 * The property tests' own picture of metadata: field classes as plain data, and how they are written in TSDL
 * and in CTF 2 JSON. Shares nothing with `src/`, so that a mistake there is not repeated here.
 */

export type Range = readonly [bigint, bigint];

export interface Labels {
  readonly label: string;
  readonly ranges: readonly Range[];
}

export interface Int {
  readonly type: "int";
  readonly form: "integer" | "boolean" | "bit-array" | "bit-map";
  readonly signed: boolean;
  readonly size: number;
  readonly align: number;
  readonly bigEndian: boolean;
  readonly reversed: boolean;
  readonly base: 2 | 8 | 10 | 16;
  readonly mappings?: readonly Labels[];
  readonly role?: string;
  /** The values it may have; without it any. */
  readonly domain?: readonly bigint[];
}

export interface VarInt {
  readonly type: "varint";
  readonly signed: boolean;
  readonly base: 2 | 8 | 10 | 16;
  readonly mappings?: readonly Labels[];
  readonly role?: string;
  readonly domain?: readonly bigint[];
}

export type Carrier = Int | VarInt;

export interface Ref {
  readonly target: Carrier;
  /** How TSDL refers to it, and how JSON does. */
  readonly tsdl: string;
  readonly origin?: string;
  readonly path: readonly (string | null)[];
}

export type Encoding = "utf-8" | "utf-16be" | "utf-16le" | "utf-32be" | "utf-32le";

export interface Member {
  /** As written in the metadata, and as shown to people. */
  readonly written: string;
  readonly name: string;
  readonly node: Node;
}

export interface Struct {
  readonly type: "struct";
  readonly align: number;
  readonly members: Member[];
}

export type Node =
  | Int
  | VarInt
  | {
      readonly type: "float";
      readonly size: 16 | 32 | 64;
      readonly align: number;
      readonly bigEndian: boolean;
      readonly reversed: boolean;
    }
  | { readonly type: "string"; readonly encoding: Encoding }
  | { readonly type: "static-string"; readonly encoding: Encoding; readonly length: number }
  | { readonly type: "dynamic-string"; readonly encoding: Encoding; readonly length: Ref }
  | { readonly type: "static-blob"; readonly length: number }
  | { readonly type: "dynamic-blob"; readonly length: Ref }
  | Struct
  | { readonly type: "static-array"; readonly align: number; readonly length: number; readonly element: Node }
  | { readonly type: "dynamic-array"; readonly align: number; readonly length: Ref; readonly element: Node }
  | {
      readonly type: "optional";
      readonly selector: Ref;
      readonly ranges?: readonly Range[];
      readonly node: Node;
    }
  | {
      readonly type: "variant";
      readonly selector: Ref;
      readonly options: readonly {
        readonly written?: string;
        readonly ranges: readonly Range[];
        readonly node: Node;
      }[];
    };

/** Alignment in bits. */
export function alignOf(node: Node): number {
  switch (node.type) {
    case "int":
    case "float":
      return node.align;
    case "struct":
      return Math.max(node.align, ...node.members.map((member) => alignOf(member.node)));
    case "static-array":
    case "dynamic-array":
      return Math.max(node.align, alignOf(node.element));
    case "optional":
    case "variant":
      return 1;
    default:
      return 8;
  }
}

export function isWithin(value: bigint, ranges: readonly Range[]): boolean {
  return ranges.some(([lower, upper]) => value >= lower && value <= upper);
}

// --- TSDL ---

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** Declares `name` (with its brackets) as a TSDL field. */
export function tsdlField(node: Node, name: string): string {
  if (node.type === "static-array") return tsdlField(node.element, `${name}[${node.length}]`);
  if (node.type === "dynamic-array") return tsdlField(node.element, `${name}[${node.length.tsdl}]`);
  const character = "integer { size = 8; align = 8; signed = false; encoding = UTF8; }";
  if (node.type === "static-string") return `${character} ${name}[${node.length}];`;
  if (node.type === "dynamic-string") return `${character} ${name}[${node.length.tsdl}];`;
  return `${tsdlType(node)} ${name};`;
}

// Arrays' brackets: the leftmost is the outermost, and `tsdlField` goes from outside in.

export function tsdlType(node: Node): string {
  switch (node.type) {
    case "int": {
      const order = `byte_order = ${node.bigEndian ? "be" : "le"};`;
      const clock = node.role === "clock" ? " map = clock.c.value;" : "";
      const int = `integer { size = ${node.size}; align = ${node.align}; signed = ${node.signed}; ${order} base = ${node.base};${clock} }`;
      if (node.mappings === undefined) return int;
      const labels = node.mappings.flatMap(({ label, ranges }) =>
        ranges.map(([a, b]) => `${quote(label)} = ${a === b ? a : `${a} ... ${b}`}`),
      );
      return `enum : ${int} { ${labels.join(", ")} }`;
    }
    case "float": {
      const [exponent, mantissa] = node.size === 32 ? [8, 24] : [11, 53];
      const order = `byte_order = ${node.bigEndian ? "be" : "le"};`;
      return `floating_point { exp_dig = ${exponent}; mant_dig = ${mantissa}; align = ${node.align}; ${order} }`;
    }
    case "string":
      return "string { encoding = UTF8; }";
    case "struct":
      return `struct {\n${node.members.map((m) => tsdlField(m.node, m.written)).join("\n")}\n} align(${node.align})`;
    case "variant":
      return `variant <${node.selector.tsdl}> { ${node.options.map((o) => tsdlField(o.node, o.written!)).join(" ")} }`;
  }
  throw new Error(`TSDL has no ${node.type}`);
}

// --- CTF 2 ---

export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** JSON text; integers of any size. */
export function jsonText(value: Json): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${jsonText(item as Json)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

function location(ref: Ref): Json {
  return { origin: ref.origin, path: ref.path as Json[] };
}

function mappingsJson(mappings: readonly Labels[] | undefined): Json | undefined {
  if (mappings === undefined) return undefined;
  return Object.fromEntries(mappings.map(({ label, ranges }) => [label, ranges as readonly Json[]]));
}

function bitsJson(node: { size: number; align: number; bigEndian: boolean; reversed: boolean }) {
  return {
    length: node.size,
    alignment: node.align,
    "byte-order": node.bigEndian ? "big-endian" : "little-endian",
    "bit-order": node.bigEndian !== node.reversed ? "last-to-first" : "first-to-last",
  };
}

export function fieldClassJson(node: Node): Json {
  switch (node.type) {
    case "int": {
      if (node.form === "boolean") return { type: "fixed-length-boolean", ...bitsJson(node) };
      if (node.form === "bit-array") return { type: "fixed-length-bit-array", ...bitsJson(node) };
      if (node.form === "bit-map") {
        return { type: "fixed-length-bit-map", ...bitsJson(node), flags: mappingsJson(node.mappings) };
      }
      return {
        type: `fixed-length-${node.signed ? "" : "un"}signed-integer`,
        ...bitsJson(node),
        "preferred-display-base": node.base,
        mappings: mappingsJson(node.mappings),
        roles: node.role === undefined ? undefined : [node.role],
      };
    }
    case "varint":
      return {
        type: `variable-length-${node.signed ? "" : "un"}signed-integer`,
        "preferred-display-base": node.base,
        mappings: mappingsJson(node.mappings),
        roles: node.role === undefined ? undefined : [node.role],
      };
    case "float":
      return { type: "fixed-length-floating-point-number", ...bitsJson(node) };
    case "string":
      return { type: "null-terminated-string", encoding: node.encoding };
    case "static-string":
      return { type: "static-length-string", encoding: node.encoding, length: node.length };
    case "dynamic-string":
      return {
        type: "dynamic-length-string",
        encoding: node.encoding,
        "length-field-location": location(node.length),
      };
    case "static-blob":
      return { type: "static-length-blob", length: node.length };
    case "dynamic-blob":
      return { type: "dynamic-length-blob", "length-field-location": location(node.length) };
    case "struct":
      return {
        type: "structure",
        "minimum-alignment": node.align,
        "member-classes": node.members.map((m) => ({ name: m.name, "field-class": fieldClassJson(m.node) })),
      };
    case "static-array":
      return {
        type: "static-length-array",
        "minimum-alignment": node.align,
        length: node.length,
        "element-field-class": fieldClassJson(node.element),
      };
    case "dynamic-array":
      return {
        type: "dynamic-length-array",
        "minimum-alignment": node.align,
        "length-field-location": location(node.length),
        "element-field-class": fieldClassJson(node.element),
      };
    case "optional":
      return {
        type: "optional",
        "selector-field-location": location(node.selector),
        "selector-field-ranges": node.ranges as readonly Json[] | undefined,
        "field-class": fieldClassJson(node.node),
      };
    case "variant":
      return {
        type: "variant",
        "selector-field-location": location(node.selector),
        options: node.options.map((option) => ({
          name: option.written,
          "selector-field-ranges": option.ranges as readonly Json[],
          "field-class": fieldClassJson(option.node),
        })),
      };
  }
}
