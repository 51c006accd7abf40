/** `periscope run FILE`: an analysis that somebody else wrote. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyAnalysis } from "../analyses/analysis.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { commandOf } from "./analysis.js";
import type { Command } from "./command.js";

/** What `run` is, before it knows the module. */
export const command: Command = {
  ...commandOf(
    "run",
    "",
    "Runs an analysis of your own: a module whose default export was made by defineAnalysis.",
    [],
  ),
  run: () => {
    throw new UsageError(
      "run: expected a module with an analysis, then options and paths: periscope run FILE.mjs PATH",
    );
  },
};

/** The command for the analyses that the module at `path` has as its default export: one, or a list. */
export async function loadCommand(path: string | undefined): Promise<Command> {
  if (path === undefined || path.startsWith("-")) {
    throw new UsageError(
      "run: expected a module with an analysis, then options and paths: periscope run FILE.mjs PATH",
    );
  }
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (error) {
    throw new PeriscopeError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const list = Array.isArray(module.default) ? module.default : [module.default];
  for (const one of list as (Partial<AnyAnalysis> | undefined)[]) {
    for (const part of [
      "name",
      "needs",
      "missing",
      "open",
      "close",
      "tables",
      "tableClasses",
      "defaults",
    ] as const) {
      if (one?.[part] === undefined) {
        throw new PeriscopeError(
          `${path}: expected an analysis as the default export, with ${part} (see defineAnalysis)`,
        );
      }
    }
  }
  const analyses = list as AnyAnalysis[];
  return commandOf("run", analyses[0]!.name, analyses.map(({ description }) => description).join("; "), [
    ...analyses.map((analysis) => ({ analysis })),
  ]);
}
