/**
 * Histories in files, so that opening a trace again takes no time: `PSH1`, the length of a JSON header, the header,
 * and the columns as they are in memory (little endian, each at a multiple of 8 bytes). Rows are read when they are
 * first asked for. A file that is cut short or not ours is as good as none.
 */
import { closeSync, openSync, readSync, renameSync, statSync, writeSync } from "node:fs";
import type { Columns } from "../base/columns.js";
import { type Device, History, type RowName } from "./history.js";
import { OVERVIEW_BYTES } from "./pixels.js";
import { activeTimes } from "./range-summary.js";
import type { RowKind } from "./state-row.js";
import type { Tables } from "./tables.js";

const MAGIC = 0x31485350;
/** Raise it when what is written, or what it means, changes. */
export const STORE_VERSION = 1;

const ARRAYS = { f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const;

/** Offset of each column after the header, by name. */
type Offsets = Record<string, number>;

interface StoredRow {
  readonly kind: RowKind;
  readonly host: number;
  readonly length: number;
  readonly at: Offsets;
  /** Of its overview; -1 none. */
  readonly overview: number;
  readonly activeNs: number;
  readonly name: RowName;
}

interface Header {
  readonly version: number;
  readonly originNs: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly eventRecords: number;
  readonly problems: readonly string[];
  readonly hosts: readonly string[];
  readonly syscallNames: readonly string[];
  readonly targets: readonly string[];
  readonly devices: readonly Device[];
  readonly irqNames: readonly (readonly [string, string])[];
  readonly rows: readonly StoredRow[];
  readonly tables: Readonly<Record<string, { readonly length: number; readonly at: Offsets }>>;
  /** Bytes after the header. */
  readonly bytes: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Writes a complete history; the file appears under its name when it is whole. */
export function saveHistory(history: History, path: string): void {
  const parts: Uint8Array[] = [];
  let at = 0;
  const put = (values: Float64Array | Int32Array | Uint8Array): number => {
    const offset = at;
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    at = aligned(at + values.byteLength);
    return offset;
  };
  const putColumns = <N extends string>(columns: Columns<N>): { length: number; at: Offsets } => ({
    length: columns.length,
    at: Object.fromEntries(columns.names.map((name) => [name, put(columns.used(name))])),
  });
  const { pixels, untilNs } = history;
  const active = activeTimes(history);
  const rows = history.rows.map(
    (row): StoredRow => ({
      kind: row.kind,
      host: row.host,
      ...putColumns(row.columns),
      overview: pixels.isLarge(row) ? put(pixels.overview(row, untilNs).pixels) : -1,
      activeNs: active[row.id]!,
      name: history.names[row.id]!,
    }),
  );
  const tables = Object.fromEntries(
    Object.entries(history.tables).map(([name, columns]) => [name, putColumns(columns as Columns<string>)]),
  );
  const { originNs, beginNs, endNs, eventRecords, problems, hosts, syscallNames, targets, devices } = history;
  const header: Header = {
    version: STORE_VERSION,
    originNs: String(originNs),
    beginNs,
    endNs,
    eventRecords,
    problems,
    hosts,
    syscallNames,
    targets,
    devices,
    irqNames: [...history.irqNames],
    rows,
    tables,
    bytes: at,
  };
  const text = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(16);
  start.writeUInt32LE(MAGIC, 0);
  start.writeUInt32LE(text.length, 4);
  const partial = `${path}.${process.pid}.part`;
  const file = openSync(partial, "w", 0o600);
  try {
    writeAll(file, start);
    writeAll(file, text);
    const gap = aligned(text.length) - text.length;
    if (gap > 0) writeAll(file, Buffer.alloc(gap));
    const zeros = new Uint8Array(8);
    for (const part of parts) {
      writeAll(file, part);
      const spare = aligned(part.length) - part.length;
      if (spare > 0) writeAll(file, zeros.subarray(0, spare));
    }
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** The history in a file; undefined: there is none, or none of this version. The file stays open. */
export function loadHistory(path: string): History | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  const header = readHeader(file);
  if (header === undefined) {
    closeSync(file);
    return undefined;
  }
  const { stored, base } = header;
  const history = new History();
  history.originNs = BigInt(stored.originNs);
  history.beginNs = stored.beginNs;
  history.endNs = history.knownUntilNs = stored.endNs;
  history.eventRecords = stored.eventRecords;
  history.problems = stored.problems;
  history.hosts.push(...stored.hosts);
  history.syscallNames.push(...stored.syscallNames);
  history.targets.length = 0;
  for (const target of stored.targets) history.targets.push(target);
  history.devices.push(...stored.devices);
  for (const [key, name] of stored.irqNames) history.irqNames.set(key, name);
  history.complete = true;
  history.activeNs = Float64Array.from(stored.rows, ({ activeNs }) => activeNs);
  const fill = <N extends string>(columns: Columns<N>, length: number, at: Offsets): void => {
    const arrays = {} as Record<N, Float64Array | Int32Array | Uint8Array>;
    for (const name of columns.names) {
      const array = new ARRAYS[columns.type(name)](length);
      readAll(file, new Uint8Array(array.buffer), base + at[name]!);
      arrays[name] = array;
    }
    columns.adopt(length, arrays);
  };
  for (const { kind, host, length, at, overview, name } of stored.rows) {
    const row = history.addRow(kind, host, name);
    row.stored = length;
    row.load = (one) => fill(one.columns, length, at);
    if (overview >= 0) {
      history.pixels.adopt(row, () => {
        const pixels = new Uint8Array(OVERVIEW_BYTES);
        readAll(file, pixels, base + overview);
        return pixels;
      });
    }
  }
  for (const name of Object.keys(history.tables) as (keyof Tables)[]) {
    const { length, at } = stored.tables[name]!;
    const columns = history.tables[name] as Columns<string>;
    // Read when it is first asked for: the first picture needs none of them.
    Object.defineProperty(history.tables, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        fill(columns, length, at);
        Object.defineProperty(history.tables, name, { value: columns, enumerable: true });
        return columns;
      },
    });
  }
  return history;
}

function readHeader(file: number): { stored: Header; base: number } | undefined {
  const start = Buffer.alloc(16);
  if (readSync(file, start, 0, 16, 0) < 16 || start.readUInt32LE(0) !== MAGIC) return undefined;
  const length = start.readUInt32LE(4);
  const size = statSync(`/proc/self/fd/${file}`).size;
  if (length > size) return undefined;
  const text = Buffer.alloc(length);
  if (readSync(file, text, 0, length, 16) < length) return undefined;
  let stored: Header;
  try {
    stored = JSON.parse(text.toString()) as Header;
  } catch {
    return undefined;
  }
  const base = 16 + aligned(length);
  return stored.version === STORE_VERSION && base + stored.bytes <= size ? { stored, base } : undefined;
}

function readAll(file: number, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(file, into, done, into.length - done, position + done);
    if (read === 0) throw new Error("the history's file became shorter");
    done += read;
  }
}
