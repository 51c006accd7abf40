/** Explanations as functions: paths in, plain data out. */
import { parseMoment } from "../base/moment.js";
import { type AlignedTraces, alignedTraces } from "../explain/aligned.js";
import { explainThread, type ThreadTime, threadByTid } from "../explain/thread-time.js";
import { explainPeriods, type Why } from "../explain/why.js";
import { definePeriods } from "../periods/define.js";
import type { CtfSource } from "../sources/ctf.js";
import type { Moment } from "./trace.js";

export interface ExplainOptions {
  readonly begin?: Moment;
  readonly end?: Moment;
}

export interface WhyQuery extends ExplainOptions {
  /** Definitions of periods, as `--period` takes them, and their captures. */
  readonly periods: readonly string[];
  readonly captures?: readonly string[];
  /** Longer is slow, ns; or the slowest from this percentile on, 0 … 100. Default: far above the others. */
  readonly thresholdNs?: number;
  readonly percentile?: number;
}

export interface ThreadQuery extends ExplainOptions {
  readonly tid: number;
  /** Name of its host, where several are traced. */
  readonly host?: string;
}

/**
 * Why the slow instances of periods were slow: groups of them by cause, with culprits, shares and certainty.
 * Durations are ns, sizes bytes. Throws `PeriscopeError` when a path has no traces, `UsageError` for wrong periods.
 */
export function why(paths: string | readonly string[], query: WhyQuery): Why {
  const { open } = aligned(paths);
  const source = open();
  let first: CtfSource | undefined = source;
  const { thresholdNs, percentile, periods, captures } = query;
  return explainPeriods(
    () => {
      const one = first ?? open();
      first = undefined;
      return one;
    },
    definePeriods({ periods, captures }),
    { thresholdNs, percentile, beginNs: nsOf(source, query.begin), endNs: nsOf(source, query.end) },
  );
}

/**
 * Every nanosecond of a thread in a range (default: the whole trace), each exactly once: on a CPU, waiting for one, or
 * what it waited for. Undefined: there is no such thread.
 */
export function waits(paths: string | readonly string[], query: ThreadQuery): ThreadTime | undefined {
  return timeOfThread(paths, query, false);
}

/** The same time with every wait followed to whoever ended it, as far as that goes. */
export function criticalPath(paths: string | readonly string[], query: ThreadQuery): ThreadTime | undefined {
  return timeOfThread(paths, query, true);
}

function timeOfThread(
  paths: string | readonly string[],
  { tid, host, begin, end }: ThreadQuery,
  follow: boolean,
): ThreadTime | undefined {
  const source = aligned(paths).open();
  const { info } = source;
  const range = {
    beginNs: Math.max(nsOf(source, begin) ?? info.beginNs, info.beginNs),
    endNs: Math.min(nsOf(source, end) ?? info.endNs, info.endNs),
  };
  return explainThread(source, range, threadByTid(tid, host), { follow }).time;
}

function aligned(paths: string | readonly string[]): AlignedTraces {
  return alignedTraces(typeof paths === "string" ? [paths] : paths);
}

function nsOf({ info }: CtfSource, moment: Moment | undefined): number | undefined {
  if (moment === undefined) return undefined;
  const { originNs } = info;
  if (moment instanceof Date) return Number(BigInt(moment.getTime()) * 1_000_000n - originNs);
  const epochNs =
    typeof moment === "bigint" ? moment : parseMoment(moment, { gmt: false, dayOfNs: originNs });
  return Number(epochNs - originNs);
}
