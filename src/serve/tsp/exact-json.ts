/**
 * JSON with 64-bit integers: the protocol's times are bare integers beyond 2^53, which `JSON.parse` would round.
 * Integers of 16 digits and more become bigints. (Replies are written by `exactJson`.)
 */

/** Cannot be in JSON text unescaped, nor does any client send it. */
const MARK = "\u0000exact:";
const LONG = /"(?:[^"\\]|\\.)*"|-?\b\d{16,}\b(?![.eE\d])/g;

/** Throws `SyntaxError` for what is no JSON. */
export function parseExact(text: string): unknown {
  const marked = text.replace(LONG, (token) => (token.startsWith('"') ? token : `"\\u0000exact:${token}"`));
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}
