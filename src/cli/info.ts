/** `periscope info`: what is in a trace. */
import { UsageError } from "../base/errors.js";
import { summarize } from "../ctf/summary.js";
import { infoJson, infoText } from "../present/info-text.js";
import { problemLine } from "../sources/ctf.js";
import { openExperiment } from "../sources/open.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import { makeProgress } from "./progress.js";

export const command: Command = {
  spec: {
    name: "info",
    operands: "PATH...",
    summary:
      "Says what the traces at or below PATHs hold: hosts, tracers, clocks, streams, events, time, losses.",
    options: [
      { name: "json", help: "as JSON" },
      { name: "events", value: "N", help: "list the N most frequent event names (default 20), or all" },
    ],
  },

  run(args) {
    if (args.operands.length === 0)
      throw new UsageError("info: expected one or more paths; see periscope info --help");
    const events = args.get("events") ?? "20";
    const limit = events === "all" ? Number.POSITIVE_INFINITY : Number(events);
    if (!(limit >= 0)) throw new UsageError(`info: --events: "${events}", expected a number or all`);
    const experiment = openExperiment(args.operands);
    for (const note of experiment.notes()) complain(`note: ${note}`);
    const progress = makeProgress();
    const summary = summarize(experiment, progress?.update);
    progress?.end();
    if (experiment.traces.length > 0 || args.has("json")) {
      writeOutput(args.has("json") ? infoJson(summary) : infoText(summary, { events: limit }));
    }
    const failures = experiment.failed.map((failed) => failed.error.message);
    return reportProblems([...failures, ...summary.problems.map(problemLine)], summary.lostPackets);
  },
};
