/** Results of analyses as JSON. */

import type { AnalysisResult, RunAnalysesResult, Slice } from "../analyses/run.js";
import type { ByteWriter } from "../base/byte-writer.js";
import type { PeriodInstance } from "../periods/instance.js";
import { exactJson } from "../present/lami.js";
import { type Job, runOf, withLogs } from "./analysis-job.js";
import { makeProgress } from "./progress.js";

/** Moments are `ns` after `originEpochNs`. */
export function printJson(name: string, job: Job, out: ByteWriter): RunAnalysesResult {
  const { args, source } = job;
  const { info } = source;
  const several = job.requests.length > 1;
  const { requests, spools } = withLogs(
    job,
    (analysis, row) => `${spools.get(analysis)!.empty ? "" : ","}\n${exactJson(row)}`,
    undefined,
  );
  const head = {
    command: name,
    paths: args.operands,
    originEpochNs: String(info.originNs),
    hosts: info.hosts.map((host) => host.name),
  };
  out.put(exactJson(head).slice(0, -1));
  out.put(', "slices": [');
  let slices = 0;
  const printResult = ({ analysis, result, missing }: AnalysisResult): void => {
    const { log: _, ...rest } = result;
    const spool = spools.get(analysis);
    const text = exactJson({ missing, ...(spool === undefined ? result : rest) });
    out.put(spool === undefined ? text : `${text.slice(0, -1)}, "log": [`);
    if (spool === undefined) return;
    spool.drain(out);
    out.put("]}");
  };
  const printSlice = (slice: Slice): void => {
    const { period, beginNs, endNs, lost } = slice;
    const range = {
      beginNs,
      endNs,
      beginEpochNs: String(slice.beginEpochNs),
      endEpochNs: String(slice.endEpochNs),
    };
    out.put(
      `${slices++ > 0 ? "," : ""}\n${exactJson({ ...(period === undefined ? {} : { period: periodJson(period) }), ...range, lost }).slice(0, -1)}, `,
    );
    out.put(several ? '"results": {' : '"result": ');
    slice.results.forEach((one, i) => {
      if (several) out.put(`${i > 0 ? ", " : ""}${JSON.stringify(one.analysis.name)}: `);
      printResult(one);
    });
    out.put(several ? "}}" : "}");
  };
  const progress = args.has("no-progress") ? undefined : makeProgress();
  const run = runOf(job, requests, { onSlice: printSlice, onProgress: progress?.update });
  const result = run.run();
  progress?.end();
  const { uncertain, givenUp, problems, eventRecords } = result;
  out.put(
    `], ${exactJson({ eventRecords, uncertain, ...(givenUp === undefined ? {} : { givenUp }), problems }).slice(1)}\n`,
  );
  return result;
}

/** Which instance a slice is of. */
function periodJson(instance: PeriodInstance): object {
  const { id, parent, definition, host, completed, uncertain, beginCaptures, endCaptures } = instance;
  return {
    id,
    parentId: parent?.id ?? null,
    path: definition.path,
    name: definition.name,
    host,
    completed,
    uncertain,
    beginCaptures,
    endCaptures,
  };
}
