/** `periscope print`: event records as text (as babeltrace2 prints them), JSON lines, or nothing. */
import { ByteWriter } from "../base/byte-writer.js";
import { UsageError } from "../base/errors.js";
import { globToRegExp } from "../base/glob.js";
import { parseMoment } from "../base/moment.js";
import { headerDecoder, skipDecoder, touchDecoder } from "../ctf/decode/decoders.js";
import type { ClassDecoders, Experiment } from "../ctf/experiment.js";
import { RecycledStrings } from "../ctf/print/babeltrace-strings.js";
import { discardedText } from "../ctf/print/discarded-text.js";
import { type EventFilter, jsonPrinter, type PrettyOptions, prettyPrinter } from "../ctf/print/printer.js";
import { TimeText } from "../ctf/print/time-text.js";
import type { DataStream } from "../ctf/stream/stream.js";
import { problemLine } from "../sources/ctf.js";
import { openExperiment } from "../sources/open.js";
import type { Command } from "./command.js";
import { complain, reportProblems } from "./command.js";
import { isLive, liveBatches } from "./live-input.js";
import type { ParsedArguments } from "./options.js";

const fieldNames = [
  "trace",
  "trace:hostname",
  "trace:domain",
  "trace:procname",
  "trace:vpid",
  "loglevel",
  "emf",
];

export const command: Command = {
  spec: {
    name: "print",
    operands: "PATH...",
    summary:
      "Prints the event records of all traces at or below PATHs in order of time, as babeltrace2 does.",
    options: [
      {
        name: "output-format",
        short: "o",
        value: "FORMAT",
        help: "text (default), json (one object a line) or dummy (decode everything, print nothing, count on stderr)",
      },
      { name: "json", help: "short for -o json" },
      { name: "begin", short: "b", value: "TIME", help: "only event records at or after TIME" },
      { name: "end", short: "e", value: "TIME", help: "only event records at or before TIME" },
      {
        name: "event",
        value: "GLOB",
        many: true,
        help: "only events whose name matches, like sched_*; may be repeated",
      },
      { name: "clock-cycles", help: "timestamps in clock cycles" },
      { name: "clock-date", help: "timestamps with the date" },
      { name: "clock-gmt", help: "timestamps in GMT instead of local time" },
      { name: "clock-seconds", help: "timestamps as seconds.nanoseconds since the epoch" },
      {
        name: "true-strings",
        help: "print empty strings as empty, where babeltrace2 2.0.4 repeats an older value",
      },
      { name: "follow", help: "net://… is always read until the session ends, or Ctrl-C" },
      { name: "no-delta", help: "without the time since the event record before" },
      {
        name: "names",
        short: "n",
        value: "NAME[,NAME]...",
        help: "names to print: payload (arg, args), context (ctx), header, scope, all, none",
      },
      {
        name: "fields",
        short: "f",
        value: "FIELD[,FIELD]...",
        help: `properties to print: ${fieldNames.join(", ")}, all`,
      },
    ],
    notes: "TIME: [YYYY-MM-DD ]hh:mm:ss[.nnnnnnnnn], or seconds since the epoch.",
  },

  run(args) {
    if (args.operands.length === 0)
      throw new UsageError("print: expected one or more paths; see periscope print --help");
    const format = args.get("output-format") ?? (args.has("json") ? "json" : "text");
    if (!["text", "json", "dummy"].includes(format)) {
      throw new UsageError(`print: output format "${format}", expected text, json or dummy`);
    }
    const options = prettyOptions(args);
    const filter = eventFilter(args.all("event"));
    const kind: PrintKind = { format: format as PrintKind["format"], options, filter };
    return isLive(args.operands) ? printLive(args, kind) : printTraces(args, kind);
  },
};

interface PrintKind {
  readonly format: "text" | "json" | "dummy";
  readonly options: PrettyOptions;
  readonly filter: EventFilter;
}

/** Event records as they come, until the session ends. */
function printLive(args: ParsedArguments, { format, options, filter }: PrintKind): number {
  const batches = liveBatches();
  const out = new ByteWriter(1);
  const time = new TimeText(options.time);
  const problems = new Set<string>();
  let count = 0;
  for (let batch = batches.take(); batch !== undefined; batch = batches.take()) {
    const { experiment } = batch;
    const range = timeRange(args, experiment);
    if (range.endNs !== undefined && batch.beginNs !== undefined && batch.beginNs > range.endNs) break;
    let matched = 0;
    const decoders =
      format === "text"
        ? prettyPrinter(out, options, filter, experiment.generate, undefined, time)
        : format === "json"
          ? jsonPrinter(out, filter, experiment.generate)
          : dummyDecoders(filter, experiment.generate, () => matched++);
    const result = experiment.run(decoders, {
      beginNs: Math.max(batch.beginNs ?? Number.NEGATIVE_INFINITY, range.beginNs ?? Number.NEGATIVE_INFINITY),
      endNs: Math.min(batch.endNs ?? Number.POSITIVE_INFINITY, range.endNs ?? Number.POSITIVE_INFINITY),
      onDiscarded: (reader, discarded) => {
        out.flush();
        process.stderr.write(discardedText(reader.stream, discarded, options.time));
      },
    });
    out.flush();
    count += args.has("event") ? matched : result.eventRecords;
    for (const failed of experiment.failed) problems.add(failed.error.message);
    for (const problem of result.problems) problems.add(problemLine(problem));
  }
  if (batches.failure !== undefined) problems.add(batches.failure);
  if (format === "dummy") process.stderr.write(`${count} event records\n`);
  return reportProblems([...problems], 0);
}

function printTraces(args: ParsedArguments, { format, options, filter }: PrintKind): number {
  const experiment = openExperiment(args.operands);
  for (const note of experiment.notes()) complain(`note: ${note}`);
  const { beginNs, endNs } = timeRange(args, experiment);
  const out = new ByteWriter(1);
  let decoders: (stream: DataStream) => ClassDecoders;
  let matched = 0;
  // babeltrace2's own time filter makes other batches of event records: there is nothing to be equal to.
  const recycled =
    format === "text" && !args.has("true-strings") && beginNs === undefined && endNs === undefined
      ? new RecycledStrings(experiment)
      : undefined;
  if (format === "text") decoders = prettyPrinter(out, options, filter, experiment.generate, recycled);
  else if (format === "json") decoders = jsonPrinter(out, filter, experiment.generate);
  else decoders = dummyDecoders(filter, experiment.generate, () => matched++);
  const filtered = args.has("event");
  const result = experiment.run(decoders, {
    beginNs,
    endNs,
    // Nothing is printed: the order cannot be seen.
    anyOrder: format === "dummy",
    onDiscarded: (reader, discarded) => {
      if (format === "dummy") return;
      out.flush();
      process.stderr.write(discardedText(reader.stream, discarded, options.time));
    },
  });
  out.flush();
  recycled?.close();
  if (recycled && recycled.shown > 0) {
    complain(
      `${recycled.shown} empty strings are printed with an older value, as babeltrace2 2.0.4 does; --true-strings shows them empty`,
    );
  }
  if (format === "dummy") process.stderr.write(`${filtered ? matched : result.eventRecords} event records\n`);
  const failures = experiment.failed.map((failed) => failed.error.message);
  return reportProblems([...failures, ...result.problems.map(problemLine)], result.lostPackets);
}

function dummyDecoders(
  filter: EventFilter,
  generate: boolean,
  onMatch: () => void,
): (stream: DataStream) => ClassDecoders {
  return ({ class: streamClass }) => ({
    lean: true,
    header: headerDecoder(streamClass, generate),
    skipper: (event) => skipDecoder(streamClass, event, generate),
    decoder: (event) => {
      if (!filter(event)) return skipDecoder(streamClass, event, generate);
      const touch = touchDecoder(streamClass, event, generate);
      if (filter === everyEvent) return touch;
      return (state, at) => {
        const answer = touch(state, at);
        if (answer >= 0) onMatch();
        return answer;
      };
    },
  });
}

const everyEvent: EventFilter = () => true;

function eventFilter(globs: readonly string[]): EventFilter {
  if (globs.length === 0) return everyEvent;
  const patterns = globs.map(globToRegExp);
  return (event) => patterns.some((pattern) => pattern.test(event.name ?? ""));
}

/** `--begin` and `--end` as nanoseconds since the experiment's origin. */
export function timeRange(
  args: ParsedArguments,
  experiment: Experiment,
): { beginNs?: number; endNs?: number } {
  const first = experiment.range().beginNs;
  const context = {
    gmt: args.has("clock-gmt"),
    dayOfNs: experiment.originNs + BigInt(Number.isFinite(first) ? Math.floor(first) : 0),
  };
  const moment = (name: string): number | undefined => {
    const text = args.get(name);
    return text === undefined ? undefined : Number(parseMoment(text, context) - experiment.originNs);
  };
  const beginNs = moment("begin");
  const endNs = moment("end");
  if (beginNs !== undefined && endNs !== undefined && beginNs > endNs) {
    throw new UsageError("--begin is after --end");
  }
  return { beginNs, endNs };
}

function prettyOptions(args: ParsedArguments): PrettyOptions {
  const names = nameOptions(args.get("names"));
  return {
    names,
    fields: fieldOptions(args.get("fields")),
    time: {
      clock: args.has("clock-cycles") ? "cycles" : args.has("clock-seconds") ? "seconds" : "wall",
      gmt: args.has("clock-gmt"),
      date: args.has("clock-date"),
      delta: !args.has("no-delta"),
      names: names.header,
    },
  };
}

function nameOptions(text: string | undefined): PrettyOptions["names"] {
  if (text === undefined) return { payload: true, context: true, header: false, scope: false };
  const names = new Set(text.split(",").map((name) => name.trim()));
  const aliases: Record<string, string> = { arg: "payload", args: "payload", ctx: "context" };
  const known = ["payload", "context", "header", "scope", "all", "none"];
  const chosen = new Set([...names].map((name) => aliases[name] ?? name));
  for (const name of chosen) {
    if (!known.includes(name))
      throw new UsageError(`print: --names: "${name}", expected ${known.join(", ")}`);
  }
  const all = chosen.has("all");
  const has = (name: string) => all || chosen.has(name);
  return { payload: has("payload"), context: has("context"), header: has("header"), scope: has("scope") };
}

function fieldOptions(text: string | undefined): PrettyOptions["fields"] {
  if (text === undefined) {
    return {
      trace: false,
      hostname: true,
      domain: false,
      procname: true,
      vpid: true,
      loglevel: false,
      emf: false,
    };
  }
  const chosen = new Set(text.split(",").map((name) => name.trim()));
  const known = [...fieldNames, "all"];
  for (const name of chosen) {
    if (!known.includes(name))
      throw new UsageError(`print: --fields: "${name}", expected ${known.join(", ")}`);
  }
  const has = (name: string) => chosen.has("all") || chosen.has(name);
  return {
    trace: has("trace"),
    hostname: has("trace:hostname"),
    domain: has("trace:domain"),
    procname: has("trace:procname"),
    vpid: has("trace:vpid"),
    loglevel: has("loglevel"),
    emf: has("emf"),
  };
}
