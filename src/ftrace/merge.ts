/** Raw records of all CPUs in the order of time, and who their threads are. */
import type { CpuReader } from "./cpu-reader.js";
import type { CompiledMapping } from "./mapping.js";
import type { ThreadState, Threads } from "./threads.js";

/** Called for every record of an event that is known; `thread` is the current one. */
export type EachRecord = (
  mapping: CompiledMapping,
  reader: CpuReader,
  thread: ThreadState,
  index: number,
) => void;

/**
 * Reads to the end. A reader goes on as long as it is the earliest. `each` is called after `threads` have learnt
 * from the record, except that a switch's own context is still the thread that leaves.
 */
export function mergeRecords(
  readers: readonly CpuReader[],
  mappings: readonly (CompiledMapping | undefined)[],
  threads: Threads,
  each: EachRecord,
): void {
  const current: (ThreadState | undefined)[] = readers.map(() => undefined);
  const alive = readers.map((reader) => reader.advance());
  for (;;) {
    let first = -1;
    let second = -1;
    for (let i = 0; i < readers.length; i++) {
      if (!alive[i]) continue;
      if (first < 0 || readers[i]!.ns < readers[first]!.ns) {
        second = first;
        first = i;
      } else if (second < 0 || readers[i]!.ns < readers[second]!.ns) second = i;
    }
    if (first < 0) return;
    const reader = readers[first]!;
    const limit = second < 0 ? Number.POSITIVE_INFINITY : readers[second]!.ns;
    do {
      const { view, at } = reader;
      let mapping = mappings[view.getUint16(at, true)];
      if (mapping?.calls !== undefined) mapping = mapping.calls(reader) ?? mapping;
      if (mapping === undefined) continue;
      if (reader.length < mapping.leastBytes) {
        reader.tooShort();
        continue;
      }
      const tid = view.getInt32(at + 4, true);
      let thread = current[first];
      if (thread === undefined || thread.tid !== tid) thread = current[first] = threads.get(tid, reader.cpu);
      if (mapping.learn !== undefined) {
        mapping.learn(reader, thread, threads);
        // A new life may have begun under the same tid.
        if (mapping.role !== "wake") current[first] = undefined;
      }
      each(mapping, reader, thread, first);
    } while ((alive[first] = reader.advance()) && reader.ns <= limit);
  }
}
