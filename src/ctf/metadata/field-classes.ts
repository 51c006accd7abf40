/**
 * Field classes while the tree is being built: mutable, and with references not yet resolved.
 *
 * Both readers share classes freely (a type alias used a thousand times is one object). The resolver copies
 * what has to differ (see `resolve.ts`); everything else goes into the final tree as it is.
 */

import type {
  ClockClass,
  DataStreamClass,
  DynamicArrayClass,
  DynamicBlobClass,
  DynamicStringClass,
  FieldRef,
  FixedIntClass,
  IntRange,
  OptionalClass,
  Scope,
  StructMember,
  TraceClass,
  VariantClass,
} from "./types.js";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A reference as written: which names to follow, and from where. */
export interface PendingRef extends FieldRef {
  /** Offset of the reference in the metadata text. */
  readonly at: number;
  /** The names; null (CTF 2 only) goes up to the enclosing structure. */
  readonly path: readonly (string | null)[];
  /** Where an absolute reference starts; `"environment"` for TSDL's `env.`; absent when relative. */
  readonly origin?: Scope | "environment";
}

/** A variant of TSDL before its options have ranges. */
export interface PendingVariant extends VariantClass {
  /** The options' names as written, to be compared with the selector's labels. */
  readonly labels: readonly string[];
  readonly at: number;
}

export type Dynamic = DynamicArrayClass | DynamicStringClass | DynamicBlobClass;

/** Largest alignment accepted, in bits. */
export const MAX_ALIGN = 1 << 20;
/** Largest static length accepted (elements or bytes); nothing is ever allocated by it. */
export const MAX_LENGTH = 2 ** 32;
/** Deepest nesting of field classes accepted: decoders recurse. */
export const MAX_DEPTH = 64;

export function isAlignment(value: number | bigint): value is number {
  return typeof value === "number" && value >= 1 && value <= MAX_ALIGN && (value & (value - 1)) === 0;
}

export function pendingRef(
  text: string,
  at: number,
  path: readonly (string | null)[],
  origin?: Scope | "environment",
): PendingRef {
  return { text, at, path, origin, scope: "event-record-payload", slot: -1, signed: false };
}

/** The largest alignment of `declared` and the members'. */
export function structAlign(declared: number, members: readonly StructMember[]): number {
  let align = declared;
  for (let i = 0; i < members.length; i++) {
    const memberAlign = members[i]!.fieldClass.align;
    if (memberAlign > align) align = memberAlign;
  }
  return align;
}

/** One underscore at the start of a TSDL name is there to keep it apart from the keywords. */
export function stripUnderscore(name: string): string {
  return name.charCodeAt(0) === 95 && name.length > 1 ? name.slice(1) : name;
}

export type MutableClock = Mutable<ClockClass>;
export type MutableInt = Mutable<FixedIntClass>;
export type MutableStream = Mutable<DataStreamClass>;
export type MutableTrace = Mutable<TraceClass>;
export type MutableOptional = Mutable<OptionalClass>;

/** Whether two ranges have a value in common. */
export function rangesOverlap(a: IntRange, b: IntRange): boolean {
  return a.lower <= b.upper && b.lower <= a.upper;
}
