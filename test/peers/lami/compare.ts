/** Compares two LAMI results objects value by value. */

// biome-ignore lint/suspicious/noExplicitAny: data objects of any class
export type Cell = any;

export interface Results {
  readonly results: readonly {
    readonly class: string | { title: string; inherit?: string };
    readonly data: Cell[][];
  }[];
}

export interface Difference {
  /** Table, with what makes it one of several. */
  readonly table: string;
  readonly what: "cell" | "row missing" | "row extra" | "table missing" | "table extra" | "bins";
  /** Index of the column, for cells. */
  readonly column: number;
  readonly key: string;
  /** Values of the cell, or rows. */
  readonly reference: Cell;
  readonly ours: Cell;
  /** Our row, for cells. */
  readonly row: readonly Cell[];
}

/** Table classes made dynamic by a title: what stands in brackets makes the difference. */
function tableName(of: Results["results"][number]["class"]): string {
  if (typeof of === "string") return of;
  const inner = /\[(.*)\]$/.exec(of.title)?.[1] ?? of.title;
  // Names of processes are compared elsewhere.
  const thread = /TID: (\d+)\)$/.exec(inner);
  return `${of.inherit ?? ""} [${thread === null ? inner : `TID ${thread[1]}`}]`;
}

/** The value of a cell, as something to compare. */
export function cellValue(cell: Cell): unknown {
  if (cell === null || cell.class === "unknown") return null;
  switch (cell.class) {
    case "process":
      return `${cell.name} (${cell.tid})`;
    case "time-range":
      return `${cell.begin.value}..${cell.end.value}`;
    case "irq":
      return `${cell.hard} ${cell.nr} ${cell.name}`;
    default:
      return cell.value ?? cell.name ?? cell.path ?? cell.fd ?? cell.id ?? null;
  }
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "number" || typeof b !== "number") return false;
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}

/** What a row is about: rows are matched by it, not by their order. */
function keyOf(table: string, row: readonly Cell[]): string {
  const first = row[0];
  if (table === "log" || table === "top" || table.startsWith("top-syscall")) {
    const who = row.find((cell) => cell?.class === "process")?.tid ?? "";
    if (first.class === "time-range") return `${cellValue(first)} ${cellValue(row[3])} ${who}`;
    // A wake-up's row: by the switch, which both tell alike.
    return `${cellValue(row[1])} ${who}`;
  }
  if (first?.class === "process") return String(first.tid);
  if (first?.class === "irq") return `${first.hard} ${first.nr}`;
  return String(cellValue(first));
}

function single(table: string): boolean {
  return table === "total" || table === "total_stats";
}

export function compare(reference: Results, ours: Results): Difference[] {
  const out: Difference[] = [];
  const tables = (results: Results) => new Map(results.results.map((t) => [tableName(t.class), t.data]));
  const [theirs, mine] = [tables(reference), tables(ours)];
  const none = { column: -1, key: "", row: [] };
  for (const [table, data] of mine) {
    if (!theirs.has(table)) out.push({ ...none, table, what: "table extra", reference: null, ours: data });
  }
  for (const [table, data] of theirs) {
    const own = mine.get(table);
    if (own === undefined) {
      out.push({ ...none, table, what: "table missing", reference: data, ours: null });
      continue;
    }
    if (table.startsWith("freq")) {
      const flat = (rows: Cell[][]) => rows.flatMap((row) => row.map(cellValue));
      const [a, b] = [flat(data), flat(own)];
      if (a.length !== b.length || !a.every((v, i) => same(v, b[i]))) {
        out.push({ ...none, table, what: "bins", reference: data, ours: own });
      }
      continue;
    }
    const key = (row: Cell[]) => (single(table) && row[0].class !== "process" ? "" : keyOf(table, row));
    const rows = new Map(own.map((row) => [key(row), row]));
    const known = new Set<string>();
    for (const row of data) {
      const k = key(row);
      known.add(k);
      const match = rows.get(k);
      if (match === undefined) {
        out.push({ table, what: "row missing", column: -1, key: k, reference: row, ours: null, row: [] });
        continue;
      }
      row.forEach((cell, column) => {
        const other = match[column];
        if (same(cellValue(cell), cellValue(other))) return;
        out.push({ table, what: "cell", column, key: k, reference: cell, ours: other, row: match });
      });
    }
    for (const row of own) {
      if (!known.has(key(row))) {
        out.push({ table, what: "row extra", column: -1, key: key(row), reference: null, ours: row, row });
      }
    }
  }
  return out;
}
