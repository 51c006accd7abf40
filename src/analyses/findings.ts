/**
 * What stands out in a report: a few statements that a person on call wants first. Pure function of the
 * sections; thresholds are named here. No statement means that nothing crossed one.
 */

import type { SaturatedSpan } from "./cpu.js";
import type { Report } from "./report.js";
import type { Wait } from "./waits.js";

/** Time spent waiting for a CPU, over all threads, relative to the duration. */
const QUEUED = 0.5;
/** Slowest request of a disk. */
const SLOW_REQUEST_NS = 100e6;
const LONG_WAIT_NS = 500e6;
const WAITS_TOLD = 3;

export type Finding =
  | { readonly kind: "lost"; readonly events: number; readonly packets: number; readonly holes: number }
  | {
      readonly kind: "saturated";
      readonly span: SaturatedSpan;
      readonly spans: number;
      readonly totalNs: number;
    }
  | {
      readonly kind: "queued";
      readonly totalNs: number;
      readonly perSecondNs: number;
      readonly p99Ns: number;
      readonly maxNs: number;
    }
  | {
      readonly kind: "slowDisk";
      readonly disk: string;
      readonly requests: number;
      readonly p99Ns: number;
      readonly maxNs: number;
    }
  | { readonly kind: "longWait"; readonly wait: Wait };

export function findFindings(report: Omit<Report, "findings">): Finding[] {
  const out: Finding[] = [];
  const { lost, durationNs } = report.machine;
  if (lost.events > 0 || lost.packets > 0) {
    out.push({ kind: "lost", events: lost.events, packets: lost.packets, holes: lost.holes });
  }
  // Waits in system calls say more than those of kernel threads.
  const long = report.waits.longest.filter((w) => w.blockedNs >= LONG_WAIT_NS);
  const inCalls = long.filter((w) => w.syscall !== null);
  for (const wait of (inCalls.length > 0 ? inCalls : long).slice(0, WAITS_TOLD)) {
    out.push({ kind: "longWait", wait });
  }
  const spans = [...report.cpu.saturated].sort((a, b) => b.endNs - b.beginNs - a.endNs + a.beginNs);
  if (spans[0] !== undefined) {
    const totalNs = spans.reduce((sum, s) => sum + s.endNs - s.beginNs, 0);
    out.push({ kind: "saturated", span: spans[0], spans: spans.length, totalNs });
  }
  const queue = report.runQueue.all;
  if (durationNs > 0 && queue.totalNs / durationNs >= QUEUED) {
    out.push({
      kind: "queued",
      totalNs: queue.totalNs,
      perSecondNs: queue.totalNs / (durationNs / 1e9),
      p99Ns: queue.p99Ns,
      maxNs: queue.maxNs,
    });
  }
  for (const disk of report.disks.disks) {
    if (disk.all.maxNs < SLOW_REQUEST_NS) continue;
    out.push({
      kind: "slowDisk",
      disk: disk.name,
      requests: disk.all.count,
      p99Ns: disk.all.p99Ns,
      maxNs: disk.all.maxNs,
    });
  }
  return out;
}
