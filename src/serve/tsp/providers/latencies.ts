/** Latencies of one sort in four forms: scatter plot, table, statistics, distribution. */
import { formatDuration } from "../../../base/format.js";
import type { LatencyLine, LatencySource } from "../../../history/latencies.js";
import { HttpError } from "../../http.js";
import type { Column, DataProviderDescription, Lines, TableLine, Tree, TreeEntry, Xy } from "../model.js";
import { type Asked, epochOf, type Provider } from "../provider.js";
import { integerIn, type Parameters, timeOf } from "../request.js";
import { lineStyle } from "../styles.js";

const MOST_POINTS = 20_000;
const USUAL_BINS = 100;
const MOST_LINES = 5000;

const COLUMNS: readonly Column[] = [
  { id: 0, name: "Start Time", description: "When it began", type: "TIMESTAMP" },
  { id: 1, name: "End Time", description: "When it ended", type: "TIMESTAMP" },
  { id: 2, name: "Duration", description: "In ns", type: "DURATION" },
  { id: 3, name: "Name", description: "Of what", type: "STRING" },
  { id: 4, name: "Thread", description: "Whose", type: "STRING" },
  { id: 5, name: "TID", description: "Number of the thread", type: "NUMBER" },
];

export interface LatencyOutput {
  readonly source: LatencySource;
  /** Ids of the four providers. */
  readonly ids: {
    readonly scatter: string;
    readonly table: string;
    readonly statistics: string;
    readonly density: string;
  };
  readonly name: string;
  /** Key of period definitions; "" those of the experiment. */
  readonly key?: string;
  readonly configuration?: DataProviderDescription["configuration"];
}

export function latencyProviders({ source, ids, name, key = "", configuration }: LatencyOutput): Provider[] {
  const whole = ({ info }: Asked) => ({ beginNs: info.beginNs, endNs: info.endNs });
  const describe = (
    id: string,
    form: string,
    description: string,
    type: DataProviderDescription["type"],
  ) => ({
    id,
    name: `${name} - ${form}`,
    description,
    type,
    ...(configuration === undefined ? {} : { configuration, capabilities: { canDelete: true } }),
  });
  const tree = async (asked: Asked): Promise<Tree> => {
    const stats = await asked.experiment.history.latencyStats(source, whole(asked), key);
    const entries = stats.map(
      ({ what, count }, i): TreeEntry => ({
        id: i,
        parentId: i === 0 ? -1 : 0,
        labels: [what === "" ? "Total" : what, `${count}`],
        hasData: true,
        isDefault: i === 0,
      }),
    );
    return {
      entries,
      headers: [
        { name: "Name", tooltip: "Of what" },
        { name: "Count", tooltip: "How many in the trace" },
      ],
      autoExpandLevel: -1,
    };
  };
  const names = async (asked: Asked): Promise<string[]> =>
    (await asked.experiment.history.latencyStats(source, whole(asked), key)).map(({ what }) => what);
  return [
    {
      description: describe(
        ids.scatter,
        "Latency vs Time",
        "One point for each, by begin and duration",
        "TREE_TIME_XY",
      ),
      tree,
      async xy(asked, range, items): Promise<Xy> {
        const lines = await asked.experiment.history.latencies(source, range, MOST_POINTS, key);
        const known = await names(asked);
        return {
          title: name,
          series: items.flatMap((item) => {
            const what = known[item];
            if (what === undefined) return [];
            const own = what === "" ? lines : lines.filter((line) => line.what === what);
            own.sort((a, b) => a.beginNs - b.beginNs);
            return [
              {
                seriesId: item,
                seriesName: what === "" ? "Total" : what,
                style: lineStyle(what, item, "scatter"),
                xValues: own.map(({ beginNs }) => epochOf(asked.info, beginNs)),
                yValues: own.map(({ beginNs, endNs }) => endNs - beginNs),
                xValuesDescription: { label: "Time", unit: "ns", dataType: "TIMESTAMP" as const },
                yValuesDescription: { label: "Duration", unit: "ns", dataType: "DURATION" as const },
              },
            ];
          }),
        };
      },
      async pointTooltip(asked, { ns, y, item }) {
        const what = item === undefined ? "" : (await names(asked))[item];
        if (what === undefined) return {};
        const line = await asked.experiment.history.nearestLatency(source, ns, y, what, key);
        if (line === undefined) return {};
        const cells = cellsOf(asked, line);
        const told = COLUMNS.map(({ name: column }, i): [string, string] => [column, cells[i]!]);
        return Object.fromEntries([...told, ["Duration", formatDuration(line.endNs - line.beginNs)]]);
      },
      styles: () => ({}),
    },
    {
      description: describe(ids.table, "Latency Table", "Every one, in order of end", "TABLE"),
      columns: () => COLUMNS,
      lines: (asked) => tableLines(asked, source, key),
    },
    {
      description: describe(
        ids.statistics,
        "Latency Statistics",
        "Extremes, mean, quantiles, by name",
        "DATA_TREE",
      ),
      async tree(asked, range): Promise<Tree> {
        const { experiment, info } = asked;
        const stats = await experiment.history.latencyStats(source, range ?? whole(asked), key);
        const span = ({ beginNs, endNs }: { beginNs: number; endNs: number }) =>
          `[${epochOf(info, beginNs)},${epochOf(info, endNs)}]`;
        return {
          entries: stats.map(
            (one, i): TreeEntry => ({
              id: i,
              parentId: i === 0 ? -1 : 0,
              labels: [
                one.what === "" ? "Total" : one.what,
                formatDuration(one.minNs),
                formatDuration(one.maxNs),
                formatDuration(one.meanNs),
                formatDuration(one.deviationNs),
                formatDuration(one.medianNs),
                formatDuration(one.p99Ns),
                `${one.count}`,
                formatDuration(one.totalNs),
                span(one.minAt),
                span(one.maxAt),
              ],
              hasData: true,
            }),
          ),
          headers: [
            { name: "Label", tooltip: "", dataType: "STRING" },
            { name: "Minimum", tooltip: "", dataType: "DURATION" },
            { name: "Maximum", tooltip: "", dataType: "DURATION" },
            { name: "Average", tooltip: "", dataType: "DURATION" },
            { name: "Std Dev", tooltip: "", dataType: "DURATION" },
            { name: "Median", tooltip: "", dataType: "DURATION" },
            { name: "99 %", tooltip: "As long or shorter are 99 of 100", dataType: "DURATION" },
            { name: "Count", tooltip: "", dataType: "NUMBER" },
            { name: "Total", tooltip: "", dataType: "DURATION" },
            { name: "Min Time Range", tooltip: "Where the shortest was", dataType: "TIME_RANGE" },
            { name: "Max Time Range", tooltip: "Where the longest was", dataType: "TIME_RANGE" },
          ],
          autoExpandLevel: -1,
        };
      },
    },
    {
      description: describe(
        ids.density,
        "Latency Density",
        "How many there are of each duration",
        "TREE_GENERIC_XY",
      ),
      tree,
      async xy(asked, range, items): Promise<Xy> {
        const known = await names(asked);
        const series = await Promise.all(
          items.flatMap((item) => {
            const what = known[item];
            return what === undefined ? [] : [density(asked, source, range, item, what, key)];
          }),
        );
        return { title: name, series };
      },
      styles: () => ({}),
    },
  ];
}

async function density(
  { experiment }: Asked,
  source: LatencySource,
  range: { beginNs: number; endNs: number; count: number },
  item: number,
  what: string,
  key: string,
): Promise<Xy["series"][number]> {
  const { beginNs, endNs, count } = range;
  const bins = Math.min(10_000, count || USUAL_BINS);
  const { ranges, counts } = await experiment.history.latencyDistribution(
    source,
    { beginNs, endNs },
    bins,
    what,
    key,
  );
  const label = what === "" ? "Total" : what;
  const xRanges = ranges.map(({ from, to }) => ({ start: Math.floor(from), end: Math.ceil(to) }));
  return {
    seriesId: item,
    seriesName: label,
    style: lineStyle(label, item, "bar"),
    xRanges,
    yValues: counts,
    xValuesDescription: {
      label: "Duration",
      unit: "ns",
      dataType: "DURATION",
      axisDomain: { type: "range", start: xRanges[0]?.start ?? 0, end: xRanges.at(-1)?.end ?? 0 },
    },
    yValuesDescription: { label: "Count", unit: "", dataType: "NUMBER" },
  };
}

function cellsOf({ info }: Asked, { beginNs, endNs, row, what }: LatencyLine): string[] {
  return [
    `${epochOf(info, beginNs)}`,
    `${epochOf(info, endNs)}`,
    `${Math.round(endNs - beginNs)}`,
    what,
    info.rows[row]?.label ?? "",
    `${info.rows[row]?.tid ?? ""}`,
  ];
}

async function tableLines(asked: Asked, source: LatencySource, key: string): Promise<Lines> {
  const { parameters, experiment, info } = asked;
  const count = countOf(parameters);
  const columnIds = columnsOf(parameters, COLUMNS);
  const search = searchOf(parameters);
  let index = await firstIndex(
    parameters,
    (ns) => experiment.history.latencyIndex(source, ns, key),
    info.originNs,
  );
  const page = await experiment.history.latencyLines(source, index, count, key);
  let { lines } = page;
  if (search !== undefined) {
    const step = search.backwards ? -1 : 1;
    const found = await findLine(
      index,
      step,
      page.total,
      async (from) => {
        const chunk = await experiment.history.latencyLines(source, from, MOST_LINES, key);
        return chunk.lines.map((line) => cellsOf(asked, line));
      },
      search.test,
    );
    if (found < 0) return { lowIndex: 0, size: 0, columnIds, lines: [] };
    index = found;
    lines = (await experiment.history.latencyLines(source, index, count, key)).lines;
  }
  return {
    lowIndex: index,
    size: page.total,
    columnIds,
    lines: lines.map((line, i): TableLine => {
      const cells = cellsOf(asked, line);
      const tags = search?.test(cells) === true ? 8 : 0;
      return {
        index: index + i,
        cells: columnIds.map((id) => ({ content: cells[id]! })),
        ...(tags === 0 ? {} : { tags }),
      };
    }),
  };
}

async function findLine(
  first: number,
  step: 1 | -1,
  total: number,
  chunkFrom: (index: number) => Promise<string[][]>,
  test: (cells: readonly string[]) => boolean,
): Promise<number> {
  for (let at = first; at >= 0 && at < total; ) {
    const from = step === 1 ? at : Math.max(0, at - MOST_LINES + 1);
    const chunk = await chunkFrom(from);
    for (let i = at - from; i >= 0 && i < chunk.length; i += step) if (test(chunk[i]!)) return from + i;
    at = step === 1 ? from + chunk.length : from - 1;
    if (chunk.length === 0) break;
  }
  return -1;
}

export function countOf(parameters: Parameters): number {
  const count = integerIn(parameters["requested_table_count"], "requested_table_count");
  if (count < 0)
    throw new HttpError(400, "Invalid query parameters", "requested_table_count: expected 0 or more");
  return Math.min(MOST_LINES, count);
}

export function columnsOf(parameters: Parameters, all: readonly Column[]): number[] {
  const wanted = parameters["requested_table_column_ids"];
  if (!Array.isArray(wanted) || wanted.length === 0) return all.map(({ id }) => id);
  return wanted
    .map((id) => integerIn(id, "requested_table_column_ids"))
    .filter((id) => all[id] !== undefined);
}

/** Place of the first line that a request asks for. */
export async function firstIndex(
  parameters: Parameters,
  indexAt: (ns: number) => Promise<number>,
  originNs: bigint,
): Promise<number> {
  const index = parameters["requested_table_index"];
  if (index !== undefined && index !== null) {
    const number = integerIn(index, "requested_table_index");
    if (number < 0)
      throw new HttpError(400, "Invalid query parameters", "requested_table_index: expected 0 or more");
    return number;
  }
  const times = parameters["requested_times"];
  if (Array.isArray(times) && times.length > 0) return indexAt(timeOf(parameters, originNs));
  throw new HttpError(400, "Invalid query parameters", "expected requested_table_index or requested_times");
}

export interface Search {
  readonly test: (cells: readonly string[]) => boolean;
  readonly byColumn: ReadonlyMap<number, string>;
  /** Look for the next (or previous) line that matches; else matching lines are marked only. */
  readonly backwards: boolean;
}

/** `table_search_expressions` by column id. Undefined: no search that moves. */
export function searchOf(parameters: Parameters): Search | undefined {
  const expressions = parameters["table_search_expressions"];
  const direction = parameters["table_search_direction"];
  if (typeof expressions !== "object" || expressions === null || direction === undefined) return undefined;
  const byColumn = new Map<number, string>();
  const tests = Object.entries(expressions).map(([id, text]) => {
    byColumn.set(Number(id), String(text));
    try {
      return { column: Number(id), regexp: new RegExp(String(text), "i") };
    } catch {
      throw new HttpError(400, "Invalid query parameters", `"${text}": expected a regular expression`);
    }
  });
  if (tests.length === 0) return undefined;
  return {
    test: (cells) => tests.every(({ column, regexp }) => regexp.test(cells[column] ?? "")),
    byColumn,
    backwards: direction === "PREVIOUS",
  };
}
