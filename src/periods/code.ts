/**
 * Expressions → JavaScript source.
 *
 * What is known of an event record class chooses the kind in which a field is asked for, and with it the cheapest
 * comparison that is right: `===` for numbers and strings, functions of `values.ts` for everything else.
 */
import type { FieldKind, FieldRequest } from "../sources/source.js";
import type { EventOperand, Expression, Operand, Property } from "./ast.js";
import { type ClassView, constantOf, requestOf } from "./specialise.js";
import { keyOf } from "./values.js";

/** What values a piece of source has: `number` may be NaN (not there), `text` "" only if `present`, `any` anything. */
interface Source {
  readonly js: string;
  readonly type: "number" | "text" | "label" | "any";
}

/** Source of what earlier event records left behind; undefined: it is never there. */
export type KeptSource = (operand: EventOperand) => string;

/** Functions that generated code calls by these names, beside `r` (the record) and `K` (constants). */
export const HELPERS = "same, order, isIn, matches, partOf, keyOf, threads";

/** Fields and constants of one generated handler. */
export class CodeScope {
  readonly fields: Record<string, FieldRequest> = {};
  readonly constants: unknown[] = [];
  readonly #properties = new Map<string, string>();
  /** Whether the kernel model is asked. */
  readonly modelled = new Set<Property>();

  constructor(
    readonly view: ClassView,
    /** Exact ns since the epoch of `ns` 0. */
    readonly originNs: bigint,
  ) {}

  constant(value: unknown): string {
    const known = this.constants.indexOf(value);
    return `K[${known >= 0 ? known : this.constants.push(value) - 1}]`;
  }

  #field(from: string, kind: FieldKind): string {
    const key = `${kind} ${from}`;
    let property = this.#properties.get(key);
    if (property === undefined) {
      property = `f${this.#properties.size}`;
      this.#properties.set(key, property);
      this.fields[property] = { from, kind };
    }
    return `r.${property}`;
  }

  /** An operand of the record being tested, as it is best compared with something of type `wanted`. */
  #current(operand: EventOperand, wanted: Source["type"]): Source {
    if (operand.type === "property") return this.#property(operand.property);
    const request = operand.type === "field" ? requestOf(operand) : undefined;
    if (request === undefined) return { js: "undefined", type: "any" };
    const { from, rest } = request;
    if (rest.length > 0) {
      return { js: `partOf(${this.#field(from, "value")}, ${this.constant(rest)})`, type: "any" };
    }
    switch (this.view.typeOf(operand)) {
      case undefined:
        return { js: "undefined", type: "any" };
      case "integer":
      case "boolean":
      case "real":
        return { js: this.#field(from, "number"), type: "number" };
      case "string":
        return { js: this.#field(from, "string"), type: "text" };
      case "enumeration":
        return wanted === "number"
          ? { js: this.#field(from, "number"), type: "number" }
          : { js: this.#field(from, "string"), type: "label" };
      default:
        return { js: this.#field(from, "value"), type: "any" };
    }
  }

  #property(property: Property): Source {
    switch (property) {
      case "name":
      case "host":
        return { js: this.constant(this.view[property]), type: "text" };
      case "cpu":
        return { js: "(r.cpu < 0 ? NaN : r.cpu)", type: "number" };
      case "ts":
        return { js: `(${this.constant(this.originNs)} + BigInt(Math.round(r.ns)))`, type: "any" };
      case "procname":
        this.modelled.add(property);
        return { js: "threads.procname(r)", type: "any" };
      default:
        this.modelled.add(property);
        return { js: `threads.${property}(r)`, type: "number" };
    }
  }

  /** Any operand's source. */
  #source(operand: Operand, kept: KeptSource, wanted: Source["type"]): Source {
    const seen = constantOf(operand, this.view);
    if (seen.type !== "literal") {
      return seen.moment.begin ? { js: kept(seen), type: "any" } : this.#current(seen, wanted);
    }
    const { value } = seen;
    if (typeof value === "string") return { js: JSON.stringify(value), type: "text" };
    if (typeof value === "bigint") return { js: `${value}n`, type: "any" };
    return { js: String(Number(value)), type: "number" };
  }

  /** A value that can be kept: what is not there is undefined (NaN for numbers). */
  valueOf(operand: EventOperand, kept: KeptSource): string {
    const { js, type } = this.#source(operand, kept, "any");
    if (type !== "label") return js;
    // A number without a label is still a number.
    const number = this.#source(operand, kept, "number").js;
    return `(${js} === "" ? ${number} : ${js})`;
  }

  /** The key by which an index finds what is equal to an operand of the record. */
  keyOf(operand: EventOperand): string {
    const { js, type } = this.#source(operand, noneKept, "any");
    if (type === "label") return `keyOf(${this.valueOf(operand, noneKept)})`;
    return type === "any" || (type === "number" && this.#isReal(operand)) ? `keyOf(${js})` : js;
  }

  #isReal(operand: EventOperand): boolean {
    return this.view.typeOf(constantOf(operand, this.view) as EventOperand) === "real";
  }

  /** Source of a condition. The expression has been specialised for the class. */
  condition(expression: Expression, kept: KeptSource): string {
    switch (expression.type) {
      case "constant":
        return String(expression.value);
      case "not":
        return `!(${this.condition(expression.operand, kept)})`;
      case "and":
        return expression.operands.map((part) => `(${this.condition(part, kept)})`).join(" && ");
      case "or":
        return `(${expression.operands.map((part) => `(${this.condition(part, kept)})`).join(" || ")})`;
      case "comparison":
        return this.#comparison(expression, kept);
      case "match": {
        const { js } = this.#source(expression.operand, kept, "text");
        return `matches(${this.constant(expression.regexp)}, ${js})`;
      }
      case "in": {
        const numbers = expression.items.some(({ value }) => typeof value !== "string");
        const texts = expression.items.some(({ value }) => typeof value === "string");
        const parts: string[] = [];
        for (const wanted of ["number", "text"] as const) {
          if (!(wanted === "number" ? numbers : texts)) continue;
          const items = new Set(
            expression.items
              .map(({ value }) => value)
              .filter((value) => (typeof value === "string") === (wanted === "text"))
              .map(keyOf),
          );
          parts.push(`isIn(${this.constant(items)}, ${this.#source(expression.operand, kept, wanted).js})`);
        }
        return parts.join(" || ");
      }
    }
  }

  #comparison(
    { operator, left, right }: Extract<Expression, { type: "comparison" }>,
    kept: KeptSource,
  ): string {
    // An enumeration is compared with numbers as a number, with everything else as its label.
    const literalType = (o: Operand): Source["type"] =>
      o.type === "literal" ? (typeof o.value === "string" ? "text" : "number") : "any";
    const typeOf = (o: Operand): Source["type"] =>
      o.type === "literal" ? literalType(o) : this.#source(o, kept, "any").type;
    const a = this.#source(left, kept, typeOf(right));
    const b = this.#source(right, kept, typeOf(left));
    const numbers = a.type === "number" && b.type === "number";
    const texts = a.type === "text" && b.type === "text";
    if (operator === "==" || operator === "!=") {
      const equal =
        numbers || texts
          ? `${a.js} === ${b.js}`
          : a.type === "label" || b.type === "label"
            ? `(${[a, b]
                .filter(({ type }) => type === "label")
                .map(({ js }) => `${js} !== "" && `)
                .join("")}same(${a.js}, ${b.js}))`
            : `same(${a.js}, ${b.js})`;
      return operator === "==" ? equal : `!(${equal})`;
    }
    return numbers ? `${a.js} ${operator} ${b.js}` : `order(${a.js}, ${b.js}) ${operator} 0`;
  }
}

const noneKept: KeptSource = () => "undefined";
