/**
 * The report as one HTML page to send to a colleague: no script, no network, charts as inline SVG, light or
 * dark as the reader's system says. Every text from the trace is escaped.
 */

import type { Distribution } from "../analyses/common.js";
import type { Report } from "../analyses/report.js";
import type { PeriodSection } from "../analyses/report-periods.js";
import { formatCount, formatDuration, formatPercent, formatSeconds, formatSize } from "../base/format.js";
import type { Why } from "../explain/why.js";
import { PERIODS_STYLE, periodsHtml } from "./report-periods-html.js";
import { printable } from "./text.js";
import { whyHtml } from "./why-html.js";
import {
  fileWords,
  findingSeverity,
  findingWords,
  hostWords,
  missingWords,
  momentWords,
  otherWaitsWords,
  processWords,
  threadWords,
  waitWords,
} from "./words.js";

const ROWS = 20;

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return printable(text).replace(/[&<>"']/g, (c) => entities[c]!);
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fcfcfb;--fg:#1d2327;--dim:#5b6670;--line:#d9dee2;--card:#fff;--blue:#1f6fb2;
--blue-soft:#9cc4e4;--orange:#b45309;--red:#b42318;--grid:#e6eaed}
@media(prefers-color-scheme:dark){:root{--bg:#14181b;--fg:#e4e8eb;--dim:#9aa6af;--line:#333b42;--card:#1b2126;
--blue:#6cb2ea;--blue-soft:#2f5f86;--orange:#f0a050;--red:#f28b82;--grid:#2a3238}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:64rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);
padding-bottom:.25rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
.dim{color:var(--dim)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th{color:var(--dim);font-weight:500;text-align:left;white-space:nowrap}
th,td{padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--grid);vertical-align:top}
td:first-child{overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
ul.findings{list-style:none;padding:0;margin:.5rem 0}
ul.findings li{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--orange);
border-radius:4px;padding:.5rem .75rem;margin:.4rem 0}
ul.findings li.bad{border-left-color:var(--red)}
svg{display:block;width:100%;height:auto;margin:.3rem 0}
svg text{fill:var(--dim);font:12px system-ui,sans-serif}
.area{fill:var(--blue-soft);stroke:var(--blue);stroke-width:1}.bar{fill:var(--blue)}.wait{fill:var(--red)}
.like{fill:var(--orange)}.grid{stroke:var(--grid);stroke-width:1}
${PERIODS_STYLE}nav{margin:.8rem 0}nav a{color:var(--blue);margin-right:.9rem;white-space:nowrap}
`;

interface Cell {
  readonly text: string;
  readonly number?: boolean;
}

const word = (text: string): Cell => ({ text });
const num = (text: string): Cell => ({ text, number: true });

function tableHtml(titles: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const cell = (tag: string, c: Cell) =>
    `<${tag}${c.number ? ' class="n"' : ""}>${escapeHtml(c.text)}</${tag}>`;
  const head = titles.map((t) => cell('th scope="col"', t).replace(/<\/th scope="col">$/, "</th>")).join("");
  const body = rows.map((row) => `<tr>${row.map((c) => cell("td", c)).join("")}</tr>`).join("\n");
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

function moreHtml(shown: number, total: number, what: string): string {
  return total > shown ? `<p class="dim">and ${formatCount(total - shown)} more ${what}</p>` : "";
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

function section(
  id: string,
  title: string,
  missing: readonly string[],
  empty: boolean,
  body: () => string,
): Section {
  if (!empty) return { id, title, body: body() };
  const text = missing.length > 0 ? missingWords(missing) : "Nothing in this time.";
  return { id, title, body: `<p class="dim">${escapeHtml(text)}</p>` };
}

const LATENCY = [num("total"), num("p50"), num("p99"), num("longest")];

function latency(d: Distribution): Cell[] {
  return [d.totalNs, d.p50Ns, d.p99Ns, d.maxNs].map((ns) => num(formatDuration(ns)));
}

/** `why`: explanations of the periods, where the reader has defined any. */
export function renderReportHtml(report: Report, why?: Why): string {
  const m = report.machine;
  const host = m.hosts.map((h) => h.name).join(", ") || "unknown machine";
  const sections = [
    findings(report),
    ...(report.periods === undefined ? [] : [periods(report, report.periods)]),
    ...(why === undefined ? [] : [explanations(report, why)]),
    waits(report),
    cpu(report),
    runQueue(report),
    syscalls(report),
    disks(report),
    files(report),
    network(report),
    interrupts(report),
    memory(report),
  ];
  const nav = sections.map((s) => `<a href="#${s.id}">${escapeHtml(s.title)}</a>`).join(" ");
  const body = sections
    .map((s) => `<section id="${s.id}"><h2>${escapeHtml(s.title)}</h2>\n${s.body}\n</section>`)
    .join("\n");
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(`Periscope report: ${host}, ${momentWords(m.beginNs, m, false).slice(0, 19)}`)}</title>
<style>${STYLE}</style></head><body>
<h1>Periscope report</h1>
${machine(report)}
<nav aria-label="Sections">${nav}</nav>
${body}
</body></html>
`;
}

function machine(report: Report): string {
  const m = report.machine;
  const lost = [
    m.lost.events > 0 ? `${formatCount(m.lost.events)} event records` : "",
    m.lost.packets > 0 ? `${formatCount(m.lost.packets)} packets` : "",
  ].filter((t) => t !== "");
  const rows: [string, string][] = [
    ...m.hosts.map((h): [string, string] => [
      "Machine",
      [h.name, `${h.cpus} CPUs`, h.kernelRelease, h.tracer].filter((p) => p !== "").join(", "),
    ]),
    [
      "Time",
      `${momentWords(m.beginNs, m, false)} to ${momentWords(m.endNs, m, false)} UTC (${formatSeconds(m.durationNs)})`,
    ],
    [
      "Events",
      `${formatCount(m.eventRecords)}, ${lost.length > 0 ? `lost: ${lost.join(", ")}` : "none lost"}`,
    ],
    ["Trace", m.paths.join(", ")],
    ...m.problems.map((p): [string, string] => ["Problem", p]),
  ];
  return `<dl>${rows.map(([k, v]) => `<dt>${escapeHtml(k)}</dt><dd>${escapeHtml(v)}</dd>`).join("")}</dl>`;
}

function findings(report: Report): Section {
  return section("findings", "What stands out", [], report.findings.length === 0, () => {
    const items = report.findings.map((f) => {
      const kind = findingSeverity(f) === "bad" ? ' class="bad"' : "";
      return `<li${kind}>${escapeHtml(findingWords(f, report.machine))}</li>`;
    });
    return `<ul class="findings">${items.join("\n")}</ul>`;
  });
}

function periods(report: Report, of: PeriodSection): Section {
  const empty = of.roots.every(({ points }) => points.length === 0);
  return section("periods", "Periods", [], empty, () =>
    periodsHtml(of, {
      escape: escapeHtml,
      moment: (ns) => momentWords(ns, report.machine, true),
      axis: (left, width, height) => timeAxis(report, left, width, height),
    }),
  );
}

function explanations(report: Report, why: Why): Section {
  const origin = BigInt(report.machine.originEpochNs);
  return section("why", "Why the slow ones were slow", [], why.periods.length === 0, () =>
    whyHtml(why, {
      escape: escapeHtml,
      clock: (epochNs) => momentWords(Number(epochNs - origin), report.machine, true),
    }),
  );
}

/** Horizontal positions in a drawing of the whole time, with the labels of its axis. */
function timeAxis(report: Report, left: number, width: number, height: number) {
  const m = report.machine;
  const x = (ns: number): number =>
    left + (m.durationNs > 0 ? Math.min(1, Math.max(0, (ns - m.beginNs) / m.durationNs)) : 0) * width;
  const step = niceStep(m.durationNs / 6);
  let axis = "";
  for (let ns = 0; step > 0 && ns <= m.durationNs; ns += step) {
    const at = x(m.beginNs + ns).toFixed(1);
    axis += `<line class="grid" x1="${at}" x2="${at}" y1="0" y2="${height}"/>`;
    const anchor = ns === 0 ? "start" : "middle";
    axis += `<text x="${at}" y="${height + 14}" text-anchor="${anchor}">${formatDuration(ns)}</text>`;
  }
  return { x, axis };
}

function niceStep(ns: number): number {
  if (!(ns > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(ns));
  const digit = ns / power;
  return power * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1);
}

function waits(report: Report): Section {
  const { waits: w, machine: m } = report;
  return section("waits", "Longest waits", w.missing, w.longest.length === 0, () => {
    const rowHeight = 22;
    const left = 170;
    const width = 820;
    const height = rowHeight * w.longest.length;
    const { x, axis } = timeAxis(report, left, width, height);
    const rect = (kind: string, beginNs: number, durationNs: number, y: number, title: string): string => {
      const from = x(beginNs);
      const w = Math.max(2, x(beginNs + durationNs) - from);
      return (
        `<rect class="${kind}" x="${from.toFixed(1)}" y="${y + 4}" width="${w.toFixed(1)}" height="${rowHeight - 8}">` +
        `<title>${escapeHtml(title)}</title></rect>`
      );
    };
    const rows = w.longest.map((wait, i) => {
      const y = i * rowHeight;
      const label = `${wait.thread.name} ${wait.syscall ?? "(kernel)"}`.slice(0, 26);
      const others = wait.others.map((o) =>
        rect("like", o.beginNs, o.durationNs, y, `tid ${o.tid}: ${formatSeconds(o.durationNs)}`),
      );
      return (
        `<text x="0" y="${y + 15}">${escapeHtml(label)}</text>${others.join("")}` +
        rect("wait", wait.beginNs, wait.durationNs, y, waitWords(wait, m))
      );
    });
    const svg =
      `<svg viewBox="0 0 1000 ${height + 20}" role="img" aria-label="When the longest waits happened">` +
      `${axis}${rows.join("\n")}</svg>`;
    const list = tableHtml(
      [num("asleep"), word("began"), word("what")],
      w.longest.map((wait) => {
        const others = otherWaitsWords(wait);
        return [
          num(formatDuration(wait.blockedNs)),
          word(momentWords(wait.beginNs, m, true)),
          word(waitWords(wait, m) + (others === "" ? "" : ` (${others})`)),
        ];
      }),
    );
    return `${svg}${list}${leftOut(w.leftOut)}`;
  });
}

function leftOut(count: number): string {
  return count > 0
    ? `<p class="dim">${formatCount(count)} waits for work (idle servers, sleeps) left out</p>`
    : "";
}

function cpu(report: Report): Section {
  const { cpu: c, machine: m } = report;
  return section("cpu", "CPU", c.missing, c.cpus.length === 0 || c.missing.length > 0, () => {
    const height = 44;
    const left = 70;
    const width = 920;
    const charts = c.cpus.map((one, index) => {
      const last = index === c.cpus.length - 1;
      const { x, axis } = timeAxis(report, left, width, height);
      const points = one.busySeries.map((share, i) => {
        const from = x(m.beginNs + i * c.bucketNs).toFixed(1);
        const to = x(m.beginNs + (i + 1) * c.bucketNs).toFixed(1);
        const y = (height * (1 - share)).toFixed(1);
        return `L${from} ${y}L${to} ${y}`;
      });
      const end = x(m.beginNs + one.busySeries.length * c.bucketNs).toFixed(1);
      const name = `CPU ${one.cpu}${hostWords(one.host, m)}`;
      const known = one.busyNs + one.idleNs;
      const share = formatPercent(known > 0 ? one.busyNs / known : 0);
      const lines = last ? axis : axis.replace(/<text[^>]*>[^<]*<\/text>/g, "");
      return (
        `<svg viewBox="0 0 1000 ${height + (last ? 20 : 2)}" role="img" aria-label="${escapeHtml(`${name}: ${share} busy`)}">` +
        `${lines}<path class="area" d="M${left} ${height}${points.join("")}L${end} ${height}Z"/>` +
        `<text x="0" y="18">${escapeHtml(name)}</text><text x="0" y="34">${share}</text></svg>`
      );
    });
    const known = c.busyNs + c.idleNs;
    const unknown =
      c.unknownNs > 0.001 * (known + c.unknownNs) ? `, ${formatSeconds(c.unknownNs)} unknown` : "";
    const sum = `<p>${formatPercent(known > 0 ? c.busyNs / known : 0)} busy: ${formatSeconds(c.busyNs)} of ${formatSeconds(known)} CPU time${unknown}</p>`;
    const rows = c.threads.rows.slice(0, ROWS);
    const table = tableHtml(
      [word("Thread"), num("of a CPU"), num("CPU time"), num("moves")],
      rows.map((t) => [
        word(threadWords(t.thread, m)),
        num(formatPercent(t.share)),
        num(formatDuration(t.runNs)),
        num(formatCount(t.migrations)),
      ]),
    );
    return `${charts.join("\n")}${sum}${table}${moreHtml(rows.length, c.threads.totalRows, "threads")}`;
  });
}

function runQueue(report: Report): Section {
  const { runQueue: q, machine: m } = report;
  return section("runqueue", "Waiting for a CPU", q.missing, q.all.count === 0, () => {
    const rows = q.threads.rows.slice(0, ROWS);
    const sum =
      `<p>${formatCount(q.all.count)} waits, p50 ${formatDuration(q.all.p50Ns)}, p99 ${formatDuration(q.all.p99Ns)}, ` +
      `longest ${formatDuration(q.all.maxNs)}; runnable from ${escapeHtml(q.wakeEvent)} or preemption</p>`;
    const table = tableHtml(
      [word("Thread"), num("waits"), ...LATENCY],
      rows.map((t) => [word(threadWords(t.thread, m)), num(formatCount(t.count)), ...latency(t)]),
    );
    return sum + table + moreHtml(rows.length, q.threads.totalRows, "threads");
  });
}

function syscalls(report: Report): Section {
  const { syscalls: s, machine: m } = report;
  return section("syscalls", "System calls", s.missing, s.count === 0, () => {
    const names = s.names.rows.slice(0, 2 * ROWS);
    const threads = s.threads.rows.slice(0, ROWS);
    return (
      tableHtml(
        [word("Call"), num("calls"), num("failed"), ...LATENCY],
        names.map((r) => [
          word(r.compat ? `${r.name} (32-bit)` : r.name),
          num(formatCount(r.count)),
          num(formatCount(r.errors)),
          ...latency(r),
        ]),
      ) +
      moreHtml(names.length, s.names.totalRows, "calls") +
      "<h3>By thread</h3>" +
      tableHtml(
        [word("Thread"), num("calls"), num("failed"), ...LATENCY],
        threads.map((r) => [
          word(threadWords(r.thread, m)),
          num(formatCount(r.count)),
          num(formatCount(r.errors)),
          ...latency(r),
        ]),
      ) +
      moreHtml(threads.length, s.threads.totalRows, "threads")
    );
  });
}

function disks(report: Report): Section {
  const { disks: d, machine: m } = report;
  return section("disks", "Disks", d.missing, d.disks.length === 0, () =>
    d.disks
      .map((disk) => {
        const kinds: [string, Distribution, number][] = [
          ["read", disk.reads, disk.readBytes],
          ["write", disk.writes, disk.writeBytes],
          ["flush", disk.flushes, 0],
          ["discard", disk.discards, disk.discardBytes],
        ];
        const rows = kinds
          .filter(([, dist]) => dist.count > 0)
          .map(([kind, dist, bytes]) => [
            word(kind),
            num(formatCount(dist.count)),
            num(bytes > 0 ? formatSize(bytes) : ""),
            ...latency(dist),
          ]);
        const table = tableHtml([word("Requests"), num("count"), num("bytes"), ...LATENCY], rows);
        return `<h3>${escapeHtml(disk.name + hostWords(disk.host, m))}</h3>${histogram(disk.name, disk.histogram)}${table}`;
      })
      .join("\n"),
  );
}

function histogram(name: string, steps: Report["disks"]["disks"][number]["histogram"]): string {
  if (steps.length === 0) return "";
  const height = 120;
  const slot = 1000 / steps.length;
  const top = Math.max(...steps.map((s) => s.count));
  const every = Math.ceil(steps.length / 12);
  const bars = steps.map((s, i) => {
    const h = Math.max(s.count > 0 ? 1 : 0, (s.count / top) * (height - 16));
    const x = i * slot;
    const title = `${formatDuration(s.fromNs)} to ${formatDuration(s.toNs)}: ${formatCount(s.count)} requests`;
    const label =
      i % every === 0
        ? `<text x="${x.toFixed(1)}" y="${height + 14}">${formatDuration(s.fromNs)}</text>`
        : "";
    return (
      `<rect class="bar" x="${(x + 1).toFixed(1)}" y="${(height - h).toFixed(1)}" width="${(slot - 2).toFixed(1)}" ` +
      `height="${h.toFixed(1)}"><title>${escapeHtml(title)}</title></rect>${label}`
    );
  });
  return (
    `<svg viewBox="0 0 1000 ${height + 20}" role="img" aria-label="${escapeHtml(`Latency of ${name}: requests per doubling`)}">` +
    `<line class="grid" x1="0" x2="1000" y1="${height}" y2="${height}"/>${bars.join("")}</svg>`
  );
}

function files(report: Report): Section {
  const { files: f, machine: m } = report;
  const empty = f.processes.totalRows === 0 && f.files.totalRows === 0;
  return section("files", "Files and sockets", f.missing, empty, () => {
    const processes = f.processes.rows.slice(0, ROWS);
    const size = (bytes: number) => num(bytes > 0 ? formatSize(bytes) : "");
    const fileTable = (title: string, from: typeof f.files, what: string): string => {
      const rows = from.rows.slice(0, ROWS);
      if (rows.length === 0) return "";
      return (
        `<h3>${title}</h3>` +
        tableHtml(
          [word("Name"), num("read"), num("written"), num("calls"), num("time"), num("longest")],
          rows.map((r) => [
            word(fileWords(r, m)),
            size(r.readBytes),
            size(r.writeBytes),
            num(formatCount(r.reads + r.writes + r.syncs)),
            num(formatDuration(r.totalNs)),
            num(formatDuration(r.maxNs)),
          ]),
        ) +
        moreHtml(rows.length, from.totalRows, what)
      );
    };
    return (
      tableHtml(
        [word("Process"), num("file read"), num("written"), num("net in"), num("net out"), num("other")],
        processes.map((p) => [
          word(processWords(p, m)),
          size(p.diskReadBytes),
          size(p.diskWriteBytes),
          size(p.networkReadBytes),
          size(p.networkWriteBytes),
          size(p.otherReadBytes + p.otherWriteBytes),
        ]),
      ) +
      moreHtml(processes.length, f.processes.totalRows, "processes") +
      fileTable("Files, by time in calls", f.files, "files") +
      fileTable("Sockets, by bytes", f.sockets, "sockets")
    );
  });
}

function network(report: Report): Section {
  const { network: n, machine: m } = report;
  return section("network", "Network interfaces", n.missing, n.interfaces.length === 0, () =>
    tableHtml(
      [word("Interface"), num("packets in"), num("bytes in"), num("packets out"), num("bytes out")],
      n.interfaces.map((i) => [
        word(i.name + hostWords(i.host, m)),
        num(formatCount(i.receivedPackets)),
        num(formatSize(i.receivedBytes)),
        num(formatCount(i.sentPackets)),
        num(formatSize(i.sentBytes)),
      ]),
    ),
  );
}

function interrupts(report: Report): Section {
  const { interrupts: x, machine: m } = report;
  const empty = x.irqs.length === 0 && x.softirqs.length === 0;
  return section("interrupts", "Interrupts", x.missing, empty, () => {
    const irqs = tableHtml(
      [word("Interrupt"), num("count"), ...LATENCY],
      x.irqs
        .slice(0, ROWS)
        .map((r) => [
          word(`${r.number} ${r.name}${hostWords(r.host, m)}`),
          num(formatCount(r.count)),
          ...latency(r),
        ]),
    );
    const softirqs = tableHtml(
      [word("Softirq"), num("count"), ...LATENCY, num("raise p99"), num("raise max")],
      x.softirqs.map((r) => [
        word(r.name + hostWords(r.host, m)),
        num(formatCount(r.count)),
        ...latency(r),
        num(r.raise.count > 0 ? formatDuration(r.raise.p99Ns) : ""),
        num(r.raise.count > 0 ? formatDuration(r.raise.maxNs) : ""),
      ]),
    );
    return `${irqs}${moreHtml(ROWS, x.irqs.length, "interrupts")}<h3>Softirqs</h3>${softirqs}`;
  });
}

function memory(report: Report): Section {
  const { memory: x, machine: m } = report;
  return section("memory", "Memory pages", x.missing, x.allocatedPages === 0 && x.freedPages === 0, () => {
    const rows = x.processes.rows.slice(0, ROWS);
    const signed = (n: number) => (n > 0 ? `+${formatCount(n)}` : formatCount(n));
    return (
      `<p>${formatCount(x.allocatedPages)} pages allocated, ${formatCount(x.freedPages)} freed</p>` +
      tableHtml(
        [word("Process"), num("allocated"), num("freed"), num("net")],
        rows.map((p) => [
          word(processWords(p, m)),
          num(formatCount(p.allocatedPages)),
          num(formatCount(p.freedPages)),
          num(signed(p.allocatedPages - p.freedPages)),
        ]),
      ) +
      moreHtml(rows.length, x.processes.totalRows, "processes")
    );
  });
}
