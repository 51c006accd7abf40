/** `periscope incidents` lists what the collector has; `periscope incident ID` opens one. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { type Incident, incidentJson } from "../collect/incidents/incident.js";
import { IncidentIndex } from "../collect/incidents/index-file.js";
import { incidentsText, incidentText, suppressedText } from "../present/incident-text.js";
import { type Command, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

const STORE = { name: "store", value: "DIR", help: "of periscope collect (default: $PERISCOPE_STORE)" };
const COMMON = [
  STORE,
  { name: "gmt", help: "times are GMT instead of local" },
  { name: "json", help: "the same as JSON" },
  { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
];

export const incidentsCommand: Command = {
  spec: {
    name: "incidents",
    operands: "",
    summary:
      "Lists incidents, newest first: when, cause, hosts, how long before the trigger all hosts are covered.",
    options: [...COMMON, { name: "limit", value: "N", help: "at most so many (default: 30)" }],
  },
  run(args) {
    if (args.operands.length > 0) throw new UsageError("incidents: see periscope incident ID for one");
    const limit = wholeNumber(args.get("limit"), "limit", 1) ?? 30;
    const { incidents, suppressed } = withIndex(args, (index) => ({
      incidents: index.list(limit),
      suppressed: index.suppressed(),
    }));
    if (args.has("json")) {
      writeOutput(`${JSON.stringify({ incidents: incidents.map(incidentJson), suppressed })}\n`);
    } else writeOutput(incidentsText(incidents, textOptions(args)) + suppressedText(suppressed));
    return 0;
  },
};

export const incidentCommand: Command = {
  spec: {
    name: "incident",
    operands: "ID",
    summary:
      "Shows an incident: its hosts, where their traces are, and why it was slow. ID may be cut, or be latest.",
    options: COMMON,
  },
  run(args) {
    const [wanted, ...more] = args.operands;
    if (wanted === undefined || more.length > 0) throw new UsageError("incident: expected one ID, or latest");
    const found = withIndex(args, (index) => find(index, wanted));
    const directory = join(resolve(storeOf(args)), "incidents", found.id);
    if (args.has("json")) {
      const path = join(directory, "why.json");
      const explanation = found.why === "stored" && existsSync(path) ? readFileSync(path, "utf8") : "null";
      const fields = JSON.stringify({ ...incidentJson(found), directory }).slice(0, -1);
      // The explanation is JSON already.
      writeOutput(`${fields},"explanation":${explanation.trim()}}\n`);
      return 0;
    }
    const path = join(directory, "why.txt");
    const why = found.why === "stored" && existsSync(path) ? readFileSync(path, "utf8") : undefined;
    writeOutput(incidentText(found, directory, why, textOptions(args)));
    return 0;
  },
};

function storeOf(args: ParsedArguments): string {
  const store = args.get("store") ?? process.env["PERISCOPE_STORE"];
  if (store === undefined)
    throw new UsageError("expected --store DIR, or PERISCOPE_STORE in the environment");
  return store;
}

function withIndex<T>(args: ParsedArguments, use: (index: IncidentIndex) => T): T {
  const store = storeOf(args);
  const index = IncidentIndex.read(store);
  if (index === undefined)
    throw new PeriscopeError(`${store}: no incidents here; is it the store of a collector?`);
  try {
    return use(index);
  } finally {
    index.close();
  }
}

function find(index: IncidentIndex, wanted: string): Incident {
  const exact = index.get(wanted);
  if (exact !== undefined) return exact;
  const all = index.list(1000);
  if (wanted === "latest" && all[0] !== undefined) return all[0];
  const candidates = all.filter(({ id }) => id.startsWith(wanted));
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length > 1) {
    throw new UsageError(
      `incident ${wanted}: may be ${candidates
        .slice(0, 5)
        .map(({ id }) => id)
        .join(", ")}`,
    );
  }
  throw new PeriscopeError(`no incident ${wanted}; see periscope incidents`);
}

function textOptions(args: ParsedArguments) {
  const width = wholeNumber(args.get("width"), "width", 40) ?? terminalWidth();
  return {
    width,
    color: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
    gmt: args.has("gmt"),
  };
}
