/** LAMI 1.0: what a program prints for Trace Compass and other readers of analyses' results. */

import type { AnyAnalysis } from "../analyses/analysis.js";
import type { Cell, Column, Row, Table, TableClass } from "../analyses/table.js";

export const MI_VERSION = "1.0";

/** JSON with integers beyond 2^53 written exactly. */
export function exactJson(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(exactJson).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const parts = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `${JSON.stringify(key)}: ${exactJson(item)}`);
    return `{${parts.join(", ")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

function tableClassObject({ title, columns }: TableClass): object {
  return { title, "column-descriptions": columns };
}

/** The metadata object. */
export function lamiMetadata(analysis: AnyAnalysis, version: string): string {
  const [major, minor, patch] = version.split(".").map(Number);
  const classes = Object.entries(analysis.tableClasses as Record<string, TableClass>);
  return exactJson({
    "mi-version": { major: 1, minor: 0 },
    version: { major, minor, patch, extra: "" },
    title: analysis.title,
    authors: ["Periscope"],
    description: analysis.description,
    tags: ["linux-kernel", "lttng-analyses", ...analysis.tags],
    "table-classes": Object.fromEntries(classes.map(([name, value]) => [name, tableClassObject(value)])),
  });
}

/** The error object. `code` is a word that programs may look at. */
export function lamiError(message: string, code: string): string {
  return exactJson({ "error-message": message, "error-code": code });
}

/** A progress line; `share` is from 0 to 1. */
export function lamiProgress(share: number, message: string): string {
  return `${Number(Math.min(1, Math.max(0, share)).toFixed(4))} ${message}`;
}

/** How a results object names its table class. */
function classOf(table: Table): unknown {
  if (table.dynamic) {
    return {
      title: table.title,
      "column-descriptions": lamiColumns(table.columns).map((column) => column.lami),
    };
  }
  return table.title === undefined ? table.class : { inherit: table.class, title: table.title };
}

function lamiColumns(columns: readonly Column[]): Column[] {
  return columns.filter((column) => column.lami !== undefined);
}

/** Writes the cells of a row that LAMI has a column for. */
export function lamiRow(columns: readonly Column[], row: Row): string {
  const cells: string[] = [];
  columns.forEach((column, i) => {
    if (column.lami !== undefined) cells.push(cellJson(row[i]!));
  });
  return `[${cells.join(", ")}]`;
}

function cellJson(cell: Cell): string {
  if (cell !== null && cell.class === "timestamp" && cell.mark !== undefined) {
    return exactJson({ class: "timestamp", value: cell.value });
  }
  return exactJson(cell);
}

/** A results object; `data` are rows as text (see `lamiRow`), which may be very many. */
export function lamiResultHead(
  table: Pick<Table, "class" | "title" | "dynamic" | "columns">,
  range: Cell,
): string {
  return `{"class": ${exactJson(classOf(table as Table))}, "time-range": ${exactJson(range)}, "data": [`;
}

/** The columns of a class are in the order of the table class, which text may show differently. */
export function inLamiOrder(table: Table, classes: Readonly<Record<string, TableClass>>): Table {
  if (table.dynamic || table.class === undefined) return table;
  const order = classes[table.class]?.columns ?? [];
  const at = order.map((column) => table.columns.findIndex((c) => c.lami === column));
  const rows = [...table.rows];
  return {
    ...table,
    columns: at.map((i) => table.columns[i]!),
    rows: rows.map((row) => at.map((i) => row[i]!)),
  };
}
