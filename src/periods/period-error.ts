/** Errors in period definitions: they show the line and point at the character. */
import { UsageError } from "../base/errors.js";

/** At most this much of a line is shown. */
const SHOWN = 100;

/** The line of `text` that `position` is in, and below it a line with a caret under that character. */
export function pointAt(text: string, position: number): string {
  let from = text.lastIndexOf("\n", position - 1) + 1;
  let to = text.indexOf("\n", position);
  if (to < 0) to = text.length;
  let before = "";
  let after = "";
  if (to - from > SHOWN) {
    const left = Math.max(from, Math.min(position - SHOWN / 2, to - SHOWN));
    if (left > from) before = "…";
    from = left;
    if (from + SHOWN < to) {
      after = "…";
      to = from + SHOWN;
    }
  }
  // A tab stays a tab, so that the caret stands under its character; a pair of surrogates is one place.
  const blank = `${before}${text.slice(from, position)}`.replace(
    /[\ud800-\udbff][\udc00-\udfff]|[^\t]/g,
    " ",
  );
  return `  ${before}${text.slice(from, to)}${after}\n  ${blank}^`;
}

/** A period definition, or a list of captures, is wrong at `position` of `text`. */
export class PeriodError extends UsageError {
  override name = "PeriodError";
  constructor(
    /** What could not be done: `Malformed period definition expression`. */
    readonly what: string,
    /** What was found and what was expected. */
    readonly reason: string,
    /** The whole argument. */
    readonly text: string,
    /** UTF-16 code units from its start. */
    readonly position: number,
  ) {
    super(`${what}: ${reason}\n${pointAt(text, position)}`);
  }
}
