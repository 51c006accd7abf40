/** The table of all event records. */
import { EVENT_COLUMNS, type EventLine } from "../../event-log.js";
import type { Column, Lines, TableLine } from "../model.js";
import { type Asked, epochOf, type Provider } from "../provider.js";
import { columnsOf, countOf, firstIndex, searchOf } from "./latencies.js";

const COLUMNS: readonly Column[] = [
  { id: 0, name: "Timestamp", description: "Epoch ns", type: "TIMESTAMP" },
  { id: 1, name: "Host", description: "", type: "STRING" },
  { id: 2, name: "CPU", description: "", type: "NUMBER" },
  { id: 3, name: "Event type", description: "Name of the event", type: "STRING" },
  { id: 4, name: "Contents", description: "Its fields", type: "STRING" },
];

export const eventTable: Provider = {
  description: {
    id: "org.eclipse.tracecompass.internal.provisional.tmf.core.model.events.TmfEventTableDataProvider",
    name: "Events Table",
    description: "Every event record with its fields",
    type: "TABLE",
  },
  columns: () => COLUMNS,
  async lines(asked): Promise<Lines> {
    const { parameters, experiment, info } = asked;
    const count = countOf(parameters);
    const columnIds = columnsOf(parameters, COLUMNS);
    const search = searchOf(parameters);
    const reader = experiment.eventReader;
    const index = await firstIndex(
      parameters,
      async (ns) => (await reader.events({ ns, count: 0 })).index,
      info.originNs,
    );
    const {
      index: lowIndex,
      total,
      lines,
    } = await reader.events({
      index,
      count,
      ...(search === undefined
        ? {}
        : {
            search: Object.fromEntries(
              [...search.byColumn].map(([column, text]) => [EVENT_COLUMNS[column] ?? "text", text]),
            ),
            backwards: search.backwards,
          }),
    });
    if (lowIndex < 0) return { lowIndex: 0, size: 0, columnIds, lines: [] };
    return {
      lowIndex,
      size: total,
      columnIds,
      lines: lines.map((line): TableLine => {
        const cells = cellsOf(asked, line);
        // 8: it matches the search.
        const tags = search?.test(cells) === true ? 8 : 0;
        return {
          index: line.index,
          cells: columnIds.map((id) => ({ content: cells[id]! })),
          ...(tags === 0 ? {} : { tags }),
        };
      }),
    };
  },
};

function cellsOf({ info }: Asked, line: EventLine): string[] {
  return [`${epochOf(info, line.ns)}`, info.hosts[line.host] ?? "", `${line.cpu}`, line.name, line.text];
}
