/**
 * How values of event records compare: numbers with numbers by value, whatever holds them; strings with strings
 * by code point; arrays and structures member by member. A value that is not there (undefined, NaN) is equal
 * to nothing and stands in no order.
 */

/** A value as captures hand it out. */
export type PeriodValue =
  | number
  | bigint
  | string
  | null
  | readonly PeriodValue[]
  | { readonly [name: string]: PeriodValue };

/** `==` */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return a !== undefined && a !== null;
  return typeof a === typeof b && typeof a !== "object" ? false : sameOtherwise(a, b);
}

function sameOtherwise(a: unknown, b: unknown): boolean {
  if (typeof a === "object" && typeof b === "object") {
    if (a === null || b === null) return false;
    const left = membersOf(a);
    const right = membersOf(b);
    return (
      left.length === right.length && left.every(([k, v], i) => k === right[i]![0] && same(v, right[i]![1]))
    );
  }
  const left = numeric(a);
  const right = numeric(b);
  // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint of equal value
  return left !== undefined && right !== undefined && left == right;
}

function membersOf(value: object): [string, unknown][] {
  return Object.entries(value);
}

/** Numbers as they are, booleans as 0 and 1; undefined for everything else. */
function numeric(value: unknown): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  return typeof value === "boolean" ? Number(value) : undefined;
}

/** Negative, zero or positive as `a` is below, equal to or above `b`; NaN when they have no order. */
export function order(a: unknown, b: unknown): number {
  if (typeof a === "string") return typeof b === "string" ? compareText(a, b) : Number.NaN;
  if (typeof a === "object" && typeof b === "object" && Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < a.length && i < b.length; i++) if (!same(a[i], b[i])) return order(a[i], b[i]);
    return a.length - b.length;
  }
  const left = numeric(a);
  const right = numeric(b);
  if (left === undefined || right === undefined) return Number.NaN;
  // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint of equal value
  return left < right ? -1 : left > right ? 1 : left == right ? 0 : Number.NaN;
}

/** By code point: surrogates stand for code points above all others. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}

/** Whether a comparison's operator holds. */
export function compare(operator: string, a: unknown, b: unknown): boolean {
  switch (operator) {
    case "==":
      return same(a, b);
    case "!=":
      return !same(a, b);
    case "<":
      return order(a, b) < 0;
    case "<=":
      return order(a, b) <= 0;
    case ">":
      return order(a, b) > 0;
    default:
      return order(a, b) >= 0;
  }
}

/** Key of a value that can be looked up only by comparing. */
export const COMPOSITE = Symbol("array or structure");

/**
 * What a value is found by in a `Map`: values that are `same` have the same key. Undefined when the value is
 * not there; `COMPOSITE` for arrays and structures.
 */
export function keyOf(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      if (Number.isSafeInteger(value)) return value;
      if (Number.isInteger(value)) return BigInt(value);
      return Number.isNaN(value) ? undefined : value;
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case "boolean":
      return Number(value);
    case "object":
      return value === null ? undefined : COMPOSITE;
    default:
      return value;
  }
}

/** Whether `value` is one of `items`, which are keys (see `keyOf`). */
export function isIn(items: ReadonlySet<unknown>, value: unknown): boolean {
  const key = keyOf(value);
  return key !== undefined && items.has(key);
}

/** Whether `value` is a string that `pattern` matches. */
export function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === "string" && pattern.test(value);
}

/** The part of an array or structure at `path`, undefined where there is none. */
export function partOf(value: unknown, path: readonly (string | number)[]): unknown {
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    const own: boolean = Object.hasOwn(value, step);
    if (!own || (typeof step === "number") !== isSequence(value)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function isSequence(value: object): boolean {
  return Array.isArray(value) || value instanceof Uint8Array;
}

/** A value as a capture keeps it: what is not there is null, booleans are 0 and 1, bytes are numbers. */
export function captureValue(value: unknown): PeriodValue {
  if (value === undefined || value === null || Number.isNaN(value)) return null;
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "object") return value as number | bigint | string;
  if (isSequence(value)) return Array.from(value as ArrayLike<unknown>, captureValue);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, captureValue(part)]));
}

/** A captured value in text; what is not there is `None`, as LTTng analyses write it. */
export function valueText(value: PeriodValue): string {
  if (value === null) return "None";
  if (typeof value !== "object") return String(value);
  if (isSequence(value)) return `[${(value as readonly PeriodValue[]).map(valueText).join(", ")}]`;
  const members = Object.entries(value).map(([name, part]) => `${name}: ${valueText(part as PeriodValue)}`);
  return `{${members.join(", ")}}`;
}
