/**
 * Text for terminals: tables with aligned numbers, bars, headings. Nothing is ever wider than the width given;
 * the column that may shrink is cut with an ellipsis. Colour is a flag: without it no escape sequence is written.
 */

export interface TextOptions {
  /** Columns of the terminal; at least 40. */
  readonly width: number;
  readonly color: boolean;
}

export type Align = "left" | "right";

export interface Column {
  readonly title: string;
  readonly align: Align;
  /** This column gives way when the table is too wide. One per table. */
  readonly shrinks?: boolean;
}

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

const CODES: Record<Style, string> = {
  bold: "1",
  dim: "2",
  red: "31",
  yellow: "33",
  green: "32",
  cyan: "36",
};

export function paint(text: string, style: Style, options: TextOptions): string {
  return options.color && text !== "" ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}

/** Characters of which each takes one column: the usual case, found fast. */
const NARROW = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2026\u2500-\u259f]*$/;

/** Control characters must not reach a terminal: names come from the trace. */
export function printable(text: string): string {
  if (NARROW.test(text)) return text;
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function isWide(code: number): boolean {
  return (
    code >= 0x1100 &&
    (code <= 0x115f ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0xffe0 && code <= 0xffe6) ||
      (code >= 0x1f300 && code <= 0x1faff) ||
      (code >= 0x20000 && code <= 0x3fffd))
  );
}

/** Columns that `text` takes: combining marks none, East Asian characters two. */
export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const char of text) {
    if (/\p{Mn}|\p{Me}/u.test(char)) continue;
    width += isWide(char.codePointAt(0)!) ? 2 : 1;
  }
  return width;
}

/** At most `width` columns; what is cut ends (or, for paths, begins) with `…`. */
export function fit(text: string, width: number, keep: "start" | "end" = "start"): string {
  if (NARROW.test(text)) {
    if (text.length <= width) return text;
    if (width <= 0) return "";
    return keep === "end" ? `…${text.slice(text.length - width + 1)}` : `${text.slice(0, width - 1)}…`;
  }
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  const chars = [...text];
  if (keep === "end") chars.reverse();
  let out = "";
  let used = 1;
  for (const char of chars) {
    const w = textWidth(char);
    if (used + w > width) break;
    out = keep === "end" ? char + out : out + char;
    used += w;
  }
  return keep === "end" ? `…${out}` : `${out}…`;
}

export function pad(text: string, width: number, align: Align): string {
  const missing = width - textWidth(text);
  if (missing <= 0) return text;
  const space = " ".repeat(missing);
  return align === "right" ? space + text : text + space;
}

/** Exactly `width` columns: cut or padded. */
export function place(text: string, width: number, align: Align, keep: "start" | "end"): string {
  if (!NARROW.test(text)) return pad(fit(text, width, keep), width, align);
  const { length } = text;
  if (length === width) return text;
  if (length < width) return align === "right" ? text.padStart(width) : text.padEnd(width);
  return fit(text, width, keep);
}

/** A bar of `fraction` (0 to 1) of `width` columns, in eighths. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8);
  return "█".repeat(eighths >> 3) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths & 7]!;
}

/** One character per value (0 to 1), for the shape of a series. */
export function sparkline(values: readonly number[], width: number): string {
  const levels = " ▁▂▃▄▅▆▇█";
  let out = "";
  const points = Math.min(width, values.length);
  for (let i = 0; i < points; i++) {
    const from = Math.floor((i * values.length) / points);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / points));
    const mean = values.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
    out += levels[Math.min(8, Math.max(0, Math.round(mean * 8)))];
  }
  return out;
}

/** Words of `text` in lines of at most `width`, each after the first indented by `indent`. */
export function wrap(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  // A number stays with its unit.
  const joined = text.replace(/(\d) (ns|µs|ms|s|min|h|B|[KMGT]iB|%)(?![\w])/g, "$1\u00a0$2");
  for (let word of joined.split(" ")) {
    const start = lines.length === 0 ? "" : indent;
    if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = "";
    }
    const room = width - textWidth(lines.length === 0 ? start : indent);
    if (textWidth(word) > room) word = fit(word, room, "end");
    line = line === "" ? (lines.length === 0 ? word : indent + word) : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines.map((l) => l.replaceAll("\u00a0", " "));
}

export function heading(title: string, options: TextOptions): string {
  const rule = "─".repeat(Math.max(0, options.width - textWidth(title) - 1));
  return `${paint(title, "bold", options)} ${paint(rule, "dim", options)}`;
}

/** A table indented by two columns. Cells are made printable. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TextOptions,
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map((c, i) =>
    Math.max(textWidth(c.title), ...cells.map((row) => textWidth(row[i] ?? ""))),
  );
  const excess = () => 2 + widths.reduce((a, b) => a + b, 0) + 2 * (columns.length - 1) - options.width;
  const shrinking = columns.findIndex((c) => c.shrinks);
  if (excess() > 0 && shrinking >= 0) widths[shrinking] = Math.max(8, widths[shrinking]! - excess());
  const line = (row: readonly string[], header: boolean): string => {
    const parts = columns.map((c, i) => {
      const keep = !header && i === shrinking && row[i]!.startsWith("/") ? "end" : "start";
      return pad(fit(row[i] ?? "", widths[i]!, keep), widths[i]!, c.align);
    });
    return fit(`  ${parts.join("  ")}`.trimEnd(), options.width);
  };
  const titles = line(
    columns.map((c) => c.title),
    true,
  );
  return [paint(titles, "dim", options), ...cells.map((row) => line(row, false))];
}
