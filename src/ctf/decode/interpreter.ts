/**
 * The plain reading of fields: walks the type tree along with the data.
 *
 * It is the reference for the generated decoders (tested against each other on every trace and on random
 * metadata), it reads packet headers and contexts, and it does everything where code generation is forbidden
 * (`node --disallow-code-generation-from-strings`).
 */
import {
  bits,
  exactValue,
  float16FromBits,
  float32FromBits,
  float64FromBits,
  readBits,
  readLeb128,
  reverseBits,
  signExtend,
} from "../../base/bits.js";
import type {
  DynamicStringClass,
  FieldClass,
  FieldRef,
  FixedIntClass,
  StructClass,
  VarIntClass,
} from "../metadata/types.js";
import { updatesClock } from "./generator.js";
import { emptyElementLimit, minimumSize, slotsOf } from "./layout.js";
import { codeUnitSize, type DecodeState, FAULT, inRanges, MORE, textEnd } from "./state.js";

/** A field's value with nothing lost; shape by the field class. Byte arrays are views of the window. */
export type RawValue =
  | number
  | bigint
  /** Text (the bytes before the first null code unit) and blobs. */
  | Uint8Array
  /** Structure: members by index. Array: elements. */
  | readonly RawValue[]
  /** Variant. */
  | { readonly option: number; readonly value: RawValue }
  /** Optional field that is not there. */
  | undefined;

class Stop extends Error {
  constructor(readonly answer: number) {
    super();
  }
}
const more = new Stop(MORE);
const fault = new Stop(FAULT);

/** Told about integers with roles (and mapped to clocks) as they are read. */
export type IntListener = (fc: FixedIntClass | VarIntClass, lo: number, hi: number, size: number) => void;

export class Interpreter {
  /** Bit after the last field read. */
  at = 0;
  onInt: IntListener | undefined;
  /** Array elements so far that may take no bits: an event record has few of them. */
  emptyElements = 0;

  constructor(private readonly state: DecodeState) {}

  /**
   * Reads one tree at bit `at`. Answers the bit after it, `MORE` or `FAULT`; the value is handed to `use`.
   */
  read(fc: FieldClass, at: number, use: (value: RawValue) => void): number {
    this.at = at;
    // Values of the record before are no values of this one.
    for (const slot of slotsOf(fc)) this.state.slots[slot] = Number.NEGATIVE_INFINITY;
    try {
      const value = this.#field(fc);
      use(value);
      return this.at;
    } catch (error) {
      if (error instanceof Stop) return error.answer;
      throw error;
    }
  }

  #align(align: number): void {
    const rest = this.at % align;
    if (rest !== 0) this.at += align - rest;
  }

  #fail(reason: string): never {
    this.state.fail(this.at, reason);
    throw fault;
  }

  #take(size: number): number {
    const at = this.at;
    if (at + size > this.state.end) throw more;
    this.at = at + size;
    return at;
  }

  #field(fc: FieldClass): RawValue {
    const { state } = this;
    this.#align(fc.align);
    switch (fc.type) {
      case "int": {
        const at = this.#take(fc.size);
        let lo = readBits(state.u8, at, fc.size, fc.byteOrder === "be");
        let hi = bits.hi;
        if (fc.reversedBits) {
          lo = reverseBits(lo, hi, fc.size);
          hi = bits.hi;
        }
        return this.#int(fc, lo, hi, fc.size);
      }
      case "varint": {
        const lo = readLeb128(state.u8, this.at / 8, state.end >>> 3, fc.signed);
        if (bits.bytes === -1) throw more;
        if (bits.bytes < 0) this.#fail("variable-length integer of more than 64 bits");
        this.at += bits.bytes * 8;
        return this.#keep(fc, lo, bits.hi, bits.bytes * 7);
      }
      case "float": {
        const at = this.#take(fc.size);
        let lo = readBits(state.u8, at, fc.size, fc.byteOrder === "be");
        let hi = bits.hi;
        if (fc.reversedBits) {
          lo = reverseBits(lo, hi, fc.size);
          hi = bits.hi;
        }
        if (fc.size === 64) return float64FromBits(lo, hi);
        return fc.size === 32 ? float32FromBits(lo) : float16FromBits(lo);
      }
      case "string": {
        const unit = codeUnitSize(fc.encoding);
        const start = this.at / 8;
        const limit = state.end >>> 3;
        const end = textEnd(state.u8, start, limit, unit);
        if (end + unit > limit) throw more;
        this.at = (end + unit) * 8;
        return state.u8.subarray(start, end);
      }
      case "static-string":
      case "static-blob": {
        const start = this.#take(fc.length * 8) / 8;
        return this.#bytes(fc, start, fc.length);
      }
      case "dynamic-string":
      case "dynamic-blob": {
        const length = this.#length(fc.length);
        if (length > (state.end >>> 3) - this.at / 8) throw more;
        const start = this.#take(length * 8) / 8;
        return this.#bytes(fc, start, length);
      }
      case "struct":
        return fc.members.map((member) => this.#field(member.fieldClass));
      case "static-array":
        return this.#elements(fc.element, fc.length);
      case "dynamic-array": {
        const length = this.#length(fc.length);
        const least = minimumSize(fc.element);
        if (least > 0 && length > (state.end - this.at) / least) throw more;
        return this.#elements(fc.element, length);
      }
      case "optional": {
        const selector = this.#slot(fc.selector);
        if (selector === Number.NEGATIVE_INFINITY) {
          this.#fail("optional field's selector was not decoded before it");
        }
        const there = fc.ranges ? inRanges(selector, fc.ranges) : Number(selector) !== 0;
        return there ? [this.#field(fc.fieldClass)] : undefined;
      }
      case "variant": {
        const selector = this.#slot(fc.selector);
        for (let option = 0; option < fc.options.length; option++) {
          const { ranges, fieldClass } = fc.options[option]!;
          if (inRanges(selector, ranges)) return { option, value: this.#field(fieldClass) };
        }
        return this.#fail(`no option of the variant for selector value ${selector}`);
      }
    }
  }

  #elements(element: FieldClass, length: number): RawValue[] {
    if (minimumSize(element) === 0) {
      this.emptyElements += length;
      if (this.emptyElements > emptyElementLimit) {
        this.#fail(`more than ${emptyElementLimit} array elements that may take no space`);
      }
    }
    const values: RawValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.#field(element));
    return values;
  }

  #bytes(fc: FieldClass, start: number, length: number): Uint8Array {
    const { u8 } = this.state;
    if (fc.type === "static-blob" || fc.type === "dynamic-blob") return u8.subarray(start, start + length);
    const unit = codeUnitSize((fc as DynamicStringClass).encoding);
    return u8.subarray(start, textEnd(u8, start, start + length, unit));
  }

  #int(fc: FixedIntClass, lo: number, hi: number, size: number): RawValue {
    if (!fc.signed) return this.#keep(fc, lo, hi, size);
    const low = signExtend(lo, hi, size);
    return this.#keep(fc, low, bits.hi, size);
  }

  #keep(fc: FixedIntClass | VarIntClass, lo: number, hi: number, size: number): number | bigint {
    const value = exactValue(lo, hi);
    if (fc.slot !== undefined) this.state.slots[fc.slot] = value;
    if (updatesClock(fc)) this.state.updateClock(lo, hi >>> 0, size);
    this.onInt?.(fc, lo, hi, size);
    return value;
  }

  #slot(ref: FieldRef): number | bigint {
    return this.state.slots[ref.slot] ?? Number.NEGATIVE_INFINITY;
  }

  #length(ref: FieldRef): number {
    const length = Number(this.#slot(ref));
    if (!(length >= 0)) this.#fail(`length ${length} from a field that was not decoded before`);
    return length;
  }
}

/** What `RawValue` is to the users of the library: see `FieldKind` "value". */
export function plainValue(
  fc: FieldClass,
  raw: RawValue,
  text: (bytes: Uint8Array, encoding: string) => string,
): unknown {
  switch (fc.type) {
    case "int":
      return fc.form === "boolean" ? Number(raw) !== 0 : raw;
    case "varint":
    case "float":
      return raw;
    case "string":
    case "static-string":
    case "dynamic-string":
      return text(raw as Uint8Array, fc.encoding);
    case "static-blob":
    case "dynamic-blob":
      return (raw as Uint8Array).slice();
    case "struct": {
      const object = {};
      structMembers(fc, raw, (name, member, value) =>
        setMember(object, name, plainValue(member, value, text)),
      );
      return object;
    }
    case "static-array":
    case "dynamic-array":
      return (raw as RawValue[]).map((value) => plainValue(fc.element, value, text));
    case "optional":
      return raw === undefined ? undefined : plainValue(fc.fieldClass, (raw as RawValue[])[0], text);
    case "variant": {
      const { option, value } = raw as { option: number; value: RawValue };
      return plainValue(fc.options[option]!.fieldClass, value, text);
    }
  }
}

function structMembers(
  fc: StructClass,
  raw: RawValue,
  use: (name: string, member: FieldClass, value: RawValue) => void,
): void {
  const values = raw as RawValue[];
  fc.members.forEach((member, i) => {
    use(member.name, member.fieldClass, values[i]);
  });
}

/** Sets an own property, also for names like `__proto__`. */
export function setMember(object: object, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else (object as Record<string, unknown>)[name] = value;
}
