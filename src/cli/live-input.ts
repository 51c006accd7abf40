/** Where a command reads from: paths, or the live session that this thread was made for (see `live.ts`). */
import { isMainThread, workerData } from "node:worker_threads";
import { blockingFeed, type FeedPort } from "../live/feed.js";
import { isLiveUrl } from "../live/live-session.js";
import { LiveBatches, LiveSource } from "../live/live-source.js";
import { LiveSpool } from "../live/live-spool.js";
import { openSource } from "../sources/ctf.js";
import type { InputSource } from "./analysis-job.js";

export function isLive(operands: readonly string[]): boolean {
  return operands.some(isLiveUrl);
}

/** Throws `PeriscopeError` as `openSource`. */
export function openInput(operands: readonly string[]): InputSource {
  return isLive(operands) ? new LiveSource(liveBatches()) : openSource(operands);
}

/** What comes, in stretches that are complete. Only in the thread that `live.ts` makes. */
export function liveBatches(): LiveBatches {
  if (isMainThread) throw new Error("a live session is read by a thread of its own");
  const spool = new LiveSpool();
  process.on("exit", () => spool.close());
  return new LiveBatches(spool, blockingFeed(workerData as FeedPort));
}
