/** Logs: rows in order, kept in the result while nobody else takes them as they come. */

import type { TableContext } from "./analysis.js";
import type { Column, Row, Table } from "./table.js";

/** Options of families with a log. */
export interface LogOptions<T> {
  readonly log: boolean;
  /** Takes the rows as they come, in the log's order; the result then has none. */
  readonly logTo?: (row: T) => void;
}

/** The log's table, row by row. */
export interface LogTable<T> {
  readonly class: string;
  readonly heading: string;
  readonly columns: readonly Column[];
  cells(row: T, context: Pick<TableContext<unknown>, "epochNs" | "hosts">): Row;
}

/** Rows of one slice's log. */
export class LogRows<T> {
  /** Empty when they went elsewhere. */
  readonly rows: T[] = [];
  count = 0;

  constructor(private readonly options: LogOptions<T>) {}

  add(row: T): void {
    this.count++;
    if (this.options.logTo !== undefined) this.options.logTo(row);
    else this.rows.push(row);
  }
}

/** The table of a log whose rows are in the result. */
export function logTable<T>(
  log: LogTable<T>,
  rows: readonly T[],
  context: Pick<TableContext<unknown>, "epochNs" | "hosts">,
): Table {
  return {
    class: log.class,
    heading: log.heading,
    columns: log.columns,
    rows: rows.map((row) => log.cells(row, context)),
    view: { kind: "table" },
    always: true,
  };
}
