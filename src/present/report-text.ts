/** The report as text for a terminal: what stands out first, then the sections, longest waits near the top. */

import type { Distribution } from "../analyses/common.js";
import type { Report } from "../analyses/report.js";
import type { PeriodSection } from "../analyses/report-periods.js";
import { formatCount, formatDuration, formatPercent, formatSeconds, formatSize } from "../base/format.js";
import {
  bar,
  type Column,
  fit,
  heading,
  pad,
  paint,
  printable,
  sparkline,
  type TextOptions,
  table,
  wrap,
} from "./text.js";
import { waterfallText } from "./waterfall-text.js";
import {
  fileWords,
  findingSeverity,
  findingWords,
  hostWords,
  missingWords,
  momentWords,
  otherWaitsWords,
  processWords,
  sizePerSecond,
  threadWords,
  waitWords,
} from "./words.js";

export interface ReportTextOptions {
  readonly width?: number;
  readonly color?: boolean;
  /** Rows per table; 10 unless told. */
  readonly limit?: number;
}

interface Page extends TextOptions {
  readonly limit: number;
  readonly lines: string[];
}

const left = (title: string, shrinks = false): Column => ({ title, align: "left", shrinks });
const right = (title: string): Column => ({ title, align: "right" });

export function renderReportText(report: Report, options: ReportTextOptions = {}): string {
  const page: Page = {
    width: Math.max(40, options.width ?? 80),
    color: options.color ?? false,
    limit: options.limit ?? 10,
    lines: [],
  };
  machine(report, page);
  findings(report, page);
  if (report.periods !== undefined) periods(report, report.periods, page);
  waits(report, page);
  cpus(report, page);
  runQueue(report, page);
  syscalls(report, page);
  disks(report, page);
  files(report, page);
  network(report, page);
  interrupts(report, page);
  memory(report, page);
  return `${page.lines.join("\n")}\n`;
}

/** A section's heading; true when it has data, else says what to enable. */
function section(title: string, missing: readonly string[], empty: boolean, page: Page): boolean {
  page.lines.push("", heading(title, page));
  if (empty) {
    const text = missing.length > 0 ? missingWords(missing) : "Nothing in this time.";
    for (const line of wrap(text, page.width - 2)) page.lines.push(`  ${paint(line, "dim", page)}`);
    return false;
  }
  if (missing.length > 0) note(`Incomplete without ${missing.join(", ")}.`, page);
  return true;
}

function note(text: string, page: Page): void {
  for (const line of wrap(text, page.width - 2)) page.lines.push(`  ${paint(line, "dim", page)}`);
}

function more(shown: number, total: number, what: string, page: Page): void {
  if (total > shown) note(`and ${formatCount(total - shown)} more ${what}`, page);
}

function put(columns: readonly Column[], rows: readonly (readonly string[])[], page: Page): void {
  page.lines.push(...table(columns, rows, page));
}

function machine(report: Report, page: Page): void {
  const m = report.machine;
  const paths = m.paths.length === 1 ? m.paths[0]! : `${m.paths.length} traces`;
  page.lines.push(paint(heading(`Periscope report`, { ...page, color: false }), "bold", page));
  const rows: [string, string][] = [["Trace", paths]];
  for (const host of m.hosts) {
    const parts = [host.name, `${host.cpus} CPUs`, host.kernelRelease, host.tracer].filter((p) => p !== "");
    rows.push(["Machine", parts.join(", ")]);
  }
  rows.push([
    "Time",
    `${momentWords(m.beginNs, m, false).slice(0, 23)} to ${momentWords(m.endNs, m, true)} UTC, ${formatSeconds(m.durationNs)}`,
  ]);
  const lost = m.lost.events > 0 || m.lost.packets > 0;
  const lostText = [
    m.lost.events > 0 ? `${formatCount(m.lost.events)} event records` : "",
    m.lost.packets > 0 ? `${formatCount(m.lost.packets)} packets` : "",
  ].filter((t) => t !== "");
  rows.push([
    "Events",
    `${formatCount(m.eventRecords)}; ${lost ? `lost: ${lostText.join(", ")}` : "none lost"}`,
  ]);
  const dropped = m.uncertain.syscalls + m.uncertain.irqs + m.uncertain.blocks;
  if (dropped > 0) rows.push(["", `${formatCount(dropped)} durations across holes left out as uncertain`]);
  for (const [name, value] of rows) {
    const lines = wrap(printable(value), page.width - 11);
    for (const [i, line] of lines.entries())
      page.lines.push(`  ${paint(pad(i === 0 ? name : "", 9, "left"), "dim", page)}${line}`);
  }
  for (const problem of m.problems) {
    for (const line of wrap(printable(problem), page.width - 2))
      page.lines.push(`  ${paint(line, "yellow", page)}`);
  }
}

function findings(report: Report, page: Page): void {
  page.lines.push("", heading("What stands out", page));
  if (report.findings.length === 0) note("Nothing crossed a threshold.", page);
  for (const finding of report.findings) {
    const style = findingSeverity(finding) === "bad" ? "red" : "yellow";
    const lines = wrap(printable(findingWords(finding, report.machine)), page.width - 4);
    for (const [i, line] of lines.entries())
      page.lines.push(`  ${i === 0 ? paint("●", style, page) : " "} ${line}`);
  }
}

function periods({ machine: m }: Report, { roots }: PeriodSection, page: Page): void {
  const some = roots.filter(({ points }) => points.length > 0);
  if (!section("Periods", [], some.length === 0, page)) return;
  for (const { name, stats, points, outliers, outlierNs } of some) {
    const limit = outlierNs === null ? "" : ` above ${formatDuration(outlierNs)}`;
    page.lines.push(
      fit(
        `  ${name} ×${formatCount(stats.count)}: p50 ${formatDuration(stats.p50Ns)}, p99 ${formatDuration(stats.p99Ns)}, longest ${formatDuration(stats.maxNs)}; ${outliers} outliers${limit}`,
        page.width,
      ),
    );
    const longest = [...points].sort((a, b) => b.durationNs - a.durationNs);
    const shown = outliers > 0 ? longest.filter(({ outlier }) => outlier).slice(0, 3) : longest.slice(0, 1);
    for (const { beginNs, captures, lines } of shown) {
      if (lines.length === 0) continue;
      const of = captures === "" ? "" : `, ${captures}`;
      page.lines.push("", paint(fit(`  At ${momentWords(beginNs, m, true)}${of}`, page.width), "bold", page));
      page.lines.push(...waterfallText(lines, page));
    }
  }
}

function waits(report: Report, page: Page): void {
  const { waits: w, machine: m } = report;
  if (!section("Longest waits", w.missing, w.longest.length === 0, page)) return;
  const room = Math.max(8, ...w.longest.map((wait) => formatDuration(wait.blockedNs).length));
  for (const wait of w.longest) {
    const label = `  ${pad(formatDuration(wait.blockedNs), room, "right")}  `;
    const others = otherWaitsWords(wait);
    const text = `${momentWords(wait.beginNs, m, true)} ${waitWords(wait, m)}${others === "" ? "" : ` (${others})`}`;
    const lines = wrap(printable(text), page.width - room - 4);
    for (const [i, line] of lines.entries())
      page.lines.push((i === 0 ? paint(label, "bold", page) : " ".repeat(room + 4)) + line);
  }
  if (w.leftOut > 0) note(`${formatCount(w.leftOut)} waits for work (idle servers, sleeps) left out`, page);
}

function cpus(report: Report, page: Page): void {
  const { cpu, machine: m } = report;
  if (!section("CPU", cpu.missing, cpu.cpus.length === 0 || cpu.missing.length > 0, page)) return;
  const names = cpu.cpus.map((c) => `CPU ${c.cpu}${hostWords(c.host, m)}`);
  const nameWidth = Math.max(...names.map((n) => n.length));
  cpu.cpus.forEach((c, i) => {
    const known = c.busyNs + c.idleNs;
    const share = known > 0 ? c.busyNs / known : 0;
    const facts = `${pad(formatPercent(share), 8, "right")} busy, ${formatPercent(known > 0 ? c.interruptNs / known : 0)} irq`;
    const room = page.width - 2 - nameWidth - 1 - facts.length - 2;
    const line = sparkline(c.busySeries, Math.max(10, room));
    page.lines.push(
      `  ${pad(names[i]!, nameWidth, "left")} ${paint(pad(line, room, "left"), "cyan", page)}  ${facts}`,
    );
  });
  const known = cpu.busyNs + cpu.idleNs;
  const unknown =
    cpu.unknownNs > 0.001 * (known + cpu.unknownNs) ? `; ${formatSeconds(cpu.unknownNs)} unknown` : "";
  note(
    `All: ${formatPercent(known > 0 ? cpu.busyNs / known : 0)} busy (${formatSeconds(cpu.busyNs)} of ${formatSeconds(known)} CPU time${unknown})`,
    page,
  );
  page.lines.push("");
  const rows = cpu.threads.rows.slice(0, page.limit);
  const top = rows[0]?.share ?? 1;
  put(
    [left("Thread", true), right("of a CPU"), right("CPU time"), right("moves"), left("")],
    rows.map((t) => [
      threadWords(t.thread, m),
      formatPercent(t.share),
      formatDuration(t.runNs),
      formatCount(t.migrations),
      bar(t.share / top, 20),
    ]),
    page,
  );
  more(rows.length, cpu.threads.totalRows, "threads", page);
}

function runQueue(report: Report, page: Page): void {
  const { runQueue: q, machine: m } = report;
  if (!section("Waiting for a CPU", q.missing, q.all.count === 0, page)) return;
  note(
    `${formatCount(q.all.count)} waits, ${formatDuration(q.all.totalNs)} in all, p50 ${formatDuration(q.all.p50Ns)}, ` +
      `p99 ${formatDuration(q.all.p99Ns)}, longest ${formatDuration(q.all.maxNs)} (runnable from ${q.wakeEvent} or preemption)`,
    page,
  );
  const rows = q.threads.rows.slice(0, page.limit);
  put(
    [left("Thread", true), right("waits"), right("total"), right("p99"), right("longest")],
    rows.map((t) => [
      threadWords(t.thread, m),
      formatCount(t.count),
      formatDuration(t.totalNs),
      formatDuration(t.p99Ns),
      formatDuration(t.maxNs),
    ]),
    page,
  );
  more(rows.length, q.threads.totalRows, "threads", page);
}

const LATENCY = [right("total"), right("p50"), right("p99"), right("longest")];

function latency(d: Distribution): string[] {
  return [d.totalNs, d.p50Ns, d.p99Ns, d.maxNs].map(formatDuration);
}

function syscalls(report: Report, page: Page): void {
  const { syscalls: s, machine: m } = report;
  if (!section("System calls", s.missing, s.count === 0, page)) return;
  note(`${formatCount(s.count)} calls, ${formatCount(s.errors)} failed; times include being blocked`, page);
  const rows = s.names.rows.slice(0, page.limit);
  put(
    [left("Call", true), right("calls"), right("failed"), ...LATENCY],
    rows.map((r) => [
      r.compat ? `${r.name} (32-bit)` : r.name,
      formatCount(r.count),
      formatCount(r.errors),
      ...latency(r),
    ]),
    page,
  );
  more(rows.length, s.names.totalRows, "calls", page);
  page.lines.push("");
  const threads = s.threads.rows.slice(0, page.limit);
  put(
    [left("Thread", true), right("calls"), right("failed"), ...LATENCY],
    threads.map((r) => [
      threadWords(r.thread, m),
      formatCount(r.count),
      formatCount(r.errors),
      ...latency(r),
    ]),
    page,
  );
  more(threads.length, s.threads.totalRows, "threads", page);
}

function disks(report: Report, page: Page): void {
  const { disks: d, machine: m } = report;
  if (!section("Disks", d.missing, d.disks.length === 0, page)) return;
  const rows: string[][] = [];
  for (const disk of d.disks) {
    const kinds: [string, Distribution, number][] = [
      ["read", disk.reads, disk.readBytes],
      ["write", disk.writes, disk.writeBytes],
      ["flush", disk.flushes, 0],
      ["discard", disk.discards, disk.discardBytes],
    ];
    for (const [kind, dist, bytes] of kinds) {
      if (dist.count === 0) continue;
      rows.push([
        `${disk.name}${hostWords(disk.host, m)} ${kind}`,
        formatCount(dist.count),
        bytes > 0 ? formatSize(bytes) : "",
        ...latency(dist).slice(1),
      ]);
    }
  }
  put([left("Requests", true), right("count"), right("bytes"), ...LATENCY.slice(1)], rows, page);
  for (const disk of d.disks) {
    if (disk.histogram.length < 2) continue;
    page.lines.push("");
    note(`Latency of ${disk.name}${hostWords(disk.host, m)}, requests`, page);
    const top = Math.max(...disk.histogram.map((h) => h.count));
    const digits = Math.max(...disk.histogram.map((h) => formatCount(h.count).length));
    for (const step of disk.histogram) {
      const label = pad(`${formatDuration(step.fromNs)} –`, 12, "right");
      const count = pad(formatCount(step.count), digits, "right");
      const width = page.width - 2 - 12 - 1 - digits - 1;
      page.lines.push(`  ${label} ${count} ${paint(bar(step.count / top, width), "cyan", page)}`.trimEnd());
    }
  }
}

function files(report: Report, page: Page): void {
  const { files: f, machine: m } = report;
  const empty = f.processes.totalRows === 0 && f.files.totalRows === 0;
  if (!section("Files and sockets by process", f.missing, empty, page)) return;
  const rows = f.processes.rows.slice(0, page.limit);
  const size = (bytes: number) => (bytes > 0 ? formatSize(bytes) : "·");
  put(
    [
      left("Process", true),
      right("file read"),
      right("written"),
      right("net in"),
      right("net out"),
      right("other"),
    ],
    rows.map((p) => [
      processWords(p, m),
      size(p.diskReadBytes),
      size(p.diskWriteBytes),
      size(p.networkReadBytes),
      size(p.networkWriteBytes),
      size(p.otherReadBytes + p.otherWriteBytes),
    ]),
    page,
  );
  more(rows.length, f.processes.totalRows, "processes", page);
  const columns = [right("read"), right("written"), right("calls"), right("time"), right("longest")];
  const tableOf = (title: string, from: typeof f.files, what: string): void => {
    if (from.totalRows === 0) return;
    page.lines.push("");
    const shown = from.rows.slice(0, page.limit);
    put(
      [left(title, true), ...columns],
      shown.map((r) => [
        fileWords(r, m),
        size(r.readBytes),
        size(r.writeBytes),
        formatCount(r.reads + r.writes + r.syncs),
        formatDuration(r.totalNs),
        formatDuration(r.maxNs),
      ]),
      page,
    );
    more(shown.length, from.totalRows, what, page);
  };
  tableOf("File, by time in calls", f.files, "files");
  tableOf("Socket, by bytes", f.sockets, "sockets");
}

function network(report: Report, page: Page): void {
  const { network: n, machine: m } = report;
  if (!section("Network interfaces", n.missing, n.interfaces.length === 0, page)) return;
  put(
    [
      left("Interface", true),
      right("packets in"),
      right("bytes in"),
      right("packets out"),
      right("bytes out"),
      right("out/s"),
    ],
    n.interfaces.map((i) => [
      i.name + hostWords(i.host, m),
      formatCount(i.receivedPackets),
      formatSize(i.receivedBytes),
      formatCount(i.sentPackets),
      formatSize(i.sentBytes),
      sizePerSecond(i.sentBytes, m.durationNs),
    ]),
    page,
  );
}

function interrupts(report: Report, page: Page): void {
  const { interrupts: x, machine: m } = report;
  const empty = x.irqs.length === 0 && x.softirqs.length === 0;
  if (!section("Interrupts", x.missing, empty, page)) return;
  if (x.irqs.length > 0) {
    const rows = x.irqs.slice(0, page.limit);
    put(
      [left("Interrupt", true), right("count"), ...LATENCY],
      rows.map((r) => [`${r.number} ${r.name}${hostWords(r.host, m)}`, formatCount(r.count), ...latency(r)]),
      page,
    );
    more(rows.length, x.irqs.length, "interrupts", page);
  }
  if (x.softirqs.length > 0) {
    page.lines.push("");
    put(
      [left("Softirq", true), right("count"), ...LATENCY, right("raise p99"), right("raise max")],
      x.softirqs.map((r) => [
        `${r.name}${hostWords(r.host, m)}`,
        formatCount(r.count),
        ...latency(r),
        r.raise.count > 0 ? formatDuration(r.raise.p99Ns) : "",
        r.raise.count > 0 ? formatDuration(r.raise.maxNs) : "",
      ]),
      page,
    );
  }
  if (x.timers.count > 0) {
    const t = x.timers;
    note(
      `High-resolution timers: ${formatCount(t.count)} expired, p50 ${formatDuration(t.p50Ns)}, p99 ${formatDuration(t.p99Ns)}, longest ${formatDuration(t.maxNs)}`,
      page,
    );
  }
}

function memory(report: Report, page: Page): void {
  const { memory: x, machine: m } = report;
  if (!section("Memory pages", x.missing, x.allocatedPages === 0 && x.freedPages === 0, page)) return;
  const net = x.allocatedPages - x.freedPages;
  const signed = (n: number) => (n > 0 ? `+${formatCount(n)}` : n < 0 ? `-${formatCount(-n)}` : "0");
  note(
    `${formatCount(x.allocatedPages)} pages allocated, ${formatCount(x.freedPages)} freed: ${signed(net)} pages`,
    page,
  );
  const rows = x.processes.rows.slice(0, page.limit);
  put(
    [left("Process", true), right("allocated"), right("freed"), right("net")],
    rows.map((p) => [
      processWords(p, m),
      formatCount(p.allocatedPages),
      formatCount(p.freedPages),
      signed(p.allocatedPages - p.freedPages),
    ]),
    page,
  );
  more(rows.length, x.processes.totalRows, "processes", page);
}
