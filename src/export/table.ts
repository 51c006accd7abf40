/** Tables for spreadsheets and data frames: instances of periods, or states of threads, CPUs and disks. */
import { DOING_LABELS, Doing } from "../history/doing.js";
import { stateLabel } from "../history/labels.js";
import type { TextSink } from "./text-sink.js";
import { epochNs, instancesOf, type Timeline } from "./timeline.js";

export type TableName = "periods" | "states";

export type ColumnKind = "moment" | "integer" | "text" | "boolean";

export interface ExportTable {
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
  /** Moments are bigints (ns since the Unix epoch), durations numbers (ns). */
  readonly rows: Iterable<readonly (bigint | number | string | boolean)[]>;
}

const PERIODS = [
  ["id", "integer"],
  ["parent_id", "integer"],
  ["period", "text"],
  ["begin_ns", "moment"],
  ["end_ns", "moment"],
  ["duration_ns", "integer"],
  ["host", "text"],
  ["tid", "integer"],
  ["completed", "boolean"],
  ["captures", "text"],
] as const;
const STATES = [
  ["kind", "text"],
  ["host", "text"],
  ["name", "text"],
  ["pid", "integer"],
  ["tid", "integer"],
  ["begin_ns", "moment"],
  ["end_ns", "moment"],
  ["duration_ns", "integer"],
  ["state", "text"],
  ["detail", "text"],
] as const;

export function tableOf(timeline: Timeline, name: TableName): ExportTable {
  const columns = (name === "periods" ? PERIODS : STATES).map(([column, kind]) => ({ name: column, kind }));
  return { columns, rows: name === "periods" ? periodRows(timeline) : stateRows(timeline) };
}

function* periodRows(timeline: Timeline): Generator<(bigint | number | string | boolean)[]> {
  for (const one of instancesOf(timeline)) {
    yield [
      one.id,
      one.parent,
      one.path,
      epochNs(timeline, one.beginNs),
      epochNs(timeline, one.endNs),
      one.endNs - one.beginNs,
      one.host,
      one.tid,
      one.completed,
      JSON.stringify(Object.fromEntries(one.captures)),
    ];
  }
}

function* stateRows(timeline: Timeline): Generator<(bigint | number | string | boolean)[]> {
  const { history, range } = timeline;
  for (const row of history.rows) {
    const name = history.names[row.id]!;
    for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
      const beginNs = row.ns[i]!;
      if (beginNs > range.endNs) break;
      const endNs = row.endOf(i, history.untilNs);
      const doing = row.doing[i] as Doing;
      if (doing === Doing.none || endNs < range.beginNs) continue;
      yield [
        row.kind,
        history.hosts[row.host] ?? "",
        name.label,
        name.pid,
        name.tid,
        epochNs(timeline, beginNs),
        epochNs(timeline, endNs),
        endNs - beginNs,
        DOING_LABELS[doing],
        stateLabel(history, row.id, doing, row.arg[i]!),
      ];
    }
  }
}

/** RFC 4180, with a line of names. */
export function writeCsv({ columns, rows }: ExportTable, out: TextSink): void {
  const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  out.write(`${columns.map(({ name }) => name).join(",")}\r\n`);
  for (const row of rows) out.write(`${row.map((value) => quoted(String(value))).join(",")}\r\n`);
}

/** Apache Parquet; moments and durations are 64-bit integers. Holds the table in memory. */
export async function parquetOf({ columns, rows }: ExportTable): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const data: (bigint | string | boolean)[][] = columns.map(() => []);
  for (const row of rows) {
    for (const [i, value] of row.entries())
      data[i]!.push(typeof value === "number" ? BigInt(Math.round(value)) : value);
  }
  const types = { moment: "INT64", integer: "INT64", text: "STRING", boolean: "BOOLEAN" } as const;
  const columnData = columns.map(({ name, kind }, i) => ({ name, type: types[kind], data: data[i]! }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
