/** Pages taken from and given back to the kernel's page allocator, by process. */

import type { KernelModel } from "../kernel/model.js";
import { byProcess, type ProcessRef, type Range, type Ranked, ranked } from "./common.js";

export interface PageSums {
  allocatedPages: number;
  freedPages: number;
}

export interface MemorySection extends Readonly<PageSums> {
  readonly missing: readonly string[];
  /** Without those in idle context or by an unknown thread, which only the totals have. */
  readonly processes: Ranked<ProcessRef & PageSums>;
}

export function attachMemoryStats(model: KernelModel, range: Range): () => MemorySection {
  const total: PageSums = { allocatedPages: 0, freedPages: 0 };
  const perThread: (PageSums | undefined)[] = [];
  const sumsOf = (id: number): PageSums => {
    let s = perThread[id];
    if (s === undefined) perThread[id] = s = { allocatedPages: 0, freedPages: 0 };
    return s;
  };
  model.on.pageAlloc.push((_cpu, thread, pages, ns) => {
    if (ns < range.beginNs) return;
    total.allocatedPages += pages;
    if (thread !== undefined && thread.tid !== 0) sumsOf(thread.id).allocatedPages += pages;
  });
  model.on.pageFree.push((_cpu, thread, pages, ns) => {
    if (ns < range.beginNs) return;
    total.freedPages += pages;
    if (thread !== undefined && thread.tid !== 0) sumsOf(thread.id).freedPages += pages;
  });
  return () => ({
    missing: model.names.missing("pageAlloc", "pageFree"),
    ...total,
    processes: ranked(
      byProcess(
        perThread,
        model.threads,
        () => ({ allocatedPages: 0, freedPages: 0 }),
        (sum, part) => {
          sum.allocatedPages += part.allocatedPages;
          sum.freedPages += part.freedPages;
        },
      ),
      (p) => p.allocatedPages + p.freedPages,
    ),
  });
}
