/** Line and column of an offset in metadata text: worked out only when there is an error to show. */

export interface TextPosition {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

export function positionAt(text: string, offset: number): TextPosition {
  let line = 1;
  let lineStart = 0;
  for (;;) {
    const next = text.indexOf("\n", lineStart);
    if (next < 0 || next >= offset) return { line, column: offset - lineStart + 1 };
    line++;
    lineStart = next + 1;
  }
}
