/** What the page asks: `src/page/contract.ts`, answered from an experiment's threads. */
import { UsageError } from "../base/errors.js";
import { Doing } from "../history/doing.js";
import type { Stretch } from "../history/pixels.js";
import { DOING_OF_WAIT } from "../history/wait-reasons.js";
import {
  type Arrows,
  type CriticalPath,
  type EventLines,
  type Experiment,
  type ExperimentInfo,
  type IncidentLine,
  TILE_PIXELS,
} from "../page/contract.js";
import { sliceText } from "../present/path-text.js";
import type { EventQuery } from "./event-log.js";
import type { OpenExperiment } from "./experiment.js";
import { notFound, numberOf, type Reply, type Request, rowsOf } from "./http.js";

const MOST_STATES = 2000;
const MOST_ARROWS = 2000;
const MOST_PIXELS = 8192;
const MOST_INSTANCES = 100_000;
const MOST_EVENTS = 1000;

export interface PageExperiments {
  readonly list: () => readonly OpenExperiment[];
  readonly find: (id: string) => OpenExperiment | undefined;
  readonly incidents: () => readonly IncidentLine[];
  /** Opens an incident's traces. Throws when there is none. */
  readonly openIncident: (id: string) => OpenExperiment;
  /** Writes an experiment in another format. */
  readonly exported?: (
    experiment: OpenExperiment,
    format: string,
    range: Stretch | undefined,
  ) => Promise<Reply>;
}

export function json(value: unknown, status = 200): Reply {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

export async function pageApi(experiments: PageExperiments, request: Request): Promise<Reply> {
  const [what, id, query, last] = request.path;
  if (what === "incidents") {
    if (id === undefined) return json(experiments.incidents());
    if (query === "open" && request.method === "POST")
      return json(await infoOf(experiments.openIncident(id)));
    throw notFound(`incident at ${request.path.join("/")}`);
  }
  if (what !== "experiments" || last !== undefined) throw notFound(`thing at ${request.path.join("/")}`);
  if (id === undefined) return json(await Promise.all(experiments.list().map(infoOf)));
  const experiment = experiments.find(id);
  if (experiment === undefined) throw notFound(`experiment ${id}`);
  if (query === undefined) return json(await wholeOf(experiment));
  const answer = QUERIES[query];
  if (answer !== undefined) return answer(experiment, request.query);
  if (query === "export" && experiments.exported !== undefined) {
    const format = request.query.get("format") ?? "";
    return experiments.exported(
      experiment,
      format,
      request.query.has("begin") ? stretch(request.query) : undefined,
    );
  }
  throw notFound(`query ${query}`);
}

/** What the list of experiments says. */
async function infoOf(experiment: OpenExperiment): Promise<ExperimentInfo> {
  const { id, name, paths } = experiment;
  try {
    const { complete, done } = await experiment.history.info(false);
    return { id, name, paths, status: complete ? "ready" : "building", done };
  } catch (error) {
    return { id, name, paths, status: "failed", done: 0, error: (error as Error).message };
  }
}

async function wholeOf(experiment: OpenExperiment): Promise<Experiment> {
  const [short, info, periods] = await Promise.all([
    infoOf(experiment),
    experiment.info(),
    experiment.history.periodTable(),
  ]);
  return {
    ...short,
    originNs: String(info.originNs),
    beginNs: info.beginNs,
    endNs: info.endNs,
    knownUntilNs: info.knownUntilNs,
    eventRecords: info.eventRecords,
    hosts: info.hosts,
    rows: info.rows,
    periods: periods?.definitions ?? [],
    profile: periods?.profile ?? "",
    notes: info.notes,
  };
}

function stretch(query: URLSearchParams): Stretch {
  const range = { beginNs: numberOf(query, "begin"), endNs: numberOf(query, "end") };
  if (!(range.beginNs <= range.endNs)) throw new UsageError("begin: expected it before end");
  return range;
}

function pixelsOf(query: URLSearchParams): number {
  return Math.max(1, Math.min(MOST_PIXELS, Math.round(numberOf(query, "pixels", 1000))));
}

type Query = (experiment: OpenExperiment, query: URLSearchParams) => Promise<Reply>;

const QUERIES: Readonly<Record<string, Query>> = {
  async tile({ history }, query) {
    const rows = rowsOf(query.get("rows"));
    const known = await history.info(false);
    const body = await history.tile(rows, numberOf(query, "level"), numberOf(query, "index"), TILE_PIXELS);
    return {
      status: 200,
      type: "application/octet-stream",
      body,
      headers: { "periscope-known-until": String(known.knownUntilNs) },
    };
  },
  async states({ history }, query) {
    const leastNs = numberOf(query, "least", 0);
    return json(await history.states(rowsOf(query.get("rows")), stretch(query), MOST_STATES, leastNs));
  },
  async at({ history }, query) {
    const moment = await history.at(numberOf(query, "row"), numberOf(query, "ns"));
    if (moment === undefined) throw notFound("state at this moment");
    return json(moment);
  },
  async arrows({ history }, query) {
    const rows = query.has("rows") ? rowsOf(query.get("rows")) : undefined;
    const { tooMany, wakes } = await history.arrows(stretch(query), rows, MOST_ARROWS);
    return json({ tooMany, arrows: wakes } satisfies Arrows);
  },
  async critical(experiment, query) {
    return json(await criticalPath(experiment, numberOf(query, "row"), stretch(query)));
  },
  async density({ history }, query) {
    return json(await history.density(stretch(query), pixelsOf(query)));
  },
  async series({ history }, query) {
    return json(await history.series(stretch(query), pixelsOf(query)));
  },
  async periods({ history }, query) {
    const limit = Math.min(MOST_INSTANCES, numberOf(query, "limit", 5000));
    return json(await history.periods(stretch(query), limit));
  },
  async instance({ history, periodsKnown }, query) {
    await periodsKnown;
    return json(await history.instance(numberOf(query, "id")));
  },
  async why(experiment, query) {
    await experiment.periodsKnown;
    const { path, number } = await experiment.history.instance(numberOf(query, "id"));
    const reader = await experiment.reader();
    return json({ text: await reader.why(path, number) });
  },
  async range({ history }, query) {
    return json(await history.range(stretch(query)));
  },
  events: async (experiment, query) => json(await eventLines(experiment, query)),
};

const DOING_OF_SLICE: Readonly<Record<string, Doing>> = {
  ...DOING_OF_WAIT,
  unknown: Doing.unknown,
  user: Doing.user,
  syscall: Doing.syscall,
  reclaiming: Doing.memory,
  irq: Doing.irq,
  softirq: Doing.softirq,
  "timer-interrupt": Doing.irq,
  runnable: Doing.runnable,
};

/** The critical path of a thread's time, with the rows that it runs through. */
export async function criticalPath(
  experiment: OpenExperiment,
  row: number,
  { beginNs, endNs }: Stretch,
): Promise<CriticalPath> {
  const { rows, originNs, hosts } = await experiment.info();
  const thread = rows[row];
  if (thread?.kind !== "thread") throw new UsageError(`row ${row}: expected a thread`);
  const reader = experiment.eventReader;
  const { slices } = await reader.critical(hosts.length > 1 ? thread.host : "", thread.tid, beginNs, endNs);
  const threads = slices.map((slice) => ({
    host: slice.thread.host,
    tid: slice.thread.tid,
    ns: Number(slice.beginEpochNs - originNs),
  }));
  const found = await experiment.history.rowsOf(threads);
  return {
    slices: slices.map((slice, i) => ({
      row: found[i]!,
      beginNs: threads[i]!.ns,
      endNs: threads[i]!.ns + slice.durationNs,
      doing: DOING_OF_SLICE[slice.kind] ?? Doing.unknown,
      label: sliceText(slice, true),
    })),
  };
}

async function eventLines(experiment: OpenExperiment, query: URLSearchParams): Promise<EventLines> {
  const search = query.get("search") ?? "";
  const wanted: EventQuery = {
    count: Math.min(MOST_EVENTS, numberOf(query, "count", 100)),
    ...(query.has("ns") ? { ns: numberOf(query, "ns") } : { index: numberOf(query, "index", 0) }),
    ...(search === "" ? {} : { search: { any: search } }),
    backwards: query.get("direction") === "previous",
  };
  const { index, total, lines } = await experiment.eventReader.events(wanted);
  const rows = await experiment.history.running(lines);
  return {
    index,
    total,
    lines: lines.map((line, i) => ({
      index: line.index,
      ns: line.ns,
      cpu: line.cpu,
      name: line.name,
      text: line.text,
      row: rows[i]!,
    })),
  };
}
