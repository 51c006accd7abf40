/**
 * The critical path as a time graph: the threads, devices and waits that the time of a thread really went to. Without
 * a choice it is that of the longest instance of the outermost period; a configuration names a thread and a range.
 */
import { DOING_LABELS, type Doing } from "../../../history/doing.js";
import type { HistoryInfo } from "../../history-service.js";
import { HttpError } from "../../http.js";
import { criticalPath } from "../../page-api.js";
import type { Arrow, Configuration, GraphRow, GraphState, Tree, TreeEntry } from "../model.js";
import { type Asked, epochOf, type Provider } from "../provider.js";
import { bigintOf } from "../request.js";
import { graphStyles, styleKey } from "../styles.js";

export const CRITICAL_ID =
  "org.eclipse.tracecompass.internal.analysis.graph.core.dataprovider.CriticalPathDataProvider";

interface Target {
  readonly row: number;
  readonly beginNs: number;
  readonly endNs: number;
}

/** Whose path by default. */
async function usualTarget({ experiment, info }: Asked): Promise<Target | undefined> {
  await experiment.periodsKnown.catch(() => {});
  const range = { beginNs: info.beginNs, endNs: info.endNs };
  const { instances } = await experiment.history.periods(range, 100_000);
  let longest: (typeof instances)[number] | undefined;
  for (const one of instances) {
    if (one[5] < 0 && one[4] >= 0 && (longest === undefined || one[3] - one[2] > longest[3] - longest[2]))
      longest = one;
  }
  return longest === undefined ? undefined : { beginNs: longest[2], endNs: longest[3], row: longest[4] };
}

/**
 * Parameters of a configuration: `tid`, and `begin` and `end` in epoch ns (default: the whole trace). Throws `HttpError`
 * 400.
 */
export function configuredTarget(info: HistoryInfo, parameters: Readonly<Record<string, unknown>>): Target {
  const { tid, begin, end } = parameters;
  const wanted = Number(bigintOf(tid, "tid"));
  const row = info.rows.find((one) => one.kind === "thread" && one.tid === wanted);
  if (row === undefined) throw new HttpError(400, "Invalid configuration", `tid: no thread ${wanted}`);
  const moment = (value: unknown, name: string, otherwise: number): number =>
    value === undefined ? otherwise : Number(bigintOf(value, name) - info.originNs);
  const range = { beginNs: moment(begin, "begin", info.beginNs), endNs: moment(end, "end", info.endNs) };
  if (range.beginNs > range.endNs) {
    throw new HttpError(400, "Invalid configuration", "begin: expected it before end");
  }
  return { row: row.id, ...range };
}

export function criticalPathProvider(key = "", configuration?: Configuration): Provider {
  const known = new WeakMap<object, Promise<Awaited<ReturnType<typeof criticalPath>>["slices"]>>();
  const slicesOf = (asked: Asked) => {
    let found = known.get(asked.experiment);
    if (found === undefined) {
      found = (async () => {
        const target =
          configuration === undefined
            ? await usualTarget(asked)
            : configuredTarget(asked.info, configuration.parameters);
        return target === undefined ? [] : (await criticalPath(asked.experiment, target.row, target)).slices;
      })();
      known.set(asked.experiment, found);
      found.catch(() => known.delete(asked.experiment));
    }
    return found;
  };
  return {
    description: {
      id: key === "" ? CRITICAL_ID : `${CRITICAL_ID}:${key}`,
      name: configuration === undefined ? "Critical Path" : `Critical Path (${configuration.name})`,
      description: "What the time of the longest request went to, every wait followed to whoever ended it",
      type: "TIME_GRAPH",
      ...(configuration === undefined
        ? { capabilities: { canCreate: true } }
        : { parentId: CRITICAL_ID, configuration, capabilities: { canDelete: true } }),
    },
    async tree(asked): Promise<Tree> {
      const slices = await slicesOf(asked);
      const rows = [...new Set(slices.map(({ row }) => row))].filter((row) => row >= 0);
      const times = (row: number) => slices.filter((slice) => slice.row === row);
      const total = slices.reduce((sum, { beginNs, endNs }) => sum + endNs - beginNs, 0);
      return {
        entries: rows.map((row): TreeEntry => {
          const own = times(row);
          const ns = own.reduce((sum, { beginNs, endNs }) => sum + endNs - beginNs, 0);
          const { label, tid } = asked.info.rows[row]!;
          return {
            id: row,
            parentId: -1,
            labels: [
              label,
              `${tid}`,
              `${(ns / 1e9).toFixed(9)}`,
              `${((100 * ns) / Math.max(1, total)).toFixed(2)}`,
            ],
            hasData: true,
            start: epochOf(asked.info, own[0]!.beginNs),
            end: epochOf(asked.info, own.at(-1)!.endNs),
          };
        }),
        headers: [
          { name: "Process", tooltip: "Thread" },
          { name: "TID", tooltip: "" },
          { name: "Elapsed", tooltip: "Seconds of the path" },
          { name: "%", tooltip: "Share of the path" },
        ],
      };
    },
    async states(asked, range, items): Promise<GraphRow[]> {
      const slices = await slicesOf(asked);
      return items.map((entryId) => ({
        entryId,
        states: slices
          .filter(
            ({ row, beginNs, endNs }) => row === entryId && endNs >= range.beginNs && beginNs <= range.endNs,
          )
          .map(
            ({ beginNs, endNs, doing, label }): GraphState => ({
              start: epochOf(asked.info, beginNs),
              end: epochOf(asked.info, endNs),
              label,
              style: { parentKey: styleKey(doing as Doing), values: {} },
            }),
          ),
      }));
    },
    async arrows(asked, range): Promise<Arrow[]> {
      const slices = await slicesOf(asked);
      return slices.flatMap((slice, i): Arrow[] => {
        const next = slices[i + 1];
        if (next === undefined || next.row === slice.row || slice.row < 0 || next.row < 0) return [];
        if (next.beginNs < range.beginNs || slice.endNs > range.endNs) return [];
        const at = epochOf(asked.info, next.beginNs);
        return [
          {
            sourceId: slice.row,
            targetId: next.row,
            start: at,
            end: at,
            style: { parentKey: "arrow", values: {} },
          },
        ];
      });
    },
    async tooltip(asked, ns, item): Promise<Record<string, string>> {
      const slices = await slicesOf(asked);
      const slice = slices.find(({ row, beginNs, endNs }) => row === item && beginNs <= ns && ns <= endNs);
      return slice === undefined ? {} : { State: DOING_LABELS[slice.doing], What: slice.label };
    },
    styles: graphStyles,
  };
}
