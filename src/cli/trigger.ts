/** `periscope trigger`: by hand, or from a script. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { DEFAULT_SOCKET, type HttpTarget, postTrigger } from "../agent/trigger-client.js";
import { formatTriggerLine } from "../agent/trigger-line.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { realtimeNs } from "../base/realtime.js";
import { readOption, tokenOf } from "./collect.js";
import { type Command, complain, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";

export const command: Command = {
  spec: {
    name: "trigger",
    operands: "[CAUSE] [KEY=VALUE...]",
    summary:
      "Makes all hosts of a group save their last seconds: says so to the collector, or to this host's agent.",
    options: [
      { name: "collector", value: "URL", help: "of its HTTP port, like http://127.0.0.1:5346" },
      { name: "socket", value: "PATH", help: `of this host's agent (default: ${DEFAULT_SOCKET})` },
      { name: "group", value: "NAME", help: "whose agents (with --collector; default: default)" },
      { name: "at", value: "TIME", help: "when it was late: ns since the epoch, or 2026-11-24T12:00:00Z" },
      { name: "token-file", value: "FILE", help: "what the collector wants to hear" },
      { name: "ca", value: "FILE", help: "authority that signed its certificate (with https)" },
      { name: "json", help: "the collector's answer as JSON" },
    ],
  },
  async run(args) {
    const [first, ...others] = args.operands;
    const isPair = first?.includes("=") === true;
    const cause = first === undefined || isPair ? "by hand" : first;
    const attributes = Object.fromEntries((isPair ? [first, ...others] : others).map(pairOf));
    const collector = args.get("collector");
    if (collector === undefined) return await toAgent(args, cause, attributes);
    const reply = await postTrigger(httpTarget(collector, args), {
      cause,
      attributes,
      at: args.get("at") ?? String(realtimeNs()),
      ...(args.has("group") && { group: args.get("group") }),
    });
    if (args.has("json")) writeOutput(`${JSON.stringify(reply)}\n`);
    else if (reply["result"] === "incident") complain(`incident ${reply["incident"]}`);
    else complain(`joins incident ${reply["incident"]}`);
    return 0;
  },
};

function pairOf(text: string): [string, string | number] {
  const at = text.indexOf("=");
  if (at <= 0) throw new UsageError(`trigger: "${text}", expected KEY=VALUE`);
  const value = text.slice(at + 1);
  return [text.slice(0, at), /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value];
}

/** What `--collector` says, with `--token-file` and `--ca`. Throws `PeriscopeError`. */
export function httpTarget(collector: string, args: ParsedArguments): HttpTarget {
  return { url: urlOf(collector), token: tokenOf(args), ca: readOption(args, "ca") };
}

function urlOf(text: string): string {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url))
    throw new UsageError(`--collector: "${text}", expected a URL like http://127.0.0.1:5346`);
  return url;
}

async function toAgent(
  args: ParsedArguments,
  cause: string,
  attributes: Readonly<Record<string, string | number>>,
): Promise<number> {
  if (args.has("group")) throw new UsageError("trigger: --group needs --collector: an agent has one group");
  const path = args.get("socket") ?? DEFAULT_SOCKET;
  if (!existsSync(path)) {
    throw new PeriscopeError(`${path}: no agent listens there; give --socket, or --collector URL`);
  }
  const at = args.get("at");
  const atNs = at === undefined ? realtimeNs() : momentOf(at);
  await new Promise<void>((resolve, reject) => {
    const socket = connect(path, () => socket.end(`${formatTriggerLine(cause, atNs, attributes)}\n`));
    socket.on("close", () => resolve());
    socket.on("error", (error) => reject(new PeriscopeError(`${path}: ${error.message}`)));
  });
  complain("said to the agent");
  return 0;
}

function momentOf(text: string): bigint {
  if (/^\d{16,19}$/.test(text)) return BigInt(text);
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new UsageError(`--at: "${text}", expected ns since the epoch or a date and time`);
  return BigInt(ms) * 1_000_000n;
}
