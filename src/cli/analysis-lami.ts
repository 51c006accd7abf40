/** Results of analyses as LAMI 1.0. */

import type { AnyAnalysis } from "../analyses/analysis.js";
import type { Slice } from "../analyses/run.js";
import type { Cell, Row, Table, TableClass } from "../analyses/table.js";
import { ByteWriter } from "../base/byte-writer.js";
import { Spool } from "../base/spool.js";
import { lamiProgress, lamiResultHead, lamiRows } from "../present/lami.js";
import { contextOf, type Job, runOf, withLogs } from "./analysis-job.js";
import { complain } from "./command.js";

export function printLami(job: Job): number {
  const { args, source, time } = job;
  const context = contextOf(source);
  const out = new ByteWriter(1);
  const writers = new Map<AnyAnalysis, (row: Row) => string>();
  const writer = (analysis: AnyAnalysis): ((row: Row) => string) => {
    let made = writers.get(analysis);
    if (made === undefined) writers.set(analysis, (made = lamiRows(analysis.log!, analysis.tableClasses)));
    return made;
  };
  const { requests, spools } = withLogs(
    job,
    (analysis, row) =>
      `${spools.get(analysis)!.empty ? "" : ", "}${writer(analysis)(analysis.log!.cells(row, context))}`,
    undefined,
  );
  const progress = args.has("output-progress");
  // All progress lines come before the results object.
  const results = new Spool();
  const write = (text: string): void => (progress ? results.add(text) : out.put(text));
  let written = 0;
  const head = (table: Table, range: Cell): void => {
    write(written++ > 0 ? ", " : '{"results": [');
    write(lamiResultHead(table, range));
  };
  const summaries = new Map<AnyAnalysis, Row[]>();
  let first: Slice | undefined;
  let last: Slice | undefined;
  const stamp = (value: bigint) => ({ class: "timestamp" as const, value });
  const onSlice = (slice: Slice): void => {
    first ??= slice;
    last = slice;
    const range: Cell = {
      class: "time-range",
      begin: stamp(slice.beginEpochNs),
      end: stamp(slice.endEpochNs),
    };
    for (const result of slice.results) {
      const { analysis } = result;
      if (time.refreshNs !== undefined || job.perPeriod) {
        const rows = summaries.get(analysis) ?? [];
        rows.push(...result.summary());
        summaries.set(analysis, rows);
      }
      if (args.has("per-period")) continue;
      for (const table of result.tables()) {
        if (table.class === undefined) continue;
        const spool = table.class === "log" ? spools.get(analysis) : undefined;
        const rows = spool === undefined ? [...table.rows].map(lamiRows(table, analysis.tableClasses)) : [];
        if (rows.length === 0 && (spool === undefined || spool.empty)) continue;
        head(table, range);
        if (spool !== undefined) spool.drain(progress ? results : out);
        else write(rows.join(", "));
        write("]}");
      }
    }
  };
  const say = (share: number, message: string): void => {
    if (!progress) return;
    out.put(`${lamiProgress(share, message)}\n`);
    out.flush();
  };
  const run = runOf(job, requests, {
    onSlice,
    onProgress: (done, total, records) => {
      say(total === 0 ? 0 : done / total, `${records} events processed`);
    },
  });
  say(0, "Reading");
  const result = run.run();
  for (const [analysis, rows] of summaries) {
    if (rows.length === 0 || first === undefined || last === undefined) continue;
    const columns = (analysis.tableClasses as Record<string, TableClass>)["summary"]!.columns.map((lami) => ({
      lami,
      text: undefined,
    }));
    const table: Table = { class: "summary", heading: "", columns, rows, view: { kind: "table" } };
    const range: Cell = {
      class: "time-range",
      begin: stamp(first.beginEpochNs),
      end: stamp(last.endEpochNs),
    };
    head(table, range);
    write(rows.map(lamiRows(table, analysis.tableClasses)).join(", "));
    write("]}");
  }
  say(1, "done");
  results.drain(out);
  out.put(written > 0 ? "]}\n" : '{"results": []}\n');
  out.flush();
  // What could not be read is no error: there are results.
  for (const problem of result.problems) complain(problem);
  return 0;
}
