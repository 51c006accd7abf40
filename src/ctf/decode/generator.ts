/**
 * From field classes to JavaScript: the walk over a type tree that writes a decoder's source.
 *
 * What is fast about the result: offsets and alignments that the metadata fixes are constants in it; one
 * bounds check covers a run of fields of fixed size; byte-aligned integers are single loads; fields nobody
 * asked for cost an addition or nothing; nothing is allocated. Guarded by `npm run bench` (decode rows).
 *
 * What is done with a field's value is not decided here but by an `Action` (record, text, JSON, touch).
 *
 * Safety: metadata come from strangers. Only numbers that this file has computed or checked are written
 * into the source; names, labels and other text are never part of it but passed as constants (`C[n]`).
 */
import type {
  DynamicBlobClass,
  DynamicStringClass,
  FieldClass,
  FieldRef,
  FixedIntClass,
  FloatClass,
  IntRange,
  StructClass,
  VarIntClass,
} from "../metadata/types.js";
import { alignUp, emptyElementLimit, fixedSize, minimumSize } from "./layout.js";
import { codeUnitSize } from "./state.js";

/** Source text of an integer's value. */
export type IntSource =
  /** At most 32 bits: one expression (int32 or uint32). */
  | { readonly small: string }
  /** More: low half (uint32) and high half (int32 if signed, else uint32), both plain variables. */
  | { readonly lo: string; readonly hi: string };

/** What to do with the fields of a tree while it is walked. */
export interface Action {
  /** False: the walk only moves over this field. */
  readonly wanted: boolean;
  int(fc: FixedIntClass | VarIntClass, value: IntSource): void;
  float(fc: FloatClass, value: string): void;
  /** Bytes `[start, start + length)` of `u8`; both are expressions without side effects. */
  text(fc: FieldClass, start: string, length: string): void;
  /** If there: used instead of `text` for UTF-8 text in 16 bytes (the kernel's process names). */
  text16?(fc: FieldClass, start: string): void;
  blob(fc: FieldClass, start: string, length: string): void;
  structBegin(fc: StructClass): void;
  /** The action for a member; called just before the member is walked. */
  member(fc: StructClass, index: number): Action;
  structEnd(fc: StructClass): void;
  /** `length` is an expression. */
  arrayBegin(fc: FieldClass, length: string): void;
  element(fc: FieldClass, index: string): Action;
  arrayEnd(fc: FieldClass): void;
  optionBegin(fc: FieldClass, index: number): Action;
  optionEnd(fc: FieldClass, index: number): void;
  optionalBegin(fc: FieldClass): Action;
  optionalEnd(fc: FieldClass): void;
  optionalAbsent(fc: FieldClass): void;
  /** Called before code branches or loops: flush what is pending, so that every path sees the same state. */
  barrier(): void;
}

/** Moves over fields, does nothing with them. */
export const skipAction: Action = {
  wanted: false,
  int() {},
  float() {},
  text() {},
  blob() {},
  structBegin() {},
  member: () => skipAction,
  structEnd() {},
  arrayBegin() {},
  element: () => skipAction,
  arrayEnd() {},
  optionBegin: () => skipAction,
  optionEnd() {},
  optionalBegin: () => skipAction,
  optionalEnd() {},
  optionalAbsent() {},
  barrier() {},
};

export class Generator {
  /** Lines of the body. */
  readonly #code: string[] = [];
  /** Values that the source refers to as `C[n]`. */
  readonly constants: unknown[] = [];
  readonly #constantIndex = new Map<unknown, number>();
  #names = 0;
  /** Slots that are local variables of this function, and those of them that are always set before use. */
  readonly #localSlots = new Set<number>();
  readonly #sureSlots = new Set<number>();
  /** Above 0 inside options, optional fields and loops: what is read there may not have been read. */
  #conditional = 0;
  readonly #declared = new Set<string>();

  // Position: byte variable `p` plus `#offset` bits (static), or the bit variable `q` (dynamic).
  #offset = 0;
  #known = 8;
  #dynamic = false;
  /** Where the bounds check of the current run of fixed-size reads is, or -1. */
  #check = -1;
  #checkEnd = 0;

  /** `sharedSlots`: slots that are read in other functions (headers, packet context). */
  constructor(
    private readonly sharedSlots: ReadonlySet<number>,
    /** How the code is left with a value: by returning it, unless it is part of a larger function. */
    leave: (value: string) => string = (value) => `return ${value};`,
  ) {
    this.#leave = leave;
  }

  readonly #leave: (value: string) => string;

  /** Emits the clock's update by a field. */
  moveClock = (lo: string, hi: string, size: string): void => {
    this.line(`s.updateClock(${lo}, ${hi}, ${size});`);
  };

  line(text: string): void {
    this.#code.push(text);
  }

  /** A line to be filled later. Must be filled before code branches or loops end. */
  placeholder(): number {
    this.#code.push("");
    return this.#code.length - 1;
  }

  fill(index: number, text: string): void {
    this.#code[index] = text;
  }

  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  constant(value: unknown): string {
    let index = this.#constantIndex.get(value);
    if (index === undefined) {
      index = this.constants.length;
      this.constants.push(value);
      this.#constantIndex.set(value, index);
    }
    return `C[${index}]`;
  }

  /** A variable of the function, declared once at its top with an initial value. */
  declare(name: string, initial: string): void {
    this.#declared.add(`let ${name} = ${initial};`);
  }

  /** The whole body: from bit `at` to `return` of the bit after the last field. */
  body(): string {
    return ["const u8 = s.u8, dv = s.dv, end = s.end;", this.inner()].join("\n");
  }

  /** The same as part of a function that has `u8`, `dv`, `end` and `at`. */
  inner(): string {
    return ["let p = at >>> 3, q = 0;", ...this.#declared, ...this.#code].join("\n");
  }

  /** Starts at bit `at`, of which only `known` bits of alignment are known (1: any bit). */
  begin(known: number): void {
    if (known >= 8) {
      this.#known = 8;
    } else {
      this.line("q = at;");
      this.#dynamic = true;
    }
  }

  /** Expression of the current position in bits. */
  position(): string {
    if (this.#dynamic) return "q";
    return this.#offset === 0 ? "(p << 3)" : `((p << 3) + ${this.#offset})`;
  }

  finish(): void {
    this.#closeRun();
    this.line(this.#leave(this.position()));
  }

  // --- position ---

  #closeRun(): void {
    if (this.#check < 0) return;
    const size = this.#checkEnd;
    this.#code[this.#check] = size > 0 ? `if ((p << 3) + ${size} > end) ${this.#leave("-1")}` : "";
    this.#check = -1;
  }

  /** Makes sure that a check covers `size` bits from here (static position). */
  #need(size: number): void {
    if (this.#check < 0) {
      this.#check = this.#code.length;
      this.#code.push("");
      this.#checkEnd = 0;
    }
    this.#checkEnd = Math.max(this.#checkEnd, this.#offset + size);
  }

  /** Folds the static offset into the variables: afterwards `p` (offset 0) or `q` is the position. */
  #settle(): void {
    this.#closeRun();
    if (this.#dynamic || this.#offset === 0) return;
    if (this.#offset % 8 === 0) {
      this.line(`p += ${this.#offset / 8};`);
      this.#known = knownAlignment(this.#known, this.#offset);
    } else {
      this.line(`q = (p << 3) + ${this.#offset};`);
      this.#dynamic = true;
    }
    this.#offset = 0;
  }

  /** The same, as the bit variable `q`. */
  #settleDynamic(): void {
    this.#closeRun();
    if (this.#dynamic) return;
    this.line(this.#offset === 0 ? "q = p << 3;" : `q = (p << 3) + ${this.#offset};`);
    this.#dynamic = true;
    this.#offset = 0;
  }

  #align(align: number): void {
    if (align <= 1) return;
    if (this.#dynamic) {
      if (align >= 8) {
        this.line(`p = (q + ${align - 1} & ${-align}) >>> 3;`);
        this.#dynamic = false;
        this.#offset = 0;
        this.#known = align;
      } else this.line(`q = q + ${align - 1} & ${-align};`);
      return;
    }
    if (align <= this.#known) {
      const offset = alignUp(this.#offset, align);
      this.#offset = offset;
      return;
    }
    this.#closeRun();
    this.line(`p = (p + ${Math.ceil(this.#offset / 8) + align / 8 - 1} & ${-(align / 8)});`);
    this.#offset = 0;
    this.#known = align;
  }

  // --- reading ---

  /** Emits the load of `size` bits here and moves on. */
  #readInt(size: number, signed: boolean, bigEndian: boolean, reversed: boolean): IntSource {
    if (size <= 32) {
      const name = this.name("v");
      this.line(`const ${name} = ${this.#smallLoad(size, signed, bigEndian, reversed)};`);
      return { small: name };
    }
    const lo = this.name("l");
    const hi = this.name("h");
    if (!this.#dynamic && this.#offset % 8 === 0 && size === 64 && !reversed) {
      this.#need(64);
      const at = this.#byte(0);
      const at4 = this.#byte(4);
      const get = signed ? "getInt32" : "getUint32";
      if (bigEndian) {
        this.line(`const ${hi} = dv.${get}(${at}), ${lo} = dv.getUint32(${at4});`);
      } else {
        this.line(`const ${lo} = dv.getUint32(${at}, true), ${hi} = dv.${get}(${at4}, true);`);
      }
      this.#offset += 64;
      return { lo, hi };
    }
    const at = this.#take(size);
    this.line(`let ${lo} = K.readBits(u8, ${at}, ${size}, ${bigEndian}), ${hi} = K.bits.hi;`);
    if (reversed) this.line(`${lo} = K.reverseBits(${lo}, ${hi}, ${size}); ${hi} = K.bits.hi;`);
    if (signed) this.line(`${lo} = K.signExtend(${lo}, ${hi}, ${size}); ${hi} = K.bits.hi;`);
    return { lo, hi };
  }

  /** Bounds and moves over `size` bits; answers the expression of where they began. */
  #take(size: number): string {
    if (this.#dynamic) {
      this.line(`if (q + ${size} > end) ${this.#leave("-1")}`);
      const at = this.name("b");
      this.line(`const ${at} = q; q += ${size};`);
      return at;
    }
    this.#need(size);
    const at = this.position();
    this.#offset += size;
    return at;
  }

  #byte(extra: number): string {
    const offset = this.#offset / 8 + extra;
    return offset === 0 ? "p" : `p + ${offset}`;
  }

  #smallLoad(size: number, signed: boolean, bigEndian: boolean, reversed: boolean): string {
    const sign = (value: string) =>
      signed
        ? size === 32
          ? `(${value}) | 0`
          : `(${value}) << ${32 - size} >> ${32 - size}`
        : `(${value}) >>> 0`;
    if (this.#dynamic || reversed) {
      const at = this.#take(size);
      const raw = `K.readBits(u8, ${at}, ${size}, ${bigEndian})`;
      return sign(reversed ? `K.reverseBits(${raw}, 0, ${size})` : raw);
    }
    this.#need(size);
    const offset = this.#offset;
    this.#offset += size;
    const bit = offset % 8;
    const byte = (offset - bit) / 8;
    const at = (extra: number) => (byte + extra === 0 ? "p" : `p + ${byte + extra}`);
    const kind = signed ? "Int" : "Uint";
    if (bit === 0 && size === 8) return signed ? `u8[${at(0)}] << 24 >> 24` : `u8[${at(0)}]`;
    if (bit === 0 && (size === 16 || size === 32)) {
      return `dv.get${kind}${size}(${at(0)}${bigEndian ? "" : ", true"})`;
    }
    const bytes = Math.ceil((bit + size) / 8);
    if (bytes > 4) return sign(`K.readBits(u8, (p << 3) + ${offset}, ${size}, ${bigEndian})`);
    let raw: string;
    if (bytes === 4) raw = `dv.getUint32(${at(0)}${bigEndian ? "" : ", true"})`;
    else if (bytes === 2) raw = `dv.getUint16(${at(0)}${bigEndian ? "" : ", true"})`;
    else {
      const parts: string[] = [];
      for (let i = 0; i < bytes; i++) {
        const shift = 8 * (bigEndian ? bytes - 1 - i : i);
        parts.push(shift === 0 ? `u8[${at(i)}]` : `u8[${at(i)}] << ${shift}`);
      }
      raw = `(${parts.join(" | ")})`;
    }
    const down = bigEndian ? bytes * 8 - bit - size : bit;
    const shifted = down === 0 ? raw : `${raw} >>> ${down}`;
    if (signed) return sign(shifted);
    return size === 32
      ? `(${shifted}) >>> 0`
      : `(${shifted} & ${size === 31 ? 0x7fffffff : (1 << size) - 1})`;
  }

  // --- the walk ---

  /** Walks one scope's tree. */
  walk(fc: FieldClass, action: Action): void {
    if (!action.wanted && !this.#hasSlot(fc)) {
      const size = fixedSize(fc);
      // Only where the start's alignment is known is the distance over the field known.
      if (size >= 0) {
        this.#align(fc.align);
        if (!this.#dynamic) {
          this.#need(size);
          this.#offset += size;
        } else {
          this.line(`if (q + ${size} > end) ${this.#leave("-1")} q += ${size};`);
        }
        return;
      }
    }

    switch (fc.type) {
      case "int": {
        this.#align(fc.align);
        if (!action.wanted && !mustRead(fc)) {
          this.#take(fc.size);
          break;
        }
        const value = this.#readInt(fc.size, fc.signed, fc.byteOrder === "be", fc.reversedBits);
        this.#save(fc.slot, value);
        if (updatesClock(fc)) {
          if ("small" in value) this.moveClock(`${value.small} >>> 0`, "0", String(fc.size));
          else this.moveClock(value.lo, `${value.hi} >>> 0`, String(fc.size));
        }
        if (action.wanted) action.int(fc, value);
        break;
      }
      case "varint": {
        this.#align(8);
        this.#settle();
        const lo = this.name("l");
        const hi = this.name("h");
        this.line(`const ${lo} = K.readLeb128(u8, p, end >>> 3, ${fc.signed}), ${hi} = K.bits.hi;`);
        this.line(
          `if (K.bits.bytes < 0) ${this.#leave('K.bits.bytes === -1 ? -1 : s.fail(p << 3, "variable-length integer of more than 64 bits")')}`,
        );
        this.line("p += K.bits.bytes;");
        this.#known = 8;
        this.#save(fc.slot, { lo, hi });
        if (action.wanted) action.int(fc, { lo, hi });
        break;
      }
      case "float": {
        this.#align(fc.align);
        if (!action.wanted) {
          this.#take(fc.size);
          break;
        }
        const plain = !this.#dynamic && this.#offset % 8 === 0 && !fc.reversedBits && fc.size !== 16;
        const little = fc.byteOrder === "le";
        const name = this.name("f");
        if (plain) {
          this.#need(fc.size);
          this.line(`const ${name} = dv.getFloat${fc.size}(${this.#byte(0)}${little ? ", true" : ""});`);
          this.#offset += fc.size;
        } else {
          const raw = this.#readInt(fc.size, false, !little, fc.reversedBits);
          this.line(
            "small" in raw
              ? `const ${name} = K.float${fc.size}FromBits(${raw.small});`
              : `const ${name} = K.float64FromBits(${raw.lo}, ${raw.hi});`,
          );
        }
        action.float(fc, name);
        break;
      }
      case "string":
        this.#string(codeUnitSize(fc.encoding), fc, action);
        break;
      case "static-string":
      case "static-blob": {
        this.#align(8);
        this.#need(fc.length * 8);
        if (action.wanted) {
          const start = this.#offset === 0 ? "p" : `(p + ${this.#offset / 8})`;
          if (fc.type === "static-blob") action.blob(fc, start, String(fc.length));
          else {
            const short = fc.encoding === "utf-8" && fc.length === 16 && action.text16;
            if (short) action.text16!(fc, start);
            else {
              const unit = codeUnitSize(fc.encoding);
              const length = this.name("n");
              this.line(
                `const ${length} = K.textEnd(u8, ${start}, ${start} + ${fc.length}, ${unit}) - ${start};`,
              );
              action.text(fc, start, length);
            }
          }
        }
        this.#offset += fc.length * 8;
        break;
      }
      case "dynamic-string":
      case "dynamic-blob":
        this.#dynamicBytes(fc, action);
        break;
      case "struct":
        this.#align(fc.align);
        if (action.wanted) action.structBegin(fc);
        fc.members.forEach((member, index) => {
          this.walk(member.fieldClass, action.wanted ? action.member(fc, index) : skipAction);
        });
        if (action.wanted) action.structEnd(fc);
        break;
      case "static-array":
        this.#align(fc.align);
        if (action.wanted) action.arrayBegin(fc, String(fc.length));
        if (fc.length > 0) this.#loop(fc, fc.element, String(fc.length), action);
        if (action.wanted) action.arrayEnd(fc);
        break;
      case "dynamic-array": {
        this.#align(fc.align);
        this.#settle();
        const length = this.#length(fc.length);
        const least = minimumSize(fc.element);
        if (least > 0)
          this.line(`if (${length} > (end - ${this.position()}) / ${least}) ${this.#leave("-1")}`);
        if (action.wanted) action.arrayBegin(fc, length);
        this.#loop(fc, fc.element, length, action);
        if (action.wanted) action.arrayEnd(fc);
        break;
      }
      case "optional": {
        this.#settle();
        action.barrier();
        const selector = this.#slot(fc.selector);
        const test = fc.ranges ? this.#rangeTest(selector, fc.ranges) : `${selector} != 0`;
        this.line(
          `if (${selector} === -Infinity) ${this.#leave(`s.fail(${this.position()}, "optional field's selector was not decoded before it")`)}`,
        );
        this.#branches([
          {
            test,
            run: () => {
              const inner = action.wanted ? action.optionalBegin(fc) : skipAction;
              this.walk(fc.fieldClass, inner);
              if (action.wanted) action.optionalEnd(fc);
              action.barrier();
            },
          },
          {
            test: undefined,
            run: () => {
              if (action.wanted) action.optionalAbsent(fc);
              action.barrier();
            },
          },
        ]);
        break;
      }
      case "variant": {
        this.#settle();
        action.barrier();
        const selector = this.#slot(fc.selector);
        this.#branches([
          ...fc.options.map((option, index) => ({
            test: this.#rangeTest(selector, option.ranges),
            run: () => {
              const inner = action.wanted ? action.optionBegin(fc, index) : skipAction;
              this.walk(option.fieldClass, inner);
              if (action.wanted) action.optionEnd(fc, index);
              action.barrier();
            },
          })),
          {
            test: undefined,
            run: () => {
              this.line(
                `${this.#leave(`s.fail(${this.position()}, "no option of the variant for selector value " + ${selector})`)}`,
              );
            },
            leaves: true,
          },
        ]);
        break;
      }
    }
  }

  #hasSlot(fc: FieldClass): boolean {
    if (mustRead(fc)) return true;
    switch (fc.type) {
      case "struct":
        return fc.members.some((m) => this.#hasSlot(m.fieldClass));
      case "static-array":
      case "dynamic-array":
        return this.#hasSlot(fc.element);
      case "optional":
        return this.#hasSlot(fc.fieldClass);
      case "variant":
        return fc.options.some((o) => this.#hasSlot(o.fieldClass));
      default:
        return false;
    }
  }

  #save(slot: number | undefined, value: IntSource): void {
    if (slot === undefined) return;
    const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
    if (!this.#localSlots.has(slot)) {
      this.#localSlots.add(slot);
      if (this.#conditional === 0) this.#sureSlots.add(slot);
      this.declare(`x${slot}`, this.#conditional === 0 ? "0" : "-Infinity");
      // The value of the record before is no value of this one.
      if (this.#conditional > 0 && this.sharedSlots.has(slot)) {
        this.#declared.add(`s.slots[${slot}] = -Infinity;`);
      }
    }
    this.line(`x${slot} = ${exact};`);
    if (this.sharedSlots.has(slot)) this.line(`s.slots[${slot}] = x${slot};`);
  }

  /** Expression of a referred field's value; `-Infinity` when it was not decoded. */
  #slot(ref: FieldRef): string {
    if (this.#localSlots.has(ref.slot)) return `x${ref.slot}`;
    return `s.slots[${ref.slot}]`;
  }

  /** A checked length (elements or bytes) in a fresh variable, a number. */
  #length(ref: FieldRef): string {
    const name = this.name("n");
    if (this.#sureSlots.has(ref.slot)) {
      this.line(`const ${name} = Number(x${ref.slot});`);
      return name;
    }
    this.line(`const ${name} = Number(${this.#slot(ref)});`);
    this.line(
      `if (!(${name} >= 0)) ${this.#leave(`s.fail(${this.position()}, "length " + ${name} + " from a field that was not decoded before")`)}`,
    );
    return name;
  }

  #rangeTest(value: string, ranges: readonly IntRange[]): string {
    const small = ranges.every((r) => r.lower >= -(2n ** 31n) && r.upper < 2n ** 32n);
    if (!small || ranges.length > 16) return `K.inRanges(${value}, ${this.constant(ranges)})`;
    const tests = ranges.map((r) =>
      r.lower === r.upper ? `${value} == ${r.lower}` : `${value} >= ${r.lower} && ${value} <= ${r.upper}`,
    );
    return tests.length === 0 ? "false" : tests.join(" || ");
  }

  #string(unit: number, fc: FieldClass, action: Action): void {
    this.#align(8);
    this.#settle();
    const start = this.name("a");
    const limit = this.name("e");
    this.line(`const ${start} = p, ${limit} = end >>> 3;`);
    if (unit === 1) this.line(`while (p < ${limit} && u8[p] !== 0) p++;`);
    else this.line(`p = K.textEnd(u8, p, ${limit}, ${unit});`);
    this.line(`if (p + ${unit} > ${limit}) ${this.#leave("-1")}`);
    const length = this.name("n");
    this.line(`const ${length} = p - ${start}; p += ${unit};`);
    this.#known = 8;
    if (action.wanted) action.text(fc, start, length);
  }

  #dynamicBytes(fc: DynamicStringClass | DynamicBlobClass, action: Action): void {
    this.#align(8);
    this.#settle();
    const bytes = this.#length(fc.length);
    this.line(`if (${bytes} > (end >>> 3) - p) ${this.#leave("-1")}`);
    const start = this.name("a");
    this.line(`const ${start} = p; p += ${bytes};`);
    this.#known = 8;
    if (!action.wanted) return;
    if (fc.type === "dynamic-blob") action.blob(fc, start, bytes);
    else {
      const length = this.name("n");
      this.line(`const ${length} = K.textEnd(u8, ${start}, p, ${codeUnitSize(fc.encoding)}) - ${start};`);
      action.text(fc, start, length);
    }
  }

  #loop(fc: FieldClass, element: FieldClass, length: string, action: Action): void {
    if (minimumSize(element) === 0) {
      this.#settle();
      this.declare("z", "0");
      const reason = `"more than ${emptyElementLimit} array elements that may take no space"`;
      this.line(
        `z += ${length}; if (z > ${emptyElementLimit}) ${this.#leave(`s.fail(${this.position()}, ${reason})`)}`,
      );
    }
    const size = fixedSize(element);
    if (
      !action.wanted &&
      !this.#hasSlot(element) &&
      size >= 0 &&
      size % 8 === 0 &&
      element.align <= 8 &&
      !this.#dynamic
    ) {
      this.#settle();
      this.line(`if (${length} * ${size} > end - (p << 3)) ${this.#leave("-1")}`);
      this.line(`p += ${length} * ${size / 8};`);
      this.#known = 8;
      return;
    }
    action.barrier();
    // Elements that are not whole bytes leave the position at any bit.
    const wholeBytes = !this.#dynamic && this.#offset % 8 === 0 && endsOnByte(element);
    if (wholeBytes) this.#settle();
    else this.#settleDynamic();
    const index = this.name("i");
    this.line(`for (let ${index} = 0; ${index} < ${length}; ${index}++) {`);
    this.#known = 8;
    const inner = action.wanted ? action.element(fc, index) : skipAction;
    this.#conditional++;
    this.walk(element, inner);
    this.#conditional--;
    inner.barrier();
    if (wholeBytes) this.#settle();
    else this.#settleDynamic();
    this.line("}");
    this.#known = 8;
  }

  #branches(branches: { test: string | undefined; run: () => void; leaves?: boolean }[]): void {
    const start = { offset: this.#offset, known: this.#known, dynamic: this.#dynamic };
    this.#conditional++;
    // Branches may end at different alignments: a first pass finds out, the second writes them to agree.
    const parts: { test: string | undefined; code: string[]; dynamic: boolean; leaves: boolean }[] = [];
    for (const branch of branches) {
      this.#offset = start.offset;
      this.#known = start.known;
      this.#dynamic = start.dynamic;
      const from = this.#code.length;
      branch.run();
      if (!branch.leaves) this.#settle();
      parts.push({
        test: branch.test,
        code: this.#code.splice(from),
        dynamic: this.#dynamic,
        leaves: branch.leaves ?? false,
      });
    }
    this.#conditional--;
    const dynamic = parts.some((part) => !part.leaves && part.dynamic);
    parts.forEach((part, i) => {
      const head = part.test === undefined ? "{" : `if (${part.test}) {`;
      this.line(i === 0 ? head : `else ${head}`);
      for (const line of part.code) this.line(line);
      if (dynamic && !part.leaves && !part.dynamic) this.line("q = p << 3;");
      this.line("}");
    });
    this.#dynamic = dynamic;
    this.#offset = 0;
    this.#known = 8;
  }
}

/** CTF 1.8: any integer mapped to the clock moves it, wherever it is (headers have a role instead). */
export function updatesClock(fc: FieldClass): boolean {
  return fc.type === "int" && fc.clock !== undefined && fc.roles.length === 0;
}

/** Whether a field's value matters to later ones even if nobody asked for it. */
function mustRead(fc: FieldClass): boolean {
  return fc.slot !== undefined || updatesClock(fc);
}

/** Alignment (bits) known of `base + offset` when `base` is a multiple of `known`. */
function knownAlignment(known: number, offset: number): number {
  let align = known;
  while (align > 8 && offset % align !== 0) align /= 2;
  return align;
}

/** Whether an instance that begins on a byte ends on one, whatever the data. */
function endsOnByte(fc: FieldClass): boolean {
  switch (fc.type) {
    case "int":
    case "float":
      return fc.align >= 8 && fc.size % 8 === 0;
    case "struct":
      return fc.members.every((m) => endsOnByte(m.fieldClass));
    case "static-array":
    case "dynamic-array":
      return endsOnByte(fc.element);
    case "optional":
      return endsOnByte(fc.fieldClass);
    case "variant":
      return fc.options.every((o) => endsOnByte(o.fieldClass));
    default:
      return true;
  }
}
