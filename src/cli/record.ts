/** `periscope record`: for a time, until Ctrl-C, around a command, or into memory; and LTTng's session profile. */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { constants, homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { parseDuration, parseSize } from "../base/units.js";
import { chooseBackend } from "../record/choose.js";
import type { Backend, BackendName, EventSelection } from "../record/recorder.js";
import { ALL_EVENTS, eventsByName, eventsOfProfile } from "../record/selection.js";
import { sessionProfile } from "../record/session-profile.js";
import { listenForSnapshots, socketPath } from "../record/snapshot-socket.js";
import { recoverRecording } from "../record/tracefs/backend.js";
import { type Command, complain, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { bundledProfiles } from "./profile-options.js";
import { type Outcome, tellOutcome } from "./saved-trace.js";

const BUFFER_BYTES = 8 * 2 ** 20;
const FLIGHT_BUFFER_BYTES = 32 * 2 ** 20;
const LEAST_BUFFER_BYTES = 8 * 1024;

export const command: Command = {
  spec: {
    name: "record",
    operands: "[-- COMMAND ARG...] | profile",
    summary:
      'Records what the kernel does: while COMMAND runs, for a --duration, or until Ctrl-C. "record profile" prints\nthe matching session profile for LTTng (lttng load -i FILE).',
    options: [
      { name: "output", short: "o", value: "DIR", help: "write there (default: ./periscope-HOST-DATE-TIME)" },
      { name: "duration", short: "d", value: "TIME", help: "end after this time, like 10s" },
      {
        name: "backend",
        value: "NAME",
        help: "tracefs or lttng (default: lttng where it has kernel modules)",
      },
      { name: "profile", value: "NAME", help: "only events that this profile and why need" },
      {
        name: "events",
        value: "GLOB,...",
        many: true,
        help: "only these events, by LTTng's or the kernel's names",
      },
      { name: "buffer-size", value: "SIZE", help: "memory per CPU (default: 8M, flight recorder 32M)" },
      { name: "flight-recorder", help: "keep the newest in memory until periscope snapshot asks" },
      { name: "name", value: "NAME", help: "of the flight recorder, where there are several" },
      { name: "recover", value: "DIR", help: "make a trace of a recording that was killed" },
      { name: "json", help: "tell what was recorded as one JSON object" },
    ],
    notes: [
      "Recording a kernel needs root. Nothing of the machine's own tracing is changed.",
      "Without its kernel modules --backend lttng records what programs tell by LTTng-UST, for which nobody need be root.",
      "With a COMMAND, the exit code is its own (128 + N when signal N ended it); 0 where --duration or Ctrl-C ended it.",
    ].join("\n"),
  },
  async run(args) {
    const { operands, beforeDashes } = args;
    const own = beforeDashes === undefined ? operands : operands.slice(0, beforeDashes);
    const program = beforeDashes === undefined ? [] : operands.slice(beforeDashes);
    const isProfile = own.length === 1 && own[0] === "profile" && beforeDashes === undefined;
    if (own.length > 0 && !isProfile) {
      throw new UsageError(`record: "${own[0]}", expected -- before the command to run`);
    }
    if (beforeDashes !== undefined && program.length === 0) {
      throw new UsageError("record: expected a command after --");
    }
    if (isProfile) return printProfile(args);
    const recover = args.get("recover");
    if (recover !== undefined) {
      tellOutcome({ saved: recoverRecording(recover), backend: "tracefs" }, args.has("json"));
      return 0;
    }
    const backend = chooseBackend(backendName(args));
    if (args.has("flight-recorder")) return await flightRecorder(args, backend, program);
    return await record(args, backend, program);
  },
};

export function backendName(args: ParsedArguments): BackendName | undefined {
  const name = args.get("backend");
  if (name === undefined || name === "tracefs" || name === "lttng") return name;
  throw new UsageError(`--backend: "${name}", expected tracefs or lttng`);
}

export async function selection(args: ParsedArguments): Promise<EventSelection> {
  const patterns = args.all("events").flatMap((text) => text.split(",").filter((part) => part !== ""));
  const profile = args.get("profile");
  if (profile !== undefined && patterns.length > 0) {
    throw new UsageError("record: expected --profile or --events, not both");
  }
  if (patterns.length > 0) return eventsByName(patterns);
  if (profile === undefined) return ALL_EVENTS;
  const { findProfile } = await import("../profiles/find.js");
  return eventsOfProfile(findProfile(profile, bundledProfiles()));
}

function bufferBytes(args: ParsedArguments, otherwise: number): number {
  const text = args.get("buffer-size");
  if (text === undefined) return otherwise;
  const bytes = parseSize(text);
  if (bytes < LEAST_BUFFER_BYTES) throw new UsageError(`--buffer-size: ${text}, expected at least 8K`);
  return bytes;
}

async function printProfile(args: ParsedArguments): Promise<number> {
  const profile = args.get("profile");
  const name = profile === undefined ? "periscope" : `periscope-${profile.replace(/[^\w.-]/g, "-")}`;
  // As LTTng does by itself.
  const directory = join(process.env["LTTNG_HOME"] ?? homedir(), "lttng-traces", name);
  const text = sessionProfile({
    name,
    events: await selection(args),
    bufferBytes: bufferBytes(args, BUFFER_BYTES),
    directory,
  });
  const output = args.get("output");
  if (output === undefined) writeOutput(text);
  else writeFileSync(output, text);
  complain(
    `next: lttng load --input-path=${output ?? "FILE"}, lttng start ${name}; it records into ${directory} (elsewhere: lttng load --override-url=file:///DIR)`,
  );
  return 0;
}

/** A directory that does not exist yet. */
export function outputDirectory(args: ParsedArguments): string {
  const given = args.get("output");
  const two = (n: number) => String(n).padStart(2, "0");
  const now = new Date();
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const directory = resolve(given ?? `periscope-${hostname()}-${date}-${time}`);
  if (existsSync(directory)) throw new PeriscopeError(`${directory} exists`);
  return directory;
}

async function record(args: ParsedArguments, backend: Backend, program: readonly string[]): Promise<number> {
  const directory = outputDirectory(args);
  const end = ending(args, program);
  const recording = await backend.record({
    directory,
    events: await selection(args),
    bufferBytes: bufferBytes(args, BUFFER_BYTES),
    say: complain,
  });
  if (program.length === 0 && args.get("duration") === undefined) {
    complain(`recording by ${backend.name} until Ctrl-C`);
  }
  let how: Outcome["command"];
  try {
    how = await end.wait();
  } catch (error) {
    await recording.abandon();
    throw error;
  }
  const code = exitCodeOf(how);
  try {
    tellOutcome({ saved: await recording.stop(), backend: backend.name, command: how }, args.has("json"));
  } catch (error) {
    // A command that failed is worth more to whoever called it than what could not be recorded of it.
    if (code === 0 || !(error instanceof PeriscopeError)) throw error;
    complain(error.message);
  }
  return code;
}

/** The command's own, so that recording it changes nothing for whoever called it; unless we ended it, as asked. */
function exitCodeOf(command: Outcome["command"]): number {
  if (command === undefined || command.wasStopped) return 0;
  // As shells say it.
  return command.exitCode ?? 128 + (command.signal === null ? 0 : constants.signals[command.signal]);
}

/** What ends a recording: a signal, the time, the command's end. */
interface Ending {
  wait(): Promise<Outcome["command"]>;
}

/** Longest time that a timer can count. */
const MOST_MS = 2 ** 31 - 1;

function ending(args: ParsedArguments, program: readonly string[]): Ending {
  const text = args.get("duration");
  const durationMs = text === undefined ? MOST_MS : parseDuration(text, 1e9) / 1e6;
  if (!(durationMs > 0)) throw new UsageError(`--duration: "${text}", expected more than 0`);
  const interrupted = signalled();
  return {
    async wait() {
      let timer: NodeJS.Timeout | undefined;
      const time = new Promise<void>((done) => {
        timer = setTimeout(done, Math.min(durationMs, MOST_MS));
      });
      const stop = Promise.race([interrupted, time]);
      try {
        if (program.length > 0) return await runProgram(program, stop);
        await stop;
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** From here on a signal ends the recording, not the program: whatever was begun is undone. */
function signalled(): Promise<void> {
  return new Promise((done) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => done());
  });
}

/** Runs it with our own input and output; `stop` ends it early. */
function runProgram(program: readonly string[], stop: Promise<void>): Promise<Outcome["command"]> {
  return new Promise((done, fail) => {
    const child = spawn(program[0]!, program.slice(1), { stdio: "inherit" });
    child.once("error", (error) => fail(new PeriscopeError(`${program[0]}: ${error.message}`)));
    let wasStopped = false;
    child.once("exit", (exitCode, signal) => done({ exitCode, signal, wasStopped }));
    void stop.then(() => {
      // Ctrl-C ends the command, too, maybe before we do.
      wasStopped = true;
      child.kill("SIGTERM");
    });
  });
}

async function flightRecorder(
  args: ParsedArguments,
  backend: Backend,
  program: readonly string[],
): Promise<number> {
  const end = ending(args, program);
  const path = socketPath(args.get("name"));
  const recorder = await backend.openFlightRecorder({
    events: await selection(args),
    bufferBytes: bufferBytes(args, FLIGHT_BUFFER_BYTES),
    say: complain,
  });
  try {
    const server = await listenForSnapshots(path, recorder);
    complain(`recording into memory by ${backend.name} until Ctrl-C; periscope snapshot saves what it holds`);
    try {
      return exitCodeOf(await end.wait());
    } finally {
      server.close();
    }
  } finally {
    await recorder.close();
  }
}
