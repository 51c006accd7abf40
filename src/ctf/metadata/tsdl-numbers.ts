/** The attribute blocks of TSDL's `integer`, `floating_point` and `string`. */

import type { Mutable } from "./field-classes.js";
import { describeValue } from "./tsdl-attributes.js";
import { BRACE_CLOSE, BRACE_OPEN } from "./tsdl-lexer.js";
import { NO_ROLES, type TsdlTypes } from "./tsdl-types.js";
import type { DisplayBase, FixedIntClass, FloatClass, StringClass } from "./types.js";

/** Takes the `{ ... }` of an integer that starts at `start`. */
export function integerAttributes(
  parser: TsdlTypes,
  start: number,
): { fieldClass: FixedIntClass; isCharacter: boolean } {
  const int: Mutable<FixedIntClass> = {
    type: "int",
    align: 0,
    slot: undefined,
    form: "integer",
    signed: false,
    size: 0,
    byteOrder: "le",
    reversedBits: false,
    base: 10,
    mappings: undefined,
    roles: NO_ROLES,
    clock: undefined,
  };
  let encoded = false;
  let native = true;
  attributes(parser, "integer", (name, at) => {
    switch (name) {
      case "size":
        int.size = parser.valueInRange(1, 64, "a size in bits");
        return true;
      case "align": {
        const align = parser.valueInteger();
        parser.checkAlign(align, at);
        int.align = align;
        return true;
      }
      case "signed":
        int.signed = parser.valueBoolean();
        return true;
      case "byte_order": {
        const order = parser.valueByteOrder();
        native = order === undefined;
        if (order !== undefined) int.byteOrder = order;
        return true;
      }
      case "base":
        int.base = displayBase(parser);
        return true;
      case "encoding":
        encoded = textEncoding(parser);
        return true;
      case "map":
        int.clock = mappedClock(parser);
        return true;
    }
    return false;
  });
  if (int.size === 0) parser.fail(start, "found an integer without size, expected the attribute size");
  if (int.align === 0) int.align = int.size % 8 === 0 ? 8 : 1;
  if (native) parser.useNativeOrder(int);
  return { fieldClass: int, isCharacter: encoded && int.size === 8 && int.align === 8 };
}

/** Takes the `{ ... }` of a floating point number that starts at `start`. */
export function floatAttributes(parser: TsdlTypes, start: number): FloatClass {
  let exponent = 0;
  let mantissa = 0;
  let native = true;
  const float: Mutable<FloatClass> = {
    type: "float",
    align: 0,
    size: 64,
    byteOrder: "le",
    reversedBits: false,
  };
  attributes(parser, "floating_point", (name, at) => {
    switch (name) {
      case "exp_dig":
        exponent = parser.valueInRange(1, 1024, "a number of digits");
        return true;
      case "mant_dig":
        mantissa = parser.valueInRange(1, 1024, "a number of digits");
        return true;
      case "align": {
        const align = parser.valueInteger();
        parser.checkAlign(align, at);
        float.align = align;
        return true;
      }
      case "byte_order": {
        const order = parser.valueByteOrder();
        native = order === undefined;
        if (order !== undefined) float.byteOrder = order;
        return true;
      }
    }
    return false;
  });
  const size = FLOAT_SIZES.get(`${exponent},${mantissa}`);
  if (size === undefined) {
    parser.fail(
      start,
      `found floating point number with exp_dig ${exponent}, mant_dig ${mantissa}, expected 5, 11, 8, 24 or 11, 53`,
    );
  }
  float.size = size;
  if (float.align === 0) float.align = 8;
  if (native) parser.useNativeOrder(float);
  return float;
}

/** Binary formats of IEEE 754 by their digits of exponent and mantissa (its hidden bit included). */
const FLOAT_SIZES: ReadonlyMap<string, 16 | 32 | 64> = new Map([
  ["5,11", 16],
  ["8,24", 32],
  ["11,53", 64],
]);

/** Takes the `{ ... }` of a string; all that it can say is the encoding, and ASCII is UTF-8. */
export function stringAttributes(parser: TsdlTypes, string: StringClass): StringClass {
  attributes(parser, "string", (name) => {
    if (name !== "encoding") return false;
    textEncoding(parser);
    return true;
  });
  return string;
}

/** Takes `{ name = value; ... }`; `known` takes the value of a name that it knows. */
function attributes(parser: TsdlTypes, what: string, known: (name: string, at: number) => boolean): void {
  parser.expect(BRACE_OPEN);
  const seen = new Set<string>();
  while (parser.skip() !== BRACE_CLOSE) {
    const at = parser.pos;
    const name = parser.identifier('an attribute or "}"');
    if (seen.has(name)) parser.fail(at, `found "${name}" a second time, expected it once`);
    seen.add(name);
    const equalAt = parser.pos;
    parser.expectEqual();
    parser.skip();
    if (!known(name, parser.pos)) {
      parser.pos = equalAt;
      parser.skipUnknownValue(at, `attribute "${name}" of ${what}`);
    }
    parser.expectSemicolon();
  }
  parser.pos++;
}

const BASES: ReadonlyMap<string, DisplayBase> = new Map([
  ...["decimal", "dec", "d", "i", "u", "10"].map((name) => [name, 10] as const),
  ...["hexadecimal", "hex", "x", "X", "p", "16"].map((name) => [name, 16] as const),
  ...["octal", "oct", "o", "8"].map((name) => [name, 8] as const),
  ...["binary", "b", "2"].map((name) => [name, 2] as const),
]);

function displayBase(parser: TsdlTypes): DisplayBase {
  const value = parser.value();
  const base = BASES.get(describeValue(value));
  if (base === undefined) parser.failValue(value, "base 2, 8, 10 or 16");
  return base;
}

/** Whether the encoding says that there is text. */
function textEncoding(parser: TsdlTypes): boolean {
  const value = parser.value();
  switch (describeValue(value)) {
    case "none":
      return false;
    case "UTF8":
    case "utf8":
    case "UTF-8":
    case "utf-8":
    case "ASCII":
    case "ascii":
      return true;
  }
  parser.failValue(value, "encoding none, UTF8 or ASCII");
}

/** Takes `clock.NAME.value`. */
function mappedClock(parser: TsdlTypes) {
  const value = parser.value();
  if (value.kind !== "words" || value.value.length !== 3) parser.failValue(value, "clock.NAME.value");
  const [first, name, last] = value.value;
  if (first !== "clock" || last !== "value") parser.failValue(value, "clock.NAME.value");
  return parser.clockByName(name!, value.at);
}
