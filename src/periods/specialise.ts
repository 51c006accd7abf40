/**
 * What is left of an expression when the event record class is known: its name and its host are constants, and
 * fields that it lacks are absent. Most classes leave nothing ("false"), and cost nothing while the trace is read.
 */
import type { EventInfo, FieldType, SourceInfo } from "../sources/source.js";
import {
  type EventOperand,
  type Expression,
  type FieldOperand,
  type FieldScope,
  isModelled,
  type Operand,
  type Property,
} from "./ast.js";
import { compare, isIn, keyOf, matches } from "./values.js";

/** Packet context fields of LTTng, for sources that do not tell theirs. */
export const USUAL_PACKET_FIELDS = [
  "cpu_id",
  "timestamp_begin",
  "timestamp_end",
  "content_size",
  "packet_size",
  "packet_seq_num",
  "events_discarded",
];

const REQUEST_PREFIX: Readonly<Partial<Record<FieldScope, string>>> = {
  payload: "payload:",
  specific: "specific:",
  common: "common:",
  packet: "packet:",
};

/** The field that is asked from the source (what lies behind an index is taken from its value), and the rest. */
export function requestOf(
  operand: FieldOperand,
): { from: string; rest: readonly (string | number)[] } | undefined {
  const { scope, path } = operand;
  const prefix = scope === undefined ? "" : REQUEST_PREFIX[scope];
  // Headers are consumed while records are read.
  if (prefix === undefined) return undefined;
  const index = path.findIndex((step) => typeof step === "number");
  const names = index < 0 ? path : path.slice(0, index);
  return { from: `${prefix}${names.join(".")}`, rest: index < 0 ? [] : path.slice(index) };
}

/** What is known of the event record being tested before it is read. */
export interface ClassView {
  readonly name: string;
  readonly host: string;
  /** Undefined: records of this class never have it. */
  typeOf(operand: EventOperand): FieldType | undefined;
}

/** Fields that contexts tell, if they were added; else the kernel model does. */
const THREAD_WORDS: ReadonlySet<string> = new Set(["tid", "pid", "procname"]);

/** What `source` tells of one event record class. */
export function classView(info: SourceInfo, event: EventInfo): ClassView {
  const { domain } = info.traces[event.trace]!;
  const types = new Map<string, FieldType | undefined>();
  const fieldType = (from: string, operand: FieldOperand): FieldType | undefined => {
    if (info.fieldType) return info.fieldType(event, from);
    const name = operand.path[0] as string;
    const { scope } = operand;
    const inPayload = (scope === undefined || scope === "payload") && event.fields.includes(name);
    const inContext = scope !== "payload" && scope !== "packet" && event.contextFields.includes(name);
    const inPacket = scope === "packet" || (scope === undefined && USUAL_PACKET_FIELDS.includes(name));
    return inPayload || inContext || inPacket ? "unknown" : undefined;
  };
  return {
    name: event.name,
    host: info.hosts[info.traces[event.trace]!.host]!.name,
    typeOf(operand) {
      // An earlier event record: it was of another class.
      if (operand.moment.begin) return "unknown";
      if (operand.type === "capture") return undefined;
      if (operand.type === "property") {
        if (isModelled(operand.property) && domain === "ust") return undefined;
        return ["name", "host", "procname"].includes(operand.property) ? "string" : "real";
      }
      const request = requestOf(operand);
      if (request === undefined) return undefined;
      const { from, rest } = request;
      if (!types.has(from)) types.set(from, fieldType(from, operand));
      const type = types.get(from);
      if (type === undefined || rest.length === 0) return type;
      return type === "other" || type === "unknown" ? "unknown" : undefined;
    },
  };
}

/** A view for which every field is there: only the name and the host are known. */
export function namesOnly(view: ClassView): ClassView {
  return {
    name: view.name,
    host: view.host,
    typeOf: (operand) =>
      operand.type === "property" && !operand.moment.begin ? view.typeOf(operand) : "unknown",
  };
}

type Kind = "number" | "text" | "other" | "any";

function kindOf(operand: Operand, view: ClassView): Kind | undefined {
  if (operand.type === "literal") return typeof operand.value === "string" ? "text" : "number";
  switch (view.typeOf(operand)) {
    case undefined:
      return undefined;
    case "string":
      return "text";
    case "other":
      return "other";
    // A label and a number at once.
    case "enumeration":
    case "unknown":
      return "any";
    default:
      return "number";
  }
}

/**
 * The operand as records of the class have it: the literal that it is for all of them, or the model's word for a
 * field that they lack (`$evt.pid` where that context was not added).
 */
export function constantOf(operand: Operand, view: ClassView): Operand {
  if (operand.type === "literal" || operand.type === "capture" || operand.moment.begin) return operand;
  if (operand.type === "field") {
    const word = operand.path[0] as string;
    const plain = operand.scope === undefined && operand.path.length === 1 && THREAD_WORDS.has(word);
    if (!plain || view.typeOf(operand) !== undefined) return operand;
    const { span, moment } = operand;
    return { type: "property", span, moment, property: word as Property };
  }
  if (operand.property !== "name" && operand.property !== "host") return operand;
  return { type: "literal", span: operand.span, value: view[operand.property] };
}

/** The expression for records of one class, with everything folded that is known of them. */
export function specialise(expression: Expression, view: ClassView): Expression {
  const { span } = expression;
  const constant = (value: boolean): Expression => ({ type: "constant", span, value });
  switch (expression.type) {
    case "constant":
      return expression;
    case "not": {
      const operand = specialise(expression.operand, view);
      return operand.type === "constant" ? constant(!operand.value) : { ...expression, operand };
    }
    case "and":
    case "or": {
      const decisive = expression.type === "or";
      const operands: Expression[] = [];
      for (const part of expression.operands) {
        const rest = specialise(part, view);
        if (rest.type !== "constant") {
          // Conjunctions inside conjunctions are one: equalities are looked for in a flat list.
          if (rest.type === expression.type) operands.push(...rest.operands);
          else operands.push(rest);
        } else if (rest.value === decisive) return constant(decisive);
      }
      if (operands.length === 0) return constant(!decisive);
      return operands.length === 1 ? operands[0]! : { ...expression, operands };
    }
    case "comparison": {
      const left = constantOf(expression.left, view);
      const right = constantOf(expression.right, view);
      if (left.type === "literal" && right.type === "literal") {
        return constant(compare(expression.operator, left.value, right.value));
      }
      const leftKind = kindOf(left, view);
      const rightKind = kindOf(right, view);
      const never =
        leftKind === undefined ||
        rightKind === undefined ||
        (leftKind !== rightKind && leftKind !== "any" && rightKind !== "any");
      return never ? constant(expression.operator === "!=") : { ...expression, left, right };
    }
    case "match": {
      const operand = constantOf(expression.operand, view);
      if (operand.type === "literal") return constant(matches(expression.regexp, operand.value));
      const kind = kindOf(operand, view);
      return kind === "text" || kind === "any" ? { ...expression, operand } : constant(false);
    }
    case "in": {
      const operand = constantOf(expression.operand, view);
      if (operand.type === "literal") {
        return constant(isIn(new Set(expression.items.map((item) => keyOf(item.value))), operand.value));
      }
      const kind = kindOf(operand, view);
      const items = expression.items.filter((item) => kind === "any" || kindOf(item, view) === kind);
      return items.length === 0 ? constant(false) : { ...expression, operand, items };
    }
  }
}

/** Names of the events that can make a condition true; undefined: any. */
export function namesOf(expression: Expression): ReadonlySet<string> | undefined {
  const isName = (operand: Operand) =>
    operand.type === "property" && operand.property === "name" && !operand.moment.begin;
  switch (expression.type) {
    case "constant":
      return expression.value ? undefined : new Set();
    case "comparison": {
      const { operator, left, right } = expression;
      const literal = right.type === "literal" && typeof right.value === "string" ? right.value : undefined;
      return operator === "==" && isName(left) && literal !== undefined ? new Set([literal]) : undefined;
    }
    case "in":
      if (!isName(expression.operand)) return undefined;
      return new Set(expression.items.flatMap(({ value }) => (typeof value === "string" ? value : [])));
    case "and": {
      const sets = expression.operands.map(namesOf).filter((set) => set !== undefined);
      return sets.length === 0
        ? undefined
        : new Set([...sets[0]!].filter((name) => sets.every((set) => set.has(name))));
    }
    case "or": {
      const sets = expression.operands.map(namesOf);
      return sets.includes(undefined) ? undefined : new Set(sets.flatMap((set) => [...set!]));
    }
    default:
      return undefined;
  }
}

/** Whether no record can make it true. */
export function isFalse(expression: Expression): boolean {
  return expression.type === "constant" && !expression.value;
}
