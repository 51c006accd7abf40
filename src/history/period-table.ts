/** All instances of periods in columns, with what they captured: periods as rows of a picture. */
import { Columns } from "../base/columns.js";
import { createKernelModel } from "../kernel/model.js";
import type { PeriodSet } from "../periods/define.js";
import { PeriodEngine } from "../periods/engine.js";
import type { PeriodInstance } from "../periods/instance.js";
import { valueText } from "../periods/values.js";
import type { EventSource } from "../sources/source.js";

export interface PeriodDefinitionInfo {
  readonly path: string;
  readonly name: string;
  /** Index of the parent; -1 none. */
  readonly parent: number;
  count: number;
}

type Captures = readonly (readonly [key: string, value: string])[];

/** Captured values are kept of this many instances. */
const MOST_CAPTURES = 200_000;

export class PeriodTable {
  /**
   * In order of begin; `parent` is a line, -1 none; `endCpu` is where its end was recorded (its begin, where no event
   * record ends it); `completed` 0: ended by its parent or by the trace.
   */
  readonly lines = new Columns({
    begin: "f64",
    end: "f64",
    definition: "i32",
    parent: "i32",
    host: "i32",
    tid: "i32",
    endCpu: "i32",
    completed: "u8",
  });
  readonly captures = new Map<number, Captures>();
  readonly definitions: PeriodDefinitionInfo[];

  constructor(
    /** Name of the profile that they are from; "" none. */
    readonly profile: string,
    definitions: readonly PeriodDefinitionInfo[],
  ) {
    this.definitions = definitions.map((one) => ({ ...one }));
  }

  /** Durations of the completed instances of a definition, ascending. */
  durations(definition: number): Float64Array {
    const { of, length } = this.lines;
    const found: number[] = [];
    for (let i = 0; i < length; i++) {
      if (of.definition[i] === definition && of.completed[i] === 1) found.push(of.end[i]! - of.begin[i]!);
    }
    return Float64Array.from(found).sort();
  }
}

/** What can be sent to another thread. */
export interface PeriodTableData {
  readonly profile: string;
  readonly definitions: readonly PeriodDefinitionInfo[];
  readonly length: number;
  readonly columns: Record<string, Float64Array | Int32Array | Uint8Array>;
  readonly captures: ReadonlyMap<number, Captures>;
}

export function dataOf(table: PeriodTable): PeriodTableData {
  const { lines, profile, definitions, captures } = table;
  const columns = Object.fromEntries(lines.names.map((name) => [name, lines.used(name).slice()]));
  return { profile, definitions, length: lines.length, columns, captures };
}

export function tableOf(data: PeriodTableData): PeriodTable {
  const table = new PeriodTable(data.profile, data.definitions);
  table.lines.adopt(data.length, data.columns as never);
  for (const [line, captures] of data.captures) table.captures.set(line, captures);
  return table;
}

/** Reads a source once for all instances of the definitions. */
export function collectPeriods(source: EventSource, set: PeriodSet, profile: string): PeriodTable {
  const all = set.definitions;
  const table = new PeriodTable(
    profile,
    all.map(({ path, name, parent }) => ({
      path,
      name,
      parent: parent === undefined ? -1 : all.indexOf(parent),
      count: 0,
    })),
  );
  const { lines } = table;
  const open = new Map<PeriodInstance, number>();
  let cutOff = false;
  const engine = new PeriodEngine(source, set, {
    onBegin(instance) {
      const i = lines.add();
      const { of } = lines;
      const { definition, parent, beginNs, host, cpu } = instance;
      of.begin[i] = beginNs;
      of.end[i] = Number.NaN;
      of.definition[i] = definition.index;
      of.parent[i] = parent === undefined ? -1 : (open.get(parent) ?? -1);
      of.host[i] = host;
      of.tid[i] = model.hosts[host]?.cpus[cpu]?.current?.tid ?? -1;
      of.endCpu[i] = cpu;
      of.completed[i] = 0;
      table.definitions[definition.index]!.count++;
      open.set(instance, i);
    },
    onEnd(instance) {
      const i = open.get(instance);
      if (i === undefined) return;
      open.delete(instance);
      // What only the trace's end cut off has none.
      lines.of.end[i] = cutOff ? Number.NaN : instance.endNs;
      if (!cutOff && instance.endCpu >= 0) lines.of.endCpu[i] = instance.endCpu;
      lines.of.completed[i] = instance.completed ? 1 : 0;
      const { beginCaptures, endCaptures } = instance;
      if (beginCaptures.length + endCaptures.length === 0 || table.captures.size >= MOST_CAPTURES) return;
      table.captures.set(
        i,
        [...beginCaptures, ...endCaptures].map(({ key, value }) => [key, valueText(value)] as const),
      );
    },
  });
  const model = createKernelModel(source, engine.needs);
  engine.attach(model);
  const run = model.start();
  engine.active = true;
  run.until(Number.POSITIVE_INFINITY);
  const { lastNs } = run.end();
  cutOff = true;
  engine.closeAll(lastNs);
  return table;
}
