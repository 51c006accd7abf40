/**
 * A source that plays a script of event records written down in a test. Fields that a record lacks are absent
 * as `FieldKind` says. Only for tests; nothing else imports it.
 */

import type {
  DiscardedInfo,
  EventInfo,
  EventRecord,
  EventRun,
  EventSource,
  FieldRequests,
  FieldType,
  RunOptions,
  RunResult,
  SourceInfo,
  Subscription,
} from "../sources/source.js";

export interface ScriptedRecord {
  readonly ns: number;
  readonly cpu: number;
  readonly name: string;
  readonly host?: number;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Common context. */
  readonly context?: Readonly<Record<string, unknown>>;
}

export interface ScriptedHole {
  readonly lost: DiscardedInfo;
}

const ABSENT = { number: Number.NaN, address: Number.NaN, string: "", value: undefined };

export function scriptedSource(
  script: readonly (ScriptedRecord | ScriptedHole)[],
  hosts: readonly string[] = ["host"],
): EventSource {
  const events = new Map<string, EventInfo>();
  const records = script.filter((s): s is ScriptedRecord => "name" in s);
  for (const r of records) {
    const trace = r.host ?? 0;
    const key = `${trace} ${r.name}`;
    const known = events.get(key);
    const merge = (a: readonly string[], b: object | undefined) => [
      ...new Set([...a, ...Object.keys(b ?? {})]),
    ];
    events.set(key, {
      name: r.name,
      trace,
      fields: merge(known?.fields ?? [], r.fields),
      contextFields: merge(known?.contextFields ?? [], r.context),
    });
  }
  const info: SourceInfo = {
    originNs: 0n,
    hosts: hosts.map((name) => ({ name })),
    traces: hosts.map((_, host) => ({ path: "/scripted", host, domain: "kernel", environment: new Map() })),
    streams: hosts.map((_, trace) => ({
      trace,
      path: "/scripted/kernel/channel0",
      completeSinceNs: Number.NEGATIVE_INFINITY,
    })),
    events: [...events.values()],
    beginNs: records[0]?.ns ?? Number.NaN,
    endNs: records[records.length - 1]?.ns ?? Number.NaN,
  };
  const subscriptions: Subscription[] = [];
  const types = new Map<string, FieldType | undefined>();
  /** As metadata would tell it: a type only where all event records of the class agree. */
  const fieldType = (event: EventInfo, from: string): FieldType | undefined => {
    const key = `${event.trace} ${event.name} ${from}`;
    if (!types.has(key)) {
      const mine = records.filter((r) => r.name === event.name && (r.host ?? 0) === event.trace);
      const found = new Set(mine.map((r) => typeOf(read(r, from, undefined))));
      const [only] = found;
      types.set(key, found.size > 1 ? "unknown" : only);
    }
    return types.get(key);
  };
  const below = (fields: object | undefined, path: string): unknown =>
    path === ""
      ? fields
      : ((fields as Record<string, unknown> | undefined)?.[path] ??
        path.split(".").reduce((at, name) => (at as never)?.[name], fields as unknown));
  const read = (record: ScriptedRecord, from: string | readonly string[], absent: unknown): unknown => {
    for (const name of typeof from === "string" ? [from] : from) {
      const [, scope, plain] = /^(?:(payload|context|common|specific|packet):)?(.*)$/.exec(name)!;
      const inPayload = below(record.fields, plain!);
      if ((scope === undefined || scope === "payload" || scope === "packet") && inPayload !== undefined)
        return inPayload;
      const inContext = below(record.context, plain!);
      if (scope !== "payload" && scope !== "specific" && inContext !== undefined) return inContext;
    }
    return absent;
  };
  return {
    info: { ...info, fieldType },
    subscribe<F extends FieldRequests>(subscription: Subscription<F>): void {
      subscriptions.push(subscription as unknown as Subscription);
    },
    run(options: RunOptions = {}): RunResult {
      const run = this.start(options);
      run.until(Number.POSITIVE_INFINITY);
      return run.end();
    },
    start(options: RunOptions = {}): EventRun {
      const endNs = options.endNs ?? Number.POSITIVE_INFINITY;
      let at = 0;
      let eventRecords = 0;
      const play = (item: ScriptedRecord): void => {
        const host = item.host ?? 0;
        const event = events.get(`${host} ${item.name}`)!;
        for (const subscription of subscriptions) {
          if (!subscription.matches(event)) continue;
          const values: Record<string, unknown> = {};
          for (const [name, request] of Object.entries(subscription.fields)) {
            values[name] = read(item, request.from, ABSENT[request.kind]);
          }
          const record: EventRecord = { ns: item.ns, cpu: item.cpu, host, event, stream: host };
          (subscription.handle as (r: unknown) => void)({ ...record, ...values });
        }
      };
      const next = (): ScriptedRecord | undefined => {
        for (; at < script.length; at++) {
          const item = script[at]!;
          if ("lost" in item) options.onDiscarded?.(item.lost);
          else return item.ns <= endNs ? item : undefined;
        }
        return undefined;
      };
      let lastNs = Number.NaN;
      return {
        get nextNs() {
          return next()?.ns ?? Number.NaN;
        },
        get eventRecords() {
          return eventRecords;
        },
        until(limitNs) {
          for (let item = next(); item !== undefined && item.ns < limitNs; item = next()) {
            at++;
            eventRecords++;
            lastNs = item.ns;
            play(item);
          }
        },
        end: () => ({
          eventRecords,
          firstNs: records[0]?.ns ?? Number.NaN,
          lastNs,
          hostLastNs: hosts.map((_, h) =>
            Math.max(...records.filter((r) => (r.host ?? 0) === h).map((r) => r.ns)),
          ),
          problems: [],
        }),
      };
    },
  };
}

function typeOf(value: unknown): FieldType | undefined {
  switch (typeof value) {
    case "undefined":
      return undefined;
    case "number":
      return Number.isSafeInteger(value) ? "integer" : "real";
    case "bigint":
      return "long";
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    default:
      return "other";
  }
}

/** `sched_switch` from one thread to another. Threads are `[tid, comm]`; tid 0 is idle. */
export function switchTo(
  ns: number,
  cpu: number,
  prev: readonly [number, string],
  prevState: number,
  next: readonly [number, string],
  host = 0,
): ScriptedRecord {
  return {
    ns,
    cpu,
    host,
    name: "sched_switch",
    fields: {
      prev_tid: prev[0],
      prev_comm: prev[1],
      prev_state: prevState,
      prev_prio: 20,
      next_tid: next[0],
      next_comm: next[1],
      next_prio: 20,
    },
  };
}
