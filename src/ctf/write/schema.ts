/**
 * What a written trace is made of: field types, event record classes, clock and environment.
 *
 * The layout is that of LTTng's traces in CTF 1.8 (byte-aligned, little-endian, large event headers, one data stream
 * per CPU), which every CTF reader knows best.
 */

export type FieldSpec =
  | {
      readonly type: "integer";
      /** Bits. */
      readonly size: 8 | 16 | 32 | 64;
      readonly signed: boolean;
      /** How readers print it. Default 10. */
      readonly base?: 10 | 16;
    }
  /** Integers with names; readers show the name of the range that a value is in. */
  | {
      readonly type: "enumeration";
      readonly size: 8 | 16 | 32 | 64;
      readonly signed: boolean;
      readonly labels: readonly { readonly name: string; readonly from: number; readonly to: number }[];
    }
  /** Ends at the first NUL. */
  | { readonly type: "string" }
  /** Text in a fixed number of bytes, filled with NUL: names of threads. */
  | { readonly type: "text"; readonly bytes: number }
  /** A fixed number of integers. */
  | { readonly type: "array"; readonly length: number; readonly element: IntegerSpec }
  /** Any number of integers; their count precedes them as `_NAME_length`, as LTTng does it. */
  | { readonly type: "sequence"; readonly element: IntegerSpec };

export type IntegerSpec = Extract<FieldSpec, { type: "integer" }>;

/** Fields in order. */
export type FieldSpecs = Readonly<Record<string, FieldSpec>>;

/** A value for a field: integers as number (exact below 2^53) or bigint. */
export type WrittenValue = number | bigint | string | readonly (number | bigint)[];

export interface ClockSpec {
  readonly name: string;
  readonly description?: string;
  /** Canonical UUID text: clocks of equal UUID are the same clock. */
  readonly uuid?: string;
  /** Cycles per second. */
  readonly frequency: bigint;
  /** Cycles from the Unix epoch to the clock's 0. */
  readonly offset: bigint;
}

export interface TraceSpec {
  /** Canonical UUID text; default: a random one. */
  readonly uuid?: string;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly clock: ClockSpec;
  /** Fields of the context that every event record has. */
  readonly context: FieldSpecs;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Throws where a name cannot be written as TSDL. */
export function checkName(name: string, what: string): void {
  if (!NAME.test(name)) throw new TypeError(`${what} "${name}": expected letters, digits and underscores`);
}
