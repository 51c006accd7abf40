/** The lines of `periscope why`, made for a terminal, as paragraphs, tables and headings for a narrow panel. */

export interface Paragraph {
  /** `bars`: phases drawn with block characters; `lines`: to be kept as they are, event records. */
  readonly kind: "text" | "heading" | "table" | "bars" | "lines";
  /** Of a table: its caption, "" none. */
  readonly text: string;
  /** Cells of a table; lines have one each. */
  readonly rows: readonly (readonly string[])[];
}

const BAR = /[▏▎▍▌▋▊▉█]/u;
const RECORD = /^\s*\d\d:\d\d:\d\d\.\d+ /;
/** Columns are two spaces or more apart. */
const COLUMNS = /\S {2,}\S/;

export function paragraphs(lines: readonly string[]): Paragraph[] {
  const found: Paragraph[] = [];
  let block: string[] = [];
  const close = (): void => {
    if (block.length > 0) found.push(ofBlock(block));
    block = [];
  };
  for (const line of lines) {
    if (line.trim() === "") close();
    else block.push(line);
  }
  close();
  return found;
}

const joined = (lines: readonly string[]): string => lines.map((line) => line.trim()).join(" ");

function ofBlock(block: readonly string[]): Paragraph {
  if (/^\d+\. /.test(block[0]!)) return { kind: "heading", text: joined(block), rows: [] };
  const from = block.findIndex((line) => BAR.test(line) || RECORD.test(line) || COLUMNS.test(line));
  if (from < 0) return { kind: "text", text: joined(block), rows: [] };
  const [text, rest] = [joined(block.slice(0, from)), block.slice(from)];
  if (rest.some((line) => BAR.test(line)))
    return { kind: "bars", text, rows: rest.map((line) => [line.trim()]) };
  if (rest.some((line) => RECORD.test(line)))
    return { kind: "lines", text, rows: rest.map((line) => [line.trim()]) };
  return { kind: "table", text, rows: rest.map((line) => line.trim().split(/ {2,}/)) };
}
