/** How long runnable threads wait for a CPU: from wake-up, or from being preempted, to running. */

import { Histogram } from "../base/histogram.js";
import type { KernelModel } from "../kernel/model.js";
import {
  type Distribution,
  distribution,
  type Range,
  type Ranked,
  ranked,
  type ThreadRef,
  threadRef,
} from "./common.js";

export interface ThreadRunQueueWait extends Distribution {
  readonly thread: ThreadRef;
}

export interface RunQueueSection {
  readonly missing: readonly string[];
  /** The event from which a woken thread counts as runnable. */
  readonly wakeEvent: string;
  readonly all: Distribution;
  readonly threads: Ranked<ThreadRunQueueWait>;
}

export function attachRunQueue(model: KernelModel, range: Range): () => RunQueueSection {
  const all = new Histogram();
  const perThread: (Histogram | undefined)[] = [];
  model.on.runQueueWait.push((thread, _cpu, waitNs, ns) => {
    if (ns < range.beginNs) return;
    all.add(waitNs);
    let h = perThread[thread.id];
    if (h === undefined) perThread[thread.id] = h = new Histogram();
    h.add(waitNs);
  });
  return () => {
    const rows: ThreadRunQueueWait[] = [];
    perThread.forEach((h, id) => {
      if (h !== undefined) rows.push({ thread: threadRef(model.threads[id]!), ...distribution(h) });
    });
    const waking = model.names.has("schedWaking");
    const missing = model.names.missing("schedSwitch");
    if (!waking && !model.names.has("schedWakeup")) missing.push("sched_waking");
    return {
      missing,
      wakeEvent: waking ? "sched_waking" : "sched_wakeup",
      all: distribution(all),
      threads: ranked(rows, (r) => r.totalNs),
    };
  };
}
