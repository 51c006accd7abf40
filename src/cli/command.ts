/** What a command's file exports, and what commands share. */
import { ByteWriter } from "../base/byte-writer.js";
import type { CommandSpec, ParsedArguments } from "./options.js";

export interface Command {
  readonly spec: CommandSpec;
  /** Does the work; answers the exit code (0 done, 1 something could not be read). Errors are thrown. */
  run(args: ParsedArguments): number | Promise<number>;
}

/** Messages for people; never mixed with output. */
export function complain(message: string): void {
  process.stderr.write(`periscope: ${message}\n`);
}

/**
 * Output for the reader of standard output. Not by `process.stdout`: that would make a pipe non-blocking, and
 * large output slow.
 */
export function writeOutput(text: string): void {
  const out = new ByteWriter(1);
  out.text(text);
  out.flush();
}

/** At most this many messages of one kind are shown. */
const shownProblems = 20;

/** Says what could not be read, at the end; answers the exit code. */
export function reportProblems(problems: readonly string[], lostPackets: number): number {
  for (const problem of problems.slice(0, shownProblems)) complain(problem);
  if (problems.length > shownProblems) complain(`${problems.length - shownProblems} more such messages`);
  if (lostPackets > 0)
    complain(`${lostPackets} ${lostPackets === 1 ? "packet" : "packets"} could not be read to the end`);
  return problems.length > 0 ? 1 : 0;
}
