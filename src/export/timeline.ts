/** What is exported: the state history of traces, and the instances of periods, in one range. */
import { PeriscopeError } from "../base/errors.js";
import { HistoryBuilder } from "../history/builder.js";
import type { History } from "../history/history.js";
import { collectPeriods, PeriodTable } from "../history/period-table.js";
import type { Stretch } from "../history/pixels.js";
import type { PeriodSet } from "../periods/define.js";
import type { CtfSource } from "../sources/ctf.js";

export interface Timeline {
  readonly history: History;
  readonly periods: PeriodTable;
  /** `ns` since the origin, both inclusive. */
  readonly range: Stretch;
  /** What could not be read. */
  readonly failures: readonly string[];
}

export interface TimelineOptions {
  readonly periods: PeriodSet | undefined;
  /** `ns` since the origin; without it, everything. */
  readonly range: Stretch | undefined;
  /** Given the source before it is read, to subscribe to what the history does not keep. */
  readonly listen?: ((source: CtfSource) => void) | undefined;
}

/** Reads the traces once, twice with periods. `open` opens them anew. Throws `PeriscopeError`. */
export function readTimeline(open: () => CtfSource, { periods, range, listen }: TimelineOptions): Timeline {
  const source = open();
  if (source.info.traces.length === 0) throw new PeriscopeError(source.failures.join("; "));
  listen?.(source);
  const builder = new HistoryBuilder(source);
  while (!builder.step(Number.POSITIVE_INFINITY));
  const { history } = builder;
  const table = periods === undefined ? new PeriodTable("", []) : collectPeriods(open(), periods, "");
  const whole = { beginNs: history.beginNs, endNs: history.endNs };
  const failures = [...source.failures, ...builder.failures];
  return { history, periods: table, range: range ?? whole, failures };
}

/** Exact nanoseconds since the Unix epoch. */
export function epochNs({ history }: Timeline, ns: number): bigint {
  return history.originNs + BigInt(Math.floor(ns));
}

export interface Instance {
  readonly id: number;
  readonly path: string;
  readonly name: string;
  /** Line of the parent; -1 none. */
  readonly parent: number;
  readonly beginNs: number;
  readonly endNs: number;
  readonly host: string;
  readonly tid: number;
  /** Index of the host, and the CPU on which it ended. */
  readonly hostIndex: number;
  readonly endCpu: number;
  readonly completed: boolean;
  readonly captures: readonly (readonly [key: string, value: string])[];
}

/** Instances that touch the range, in order of begin. */
export function* instancesOf({ history, periods, range }: Timeline): Generator<Instance> {
  const { of, length } = periods.lines;
  for (let id = 0; id < length; id++) {
    const [beginNs, endNs] = [of.begin[id]!, of.end[id]!];
    if (beginNs > range.endNs || !(endNs >= range.beginNs)) continue;
    const { path, name } = periods.definitions[of.definition[id]!]!;
    yield {
      id,
      path,
      name,
      parent: of.parent[id]!,
      beginNs,
      endNs,
      host: history.hosts[of.host[id]!] ?? "",
      tid: of.tid[id]!,
      hostIndex: of.host[id]!,
      endCpu: of.endCpu[id]!,
      completed: of.completed[id] === 1,
      captures: periods.captures.get(id) ?? [],
    };
  }
}
