/** Periods on a time graph: one entry for each definition, with a lane for each instance that is open at once. */
import { formatDuration } from "../../../base/format.js";
import type { PeriodLine } from "../../../page/contract.js";
import { HttpError } from "../../http.js";
import type {
  Configuration,
  DataProviderDescription,
  GraphRow,
  GraphState,
  Style,
  Tree,
  TreeEntry,
} from "../model.js";
import { type Asked, epochOf, type Provider } from "../provider.js";
import { filterOf } from "../state-filter.js";
import { seriesColor } from "../styles.js";

export const PERIODS_ID = "periscope.periods";
/** Ids of entries: definition times this, plus lane. */
const LANES = 1000;
const MOST_INSTANCES = 50_000;
/** Instances beyond this many open at once share the last lane. */
const MOST_LANES = 32;

/** Puts instances of a definition into lanes so that none overlap. In order of begin. */
function lanesOf(instances: readonly PeriodLine[]): Map<number, number> {
  const ends: number[] = [];
  const lanes = new Map<number, number>();
  for (const [id, , beginNs, endNs] of instances) {
    let lane = ends.findIndex((end) => end <= beginNs);
    if (lane < 0) lane = Math.min(ends.length, MOST_LANES - 1);
    ends[lane] = Math.max(endNs, ends[lane] ?? 0);
    lanes.set(id, lane);
  }
  return lanes;
}

/** Lanes by definition, over the whole trace, so that they stay the same in every range. */
async function layout({ experiment, info }: Asked, key: string) {
  const range = { beginNs: info.beginNs, endNs: info.endNs };
  const { instances } = await experiment.history.periods(range, MOST_INSTANCES, key);
  const byDefinition = new Map<number, PeriodLine[]>();
  for (const line of instances) {
    const list = byDefinition.get(line[1]);
    if (list === undefined) byDefinition.set(line[1], [line]);
    else list.push(line);
  }
  const lanes = new Map<number, { lanes: Map<number, number>; count: number }>();
  for (const [definition, list] of byDefinition) {
    const found = lanesOf(list);
    lanes.set(definition, { lanes: found, count: 1 + Math.max(0, ...found.values()) });
  }
  return { instances, lanes };
}

export function periodTimeline(key = "", configuration?: Configuration): Provider {
  const suffix = key === "" ? "" : `:${key}`;
  const description: DataProviderDescription = {
    id: `${PERIODS_ID}${suffix}`,
    name: configuration === undefined ? "Periods" : `Periods (${configuration.name})`,
    description: "Phases of the work that the machine does (requests and their parts), as users define them",
    type: "TIME_GRAPH",
    ...(configuration === undefined
      ? { capabilities: { canCreate: true } }
      : { parentId: PERIODS_ID, configuration, capabilities: { canDelete: true } }),
  };
  return {
    description,
    async tree(asked): Promise<Tree> {
      const { experiment, info } = asked;
      await experiment.periodsKnown.catch(() => {});
      const table = await experiment.history.periodTable(key);
      const { lanes } = await layout(asked, key);
      const [start, end] = [epochOf(info, info.beginNs), epochOf(info, info.endNs)];
      const entries = (table?.definitions ?? []).flatMap(({ name, path, parent, count }, i): TreeEntry[] => {
        const own = Math.max(1, lanes.get(i)?.count ?? 1);
        return Array.from({ length: own }, (_, lane) => ({
          id: i * LANES + lane,
          parentId: lane > 0 ? i * LANES : parent < 0 ? -1 : parent * LANES,
          labels: [lane === 0 ? name : `${name} +${lane}`, lane === 0 ? `${count}` : ""],
          hasData: true,
          start,
          end,
          metadata: { path: [path] },
        }));
      });
      return {
        entries,
        headers: [
          { name: "Period", tooltip: table?.profile ? `Of the profile ${table.profile}` : "" },
          { name: "Instances", tooltip: "How many there are" },
        ],
        autoExpandLevel: -1,
      };
    },
    async states(asked, range, items): Promise<GraphRow[]> {
      const { info, parameters } = asked;
      const filter = filterOf(parameters);
      const { instances, lanes } = await layout(asked, key);
      const rows = new Map<number, GraphState[]>(items.map((item) => [item, []]));
      for (const [id, definition, beginNs, endNs] of instances) {
        if (beginNs > range.endNs || endNs < range.beginNs) continue;
        const row = rows.get(definition * LANES + (lanes.get(definition)?.lanes.get(id) ?? 0));
        if (row === undefined) continue;
        const label = formatDuration(endNs - beginNs);
        const tags = filter?.(label, "", endNs - beginNs) ?? 0;
        if ((tags & 4) !== 0) continue;
        row.push({
          start: epochOf(info, beginNs),
          end: epochOf(info, endNs),
          label,
          ...(tags === 0 ? {} : { tags }),
          style: { parentKey: `period-${definition}`, values: {} },
        });
      }
      return [...rows].map(([entryId, states]) => ({ entryId, states }));
    },
    async tooltip(asked, ns, item): Promise<Record<string, string>> {
      const { instances, lanes } = await layout(asked, key);
      const definition = Math.floor(item / LANES);
      const found = instances.find(
        ([id, of, beginNs, endNs]) =>
          of === definition && beginNs <= ns && ns <= endNs && lanes.get(of)?.lanes.get(id) === item % LANES,
      );
      if (found === undefined) return {};
      const [id, , beginNs, endNs, row] = found;
      const whose: Record<string, string> = {};
      if (row >= 0) whose["Thread"] = `${asked.info.rows[row]?.label} (${asked.info.rows[row]?.tid})`;
      const captures = key === "" ? (await asked.experiment.history.instance(id)).captures : [];
      return { Duration: formatDuration(endNs - beginNs), ...whose, ...Object.fromEntries(captures) };
    },
    styles: () =>
      Object.fromEntries(
        Array.from({ length: 64 }, (_, i): [string, Style] => [
          `period-${i}`,
          {
            values: {
              "background-color": seriesColor(i),
              height: 0.8,
              opacity: 1,
              "style-name": `Period ${i + 1}`,
            },
          },
        ]),
      ),
  };
}

/** What configurations of periods hold. */
export interface PeriodParameters {
  readonly periods: readonly string[];
  readonly captures: readonly string[];
}

/** Throws `HttpError` 400 for what is no list of definitions. */
export function periodParameters(parameters: unknown): PeriodParameters {
  const { periods, captures = [] } = (parameters ?? {}) as { periods?: unknown; captures?: unknown };
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((item) => typeof item === "string");
  if (!isTexts(periods) || periods.length === 0 || !isTexts(captures)) {
    throw new HttpError(
      400,
      "Invalid configuration",
      "expected periods: an array of definitions like \"request : $evt.$name == 'a' : $evt.$name == 'b'\"",
    );
  }
  return { periods, captures };
}
