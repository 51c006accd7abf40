/** The second thread of `periscope report`: system calls, files and waits. */
import { parentPort, workerData } from "node:worker_threads";
import { runReportPart } from "../analyses/report.js";
import type { PeriodArguments } from "../periods/define.js";
import { openSource } from "../sources/ctf.js";

export interface ReportTask {
  readonly paths: readonly string[];
  readonly beginNs?: number;
  readonly endNs?: number;
  readonly periods?: PeriodArguments;
}

const task = workerData as ReportTask;
parentPort!.postMessage(runReportPart(openSource(task.paths), 0, task));
