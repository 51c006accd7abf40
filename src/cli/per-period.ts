/** `--per-period`: one line for each instance, with what the analyses say in short. */
import type { Slice } from "../analyses/run.js";
import { type Column, duration, type Row, text } from "../analyses/table.js";
import { UsageError } from "../base/errors.js";
import { capturesText, periodName } from "../present/period-text.js";
import { LogText, type TablesTextOptions } from "../present/tables-text.js";
import { contextOf, type Job } from "./analysis-job.js";

const PERIOD_COLUMNS: readonly Column[] = [
  { lami: undefined, text: "Begin", class: "timestamp" },
  { lami: undefined, text: "Period", class: "string" },
  { lami: undefined, text: "Duration", class: "duration" },
];

/** The table's heading and rows. Throws `UsageError` when none of the analyses can be told in one line. */
export function perPeriodTable(
  job: Job,
  options: TablesTextOptions,
): { header: () => string[]; row: (slice: Slice) => string } {
  const { hosts, epochNs } = contextOf(job.source);
  const told = job.requests.filter(({ analysis }) => analysis.line !== undefined);
  if (told.length === 0) throw new UsageError("--per-period: this analysis has no short form");
  const table = new LogText(
    [
      ...PERIOD_COLUMNS,
      ...told.flatMap(({ analysis }) => analysis.line!.columns),
      { lami: undefined, text: "Captures", class: "string", drop: 1 },
    ],
    options,
  );
  return {
    header: () => table.header("Per period"),
    row({ period, beginNs, endNs, beginEpochNs, results }) {
      const { definition, completed, uncertain, beginCaptures, endCaptures } = period!;
      const mark = `${completed ? "" : " (open)"}${uncertain ? " (?)" : ""}`;
      const cells: Row = [
        { class: "timestamp", value: beginEpochNs },
        text(`${periodName(definition.name)}${mark}`),
        duration(endNs - beginNs),
        ...results.flatMap(({ analysis, options: of, result }) =>
          analysis.line === undefined
            ? []
            : analysis.line.cells(result, { options: of, beginNs, endNs, epochNs, hosts }),
        ),
        text(capturesText([...beginCaptures, ...endCaptures])),
      ];
      return table.row(cells);
    },
  };
}
