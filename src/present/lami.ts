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
      "column-descriptions": table.columns.flatMap((column: Column) => column.lami ?? []),
    };
  }
  return table.title === undefined ? table.class : { inherit: table.class, title: table.title };
}

const quoted = new Map<string, string>();

/** JSON of a string; the names in a trace come again and again. */
function quote(text: string): string {
  let known = quoted.get(text);
  if (known === undefined) {
    known = JSON.stringify(text);
    if (quoted.size >= 10_000) quoted.clear();
    quoted.set(text, known);
  }
  return known;
}

/** Rows of logs are very many: the usual cells are written by hand. */
function cellJson(cell: Cell): string {
  if (cell === null) return "null";
  switch (cell.class) {
    case "timestamp":
      return `{"class": "timestamp", "value": ${cell.value}}`;
    case "time-range":
      return `{"class": "time-range", "begin": ${cellJson(cell.begin)}, "end": ${cellJson(cell.end)}}`;
    case "bool":
    case "number":
    case "ratio":
    case "duration":
    case "size":
    case "bitrate":
      return `{"class": "${cell.class}", "value": ${cell.value}}`;
    case "syscall":
    case "disk":
    case "part":
    case "netif":
      if (cell.host === undefined) return `{"class": "${cell.class}", "name": ${quote(cell.name)}}`;
      break;
    case "path":
      if (cell.host === undefined) return `{"class": "path", "path": ${quote(cell.path)}}`;
      break;
    case "fd":
      return `{"class": "fd", "fd": ${cell.fd}}`;
    case "process":
      if (cell.host === undefined) {
        const pid = cell.pid === undefined ? "" : `, "pid": ${cell.pid}`;
        return `{"class": "process", "name": ${quote(cell.name)}${pid}, "tid": ${cell.tid}}`;
      }
      break;
  }
  return exactJson(cell);
}

/** Writes down rows: the cells that LAMI has a column for, in the order of the table class. */
export function lamiRows(
  table: Pick<Table, "class" | "dynamic" | "columns">,
  classes: Classes,
): (row: Row) => string {
  const order = lamiOrder(table, classes);
  return (row) => {
    let out = "[";
    for (let i = 0; i < order.length; i++) out += `${i > 0 ? ", " : ""}${cellJson(row[order[i]!]!)}`;
    return `${out}]`;
  };
}

type Classes = Readonly<Record<string, TableClass>>;

/** Indexes of columns: text may show them in another order than the table class has. */
function lamiOrder(table: Pick<Table, "class" | "dynamic" | "columns">, classes: Classes): number[] {
  const told = table.columns.flatMap((column, i) => (column.lami === undefined ? [] : [i]));
  if (table.dynamic || table.class === undefined) return told;
  return classes[table.class]!.columns.map((column) => {
    const at = table.columns.findIndex((c) => c.lami === column);
    return at >= 0 ? at : table.columns.findIndex((c) => c.lami?.title === column.title);
  });
}

/** A results object; `data` are rows as text (see `lamiRow`), which may be very many. */
export function lamiResultHead(
  table: Pick<Table, "class" | "title" | "dynamic" | "columns">,
  range: Cell,
): string {
  return `{"class": ${exactJson(classOf(table as Table))}, "time-range": ${exactJson(range)}, "data": [`;
}
