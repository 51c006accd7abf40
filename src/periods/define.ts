/**
 * All period arguments of a command → a tree of definitions.
 *
 * Names are resolved here: `$begin.$evt` in a begin expression has become `$evt`, and a capture
 * (`$parent.$begin.CAPTURE`) has become what it reads. Only fields of event records are left.
 */
import {
  type CaptureOperand,
  type EventOperand,
  type Expression,
  mapOperands,
  operandsOf,
  operandText,
} from "./ast.js";
import { nearest } from "./nearest.js";
import {
  type CaptureSyntax,
  type CapturesSyntax,
  type NameSyntax,
  type PeriodSyntax,
  parseCaptures,
  parsePeriod,
  type Repeat,
} from "./parser.js";
import { PeriodError, pointAt } from "./period-error.js";

/** A value that is kept from the event record that begins or ends an instance. */
export interface CaptureDefinition {
  readonly key: string;
  /** Undefined: always null (it speaks of a parent where there is none). */
  readonly operand: EventOperand | undefined;
  /** The argument it was written in. */
  readonly text: string;
}

export interface PeriodDefinition {
  /** Place in `PeriodSet.definitions`. */
  readonly index: number;
  /** "" when it has none. */
  readonly name: string;
  /** Names from the root down, with `/` between. */
  readonly path: string;
  readonly parent: PeriodDefinition | undefined;
  readonly children: readonly PeriodDefinition[];
  readonly repeat: Repeat;
  readonly begin: Expression;
  readonly end: Expression;
  /** When it is true an instance is closed, not completed. */
  readonly unless: Expression | undefined;
  readonly beginCaptures: readonly CaptureDefinition[];
  readonly endCaptures: readonly CaptureDefinition[];
  /** The argument that defined it: spans are places in it. */
  readonly text: string;
}

/** The definitions of one command, in the order of its arguments: a parent stands before its children. */
export class PeriodSet {
  readonly roots: readonly PeriodDefinition[];
  readonly #byName = new Map<string, PeriodDefinition>();

  constructor(readonly definitions: readonly PeriodDefinition[]) {
    this.roots = definitions.filter((definition) => definition.parent === undefined);
    for (const definition of definitions) {
      if (definition.name !== "") this.#byName.set(definition.name, definition);
    }
  }

  /** The definition of a name; of a path (`request/db`) the last part counts. */
  find(name: string): PeriodDefinition | undefined {
    return this.#byName.get(name.slice(name.lastIndexOf("/") + 1).trim());
  }

  /** The defined name that is most like `name`, if one is. */
  nearest(name: string): string | undefined {
    return nearest(name.slice(name.lastIndexOf("/") + 1).trim(), this.#byName.keys());
  }
}

/** What LTTng analyses call the old way to define one period. */
export interface DeprecatedPeriod {
  /** `--period-begin`; without it there is no period. */
  readonly begin?: string;
  /** `--period-end`: default is the same event. */
  readonly end?: string;
  /** `--period-begin-key`: field names, commas between; default `cpu_id`. */
  readonly beginKey?: string;
  /** `--period-end-key`: default is the begin key. */
  readonly endKey?: string;
  /** `--period-key-value`: values of the begin key, commas between. */
  readonly keyValue?: string;
}

/** The arguments of `--period` and of `--period-captures`, each in the order of the command line. */
export interface PeriodArguments {
  readonly periods: readonly string[];
  readonly captures: readonly string[];
}

/**
 * The definitions that the arguments make. Captures without any period are ignored, as they always were.
 * Throws `PeriodError`.
 */
export function definePeriods({ periods = [], captures = [] }: Partial<PeriodArguments>): PeriodSet {
  const builders: Builder[] = [];
  const byName = new Map<string, Builder>();
  for (const text of periods) {
    const builder = new Builder(builders.length, parsePeriod(text), byName);
    builders.push(builder);
    if (builder.name !== "") byName.set(builder.name, builder);
  }
  if (builders.length > 0) for (const text of captures) addCaptures(parseCaptures(text), byName);
  for (const builder of builders) builder.resolve();
  return new PeriodSet(builders);
}

class Builder implements PeriodDefinition {
  readonly name: string;
  readonly path: string;
  readonly parent: Builder | undefined;
  readonly children: Builder[] = [];
  readonly text: string;
  readonly repeat: Repeat;
  begin: Expression;
  end: Expression;
  unless: Expression | undefined;
  beginCaptures: CaptureDefinition[] = [];
  endCaptures: CaptureDefinition[] = [];
  captures: CapturesSyntax | undefined;
  #resolved = false;

  constructor(
    readonly index: number,
    syntax: PeriodSyntax,
    byName: ReadonlyMap<string, Builder>,
  ) {
    this.text = syntax.text;
    this.repeat = syntax.repeat;
    this.name = syntax.name?.name ?? "";
    const fail = (reason: string, { span }: NameSyntax): never => {
      throw new PeriodError("Cannot add period", reason, this.text, span.from);
    };
    if (byName.has(this.name)) fail(`Cannot redefine period "${this.name}"`, syntax.name!);
    if (syntax.parent) {
      this.parent = byName.get(syntax.parent.name);
      if (!this.parent) {
        const guess = nearest(syntax.parent.name, byName.keys());
        const hint = guess ? `, did you mean "${guess}"?` : "; a parent is defined before its children";
        const child = `(as parent of period "${this.name}")`;
        fail(`Cannot find parent period named "${syntax.parent.name}" ${child}${hint}`, syntax.parent);
      }
      this.parent!.children.push(this);
    }
    this.path = this.parent ? `${this.parent.path}/${this.name}` : this.name;
    this.begin = syntax.begin;
    this.end = syntax.end ?? syntax.begin;
    this.unless = syntax.unless;
  }

  /** Parents first: a child's captures may speak of its parent's. */
  resolve(): void {
    if (this.#resolved) return;
    this.#resolved = true;
    this.parent?.resolve();
    const { captures } = this;
    const text = captures?.text ?? "";
    this.beginCaptures = this.#captureList(captures?.begin ?? [], text, true);
    this.begin = this.#resolveExpression(this.begin, true);
    this.end = this.#resolveExpression(this.end, false);
    this.unless = this.unless && this.#resolveExpression(this.unless, false);
    this.endCaptures = this.#captureList(captures?.end ?? [], text, false);
  }

  #resolveExpression(expression: Expression, inBegin: boolean): Expression {
    for (const operand of operandsOf(expression)) {
      if (operand.type === "literal") continue;
      const missing = this.#missingAncestor(operand);
      if (missing === undefined) continue;
      throw new PeriodError("Illegal period definition expression", missing, this.text, operand.span.from);
    }
    return mapOperands(expression, (operand) =>
      operand.type === "literal"
        ? operand
        : this.#resolveOperand(operand, inBegin, "Illegal period definition expression", this.text),
    );
  }

  /** What is wrong with an operand that speaks of an ancestor; undefined: nothing. */
  #missingAncestor({ moment }: EventOperand): string | undefined {
    let ancestor: PeriodDefinition | undefined = this;
    for (let up = moment.up; up > 0; up--) ancestor = ancestor?.parent;
    if (ancestor) return undefined;
    return this.parent === undefined
      ? "Cannot refer to parent context without a named parent period"
      : `Cannot refer to a parent context ${moment.up} levels up: period "${this.path}" has not so many ancestors`;
  }

  #captureList(list: readonly CaptureSyntax[], text: string, inBegin: boolean): CaptureDefinition[] {
    const what = "Cannot parse period captures expression";
    const keys = new Set<string>();
    return list.map((capture) => {
      const key = capture.key ?? operandText(capture.operand);
      if (keys.has(key)) {
        throw new PeriodError(what, `Duplicate period capture name: "${key}"`, text, capture.span.from);
      }
      keys.add(key);
      const missing = this.#missingAncestor(capture.operand) !== undefined;
      const operand = missing ? undefined : this.#resolveOperand(capture.operand, inBegin, what, text);
      return { key, operand, text };
    });
  }

  #resolveOperand<O extends EventOperand>(
    operand: O,
    inBegin: boolean,
    what: string,
    text: string,
  ): EventOperand {
    const { moment } = operand;
    if (operand.type === "capture") return this.#resolveCapture(operand, inBegin, what, text);
    // While an instance begins, the event record that begins it is the one being tested.
    return inBegin && moment.up === 0 ? { ...operand, moment: { up: 0, begin: false } } : operand;
  }

  #resolveCapture(operand: CaptureOperand, inBegin: boolean, what: string, text: string): EventOperand {
    const { up } = operand.moment;
    let owner: Builder = this;
    for (let i = 0; i < up; i++) owner = owner.parent!;
    const fail = (reason: string): never => {
      throw new PeriodError(what, reason, text, operand.span.from);
    };
    if (inBegin && up === 0) fail("a period's own captures do not exist before it has begun");
    const capture = owner.captures?.begin.find(
      ({ key, operand: read }) => (key ?? operandText(read)) === operand.key,
    );
    if (!capture) {
      const keys = (owner.captures?.begin ?? []).flatMap(({ key }) => key ?? []);
      const guess = nearest(operand.key, keys);
      const hint = guess ? `, did you mean ${guess}?` : "";
      return fail(`period "${owner.name}" has no begin capture named "${operand.key}"${hint}`);
    }
    const source = owner.beginCaptures.find(({ key }) => key === operand.key)!;
    if (source.operand === undefined) return fail(`the capture "${operand.key}" is always empty`);
    // Seen from here, the owner's event record is `up` levels up, and it is the one that began it.
    const moment = { up: source.operand.moment.up + up, begin: true };
    return { ...source.operand, moment, span: operand.span };
  }
}

function addCaptures(syntax: CapturesSyntax, byName: ReadonlyMap<string, Builder>): void {
  const { name, span } = syntax.name;
  const builder = byName.get(name);
  const what = "Cannot add period captures";
  if (!builder) {
    const guess = nearest(name, byName.keys());
    const hint = guess ? `, did you mean "${guess}"?` : "";
    const reason = `Cannot find period named "${name}" for --period-captures argument${hint}`;
    throw new PeriodError(what, reason, syntax.text, span.from);
  }
  if (builder.captures) {
    const reason = `Duplicate period name "${name}" in --period-captures argument`;
    throw new PeriodError(what, reason, syntax.text, span.from);
  }
  builder.captures = syntax;
}

/**
 * The `--period` argument that the deprecated options stand for; undefined without `--period-begin`. Values
 * that are numbers are numbers, others are strings.
 */
export function deprecatedPeriodText(options: DeprecatedPeriod): string | undefined {
  const { begin, end = begin, beginKey = "cpu_id", endKey = beginKey, keyValue = "" } = options;
  if (begin === undefined || end === undefined) return undefined;
  const list = (text: string) =>
    text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  const beginFields = list(beginKey);
  const endFields = list(endKey);
  const begins = [`$evt.$name == ${quoted(begin)}`];
  list(keyValue).forEach((value, i) => {
    const field = beginFields[i];
    if (field === undefined) return;
    begins.push(
      `$evt.${field} == ${/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(value) ? value : quoted(value)}`,
    );
  });
  const ends = [`$evt.$name == ${quoted(end)}`];
  endFields.forEach((field, i) => {
    if (beginFields[i] !== undefined) ends.push(`$evt.${field} == $begin.$evt.${beginFields[i]}`);
  });
  return `: ${begins.join(" && ")} : ${ends.join(" && ")}`;
}

function quoted(text: string): string {
  const escaped = text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `"${escaped}"`;
}

/** A reason with the place it speaks of, as `PeriodError` shows it. */
export function reasonAt(reason: string, text: string, position: number): string {
  return `${reason}\n${pointAt(text, position)}`;
}
