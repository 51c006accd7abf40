/** Reads a source once and records histories in the ranges asked for, which may overlap. */
import { createKernelModel, type KernelModel } from "../kernel/model.js";
import type { EventSource } from "../sources/source.js";
import { RECORDER_NEEDS, Recorder } from "./recorder.js";

export interface Range {
  /** `ns` since the source's origin. */
  readonly beginNs: number;
  readonly endNs: number;
}

export interface ExplainCalls<R extends Range> {
  /** Before the first event record at the range's begin is handled. */
  readonly begin?: (range: R, recorder: Recorder) => void;
  /** When all before its end are handled: histories reach back to its begin. */
  readonly end: (range: R, recorder: Recorder) => void;
  /** Asked at a range's end whether something later must be read first; true: on to `ns`. */
  readonly waitsOn?: (range: R, recorder: Recorder) => boolean;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

export interface ExplainResult {
  readonly eventRecords: number;
  readonly problems: readonly string[];
  readonly model: KernelModel;
  readonly recorder: Recorder;
}

const STEP_NS = 50e6;
/** Waits that outlast a range are read on for, at most this long. */
const LONGEST_NS = 60e9;

export function explainRanges<R extends Range>(
  source: EventSource,
  ranges: readonly R[],
  calls: ExplainCalls<R>,
): ExplainResult {
  const model = createKernelModel(source, RECORDER_NEEDS);
  const recorder = new Recorder(source, model);
  const run = model.start({ onProgress: calls.onProgress });
  const begins = [...ranges].sort((a, b) => a.beginNs - b.beginNs);
  const open = new Set<R>();
  let next = 0;
  while (next < begins.length || open.size > 0) {
    let first: R | undefined;
    for (const range of open) if (first === undefined || range.endNs < first.endNs) first = range;
    const begin = begins[next];
    if (begin !== undefined && (first === undefined || begin.beginNs <= first.endNs)) {
      run.until(begin.beginNs);
      recorder.open(begin.beginNs);
      calls.begin?.(begin, recorder);
      open.add(begin);
      next++;
      continue;
    }
    const range = first!;
    run.until(range.endNs);
    if (calls.waitsOn !== undefined && open.size === 1 && next === begins.length) {
      for (
        let at = range.endNs;
        at < range.endNs + LONGEST_NS && calls.waitsOn(range, recorder);
        at += STEP_NS
      ) {
        if (Number.isNaN(run.nextNs)) break;
        run.until(Math.max(at + STEP_NS, run.nextNs + 1));
      }
    }
    calls.end(range, recorder);
    open.delete(range);
    if (open.size === 0) recorder.close();
    else {
      let keepNs = Number.POSITIVE_INFINITY;
      for (const { beginNs } of open) keepNs = Math.min(keepNs, beginNs);
      recorder.trim(keepNs);
    }
  }
  const { eventRecords, problems } = run.end();
  return { eventRecords, problems, model, recorder };
}
