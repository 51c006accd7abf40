/**
 * Commands on `net://…`: this thread talks to the relay and hears Ctrl-C; another one runs the command. Without
 * `--follow` (and not `print`) what is there now is fetched first, and the command runs on that.
 */
import { isatty } from "node:tty";
import { MessageChannel, Worker } from "node:worker_threads";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { LiveFeed } from "../live/feed.js";
import { isLiveUrl, LiveSession, parseLiveUrl, sessionUrls } from "../live/live-session.js";
import { LiveSpool } from "../live/live-spool.js";
import { ViewerClient } from "../live/viewer-client.js";
import { type Command, complain, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";

/** Runs a command whose operands have such a URL. `args`: the whole command line. */
export async function runLive(
  name: string,
  command: Command,
  parsed: ParsedArguments,
  args: readonly string[],
): Promise<number> {
  const [text, ...others] = parsed.operands;
  if (text === undefined || others.length > 0 || !isLiveUrl(text)) {
    throw new UsageError(`${name}: expected one net:// URL, and nothing beside it`);
  }
  const url = parseLiveUrl(text);
  if (url.session === undefined && name === "info") return await listSessions(url.host, url.port, parsed);
  const session = await LiveSession.open(url);
  try {
    return name === "print" || parsed.has("follow")
      ? await follow(session, args)
      : await readNow(session, command, parsed, text);
  } finally {
    session.close();
  }
}

async function listSessions(host: string, port: number, parsed: ParsedArguments): Promise<number> {
  const client = await ViewerClient.connect(host, port);
  const sessions = await client.sessions();
  client.close();
  if (parsed.has("json")) {
    const plain = sessions.map(({ id, ...rest }) => ({
      ...rest,
      url: sessionUrls(client.where, [{ id, ...rest }])[0],
    }));
    writeOutput(`${JSON.stringify({ sessions: plain })}\n`);
  } else {
    const lines = sessions.map((one) => {
      const timer = one.liveTimer === 0 ? "not live" : `timer ${one.liveTimer / 1e3} ms`;
      return `${sessionUrls(client.where, [one])[0]} (${timer}, ${one.streams} streams, ${one.clients} viewers)\n`;
    });
    writeOutput(lines.join("") || `${client.where}: no sessions\n`);
  }
  return 0;
}

async function readNow(
  session: LiveSession,
  command: Command,
  parsed: ParsedArguments,
  url: string,
): Promise<number> {
  const spool = new LiveSpool();
  try {
    for (;;) {
      const { update, isCaughtUp } = await session.poll();
      spool.apply(update);
      if (update.ended || isCaughtUp) break;
    }
    if (spool.open() === undefined)
      throw new PeriscopeError(`${url}: nothing has come from it yet; see --follow`);
    parsed.operands.splice(0, 1, spool.directory);
    return await command.run(parsed);
  } finally {
    spool.close();
  }
}

/** Runs the command line again in a thread, which asks this one for what is new. */
async function follow(session: LiveSession, args: readonly string[]): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const feed = new LiveFeed(session, port1, signal);
  let stops = 0;
  const stop = () => {
    // Who asks twice does not want to wait for results.
    if (++stops > 1) process.exit(130);
    feed.stop();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  const width = isatty(1) ? process.stdout.columns : undefined;
  const worker = new Worker(new URL("./cli.js", import.meta.url), {
    argv: [...args],
    workerData: { port: port2, signal },
    transferList: [port2],
    env: { ...process.env, ...(width !== undefined && { PERISCOPE_COLUMNS: String(width) }) },
  });
  let failure: Error | undefined;
  worker.on("error", (error) => {
    failure = error;
  });
  const code = await new Promise<number>((resolve) => worker.on("exit", resolve));
  port1.close();
  if (failure !== undefined) {
    if (!(failure instanceof PeriscopeError)) throw failure;
    complain(failure.message);
    return 1;
  }
  return code;
}
