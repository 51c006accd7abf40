/** Requests to block devices: from the moment the device gets them to their completion. */

import { Histogram } from "../base/histogram.js";
import { deviceNumbers, type RequestKind } from "../kernel/block.js";
import type { KernelModel } from "../kernel/model.js";
import { type Distribution, distribution, type HistogramStep, type Range } from "./common.js";

export interface DiskRow {
  readonly host: number;
  /** From the state dump, else `major:minor`. */
  readonly name: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly discardBytes: number;
  readonly reads: Distribution;
  readonly writes: Distribution;
  readonly flushes: Distribution;
  readonly discards: Distribution;
  readonly all: Distribution;
  /** All requests by latency, in doublings. */
  readonly histogram: readonly HistogramStep[];
}

export interface DiskSection {
  readonly missing: readonly string[];
  readonly disks: readonly DiskRow[];
}

class Sums {
  readonly all = new Histogram();
  readonly latency: Record<RequestKind, Histogram> = {
    read: new Histogram(),
    write: new Histogram(),
    flush: new Histogram(),
    discard: new Histogram(),
  };
  readonly bytes: Record<RequestKind, number> = { read: 0, write: 0, flush: 0, discard: 0 };
}

export function attachDisks(model: KernelModel, range: Range): () => DiskSection {
  const perDisk: (Sums | undefined)[] = [];
  model.on.blockComplete.push((request, ns) => {
    if (ns < range.beginNs) return;
    const { id } = request.disk;
    let sums = perDisk[id];
    if (sums === undefined) perDisk[id] = sums = new Sums();
    const spent = ns - request.issueNs;
    sums.all.add(spent);
    sums.latency[request.kind].add(spent);
    sums.bytes[request.kind] += request.bytes;
  });
  return () => {
    const disks: DiskRow[] = [];
    perDisk.forEach((s, id) => {
      if (s === undefined) return;
      const disk = model.disks[id]!;
      disks.push({
        host: disk.host.index,
        name: disk.host.diskNames.get(disk.dev) ?? deviceNumbers(disk.dev),
        readBytes: s.bytes.read,
        writeBytes: s.bytes.write,
        discardBytes: s.bytes.discard,
        reads: distribution(s.latency.read),
        writes: distribution(s.latency.write),
        flushes: distribution(s.latency.flush),
        discards: distribution(s.latency.discard),
        all: distribution(s.all),
        histogram: s.all.steps(1).map((h) => ({ fromNs: h.fromValue, toNs: h.toValue, count: h.count })),
      });
    });
    disks.sort((a, b) => b.all.totalNs - a.all.totalNs);
    return { missing: model.names.missing("blockIssue", "blockComplete"), disks };
  };
}
