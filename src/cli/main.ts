/**
 * The command line: finds the command, runs it, turns errors into one line and an exit code.
 * Exit codes: 0 done, 1 the work failed, 2 wrong usage.
 */
import { PeriscopeError, UsageError } from "../base/errors.js";
import { type Command, complain, writeOutput } from "./command.js";
import { helpText, parseArguments } from "./options.js";

const commands: Record<string, { summary: string; load: () => Promise<{ command: Command }> }> = {
  report: { summary: "what the machine was doing, in one page", load: () => import("./report.js") },
  info: { summary: "what is in a trace", load: () => import("./info.js") },
  print: { summary: "event records as text or JSON, like babeltrace2", load: () => import("./print.js") },
};

function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return [
    "Usage: periscope COMMAND [OPTION...] PATH...",
    "",
    "Reads LTTng (CTF) traces. A path may be a trace or any directory above traces.",
    "",
    "Commands:",
    ...rows,
    "",
    "periscope COMMAND --help tells the options of a command.",
    "",
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(overview());
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    writeOutput(overview());
    return 0;
  }
  if (name === "--version" || name === "-V") {
    const { version } = await import("../version.js");
    writeOutput(`periscope ${version}\n`);
    return 0;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) throw new UsageError(`no command "${name}"; see periscope --help`);
  const { command } = await entry.load();
  const parsed = parseArguments(command.spec, rest);
  if (parsed.has("help")) {
    writeOutput(helpText(command.spec));
    return 0;
  }
  return await command.run(parsed);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    complain(error.message);
    process.exitCode = 2;
  } else if (error instanceof PeriscopeError) {
    complain(error.message);
    process.exitCode = 1;
  } else if (error instanceof Error && "code" in error && typeof error.code === "string") {
    // The reader of our output has gone (head, less): nothing failed.
    if (error.code === "EPIPE") process.exitCode = 0;
    else {
      complain(error.message);
      process.exitCode = 1;
    }
  } else throw error;
}
