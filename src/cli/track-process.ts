/** `periscope track-process`: what happened on the CPUs while chosen threads ran. */

import { track } from "../analyses/track.js";
import { ByteWriter } from "../base/byte-writer.js";
import { UsageError } from "../base/errors.js";
import { ClockText } from "../present/clock-text.js";
import { fieldsText } from "../present/event-text.js";
import { exactJson } from "../present/lami.js";
import { openSource } from "../sources/ctf.js";
import { rangeOptions } from "./analysis-options.js";
import { type Command, complain, reportProblems } from "./command.js";
import type { ParsedArguments } from "./options.js";

export const command: Command = {
  spec: {
    name: "track-process",
    operands: "PATH...",
    lastWins: true,
    summary:
      "Prints the event records of CPUs while chosen threads run on them, and those about these threads.",
    options: [
      {
        name: "procname",
        short: "n",
        value: "NAME,...",
        help: "threads that ever had one of these names, from then on",
      },
      { name: "tid", short: "t", value: "N,...", help: "these threads" },
      { name: "follow-child", short: "f", help: "and what they start" },
      { name: "begin", value: "TIME", help: "print from TIME on" },
      { name: "end", value: "TIME", help: "until TIME" },
      { name: "timerange", value: "[BEGIN,END]", help: "the same in one" },
      { name: "gmt", help: "times are GMT, in and out, instead of local" },
      { name: "json", help: "one JSON object a line" },
    ],
    notes:
      "Example: periscope track-process --procname dd --follow-child TRACE\nWithout --procname and --tid: all event records.",
  },

  run(args) {
    if (args.operands.length === 0)
      throw new UsageError("track-process: expected one or more paths of traces");
    const source = openSource(args.operands);
    for (const note of source.experiment.notes()) complain(`note: ${note}`);
    if (source.info.traces.length === 0) return reportProblems(source.failures, 0);
    const { info } = source;
    const { time, severalDays } = rangeOptions(args, info);
    const { beginNs, endNs } = time;
    const clock = new ClockText({ gmt: args.has("gmt"), date: severalDays });
    const out = new ByteWriter(1);
    const json = args.has("json");
    track(source, trackOptions(args), ({ ns, cpu, host, event, payload, tid }) => {
      if (beginNs !== undefined && ns < beginNs) return;
      const timestamp = info.originNs + BigInt(ns);
      if (json) {
        const name = info.hosts[host]!.name;
        out.put(
          `${exactJson({ timestamp, hostname: name, tid: tid ?? null, cpu, name: event.name, payload })}\n`,
        );
        return;
      }
      const who = tid === undefined ? "?" : String(tid);
      const where = info.hosts.length > 1 ? `${info.hosts[host]!.name} ` : "";
      out.put(
        `[${who.padStart(6)}] [${clock.format(timestamp)}] ${where}${event.name}: { cpu_id = ${cpu} }, ${fieldsText(payload)}\n`,
      );
    });
    try {
      return reportProblems(source.run({ endNs }).problems, 0);
    } finally {
      out.flush();
    }
  },
};

function trackOptions(args: ParsedArguments): {
  tids?: number[];
  procnames?: string[];
  followChild: boolean;
} {
  const list = (name: string) =>
    args
      .get(name)
      ?.split(",")
      .map((part) => part.trim());
  const tids = list("tid")?.map((text) => {
    if (!/^\d+$/.test(text))
      throw new UsageError(`--tid: "${text}", expected whole numbers with commas between`);
    return Number(text);
  });
  return { tids, procnames: list("procname"), followChild: args.has("follow-child") };
}
