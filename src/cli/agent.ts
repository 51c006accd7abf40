/** `periscope agent`: on each host, keeps its last seconds in memory, and saves them when the collector says so. */
import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import { Agent, type Say } from "../agent/agent.js";
import type { CollectorAddress } from "../agent/connection.js";
import { DEFAULT_SOCKET } from "../agent/trigger-client.js";
import { UsageError } from "../base/errors.js";
import { prioritize, URGENT } from "../base/priority.js";
import { parseSize } from "../base/units.js";
import { openFlightRecorder } from "../record/choose.js";
import { isLoopback, loggerOf, portOf, readOption, tokenOf, untilSignal } from "./collect.js";
import type { Command } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { backendName, selection } from "./record.js";

const AGENT_PORT = 5345;
const BUFFER_BYTES = 32 * 2 ** 20;

export const command: Command = {
  spec: {
    name: "agent",
    operands: "--collector HOST[:PORT]",
    summary:
      "Keeps this host's last seconds in memory, and sends them to the collector when a trigger says that something\nwas late. Programs of this host say so to it.",
    options: [
      { name: "collector", value: "HOST[:PORT]", help: `periscope collect (port: ${AGENT_PORT})` },
      { name: "group", value: "NAME", help: "hosts of a group save together (default: default)" },
      { name: "host-name", value: "NAME", help: "default: this machine's" },
      { name: "token-file", value: "FILE", help: "what the collector wants to hear" },
      { name: "ca", value: "FILE", help: "authority that signed the collector's certificate" },
      { name: "cert", value: "FILE", help: "this agent's certificate, instead of a token" },
      { name: "key", value: "FILE", help: "its key" },
      { name: "plain", help: "no TLS; only to loopback" },
      { name: "socket", value: "PATH", help: `where programs say triggers (default: ${DEFAULT_SOCKET})` },
      { name: "udp-port", value: "PORT", help: "the same by UDP on loopback (default: none)" },
      {
        name: "spool",
        value: "DIR",
        help: "snapshots until they are sent (default: /var/lib/periscope/agent)",
      },
      { name: "backend", value: "NAME", help: "tracefs or lttng, as periscope record" },
      { name: "profile", value: "NAME", help: "only events that this profile and why need" },
      { name: "events", value: "GLOB,...", many: true, help: "only these events" },
      { name: "buffer-size", value: "SIZE", help: "memory per CPU (default: 32M)" },
      { name: "log", value: "text|json", help: "default: text on a terminal, else json" },
    ],
    notes: [
      "A trigger is a line, CAUSE [KEY=VALUE...], by the stream socket, its datagram twin (…/agent.dgram), or UDP:",
      "  echo 'slow_checkout duration_ms=1530 url=\"/cart\"' |",
      "    socat - UNIX-SENDTO:/run/periscope/agent.dgram",
    ].join("\n"),
  },
  async run(args) {
    if (args.operands.length > 0) throw new UsageError(`agent: "${args.operands[0]}" is not expected`);
    const log: Say = loggerOf(args);
    const collector = collectorAddress(args);
    prioritize(URGENT);
    const socket = args.get("socket") ?? DEFAULT_SOCKET;
    const spool = args.get("spool") ?? "/var/lib/periscope/agent";
    if (!isAbsolute(socket)) throw new UsageError(`--socket: "${socket}", expected an absolute path`);
    const text = args.get("buffer-size");
    const host = args.get("host-name") ?? hostname();
    const recorder = await openFlightRecorder({
      backend: backendName(args),
      events: await selection(args),
      bufferBytes: text === undefined ? BUFFER_BYTES : parseSize(text),
      hostName: host,
      say: (message) => log("info", "recorder", { message }),
    });
    const agent = await Agent.start(
      {
        collector,
        identity: {
          host,
          group: args.get("group") ?? "default",
          token: tokenOf(args),
        },
        sockets: { path: socket, udpPort: portOf(args, "udp-port", 0) },
        spool,
      },
      recorder,
      log,
    );
    log("info", "ready", { backend: recorder.backend, socket });
    const signal = await untilSignal();
    log("info", "ending", { signal });
    await agent.close();
    return 0;
  },
};

function collectorAddress(args: ParsedArguments): CollectorAddress {
  const text = args.get("collector");
  if (text === undefined) throw new UsageError("agent: expected --collector HOST[:PORT]");
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw new UsageError(`--collector: "${text}", expected HOST or HOST:PORT`);
  const host = match[1] ?? match[2]!;
  const port = Number(match[3] ?? AGENT_PORT);
  if (args.has("plain")) {
    if (!isLoopback(host)) throw new UsageError("agent: --plain is for loopback; see periscope certificates");
    return { host, port, tls: undefined };
  }
  const [ca, cert, key] = [readOption(args, "ca"), readOption(args, "cert"), readOption(args, "key")];
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("agent: expected --cert and --key together");
  return { host, port, tls: { ...(ca && { ca }), ...(cert && key && { cert, key }) } };
}
