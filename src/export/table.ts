/** Tables for spreadsheets and data frames: instances of periods, or states of threads, CPUs and disks. */
import { DOING_LABELS, DOINGS, Doing } from "../history/doing.js";
import { stateLabel } from "../history/labels.js";
import { ByteBuffer } from "./byte-buffer.js";
import type { FileSink } from "./text-sink.js";
import { instancesOf, type Timeline } from "./timeline.js";

export type TableName = "periods" | "states";

export type ColumnKind = "moment" | "integer" | "text" | "boolean";

type Value = number | string | boolean;

export interface ExportTable {
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
  /** Epoch nanoseconds from which moments count. */
  readonly originNs: bigint;
  /** Moments and durations are nanoseconds. A row may be the array of the row before. */
  readonly rows: Iterable<readonly Value[]>;
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
  const { originNs } = timeline.history;
  return { columns, originNs, rows: name === "periods" ? periodRows(timeline) : stateRows(timeline) };
}

function* periodRows(timeline: Timeline): Generator<Value[]> {
  for (const one of instancesOf(timeline)) {
    yield [
      one.id,
      one.parent,
      one.path,
      one.beginNs,
      one.endNs,
      one.endNs - one.beginNs,
      one.host,
      one.tid,
      one.completed,
      JSON.stringify(Object.fromEntries(one.captures)),
    ];
  }
}

function* stateRows(timeline: Timeline): Generator<Value[]> {
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
        beginNs,
        endNs,
        endNs - beginNs,
        DOING_LABELS[doing],
        detail,
      ];
    }
  }
}

const COMMA = Buffer.from(",");
const LINE_END = Buffer.from("\r\n");
const PIECE = 1 << 18;
const SECOND = 1_000_000_000;
const MOST_TEXTS = 100_000;

/** RFC 4180, with a line of names. Hot (`bench/export.mjs`): texts are encoded once, digits written one by one. */
export function writeCsv({ columns, originNs, rows }: ExportTable, sink: FileSink): void {
  const out = new ByteBuffer();
  const originSeconds = Number(originNs / BigInt(SECOND));
  const originRest = Number(originNs % BigInt(SECOND));
  const moment = (value: number): void => {
    const ns = originRest + Math.floor(value);
    const seconds = Math.floor(ns / SECOND);
    out.decimal(originSeconds + seconds);
    out.decimal(ns - seconds * SECOND, 9);
  };
  const texts = new Map<string, Uint8Array>();
  const text = (value: string): void => {
    let bytes = texts.get(value);
    if (bytes === undefined) {
      bytes = Buffer.from(/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
      if (texts.size < MOST_TEXTS) texts.set(value, bytes);
    }
    out.raw(bytes);
  };
  out.text(`${columns.map(({ name }) => name).join(",")}\r\n`);
  const kinds = columns.map(({ kind }) => kind);
  for (const row of rows) {
    for (let i = 0; i < kinds.length; i++) {
      const value = row[i]!;
      if (i > 0) out.raw(COMMA);
      if (kinds[i] === "moment") moment(value as number);
      else if (typeof value !== "number") text(`${value}`);
      else if (value >= 0) out.decimal(Math.round(value));
      else out.text(`${Math.round(value)}`);
    }
    out.raw(LINE_END);
    if (out.length < PIECE) continue;
    sink.bytes(out.used());
    out.length = 0;
  }
  sink.bytes(out.used());
}

/** Rows that are in memory at once: a row group of the file. */
const GROUP = 50_000;
const TYPES = { moment: "INT64", integer: "INT64", text: "STRING", boolean: "BOOLEAN" } as const;

/** Apache Parquet; moments and durations are 64-bit integers. */
export async function writeParquet({ columns, originNs, rows }: ExportTable, out: FileSink): Promise<void> {
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
      if (typeof value !== "number") data[i]!.push(value);
      else if (columns[i]!.kind === "moment") data[i]!.push(originNs + BigInt(Math.floor(value)));
      else data[i]!.push(BigInt(Math.round(value)));
    });
    if (data[0]!.length === GROUP) await write();
  }
  if (data[0]!.length > 0) await write();
  await parquet.finish();
  writer.flush();
}
