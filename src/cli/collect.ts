/** `periscope collect`: the collector daemon. */
import { readFileSync } from "node:fs";
import type { TlsOptions } from "node:tls";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { prioritize, URGENT } from "../base/priority.js";
import { parseDuration, parseSize } from "../base/units.js";
import { Collector } from "../collect/collector.js";
import type { ListenOptions } from "../collect/listen.js";
import { jsonLogger, type Logger, textLogger } from "../collect/log.js";
import type { LimitOptions } from "../collect/triggers/limits.js";
import { type Command, complain } from "./command.js";
import { installed } from "./installed.js";
import type { ParsedArguments } from "./options.js";

const LOOPBACK = "127.0.0.1";

export const command: Command = {
  spec: {
    name: "collect",
    operands: "--store DIR",
    summary:
      "The collector: takes what LTTng streams (as lttng-relayd does), lets viewers read it live, and on a trigger\nmakes the agents of all hosts save their last seconds, keeps them as one incident and explains it.",
    options: [
      { name: "store", value: "DIR", help: "everything lies below it" },
      { name: "control-port", value: "PORT", help: "LTTng: control (default: 5342)" },
      { name: "data-port", value: "PORT", help: "LTTng: data (default: 5343)" },
      { name: "live-port", value: "PORT", help: "live viewers (default: 5344)" },
      { name: "agent-port", value: "PORT", help: "periscope agent (default: 5345)" },
      { name: "http-port", value: "PORT", help: "triggers, incidents, metrics, health (default: 5346)" },
      { name: "listen", value: "ADDRESS", help: `of all ports (default: ${LOOPBACK})` },
      { name: "relay-listen", value: "ADDRESS", help: "of LTTng's ports, where that is another one" },
      {
        name: "allow",
        value: "NETWORK",
        many: true,
        help: "who may connect, like 10.0.0.0/8 (default: all)",
      },
      { name: "max-connections", value: "N", help: "per port (default: 2000)" },
      { name: "token-file", value: "FILE", help: "agents and HTTP callers must know what is in it" },
      {
        name: "tls-cert",
        value: "FILE",
        help: "certificate, for agents and HTTP; see periscope certificates",
      },
      { name: "tls-key", value: "FILE", help: "its key" },
      { name: "tls-ca", value: "FILE", help: "agents with a certificate signed by it need no token" },
      { name: "tls-relay", help: "TLS on LTTng's ports, too (hosts need a tunnel: LTTng has none)" },
      { name: "profile", value: "NAME|FILE", help: "periods by which incidents are explained" },
      { name: "threshold", value: "DURATION", help: "longer instances of its root period are explained" },
      {
        name: "window",
        value: "DURATION",
        help: "triggers so long after an incident's begin join it (default: 2s)",
      },
      { name: "burst", value: "N", help: "incidents that a group may have at once (default: 3)" },
      { name: "refill", value: "DURATION", help: "after how long one more (default: 1min)" },
      { name: "cause-burst", value: "N", help: "the same for one cause (default: 2)" },
      { name: "cause-refill", value: "DURATION", help: "after how long one more (default: 2min)" },
      { name: "incidents-per-hour", value: "N", help: "at most (default: 30)" },
      { name: "bytes-per-hour", value: "SIZE", help: "of incidents, at most (default: 20G)" },
      { name: "keep-bytes", value: "SIZE", help: "the store's size; the oldest goes (default: no limit)" },
      { name: "keep-age", value: "DURATION", help: "what is older goes (default: no limit)" },
      { name: "allow-clear", help: "lttng clear may delete what is stored" },
      { name: "sync", help: "what LTTng streams survives a power cut, too: slower" },
      { name: "log", value: "text|json", help: "default: text on a terminal, else json" },
    ],
    notes: [
      "Without --token-file or --tls-ca, agents may only connect from loopback. LTTng's ports know no passwords: " +
        "leave them on loopback (--relay-listen), or say --allow.",
      "An LTTng 2.13 trigger with --action=snapshot-session S --name=periscope-trigger --url=net://COLLECTOR " +
        "raises an incident as soon as its snapshot begins.",
    ].join("\n"),
  },
  async run(args) {
    const store = args.get("store");
    if (store === undefined) throw new UsageError("collect: expected --store DIR");
    if (args.operands.length > 0) throw new UsageError(`collect: "${args.operands[0]}" is not expected`);
    const log = loggerOf(args);
    const tls = tlsOptions(args);
    const token = tokenOf(args);
    const address = args.get("listen") ?? LOOPBACK;
    if (!isLoopback(address) && token === undefined && tls?.ca === undefined) {
      throw new UsageError(
        `collect: --listen ${address}: agents and triggers need --token-file or --tls-ca then; see periscope certificates`,
      );
    }
    if (!isLoopback(address) && tls === undefined) {
      complain("warning: without --tls-cert, the token and all traces go through the network as they are");
    }
    const relayAddress = args.get("relay-listen") ?? address;
    const at = (option: string, otherwise: number, withTls: boolean, on = relayAddress): ListenOptions => ({
      address: on,
      port: portOf(args, option, otherwise),
      allow: args.all("allow"),
      maxConnections: numberOf(args, "max-connections") ?? 2000,
      ...(withTls && tls !== undefined && { tls }),
    });
    const relayTls = args.has("tls-relay");
    if (relayTls && tls === undefined)
      throw new UsageError("collect: --tls-relay needs --tls-cert and --tls-key");
    if (!isLoopback(relayAddress) && !relayTls && !args.has("allow")) {
      complain(
        `warning: whoever reaches ${relayAddress} may write to LTTng's ports, which know no passwords, and read from ` +
          `them; --relay-listen ${LOOPBACK} keeps them to this machine, --allow NETWORK says who may connect`,
      );
    }
    prioritize(URGENT);
    const collector = await Collector.start(
      {
        store,
        relay: {
          control: at("control-port", 5342, relayTls),
          data: at("data-port", 5343, relayTls),
          live: at("live-port", 5344, relayTls),
        },
        allowClear: args.has("allow-clear"),
        sync: args.has("sync"),
        agents: at("agent-port", 5345, true, address),
        http: { address, port: portOf(args, "http-port", 5346), allow: args.all("allow"), tls },
        token,
        limits: limitsOf(args),
        retention: {
          maxBytes: args.has("keep-bytes") ? parseSize(args.get("keep-bytes")!) : Number.POSITIVE_INFINITY,
          maxAgeMs: durationMs(args, "keep-age") ?? Number.POSITIVE_INFINITY,
        },
        program: installed("bin/periscope"),
        whyArguments: ["profile", "threshold"].flatMap((name) =>
          args.has(name) ? [`--${name}`, args.get(name)!] : [],
        ),
      },
      log,
    );
    log("info", "ready", { store, ...collector.ports });
    const signal = await untilSignal();
    log("info", "ending", { signal });
    await collector.close();
    return 0;
  },
};

/** What `--log` says; without it, text for people and JSON for programs. Throws `UsageError`. */
export function loggerOf(args: ParsedArguments): Logger {
  const format = args.get("log") ?? (process.stderr.isTTY ? "text" : "json");
  if (format !== "text" && format !== "json")
    throw new UsageError(`--log: "${format}", expected text or json`);
  return format === "json" ? jsonLogger() : textLogger();
}

/** Resolves with the first of SIGINT and SIGTERM. */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve(name));
  });
}

export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}

export function readOption(args: ParsedArguments, name: string): Buffer | undefined {
  const path = args.get(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new PeriscopeError(`--${name} ${path}: ${(error as Error).message}`);
  }
}

export function tokenOf(args: ParsedArguments): string | undefined {
  const token = readOption(args, "token-file")?.toString("utf8").trim();
  if (token === "") throw new PeriscopeError(`--token-file ${args.get("token-file")}: it is empty`);
  return token;
}

export function portOf(args: ParsedArguments, name: string, otherwise: number): number {
  const port = numberOf(args, name) ?? otherwise;
  if (port > 65_535) throw new UsageError(`--${name}: ${port}, expected 0 to 65535`);
  return port;
}

function numberOf(args: ParsedArguments, name: string): number | undefined {
  const text = args.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name}: "${text}", expected a whole number`);
  return Number(text);
}

function durationMs(args: ParsedArguments, name: string): number | undefined {
  const text = args.get(name);
  return text === undefined ? undefined : parseDuration(text, 1e9) / 1e6;
}

function limitsOf(args: ParsedArguments): Partial<LimitOptions> {
  const given = {
    windowMs: durationMs(args, "window"),
    burst: numberOf(args, "burst"),
    refillMs: durationMs(args, "refill"),
    causeBurst: numberOf(args, "cause-burst"),
    causeRefillMs: durationMs(args, "cause-refill"),
    incidentsPerHour: numberOf(args, "incidents-per-hour"),
    bytesPerHour: args.has("bytes-per-hour") ? parseSize(args.get("bytes-per-hour")!) : undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function tlsOptions(args: ParsedArguments): TlsOptions | undefined {
  const [cert, key, ca] = [
    readOption(args, "tls-cert"),
    readOption(args, "tls-key"),
    readOption(args, "tls-ca"),
  ];
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError("collect: expected --tls-cert and --tls-key together");
  }
  return { cert, key, ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: false }) };
}
