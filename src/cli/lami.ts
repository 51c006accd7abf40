/** `periscope lami install DIR`: launchers under the names that users and Trace Compass call. */

import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { type Command, complain } from "./command.js";

/** The commands of LTTng analyses: each as `lttng-NAME` and `lttng-NAME-mi`. */
export const LAUNCHERS: readonly string[] = [
  "cputop",
  "memtop",
  "iolatencyfreq",
  "iolatencystats",
  "iolatencytop",
  "iolog",
  "iousagetop",
  "irqfreq",
  "irqlog",
  "irqstats",
  "schedfreq",
  "schedlog",
  "schedstats",
  "schedtop",
  "periodfreq",
  "periodlog",
  "periodstats",
  "periodtop",
  "syscallstats",
];
/** Those without machine output. */
const TEXT_ONLY: readonly string[] = ["track-process"];

const MARK = "# Periscope launcher";

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Programs that start us may have no PATH worth the name: both paths are absolute. */
function launcher(name: string, machine: boolean): string {
  const program = `${shellQuoted(process.execPath)} ${shellQuoted(realpathSync(process.argv[1]!))}`;
  return `#!/bin/sh\n${MARK}\nexec ${program} ${name}${machine ? " --mi" : ""} "$@"\n`;
}

export const command: Command = {
  spec: {
    name: "lami",
    operands: "install DIR",
    summary:
      "Writes lttng-NAME and lttng-NAME-mi for all commands of LTTng analyses into DIR, so that whoever calls these " +
      "names finds Periscope: scripts, and Trace Compass (put DIR first in the PATH that it is started with).",
    options: [{ name: "force", help: "replace files that are not ours" }],
  },
  run(args) {
    const [what, directory, more] = args.operands;
    if (what !== "install" || directory === undefined || more !== undefined) {
      throw new UsageError("lami: expected install DIR; see periscope lami --help");
    }
    mkdirSync(directory, { recursive: true });
    const files: [string, string][] = [];
    for (const name of LAUNCHERS) {
      files.push([`lttng-${name}`, launcher(name, false)], [`lttng-${name}-mi`, launcher(name, true)]);
    }
    for (const name of TEXT_ONLY) files.push([`lttng-${name}`, launcher(name, false)]);
    const foreign = files
      .map(([name]) => join(directory, name))
      .filter((path) => existsSync(path) && !readFileSync(path, "latin1").includes(MARK));
    if (foreign.length > 0 && !args.has("force")) {
      throw new PeriscopeError(
        `${foreign[0]} (and ${foreign.length - 1} more) exists and is not ours; --force replaces`,
      );
    }
    for (const [name, text] of files) writeFileSync(join(directory, name), text, { mode: 0o755 });
    complain(`${files.length} launchers written to ${resolve(directory)}`);
    return 0;
  },
};
