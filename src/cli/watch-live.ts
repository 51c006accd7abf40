/** Triggers from periods of a live session: an instance that took too long is told as soon as it has ended. */
import { MessageChannel, Worker } from "node:worker_threads";
import { LiveFeed } from "../live/feed.js";
import { LiveSession, parseLiveUrl } from "../live/live-session.js";
import type { PeriodArguments } from "../periods/define.js";
import { SEEK } from "../relay/viewer.js";
import type { LateInstance } from "./watch-live-worker.js";

/**
 * From now on: the buffers have forgotten what was late before. `begun`: the session is being read. Resolves when it
 * ends, with what went wrong ("" nothing). Throws `PeriscopeError` when it cannot be had.
 */
export async function watchLive(
  url: string,
  definitions: PeriodArguments,
  thresholdNs: number,
  begun: () => void,
  report: (late: LateInstance) => void,
): Promise<string> {
  const session = await LiveSession.open(parseLiveUrl(url), SEEK.last);
  begun();
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const feed = new LiveFeed(session, port1, signal);
  const stop = () => feed.stop();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const worker = new Worker(new URL("./watch-live-worker.js", import.meta.url), {
    workerData: { port: port2, signal, definitions, thresholdNs },
    transferList: [port2],
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.on("message", ({ late, ended }: { late?: LateInstance; ended?: string }) => {
        if (late !== undefined) report(late);
        if (ended !== undefined) resolve(ended);
      });
      worker.on("error", reject);
      worker.on("exit", () => resolve(""));
    });
  } finally {
    session.close();
    port1.close();
    await worker.terminate();
  }
}
