/** The lines of `periscope why`, broken for a terminal, as paragraphs, tables and headings for a narrow panel. */

export interface Paragraph {
  readonly kind: "text" | "table" | "heading";
  readonly text: string;
}

/** Columns, bars and event records keep their lines: two spaces in a row, a block character, or deeper than a sentence. */
const TABLE = /\S {2,}\S|[▏▎▍▌▋▊▉█]|^ {4}\d\d:\d\d:/u;

export function paragraphs(lines: readonly string[]): Paragraph[] {
  const found: Paragraph[] = [];
  let block: string[] = [];
  const close = (): void => {
    if (block.length > 0) found.push(...ofBlock(block));
    block = [];
  };
  for (const line of lines) {
    if (line.trim() === "") close();
    else block.push(line);
  }
  close();
  return found;
}

function ofBlock(block: readonly string[]): Paragraph[] {
  const [first, ...rest] = block;
  if (/^\d+\. /.test(first!)) {
    return [{ kind: "heading", text: block.map((line) => line.trim()).join(" ") }];
  }
  if (!block.some((line) => TABLE.test(line)))
    return [{ kind: "text", text: block.map((l) => l.trim()).join(" ") }];
  // Its first line may be a caption: "Its phases:".
  if (!TABLE.test(first!) && rest.every((line) => TABLE.test(line) || /^ {4}/.test(line))) {
    return [
      { kind: "text", text: first!.trim() },
      { kind: "table", text: outdented(rest) },
    ];
  }
  return [{ kind: "table", text: outdented(block) }];
}

function outdented(lines: readonly string[]): string {
  const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(indent)).join("\n");
}
