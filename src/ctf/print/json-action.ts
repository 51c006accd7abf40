/**
 * Generated printing of fields as JSON. Integers keep all their digits; 64-bit ones may exceed what JSON
 * readers that use doubles can hold, which is why nothing is rounded here.
 *
 * Enumerations are `{"value":N,"labels":[...]}`; blobs are strings of hexadecimal digits.
 */

import { StockText } from "../../base/byte-writer.js";
import type { Action, IntSource } from "../decode/generator.js";
import { LabelCache } from "../decode/labels.js";
import type { FieldClass, FixedIntClass, FloatClass, StructClass, VarIntClass } from "../metadata/types.js";
import { WritingAction } from "./writing-action.js";

/** The text after an enumeration's number. */
export function enumSuffix(labels: readonly string[]): string {
  return `,"labels":${JSON.stringify(labels)}}`;
}

export class JsonAction extends WritingAction {
  put(text: string): void {
    this.literal(text);
  }

  copy(stock: string): void {
    this.unbounded((at) => `(${stock}).write(T, ${at})`);
  }

  protected memberBegin(name: string, first: boolean): void {
    this.literal(`${first ? "" : ","}${JSON.stringify(name)}:`);
  }

  int(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    const form = fc.type === "int" ? fc.form : "integer";
    if (form === "boolean") {
      const test = "small" in value ? value.small : `${value.lo} | ${value.hi}`;
      this.copy(`(${test}) ? ${this.g.constant(trueText)} : ${this.g.constant(falseText)}`);
      return;
    }
    const labelled = fc.mappings !== undefined && form === "integer";
    if (labelled) this.literal('{"value":');
    const at = this.bounded(21);
    if ("small" in value) {
      this.g.line(`o = K.${fc.signed ? "writeSigned32" : "writeDecimal32"}(w, ${at}, ${value.small});`);
    } else this.g.line(`o = K.writeDecimal64(w, ${at}, ${value.lo}, ${value.hi});`);
    if (labelled) {
      const cache = new LabelCache(fc.mappings!, (labels) => new StockText(Buffer.from(enumSuffix(labels))));
      const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
      this.copy(`${this.g.constant(cache)}.get(${exact})`);
    }
  }

  float(_fc: FloatClass, value: string): void {
    const at = this.bounded(32);
    this.g.line(`o = K.writeAscii(w, ${at}, K.jsonNumber(${value}));`);
  }

  text(fc: FieldClass, start: string, length: string): void {
    const encoding = "encoding" in fc && fc.encoding ? fc.encoding : "utf-8";
    this.unbounded(
      (at) => `K.writeJsonText(T, ${at}, u8, ${start}, ${length}, ${this.g.constant(encoding)})`,
    );
  }

  blob(_fc: FieldClass, start: string, length: string): void {
    this.unbounded((at) => `K.writeJsonBlob(T, ${at}, u8, ${start}, ${length})`);
  }

  structBegin(_fc: StructClass): void {
    this.literal("{");
  }

  structEnd(_fc: StructClass): void {
    this.literal("}");
  }

  arrayBegin(_fc: FieldClass, _length: string): void {
    this.literal("[");
  }

  element(_fc: FieldClass, index: string): Action {
    const at = this.exactly(1);
    this.g.line(`if (${index} > 0) { w[${at}] = 44; o++; }`);
    this.backUp(1);
    return this;
  }

  arrayEnd(_fc: FieldClass): void {
    this.literal("]");
  }

  optionBegin(_fc: FieldClass, _index: number): Action {
    return this;
  }

  optionEnd(_fc: FieldClass, _index: number): void {}

  optionalBegin(_fc: FieldClass): Action {
    return this;
  }

  optionalEnd(_fc: FieldClass): void {}

  optionalAbsent(_fc: FieldClass): void {
    this.literal("null");
  }
}

const trueText = new StockText(Buffer.from("true"));
const falseText = new StockText(Buffer.from("false"));
