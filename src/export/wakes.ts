/** Wake-ups of threads by threads, by who made them and by whom they woke: lists of lines of the history's table. */
import type { Timeline } from "./timeline.js";

export class Wakes {
  readonly ns: Float64Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly made: LinesByRow;
  readonly got: LinesByRow;

  constructor({ history, range }: Timeline) {
    const { wakes } = history.tables;
    this.ns = wakes.used("ns") as Float64Array;
    this.from = wakes.used("from") as Int32Array;
    this.to = wakes.used("to") as Int32Array;
    const { ns, from } = this;
    const counts = (line: number) =>
      from[line]! >= 0 && ns[line]! >= range.beginNs && ns[line]! <= range.endNs;
    this.made = new LinesByRow(from, history.rows.length, counts);
    this.got = new LinesByRow(this.to, history.rows.length, counts);
  }
}

/** Lines of a table by a column of rows, in the table's order: those of row R are `lines[first[R]]` … `lines[first[R + 1] - 1]`. */
class LinesByRow {
  readonly first: Int32Array;
  readonly lines: Int32Array;

  constructor(column: Int32Array, rows: number, counts: (line: number) => boolean) {
    this.first = new Int32Array(rows + 1);
    const { first } = this;
    for (let i = 0; i < column.length; i++) if (counts(i)) first[column[i]! + 1]!++;
    for (let row = 0; row < rows; row++) first[row + 1]! += first[row]!;
    this.lines = new Int32Array(first[rows]!);
    const next = first.slice(0, rows);
    for (let i = 0; i < column.length; i++) if (counts(i)) this.lines[next[column[i]!]!++] = i;
  }
}
