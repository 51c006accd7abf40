/**
 * The period language as a tree: what the parser makes, the checker reads and the compiler turns into functions.
 *
 * Every node knows where it stands in the argument it was written in, so that errors found long after parsing
 * still point at a character.
 */

/** A place in an argument's text: [from, to), UTF-16 code units. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Whose event record an operand reads: `up` 0 is this instance, 1 its parent, and so on; `begin` is the event
 * record that began it, otherwise the one that is being tested. Ancestors have only a begin.
 */
export interface Moment {
  readonly up: number;
  readonly begin: boolean;
}

/** Where a field is looked for, in the terms of the CTF documents. */
export type FieldScope = "payload" | "specific" | "common" | "header" | "packet" | "packet-header";

/** How the language spells the scopes. */
export const SCOPE_WORDS: Readonly<Record<string, FieldScope>> = {
  $payload: "payload",
  $ctx: "specific",
  $stream_ctx: "common",
  $header: "header",
  $pkt_ctx: "packet",
  $pkt_header: "packet-header",
};

export interface FieldOperand {
  readonly type: "field";
  readonly span: Span;
  readonly moment: Moment;
  /** Undefined: the first scope that has the field. */
  readonly scope: FieldScope | undefined;
  /** Names of structure members and indices of array elements; the first is a name. */
  readonly path: readonly (string | number)[];
}

/**
 * What every event record has: its name, its time (ns since the epoch), its CPU, its host's name; of kernel
 * traces also the thread that its CPU ran (`tid`, `pid`, `procname`), for the end of a pair (exit of a system call, of
 * an interrupt, of a softirq) the pair's duration (ns), and for exits of system calls the descriptor that the call was
 * about (`fd`), which only their entry tells.
 */
export type Property = "name" | "ts" | "cpu" | "host" | "duration" | "fd" | "tid" | "pid" | "procname";

const MODELLED: ReadonlySet<Property> = new Set(["duration", "fd", "tid", "pid", "procname"]);

/** Properties that event records do not carry themselves: the kernel model knows them. */
export function isModelled(property: Property): boolean {
  return MODELLED.has(property);
}

export interface PropertyOperand {
  readonly type: "property";
  readonly span: Span;
  readonly moment: Moment;
  readonly property: Property;
}

/** A begin capture of this instance or an ancestor; definitions replace it by what the capture reads. */
export interface CaptureOperand {
  readonly type: "capture";
  readonly span: Span;
  readonly moment: Moment;
  readonly key: string;
}

/** Integers are numbers as far as numbers are exact, else bigints; durations are ns. */
export type LiteralValue = number | bigint | string | boolean;

export interface LiteralOperand {
  readonly type: "literal";
  readonly span: Span;
  readonly value: LiteralValue;
}

export type EventOperand = FieldOperand | PropertyOperand | CaptureOperand;
export type Operand = EventOperand | LiteralOperand;

export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** `=*` (the whole text fits a file name pattern) and `=~` (the text has a match of a regular expression). */
export interface MatchExpression {
  readonly type: "match";
  readonly span: Span;
  readonly operator: "=*" | "=~";
  readonly operand: Operand;
  readonly pattern: string;
  readonly regexp: RegExp;
}

export interface ComparisonExpression {
  readonly type: "comparison";
  readonly span: Span;
  readonly operator: ComparisonOperator;
  readonly left: Operand;
  readonly right: Operand;
}

export interface SetExpression {
  readonly type: "in";
  readonly span: Span;
  readonly operand: Operand;
  readonly items: readonly LiteralOperand[];
}

export type Expression =
  | { readonly type: "and" | "or"; readonly span: Span; readonly operands: readonly Expression[] }
  | { readonly type: "not"; readonly span: Span; readonly operand: Expression }
  | { readonly type: "constant"; readonly span: Span; readonly value: boolean }
  | ComparisonExpression
  | MatchExpression
  | SetExpression;

/** Operands of an expression, in the order they are written. */
export function operandsOf(expression: Expression): Operand[] {
  switch (expression.type) {
    case "and":
    case "or":
      return expression.operands.flatMap(operandsOf);
    case "not":
      return operandsOf(expression.operand);
    case "constant":
      return [];
    case "comparison":
      return [expression.left, expression.right];
    case "match":
      return [expression.operand];
    case "in":
      return [expression.operand, ...expression.items];
  }
}

/** The expression with each operand replaced. */
export function mapOperands(expression: Expression, map: (operand: Operand) => Operand): Expression {
  switch (expression.type) {
    case "and":
    case "or":
      return { ...expression, operands: expression.operands.map((operand) => mapOperands(operand, map)) };
    case "not":
      return { ...expression, operand: mapOperands(expression.operand, map) };
    case "constant":
      return expression;
    case "comparison":
      return { ...expression, left: map(expression.left), right: map(expression.right) };
    case "match":
    case "in":
      return { ...expression, operand: map(expression.operand) };
  }
}

const WORD_OF_SCOPE = new Map(Object.entries(SCOPE_WORDS).map(([word, scope]) => [scope, word]));

/** An operand in its canonical spelling: `$parent.$begin.$evt.$ctx.a.b[0]`. */
export function operandText(operand: EventOperand): string {
  const { up, begin } = operand.moment;
  const before = `${"$parent.".repeat(up)}${begin ? "$begin." : ""}`;
  switch (operand.type) {
    case "capture":
      return `${before}${operand.key}`;
    case "property":
      return `${before}$evt.$${operand.property}`;
    case "field": {
      const scope = operand.scope === undefined ? "" : `${WORD_OF_SCOPE.get(operand.scope)}.`;
      return `${before}$evt.${scope}${pathText(operand.path)}`;
    }
  }
}

/** `a.b[0].c` */
export function pathText(path: FieldOperand["path"]): string {
  return path
    .map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`))
    .join("");
}
