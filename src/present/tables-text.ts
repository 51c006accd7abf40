/** Tables of analyses as text for terminals: aligned columns, bars, distributions, facts. */

import type { Cell, Column, Row, Table } from "../analyses/table.js";
import { formatCount, formatDuration, formatSize } from "../base/format.js";
import type { ClockText } from "./clock-text.js";
import {
  type Align,
  bar,
  fit,
  pad,
  paint,
  place,
  printable,
  type TextOptions,
  textWidth,
  wrap,
} from "./text.js";

import { waterfallText } from "./waterfall-text.js";

export interface TablesTextOptions extends TextOptions {
  readonly clock: ClockText;
}

const MOST_BAR = 80;
const LEAST_BAR = 8;
const GAP = "  ";

const cleaned = new Map<string, string>();

/** A name from the trace; the same ones come again and again. */
function clean(name: string): string {
  let known = cleaned.get(name);
  if (known === undefined) {
    known = printable(name);
    if (cleaned.size >= 10_000) cleaned.clear();
    cleaned.set(name, known);
  }
  return known;
}

/** One cell. */
export function cellText(cell: Cell, clock: ClockText): string {
  if (cell === null) return "";
  const text = plainText(cell, clock);
  return cell.host === undefined ? text : `${clean(cell.host)}/${text}`;
}

function plainText(cell: Exclude<Cell, null>, clock: ClockText): string {
  switch (cell.class) {
    case "unknown":
      return "?";
    case "bool":
      return cell.value ? "yes" : "no";
    case "string":
      return clean(cell.value);
    case "number":
      return Number.isInteger(cell.value) ? formatCount(cell.value) : cell.value.toFixed(2);
    case "ratio":
      return `${(cell.value * 100).toFixed(2)} %`;
    case "duration":
      return formatDuration(cell.value);
    case "size":
      return formatSize(cell.value);
    case "bitrate":
      return `${formatCount(cell.value)} bit/s`;
    case "timestamp":
      return cell.mark === undefined ? clock.format(cell.value) : cell.mark + clock.format(cell.value);
    case "time-range":
      return `[${clock.format(cell.begin.value)}, ${clock.format(cell.end.value)}]`;
    case "process": {
      const id = cell.tid ?? cell.pid;
      return id === undefined ? clean(cell.name) : `${clean(cell.name)} (${id})`;
    }
    case "path":
      return clean(cell.path);
    case "fd":
      return String(cell.fd);
    case "irq":
      return `${cell.nr} ${clean(cell.name)}`;
    case "cpu":
      return `CPU ${cell.id}`;
    default:
      return clean(cell.name);
  }
}

const LEFT = new Set([
  "string",
  "mixed",
  "timestamp",
  "time-range",
  "syscall",
  "process",
  "path",
  "irq",
  "disk",
  "part",
  "netif",
  "error",
  "cpu",
]);

function alignOf(column: Column, sample: Cell | undefined): Align {
  const kind = column.lami?.class ?? column.class ?? sample?.class ?? "string";
  return LEFT.has(kind) ? "left" : "right";
}

/** Columns that may be cut when all are too wide together, and the least that is left of them. */
const SHRINKS: Readonly<Record<string, number>> = {
  path: 12,
  string: 12,
  mixed: 12,
  process: 14,
  irq: 14,
  syscall: 8,
};

function kindOf(column: Column, sample: Cell | undefined): string {
  return column.lami?.class ?? column.class ?? sample?.class ?? "";
}

interface Layout {
  readonly columns: readonly { readonly index: number; readonly width: number; readonly align: Align }[];
}

/** Chooses columns and widths. `natural`: the widest text of each. */
function fitColumns(
  columns: readonly Column[],
  natural: readonly number[],
  samples: readonly (Cell | undefined)[],
  width: number,
): Layout {
  let chosen = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => column.text !== undefined);
  const widths = [...natural];
  const shrinking = () =>
    chosen.filter(({ column, index }) => SHRINKS[kindOf(column, samples[index])] !== undefined);
  const least = (index: number) => {
    const kept = SHRINKS[kindOf(columns[index]!, samples[index])] ?? 0;
    return Math.min(natural[index]!, Math.max(kept, textWidth(columns[index]!.text!)));
  };
  const needed = (of: (index: number) => number) =>
    2 + chosen.reduce((sum, { index }) => sum + of(index), 0) + GAP.length * (chosen.length - 1);
  const atLeast = (index: number) =>
    shrinking().some((c) => c.index === index) ? least(index) : widths[index]!;
  while (needed(atLeast) > width) {
    const worst = chosen.reduce<{ column: Column; index: number } | undefined>(
      (w, c) => ((c.column.drop ?? 0) > (w?.column.drop ?? 0) ? c : w),
      undefined,
    );
    if (worst === undefined) break;
    chosen = chosen.filter((c) => c !== worst);
  }
  // The widest gives way first.
  for (let excess = needed((i) => widths[i]!) - width; excess > 0; ) {
    const able = shrinking().filter(({ index }) => widths[index]! > least(index));
    if (able.length === 0) break;
    const widest = able.reduce((a, b) => (widths[b.index]! > widths[a.index]! ? b : a));
    const step = Math.max(1, Math.min(excess, Math.ceil((widths[widest.index]! - least(widest.index)) / 2)));
    widths[widest.index]! -= step;
    excess -= step;
  }
  return {
    columns: chosen.map(({ column, index }) => ({
      index,
      width: widths[index]!,
      align: alignOf(column, samples[index]),
    })),
  };
}

function line(layout: Layout, cells: readonly string[], width: number): string {
  const parts = layout.columns.map(({ index, width: w, align }) => {
    const cell = cells[index]!;
    return place(cell, w, align, /^(\/|0x)/.test(cell) ? "end" : "start");
  });
  return fit(`  ${parts.join(GAP)}`.trimEnd(), width);
}

function samplesOf(columns: readonly Column[], rows: readonly Row[]): (Cell | undefined)[] {
  return columns.map((_, i) => rows.find((row) => row[i] !== null && row[i]!.class !== "unknown")?.[i]);
}

function plainTable(table: Table, rows: readonly Row[], options: TablesTextOptions): string[] {
  const { columns } = table;
  const cells = rows.map((row) => row.map((cell) => cellText(cell, options.clock)));
  const titles = columns.map((column) => column.text ?? "");
  const natural = titles.map((title, i) =>
    Math.max(
      textWidth(title),
      cells.reduce((most, row) => Math.max(most, textWidth(row[i]!)), 0),
    ),
  );
  const layout = fitColumns(columns, natural, samplesOf(columns, rows), options.width);
  return [
    paint(line(layout, titles, options.width), "dim", options),
    ...cells.map((row) => line(layout, row, options.width)),
  ];
}

/** A bar, the value, and what it is about. */
function barLines(table: Table, value: number, rows: readonly Row[], options: TablesTextOptions): string[] {
  const { columns } = table;
  const cells = rows.map((row) => row.map((cell) => cellText(cell, options.clock)));
  const titles = columns.map((column) => column.text ?? "");
  const natural = titles.map((title, i) =>
    Math.max(
      textWidth(title),
      cells.reduce((most, row) => Math.max(most, textWidth(row[i]!)), 0),
    ),
  );
  const valueWidth = natural[value]!;
  const labels = columns.map((column, i) => (i === value ? { ...column, text: undefined } : column));
  const room = options.width - valueWidth - GAP.length - LEAST_BAR;
  const layout = fitColumns(labels, natural, samplesOf(columns, rows), room);
  const used = layout.columns.reduce((sum, c) => sum + c.width + GAP.length, 0);
  const barWidth = Math.max(
    LEAST_BAR,
    Math.min(MOST_BAR, options.width - 2 - valueWidth - GAP.length - used),
  );
  const numbers = rows.map((row) => numberOf(row[value]!));
  const most = Math.max(...numbers, 0);
  const whole = (text: readonly string[], filled: string, shown: string): string => {
    const label = line(layout, text, options.width).slice(2);
    return fit(
      `  ${pad(filled, barWidth, "left")}${GAP}${pad(shown, valueWidth, "right")}${GAP}${label}`.trimEnd(),
      options.width,
    );
  };
  return [
    paint(whole(titles, "", titles[value]!), "dim", options),
    ...cells.map((text, i) => whole(text, bar(most > 0 ? numbers[i]! / most : 0, barWidth), text[value]!)),
  ];
}

function numberOf(cell: Cell): number {
  return cell !== null && "value" in cell && typeof cell.value === "number" ? cell.value : 0;
}

/** Bounds, a bar, a count. */
function binLines(rows: readonly Row[], options: TablesTextOptions): string[] {
  const texts = rows.map((row) => row.map((cell) => cellText(cell, options.clock)));
  const widest = (i: number) => Math.max(...texts.map((text) => textWidth(text[i]!)));
  const [low, high, count] = [widest(0), widest(1), widest(2)];
  const barWidth = Math.max(LEAST_BAR, Math.min(MOST_BAR, options.width - 2 - low - high - count - 7));
  const numbers = rows.map((row) => numberOf(row[2]!));
  const most = Math.max(...numbers, 1);
  return texts.map((text, i) => {
    const bounds = `${pad(text[0]!, low, "right")} … ${pad(text[1]!, high, "right")}`;
    return `  ${bounds}  ${pad(bar(numbers[i]! / most, barWidth), barWidth, "left")}  ${pad(text[2]!, count, "right")}`;
  });
}

/** The lines of a table, an empty one first; none for a table without rows. */
export function tableText(table: Table, options: TablesTextOptions): string[] {
  const rows = [...table.rows];
  const { view } = table;
  if (table.hidden || (rows.length === 0 && table.always !== true)) return [];
  const out = [""];
  if (view.kind === "facts") {
    for (const row of rows) {
      table.columns.forEach((column, i) => {
        if (column.text !== undefined)
          out.push(`${paint(column.text, "bold", options)}: ${cellText(row[i]!, options.clock)}`);
      });
    }
  } else {
    const at = view.kind === "waterfall" ? `${options.clock.format(view.beginNs)} ` : "";
    out.push(paint(fit(`${at}${table.heading}`, options.width), "bold", options));
    if (view.kind === "bars") out.push(...barLines(table, view.value, rows, options));
    else if (view.kind === "waterfall") out.push(...waterfallText(view.lines, options));
    else if (view.kind === "bins") out.push(...binLines(rows, options));
    else out.push(...plainTable(table, rows, options));
  }
  for (const note of table.notes ?? []) {
    out.push(...wrap(note, options.width - 2).map((l) => paint(`  ${l}`, "dim", options)));
  }
  return out;
}

/** Widths of columns whose rows are not known when the first is printed. */
const LOG_WIDTHS: Readonly<Record<string, number>> = {
  timestamp: 18,
  duration: 8,
  syscall: 15,
  size: 8,
  process: 23,
  fd: 4,
  cpu: 6,
  number: 8,
  irq: 26,
  error: 8,
  string: 24,
};
const LEAST_PATH = 16;

/** Prints a log row by row. */
export class LogText {
  readonly #layout: Layout;

  constructor(
    private readonly columns: readonly Column[],
    private readonly options: TablesTextOptions,
  ) {
    const date = options.clock.format(0n).length - 18;
    const natural = columns.map((column) => {
      const kind = column.lami?.class ?? column.class ?? "string";
      const width = (LOG_WIDTHS[kind] ?? LEAST_PATH) + (kind === "timestamp" ? date : 0);
      return Math.max(width, textWidth(column.text ?? ""));
    });
    // What is left is for paths.
    const layout = fitColumns(
      columns,
      natural,
      columns.map(() => undefined),
      options.width,
    );
    const used = 2 + layout.columns.reduce((sum, c) => sum + c.width + GAP.length, -GAP.length);
    this.#layout = {
      columns: layout.columns.map((c) =>
        columns[c.index]!.lami?.class === "path"
          ? { ...c, width: c.width + Math.max(0, options.width - used) }
          : c,
      ),
    };
  }

  header(heading: string): string[] {
    const titles = this.columns.map((column) => column.text ?? "");
    return [
      "",
      paint(heading, "bold", this.options),
      paint(line(this.#layout, titles, this.options.width), "dim", this.options),
    ];
  }

  row(row: Row): string {
    const cells = row.map((cell) => cellText(cell, this.options.clock));
    return line(this.#layout, cells, this.options.width);
  }
}
