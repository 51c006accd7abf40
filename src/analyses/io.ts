/**
 * Input and output: latencies of system calls that open, read, write and sync, and of disks; a log of all such
 * calls; who moved how many bytes.
 *
 * The size of a call is what it returned: bytes moved, not bytes asked for. Failed calls have none. Descriptors
 * opened before the slice or the trace count like all others.
 */

import { Series } from "../base/series.js";
import { Top } from "../base/top.js";
import { type Disk, deviceNumbers, type Request } from "../kernel/block.js";
import { errnoName } from "../kernel/errno.js";
import type { Cpu, FileKind, Thread } from "../kernel/state.js";
import type { Syscall } from "../kernel/syscall-table.js";
import { type CommonOptions, defineAnalysis, type Scope, type TableContext } from "./analysis.js";
import { BeginOrder } from "./begin-order.js";
import {
  type Distribution,
  distributions,
  FREQUENCY_DEFAULTS,
  type FrequencyOptions,
  frequencyTables,
} from "./frequency.js";
import { fileName, Usage, type UsageResult, usageClasses, usageTables } from "./io-usage.js";
import { type LogOptions, LogRows, type LogTable, logTable } from "./log.js";
import { exactness, type Stats, statsCells, statsColumns, statsOf } from "./stats.js";
import {
  type Cell,
  duration,
  hostOf,
  number,
  processCell,
  size,
  type Table,
  type TableClass,
  type ThreadRef,
  text,
  threadNow,
  timeRange,
} from "./table.js";

export interface IoOptions extends CommonOptions, FrequencyOptions, LogOptions<IoRow> {
  readonly usage: boolean;
  readonly stats: boolean;
  readonly top: boolean;
  /** Sizes outside are left out of latencies and log; calls without a size pass. Bytes. */
  readonly minBytes?: number;
  readonly maxBytes?: number;
}

export type IoCategory = "open" | "read" | "write" | "sync";

export interface IoRow {
  /** `ns` since the source's origin. */
  readonly beginNs: number;
  readonly endNs: number;
  readonly syscall: string;
  /** Null for closes, which are in the log only. */
  readonly category: IoCategory | null;
  /** Bytes moved; null where there are none to tell. */
  readonly bytes: number | null;
  /** Name of the error, when it failed. */
  readonly error: string | null;
  /** Named as it was then. */
  readonly thread: ThreadRef;
  readonly path: string | null;
  readonly fd: number | null;
  readonly kind: FileKind;
}

export interface DiskStats {
  readonly host: number;
  readonly disk: string;
  /** From issue to completion, without flushes. */
  readonly stats: Stats;
  /** Those, which the reference does not count. */
  readonly flushes: Stats;
}

export interface IoResult {
  /** Null, or empty lists below, for what was not asked for. */
  readonly syscalls: Readonly<Record<IoCategory, Stats>> | null;
  readonly disks: readonly DiskStats[];
  readonly top: Readonly<Record<IoCategory, readonly IoRow[]>>;
  readonly distributions: readonly Distribution[];
  readonly log: readonly IoRow[];
  /** Rows of the log that are not in order of their begin. */
  readonly late: number;
  readonly usage: UsageResult | null;
}

const CATEGORIES: readonly IoCategory[] = ["open", "read", "write", "sync"];
const F_DUPFD = 0;
const F_DUPFD_CLOEXEC = 1030;
const KEEP_FOR_BINS = 1 << 20;

interface DiskSeries {
  readonly disk: Disk;
  readonly requests: Series;
  readonly flushes: Series;
}

/** Where a call that ends counts; "none" when it is no input or output. */
function categoryOf(syscall: Syscall, thread: Thread): IoCategory | "copy" | "close" | "none" {
  switch (syscall.kind) {
    case "open":
    case "socket":
      return "open";
    case "dup":
      return syscall.name.startsWith("fcntl") &&
        thread.syscallArg !== F_DUPFD &&
        thread.syscallArg !== F_DUPFD_CLOEXEC
        ? "none"
        : "open";
    case "read":
    case "write":
    case "sync":
    case "copy":
    case "close":
      return syscall.kind;
    default:
      return "none";
  }
}

class Io {
  readonly syscalls: Record<IoCategory, Series>;
  readonly top: Record<IoCategory, Top<IoRow>>;
  readonly disks = new Map<Disk, DiskSeries>();
  readonly log: LogRows<IoRow>;
  readonly order: BeginOrder<Thread, IoRow>;
  readonly usage = new Usage();

  constructor(readonly scope: Scope<IoOptions>) {
    const { options, model } = scope;
    const each = <T>(make: () => T): Record<IoCategory, T> => ({
      open: make(),
      read: make(),
      write: make(),
      sync: make(),
    });
    this.syscalls = each(() => this.series());
    this.top = each(() => new Top<IoRow>(options.top ? options.limit : 0));
    this.log = new LogRows(options);
    this.order = new BeginOrder((row) => this.log.add(row));
    if (options.log) {
      // Calls under way come first, oldest first.
      const underWay = model.hosts.flatMap((host) =>
        [...host.living()].filter((t) => t.syscall !== undefined),
      );
      underWay.sort((a, b) => a.syscallBeginNs - b.syscallBeginNs);
      for (const thread of underWay) this.order.begin(thread);
    }
  }

  series(): Series {
    return new Series(this.scope.budget, this.scope.options.freq ? KEEP_FOR_BINS : undefined);
  }

  begin(thread: Thread): void {
    if (!this.scope.options.log) return;
    const { kind } = thread.syscall!;
    if (kind !== "other" && categoryOf(thread.syscall!, thread) !== "none") this.order.begin(thread);
  }

  end(thread: Thread, ns: number): void {
    const syscall = thread.syscall!;
    const category = syscall.kind === "other" ? "none" : categoryOf(syscall, thread);
    if (category === "none") return;
    const { filter, options } = this.scope;
    const cpu = thread.host.cpus[thread.cpu];
    const ret = thread.syscallRet;
    const kept =
      filter.thread(thread) &&
      (cpu === undefined || filter.cpu(cpu)) &&
      this.#count(thread, category, ret, ns);
    if (options.log) this.order.end(thread, kept ? rowOf(thread, category, ns) : undefined);
  }

  /** Counts a call; false when bounds leave it out of latencies and log. */
  #count(thread: Thread, category: IoCategory | "copy" | "close", ret: number, ns: number): boolean {
    const { options } = this.scope;
    const { syscallFile: file, syscallFile2: file2 } = thread;
    const moves = category === "read" || category === "write" || category === "copy";
    if (options.usage && moves) {
      const bytes = Math.max(0, ret);
      if (file !== undefined) this.usage.moved(thread, file, thread.syscallFd, bytes, category === "write");
      if (file2 !== undefined) this.usage.moved(thread, file2, thread.syscallFd2, bytes, true);
    }
    const spent = ns - thread.syscallBeginNs;
    const { minNs, maxNs, minBytes, maxBytes } = options;
    if (minNs !== undefined && spent < minNs) return false;
    if (maxNs !== undefined && spent > maxNs) return false;
    if (moves && ret >= 0) {
      if (minBytes !== undefined && ret < minBytes) return false;
      if (maxBytes !== undefined && ret > maxBytes) return false;
    }
    if (category === "close") return true;
    // A copy reads from one file and writes to the other.
    const counted = options.stats || options.freq;
    for (const one of category === "copy" ? (["read", "write"] as const) : [category]) {
      if (counted) this.syscalls[one].add(spent);
      if (this.top[one].wants(spent)) this.top[one].add(spent, rowOf(thread, one, ns));
    }
    return true;
  }

  disk(request: Request, ns: number): void {
    const { filter, options } = this.scope;
    const { disk } = request;
    if (!filter.thread(request.thread)) return;
    if (options.usage) this.usage.completed(request, ns);
    if (!options.stats && !options.freq) return;
    const spent = ns - request.issueNs;
    const { minNs, maxNs, minBytes, maxBytes } = options;
    if ((minNs !== undefined && spent < minNs) || (maxNs !== undefined && spent > maxNs)) return;
    if (minBytes !== undefined && request.bytes < minBytes) return;
    if (maxBytes !== undefined && request.bytes > maxBytes) return;
    let series = this.disks.get(disk);
    if (series === undefined) {
      series = { disk, requests: this.series(), flushes: this.series() };
      this.disks.set(disk, series);
    }
    (request.kind === "flush" ? series.flushes : series.requests).add(spent);
  }

  packet(cpu: Cpu, sent: boolean): boolean {
    const { filter } = this.scope;
    // Who receives is not known when a packet comes in.
    return filter.cpu(cpu) && (filter.allThreads || (sent && filter.thread(cpu.current)));
  }
}

function rowOf(thread: Thread, category: IoCategory | "copy" | "close", ns: number): IoRow {
  const syscall = thread.syscall!;
  const ret = thread.syscallRet;
  const failed = ret < 0;
  const makes = syscall.kind === "open" || syscall.kind === "dup" || syscall.kind === "socket";
  const fd = makes ? (failed ? -1 : ret) : thread.syscallFd;
  const moves = category === "read" || category === "write" || category === "copy";
  const file = thread.syscallFile;
  return {
    beginNs: thread.syscallBeginNs,
    endNs: ns,
    syscall: syscall.compat ? `${syscall.name} (32-bit)` : syscall.name,
    category: category === "close" ? null : category === "copy" ? "read" : category,
    bytes: moves && ret >= 0 ? ret : null,
    error: failed ? errnoName(-ret) : null,
    thread: threadNow(thread),
    path: file !== undefined ? fileName(file) : syscall.kind === "open" ? thread.syscallPath || null : null,
    fd: fd >= 0 ? fd : null,
    kind: file?.kind ?? "unknown",
  };
}

const rowColumns = [
  { title: "Call time range", class: "time-range" },
  { title: "System call out of range?", class: "bool" },
  { title: "Call duration", class: "duration" },
  { title: "System call", class: "syscall" },
  { title: "Read/write size", class: "size" },
  { title: "Process", class: "process" },
  { title: "File path", class: "path" },
  { title: "File descriptor", class: "fd" },
] as const;

const tableClasses = {
  "syscall-latency-stats": {
    title: "System call latency statistics",
    columns: [
      { title: "System call category", class: "string" },
      { title: "Call count", class: "number", unit: "calls" },
      { title: "Minimum call latency", class: "duration" },
      { title: "Average call latency", class: "duration" },
      { title: "Maximum call latency", class: "duration" },
      { title: "System call latency standard deviation", class: "duration" },
    ],
  },
  "disk-latency-stats": {
    title: "Partition latency statistics",
    columns: [
      { title: "Partition", class: "disk" },
      { title: "Access count", class: "number", unit: "accesses" },
      { title: "Minimum access latency", class: "duration" },
      { title: "Average access latency", class: "duration" },
      { title: "Maximum access latency", class: "duration" },
      { title: "System access latency standard deviation", class: "duration" },
    ],
  },
  freq: {
    title: "I/O request latency distribution",
    columns: [
      { title: "Latency (lower bound)", class: "duration" },
      { title: "Latency (upper bound)", class: "duration" },
      { title: "Request count", class: "number", unit: "requests" },
    ],
  },
  "top-syscall": { title: "Top system call latencies", columns: rowColumns },
  log: { title: "I/O operations log", columns: rowColumns },
  ...usageClasses,
} as const satisfies Record<string, TableClass>;

const log: LogTable<IoRow & { readonly outOfRange?: boolean }> = {
  class: "log",
  heading: "I/O operations log",
  columns: [
    { lami: rowColumns[0], text: undefined },
    { lami: rowColumns[1], text: undefined },
    { lami: undefined, text: "Begin", class: "timestamp" },
    { lami: undefined, text: "End", class: "timestamp", drop: 3 },
    { lami: rowColumns[2], text: "Duration" },
    { lami: rowColumns[3], text: "Name" },
    { lami: rowColumns[4], text: "Size" },
    { lami: undefined, text: "Error", class: "error", drop: 1 },
    { lami: rowColumns[5], text: "Process" },
    { lami: rowColumns[6], text: "File" },
    { lami: rowColumns[7], text: "FD", drop: 2 },
  ],
  cells: (row, { epochNs, hosts }) => [
    timeRange(epochNs(row.beginNs), epochNs(row.endNs)),
    { class: "bool", value: row.outOfRange ?? false },
    row.outOfRange
      ? { class: "timestamp", value: epochNs(row.beginNs), mark: "*" }
      : { class: "timestamp", value: epochNs(row.beginNs) },
    { class: "timestamp", value: epochNs(row.endNs) },
    duration(row.endNs - row.beginNs),
    { class: "syscall", name: row.syscall },
    row.bytes === null ? null : size(row.bytes),
    row.error === null ? null : text(row.error),
    processCell(hosts, row.thread, false),
    row.path === null
      ? null
      : hosts.length > 1
        ? { class: "path", path: row.path, host: hosts[row.thread.host]! }
        : { class: "path", path: row.path },
    row.fd === null ? null : { class: "fd", fd: row.fd },
  ],
};

/** Rows of calls that began before the slice are marked. */
function marked(row: IoRow, beginNs: number): IoRow & { outOfRange: boolean } {
  return { ...row, outOfRange: row.beginNs < beginNs };
}

const title = (category: string) => category[0]!.toUpperCase() + category.slice(1);

function statsTables(result: IoResult, { hosts }: TableContext<IoOptions>): Table[] {
  const { syscalls } = result;
  if (syscalls === null) return [];
  const perCall = tableClasses["syscall-latency-stats"].columns;
  const perDisk = tableClasses["disk-latency-stats"].columns;
  const disk = (row: DiskStats) => ({ class: "disk" as const, name: row.disk, ...hostOf(hosts, row.host) });
  const flushed = result.disks.filter((row) => row.flushes.count > 0);
  return [
    {
      class: "syscall-latency-stats",
      heading: "Syscalls latency statistics",
      view: { kind: "table" },
      columns: [{ lami: perCall[0], text: "Type" }, ...statsColumns(perCall.slice(1))],
      rows: CATEGORIES.map((category) => [text(title(category)), ...statsCells(syscalls[category])]),
      notes: exactness(CATEGORIES.map((category) => syscalls[category])),
    },
    {
      class: "disk-latency-stats",
      heading: "Disk latency statistics",
      view: { kind: "table" },
      columns: [{ lami: perDisk[0], text: "Name" }, ...statsColumns(perDisk.slice(1))],
      rows: result.disks
        .filter((row) => row.stats.count > 0)
        .map((row) => [disk(row), ...statsCells(row.stats)]),
      notes: exactness(result.disks.map((row) => row.stats)),
    },
    {
      class: undefined,
      heading: "Disk flush statistics",
      view: { kind: "table" },
      columns: [{ lami: perDisk[0], text: "Name" }, ...statsColumns(perDisk.slice(1))],
      rows: flushed.map((row) => [disk(row), ...statsCells(row.flushes)]),
    },
  ];
}

export const io = defineAnalysis({
  name: "io",
  title: "I/O analysis",
  description:
    "System call/disk latency statistics, system call latency distribution, system call top latencies, I/O usage top, and I/O operations log",
  tags: ["io", "syscall", "stats", "freq", "log", "top"],
  tableClasses,
  defaults: {
    limit: 10,
    ...FREQUENCY_DEFAULTS,
    usage: false,
    stats: false,
    top: false,
    log: false,
  } as IoOptions,
  needs: ({ usage, stats, freq }) => ({ syscalls: true, block: usage || stats || freq, net: usage }),
  missing: (names, { usage, stats, freq }) => {
    const block = names.missing("blockIssue", "blockComplete");
    const net = names.missing("netSend", "netReceive");
    const missing = [];
    if (!names.hasSyscalls) {
      const events = ["syscall_entry_*", "syscall_exit_*"];
      missing.push({ what: "reads and writes by programs", events, vital: !usage || block.length > 0 });
    }
    if (block.length > 0 && (usage || stats || freq)) missing.push({ what: "disk requests", events: block });
    if (net.length > 0 && usage) missing.push({ what: "network interfaces", events: net });
    return missing;
  },
  open: (scope: Scope<IoOptions>) => new Io(scope),
  listen: {
    syscallBegin: (acc: Io, thread) => acc.begin(thread),
    syscallEnd: (acc: Io, thread, ns) => acc.end(thread, ns),
    exit: (acc: Io, thread) => acc.order.end(thread, undefined),
    lost: (acc: Io) => acc.order.drop((thread) => thread.syscall === undefined),
    blockComplete: (acc: Io, request, ns) => acc.disk(request, ns),
    packet(acc: Io, device, bytes, sent, _ns, cpu) {
      if (acc.packet(cpu, sent)) acc.usage.packet(device, bytes, sent);
    },
  },
  close(acc: Io): IoResult {
    const { options } = acc.scope;
    acc.order.finish();
    const each = <T>(value: (category: IoCategory) => T) =>
      Object.fromEntries(CATEGORIES.map((category) => [category, value(category)])) as Record<IoCategory, T>;
    const disks = [...acc.disks.values()].map(({ disk, requests, flushes }) => ({
      name: disk.host.diskNames.get(disk.dev) ?? `(${deviceNumbers(disk.dev).replace(":", ",")})`,
      host: disk.host.index,
      requests,
      flushes,
    }));
    const all = CATEGORIES.map((category) => ({ name: category as string, series: acc.syscalls[category] }));
    for (const { name, requests } of disks) all.push({ name: `disk: ${name}`, series: requests });
    return {
      syscalls: options.stats ? each((category) => statsOf(acc.syscalls[category])) : null,
      disks: (options.stats ? disks : []).map(({ name, host, requests, flushes }) => ({
        host,
        disk: name,
        stats: statsOf(requests),
        flushes: statsOf(flushes),
      })),
      top: each((category) => acc.top[category].rows()),
      // Each has bounds of its own, also with --freq-uniform: opens and disks have nothing in common.
      distributions: options.freq
        ? distributions(all, {
            ...options,
            freqUniform: false,
            freqSeries: false,
            minNs: undefined,
            maxNs: undefined,
          })
        : [],
      log: acc.log.rows,
      late: acc.order.late,
      usage: options.usage ? acc.usage.result(options.limit) : null,
    };
  },
  log,
  line: {
    columns: [
      { lami: undefined, text: "Calls", class: "number" },
      { lami: undefined, text: "Time", class: "duration" },
      { lami: undefined, text: "Longest", class: "duration" },
      { lami: undefined, text: "Most read", class: "path" },
      { lami: undefined, text: "Bytes", class: "size" },
      { lami: undefined, text: "Most written", class: "path" },
      { lami: undefined, text: "Bytes", class: "size" },
    ],
    options: { stats: true, usage: true },
    cells({ syscalls, usage }) {
      const all = syscalls === null ? [] : CATEGORIES.map((category) => syscalls[category]);
      const [read, written] = [usage?.filesByRead[0], usage?.filesByWrite[0]];
      const file = (path: string | undefined): Cell => (path === undefined ? null : { class: "path", path });
      return [
        number(all.reduce((sum, { count }) => sum + count, 0)),
        duration(all.reduce((sum, { totalNs }) => sum + totalNs, 0)),
        duration(Math.max(0, ...all.map(({ maxNs }) => maxNs))),
        file(read?.path),
        read === undefined ? null : size(read.readBytes),
        file(written?.path),
        written === undefined ? null : size(written.writeBytes),
      ];
    },
  },
  tables(result, context) {
    const { options, hosts, beginNs } = context;
    const tables: Table[] = [];
    if (result.usage !== null) tables.push(...usageTables(result.usage, hosts));
    if (options.stats) tables.push(...statsTables(result, context));
    if (options.top) {
      for (const category of CATEGORIES) {
        const rows = result.top[category].map((row) => marked(row, beginNs));
        tables.push({
          ...logTable(log, rows, context),
          class: "top-syscall",
          title: `Top system call latencies [${category}]`,
          heading: `Top system call latencies ${category}`,
          always: false,
        });
      }
    }
    if (options.log) {
      const rows = result.log.map((row) => marked(row, beginNs));
      const notes =
        result.late === 0
          ? []
          : [`${result.late} calls of very long duration stand where they ended, not where they began`];
      tables.push({ ...logTable(log, rows, context), notes });
    }
    if (options.freq) {
      const texts = {
        class: "freq",
        columns: tableClasses.freq.columns,
        title: "I/O request latency distribution [NAME]",
        heading: "I/O request latency distribution NAME",
        plainHeading: "",
        seriesTitle: "",
        unit: "requests",
      };
      tables.push(...frequencyTables(result.distributions, texts, { ...options, freqSeries: false }));
    }
    return tables;
  },
});
