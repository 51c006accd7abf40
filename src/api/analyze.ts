/** Analyses as functions: paths in, plain data out. */

import type { AnyAnalysis } from "../analyses/analysis.js";
import type { FilterOptions } from "../analyses/filter.js";
import { ANALYSES } from "../analyses/registry.js";
import { type RunAnalysesResult, runAnalyses, type Slice } from "../analyses/run.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { definePeriods } from "../periods/define.js";
import { openSource } from "../sources/ctf.js";
import { type Moment, momentNs } from "./moment.js";

/** An analysis, by name (`cputop`, `memtop`, `io`, `irq`, `sched`, `syscallstats`, `futex`, `period`) or one of your own. */
export interface AnalyzeRequest {
  readonly analysis: string | AnyAnalysis;
  /** Sections and bounds, as in the analysis's `defaults`. */
  readonly options?: object;
}

export interface AnalyzeOptions extends FilterOptions {
  readonly begin?: Moment;
  readonly end?: Moment;
  /** Cut into slices of at least this length, ns. */
  readonly refreshNs?: number;
  /** Definitions of periods, as `--period` takes them, and their captures. */
  readonly periods?: readonly string[];
  readonly captures?: readonly string[];
  /** A slice for each instance of the periods (`slice.period`), instead of one for all. */
  readonly perPeriod?: boolean;
  /** Takes slices as they end, instead of the result. */
  readonly onSlice?: (slice: Slice) => void;
}

export interface AnalyzeResult extends RunAnalysesResult {
  /** One without `refreshNs`; none when no event record is in the range, or with `onSlice`. */
  readonly list: readonly Slice[];
}

/**
 * Runs any number of analyses in one pass over all traces at or below `paths`. Durations in results are ns,
 * sizes bytes; `ns` moments count from the source's origin, `…EpochNs` from the Unix epoch. Throws
 * `PeriscopeError` when there is no kernel trace.
 */
export function analyze(
  paths: string | readonly string[],
  requests: readonly (string | AnyAnalysis | AnalyzeRequest)[],
  options: AnalyzeOptions = {},
): AnalyzeResult {
  const source = openSource(typeof paths === "string" ? [paths] : paths);
  if (!source.info.traces.some((trace) => trace.domain !== "ust")) {
    throw new PeriscopeError(
      `${String(paths)}: expected a kernel trace${source.failures.map((f) => `; ${f}`).join("")}`,
    );
  }
  const { originNs } = source.info;
  const list: Slice[] = [];
  const { cpus, tids, procnames, cgroups, containers } = options;
  const result = runAnalyses(source, requests.map(resolve), {
    filter: { cpus, tids, procnames, cgroups, containers },
    beginNs: momentNs(options.begin, originNs),
    endNs: momentNs(options.end, originNs),
    refreshNs: options.refreshNs,
    periods: definePeriods({ periods: options.periods, captures: options.captures }),
    perPeriod: options.perPeriod === true && (options.periods ?? []).length > 0,
    onSlice: options.onSlice ?? ((slice) => list.push(slice)),
  });
  return { ...result, list };
}

function resolve(request: string | AnyAnalysis | AnalyzeRequest): {
  analysis: AnyAnalysis;
  options?: object;
} {
  if (typeof request !== "string" && "open" in request) return { analysis: request };
  const { analysis, options } = typeof request === "string" ? { analysis: request, options: {} } : request;
  if (typeof analysis !== "string") return { analysis, options };
  const found = ANALYSES.find(({ name }) => name === analysis);
  if (found === undefined) {
    throw new UsageError(
      `no analysis "${analysis}", expected one of ${ANALYSES.map(({ name }) => name).join(", ")}`,
    );
  }
  return { analysis: found, options };
}
