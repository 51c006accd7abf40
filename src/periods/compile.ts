/**
 * Definitions → one generated function per event record class.
 *
 * Most classes can neither begin nor end anything: they get no function and are not read. In the others every
 * expression is what is left of it for that class. Of a conjunction, what speaks of the record alone is a guard;
 * equalities with what an earlier event record left behind become keys of an index; the rest is asked of the few
 * instances found there.
 */
import type { EventInfo, FieldRequests, SourceInfo } from "../sources/source.js";
import { type EventOperand, type Expression, operandsOf, operandText, type Property } from "./ast.js";
import { CodeScope, HELPERS, type KeptSource } from "./code.js";
import type { CaptureDefinition, PeriodDefinition, PeriodSet } from "./define.js";
import type { Instance } from "./instance.js";
import { descend, InstanceIndex } from "./instance-index.js";
import { classView, constantOf, isFalse, namesOf, specialise } from "./specialise.js";
import { isIn, keyOf, matches, order, partOf, same } from "./values.js";

/** A definition while the trace is read: its open instances, in order of begin, and their indices. */
export class OpenPeriod {
  first: Instance | undefined = undefined;
  last: Instance | undefined = undefined;
  count = 0;
  readonly indices: InstanceIndex[] = [];
  /** What is kept of begin event records, by its text. */
  readonly kept = new Map<string, EventOperand>();

  /** With `single`: what instances that exclude each other have in common. */
  single: InstanceIndex | undefined = undefined;

  constructor(readonly definition: PeriodDefinition) {}

  /** The place in `Instance.kept` of an operand that is read of the begin event record. */
  slot(operand: EventOperand): number {
    const now = atBegin(operand);
    const key = operandText(now);
    if (!this.kept.has(key)) this.kept.set(key, now);
    return [...this.kept.keys()].indexOf(key);
  }

  index(host: number, operands: readonly EventOperand[], ups: number): InstanceIndex {
    const parts = operands.map((operand) => ({
      up: operand.moment.up - ups,
      slot: ancestor(this, operand.moment.up - ups).slot(operand),
    }));
    const name = `${host} ${parts.map(({ up, slot }) => `${up}.${slot}`).join(" ")}`;
    const known = this.indices.find((index) => index.name === name);
    if (known !== undefined) return known;
    const made = new InstanceIndex(
      host,
      parts.map(({ up, slot }) => keptReader(up, slot)),
      name,
    );
    this.indices.push(made);
    return made;
  }

  parent: OpenPeriod | undefined = undefined;
}

function ancestor(period: OpenPeriod, up: number): OpenPeriod {
  let at = period;
  for (let i = 0; i < up; i++) at = at.parent!;
  return at;
}

function keptReader(up: number, slot: number): (instance: Instance) => unknown {
  if (up === 0) return (instance) => instance.kept[slot];
  return (instance) => {
    let at: Instance | undefined = instance;
    for (let i = 0; i < up; i++) at = at?.parent;
    return at?.kept[slot];
  };
}

/** The operand as the begin event record itself sees it. */
function atBegin(operand: EventOperand): EventOperand {
  return { ...operand, moment: { up: 0, begin: false } };
}

/** What generated code calls. */
export interface EngineCalls {
  /** Nothing begins or ends before this is true. */
  active: boolean;
  /** Takes those of `found` that pass `test` as candidates. */
  match(found: unknown, record: object, test: Test | undefined): void;
  /** The same for all open instances of a period. */
  scan(period: OpenPeriod, record: object, test: Test | undefined): void;
  /** Closes the candidates without completing them. */
  drop(record: object): void;
  /** Ends the candidates. */
  end(record: object, captures: Read | undefined): void;
  /** Begins an instance without parent. */
  begin(period: OpenPeriod, record: object, keep: Read, captures: Read | undefined): void;
  /** Begins one under each candidate. */
  beginUnder(period: OpenPeriod, record: object, keep: Read, captures: Read | undefined): void;
}

type Test = (record: object, instance: Instance) => boolean;
/** Values of a record; `instance` is the one that begins or ends. */
type Read = (record: object, instance: Instance | undefined) => unknown[];

/** What the kernel model knows about the moment of a record. */
export interface ThreadReader {
  tid(record: object): number;
  pid(record: object): number;
  procname(record: object): string | undefined;
  /** Descriptor of the system call that ends. */
  fd(record: object): number;
  /** ns. */
  duration(record: object): number;
}

export interface CompiledClass {
  readonly event: EventInfo;
  readonly fields: FieldRequests;
  /** Makes the function for records of the class. */
  bind(engine: EngineCalls, threads: ThreadReader): (record: object) => void;
  readonly source: string;
}

export interface CompiledPeriods {
  /** In the order of the definitions. */
  readonly periods: readonly OpenPeriod[];
  readonly classes: readonly CompiledClass[];
  readonly modelled: ReadonlySet<Property>;
  /** Of each definition whose end speaks of a thread by its number: an index by that number. */
  readonly byThread: readonly { readonly host: number; readonly index: InstanceIndex }[];
}

export function compilePeriods(set: PeriodSet, info: SourceInfo): CompiledPeriods {
  const periods = set.definitions.map((definition) => new OpenPeriod(definition));
  for (const period of periods) {
    const { parent } = period.definition;
    if (parent !== undefined) period.parent = periods[parent.index];
  }
  for (const period of periods) keepAll(period);
  for (const period of periods) {
    if (period.definition.repeat !== "single") continue;
    const keys = equalities(period.definition.end).filter(({ past }) => past.moment.up === 0);
    if (keys.length === 0) continue;
    period.single = period.index(
      -1,
      keys.map(({ past }) => past),
      0,
    );
  }
  const modelled = new Set<Property>();
  const classes: CompiledClass[] = [];
  const wanted = namesOfAll(set);
  for (const event of info.events) {
    if (wanted !== undefined && !wanted.has(event.name)) continue;
    const made = new ClassCompiler(info, event, periods, modelled).compile(set);
    if (made !== undefined) classes.push(made);
  }
  const byThread = periods.flatMap((period) => {
    const operand = threadKey(period.definition.end);
    if (operand === undefined) return [];
    return info.hosts.map((_, host) => ({ host, index: period.index(host, [operand], 0) }));
  });
  return { periods, classes, modelled, byThread };
}

/** Names of the events that can begin or end anything; undefined: any. */
function namesOfAll(set: PeriodSet): ReadonlySet<string> | undefined {
  const all = set.definitions.flatMap(({ begin, end, unless }) =>
    [begin, end, ...(unless === undefined ? [] : [unless])].map(namesOf),
  );
  return all.includes(undefined) ? undefined : new Set(all.flatMap((names) => [...names!]));
}

/** Gives everything that will be read of begin event records its place before any instance begins. */
function keepAll(period: OpenPeriod): void {
  const { begin, end, unless, beginCaptures, endCaptures } = period.definition;
  const operands = [
    ...operandsOf(begin),
    ...operandsOf(end),
    ...(unless === undefined ? [] : operandsOf(unless)),
    ...[...beginCaptures, ...endCaptures].flatMap(({ operand }) => operand ?? []),
  ];
  for (const operand of operands) {
    if (operand.type === "literal" || !operand.moment.begin) continue;
    ancestor(period, operand.moment.up).slot(operand);
  }
}

const THREAD_NUMBERS: ReadonlySet<string> = new Set(["tid", "pid"]);

function threadNumber(operand: EventOperand): boolean {
  if (operand.type === "property") return THREAD_NUMBERS.has(operand.property);
  return operand.type === "field" && operand.path.length === 1 && THREAD_NUMBERS.has(String(operand.path[0]));
}

/** The equalities with earlier event records that a condition needs. */
function equalities(condition: Expression): { now: EventOperand; past: EventOperand }[] {
  const parts = condition.type === "and" ? condition.operands : [condition];
  return parts.flatMap((part) => equality(part) ?? []);
}

/** The kept operand that an end expression needs equal to the number of the thread that ends it. */
function threadKey(end: Expression): EventOperand | undefined {
  return equalities(end).find(({ now, past }) => threadNumber(now) && threadNumber(past))?.past;
}

/** `a == b` where one side reads the record being tested and the other an earlier one. */
function equality(part: Expression): { now: EventOperand; past: EventOperand } | undefined {
  if (part.type !== "comparison" || part.operator !== "==") return undefined;
  const { left, right } = part;
  if (left.type === "literal" || right.type === "literal") return undefined;
  if (left.moment.begin === right.moment.begin) return undefined;
  return left.moment.begin ? { now: right, past: left } : { now: left, past: right };
}

function mentionsEarlier(part: Expression): boolean {
  return operandsOf(part).some((operand) => operand.type !== "literal" && operand.moment.begin);
}

function mentionsHost(expression: Expression): boolean {
  return operandsOf(expression).some((operand) => operand.type === "property" && operand.property === "host");
}

/** One way to find instances. */
interface Probe {
  readonly guards: readonly Expression[];
  readonly keys: readonly { now: EventOperand; past: EventOperand }[];
  readonly rest: readonly Expression[];
}

function probeOf(expression: Expression): Probe {
  const guards: Expression[] = [];
  const keys: { now: EventOperand; past: EventOperand }[] = [];
  const rest: Expression[] = [];
  for (const part of expression.type === "and" ? expression.operands : [expression]) {
    const sides = equality(part);
    if (sides !== undefined) keys.push(sides);
    else if (mentionsEarlier(part)) rest.push(part);
    else guards.push(part);
  }
  return { guards, keys, rest };
}

/** Alternatives are looked for one by one where each has keys. */
function probesOf(expression: Expression): Probe[] {
  if (expression.type === "or") {
    const probes = expression.operands.map(probeOf);
    if (probes.every(({ keys }) => keys.length > 0)) return probes;
  }
  return [probeOf(expression)];
}

/** Ends are tested from the leaves up. */
function* postOrder(definitions: readonly PeriodDefinition[]): Generator<PeriodDefinition> {
  for (const definition of definitions) {
    yield* postOrder(definition.children);
    yield definition;
  }
}

class ClassCompiler {
  readonly #scope: CodeScope;
  readonly #body: string[] = [];
  readonly #functions: string[] = [];
  readonly #indices: InstanceIndex[] = [];
  readonly #host: number;

  constructor(
    info: SourceInfo,
    readonly event: EventInfo,
    readonly periods: readonly OpenPeriod[],
    readonly modelled: Set<Property>,
  ) {
    this.#host = info.traces[event.trace]!.host;
    this.#scope = new CodeScope(classView(info, event), info.originNs);
  }

  compile(set: PeriodSet): CompiledClass | undefined {
    for (const definition of postOrder(set.roots)) this.#end(this.periods[definition.index]!);
    for (const period of this.periods) this.#begin(period);
    if (this.#body.length === 0) return undefined;
    for (const property of this.#scope.modelled) this.modelled.add(property);
    const source = [
      ...this.#functions,
      "return function (r) {",
      "if (!E.active) return;",
      ...this.#body,
      "};",
    ].join("\n");
    const { fields, constants } = this.#scope;
    const make = new Function("E", "K", "P", "X", "descend", `{${HELPERS}}`, source);
    const helpers = { same, order, isIn, matches, partOf, keyOf };
    return {
      event: this.event,
      fields,
      source,
      bind: (engine, threads) =>
        make(engine, constants, this.periods, this.#indices, descend, { ...helpers, threads }),
    };
  }

  /** Reads `up` ancestors above the instance that is called `i`; `base` is that of `i` itself. */
  #kept(period: OpenPeriod, base: number): KeptSource {
    return (operand) => {
      const up = operand.moment.up;
      const slot = ancestor(period, up).slot(operand);
      return `i${".parent".repeat(up - base)}.kept[${slot}]`;
    };
  }

  #end(period: OpenPeriod): void {
    const { definition } = period;
    if (definition.unless !== undefined) this.#unless(period, definition.unless);
    const expression = specialise(definition.end, this.#scope.view);
    if (isFalse(expression)) return;
    const kept = this.#kept(period, 0);
    const host = mentionsHost(definition.end) ? -1 : this.#host;
    const lines = probesOf(expression).map((probe) => this.#probe(period, probe, host, kept, 0));
    const captures = this.#captures(definition.endCaptures, kept);
    const P = `P[${definition.index}]`;
    this.#body.push(`if (${P}.count !== 0) {`, ...lines, `E.end(r, ${captures});`, "}");
  }

  #unless(period: OpenPeriod, unless: Expression): void {
    const expression = specialise(unless, this.#scope.view);
    if (isFalse(expression)) return;
    const host = mentionsHost(unless) ? -1 : this.#host;
    const kept = this.#kept(period, 0);
    const lines = probesOf(expression).map((probe) => this.#probe(period, probe, host, kept, 0));
    this.#body.push(`if (P[${period.definition.index}].count !== 0) {`, ...lines, "E.drop(r);", "}");
  }

  #begin(period: OpenPeriod): void {
    const { definition, parent } = period;
    const expression = specialise(definition.begin, this.#scope.view);
    if (isFalse(expression)) return;
    const kept = this.#kept(period, 0);
    const keep = this.#keep(period);
    const captures = this.#captures(definition.beginCaptures, kept);
    const P = `P[${definition.index}]`;
    if (parent === undefined) {
      const condition = this.#scope.condition(expression, kept);
      this.#body.push(`if (${condition}) E.begin(${P}, r, ${keep}, ${captures});`);
      return;
    }
    const host = mentionsHost(definition.begin) ? -1 : this.#host;
    const above = this.#kept(period, 1);
    const lines = probesOf(expression).map((probe) => this.#probe(parent, probe, host, above, 1));
    this.#body.push(
      `if (P[${parent.definition.index}].count !== 0) {`,
      ...lines,
      `E.beginUnder(${P}, r, ${keep}, ${captures});`,
      "}",
    );
  }

  /** Source that makes the instances of `period` that fit candidates; operands speak from `ups` levels below it. */
  #probe(period: OpenPeriod, probe: Probe, host: number, kept: KeptSource, ups: number): string {
    const { guards, keys, rest } = probe;
    const scope = this.#scope;
    const indexed = keys.length > 0;
    const tests = [
      ...rest,
      // Arrays and structures have one key for all.
      ...keys.filter(({ now }) => this.#mayBeComposite(now)).map(({ now, past }) => asEquality(now, past)),
    ].map((part) => `(${scope.condition(part, kept)})`);
    if (!indexed && host >= 0) tests.unshift(`i.host === ${host}`);
    const test = tests.length === 0 ? "undefined" : this.#function("r, i", `return ${tests.join(" && ")};`);
    let call = `E.scan(P[${period.definition.index}], r, ${test});`;
    if (indexed) {
      const index = period.index(
        host,
        keys.map(({ past }) => past),
        ups,
      );
      let at = this.#indices.indexOf(index);
      if (at < 0) at = this.#indices.push(index) - 1;
      const found = keys.reduce((level, { now }) => `descend(${level}, ${scope.keyOf(now)})`, `X[${at}].map`);
      call = `E.match(${found}, r, ${test});`;
    }
    if (guards.length === 0) return call;
    return `if (${guards.map((part) => `(${scope.condition(part, kept)})`).join(" && ")}) ${call}`;
  }

  #mayBeComposite(operand: EventOperand): boolean {
    const seen = constantOf(operand, this.#scope.view);
    if (seen.type === "literal") return false;
    const type = this.#scope.view.typeOf(seen);
    return type === "other" || type === "unknown";
  }

  #function(parameters: string, body: string): string {
    const name = `F${this.#functions.length}`;
    this.#functions.push(`const ${name} = (${parameters}) => { ${body} };`);
    return name;
  }

  #keep(period: OpenPeriod): string {
    const values = [...period.kept.values()].map((operand) => this.#scope.valueOf(operand, nothing));
    return this.#function("r", `return [${values.join(", ")}];`);
  }

  #captures(captures: readonly CaptureDefinition[], kept: KeptSource): string {
    if (captures.length === 0) return "undefined";
    const values = captures.map(({ operand }) =>
      operand === undefined ? "undefined" : this.#scope.valueOf(operand, kept),
    );
    return this.#function("r, i", `return [${values.join(", ")}];`);
  }
}

const nothing: KeptSource = () => "undefined";

function asEquality(now: EventOperand, past: EventOperand): Expression {
  return { type: "comparison", operator: "==", left: now, right: past, span: now.span };
}
