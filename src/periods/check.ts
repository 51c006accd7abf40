/**
 * Definitions held against what a trace's metadata says, before the trace is read: event names and fields that
 * do not exist, comparisons of numbers with strings, expressions that nothing can make true.
 */
import type { EventInfo, FieldType, SourceInfo } from "../sources/source.js";
import { type Expression, type FieldOperand, type Operand, operandText, pathText } from "./ast.js";
import { constantText } from "./constant-text.js";
import type { PeriodDefinition, PeriodSet } from "./define.js";
import { nearest } from "./nearest.js";
import { pointAt } from "./period-error.js";
import {
  type ClassView,
  classView,
  constantOf,
  isFalse,
  namesOf,
  namesOnly,
  requestOf,
  specialise,
  USUAL_PACKET_FIELDS,
} from "./specialise.js";
import { matches } from "./values.js";

export interface PeriodProblem {
  readonly definition: PeriodDefinition;
  readonly part: "begin" | "end" | "unless" | "captures";
  /** The whole part can never be true; false: only some of it, or a capture is always empty. */
  readonly never: boolean;
  /** One line. */
  readonly reason: string;
  /** The argument, and the place in it. */
  readonly text: string;
  readonly position: number;
  /** Several lines: which period, the reason, and the place pointed at. */
  readonly message: string;
}

/** What in `set` cannot work on a source, in the order of the definitions. Reads no event records. */
export function checkPeriods(set: PeriodSet, info: SourceInfo): PeriodProblem[] {
  return new Checker(info).check(set);
}

interface Class {
  readonly event: EventInfo;
  readonly view: ClassView;
}

/** An expression for the classes whose name (and host) it can be true for. */
interface Survivor extends Class {
  /** Folded by name only: fields that do not exist are still in it. */
  readonly rest: Expression;
}

class Checker {
  readonly #classes: Class[];
  readonly #names: ReadonlySet<string>;
  readonly #problems: PeriodProblem[] = [];
  readonly #told = new Set<string>();
  /** Classes whose records can begin a definition's instances. */
  readonly #beginners = new Map<PeriodDefinition, Class[]>();

  constructor(readonly info: SourceInfo) {
    this.#classes = info.events.map((event) => ({ event, view: classView(info, event) }));
    this.#names = new Set(info.events.map(({ name }) => name));
  }

  check(set: PeriodSet): PeriodProblem[] {
    for (const definition of set.definitions) {
      this.#beginners.set(definition, this.#part(definition, "begin"));
      const enders = this.#part(definition, "end");
      if (definition.unless !== undefined) this.#part(definition, "unless");
      for (const { operand, text } of definition.beginCaptures) {
        this.#capture(definition, operand, text, this.#beginners.get(definition)!);
      }
      for (const { operand, text } of definition.endCaptures)
        this.#capture(definition, operand, text, enders);
    }
    return this.#problems;
  }

  #tell(
    definition: PeriodDefinition,
    part: PeriodProblem["part"],
    never: boolean,
    reason: string,
    text: string,
    position: number,
  ): void {
    const key = `${text}\0${position}\0${reason}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const name = definition.name === "" ? "the period" : `period "${definition.path}"`;
    const title = `${part === "captures" ? "captures of " : ""}${name}: ${reason}`;
    const message = `${title}\n${pointAt(text, position)}`;
    this.#problems.push({ definition, part, never, reason, text, position, message });
  }

  /** Problems of a begin or end expression; the classes that it can be true for. */
  #part(definition: PeriodDefinition, part: "begin" | "end" | "unless"): Class[] {
    const expression = definition[part]!;
    const names = namesOf(expression);
    const classes =
      names === undefined ? this.#classes : this.#classes.filter(({ event }) => names.has(event.name));
    const matching = classes.filter(({ view }) => !isFalse(specialise(expression, view)));
    const survivors: Survivor[] = [];
    for (const { event, view } of classes) {
      const rest = specialise(expression, namesOnly(view));
      if (!isFalse(rest)) survivors.push({ event, view, rest });
    }
    const never = matching.length === 0;
    const before = this.#problems.length + this.#told.size;
    const tell = (reason: string, operand: { span: { from: number } }) =>
      this.#tell(definition, part, never, reason, definition.text, operand.span.from);
    this.#eventNames(expression, tell);
    this.#fields(definition, survivors, tell);
    this.#types(survivors, tell);
    const told = this.#told.size + this.#problems.length > before;
    if (never && !told && this.#classes.length > 0 && !this.#sameAsBegin(definition, part)) {
      tell(`no event record of this trace can ${part === "unless" ? "close" : part} it`, expression);
    }
    return matching;
  }

  /** Without an end expression the begin expression is told of once. */
  #sameAsBegin({ begin, end }: PeriodDefinition, part: "begin" | "end" | "unless"): boolean {
    return part === "end" && begin.span.from === end.span.from;
  }

  #eventNames(expression: Expression, tell: (reason: string, place: Operand) => void): void {
    const unknown = (item: Operand): void => {
      if (item.type !== "literal" || typeof item.value !== "string" || this.#names.has(item.value)) return;
      const guess = nearest(item.value, this.#names);
      tell(`the trace has no event named "${item.value}"${guess ? `, did you mean "${guess}"?` : ""}`, item);
    };
    const isName = (operand: Operand) => operand.type === "property" && operand.property === "name";
    const visit = (part: Expression): void => {
      if (part.type === "and" || part.type === "or") part.operands.forEach(visit);
      else if (part.type === "not") visit(part.operand);
      else if (part.type === "comparison" && isName(part.left) && part.operator === "==") unknown(part.right);
      else if (part.type === "in" && isName(part.operand)) part.items.forEach(unknown);
      else if (part.type === "match" && isName(part.operand)) {
        if ([...this.#names].some((name) => matches(part.regexp, name))) return;
        tell(`the trace has no event whose name fits ${JSON.stringify(part.pattern)}`, part.operand);
      }
    };
    visit(expression);
  }

  /** Fields that are asked of classes none of which has them. */
  #fields(
    definition: PeriodDefinition,
    survivors: readonly Survivor[],
    tell: (reason: string, place: Operand) => void,
  ): void {
    const asked = new Map<string, { operand: FieldOperand; classes: Class[] }>();
    for (const survivor of survivors) {
      for (const operand of fieldsOf(survivor.rest)) {
        const key = String(operand.span.from);
        let entry = asked.get(key);
        if (!entry) asked.set(key, (entry = { operand, classes: [] }));
        entry.classes.push(survivor);
      }
    }
    for (const { operand, classes } of asked.values()) {
      const owners = operand.moment.begin ? this.#ownerClasses(definition, operand) : classes;
      this.#field(operand, owners, tell);
    }
  }

  /** Classes of the event records that an operand with `$begin` reads. */
  #ownerClasses(definition: PeriodDefinition, operand: FieldOperand): readonly Class[] {
    let owner = definition;
    for (let up = operand.moment.up; up > 0; up--) owner = owner.parent!;
    return this.#beginners.get(owner) ?? [];
  }

  #field(
    operand: FieldOperand,
    classes: readonly Class[],
    tell: (reason: string, place: Operand) => void,
  ): void {
    const now: FieldOperand = { ...operand, moment: { up: 0, begin: false } };
    if (classes.some(({ view }) => typeOf(now, view) !== undefined) || classes.length === 0) return;
    if (requestOf(operand) === undefined) {
      tell("fields of headers are not kept", operand);
      return;
    }
    const names = new Set<string>(USUAL_PACKET_FIELDS);
    for (const { event } of classes) for (const n of [...event.fields, ...event.contextFields]) names.add(n);
    const guess = nearest(operand.path[0] as string, names);
    const events = [...new Set(classes.map(({ event }) => event.name))];
    const who = events.length === 1 ? `event "${events[0]}" has` : `none of the ${events.length} events has`;
    const scope = operand.scope ? ` in ${operandText(now).split(".")[1]}` : "";
    const known = events.length === 1 && !guess ? fieldList(classes[0]!.event) : "";
    const what = `${who} ${events.length === 1 ? "no" : "a"} field ${pathText(operand.path)}${scope}`;
    tell(`${what}${guess ? `, did you mean ${guess}?` : known}`, operand);
  }

  /** Comparisons of values whose kinds are known and differ wherever both exist. */
  #types(survivors: readonly Survivor[], tell: (reason: string, place: Operand) => void): void {
    const found = new Map<number, { works: boolean; reason: string; place: Operand }>();
    for (const { view, rest } of survivors) {
      for (const part of leavesOf(rest)) {
        if (part.type === "constant") continue;
        const operands = part.type === "comparison" ? [part.left, part.right] : [part.operand];
        if (operands.some((o) => typeOf(o, view) === undefined)) continue;
        const asTrue =
          part.type === "comparison" && part.operator === "!=" ? { ...part, operator: "==" } : part;
        const works = !isFalse(specialise(asTrue as Expression, view));
        const known = found.get(part.span.from);
        if (known) known.works ||= works;
        else found.set(part.span.from, { works, reason: mismatch(part, view), place: operands[0]! });
      }
    }
    for (const { works, reason, place } of found.values()) if (!works) tell(reason, place);
  }

  #capture(
    definition: PeriodDefinition,
    operand: Operand | undefined,
    text: string,
    classes: readonly Class[],
  ): void {
    const tell = (reason: string, place: { span: { from: number } }) =>
      this.#tell(definition, "captures", false, reason, text, place.span.from);
    if (operand === undefined) {
      tell("a capture speaks of a parent where there is none: it is always empty", { span: { from: 0 } });
    } else if (operand.type === "field") {
      const owners = operand.moment.begin ? this.#ownerClasses(definition, operand) : classes;
      this.#field(operand, owners, tell);
    }
  }
}

/** Undefined: records of the class do not have it. */
function typeOf(operand: Operand, view: ClassView): FieldType | "literal" | undefined {
  const seen = constantOf(operand, view);
  return seen.type === "literal" ? "literal" : view.typeOf(seen);
}

function fieldList({ fields, contextFields }: EventInfo): string {
  const names = [...fields, ...contextFields];
  if (names.length === 0) return ": it has none";
  return ` (it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""})`;
}

type Leaf = Exclude<Expression, { type: "and" | "or" | "not" }>;

/** Comparisons, matches and sets of an expression. */
function leavesOf(expression: Expression): Leaf[] {
  switch (expression.type) {
    case "and":
    case "or":
      return expression.operands.flatMap(leavesOf);
    case "not":
      return leavesOf(expression.operand);
    default:
      return [expression as Leaf];
  }
}

function fieldsOf(expression: Expression): FieldOperand[] {
  return leavesOf(expression)
    .flatMap((part): Operand[] => {
      if (part.type === "constant") return [];
      return part.type === "comparison" ? [part.left, part.right] : [part.operand];
    })
    .filter((operand): operand is FieldOperand => operand.type === "field");
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a string",
  other: "an array or structure",
  unknown: "of unknown type",
};

function mismatch(part: Expression, view: ClassView): string {
  const describe = (operand: Operand): string => {
    if (operand.type === "literal") return constantText(operand.value);
    const type = typeOf(operand, view)!;
    return `${operandText(operand)}, which is ${TYPE_WORDS[type] ?? "a number"},`;
  };
  if (part.type === "comparison") {
    return `${describe(part.left)} is compared with ${describe(part.right)}`.replace(/,$/, "");
  }
  if (part.type === "match") return `${describe(part.operand)} is matched with a pattern`;
  return part.type === "in" ? `${describe(part.operand)} is none of the values in the set` : "";
}
