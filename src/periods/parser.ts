/**
 * Tokens → tree, by recursive descent.
 *
 *     [ NAME [ "(" PARENT ")" ] [ "once" | "single" ] ] ":" BEGIN [ ":" END [ ":" UNLESS ] ]
 *     NAME ":" [ CAPTURES ] [ ":" CAPTURES ]
 *
 *     EXPR       := AND { "||" AND }
 *     AND        := NOT { "&&" NOT }
 *     NOT        := "!" NOT | "(" EXPR ")" | "true" | "false" | COMPARISON
 *     COMPARISON := OPERAND ("==" | "!=" | "<" | "<=" | ">" | ">=") OPERAND
 *                 | EVENT-OPERAND ("=*" | "=~") STRING
 *                 | EVENT-OPERAND "in" "(" LITERAL { "," LITERAL } ")"
 *     OPERAND    := EVENT-OPERAND | LITERAL
 *     EVENT-OPERAND := { "$parent" "." } [ "$begin" "." ] ( "$evt" "." WHAT | CAPTURE )
 *     WHAT       := "$name" | "$ts" | "$cpu" | "$host" | "$duration" | "$fd" | "$tid" | "$pid" | "$procname"
 *                 | [ SCOPE "." ] PATH
 *     PATH       := IDENT { "." IDENT | "[" NUMBER "]" }
 *     LITERAL    := NUMBER | STRING | "true" | "false"
 */
import {
  type ComparisonOperator,
  type EventOperand,
  type Expression,
  type FieldOperand,
  type LiteralOperand,
  type Operand,
  type Property,
  SCOPE_WORDS,
  type Span,
} from "./ast.js";
import { globPattern } from "./glob.js";
import { type Token, tokenize } from "./lexer.js";
import { nearest } from "./nearest.js";
import { PeriodError } from "./period-error.js";

/** A name and where it is written. */
export interface NameSyntax {
  readonly name: string;
  readonly span: Span;
}

/**
 * How often it begins. `once`: at most one instance per instance of its parent; `single`: none while one is open
 * that has the same parent and the same values for what its end expression wants to be equal.
 */
export type Repeat = "always" | "once" | "single";

/** What one `--period` argument says. */
export interface PeriodSyntax {
  readonly text: string;
  readonly repeat: Repeat;
  readonly name: NameSyntax | undefined;
  readonly parent: NameSyntax | undefined;
  readonly begin: Expression;
  /** Undefined: the same as `begin`. */
  readonly end: Expression | undefined;
  /** Closes an instance without completing it. */
  readonly unless: Expression | undefined;
}

export interface CaptureSyntax {
  readonly key: string | undefined;
  readonly operand: EventOperand;
  readonly span: Span;
}

/** What one `--period-captures` argument says. */
export interface CapturesSyntax {
  readonly text: string;
  readonly name: NameSyntax;
  readonly begin: readonly CaptureSyntax[];
  readonly end: readonly CaptureSyntax[];
}

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const MIRRORED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  "==": "==",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};
const PROPERTIES: Readonly<Record<string, Property>> = {
  $name: "name",
  $ts: "ts",
  $cpu: "cpu",
  $host: "host",
  $duration: "duration",
  $fd: "fd",
  $tid: "tid",
  $pid: "pid",
  $procname: "procname",
};
const OPERATORS = "==, !=, <, <=, >, >=, =*, =~ or in";
/** Deeper than any person nests; the recursion must not reach the end of the stack. */
const DEEPEST = 500;

/** Parses one `--period` argument. Throws `PeriodError`. */
export function parsePeriod(text: string): PeriodSyntax {
  const parser = new Parser(text, "Malformed period definition expression");
  const named = parser.at("word") || parser.at("/");
  const name = named ? parser.path("a period's name") : undefined;
  let parent: NameSyntax | undefined;
  if (name !== undefined && parser.take("(")) {
    parent = parser.path("the parent period's name");
    parser.expect(")", "to close the parent's name");
  }
  const repeat = name === undefined ? "always" : parser.repeat(parent !== undefined);
  parser.expect(
    ":",
    parent ? "before the begin expression" : "or a period's name before the begin expression",
  );
  const begin = parser.expression();
  const end = parser.take(":") ? parser.expression() : undefined;
  const unless = end !== undefined && parser.take(":") ? parser.expression() : undefined;
  parser.finish(end ? '"&&", "||" or the end' : '"&&", "||", or ":" and the end expression');
  return { text, name, parent, repeat, begin, end, unless };
}

/** Parses one `--period-captures` argument. Throws `PeriodError`. */
export function parseCaptures(text: string): CapturesSyntax {
  const parser = new Parser(text, "Malformed period captures expression");
  const name = parser.path("the name of the period to capture for");
  parser.expect(":", "before the begin captures");
  const begin = parser.atEnd() || parser.at(":") ? [] : parser.captures();
  const end = parser.take(":") && !parser.atEnd() ? parser.captures() : [];
  parser.finish('"," and another capture, ":" and the end captures, or the end');
  return { text, name, begin, end };
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(
    private readonly text: string,
    private readonly what: string,
  ) {
    this.#tokens = tokenize(text, what);
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  fail(reason: string, position: number): never {
    throw new PeriodError(this.what, reason, this.text, position);
  }

  /** What stands here instead of what was expected. */
  #unexpected(expected: string): never {
    const token = this.#token;
    const found = token.type === "end" ? "the end" : token.type === "string" ? token.text : `"${token.text}"`;
    return this.fail(`expected ${expected}, found ${found}`, token.span.from);
  }

  at(what: string): boolean {
    const token = this.#token;
    return token.type === what || (token.type === "sign" && token.text === what);
  }

  atEnd(): boolean {
    return this.at("end");
  }

  take(sign: string): boolean {
    const is = this.#token.type === "sign" && this.#token.text === sign;
    if (is) this.#next++;
    return is;
  }

  expect(sign: string, why: string): void {
    if (!this.take(sign)) this.#unexpected(`"${sign}" ${why}`);
  }

  /** Nothing may follow; `expected` says what could. */
  finish(expected: string): void {
    if (this.atEnd()) return;
    const { text } = this.#token;
    const meant = text === "and" ? "&&" : text === "or" ? "||" : text === "=" ? "==" : undefined;
    this.#unexpected(meant ? `"${meant}"` : expected);
  }

  #word(expected: string): Token {
    if (!this.at("word")) this.#unexpected(expected);
    return this.#tokens[this.#next++]!;
  }

  /** A name, or a path of names as the tools print it (`switch/open`): its last part counts. */
  path(expected: string): NameSyntax {
    this.take("/");
    let token = this.#word(expected);
    while (this.take("/")) token = this.#word(expected);
    return { name: token.text, span: token.span };
  }

  repeat(hasParent: boolean): Repeat {
    const { type, text, span } = this.#token;
    if (type !== "word") return "always";
    if (text !== "once" && text !== "single") {
      const guess = nearest(text, ["once", "single"]);
      return this.#unexpected(guess ? `"${guess}" or ":"` : 'once, single or ":"');
    }
    if (text === "once" && !hasParent) {
      this.fail("once means once for each instance of a parent, and there is none", span.from);
    }
    this.#next++;
    return text;
  }

  expression(): Expression {
    return this.#list("||", "or", () => this.#list("&&", "and", () => this.#unary()));
  }

  #list(sign: string, type: "and" | "or", part: () => Expression): Expression {
    const operands = [part()];
    while (this.take(sign)) operands.push(part());
    if (operands.length === 1) return operands[0]!;
    return { type, operands, span: { from: operands[0]!.span.from, to: operands.at(-1)!.span.to } };
  }

  #unary(): Expression {
    const token = this.#token;
    const from = token.span.from;
    if (++this.#depth > DEEPEST) this.fail("nested too deeply", from);
    try {
      if (this.take("!")) {
        const operand = this.#unary();
        return { type: "not", operand, span: { from, to: operand.span.to } };
      }
      if (this.take("(")) {
        const inner = this.expression();
        if (!this.at(")")) this.finish('"&&", "||" or ")"');
        this.expect(")", "to close the parenthesis");
        return inner;
      }
      if (token.type === "word" && (token.text === "true" || token.text === "false")) {
        const after = this.#tokens[this.#next + 1]!;
        if (after.type !== "sign" || !COMPARISONS.has(after.text)) {
          this.#next++;
          return { type: "constant", value: token.text === "true", span: token.span };
        }
      }
      return this.#comparison();
    } finally {
      this.#depth--;
    }
  }

  #comparison(): Expression {
    const left = this.#operand('a comparison, like $evt.$name == "sched_switch"');
    const token = this.#token;
    const { from } = left.span;
    if (token.type === "word" && token.text === "in") return this.#set(left);
    if (token.type !== "sign") return this.#operatorMissing();
    if (token.text === "=*" || token.text === "=~") return this.#match(left, token.text);
    if (!COMPARISONS.has(token.text)) return this.#operatorMissing();
    this.#next++;
    const operator = token.text as ComparisonOperator;
    const right = this.#operand("an event's field, a number or a string");
    const span = { from, to: right.span.to };
    // Literals stand on the right from here on.
    return left.type === "literal" && right.type !== "literal"
      ? { type: "comparison", operator: MIRRORED[operator], left: right, right: left, span }
      : { type: "comparison", operator, left, right, span };
  }

  #operatorMissing(): never {
    const { text, type } = this.#token;
    return this.#unexpected(type === "sign" && text === "=" ? '"=="' : `an operator (${OPERATORS})`);
  }

  #eventOperand(operand: Operand, operator: string): EventOperand {
    if (operand.type === "literal") {
      this.fail(
        `the left side of ${operator} is a field of an event record, not a literal`,
        operand.span.from,
      );
    }
    return operand as EventOperand;
  }

  #match(left: Operand, operator: "=*" | "=~"): Expression {
    const operand = this.#eventOperand(left, operator);
    this.#next++;
    const token = this.#token;
    if (token.type !== "string") {
      return this.#unexpected(operator === "=*" ? "a pattern in quotes" : "a regular expression in quotes");
    }
    this.#next++;
    const span = { from: operand.span.from, to: token.span.to };
    if (operator === "=*") {
      return {
        type: "match",
        operator,
        operand,
        pattern: token.value,
        regexp: globPattern(token.value),
        span,
      };
    }
    // Backslashes belong to the regular expression: only a quote must be escaped for our sake.
    const pattern = token.raw.replace(/\\(["\\])/g, (all, char) => (char === '"' ? '"' : all));
    try {
      return { type: "match", operator, operand, pattern, regexp: new RegExp(pattern), span };
    } catch (error) {
      const why = (error as Error).message.replace(/^.*: /, "");
      return this.fail(`no regular expression: ${why}`, token.span.from);
    }
  }

  #set(left: Operand): Expression {
    const operand = this.#eventOperand(left, "in");
    this.#next++;
    this.expect("(", 'after "in", like in ("a", "b")');
    const items: LiteralOperand[] = [];
    do {
      const item = this.#operand("a number or a string");
      if (item.type !== "literal") return this.fail("a set has only numbers and strings", item.span.from);
      items.push(item);
    } while (this.take(","));
    const to = this.#token.span.to;
    this.expect(")", 'or "," and another value');
    return { type: "in", operand, items, span: { from: operand.span.from, to } };
  }

  #operand(expected: string): Operand {
    const token = this.#token;
    if (token.type === "number" || token.type === "string") {
      this.#next++;
      return { type: "literal", value: token.value, span: token.span };
    }
    if (token.type === "word" && (token.text === "true" || token.text === "false")) {
      this.#next++;
      return { type: "literal", value: token.text === "true", span: token.span };
    }
    if (token.type === "word") {
      const value = token.text === "not" ? '"!"' : expected;
      return this.#unexpected(
        token.text === "not" ? value : `${expected} (fields are written $evt.${token.text})`,
      );
    }
    if (token.type !== "variable") return this.#unexpected(expected);
    return this.#event();
  }

  /** `$parent.$begin.$evt.a`, up to the last character that belongs to it. */
  #event(): EventOperand {
    const from = this.#token.span.from;
    const where = this.#token;
    let up = 0;
    while (this.#variable("$parent")) {
      up++;
      this.expect(".", "and $begin after $parent");
    }
    const begin = this.#variable("$begin");
    if (up > 0 && !begin) {
      const { text, span } = this.#token;
      if (text !== "$evt") this.#unexpected("$begin or $parent after $parent");
      throw new PeriodError(
        "Illegal period definition expression",
        "Must refer to the begin context in a parent context: $parent.$begin.$evt",
        this.text,
        span.from,
      );
    }
    const moment = { up, begin };
    if (begin) {
      this.expect(".", "and $evt after $begin");
      if (this.at("word")) {
        const token = this.#word("");
        return { type: "capture", moment, key: token.text, span: { from, to: token.span.to } };
      }
    }
    if (!this.#variable("$evt")) {
      const { text } = this.#token;
      const scopeless = Object.hasOwn(PROPERTIES, text) || Object.hasOwn(SCOPE_WORDS, text);
      if (scopeless) return this.fail(`${text} stands after an event: $evt.${text}`, this.#token.span.from);
      const guess = nearest(text, ["$evt", "$begin", "$parent"]);
      if (this.#token === where && guess) {
        return this.fail(`there is no ${text}, did you mean ${guess}?`, where.span.from);
      }
      return this.#unexpected(begin ? "$evt or the name of a capture" : "$evt, $begin or $parent");
    }
    this.expect(".", "and a field after $evt");
    const token = this.#token;
    if (token.type === "variable" && Object.hasOwn(PROPERTIES, token.text)) {
      this.#next++;
      const property = PROPERTIES[token.text]!;
      return { type: "property", moment, property, span: { from, to: token.span.to } };
    }
    let scope: FieldOperand["scope"];
    if (token.type === "variable") {
      if (!Object.hasOwn(SCOPE_WORDS, token.text)) {
        const words = [...Object.keys(PROPERTIES), ...Object.keys(SCOPE_WORDS)];
        const guess = nearest(token.text, words);
        return this.fail(
          `there is no ${token.text}, ${guess ? `did you mean ${guess}?` : `expected a field or ${words.join(", ")}`}`,
          token.span.from,
        );
      }
      scope = SCOPE_WORDS[token.text];
      this.#next++;
      this.expect(".", `and a field after ${token.text}`);
    }
    const path: (string | number)[] = [];
    let last = this.#word("the name of a field");
    path.push(last.text);
    for (;;) {
      if (this.take(".")) {
        last = this.#word("the name of a field inside");
        path.push(last.text);
      } else if (this.take("[")) {
        const index = this.#token;
        if (index.type !== "number" || !/^\d+$/.test(index.text) || typeof index.value !== "number") {
          return this.#unexpected("an index (0, 1, ...)");
        }
        this.#next++;
        path.push(index.value);
        last = this.#token;
        this.expect("]", "after the index");
      } else return { type: "field", moment, scope, path, span: { from, to: last.span.to } };
    }
  }

  #variable(name: string): boolean {
    const is = this.#token.type === "variable" && this.#token.text === name;
    if (is) this.#next++;
    return is;
  }

  captures(): CaptureSyntax[] {
    const captures: CaptureSyntax[] = [];
    do {
      const first = this.#token;
      const from = first.span.from;
      let key: string | undefined;
      if (first.type === "word") {
        this.#next++;
        key = first.text;
        this.expect("=", "after the capture's name");
      }
      if (!this.at("variable")) this.#unexpected("a capture, like pid = $evt.pid");
      const operand = this.#event();
      captures.push({ key, operand, span: { from, to: operand.span.to } });
    } while (this.take(","));
    return captures;
  }
}
