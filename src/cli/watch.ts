/** `periscope watch`: reads access logs as they are written, and triggers when a request was too slow. */
import { createSocket } from "node:dgram";
import { onLines, receiveDatagrams } from "../agent/datagrams.js";
import { DEFAULT_SOCKET, HttpSink, SocketSink, type TriggerSink } from "../agent/trigger-client.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { parseDuration } from "../base/units.js";
import { isLiveUrl } from "../live/live-session.js";
import { formatParser, guessParser, unitOfField, withoutSyslog } from "../watch/log-line.js";
import { Watch } from "../watch/watch.js";
import { untilSignal } from "./collect.js";
import { type Command, complain } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { PERIOD_OPTIONS, periodArguments } from "./period-options.js";
import { httpTarget } from "./trigger.js";

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

export const command: Command = {
  spec: {
    name: "watch",
    operands: "--threshold DURATION (--field NAME | --period DEFINITION net://RELAY/host/HOST/SESSION)",
    summary:
      "Reads an access log as it is written (from standard input, or syslog) and triggers when a request took longer\nthan the threshold. The server never waits for it. Or does the same with periods of a live session.",
    options: [
      {
        name: "field",
        value: "NAME",
        help: "which has the duration: D, request_time, Ta, a JSON key, a column",
      },
      { name: "threshold", value: "DURATION", help: "longer is late, like 1s" },
      {
        name: "format",
        value: "FORMAT",
        help: "the server's LogFormat or log_format (default: by its looks)",
      },
      { name: "unit", value: "UNIT", help: "ns, us, ms, s (default: by the field's name)" },
      { name: "cause", value: "TEXT", help: "name of the trigger (default: slow request)" },
      { name: "capture", value: "NAME,...", many: true, help: "fields that go with it (default: all)" },
      {
        name: "syslog",
        value: "PORT|PATH",
        help: "lines come by UDP on loopback, or a Unix datagram socket",
      },
      { name: "socket", value: "PATH", help: `of this host's agent (default: ${DEFAULT_SOCKET})` },
      { name: "collector", value: "URL", help: "say it to the collector's HTTP port instead" },
      { name: "group", value: "NAME", help: "whose agents (with --collector)" },
      { name: "token-file", value: "FILE", help: "what the collector wants to hear" },
      { name: "ca", value: "FILE", help: "authority that signed its certificate (with https)" },
      ...PERIOD_OPTIONS,
    ],
    notes: [
      "Apache:",
      '  CustomLog "|periscope watch --field D --threshold 1s" "%D %m %U pid=%P"',
      "nginx (log_format timed, with request_time=$request_time):",
      "  access_log syslog:server=127.0.0.1:5514 timed;",
      "  periscope watch --syslog 5514 --field request_time --threshold 1s",
      "HAProxy (option httplog):",
      "  log 127.0.0.1:5514 local0",
      "  periscope watch --syslog 5514 --field Ta --threshold 1s",
    ].join("\n"),
  },
  async run(args) {
    if (args.operands.some(isLiveUrl)) return await livePeriods(args);
    if (args.operands.length > 0) throw new UsageError(`watch: "${args.operands[0]}" is not expected`);
    const field = args.get("field");
    const threshold = args.get("threshold");
    if (field === undefined || threshold === undefined) {
      throw new UsageError("watch: expected --field NAME and --threshold DURATION");
    }
    const format = args.get("format");
    const sink = sinkOf(args);
    const watch = new Watch(
      {
        parse: format === undefined ? guessParser : formatParser(format),
        field,
        unitNs: unitOf(args, field),
        thresholdNs: parseDuration(threshold, 1e9),
        cause: args.get("cause") ?? "slow request",
        captures: args.all("capture").flatMap((text) => text.split(",").filter((name) => name !== "")),
      },
      ({ cause, atNs, attributes }) => sink.send(cause, atNs, attributes),
    );
    const syslog = args.get("syslog");
    if (syslog === undefined) await standardInput(watch);
    else await fromSyslog(syslog, watch);
    tellEnd(watch, sink, field);
    sink.close();
    return 0;
  },
};

async function livePeriods(args: ParsedArguments): Promise<number> {
  const [url, ...more] = args.operands;
  const threshold = args.get("threshold");
  if (url === undefined || more.length > 0) throw new UsageError("watch: expected one net:// URL");
  if (threshold === undefined) throw new UsageError("watch: expected --threshold DURATION");
  const definitions = await periodArguments(args);
  if (definitions.periods.length === 0)
    throw new UsageError("watch: expected --period or --profile with net://");
  const sink = sinkOf(args);
  const { watchLive } = await import("./watch-live.js");
  const begun = () => complain(`watching ${url} from now on`);
  const failure = await watchLive(url, definitions, parseDuration(threshold, 1e9), begun, (late) => {
    sink.send(args.get("cause") ?? `slow ${late.period}`, late.endNs, {
      ...late.captures,
      period: late.period,
      host: late.host,
      duration_ms: late.durationNs / 1e6,
    });
  });
  if (sink.dropped > 0) complain(`${sink.dropped} triggers could not be handed on`);
  sink.close();
  if (failure === "") return 0;
  complain(failure);
  return 1;
}

function tellEnd(watch: Watch, sink: TriggerSink, field: string): void {
  if (watch.unread > 0) complain(`${watch.unread} of ${watch.lines} lines had no number in field "${field}"`);
  if (sink.dropped > 0) complain(`${sink.dropped} triggers could not be handed on`);
}

function unitOf(args: ParsedArguments, field: string): number {
  const text = args.get("unit");
  const unit = text === undefined ? unitOfField(field) : UNITS[text];
  if (text !== undefined && unit === undefined)
    throw new UsageError(`--unit: "${text}", expected ns, us, ms or s`);
  if (unit === undefined) throw new UsageError(`--field ${field}: expected --unit with it (ns, us, ms, s)`);
  return unit;
}

function sinkOf(args: ParsedArguments): TriggerSink {
  const url = args.get("collector");
  if (url !== undefined) return new HttpSink(httpTarget(url, args), args.get("group"), complain);
  if (args.has("group")) throw new UsageError("watch: --group needs --collector: an agent has one group");
  return new SocketSink(args.get("socket") ?? DEFAULT_SOCKET, complain);
}

async function standardInput(watch: Watch): Promise<void> {
  await new Promise<void>((resolve) => {
    onLines(process.stdin, (line) => watch.line(line));
    process.stdin.on("end", resolve);
    // Apache ends its piped programs by a signal.
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve());
  });
  process.stdin.pause();
}

async function fromSyslog(where: string, watch: Watch): Promise<void> {
  const take = (text: string) => watch.line(withoutSyslog(text.trimEnd()));
  if (!/^\d+$/.test(where)) {
    const socket = await receiveDatagrams(where, take);
    await untilSignal();
    socket.close();
    return;
  }
  const socket = createSocket("udp4");
  socket.on("message", (bytes) => take(bytes.toString("utf8")));
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) => reject(new PeriscopeError(`--syslog ${where}: ${error.message}`)));
    socket.bind(Number(where), "127.0.0.1", resolve);
  });
  await untilSignal();
  socket.close();
}
