/** `periscope export`: traces in the formats of other tools. */
import { closeSync, openSync, rmSync } from "node:fs";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { reuse } from "../explain/aligned.js";
import { FileSink } from "../export/text-sink.js";
import { readTimeline, type Timeline } from "../export/timeline.js";
import { definePeriods } from "../periods/define.js";
import type { EventSource } from "../sources/source.js";
import { type Command, complain, reportProblems } from "./command.js";
import { explainTarget, TIME_OPTIONS } from "./explain-options.js";
import type { ParsedArguments } from "./options.js";
import { PERIOD_OPTIONS, periodArguments } from "./period-options.js";
import { wholeNumber } from "./terminal.js";

const FORMATS: Readonly<Record<string, string>> = {
  perfetto: "ui.perfetto.dev",
  chrome: "Chrome's JSON: chrome://tracing, Speedscope",
  otlp: "periods as OpenTelemetry spans",
  stacks: "collapsed stacks of time, for flame graphs",
  csv: "a table",
  parquet: "a table, for DuckDB, pandas, Spark",
};

/** Instances whose critical path is told, unless asked for more. */
const DEFAULT_PATHS = 100;

export const command: Command = {
  spec: {
    name: "export",
    operands: "--format FORMAT PATH...",
    summary:
      "Writes traces in the formats of other tools: threads, CPUs, disks, and periods with their phases.",
    options: [
      { name: "format", short: "f", value: "FORMAT", help: Object.keys(FORMATS).join(", ") },
      { name: "output", short: "o", value: "FILE", help: "default: standard output" },
      {
        name: "table",
        value: "NAME",
        help: "csv, parquet: periods or states (default: periods, if there are)",
      },
      { name: "endpoint", value: "URL", help: "otlp: the collector, like http://127.0.0.1:4318" },
      { name: "header", value: "NAME: VALUE", many: true, help: "otlp: for the collector" },
      {
        name: "critical-path",
        value: "N",
        help: `otlp: critical paths of the N longest instances as span events (default ${DEFAULT_PATHS}; 0: none)`,
      },
      ...PERIOD_OPTIONS,
      ...TIME_OPTIONS,
    ],
    notes: [
      ...Object.entries(FORMATS).map(([name, what]) => `  ${name.padEnd(10)}${what}`),
      "Example: periscope export --format perfetto --profile nginx -o trace.pftrace TRACE",
    ].join("\n"),
  },
  async run(args) {
    const format = args.get("format");
    if (format === undefined || FORMATS[format] === undefined) {
      const found = format === undefined ? "" : `--format: "${format}", `;
      throw new UsageError(`export: ${found}expected --format ${Object.keys(FORMATS).join(", ")}`);
    }
    const definitions = await periodArguments(args);
    if (format === "otlp" && definitions.periods.length === 0) {
      throw new UsageError("export: otlp: spans are periods, expected --profile or --period");
    }
    const table = tableName(args, definitions.periods.length > 0);
    const set = definitions.periods.length === 0 ? undefined : definePeriods(definitions);
    const headers = headersOf(args);
    const most = wholeNumber(args.get("critical-path"), "export: --critical-path", 0) ?? DEFAULT_PATHS;
    const { source, reopen, time } = explainTarget(args, "export");
    const { beginNs, endNs } = time;
    const { info } = source;
    const range =
      beginNs === undefined && endNs === undefined
        ? undefined
        : { beginNs: beginNs ?? info.beginNs, endNs: endNs ?? info.endNs };
    const open = reuse(source, reopen);
    if (format === "perfetto") {
      const { PerfettoExport } = await import("../export/perfetto.js");
      let failures: readonly string[] = [];
      await toFile(args.get("output"), async (out) => {
        const writer = new PerfettoExport(out);
        const listen = (one: EventSource) => writer.listen(one, range);
        const timeline = readTimeline(open, { periods: set, range, listen });
        writer.finish(timeline);
        ({ failures } = timeline);
      });
      return reportProblems(failures, 0);
    }
    const timeline = readTimeline(open, { periods: set, range });
    const endpoint = args.get("endpoint");
    if (format === "otlp") {
      const { otlpRequests, sendOtlp } = await import("../export/otlp.js");
      const { criticalPaths } = await import("../export/span-events.js");
      const paths = most === 0 ? new Map() : criticalPaths(reopen(), timeline, most);
      if (endpoint !== undefined) {
        complain(`${await sendOtlp(timeline, paths, { endpoint, headers })} spans sent to ${endpoint}`);
      } else {
        await toFile(args.get("output"), async (out) => {
          for (const { body } of otlpRequests(timeline, paths)) out.write(`${JSON.stringify(body)}\n`);
        });
      }
    } else await toFile(args.get("output"), (out) => write(format, timeline, table, out));
    return reportProblems(timeline.failures, 0);
  },
};

function tableName(args: ParsedArguments, hasPeriods: boolean): "periods" | "states" {
  const name = args.get("table") ?? (hasPeriods ? "periods" : "states");
  if (name !== "periods" && name !== "states")
    throw new UsageError(`--table: "${name}", expected periods or states`);
  if (name === "periods" && !hasPeriods)
    throw new UsageError("--table periods: expected --profile or --period");
  return name;
}

function headersOf(args: ParsedArguments): Record<string, string> {
  return Object.fromEntries(
    args.all("header").map((text) => {
      const match = /^([\w-]+)\s*:\s*(.*)$/.exec(text);
      if (match === null) throw new UsageError(`--header: "${text}", expected NAME: VALUE`);
      return [match[1]!, match[2]!];
    }),
  );
}

/** A file that was begun and not ended is removed. */
async function toFile(path: string | undefined, use: (out: FileSink) => Promise<void>): Promise<void> {
  if (path === undefined) {
    const out = new FileSink(1);
    await use(out);
    out.flush();
    // A server that passes it on must know that nothing is missing (`serve/export-process.ts`).
    process.send?.("written");
    return;
  }
  let fd: number;
  try {
    fd = openSync(path, "w");
  } catch (error) {
    throw new PeriscopeError(`${path}: ${(error as Error).message}`);
  }
  try {
    const out = new FileSink(fd);
    await use(out);
    out.flush();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function write(
  format: string,
  timeline: Timeline,
  table: "periods" | "states",
  out: FileSink,
): Promise<void> {
  switch (format) {
    case "chrome":
      (await import("../export/chrome.js")).writeChrome(timeline, out);
      return;
    case "stacks":
      (await import("../export/stacks.js")).writeStacks(timeline, out);
      return;
    default: {
      const { tableOf, writeCsv, writeParquet } = await import("../export/table.js");
      const rows = tableOf(timeline, table);
      if (format === "csv") writeCsv(rows, out);
      else await writeParquet(rows, out);
    }
  }
}
