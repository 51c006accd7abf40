/**
 * Generated printing in the format of babeltrace2's `sink.text.pretty`.
 */

import { StockText } from "../../base/byte-writer.js";
import type { Action, IntSource } from "../decode/generator.js";
import { LabelCache } from "../decode/labels.js";
import { codeUnitSize } from "../decode/state.js";
import type { FieldClass, FixedIntClass, FloatClass, StructClass, VarIntClass } from "../metadata/types.js";
import { shortTexts } from "./babeltrace-strings.js";
import { quoted } from "./quote.js";
import { WritingAction } from "./writing-action.js";

/** The bytes before an enumeration's number. */
export function enumPrefix(labels: readonly string[]): string {
  return `( ${labels.length === 0 ? "<unknown>" : labels.map(quoted).join(", ")} : container = `;
}

export class PrettyAction extends WritingAction {
  /** Whether field names are written. */
  names = true;
  /** Empty strings as babeltrace2 prints them: the code has `B` (`RecycledStrings`) and `held` (the object). */
  recycled = false;
  #texts = 0;
  #shortTexts = 0;
  /** Index variables of the arrays around the field. */
  readonly #indexes: string[] = [];

  protected memberBegin(name: string, first: boolean): void {
    this.literal(first ? " " : ", ");
    if (this.names) this.literal(`${name} = `);
  }

  /** Constant text between scopes. */
  put(text: string): void {
    this.literal(text);
  }

  /** Writes a `StockText` known only when the code runs; `stock` is an expression. */
  copy(stock: string): void {
    this.unbounded((at) => `(${stock}).write(T, ${at})`);
  }

  int(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    const form = fc.type === "int" ? fc.form : "integer";
    if (form === "boolean") {
      const test = "small" in value ? value.small : `${value.lo} | ${value.hi}`;
      this.copy(`(${test}) ? ${this.g.constant(trueText)} : ${this.g.constant(falseText)}`);
      return;
    }
    if (form === "integer" && fc.mappings) {
      const cache = new LabelCache(fc.mappings, (labels) => new StockText(Buffer.from(enumPrefix(labels))));
      const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
      this.copy(`${this.g.constant(cache)}.get(${exact})`);
      this.#number(fc, value);
      this.literal(" )");
      return;
    }
    if (form === "bit-array" || form === "bit-map") this.#hex(value, fc.type === "int" ? fc.size : 64);
    else this.#number(fc, value);
  }

  #hex(value: IntSource, size: number): void {
    this.literal("0x");
    const at = this.bounded(16);
    if ("small" in value) this.g.line(`o = K.writeHex(w, ${at}, ${value.small} >>> 0, 0, ${size});`);
    else this.g.line(`o = K.writeHex(w, ${at}, ${value.lo}, ${value.hi} >>> 0, ${size});`);
  }

  #number(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    const size = fc.type === "int" ? fc.size : 64;
    if (fc.base === 16) {
      this.#hex(value, size);
      return;
    }
    if (fc.base !== 10) {
      const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
      this.unbounded((at) => `K.writeBase(T, ${at}, ${exact}, ${size}, ${fc.base}, ${fc.signed})`);
      return;
    }
    const at = this.bounded(21);
    if ("small" in value) {
      this.g.line(`o = K.${fc.signed ? "writeSigned32" : "writeDecimal32"}(w, ${at}, ${value.small});`);
    } else this.g.line(`o = K.writeDecimal64(w, ${at}, ${value.lo}, ${value.hi});`);
  }

  float(_fc: FloatClass, value: string): void {
    const at = this.bounded(32);
    this.g.line(`o = K.writeAscii(w, ${at}, K.formatG(${value}));`);
  }

  text(fc: FieldClass, start: string, length: string): void {
    const encoding = "encoding" in fc && fc.encoding ? fc.encoding : "utf-8";
    if (this.recycled && encoding === "utf-8") {
      // Elements of arrays have texts of their own: 65536 numbers per field and level.
      const number = this.#texts++;
      const place = this.#indexes.reduce((sum, index) => `(${sum} * 65536 + ${index} + 1)`, String(number));
      const write = this.#indexes.length === 0 ? "write" : "writePlace";
      this.unbounded((at) => `B.${write}(T, ${at}, held, ${place}, u8, ${start}, ${length})`);
      return;
    }
    this.unbounded((at) =>
      codeUnitSize(encoding) === 1
        ? `K.writeQuoted(T, ${at}, u8, ${start}, ${length})`
        : `K.writeQuotedWide(T, ${at}, u8, ${start}, ${length}, ${this.g.constant(encoding)})`,
    );
  }

  text16(fc: FieldClass, start: string): void {
    if (!this.recycled) {
      this.unbounded((at) => `K.quotedNames.write(T, ${at}, u8, dv, ${start})`);
      return;
    }
    if (this.#indexes.length > 0 || this.#shortTexts === shortTexts) {
      const length = this.g.name("n");
      this.g.line(`const ${length} = K.textEnd(u8, ${start}, ${start} + 16, 1) - ${start};`);
      this.text(fc, start, length);
      return;
    }
    const slot = this.#shortTexts++;
    const words = [0, 1, 2, 3].map(
      (i) => `held.words[${slot * 4 + i}] = dv.getInt32(${start} + ${i * 4}, true);`,
    );
    this.g.line(`if (u8[${start}] !== 0) { ${words.join(" ")} }`);
    this.unbounded(
      (at) =>
        `u8[${start}] !== 0 ? K.quotedNames.write(T, ${at}, u8, dv, ${start}) : B.writeHeld16(T, ${at}, held, ${slot})`,
    );
  }

  blob(_fc: FieldClass, start: string, length: string): void {
    this.unbounded((at) => `K.writeBlob(T, ${at}, u8, ${start}, ${length}, ${this.names})`);
  }

  structBegin(_fc: StructClass): void {
    this.literal("{");
  }

  structEnd(_fc: StructClass): void {
    this.literal(" }");
  }

  arrayBegin(_fc: FieldClass, _length: string): void {
    this.literal("[");
  }

  element(_fc: FieldClass, index: string): Action {
    this.#indexes.push(index);
    const at = this.exactly(2);
    // Elements after the first are preceded by a comma.
    this.g.line(`if (${index} > 0) { w[${at}] = 44; w[${at} + 1] = 32; o++; } else w[${at}] = 32;`);
    this.backUp(1);
    if (this.names) {
      this.literal("[");
      const number = this.bounded(10);
      this.g.line(`o = K.writeDecimal32(w, ${number}, ${index});`);
      this.literal("] = ");
    }
    return this;
  }

  arrayEnd(fc: FieldClass): void {
    // An array of constant length 0 has no loop.
    if (fc.type !== "static-array" || fc.length > 0) this.#indexes.pop();
    this.literal(" ]");
  }

  optionBegin(_fc: FieldClass, _index: number): Action {
    this.literal("{ ");
    return this;
  }

  optionEnd(_fc: FieldClass, _index: number): void {
    this.literal(" }");
  }

  optionalBegin(_fc: FieldClass): Action {
    this.literal("{ ");
    return this;
  }

  optionalEnd(_fc: FieldClass): void {
    this.literal(" }");
  }

  optionalAbsent(_fc: FieldClass): void {
    this.literal("<none>");
  }
}

const trueText = new StockText(Buffer.from("true"));
const falseText = new StockText(Buffer.from("false"));
