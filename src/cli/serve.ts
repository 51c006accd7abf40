/** `periscope view`: the timeline in the browser; `periscope serve`: the same server for Trace Server Protocol clients. */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { IncidentIndex as Index } from "../collect/incidents/index-file.js";
import { isKept } from "../history/cache.js";
import type { IncidentLine } from "../page/contract.js";
import { definePeriods, type PeriodArguments } from "../periods/define.js";
import { exporter } from "../serve/export-process.js";
import { type ServeOptions, serve } from "../serve/server.js";
import { type Command, complain, writeOutput } from "./command.js";
import { installed } from "./installed.js";
import type { OptionSpec, ParsedArguments } from "./options.js";
import { PERIOD_OPTIONS, profileArgumentsOf } from "./period-options.js";
import { wholeNumber } from "./terminal.js";

const COMMON: readonly OptionSpec[] = [
  { name: "port", value: "N", help: "port to listen on" },
  { name: "address", value: "ADDRESS", help: "address to listen on (default: 127.0.0.1, this machine only)" },
  { name: "prefix", value: "PATH", help: "path before all others, behind a proxy: /periscope" },
  { name: "allow-origin", value: "ORIGIN", many: true, help: "other web pages that may ask; * for all" },
  ...PERIOD_OPTIONS,
  { name: "store", value: "DIR", help: "of periscope collect: its incidents can be opened from a list" },
  { name: "no-cache", help: "do not keep the state history for the next time" },
];

export const viewCommand: Command = {
  spec: {
    name: "view",
    operands: "PATH...",
    summary:
      "Opens the timeline of traces in the browser: several paths (hosts) together on one page. Nothing leaves this machine.",
    options: [
      ...COMMON.map((one) => (one.name === "port" ? { ...one, help: "port (default: any free one)" } : one)),
      { name: "no-browser", help: "only print the address" },
    ],
    notes: "Example: periscope view --profile nginx TRACE",
  },
  run: (args) => run(args, "view"),
};

export const serveCommand: Command = {
  spec: {
    name: "serve",
    operands: "PATH...",
    summary:
      "Serves traces to viewers of the Trace Server Protocol (VS Code, Theia) below /tsp/api, and to browsers: each path is an experiment.",
    options: COMMON.map((one) => (one.name === "port" ? { ...one, help: "port (default: 8080)" } : one)),
    notes:
      "Example: periscope serve --port 8080 TRACE, then in VS Code: Trace Server URL http://localhost:8080",
  },
  run: (args) => run(args, "serve"),
};

async function run(args: ParsedArguments, label: "view" | "serve"): Promise<number> {
  const store = args.get("store");
  if (args.operands.length === 0 && store === undefined) {
    throw new UsageError(`${label}: expected one or more paths of traces; see periscope ${label} --help`);
  }
  for (const path of args.operands) {
    if (!existsSync(path)) throw new PeriscopeError(`${path}: there is no such file or directory`);
  }
  const groups = label === "view" ? [args.operands] : args.operands.map((path) => [path]);
  const { bundledProfiles } = await import("./profile-options.js");
  const address = args.get("address") ?? "127.0.0.1";
  const options: ServeOptions = {
    address,
    port: wholeNumber(args.get("port"), `${label}: --port`, 0) ?? (label === "serve" ? 8080 : 0),
    prefix: prefixOf(args.get("prefix"), label),
    origins: args.all("allow-origin"),
    page: dirname(installed("dist/page/index.html")),
    ...(await periodsOf(args)),
    profiles: bundledProfiles(),
    noCache: args.has("no-cache"),
    exported: exporter(installed("bin/periscope")),
    ...(store === undefined ? {} : { incidents: await incidentsOf(store) }),
  };
  const wanted = groups.filter((paths) => paths.length > 0);
  const server = await serve(wanted, options);
  try {
    // Their threads are starting meanwhile.
    for (const paths of wanted) if (options.noCache || !isKept(paths)) await checkTraces(paths);
  } catch (error) {
    await server.close();
    throw error;
  }
  const host = address === "0.0.0.0" || address === "::" ? "localhost" : address;
  const base = `http://${host.includes(":") ? `[${host}]` : host}:${server.port}${options.prefix}`;
  if (label === "serve") writeOutput(`${base}/tsp/api\n${base}/\n`);
  else {
    writeOutput(`${base}/\n`);
    if (!args.has("no-browser")) openBrowser(`${base}/`);
  }
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  await server.close();
  return 0;
}

/** What cannot be opened is said now, not in the browser. Throws `PeriscopeError` when there are no traces. */
async function checkTraces(paths: readonly string[]): Promise<void> {
  const { openSource } = await import("../sources/ctf.js");
  const { info, failures } = openSource(paths);
  if (info.traces.length === 0) throw new PeriscopeError(failures.join("; "));
  for (const failure of failures) complain(failure);
}

function prefixOf(text: string | undefined, label: string): string {
  if (text === undefined || text === "/") return "";
  if (!/^(\/[\w.~-]+)+\/?$/.test(text))
    throw new UsageError(`${label}: --prefix: "${text}", expected a path like /periscope`);
  return text.replace(/\/$/, "");
}

/** Periods that are given; none: the profile that fits is found when the traces are read. */
async function periodsOf(
  args: ParsedArguments,
): Promise<{ periods: PeriodArguments | undefined; profile: string }> {
  const profiles = await profileArgumentsOf(args);
  const periods = [...profiles.periods, ...args.all("period")];
  const captures = [...profiles.captures, ...args.all("period-captures")];
  if (periods.length === 0) return { periods: undefined, profile: "" };
  definePeriods({ periods, captures });
  return { periods: { periods, captures }, profile: args.all("profile").join(", ") };
}

/** The index needs SQLite, which takes longer to load than all the rest. */
async function incidentsOf(store: string): Promise<NonNullable<ServeOptions["incidents"]>> {
  const { IncidentIndex, indexPath } = await import("../collect/incidents/index-file.js");
  const { bytesOf } = await import("../collect/incidents/incident.js");
  if (!existsSync(indexPath(store))) {
    throw new PeriscopeError(`${store}: no incidents here; is it the store of a collector?`);
  }
  const withIndex = <T>(use: (index: Index) => T): T => {
    const index = IncidentIndex.read(store);
    if (index === undefined) throw new PeriscopeError(`${store}: its index of incidents is gone`);
    try {
      return use(index);
    } finally {
      index.close();
    }
  };
  return {
    list: () =>
      withIndex((index) =>
        index.list(200).map(
          (one): IncidentLine => ({
            id: one.id,
            when: new Date(Number(one.atNs / 1_000_000n)).toISOString(),
            cause: one.cause,
            hosts: [...one.hosts.keys()],
            bytes: bytesOf(one),
          }),
        ),
      ),
    pathOf(id) {
      const path = join(store, "incidents", id);
      const known = withIndex((index) => index.get(id)) !== undefined;
      return known && existsSync(path) && statSync(path).isDirectory() ? path : undefined;
    },
  };
}

/** As well as it can be had: without a desktop the address on standard output must do. */
function openBrowser(url: string): void {
  if (!process.env["DISPLAY"] && !process.env["WAYLAND_DISPLAY"] && process.platform === "linux") return;
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(program, [url], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
