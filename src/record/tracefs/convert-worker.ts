/** Entry of the thread that makes traces of a flight recorder's pages, so that its owner can go on listening. */
import { parentPort, workerData } from "node:worker_threads";
import { PeriscopeError } from "../../base/errors.js";
import { BACKGROUND, prioritize } from "../../base/priority.js";
import { type ConvertOptions, convert } from "../../ftrace/convert.js";
import { readRawRecording, spooledRecording } from "../../ftrace/raw-recording.js";

export interface ConvertTask {
  readonly raw: string;
  readonly directory: string;
  readonly options: ConvertOptions;
}

prioritize(BACKGROUND);
const { raw, directory, options } = workerData as ConvertTask;
try {
  parentPort?.postMessage({ saved: convert(spooledRecording(readRawRecording(raw)), directory, options) });
} catch (error) {
  if (!(error instanceof PeriscopeError)) throw error;
  parentPort?.postMessage({ failed: error.message });
}
