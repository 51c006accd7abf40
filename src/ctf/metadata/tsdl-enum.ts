/** The labels of a TSDL enumeration. */

import type { TsdlAttributes } from "./tsdl-attributes.js";
import { BRACE_CLOSE, COMMA, EQUAL } from "./tsdl-lexer.js";
import type { FixedIntClass, IntRange, Mapping } from "./types.js";

/** Takes `"A", B = 3, C = 4 ... 9 }` after the opening brace. Ranges of the same label are put together. */
export function parseMappings(lexer: TsdlAttributes, container: FixedIntClass): Mapping[] {
  const byLabel = new Map<string, IntRange[]>();
  let next = 0n;
  while (lexer.skip() !== BRACE_CLOSE) {
    const at = lexer.pos;
    const label = lexer.atString() ? lexer.string() : lexer.identifier('a label or "}"');
    let lower = next;
    let upper = next;
    if (lexer.accept(EQUAL)) {
      lower = BigInt(lexer.integer());
      upper = lexer.acceptEllipsis() ? BigInt(lexer.integer()) : lower;
    }
    if (lower > upper) lexer.fail(at, `found range ${lower} ... ${upper}, expected its lower value first`);
    warnIfOutside(lexer, container, lower, upper, at);
    next = upper + 1n;
    const ranges = byLabel.get(label);
    if (ranges === undefined) byLabel.set(label, [{ lower, upper }]);
    else ranges.push({ lower, upper });
    if (lexer.skip() === BRACE_CLOSE) break;
    if (!lexer.accept(COMMA)) lexer.failExpected('"," or "}"');
  }
  lexer.pos++;
  return Array.from(byLabel, ([label, ranges]) => ({ label, ranges }));
}

/** LTTng-UST prints a label's value by its own sign, so such labels are in real traces: they never match. */
function warnIfOutside(
  lexer: TsdlAttributes,
  container: FixedIntClass,
  lower: bigint,
  upper: bigint,
  at: number,
): void {
  const bits = BigInt(container.size);
  const min = container.signed ? -(1n << (bits - 1n)) : 0n;
  const max = container.signed ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  if (lower < min || upper > max) {
    lexer.warn(
      at,
      `found a label for ${lower} to ${upper}, but the integer has values from ${min} to ${max}`,
    );
  }
}
