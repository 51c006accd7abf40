/**
 * Filters of time graphs: `filter_expressions_map` maps a property (1: dim what does not match; 4: exclude it) to
 * expressions. An expression is a text or regular expression over the label and the state's name, or a comparison of
 * the duration (`duration > 10ms`); parts may be joined by `&&` and `||`.
 */
import { UsageError } from "../../base/errors.js";
import { parseDuration } from "../../base/units.js";
import { HttpError } from "../http.js";
import type { Parameters } from "./request.js";

/** Bits of `tags` for a state. */
export type StateFilter = (label: string, state: string, durationNs: number) => number;

type Test = (label: string, state: string, durationNs: number) => boolean;

export function filterOf(parameters: Parameters): StateFilter | undefined {
  const filter = parameters["filter_query_parameters"] as
    | { filter_expressions_map?: unknown }
    | undefined
    | null;
  const map = filter?.filter_expressions_map;
  if (map === undefined || map === null || typeof map !== "object") return undefined;
  const tests = Object.entries(map)
    .map(([property, expressions]) => ({
      property: Number(property),
      tests: (Array.isArray(expressions) ? expressions : [expressions])
        .map(String)
        .filter((text) => text.trim() !== "")
        .map(testOf),
    }))
    .filter((one) => one.tests.length > 0 && Number.isInteger(one.property));
  if (tests.length === 0) return undefined;
  return (label, state, durationNs) => {
    let tags = 0;
    for (const one of tests) {
      if (!one.tests.every((test) => test(label, state, durationNs))) tags |= one.property;
    }
    return tags;
  };
}

function testOf(text: string): Test {
  const either = text.split("||").map((part) => part.split("&&").map((one) => partOf(one.trim())));
  return (label, state, ns) => either.some((all) => all.every((test) => test(label, state, ns)));
}

function partOf(text: string): Test {
  const [, operator, value] = /^duration\s*(<=|>=|==|<|>)\s*(\S+)$/i.exec(text) ?? [];
  if (operator !== undefined) {
    const limit = durationOf(value!);
    switch (operator) {
      case "<":
        return (_label, _state, ns) => ns < limit;
      case "<=":
        return (_label, _state, ns) => ns <= limit;
      case ">":
        return (_label, _state, ns) => ns > limit;
      case ">=":
        return (_label, _state, ns) => ns >= limit;
      default:
        return (_label, _state, ns) => ns === limit;
    }
  }
  let regexp: RegExp;
  try {
    regexp = new RegExp(text.replace(/^"(.*)"$/, "$1"), "i");
  } catch {
    throw new HttpError(400, "Invalid query parameters", `"${text}": expected a regular expression`);
  }
  return (label, state) => regexp.test(label) || regexp.test(state);
}

function durationOf(text: string): number {
  try {
    return parseDuration(text, 1);
  } catch (error) {
    if (error instanceof UsageError) throw new HttpError(400, "Invalid query parameters", error.message);
    throw error;
  }
}
