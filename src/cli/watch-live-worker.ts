/** Entry of the thread that looks for late instances of periods in a live session. */
import { parentPort, workerData } from "node:worker_threads";
import { runAnalyses } from "../analyses/run.js";
import { PeriscopeError } from "../base/errors.js";
import { blockingFeed, type FeedPort } from "../live/feed.js";
import { LiveBatches, LiveSource } from "../live/live-source.js";
import { LiveSpool } from "../live/live-spool.js";
import { definePeriods, type PeriodArguments } from "../periods/define.js";

export interface WatchTask extends FeedPort {
  readonly definitions: PeriodArguments;
  readonly thresholdNs: number;
}

/** What the thread tells: a late instance, or why it ended. */
export interface LateInstance {
  readonly period: string;
  readonly host: string;
  readonly endNs: bigint;
  readonly durationNs: number;
  readonly captures: Readonly<Record<string, string>>;
}

const { definitions, thresholdNs, ...feed } = workerData as WatchTask;
const spool = new LiveSpool();
try {
  const batches = new LiveBatches(spool, blockingFeed(feed));
  const source = new LiveSource(batches);
  const result = runAnalyses(source, [], {
    periods: definePeriods(definitions),
    perPeriod: true,
    onSlice: ({ period, endEpochNs }) => {
      if (period === undefined || !period.completed || period.endNs - period.beginNs < thresholdNs) return;
      const captures = [...period.beginCaptures, ...period.endCaptures];
      const late: LateInstance = {
        period: period.definition.name,
        host: source.info.hosts[period.host]?.name ?? "",
        endNs: endEpochNs,
        durationNs: period.endNs - period.beginNs,
        captures: Object.fromEntries(captures.map(({ key, value }) => [key, String(value)])),
      };
      parentPort?.postMessage({ late });
    },
  });
  parentPort?.postMessage({ ended: result.problems.join("; ") });
} catch (error) {
  if (!(error instanceof PeriscopeError)) throw error;
  parentPort?.postMessage({ ended: error.message });
} finally {
  spool.close();
}
