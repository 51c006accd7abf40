/**
 * The type tree: what a trace's metadata says, in the terms of the CTF documents.
 *
 * TSDL text (CTF 1.8) and JSON fragments (CTF 2) both become this tree; nothing above
 * `ctf/metadata/` knows which one it was. Differences are resolved while the tree is built:
 *
 * - field names are as shown to people (TSDL's one leading underscore is gone);
 * - TSDL's special names (`timestamp_begin`, `packet_size`, `id`, ...) have become CTF 2 roles;
 * - TSDL arrays of 8-bit, byte-aligned integers with an encoding are strings;
 * - a variant's options are ranges of its selector's values (TSDL: the ranges of the label);
 * - references to lengths and selectors are resolved: see `FieldRef`.
 *
 * The tree is immutable once `TraceClass` is returned.
 */

export type ByteOrder = "le" | "be";

/** CTF 2 role names, also for CTF 1.8 fields of the same meaning. */
export type Role =
  | "packet-magic-number"
  | "metadata-stream-uuid"
  | "data-stream-class-id"
  | "data-stream-id"
  | "packet-total-length"
  | "packet-content-length"
  | "default-clock-timestamp"
  | "packet-end-default-clock-timestamp"
  | "discarded-event-record-counter-snapshot"
  | "packet-sequence-number"
  | "event-record-class-id";

/** Inclusive range of integer values. */
export interface IntRange {
  readonly lower: bigint;
  readonly upper: bigint;
}

/** A label and the values it stands for (an enumeration's mapping, CTF 2 `mappings`). */
export interface Mapping {
  readonly label: string;
  readonly ranges: readonly IntRange[];
}

export type DisplayBase = 2 | 8 | 10 | 16;

export type TextEncoding = "utf-8" | "utf-16be" | "utf-16le" | "utf-32be" | "utf-32le";

interface FieldClassBase {
  /** Alignment in bits, relative to the start of the packet; a power of two. */
  readonly align: number;
  /**
   * Set when another field refers to this one (as a length or selector): its value is kept in this
   * slot when decoded. Slots are numbered within the trace class. Only integer and boolean classes.
   */
  slot?: number;
}

/** Fixed-length bit array, boolean or integer: `size` bits, 1 to 64. */
export interface FixedIntClass extends FieldClassBase {
  readonly type: "int";
  /** `"integer"`, or CTF 2's boolean, bit array (unsigned, shown in hexadecimal) and bit map. */
  readonly form: "integer" | "boolean" | "bit-array" | "bit-map";
  readonly signed: boolean;
  readonly size: number;
  readonly byteOrder: ByteOrder;
  /**
   * CTF 2 `bit-order` other than the byte order's own one (little endian: first to last, big endian:
   * last to first). The order of all the bits of the field is then reversed.
   */
  readonly reversedBits: boolean;
  readonly base: DisplayBase;
  /** Present for enumerations (also when empty); for bit maps, the flags with their bit ranges. */
  readonly mappings?: readonly Mapping[];
  readonly roles: readonly Role[];
  /** CTF 1.8: the integer carries a value of this clock (`map = clock.NAME.value`). */
  readonly clock?: ClockClass;
}

/** LEB128 integer, at most 64 bits of value (10 bytes). Byte aligned. */
export interface VarIntClass extends FieldClassBase {
  readonly type: "varint";
  readonly signed: boolean;
  readonly base: DisplayBase;
  readonly mappings?: readonly Mapping[];
  readonly roles: readonly Role[];
}

/** IEEE 754 number. `size` is 16, 32 or 64 (other lengths are refused by the metadata reader). */
export interface FloatClass extends FieldClassBase {
  readonly type: "float";
  readonly size: 16 | 32 | 64;
  readonly byteOrder: ByteOrder;
  readonly reversedBits: boolean;
}

/** Null-terminated string (one code unit of zero ends it). Byte aligned. */
export interface StringClass extends FieldClassBase {
  readonly type: "string";
  readonly encoding: TextEncoding;
}

/** String in `length` bytes; its value ends at the first null code unit, if there is one. */
export interface StaticStringClass extends FieldClassBase {
  readonly type: "static-string";
  readonly encoding: TextEncoding;
  /** Bytes. */
  readonly length: number;
}

/** Like `StaticStringClass`, the length in bytes being another field's value. */
export interface DynamicStringClass extends FieldClassBase {
  readonly type: "dynamic-string";
  readonly encoding: TextEncoding;
  readonly length: FieldRef;
}

export interface StaticBlobClass extends FieldClassBase {
  readonly type: "static-blob";
  /** Bytes. */
  readonly length: number;
  readonly mediaType: string;
  readonly roles: readonly Role[];
}

export interface DynamicBlobClass extends FieldClassBase {
  readonly type: "dynamic-blob";
  readonly length: FieldRef;
  readonly mediaType: string;
}

export interface StructMember {
  /** Name as shown to people. */
  readonly name: string;
  fieldClass: FieldClass;
}

export interface StructClass extends FieldClassBase {
  readonly type: "struct";
  readonly members: readonly StructMember[];
}

/** Array of a fixed number of elements. `align` is the largest of the declared one and the element's. */
export interface StaticArrayClass extends FieldClassBase {
  readonly type: "static-array";
  readonly length: number;
  element: FieldClass;
  /** The 16 bytes of a CTF 1.8 packet header's `uuid`. */
  readonly roles: readonly Role[];
}

/** Array whose number of elements is another field's value. */
export interface DynamicArrayClass extends FieldClassBase {
  readonly type: "dynamic-array";
  readonly length: FieldRef;
  element: FieldClass;
}

/** A field that is there only if its selector says so. Alignment 1. */
export interface OptionalClass extends FieldClassBase {
  readonly type: "optional";
  readonly selector: FieldRef;
  /** Selector values for which the field is there; absent: the selector is a boolean. */
  readonly ranges?: readonly IntRange[];
  fieldClass: FieldClass;
}

export interface VariantOption {
  /** Name as shown to people; may be absent in CTF 2. */
  readonly name?: string;
  readonly ranges: readonly IntRange[];
  fieldClass: FieldClass;
}

/** One of several fields, by the value of the selector. Alignment 1. */
export interface VariantClass extends FieldClassBase {
  readonly type: "variant";
  readonly selector: FieldRef;
  readonly options: readonly VariantOption[];
}

export type FieldClass =
  | FixedIntClass
  | VarIntClass
  | FloatClass
  | StringClass
  | StaticStringClass
  | DynamicStringClass
  | StaticBlobClass
  | DynamicBlobClass
  | StructClass
  | StaticArrayClass
  | DynamicArrayClass
  | OptionalClass
  | VariantClass;

/** The six places of a packet where fields are, in their order. */
export type Scope =
  | "packet-header"
  | "packet-context"
  | "event-record-header"
  | "event-record-common-context"
  | "event-record-specific-context"
  | "event-record-payload";

/**
 * A resolved reference from a length or selector to the field(s) that carry it.
 *
 * All the classes that it may be have the same `slot`, so that the last one decoded counts
 * (CTF 2 allows several targets in different options of a variant). A class with a slot occurs once in
 * the trees of its scope: the metadata reader copies shared classes before it gives one a slot.
 */
export interface FieldRef {
  /** As written in the metadata, for messages. */
  readonly text: string;
  /** Where the target is. */
  readonly scope: Scope;
  /** The slot in which the target's value is when this reference is followed. */
  readonly slot: number;
  /** Whether the target is signed (matters to ranges of 64-bit values). */
  readonly signed: boolean;
}

export interface ClockClass {
  /** CTF 1.8 name; CTF 2: the fragment's `id`. */
  readonly id: string;
  readonly name?: string;
  readonly namespace?: string;
  /** Canonical text form of the UUID (CTF 1.8) or `uid` (CTF 2). */
  readonly uid?: string;
  readonly description?: string;
  /** Cycles per second; at least 1. */
  readonly frequency: bigint;
  /** Offset from the origin: seconds (may be negative) and cycles (0 <= cycles < frequency). */
  readonly offsetSeconds: bigint;
  readonly offsetCycles: bigint;
  /** Cycles. */
  readonly precision?: bigint;
  readonly accuracy?: bigint;
  /** The origin is the Unix epoch (CTF 1.8 `absolute`, or LTTng's `monotonic`). */
  readonly originIsUnixEpoch: boolean;
  /** CTF 2 origin other than the Unix epoch: `namespace`, `name` and `uid` joined by NUL. */
  readonly originKey?: string;
}

export interface EventRecordClass {
  readonly id: number;
  readonly name: string | undefined;
  readonly namespace?: string;
  readonly uid?: string;
  /** CTF 1.8 `loglevel` (LTTng-UST: 0 EMERG to 14 DEBUG); CTF 2: from the `lttng.org,2009` attributes. */
  readonly logLevel?: number;
  readonly emfUri?: string;
  readonly specificContext?: StructClass;
  readonly payload?: StructClass;
}

export interface DataStreamClass {
  readonly id: number;
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** CTF 1.8: the clock of the event header's (else packet context's) mapped integers. */
  readonly defaultClock?: ClockClass;
  readonly packetContext?: StructClass;
  readonly eventRecordHeader?: StructClass;
  readonly commonContext?: StructClass;
  readonly eventRecordClasses: ReadonlyMap<number, EventRecordClass>;
}

export interface TraceClass {
  readonly ctfVersion: "1.8" | "2.0";
  /** Native byte order of CTF 1.8; undefined for CTF 2. */
  readonly byteOrder?: ByteOrder;
  /** Canonical text form of the 16 bytes that packet headers carry. */
  readonly uuid?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** In declaration order. */
  readonly environment: ReadonlyMap<string, string | bigint>;
  readonly packetHeader?: StructClass;
  readonly clocks: readonly ClockClass[];
  readonly dataStreamClasses: ReadonlyMap<number, DataStreamClass>;
  /** Number of slots used by references (see `FieldClassBase.slot`). */
  readonly slotCount: number;
  /** What the reader tolerated: unknown attributes, recovered syntax errors. One line each. */
  readonly warnings: readonly string[];
}
