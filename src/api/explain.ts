/** Explanations as functions: paths in, plain data out. */
import { type AlignedTraces, alignedTraces, reuse } from "../explain/aligned.js";
import { explainThread, type ThreadTime, threadByTid } from "../explain/thread-time.js";
import { explainPeriods, type Why } from "../explain/why.js";
import { definePeriods } from "../periods/define.js";
import { type Moment, momentNs } from "./moment.js";

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
  const { thresholdNs, percentile, periods, captures } = query;
  return explainPeriods(reuse(source, open), definePeriods({ periods, captures }), {
    thresholdNs,
    percentile,
    beginNs: momentNs(query.begin, source.info.originNs),
    endNs: momentNs(query.end, source.info.originNs),
  });
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
    beginNs: Math.max(momentNs(begin, source.info.originNs) ?? info.beginNs, info.beginNs),
    endNs: Math.min(momentNs(end, source.info.originNs) ?? info.endNs, info.endNs),
  };
  return explainThread(source, range, threadByTid(tid, host), { follow }).time;
}

function aligned(paths: string | readonly string[]): AlignedTraces {
  return alignedTraces(typeof paths === "string" ? [paths] : paths);
}
