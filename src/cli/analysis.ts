/** The commands of the analyses: one machinery for all of them. */

import type { AnyAnalysis, Missing } from "../analyses/analysis.js";
import { ALL_PRESETS, ANALYSIS_COMMANDS } from "../analyses/registry.js";
import type { AnalysisRequest } from "../analyses/run.js";
import { ByteWriter } from "../base/byte-writer.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { createKernelModel } from "../kernel/model.js";
import type { PeriodArguments } from "../periods/define.js";
import { lamiError, lamiMetadata, MI_VERSION } from "../present/lami.js";
import { version } from "../version.js";
import { adviceOn, type Job, prepare } from "./analysis-job.js";
import { printJson } from "./analysis-json.js";
import { printLami } from "./analysis-lami.js";
import { analysisSpec, isMachine } from "./analysis-options.js";
import { printText } from "./analysis-text.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { profileArgumentsOf } from "./period-options.js";

/** Makes the command of that name. */
export function analysisCommand(name: string): Command {
  const found = ANALYSIS_COMMANDS.find((command) => command.name === name);
  if (found === undefined) throw new Error(`no analysis command ${name}`);
  const { analysis, preset, summary } = found;
  return commandOf(name, analysis.name, sentence(summary, analysis), [{ analysis, options: preset }]);
}

export const allCommand: Command = commandOf(
  "all",
  "all",
  "Every analysis in one pass over the trace.",
  ALL_PRESETS.map(({ analysis, preset }) => ({ analysis, options: preset })),
);

/** A command for analyses that are not ours; see `run-file.ts`. */
export function commandOf(
  name: string,
  family: string,
  summary: string,
  requests: readonly AnalysisRequest[],
): Command {
  return {
    spec: analysisSpec(name, family, summary),
    async run(args) {
      const profiles = await profileArgumentsOf(args);
      return isMachine(args)
        ? runForMachine(args, requests, profiles)
        : runForPeople(name, args, requests, profiles);
    },
  };
}

function sentence(summary: string, analysis: AnyAnalysis): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}. (${analysis.description}.)`;
}

function runForPeople(
  name: string,
  args: ParsedArguments,
  requests: readonly AnalysisRequest[],
  profiles: PeriodArguments,
): number {
  if (args.has("version")) {
    writeOutput(`periscope ${version}\n`);
    return 0;
  }
  const job = prepare(args, requests, name, profiles);
  for (const note of job.source.notes()) complain(`note: ${note}`);
  if (job.source.info.traces.length === 0) return reportProblems(job.source.failures, 0);
  const out = new ByteWriter(1);
  job.source.whileWaiting?.(() => out.flush());
  try {
    const result = args.has("json") ? printJson(name, job, out) : printText(job, out);
    return reportProblems(result.problems, 0);
  } finally {
    out.flush();
  }
}

function runForMachine(
  args: ParsedArguments,
  requests: readonly AnalysisRequest[],
  profiles: PeriodArguments,
): number {
  const { analysis } = requests[0]!;
  if (args.has("mi-version")) {
    writeOutput(`${MI_VERSION}\n`);
    return 0;
  }
  if (args.has("metadata")) {
    writeOutput(`${lamiMetadata(analysis, version)}\n`);
    return 0;
  }
  try {
    const job = prepare(args, requests, "LAMI", profiles);
    if (job.source.info.traces.length === 0) throw new PeriscopeError(job.source.failures.join("; "));
    return args.has("test-compatibility") ? testCompatibility(job) : printLami(job);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const usage = error instanceof UsageError;
    if (!usage && !(error instanceof PeriscopeError) && !("code" in error)) throw error;
    writeOutput(`${lamiError(error.message, usage ? "wrong-usage" : "failed")}\n`);
    complain(error.message);
    return usage ? 2 : 1;
  }
}

function testCompatibility({ source, requests }: Job): number {
  const { names } = createKernelModel(source);
  for (const { analysis, options } of requests) {
    const missing: Missing[] = analysis.missing(names, { ...analysis.defaults, ...options });
    const vital = missing.filter((m) => m.vital);
    if (vital.length > 0) throw new PeriscopeError(vital.map(adviceOn).join("; "));
  }
  return 0;
}
