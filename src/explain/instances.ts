/** Instances of periods, collected in a first reading: where to look in the second one. */
import { type WaterfallLine, waterfallOf } from "../analyses/waterfall.js";
import { createKernelModel } from "../kernel/model.js";
import type { PeriodSet } from "../periods/define.js";
import { PeriodEngine } from "../periods/engine.js";
import type { PeriodInstance } from "../periods/instance.js";
import { valueText } from "../periods/values.js";
import type { EventSource } from "../sources/source.js";

export interface Occurrence {
  /** From 1, in order of begin, of its period. */
  readonly number: number;
  readonly path: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly host: number;
  readonly cpu: number;
  readonly endCpu: number;
  /** Event records were lost while it was open. */
  readonly uncertain: boolean;
  readonly completed: boolean;
  readonly instance: PeriodInstance | undefined;
}

export interface Instances {
  /** Completed and not, by period (path), in order of begin. */
  readonly byPath: ReadonlyMap<string, readonly Occurrence[]>;
  readonly eventRecords: number;
  readonly problems: readonly string[];
}

export interface CollectOptions {
  /** Only instances of this period; else of all roots. */
  readonly path?: string | undefined;
  readonly beginNs?: number | undefined;
  readonly endNs?: number | undefined;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

/** Trees are kept of this many, the longest. */
const MOST_TREES = 256;

export function collectInstances(
  source: EventSource,
  periods: PeriodSet,
  { path, beginNs, endNs, onProgress }: CollectOptions = {},
): Instances {
  const byPath = new Map<string, Occurrence[]>();
  const numbers = new Map<string, number>();
  const open = new Map<PeriodInstance, number>();
  let trees: Occurrence[] = [];
  const wanted = ({ definition, parent }: PeriodInstance) =>
    path === undefined ? parent === undefined : definition.path === path;
  const engine = new PeriodEngine(source, periods, {
    keepTrees: true,
    onBegin(instance) {
      if (!wanted(instance)) return;
      const number = (numbers.get(instance.definition.path) ?? 0) + 1;
      numbers.set(instance.definition.path, number);
      open.set(instance, number);
    },
    onEnd(instance) {
      const number = open.get(instance);
      if (number === undefined) return;
      open.delete(instance);
      const { host, cpu, endCpu, uncertain, completed } = instance;
      const one = {
        number,
        path: instance.definition.path,
        beginNs: instance.beginNs,
        endNs: instance.endNs,
        host,
        cpu,
        endCpu,
        uncertain,
        completed,
        instance: instance as PeriodInstance | undefined,
      };
      let list = byPath.get(one.path);
      if (list === undefined) byPath.set(one.path, (list = []));
      list.push(one);
      trees.push(one);
      if (trees.length < 2 * MOST_TREES) return;
      trees.sort((a, b) => lengthOf(b) - lengthOf(a));
      for (const short of trees.slice(MOST_TREES)) (short as { instance: undefined }).instance = undefined;
      trees = trees.slice(0, MOST_TREES);
    },
  });
  const model = createKernelModel(source, engine.needs);
  engine.attach(model);
  const run = model.start({ endNs, onProgress });
  if (beginNs !== undefined) run.until(beginNs);
  engine.active = true;
  run.until(Number.POSITIVE_INFINITY);
  const { eventRecords, problems, lastNs } = run.end();
  engine.closeAll(lastNs);
  for (const list of byPath.values()) list.sort((a, b) => a.number - b.number);
  return { byPath, eventRecords, problems };
}

export function lengthOf(one: { readonly beginNs: number; readonly endNs: number }): number {
  return one.endNs - one.beginNs;
}

/** `key = value` of everything that was captured. */
export function capturesOf({ instance }: Occurrence): { key: string; value: string }[] {
  if (instance === undefined) return [];
  return [...instance.beginCaptures, ...instance.endCaptures].map(({ key, value }) => ({
    key,
    value: valueText(value),
  }));
}

export function waterfallLinesOf({ instance }: Occurrence): readonly WaterfallLine[] {
  return instance === undefined ? [] : waterfallOf(instance);
}
