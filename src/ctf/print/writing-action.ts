/**
 * The common part of actions that write output bytes: constant text and room checks.
 *
 * In the generated function, `o` is the output position, `w` and `d` the writer's bytes and DataView, `T` the
 * writer. Constant text is stored eight bytes at a time as one number; one room check covers a run of writes
 * of bounded size.
 */

import type { Action, Generator, IntSource } from "../decode/generator.js";
import { skipAction } from "../decode/generator.js";
import { isVisible } from "../decode/layout.js";
import type { FieldClass, StructClass } from "../metadata/types.js";

const scratch = new DataView(new ArrayBuffer(8));
/** Longer constant text is copied from a constant instead of being part of the source. */
const inlineText = 160;

export abstract class WritingAction implements Action {
  readonly wanted = true;
  #pending: number[] = [];
  #offset = 0;
  #check = -1;
  #checkBase = 0;
  #size = 0;

  constructor(protected readonly g: Generator) {}

  abstract int(fc: FieldClass, value: IntSource): void;
  abstract float(fc: FieldClass, value: string): void;
  abstract text(fc: FieldClass, start: string, length: string): void;
  abstract blob(fc: FieldClass, start: string, length: string): void;
  abstract structBegin(fc: StructClass): void;
  abstract structEnd(fc: StructClass): void;
  abstract arrayBegin(fc: FieldClass, length: string): void;
  abstract element(fc: FieldClass, index: string): Action;
  abstract arrayEnd(fc: FieldClass): void;
  abstract optionBegin(fc: FieldClass, index: number): Action;
  abstract optionEnd(fc: FieldClass, index: number): void;
  abstract optionalBegin(fc: FieldClass): Action;
  abstract optionalEnd(fc: FieldClass): void;
  abstract optionalAbsent(fc: FieldClass): void;
  /** Writes what comes before a visible member; `first` of its structure. */
  protected abstract memberBegin(name: string, first: boolean): void;

  #printed: number[] = [];

  member(fc: StructClass, index: number): Action {
    if (index === 0) this.#printed.push(0);
    const member = fc.members[index]!;
    const depth = this.#printed.length - 1;
    const last = index === fc.members.length - 1;
    const count = this.#printed[depth]!;
    if (last) this.#printed.pop();
    if (!isVisible(member.fieldClass)) return skipAction;
    if (!last) this.#printed[depth] = count + 1;
    this.memberBegin(member.name, count === 0);
    return this;
  }

  /** Appends constant text. */
  protected literal(text: string): void {
    for (const byte of Buffer.from(text)) this.#pending.push(byte);
  }

  /** Expression of the output position, constant text stored. A bounded write of `size` bytes may follow. */
  protected bounded(size: number): string {
    this.#store();
    this.#reserve(size);
    const at = this.#at();
    this.#offset = 0;
    return at;
  }

  /** A bounded write of exactly `size` bytes at the returned position, which moves by it. */
  protected exactly(size: number): string {
    this.#store();
    this.#reserve(size);
    const at = this.#at();
    this.#offset += size;
    return at;
  }

  /** Takes back `size` bytes of the last `exactly`: code has moved `o` itself by what was needed more. */
  protected backUp(size: number): void {
    this.#offset -= size;
  }

  /** Emits `o = call(position)` for a function that makes its own room; the buffers may be new afterwards. */
  protected unbounded(call: (at: string) => string): void {
    this.#store();
    const at = this.#at();
    this.#close();
    this.#offset = 0;
    this.g.line(`o = ${call(at)}; w = T.u8; d = T.dv;`);
  }

  barrier(): void {
    this.#store();
    if (this.#offset > 0) this.g.line(`o += ${this.#offset};`);
    this.#offset = 0;
    this.#close();
  }

  #at(): string {
    return this.#offset === 0 ? "o" : `o + ${this.#offset}`;
  }

  #reserve(size: number): void {
    if (this.#check < 0) {
      this.#check = this.g.placeholder();
      this.#checkBase = this.#offset;
      this.#size = 0;
    }
    this.#size += size;
  }

  #close(): void {
    if (this.#check < 0) return;
    const need = this.#checkBase + this.#size;
    this.g.fill(this.#check, `if (o + ${need} > T.capacity) { T.room(o, ${need}); w = T.u8; d = T.dv; }`);
    this.#check = -1;
  }

  /** Stores pending constant text. */
  #store(): void {
    const bytes = this.#pending;
    if (bytes.length === 0) return;
    this.#pending = [];
    this.#reserve(bytes.length + 8);
    if (bytes.length > inlineText) {
      this.g.line(`w.set(${this.g.constant(Uint8Array.from(bytes))}, ${this.#at()});`);
      this.#offset += bytes.length;
      return;
    }
    for (let i = 0; i < bytes.length; i += 8) {
      const part = bytes.slice(i, i + 8);
      const at = this.#offset + i === 0 ? "o" : `o + ${this.#offset + i}`;
      if (part.length === 1) this.g.line(`w[${at}] = ${part[0]};`);
      else {
        scratch.setFloat64(0, 0);
        part.forEach((byte, k) => {
          scratch.setUint8(k, byte);
        });
        if (part.length <= 4) this.g.line(`d.setInt32(${at}, ${scratch.getInt32(0, true)}, true);`);
        else {
          const number = scratch.getFloat64(0, true);
          if (Number.isFinite(number) && !Object.is(number, -0)) {
            this.g.line(`d.setFloat64(${at}, ${number}, true);`);
          } else {
            this.g.line(`d.setInt32(${at}, ${scratch.getInt32(0, true)}, true);`);
            this.g.line(`d.setInt32(o + ${this.#offset + i + 4}, ${scratch.getInt32(4, true)}, true);`);
          }
        }
      }
    }
    this.#offset += bytes.length;
  }
}
