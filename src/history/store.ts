/**
 * Histories in files, so that opening a trace again takes no time: a start (magic, version, length and sum of the
 * header), a JSON header, and sections of columns as they are in memory (little endian, each column at a multiple of 8
 * bytes). A section is what is read at once: a row's states, its overview, a table. Rows are read when they are first
 * asked for, and held against the sum in the header then: checking the whole file would cost what keeping it saves.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { threadId } from "node:worker_threads";
import type { Columns, ColumnType } from "../base/columns.js";
import { DataError } from "../base/errors.js";
import { writeAll } from "../base/write-all.js";
import { type Device, History, type RowName } from "./history.js";
import { OVERVIEW_BYTES } from "./pixels.js";
import { activeTimes } from "./range-summary.js";
import type { RowKind } from "./state-row.js";
import type { Tables } from "./tables.js";

const MAGIC = 0x31485350;
/** Raise it when what is written, or what it means, changes. */
export const STORE_VERSION = 4;
/** Bytes before the header: magic, version, length of the header (32 bits each), 4 spare ones, sum of the header. */
const START = 24;

const ARRAYS = { f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const;

interface Section {
  /** Offset of its first byte after the header. */
  readonly at: number;
  readonly bytes: number;
  readonly sum: string;
}

interface StoredColumns extends Section {
  /** Elements of every column. */
  readonly length: number;
}

interface StoredRow {
  readonly kind: RowKind;
  readonly host: number;
  readonly states: StoredColumns;
  readonly overview?: Section;
  readonly activeNs: number;
  readonly name: RowName;
}

interface Header {
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
  readonly tables: Readonly<Record<string, StoredColumns>>;
  /** Bytes after the header. */
  readonly bytes: number;
}

/** A kept history is not as it was written. */
export class DamagedHistory extends DataError {
  override name = "DamagedHistory";
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** 64 bits against what disks and copies do to files; nobody is kept from writing a wrong file on purpose. */
const SUM_BYTES = 8;
const sumOf = (hash: ReturnType<typeof createHash>): Buffer => hash.digest().subarray(0, SUM_BYTES);
const sumOfBytes = (bytes: Uint8Array): Buffer => sumOf(createHash("sha256").update(bytes));

type Column = Float64Array | Int32Array | Uint8Array;

/** Writes a complete history; the file appears under its name when it is whole, and nothing stays when it fails. */
export function saveHistory(history: History, path: string): void {
  const parts: Uint8Array[] = [];
  const zeros = new Uint8Array(8);
  let at = 0;
  const put = (arrays: readonly Column[]): Section => {
    const hash = createHash("sha256");
    const begin = at;
    const add = (part: Uint8Array): void => {
      if (part.length === 0) return;
      parts.push(part);
      hash.update(part);
      at += part.length;
    };
    for (const { buffer, byteOffset, byteLength } of arrays) {
      add(new Uint8Array(buffer, byteOffset, byteLength));
      add(zeros.subarray(0, aligned(byteLength) - byteLength));
    }
    return { at: begin, bytes: at - begin, sum: sumOf(hash).toString("hex") };
  };
  const putColumns = <N extends string>(columns: Columns<N>): StoredColumns => ({
    length: columns.length,
    ...put(columns.names.map((name) => columns.used(name))),
  });
  const { pixels, untilNs } = history;
  const active = activeTimes(history);
  const rows = history.rows.map(
    (row): StoredRow => ({
      kind: row.kind,
      host: row.host,
      states: putColumns(row.columns),
      ...(pixels.isLarge(row) ? { overview: put([pixels.overview(row, untilNs).pixels]) } : {}),
      activeNs: active[row.id]!,
      name: history.names[row.id]!,
    }),
  );
  const tables = Object.fromEntries(
    Object.entries(history.tables).map(([name, columns]) => [name, putColumns(columns as Columns<string>)]),
  );
  const { originNs, beginNs, endNs, eventRecords, problems, hosts, syscallNames, targets, devices } = history;
  const header: Header = {
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
  const start = Buffer.alloc(START);
  start.writeUInt32LE(MAGIC, 0);
  start.writeUInt32LE(STORE_VERSION, 4);
  start.writeUInt32LE(text.length, 8);
  start.set(sumOfBytes(text), 16);
  // Threads of one process may keep the same traces at once.
  const partial = `${path}.${process.pid}.${threadId}${PARTIAL}`;
  try {
    const file = openSync(partial, "w", 0o600);
    try {
      writeAll(file, start);
      writeAll(file, text);
      writeAll(file, zeros.subarray(0, aligned(text.length) - text.length));
      for (const part of parts) writeAll(file, part);
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** How the names of files end that are still being written. */
export const PARTIAL = ".part";

/**
 * The history in a file; undefined: there is none, or none of this version. The file stays open. Throws
 * `DamagedHistory`, and so do the rows of the history when they are read.
 */
export function loadHistory(path: string): History | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const header = readHeader(path, file);
    if (header !== undefined) return historyOf(header.stored, new Sections(path, file, header.base));
  } catch (error) {
    closeSync(file);
    throw error;
  }
  closeSync(file);
  return undefined;
}

function historyOf(stored: Header, sections: Sections): History {
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
  for (const { kind, host, states, overview, name } of stored.rows) {
    const row = history.addRow(kind, host, name);
    row.stored = states.length;
    row.load = (columns) => sections.fill(columns, states);
    if (overview !== undefined) history.pixels.adopt(row, () => sections.read(overview, OVERVIEW_BYTES));
  }
  for (const name of Object.keys(history.tables) as (keyof Tables)[]) {
    const columns = history.tables[name] as Columns<string>;
    // Read when it is first asked for: the first picture needs none of them.
    Object.defineProperty(history.tables, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        sections.fill(columns, stored.tables[name]!);
        Object.defineProperty(history.tables, name, { value: columns, enumerable: true });
        return columns;
      },
    });
  }
  return history;
}

/** The sections of an open file. */
class Sections {
  constructor(
    private readonly path: string,
    private readonly file: number,
    /** Offset of the first one in the file. */
    private readonly base: number,
  ) {}

  /** A section of `bytes` bytes. Throws `DamagedHistory`. */
  read({ at, sum }: Section, bytes: number): Uint8Array {
    const all = new Uint8Array(bytes);
    readAll(this.path, this.file, all, this.base + at);
    if (sumOfBytes(all).toString("hex") !== sum) {
      throw new DamagedHistory(this.path, this.base + at, `${bytes} bytes are not those that were written`);
    }
    return all;
  }

  /** Throws `DamagedHistory`. */
  fill<N extends string>(columns: Columns<N>, stored: StoredColumns): void {
    const { buffer } = this.read(stored, stored.bytes);
    const arrays = {} as Record<N, Column>;
    let at = 0;
    for (const name of columns.names) {
      const make = ARRAYS[columns.type(name) satisfies ColumnType];
      arrays[name] = new make(buffer as ArrayBuffer, at, stored.length);
      at += aligned(stored.length * make.BYTES_PER_ELEMENT);
    }
    columns.adopt(stored.length, arrays);
  }
}

/** Undefined: it is of another version. Throws `DamagedHistory`. */
function readHeader(path: string, file: number): { stored: Header; base: number } | undefined {
  const start = Buffer.alloc(START);
  readAll(path, file, start, 0);
  if (start.readUInt32LE(0) !== MAGIC) throw new DamagedHistory(path, 0, "no history begins here");
  if (start.readUInt32LE(4) !== STORE_VERSION) return undefined;
  const length = start.readUInt32LE(8);
  const base = START + aligned(length);
  const { size } = fstatSync(file);
  if (base > size) throw new DamagedHistory(path, size, `the file ends, expected ${base} bytes and more`);
  const text = Buffer.alloc(length);
  readAll(path, file, text, START);
  if (!sumOfBytes(text).equals(start.subarray(16, 16 + SUM_BYTES))) {
    throw new DamagedHistory(path, START, "the header is not the one that was written");
  }
  const stored = JSON.parse(text.toString()) as Header;
  const whole = base + stored.bytes;
  if (size < whole) throw new DamagedHistory(path, size, `the file ends, expected ${whole} bytes`);
  return { stored, base };
}

/** Throws `DamagedHistory` when there is less, or it cannot be read. */
function readAll(path: string, file: number, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    let read: number;
    try {
      read = readSync(file, into, done, into.length - done, position + done);
    } catch (error) {
      throw new DamagedHistory(path, position + done, (error as Error).message);
    }
    if (read === 0) throw new DamagedHistory(path, position + done, "the file ends too early");
    done += read;
  }
}
