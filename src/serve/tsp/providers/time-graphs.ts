/** Time graphs made of the history's rows: threads (control flow) and resources (CPUs and what interrupts them). */
import { formatDuration } from "../../../base/format.js";
import { DOING_LABELS, DOINGS, type Doing } from "../../../history/doing.js";
import type { HistoryInfo } from "../../history-service.js";
import { notFound } from "../../http.js";
import type { GraphRow, GraphState, TimeRange, Tree, TreeEntry } from "../model.js";
import { type Asked, epochOf, KERNEL, type Provider } from "../provider.js";
import { filterOf, type StateFilter } from "../state-filter.js";
import { graphStyles, styleKey } from "../styles.js";

/** Ids of entries that are no rows: of hosts, and of processes that group threads. */
export const HOST_IDS = 1_000_000_000;
/** Pixels, where a request does not say how many. */
const USUAL_PIXELS = 1000;

type RowKind = "cpu" | "thread" | "disk";

/** States of rows at the resolution asked for: whole ones, or where there are more than pixels the main one of each. */
export async function rowStates(
  { experiment, info, parameters }: Asked,
  { beginNs, endNs, count }: TimeRange,
  rows: readonly number[],
): Promise<GraphRow[]> {
  const pixels = count > 0 ? count : USUAL_PIXELS;
  const filter = filterOf(parameters);
  const range = { beginNs, endNs };
  const exact = await experiment.history.states(rows, range, 2 * pixels);
  const dense = exact.filter(({ tooMany }) => tooMany).map(({ row }) => row);
  const pixelNs = Math.max(1, (endNs - beginNs) / pixels);
  const bytes =
    dense.length === 0 ? undefined : await experiment.history.pixels(dense, beginNs, pixelNs, pixels);
  return exact.map(({ row, tooMany, states }) => {
    const found = tooMany
      ? runsOf(info, bytes!, dense.indexOf(row) * 2 * pixels, pixels, beginNs, pixelNs, filter)
      : states.flatMap(([begin, end, doing, label]) => {
          return doing === 0 ? [] : stateOf(info, begin, end, doing, label, filter);
        });
    return { entryId: row, states: found };
  });
}

function stateOf(
  info: HistoryInfo,
  beginNs: number,
  endNs: number,
  doing: Doing,
  label: string,
  filter: StateFilter | undefined,
): GraphState[] {
  const tags = filter?.(label, DOING_LABELS[doing], endNs - beginNs) ?? 0;
  // Excluded.
  if ((tags & 4) !== 0) return [];
  return [
    {
      start: epochOf(info, beginNs),
      end: epochOf(info, endNs),
      label,
      ...(tags === 0 ? {} : { tags }),
      style: { parentKey: styleKey(doing), values: {} },
    },
  ];
}

/** Pixels that do the same, as one state. */
function runsOf(
  info: HistoryInfo,
  bytes: Uint8Array,
  offset: number,
  pixels: number,
  beginNs: number,
  pixelNs: number,
  filter: StateFilter | undefined,
): GraphState[] {
  const states: GraphState[] = [];
  for (let from = 0; from < pixels; ) {
    const doing = bytes[offset + 2 * from] as Doing;
    let to = from + 1;
    while (to < pixels && bytes[offset + 2 * to] === doing) to++;
    if (doing > 0 && doing < DOINGS) {
      states.push(...stateOf(info, beginNs + from * pixelNs, beginNs + to * pixelNs, doing, "", filter));
    }
    from = to;
  }
  return states;
}

async function arrowsOf({ experiment, info }: Asked, { beginNs, endNs }: TimeRange) {
  const { wakes } = await experiment.history.arrows({ beginNs, endNs }, undefined, 2000);
  return wakes.map(([ns, from, to]) => ({
    sourceId: from,
    targetId: to,
    start: epochOf(info, ns),
    end: epochOf(info, ns),
    style: { parentKey: "arrow", values: {} },
  }));
}

async function tooltipOf(
  { experiment, info }: Asked,
  ns: number,
  item: number,
): Promise<Record<string, string>> {
  if (item >= HOST_IDS) return {};
  if (info.rows[item] === undefined) throw notFound(`entry ${item}`);
  const moment = await experiment.history.at(item, ns);
  if (moment === undefined) return {};
  return {
    State: DOING_LABELS[moment.doing],
    ...Object.fromEntries(moment.details),
    Duration: formatDuration(moment.endNs - moment.beginNs),
  };
}

function hostEntries({ info }: Asked, start: bigint, end: bigint): TreeEntry[] {
  return info.hosts.map((name, host) => ({
    id: HOST_IDS + host,
    parentId: -1,
    labels: [name || "host"],
    hasData: false,
    start,
    end,
  }));
}

function rowsOfKind({ rows }: HistoryInfo, kind: RowKind) {
  return rows.filter((row) => row.kind === kind);
}

export const threadStatus: Provider = {
  description: {
    id: `${KERNEL}.threadstatus.ThreadStatusDataProvider`,
    name: "Thread Status",
    description: "What every thread did: on a CPU, waiting for one, and what it waited for else",
    type: "TIME_GRAPH",
  },
  async tree(asked): Promise<Tree> {
    const { info, experiment } = asked;
    const [start, end] = [epochOf(info, info.beginNs), epochOf(info, info.endNs)];
    const parents = await experiment.history.parents();
    const threads = rowsOfKind(info, "thread");
    const known = new Set(threads.map(({ id }) => id));
    const entries = threads.map((row): TreeEntry => {
      const parent = parents[row.id] ?? -1;
      const host = HOST_IDS + Math.max(0, info.hosts.indexOf(row.host));
      return {
        id: row.id,
        parentId: known.has(parent) && parent < row.id ? parent : host,
        labels: [row.label || "?", `${row.tid}`, `${row.pid}`],
        hasData: true,
        start,
        end,
        metadata: { tid: [row.tid], pid: [row.pid], hostId: [row.host], process_name: [row.process] },
      };
    });
    const headers = [
      { name: "Thread", tooltip: "Name of the thread" },
      { name: "TID", tooltip: "Number of the thread" },
      { name: "PID", tooltip: "Number of its process" },
    ];
    return { entries: [...hostEntries(asked, start, end), ...entries], headers, autoExpandLevel: -1 };
  },
  states: (asked, range, items) => rowStates(asked, range, items),
  arrows: arrowsOf,
  tooltip: tooltipOf,
  styles: graphStyles,
};

export const resourcesStatus: Provider = {
  description: {
    id: `${KERNEL}.threadstatus.ResourcesStatusDataProvider`,
    name: "Resources Status",
    description: "What every CPU did: which thread it ran, which interrupts it handled; disks at work",
    type: "TIME_GRAPH",
  },
  async tree(asked): Promise<Tree> {
    const { info } = asked;
    const [start, end] = [epochOf(info, info.beginNs), epochOf(info, info.endNs)];
    const rows = [...rowsOfKind(info, "cpu").sort((a, b) => a.tid - b.tid), ...rowsOfKind(info, "disk")];
    const entries = rows.map(
      (row): TreeEntry => ({
        id: row.id,
        parentId: HOST_IDS + Math.max(0, info.hosts.indexOf(row.host)),
        labels: [row.label],
        hasData: true,
        start,
        end,
        ...(row.kind === "cpu" ? { metadata: { cpu: [row.tid], hostId: [row.host] } } : {}),
      }),
    );
    return {
      entries: [...hostEntries(asked, start, end), ...entries],
      headers: [{ name: "Resource", tooltip: "CPU or disk" }],
      autoExpandLevel: -1,
    };
  },
  states: (asked, range, items) => rowStates(asked, range, items),
  tooltip: tooltipOf,
  styles: graphStyles,
};
