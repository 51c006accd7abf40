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

/** All instances of a period in columns: there may be millions. In order of number once `seal` has run. */
export class Occurrences {
  length = 0;
  #number = new Int32Array(64);
  #begin = new Float64Array(64);
  #end = new Float64Array(64);
  /** Host, CPU, CPU at the end; then 1 completed, 2 uncertain. */
  #places = new Int16Array(64 * 4);
  #order: Int32Array | undefined;
  /** Instances with their trees, of the longest. */
  readonly #trees = new Map<number, PeriodInstance>();

  constructor(readonly path: string) {}

  add(number: number, instance: PeriodInstance): void {
    if (this.length === this.#number.length) this.#grow();
    const i = this.length++;
    const { beginNs, endNs, host, cpu, endCpu, completed, uncertain } = instance;
    this.#number[i] = number;
    this.#begin[i] = beginNs;
    this.#end[i] = endNs;
    this.#places.set([host, cpu, endCpu, (completed ? 1 : 0) + (uncertain ? 2 : 0)], 4 * i);
    this.#trees.set(number, instance);
    if (this.#trees.size > 2 * MOST_TREES) this.#fell();
  }

  #grow(): void {
    const size = 2 * this.#number.length;
    const grown = <A extends Int32Array | Float64Array | Int16Array>(to: A, from: A): A => {
      to.set(from);
      return to;
    };
    this.#number = grown(new Int32Array(size), this.#number);
    this.#begin = grown(new Float64Array(size), this.#begin);
    this.#end = grown(new Float64Array(size), this.#end);
    this.#places = grown(new Int16Array(4 * size), this.#places);
  }

  /** Keeps the trees of the longest only. */
  #fell(): void {
    const longest = [...this.#trees].sort(([, a], [, b]) => lengthOf(b) - lengthOf(a));
    for (const [number] of longest.slice(MOST_TREES)) this.#trees.delete(number);
  }

  seal(): void {
    this.#order = Int32Array.from({ length: this.length }, (_, i) => i).sort(
      (a, b) => this.#number[a]! - this.#number[b]!,
    );
  }

  /** By order of begin, from 0. */
  at(index: number): Occurrence {
    const i = this.#order![index]!;
    const number = this.#number[i]!;
    const [host, cpu, endCpu, flags] = this.#places.subarray(4 * i, 4 * i + 4);
    return {
      number,
      path: this.path,
      beginNs: this.#begin[i]!,
      endNs: this.#end[i]!,
      host: host!,
      cpu: cpu!,
      endCpu: endCpu!,
      completed: (flags! & 1) !== 0,
      uncertain: (flags! & 2) !== 0,
      instance: this.#trees.get(number),
    };
  }

  /** Indices of the completed ones, in order of begin. */
  completed(): Int32Array {
    return this.#order!.map((_, index) => index).filter(
      (index) => (this.#places[4 * this.#order![index]! + 3]! & 1) !== 0,
    );
  }

  durationAt(index: number): number {
    const i = this.#order![index]!;
    return this.#end[i]! - this.#begin[i]!;
  }

  /** Index of the one with this number; -1 none. */
  find(number: number): number {
    return this.#order!.findIndex((i) => this.#number[i] === number);
  }

  longest(): Occurrence {
    let most = 0;
    for (let i = 1; i < this.length; i++) if (this.durationAt(i) > this.durationAt(most)) most = i;
    return this.at(most);
  }
}

export interface Instances {
  /** Completed and not, by period (path), in order of begin. */
  readonly byPath: ReadonlyMap<string, Occurrences>;
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
  const byPath = new Map<string, Occurrences>();
  const numbers = new Map<string, number>();
  const open = new Map<PeriodInstance, number>();
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
      const { path: one } = instance.definition;
      let list = byPath.get(one);
      if (list === undefined) byPath.set(one, (list = new Occurrences(one)));
      list.add(number, instance);
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
  for (const list of byPath.values()) list.seal();
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
