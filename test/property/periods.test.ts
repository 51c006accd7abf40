// Random definitions over random event records: what the compiled engine finds is what a naive interpreter of the
// language finds, which shares nothing with it but the parser's tree; and expressions survive being printed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ScriptedRecord, scriptedSource } from "../../src/kernel/scripted-source.js";
import { type EventOperand, type Expression, type Operand, operandText } from "../../src/periods/ast.js";
import { definePeriods, type PeriodDefinition, type PeriodSet } from "../../src/periods/define.js";
import { PeriodEngine } from "../../src/periods/engine.js";
import { parsePeriod } from "../../src/periods/parser.js";
import { Random } from "./random.js";

const EVENTS = ["alpha", "beta", "gamma", "delta"];
const TEXTS = ["", "a", "ab", "b*", "wp/index.php"];

function pick<T>(random: Random, items: readonly T[]): T {
  return random.pick(items);
}

// --- random definitions, as text ---

function randomOperand(random: Random, depth: number, begin: boolean): string {
  const field = pick(random, ["x", "y", "s", "m", "c", "$ctx.c", "$payload.x", "$stream_ctx.c", "nowhere"]);
  const prefixes = ["$evt", ...(begin ? [] : ["$begin.$evt"])];
  for (let up = 1; up <= depth; up++) prefixes.push(`${"$parent.".repeat(up)}$begin.$evt`);
  const property = random.below(8) === 0 ? pick(random, ["$name", "$cpu", "$ts", "$host"]) : field;
  return `${pick(random, prefixes)}.${property}`;
}

function randomLiteral(random: Random): string {
  return random.below(3) === 0
    ? JSON.stringify(pick(random, [...TEXTS, ...EVENTS]))
    : pick(random, ["0", "1", "2", "3", "-1", "1.5", "2us"]);
}

function randomComparison(random: Random, depth: number, begin: boolean): string {
  const left = randomOperand(random, depth, begin);
  switch (random.below(10)) {
    case 0:
      return `${left} =* ${JSON.stringify(pick(random, ["*", "a*", "?", "[ab]", "[!a]*", "*php"]))}`;
    case 1:
      return `${left} =~ ${JSON.stringify(pick(random, ["a", "^b", "x|p$"]))}`;
    case 2:
      return `${left} in (${randomLiteral(random)}, ${randomLiteral(random)})`;
    case 3:
    case 4:
    case 5:
      return `${left} == ${randomOperand(random, depth, begin)}`;
    default:
      return `${left} ${pick(random, ["==", "!=", "<", "<=", ">", ">="])} ${random.below(2) ? randomLiteral(random) : randomOperand(random, depth, begin)}`;
  }
}

function randomExpression(random: Random, depth: number, begin: boolean, size = 3): string {
  const kind = size === 0 ? 9 : random.below(10);
  const part = () => randomExpression(random, depth, begin, size - 1);
  if (kind < 3) return `(${part()} && ${part()})`;
  if (kind < 5) return `(${part()} || ${part()})`;
  if (kind < 6) return `!(${part()})`;
  return randomComparison(random, depth, begin);
}

/** Mostly of the form that people write: a name, and some conditions. */
function randomSide(random: Random, depth: number, begin: boolean): string {
  if (random.below(4) === 0) return randomExpression(random, depth, begin);
  const parts = [`$evt.$name == "${pick(random, EVENTS)}"`];
  for (let n = random.below(3); n > 0; n--) {
    const other = begin ? (depth > 0 ? "$parent.$begin.$evt" : "$evt") : "$begin.$evt";
    parts.push(
      random.below(3) > 0
        ? `$evt.${pick(random, ["x", "y", "s", "m", "c"])} == ${other}.${pick(random, ["x", "y", "s", "m", "c"])}`
        : randomComparison(random, depth, begin),
    );
  }
  return parts.join(" && ");
}

function randomDefinitions(random: Random): { periods: string[]; captures: string[] } {
  const periods: string[] = [];
  const captures: string[] = [];
  const depths: number[] = [];
  for (let i = 0; i <= random.below(4); i++) {
    const parent = i > 0 && random.below(3) > 0 ? random.below(i) : -1;
    const depth = parent < 0 ? 0 : depths[parent]! + 1;
    depths.push(depth);
    const repeat = random.below(4) > 0 ? "" : parent >= 0 && random.below(2) ? " once" : " single";
    const begin = randomSide(random, depth, true);
    const end = random.below(6) === 0 ? "" : ` : ${randomSide(random, depth, false)}`;
    const unless = end !== "" && random.below(5) === 0 ? ` : ${randomSide(random, depth, false)}` : "";
    periods.push(`p${i}${parent < 0 ? "" : `(p${parent})`}${repeat} : ${begin}${end}${unless}`);
    if (random.below(2)) {
      captures.push(
        `p${i} : k = ${randomOperand(random, depth, true)} : e = ${randomOperand(random, depth, false)}`,
      );
    }
  }
  return { periods, captures };
}

function randomScript(random: Random, hosts: number): ScriptedRecord[] {
  const script: ScriptedRecord[] = [];
  let ns = 0;
  for (let i = 0; i < 60; i++) {
    ns += random.below(3);
    const fields: Record<string, unknown> = {
      x: random.below(3),
      y: random.below(3) - 1,
      s: pick(random, TEXTS),
      m: random.below(2) ? random.below(3) : pick(random, TEXTS),
    };
    for (const name of Object.keys(fields)) if (random.below(8) === 0) delete fields[name];
    const context = random.below(5) === 0 ? {} : { c: random.below(3) };
    script.push({
      ns,
      cpu: random.below(2),
      name: pick(random, EVENTS),
      host: random.below(hosts),
      fields,
      context,
    });
  }
  return script;
}

// --- the naive interpreter ---

interface Life {
  readonly definition: PeriodDefinition;
  readonly parent: Life | undefined;
  readonly begin: ScriptedRecord;
  readonly order: number;
  readonly children: Life[];
  readonly begun: Set<number>;
  end: ScriptedRecord | undefined;
}

function read(operand: Operand, now: ScriptedRecord, life: Life | undefined): unknown {
  if (operand.type === "literal")
    return typeof operand.value === "boolean" ? Number(operand.value) : operand.value;
  let record: ScriptedRecord | undefined = now;
  if (operand.moment.begin) {
    let owner = life;
    for (let up = operand.moment.up; up > 0; up--) owner = owner?.parent;
    record = owner?.begin;
  }
  if (record === undefined) return undefined;
  if (operand.type === "property") {
    if (operand.property === "name") return record.name;
    if (operand.property === "cpu") return record.cpu;
    if (operand.property === "ts") return BigInt(record.ns);
    return `h${record.host}`;
  }
  assert.equal(operand.type, "field");
  const { scope, path } = operand as Extract<EventOperand, { type: "field" }>;
  const name = String(path[0]);
  // Contexts of scripts are of the stream.
  if (scope === undefined) return record.fields?.[name] ?? record.context?.[name];
  return scope === "payload"
    ? record.fields?.[name]
    : scope === "common"
      ? record.context?.[name]
      : undefined;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function equal(a: unknown, b: unknown): boolean {
  if (isNumber(a) && isNumber(b)) return Number(a) === Number(b);
  return typeof a === "string" && a === b;
}

function holds(e: Expression, now: ScriptedRecord, life: Life | undefined): boolean {
  switch (e.type) {
    case "constant":
      return e.value;
    case "not":
      return !holds(e.operand, now, life);
    case "and":
      return e.operands.every((part) => holds(part, now, life));
    case "or":
      return e.operands.some((part) => holds(part, now, life));
    case "match": {
      const value = read(e.operand, now, life);
      return typeof value === "string" && e.regexp.test(value);
    }
    case "in":
      return e.items.some((item) => equal(read(e.operand, now, life), item.value));
    case "comparison": {
      const a = read(e.left, now, life);
      const b = read(e.right, now, life);
      if (e.operator === "==") return equal(a, b);
      if (e.operator === "!=") return !equal(a, b);
      const comparable = (isNumber(a) && isNumber(b)) || (typeof a === "string" && typeof b === "string");
      if (!comparable) return false;
      const [x, y] = [a as number, b as number];
      return e.operator === "<" ? x < y : e.operator === "<=" ? x <= y : e.operator === ">" ? x > y : x >= y;
    }
  }
}

function hasHost(e: Expression): boolean {
  return JSON.stringify(e, (_, value) => (typeof value === "bigint" ? Number(value) : value)).includes(
    '"host"',
  );
}

/** Operands with $begin that the end wants equal, at its top. */
function wantedEqual(definition: PeriodDefinition): Operand[] {
  const parts = definition.end.type === "and" ? definition.end.operands : [definition.end];
  return parts.flatMap((part) => {
    if (part.type !== "comparison" || part.operator !== "==") return [];
    const { left, right } = part;
    if (left.type === "literal" || right.type === "literal" || left.moment.begin === right.moment.begin)
      return [];
    const past = left.moment.begin ? left : right;
    return past.moment.up === 0 ? [past] : [];
  });
}

interface Told {
  path: string;
  parent: number;
  begin: number;
  end: number;
  completed: boolean;
  captures: string;
}

function naive(set: PeriodSet, script: readonly ScriptedRecord[]): Told[] {
  let open: Life[] = [];
  const told = new Map<Life, Told>();
  let count = 0;
  const value = (operand: EventOperand | undefined, now: ScriptedRecord, life: Life): unknown =>
    operand === undefined ? null : (read(operand, now, life) ?? null);
  const close = (life: Life, now: ScriptedRecord, completed: boolean): void => {
    for (const child of life.children) if (open.includes(child)) close(child, now, false);
    open = open.filter((other) => other !== life);
    const entry = told.get(life)!;
    entry.end = now.ns;
    entry.completed = completed;
    if (!completed) return;
    const captures = life.definition.endCaptures.map(({ key, operand }) => [key, value(operand, now, life)]);
    entry.captures += text(captures);
  };
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part));
  const endAll = (definition: PeriodDefinition, now: ScriptedRecord): void => {
    for (const child of definition.children) endAll(child, now);
    const { unless } = definition;
    if (unless !== undefined) {
      const dropped = open.filter(
        (life) =>
          life.definition === definition &&
          (hasHost(unless) || life.begin.host === now.host) &&
          holds(unless, now, life),
      );
      for (const life of dropped) if (open.includes(life)) close(life, now, false);
    }
    const candidates = open.filter(
      (life) =>
        life.definition === definition &&
        (hasHost(definition.end) || life.begin.host === now.host) &&
        holds(definition.end, now, life),
    );
    for (const life of candidates) close(life, now, true);
  };
  for (const now of script) {
    for (const root of set.roots) endAll(root, now);
    for (const definition of set.definitions) {
      const parents: (Life | undefined)[] =
        definition.parent === undefined
          ? [undefined]
          : open.filter((life) => life.definition === definition.parent).sort((a, b) => a.order - b.order);
      for (const parent of parents) {
        if (parent !== undefined && !hasHost(definition.begin) && parent.begin.host !== now.host) continue;
        const life: Life = {
          definition,
          parent,
          begin: now,
          order: count,
          children: [],
          begun: new Set(),
          end: undefined,
        };
        if (!holds(definition.begin, now, life)) continue;
        if (definition.repeat === "once") {
          if (parent!.begun.has(definition.index)) continue;
          parent!.begun.add(definition.index);
        }
        if (definition.repeat === "single") {
          const keys = wantedEqual(definition);
          const same = open.some(
            (other) =>
              other.definition === definition &&
              other.parent === parent &&
              other.begin.host === now.host &&
              keys.every((key) => equal(read(key, now, other), read(key, now, life))),
          );
          if (same) continue;
        }
        count++;
        open.push(life);
        parent?.children.push(life);
        const captures = definition.beginCaptures.map(({ key, operand }) => [key, value(operand, now, life)]);
        told.set(life, {
          path: definition.path,
          parent: parent?.order ?? -1,
          begin: now.ns,
          end: Number.NaN,
          completed: false,
          captures: text(captures),
        });
      }
    }
  }
  const last = script[script.length - 1]!;
  for (const life of [...open]) if (open.includes(life)) close(life, last, false);
  return [...told.values()];
}

function compiled(set: PeriodSet, script: readonly ScriptedRecord[], hosts: number): Told[] {
  const source = scriptedSource(
    script,
    Array.from({ length: hosts }, (_, i) => `h${i}`),
  );
  const told: Told[] = [];
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part));
  const pairs = (captures: readonly { key: string; value: unknown }[]) =>
    text(captures.map(({ key, value }) => [key, value]));
  const engine = new PeriodEngine(source, set, {
    onEnd: (i) => {
      told[i.id] = {
        path: i.definition.path,
        parent: i.parent?.id ?? -1,
        begin: i.beginNs,
        end: i.endNs,
        completed: i.completed,
        captures: pairs(i.beginCaptures) + (i.completed ? pairs(i.endCaptures) : ""),
      };
    },
  });
  engine.active = true;
  source.run();
  engine.closeAll(script[script.length - 1]!.ns);
  return told;
}

test("the engine finds what a naive interpreter of the language finds", () => {
  let completed = 0;
  let children = 0;
  for (let seed = 1; seed <= 600; seed++) {
    const random = new Random(seed);
    const definitions = randomDefinitions(random);
    let set: PeriodSet;
    try {
      set = definePeriods(definitions);
    } catch (error) {
      assert.fail(`seed ${seed}: ${(error as Error).message}`);
    }
    const hosts = 1 + random.below(2);
    const script = randomScript(random, hosts);
    const expected = naive(set, script);
    assert.deepEqual(
      compiled(set, script, hosts),
      expected,
      `seed ${seed}:\n${definitions.periods.join("\n")}\n${definitions.captures.join("\n")}`,
    );
    completed += expected.filter((one) => one.completed).length;
    children += expected.filter((one) => one.completed && one.parent >= 0).length;
  }
  // The random cases are not empty ones.
  assert.ok(completed > 4_000 && children > 400, `${completed} completed, ${children} children`);
});

// --- printing ---

function printed(e: Expression): string {
  const operand = (o: Operand): string => {
    if (o.type !== "literal") return operandText(o);
    return typeof o.value === "string" ? JSON.stringify(o.value) : String(o.value);
  };
  switch (e.type) {
    case "and":
    case "or":
      return `(${e.operands.map(printed).join(e.type === "and" ? " && " : " || ")})`;
    case "not":
      return `!(${printed(e.operand)})`;
    case "constant":
      return String(e.value);
    case "comparison":
      return `${operand(e.left)} ${e.operator} ${operand(e.right)}`;
    case "match":
      return `${operand(e.operand)} ${e.operator} ${JSON.stringify(e.pattern)}`;
    case "in":
      return `${operand(e.operand)} in (${e.items.map(operand).join(", ")})`;
  }
}

function bare(e: Expression): unknown {
  return JSON.parse(
    JSON.stringify(e, (key, value) => {
      if (key === "span") return undefined;
      if (typeof value === "bigint") return `${value}n`;
      return value instanceof RegExp ? value.source : value;
    }),
  );
}

test("expressions can be printed and read again", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const random = new Random(seed);
    const { begin } = parsePeriod(`p : ${randomExpression(random, 0, true)}`);
    const again = parsePeriod(`p : ${printed(begin)}`).begin;
    assert.deepEqual(bare(again), bare(begin), `seed ${seed}: ${printed(begin)}`);
  }
});
