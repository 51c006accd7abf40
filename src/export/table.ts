/** Tables for spreadsheets and data frames: instances of periods, or states of threads, CPUs and disks. */
import { DOING_LABELS, DOINGS, Doing } from "../history/doing.js";
import { stateLabel } from "../history/labels.js";
import type { FileSink, TextSink } from "./text-sink.js";
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
    /** Texts are made once for all states of the row that are alike. */
    const details = new Map<number, string>();
    for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
      const beginNs = row.ns[i]!;
      if (beginNs > range.endNs) break;
      const endNs = row.endOf(i, history.untilNs);
      const doing = row.doing[i] as Doing;
      if (doing === Doing.none || endNs < range.beginNs) continue;
      const arg = row.arg[i]!;
      const key = arg * DOINGS + doing;
      let detail = details.get(key);
      if (detail === undefined) details.set(key, (detail = stateLabel(history, row.id, doing, arg)));
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
        detail,
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

/** Rows that are in memory at once: a row group of the file. */
const GROUP = 50_000;
const TYPES = { moment: "INT64", integer: "INT64", text: "STRING", boolean: "BOOLEAN" } as const;

/** Apache Parquet; moments and durations are 64-bit integers. */
export async function writeParquet({ columns, rows }: ExportTable, out: FileSink): Promise<void> {
  const { ByteWriter, ParquetWriter, schemaFromColumnData } = await import("hyparquet-writer");
  const data: (bigint | string | boolean)[][] = columns.map(() => []);
  const columnData = columns.map(({ name }, i) => ({ name, data: data[i]! }));
  const writer = Object.assign(new ByteWriter(1 << 20), {
    /** After each row group. */
    flush(): void {
      out.bytes(writer.getBytes());
      writer.index = 0;
    },
  });
  const schema = schemaFromColumnData({
    columnData: columns.map(({ name, kind }) => ({ name, data: [], type: TYPES[kind], nullable: false })),
  });
  const parquet = new ParquetWriter({ writer, schema });
  const write = async (): Promise<void> => {
    await parquet.write({ columnData, rowGroupSize: GROUP });
    for (const column of data) column.length = 0;
  };
  for (const row of rows) {
    row.forEach((value, i) => {
      data[i]!.push(typeof value === "number" ? BigInt(Math.round(value)) : value);
    });
    if (data[0]!.length === GROUP) await write();
  }
  if (data[0]!.length > 0) await write();
  await parquet.finish();
  writer.flush();
}
