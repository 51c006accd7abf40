/** The terminal that output goes to. */
import { isatty } from "node:tty";
import { UsageError } from "../base/errors.js";

/** Its columns, 80 where output goes elsewhere. */
export function terminalWidth(least = 60): number {
  // In a thread that follows a live session there is no terminal to ask.
  const told = Number(process.env["PERISCOPE_COLUMNS"]);
  if (told > 0) return Math.max(least, told);
  return isatty(1) ? Math.max(least, process.stdout.columns ?? 80) : 80;
}

/** The value of an option that is a whole number; undefined when it is not given. */
export function wholeNumber(text: string | undefined, name: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new UsageError(`${name}: "${text}", expected a whole number of at least ${least}`);
  }
  return value;
}
