/** Text of a period definition → tokens. Spaces, tabs and newlines are free between any two tokens. */
import type { Span } from "./ast.js";
import { isUnit, parseDecimal, parseDurationLiteral, parseHexadecimal, UNIT_NAMES } from "./numbers.js";
import { PeriodError } from "./period-error.js";

export type Token =
  /** `word`: an identifier; `variable`: `$evt` with its `$`; `sign`: an operator or a bracket. */
  | { readonly type: "word" | "variable" | "sign"; readonly text: string; readonly span: Span }
  | { readonly type: "number"; readonly text: string; readonly value: number | bigint; readonly span: Span }
  /** `raw` is what stands between the quotes, with its backslashes. */
  | {
      readonly type: "string";
      readonly text: string;
      readonly value: string;
      readonly raw: string;
      readonly span: Span;
    }
  | { readonly type: "end"; readonly text: ""; readonly span: Span };

const SIGNS = [
  "&&",
  "||",
  "==",
  "!=",
  "<=",
  ">=",
  "=*",
  "=~",
  "<",
  ">",
  "!",
  "(",
  ")",
  "[",
  "]",
  ".",
  ",",
  ":",
  "=",
  "/",
];

/** What people write who come from other languages. */
const MISTAKES: Readonly<Record<string, string>> = {
  "&": 'expected "&&"',
  "|": 'expected "||"',
  "~": 'expected "=~"',
  "*": 'expected "=*" before a pattern in quotes',
  "'": "strings stand in double quotes",
};

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", f: "\f", r: "\r" };

const space = /[ \t\r\n\f\v]*/y;
const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)/y;
const suffix = /[A-Za-z0-9_µμ]+/y;

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/** All tokens of `text`, the last one of type `end`. Throws `PeriodError` with `what` in front. */
export function tokenize(text: string, what: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const fail = (reason: string, position: number): never => {
    throw new PeriodError(what, reason, text, position);
  };
  for (;;) {
    at += matchAt(space, text, at).length;
    const from = at;
    if (at >= text.length) {
      tokens.push({ type: "end", text: "", span: { from, to: from } });
      return tokens;
    }
    const char = text[at]!;
    const identifier = matchAt(word, text, at);
    if (identifier !== "") {
      at += identifier.length;
      tokens.push({ type: "word", text: identifier, span: { from, to: at } });
      continue;
    }
    if (char === "$") {
      const name = matchAt(word, text, at + 1);
      if (name === "") fail("expected a name after $, like $evt", at + 1);
      at += 1 + name.length;
      tokens.push({ type: "variable", text: `$${name}`, span: { from, to: at } });
      continue;
    }
    const digits = matchAt(number, text, at);
    if (digits !== "") {
      at += digits.length;
      const unit = matchAt(suffix, text, at);
      at += unit.length;
      const value = numberValue(digits, unit, (reason) => fail(reason, from + (unit ? digits.length : 0)));
      tokens.push({ type: "number", text: `${digits}${unit}`, value, span: { from, to: at } });
      continue;
    }
    if (char === '"') {
      const token = stringAt(text, at, fail);
      at = token.span.to;
      tokens.push(token);
      continue;
    }
    if (char === "+" || char === "-") fail(`expected digits after ${char}`, at + 1);
    const sign = SIGNS.find((s) => text.startsWith(s, at));
    if (sign === undefined) fail(MISTAKES[char] ?? `${JSON.stringify(char)} has no meaning here`, at);
    at += sign!.length;
    tokens.push({ type: "sign", text: sign!, span: { from, to: at } });
  }
}

function numberValue(digits: string, unit: string, fail: (reason: string) => never): number | bigint {
  const hexadecimal = /^[+-]?0[xX]/.test(digits);
  const known = unit === "" || (!hexadecimal && isUnit(unit));
  if (!known) {
    return fail(
      hexadecimal
        ? `"${unit}" are no hexadecimal digits`
        : `"${unit}" is no unit of time, expected ${UNIT_NAMES}`,
    );
  }
  if (hexadecimal) return parseHexadecimal(digits);
  return (
    (unit === "" ? parseDecimal(digits) : parseDurationLiteral(digits, unit)) ?? fail("number out of range")
  );
}

function stringAt(
  text: string,
  from: number,
  fail: (reason: string, position: number) => never,
): Extract<Token, { type: "string" }> {
  let value = "";
  let at = from + 1;
  for (;;) {
    const char = text[at];
    if (char === undefined || char === "\n" || char === "\r") return fail("this string is not closed", from);
    if (char === '"') break;
    if (char === "\\") {
      const next = text[at + 1];
      if (next === undefined) return fail("this string is not closed", from);
      value += ESCAPES[next] ?? next;
      at += 2;
    } else {
      value += char;
      at++;
    }
  }
  const raw = text.slice(from + 1, at);
  return { type: "string", text: text.slice(from, at + 1), value, raw, span: { from, to: at + 1 } };
}
