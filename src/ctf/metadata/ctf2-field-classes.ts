/** CTF 2 field classes: JSON objects (or names of aliases) → the type tree, references not yet resolved. */

import {
  isAlignment,
  MAX_ALIGN,
  MAX_LENGTH,
  type PendingRef,
  pendingRef,
  structAlign,
} from "./field-classes.js";
import {
  describeJson,
  type JsonAccess,
  JsonArray,
  type JsonObject,
  type JsonValue,
  toBigint,
} from "./json.js";
import { findOverlap } from "./resolve.js";
import type {
  ByteOrder,
  DisplayBase,
  FieldClass,
  FixedIntClass,
  IntRange,
  Mapping,
  Role,
  Scope,
  StructMember,
  TextEncoding,
  VarIntClass,
  VariantOption,
} from "./types.js";

const ROLES: ReadonlySet<string> = new Set<Role>([
  "packet-magic-number",
  "metadata-stream-uuid",
  "data-stream-class-id",
  "data-stream-id",
  "packet-total-length",
  "packet-content-length",
  "default-clock-timestamp",
  "packet-end-default-clock-timestamp",
  "discarded-event-record-counter-snapshot",
  "packet-sequence-number",
  "event-record-class-id",
]);

const SCOPES: ReadonlySet<string> = new Set<Scope>([
  "packet-header",
  "packet-context",
  "event-record-header",
  "event-record-common-context",
  "event-record-specific-context",
  "event-record-payload",
]);

const BYTE_ORDERS: ReadonlyMap<JsonValue, ByteOrder> = new Map([
  ["little-endian", "le"],
  ["big-endian", "be"],
]);

const BIT_ORDERS: ReadonlyMap<JsonValue, ByteOrder> = new Map([
  ["first-to-last", "le"],
  ["last-to-first", "be"],
]);

const BASES: ReadonlyMap<JsonValue, DisplayBase> = new Map<JsonValue, DisplayBase>([
  [2, 2],
  [8, 8],
  [10, 10],
  [16, 16],
]);

const FLOAT_SIZES: ReadonlyMap<JsonValue, 16 | 32 | 64> = new Map<JsonValue, 16 | 32 | 64>([
  [16, 16],
  [32, 32],
  [64, 64],
]);

const ENCODINGS: ReadonlyMap<JsonValue, TextEncoding> = new Map<JsonValue, TextEncoding>([
  ["utf-8", "utf-8"],
  ["utf-16be", "utf-16be"],
  ["utf-16le", "utf-16le"],
  ["utf-32be", "utf-32be"],
  ["utf-32le", "utf-32le"],
]);

const DEFAULT_MEDIA_TYPE = "application/octet-stream";

export class Ctf2FieldClasses {
  private readonly aliases = new Map<string, FieldClass>();

  constructor(private readonly json: JsonAccess) {}

  /** Reads a `field-class-alias` fragment. */
  addAlias(fragment: JsonObject): void {
    const name = this.json.string(fragment, "name");
    if (this.aliases.has(name)) {
      this.json.fail(fragment.at, `found a second alias ${describeJson(name)}, expected another name`);
    }
    this.aliases.set(name, this.property(fragment, "field-class"));
  }

  /** The field class that is the value of a property. */
  property(object: JsonObject, key: string): FieldClass {
    const value = object.get(key);
    const at = object.positionOf(key);
    if (typeof value === "string") {
      const alias = this.aliases.get(value);
      if (alias === undefined) {
        this.json.fail(
          at,
          `found ${describeJson(value)}, expected the name of an alias before this fragment`,
        );
      }
      return alias;
    }
    if (value === undefined) this.json.fail(at, `found no property "${key}", expected a field class`);
    return this.fieldClass(this.json.object(value, at, "a field class or the name of an alias"));
  }

  private fieldClass(object: JsonObject): FieldClass {
    refuseExtensions(this.json, object);
    const type = this.json.string(object, "type");
    switch (type) {
      case "fixed-length-bit-array":
        return { ...this.fixedInt(object, false), form: "bit-array", base: 16 };
      case "fixed-length-bit-map":
        return { ...this.bitMap(object), form: "bit-map", base: 16 };
      case "fixed-length-boolean":
        return { ...this.fixedInt(object, false), form: "boolean" };
      case "fixed-length-unsigned-integer":
      case "fixed-length-signed-integer":
      // Names of drafts of CTF 2, which are in public traces:
      case "fixed-length-unsigned-enumeration":
      case "fixed-length-signed-enumeration":
        return this.fixedInteger(object, type.includes("-signed-"));
      case "variable-length-unsigned-integer":
      case "variable-length-signed-integer":
      case "variable-length-unsigned-enumeration":
      case "variable-length-signed-enumeration":
        return this.varInt(object, type.includes("-signed-"));
      case "fixed-length-floating-point-number":
        return this.float(object);
      case "null-terminated-string":
        return { type: "string", align: 8, encoding: this.encoding(object) };
      case "static-length-string":
        return {
          type: "static-string",
          align: 8,
          encoding: this.encoding(object),
          length: this.length(object),
        };
      case "dynamic-length-string":
        return {
          type: "dynamic-string",
          align: 8,
          encoding: this.encoding(object),
          length: this.lengthRef(object),
        };
      case "static-length-blob":
        return this.staticBlob(object);
      case "dynamic-length-blob":
        return {
          type: "dynamic-blob",
          align: 8,
          length: this.lengthRef(object),
          mediaType: this.json.optionalString(object, "media-type") ?? DEFAULT_MEDIA_TYPE,
        };
      case "structure":
        return this.structure(object);
      case "static-length-array": {
        const { align, element } = this.element(object);
        return { type: "static-array", align, length: this.length(object), element, roles: [] };
      }
      case "dynamic-length-array": {
        const { align, element } = this.element(object);
        return { type: "dynamic-array", align, length: this.lengthRef(object), element };
      }
      case "optional":
        return this.optional(object);
      case "variant":
        return this.variant(object);
    }
    this.json.fail(object.positionOf("type"), `found ${describeJson(type)}, expected a type of field class`);
  }

  private align(object: JsonObject, key: string): number {
    const align = this.json.optionalBigint(object, key);
    if (align === undefined) return 1;
    if (!isAlignment(Number(align))) {
      this.json.fail(
        object.positionOf(key),
        `found ${key} ${align}, expected a power of two up to ${MAX_ALIGN}`,
      );
    }
    return Number(align);
  }

  /** What all fixed-length classes of bits have in common. */
  private fixedInt(object: JsonObject, signed: boolean): FixedIntClass {
    const byteOrder = this.json.choice(object, "byte-order", BYTE_ORDERS);
    return {
      type: "int",
      align: this.align(object, "alignment"),
      slot: undefined,
      form: "integer",
      signed,
      size: this.json.integer(object, "length", 1, 64),
      byteOrder,
      reversedBits: (this.json.optionalChoice(object, "bit-order", BIT_ORDERS) ?? byteOrder) !== byteOrder,
      base: 10,
      mappings: undefined,
      roles: [],
      clock: undefined,
    };
  }

  private fixedInteger(object: JsonObject, signed: boolean): FixedIntClass {
    const int = this.fixedInt(object, signed);
    return {
      ...int,
      base: this.json.optionalChoice(object, "preferred-display-base", BASES) ?? 10,
      mappings: this.mappings(object, "mappings", signed, int.size),
      roles: this.roles(object, signed),
    };
  }

  private bitMap(object: JsonObject): FixedIntClass {
    const int = this.fixedInt(object, false);
    const flags = this.mappings(object, "flags", false, 64);
    if (flags === undefined || flags.length === 0) {
      this.json.fail(object.positionOf("flags"), 'found no flags, expected at least one in "flags"');
    }
    for (const { label, ranges } of flags) {
      if (ranges.some((range) => range.upper >= int.size)) {
        this.json.fail(
          object.positionOf("flags"),
          `found a bit of flag ${describeJson(label)} outside the field, expected bits from 0 to ${int.size - 1}`,
        );
      }
    }
    return { ...int, mappings: flags };
  }

  private varInt(object: JsonObject, signed: boolean): VarIntClass {
    return {
      type: "varint",
      align: 8,
      slot: undefined,
      signed,
      base: this.json.optionalChoice(object, "preferred-display-base", BASES) ?? 10,
      mappings: this.mappings(object, "mappings", signed, 64),
      roles: this.roles(object, signed),
    };
  }

  private float(object: JsonObject): FieldClass {
    const byteOrder = this.json.choice(object, "byte-order", BYTE_ORDERS);
    return {
      type: "float",
      align: this.align(object, "alignment"),
      size: this.json.choice(object, "length", FLOAT_SIZES),
      byteOrder,
      reversedBits: (this.json.optionalChoice(object, "bit-order", BIT_ORDERS) ?? byteOrder) !== byteOrder,
    };
  }

  private encoding(object: JsonObject): TextEncoding {
    return this.json.optionalChoice(object, "encoding", ENCODINGS) ?? "utf-8";
  }

  private length(object: JsonObject): number {
    return this.json.integer(object, "length", 0, MAX_LENGTH);
  }

  private staticBlob(object: JsonObject): FieldClass {
    const length = this.length(object);
    const roles = this.roles(object, false);
    for (const role of roles) {
      if (role !== "metadata-stream-uuid" || length !== 16) {
        this.json.fail(
          object.positionOf("roles"),
          `found role "${role}" of a blob of ${length} bytes, expected "metadata-stream-uuid" and 16 bytes`,
        );
      }
    }
    const mediaType = this.json.optionalString(object, "media-type") ?? DEFAULT_MEDIA_TYPE;
    return { type: "static-blob", align: 8, length, mediaType, roles };
  }

  private structure(object: JsonObject): FieldClass {
    const members: StructMember[] = [];
    const names = new Set<string>();
    const list = this.json.optionalArray(object, "member-classes");
    for (const item of list?.items ?? []) {
      const member = this.json.object(item, list!.at, "a member class: an object");
      refuseExtensions(this.json, member);
      const name = this.json.string(member, "name");
      if (names.has(name)) {
        this.json.fail(
          member.positionOf("name"),
          `found a second member ${describeJson(name)}, expected another name`,
        );
      }
      names.add(name);
      members.push({ name, fieldClass: this.property(member, "field-class") });
    }
    return { type: "struct", align: structAlign(this.align(object, "minimum-alignment"), members), members };
  }

  private element(object: JsonObject): { align: number; element: FieldClass } {
    const element = this.property(object, "element-field-class");
    return { align: Math.max(this.align(object, "minimum-alignment"), element.align), element };
  }

  private optional(object: JsonObject): FieldClass {
    return {
      type: "optional",
      align: 1,
      selector: this.location(object, "selector-field-location"),
      ranges: object.entries.has("selector-field-ranges")
        ? this.ranges(object.get("selector-field-ranges"), object.positionOf("selector-field-ranges"))
        : undefined,
      fieldClass: this.property(object, "field-class"),
    };
  }

  private variant(object: JsonObject): FieldClass {
    const list = this.json.array(object, "options");
    const names = new Set<string>();
    const options: VariantOption[] = list.items.map((item) => {
      const option = this.json.object(item, list.at, "an option: an object");
      refuseExtensions(this.json, option);
      const name = this.json.optionalString(option, "name");
      if (name !== undefined && names.has(name)) {
        this.json.fail(
          option.positionOf("name"),
          `found a second option ${describeJson(name)}, expected another name`,
        );
      }
      if (name !== undefined) names.add(name);
      return {
        name,
        ranges: this.ranges(option.get("selector-field-ranges"), option.positionOf("selector-field-ranges")),
        fieldClass: this.property(option, "field-class"),
      };
    });
    if (options.length === 0) this.json.fail(list.at, "found no options, expected at least one");
    const overlap = findOverlap(options.map((option) => option.ranges));
    if (overlap !== undefined) {
      const [a, b] = overlap;
      this.json.fail(
        list.at,
        `found ranges [${a.lower}, ${a.upper}] and [${b.lower}, ${b.upper}], expected ranges without common values`,
      );
    }
    return { type: "variant", align: 1, selector: this.location(object, "selector-field-location"), options };
  }

  private lengthRef(object: JsonObject): PendingRef {
    return this.location(object, "length-field-location");
  }

  /** A field location: `{origin, path}`, or the array of names of CTF 2's drafts. */
  private location(object: JsonObject, key: string): PendingRef {
    const value = object.get(key);
    const at = object.positionOf(key);
    let origin: string | undefined;
    let names: readonly JsonValue[];
    if (value instanceof JsonArray) {
      const first = value.items[0];
      origin = typeof first === "string" && SCOPES.has(first) ? first : undefined;
      names = origin === undefined ? value.items : value.items.slice(1);
    } else {
      const location = this.json.object(value, at, `a field location for "${key}"`);
      origin = this.json.optionalString(location, "origin");
      names = this.json.array(location, "path").items;
      if (origin !== undefined && !SCOPES.has(origin)) {
        this.json.fail(
          location.positionOf("origin"),
          `found ${describeJson(origin)}, expected a root of fields`,
        );
      }
    }
    const path: (string | null)[] = [];
    for (const name of names) {
      if (typeof name !== "string" && name !== null) {
        this.json.fail(at, `found ${describeJson(name)} in a path, expected names or null`);
      }
      if (name === null && origin !== undefined) {
        this.json.fail(at, "found null in an absolute path, expected names");
      }
      path.push(name);
    }
    if (path.length === 0 || path[path.length - 1] === null) {
      this.json.fail(at, "found a path without a name at its end, expected the name of a field");
    }
    const text = (origin === undefined ? path : [origin, ...path]).map((name) => name ?? "..").join("/");
    return pendingRef(text, at, path, origin as Scope | undefined);
  }

  private roles(object: JsonObject, signed: boolean): Role[] {
    const list = this.json.optionalArray(object, "roles");
    if (list === undefined) return [];
    const roles = new Set<Role>();
    for (const item of list.items) {
      if (typeof item !== "string" || !ROLES.has(item)) {
        this.json.fail(list.at, `found role ${describeJson(item)}, expected one of CTF 2`);
      }
      if (signed)
        this.json.fail(list.at, `found role "${item}" of a signed integer, expected an unsigned one`);
      roles.add(item as Role);
    }
    return [...roles];
  }

  private mappings(object: JsonObject, key: string, signed: boolean, size: number): Mapping[] | undefined {
    const mappings = this.json.optionalObject(object, key);
    if (mappings === undefined) return undefined;
    const min = signed ? -(1n << BigInt(size - 1)) : 0n;
    const max = (1n << BigInt(signed ? size - 1 : size)) - 1n;
    return Array.from(mappings.entries, ([label, value]) => {
      const ranges = this.ranges(value, mappings.positionOf(label));
      const outside = ranges.find((range) => range.lower < min || range.upper > max);
      if (outside !== undefined) {
        this.json.fail(
          mappings.positionOf(label),
          `found range [${outside.lower}, ${outside.upper}], expected values from ${min} to ${max}`,
        );
      }
      return { label, ranges };
    });
  }

  /** An integer range set: `[[lower, upper], ...]`. */
  private ranges(value: JsonValue | undefined, at: number): IntRange[] {
    if (!(value instanceof JsonArray) || value.items.length === 0) {
      this.json.fail(at, `found ${describeJson(value)}, expected ranges: [[lower, upper], ...]`);
    }
    return value.items.map((item) => {
      const bounds = item instanceof JsonArray ? item.items.map(toBigint) : [];
      const [lower, upper] = bounds;
      if (bounds.length !== 2 || lower === undefined || upper === undefined) {
        this.json.fail(at, `found ${describeJson(item)}, expected a range: [lower, upper]`);
      }
      if (lower > upper || lower < -(1n << 63n) || upper >= 1n << 64n) {
        this.json.fail(at, `found range [${lower}, ${upper}], expected 64-bit values, the lower one first`);
      }
      return { lower, upper };
    });
  }
}

/** Extensions change what the data means: a reader that does not know one must give up. */
export function refuseExtensions(json: JsonAccess, object: JsonObject): void {
  const extensions = json.optionalObject(object, "extensions");
  if (extensions === undefined || extensions.entries.size === 0) return;
  const [name] = extensions.entries.keys();
  json.fail(extensions.at, `found extension ${describeJson(name)}, expected none: it is not known here`);
}
