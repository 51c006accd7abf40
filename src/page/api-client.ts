/** Asks the server: see `contract.ts`. Addresses are relative, so that any prefix of a proxy works. */
import type {
  Arrows,
  CriticalPath,
  EventLines,
  Experiment,
  ExperimentInfo,
  IncidentLine,
  InstanceDetails,
  Moment,
  PeriodInstances,
  RangeSummary,
  RowStates,
  Series,
  WhyAnswer,
} from "./contract.js";
import type { Range } from "./view.js";

type Parameters = Readonly<Record<string, string | number | undefined>>;

function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `api/${path}${text === "" ? "" : `?${text}`}`;
}

async function answer(url: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.ok) return response;
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? `the server answered ${response.status}`);
}

async function get<T>(path: string, parameters?: Parameters, signal?: AbortSignal): Promise<T> {
  return (await (await answer(address(path, parameters), { signal: signal ?? null })).json()) as T;
}

/** Numbers as ids and ranges of ids: `1,4-9`. */
export function rowList(rows: readonly number[]): string {
  const sorted = [...rows].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let to = i;
    while (to + 1 < sorted.length && sorted[to + 1] === sorted[to]! + 1) to++;
    parts.push(to > i ? `${sorted[i]}-${sorted[to]}` : `${sorted[i]}`);
    i = to + 1;
  }
  return parts.join(",");
}

const between = ({ beginNs, endNs }: Range) => ({ begin: Math.round(beginNs), end: Math.round(endNs) });

export const experiments = (): Promise<ExperimentInfo[]> => get("experiments");
export const incidents = (): Promise<IncidentLine[]> => get("incidents");
export const openIncident = async (id: string): Promise<ExperimentInfo> =>
  (
    await answer(`api/incidents/${encodeURIComponent(id)}/open`, { method: "POST" })
  ).json() as Promise<ExperimentInfo>;

/** Queries of one experiment. */
export class ExperimentClient {
  constructor(readonly id: string) {}

  #get<T>(query: string, parameters?: Parameters, signal?: AbortSignal): Promise<T> {
    return get(`experiments/${this.id}/${query}`, parameters, signal);
  }

  experiment(): Promise<Experiment> {
    return get(`experiments/${this.id}`);
  }

  /** Bytes of a tile in ascending order of rows, and up to when the trace was read. */
  async tile(
    rows: readonly number[],
    level: number,
    index: number,
    signal: AbortSignal,
  ): Promise<{ bytes: Uint8Array; knownUntilNs: number }> {
    const url = address(`experiments/${this.id}/tile`, { rows: rowList(rows), level, index });
    const response = await answer(url, { signal });
    const knownUntilNs = Number(response.headers.get("periscope-known-until") ?? Number.POSITIVE_INFINITY);
    return { bytes: new Uint8Array(await response.arrayBuffer()), knownUntilNs };
  }

  /** `leastNs`: only states that last as long. */
  states(rows: readonly number[], range: Range, leastNs: number, signal?: AbortSignal): Promise<RowStates[]> {
    const query = { rows: rowList(rows), ...between(range), least: Math.floor(leastNs) };
    return this.#get("states", query, signal);
  }

  at(row: number, ns: number, signal?: AbortSignal): Promise<Moment> {
    return this.#get("at", { row, ns: Math.round(ns) }, signal);
  }

  arrows(rows: readonly number[], range: Range, signal?: AbortSignal): Promise<Arrows> {
    return this.#get("arrows", { rows: rowList(rows), ...between(range) }, signal);
  }

  critical(row: number, range: Range): Promise<CriticalPath> {
    return this.#get("critical", { row, ...between(range) });
  }

  density(range: Range, pixels: number): Promise<number[]> {
    return this.#get("density", { ...between(range), pixels });
  }

  series(range: Range, pixels: number): Promise<Series[]> {
    return this.#get("series", { ...between(range), pixels });
  }

  periods(range: Range, limit: number): Promise<PeriodInstances> {
    return this.#get("periods", { ...between(range), limit });
  }

  instance(id: number): Promise<InstanceDetails> {
    return this.#get("instance", { id });
  }

  why(id: number): Promise<WhyAnswer> {
    return this.#get("why", { id });
  }

  range(range: Range, signal?: AbortSignal): Promise<RangeSummary> {
    return this.#get("range", between(range), signal);
  }

  events(query: {
    ns?: number;
    index?: number;
    count: number;
    search?: string;
    direction?: string;
  }): Promise<EventLines> {
    return this.#get("events", { ...query, ns: query.ns === undefined ? undefined : Math.round(query.ns) });
  }

  exportAddress(format: string, range?: Range): string {
    return address(`experiments/${this.id}/export`, {
      format,
      ...(range === undefined ? {} : between(range)),
    });
  }
}
