/**
 * The command line: finds the command, runs it, turns errors into one line and an exit code.
 * Exit codes: 0 done, 1 the work failed, 2 wrong usage.
 */
import { isMainThread } from "node:worker_threads";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { type Command, complain, writeOutput } from "./command.js";
import { helpText, parseArguments } from "./options.js";
import { terminalWidth } from "./terminal.js";

const commands: Record<string, { summary: string; load: () => Promise<{ command: Command }> }> = {
  record: {
    summary: "records what the kernel does, with nothing to install",
    load: () => import("./record.js"),
  },
  snapshot: { summary: "what a flight recorder holds, as a trace", load: () => import("./snapshot.js") },
  report: { summary: "what the machine was doing, in one page", load: () => import("./report.js") },
  info: { summary: "what is in a trace", load: () => import("./info.js") },
  all: {
    summary: "every analysis in one pass",
    load: async () => ({ command: (await import("./analysis.js")).allCommand }),
  },
  print: { summary: "event records as text or JSON, like babeltrace2", load: () => import("./print.js") },
};

/** Names and summaries are written here, too: loading the analyses would cost every command its start. */
const analyses: readonly (readonly [string, string])[] = [
  ["cputop", "who used the CPUs"],
  ["memtop", "who took and gave back memory pages"],
  ["iousagetop", "bytes by process, file, disk, interface"],
  ["iolatencytop", "slowest opens, reads, writes, syncs"],
  ["iolatencystats", "latencies of I/O calls and disks"],
  ["iolatencyfreq", "distribution of these latencies"],
  ["iolog", "every I/O call"],
  ["irqstats", "interrupt handlers: how many, how long"],
  ["irqfreq", "distribution of their durations"],
  ["irqlog", "every interrupt"],
  ["schedtop", "longest waits from wake-up to running"],
  ["schedstats", "these waits by thread or priority"],
  ["schedfreq", "distribution of these waits"],
  ["schedlog", "every wake-up"],
  ["syscallstats", "system calls by thread and name"],
  ["periodtop", "longest instances of periods that you define"],
  ["periodlog", "every instance of these periods"],
  ["periodstats", "how many, how long, their share of their parents"],
  ["periodfreq", "distribution of their durations"],
  ["futextop", "who waited for whom on futexes (locks)"],
];
for (const [name, summary] of analyses) {
  commands[name] = {
    summary,
    load: async () => ({ command: (await import("./analysis.js")).analysisCommand(name) }),
  };
}
commands["why"] = {
  summary: "why the slow ones were slow",
  load: () => import("./why.js"),
};
commands["view"] = {
  summary: "the timeline in the browser",
  load: async () => ({ command: (await import("./serve.js")).viewCommand }),
};
commands["serve"] = {
  summary: "a Trace Server Protocol server, for VS Code and Theia",
  load: async () => ({ command: (await import("./serve.js")).serveCommand }),
};
commands["export"] = {
  summary: "for Perfetto, OpenTelemetry, flame graphs, tables",
  load: () => import("./export.js"),
};
commands["waits"] = {
  summary: "every nanosecond of a thread: running, waiting, for what",
  load: async () => ({ command: (await import("./thread-time.js")).waitsCommand }),
};
commands["critical-path"] = {
  summary: "the same, with waits followed to whoever ended them",
  load: async () => ({ command: (await import("./thread-time.js")).criticalPathCommand }),
};
commands["periods"] = {
  summary: "which profiles (periods of known services) fit a trace",
  load: () => import("./periods.js"),
};
commands["profile"] = {
  summary: "lists, shows and drafts profiles",
  load: () => import("./profile.js"),
};
commands["track-process"] = {
  summary: "event records while chosen threads run",
  load: () => import("./track-process.js"),
};
commands["run"] = {
  summary: "an analysis of your own: periscope run FILE.mjs PATH",
  load: () => import("./run-file.js"),
};
commands["collect"] = {
  summary: "the collector: takes traces of hosts, saves incidents",
  load: () => import("./collect.js"),
};
commands["agent"] = {
  summary: "on each host: keeps its last seconds for the collector",
  load: () => import("./agent.js"),
};
commands["watch"] = {
  summary: "reads an access log, triggers when a request is late",
  load: () => import("./watch.js"),
};
commands["trigger"] = {
  summary: "makes all hosts save their last seconds",
  load: () => import("./trigger.js"),
};
commands["incidents"] = {
  summary: "what was saved when something was late",
  load: async () => ({ command: (await import("./incidents.js")).incidentsCommand }),
};
commands["incident"] = {
  summary: "one of them: hosts, traces, why",
  load: async () => ({ command: (await import("./incidents.js")).incidentCommand }),
};
commands["certificates"] = {
  summary: "development certificates for collector and agents",
  load: () => import("./certificates.js"),
};
commands["lami"] = {
  summary: "launchers for Trace Compass and old scripts",
  load: () => import("./lami.js"),
};
/** Names that people used for others. */
const aliases: Readonly<Record<string, string>> = { iousage: "iousagetop" };

function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(16)}${summary}`);
  return [
    "Usage: periscope COMMAND [OPTION...] PATH...",
    "",
    "Reads LTTng (CTF) traces, and records them.",
    "A path may be a trace or any directory above traces.",
    "",
    "Commands:",
    ...rows,
    "",
    "periscope COMMAND --help tells the options of a command.",
    "",
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(overview());
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    writeOutput(overview());
    return 0;
  }
  if (name === "--version" || name === "-V") {
    const { version } = await import("../version.js");
    writeOutput(`periscope ${version}\n`);
    return 0;
  }
  const known = Object.hasOwn(aliases, name) ? aliases[name]! : name;
  const entry = Object.hasOwn(commands, known) ? commands[known] : undefined;
  if (!entry) throw new UsageError(`no command "${name}"; see periscope --help`);
  // What `run` understands depends on the file that comes first.
  const file = known === "run" && rest[0]?.startsWith("-") === false ? rest.shift() : undefined;
  const { command } =
    file === undefined
      ? await entry.load()
      : { command: await (await import("./run-file.js")).loadCommand(file) };
  const parsed = parseArguments(command.spec, rest);
  if (parsed.has("help")) {
    writeOutput(helpText(command.spec, terminalWidth()));
    return 0;
  }
  if (
    isMainThread &&
    known !== "watch" &&
    parsed.operands.some((operand) => /^net[46]?:\/\//.test(operand))
  ) {
    const { runLive } = await import("./live.js");
    return await runLive(known, command, parsed, args);
  }
  if (parsed.has("follow") && isMainThread) throw new UsageError(`${known}: --follow is for net:// URLs`);
  return await command.run(parsed);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    complain(error.message);
    process.exitCode = 2;
  } else if (error instanceof PeriscopeError) {
    complain(error.message);
    process.exitCode = 1;
  } else if (error instanceof Error && "code" in error && typeof error.code === "string") {
    // The reader of our output has gone (head, less): nothing failed.
    if (error.code === "EPIPE") process.exitCode = 0;
    else {
      complain(error.message);
      process.exitCode = 1;
    }
  } else throw error;
}
