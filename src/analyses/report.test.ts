/**
 * The report on real traces, against what others say: babeltrace2 counts, the clients' own log, the sums of
 * the corpus' README. Expected numbers were not made by this program; the commands stand beside them.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatUtc } from "../base/format.js";
import { renderReportHtml } from "../present/report-html.js";
import { reportToJson } from "../present/report-json.js";
import { renderReportText } from "../present/report-text.js";
import { textWidth } from "../present/text.js";
import { waitWords } from "../present/words.js";
import { openSource } from "../sources/ctf.js";
import { mergeReport, type Report, runReport, runReportPart } from "./report.js";

const TRACES = fileURLToPath(new URL("../../../.cache/traces/", import.meta.url));

const reports = new Map<string, Report>();
function reportOf(name: string): Report {
  let report = reports.get(name);
  if (report === undefined) {
    report = runReport(openSource([TRACES + name]));
    reports.set(name, report);
  }
  return report;
}

function onTrace(name: string, title: string, check: (report: Report) => void): void {
  const absent = existsSync(TRACES + name) ? false : `${TRACES}${name} is not there`;
  test(`${name}: ${title}`, { skip: absent }, () => check(reportOf(name)));
}

const near = (a: number, b: number, tolerance: number) => Math.abs(a - b) <= tolerance;

const ALL = ["idle-small", "case1-slow", "case2-xz-outlier", "case3-dns-outlier", "case4-coredump-outlier"];

for (const name of ALL) {
  onTrace(name, "idle, busy and unknown time add up; idle is never a user; threads sum up to busy", (r) => {
    const { cpu, machine } = r;
    for (const c of cpu.cpus) {
      assert.ok(near(c.busyNs + c.idleNs + c.unknownNs, machine.durationNs, 1), `CPU ${c.cpu}`);
      // The first event record of a CPU comes within moments of the trace's begin.
      assert.ok(c.unknownNs < 0.02 * machine.durationNs);
    }
    assert.ok(cpu.threads.rows.every((t) => t.thread.tid !== 0 && !t.thread.name.startsWith("swapper")));
    if (cpu.threads.totalRows === cpu.threads.rows.length) {
      const sum = cpu.threads.rows.reduce((s, t) => s + t.runNs, 0);
      assert.ok(near(sum, cpu.busyNs, 10));
    }
  });

  onTrace(name, "two parts give what one pass gives", (r) => {
    const parts = ([1, 0] as const).map((part) =>
      structuredClone(runReportPart(openSource([TRACES + name]), part)),
    );
    const merged = mergeReport(parts[0]!, parts[1]!);
    for (const key of ["syscalls", "files", "runQueue", "disks", "network", "interrupts"] as const) {
      assert.deepEqual(merged[key], r[key], key);
    }
    // A wait that has no end ends with what each pass saw last.
    const ended = (report: Report) => report.waits.longest.filter((w) => w.ended);
    assert.deepEqual(ended(merged), ended(r));
    // Each pass knows a CPU from the first event record that it looks at.
    for (const [i, row] of merged.cpu.threads.rows.slice(0, 5).entries()) {
      assert.equal(row.thread.tid, r.cpu.threads.rows[i]!.thread.tid);
      assert.ok(near(row.runNs, r.cpu.threads.rows[i]!.runNs, 5e6));
    }
  });

  onTrace(name, "text stays in its width, HTML and JSON can be made", (r) => {
    for (const width of [60, 80, 120]) {
      for (const line of renderReportText(r, { width }).split("\n")) {
        assert.ok(textWidth(line) <= width, `${width}: ${line}`);
      }
    }
    const html = renderReportHtml(r);
    assert.ok(!/<script|https?:\/\/(?!.*<\/td>)/.test(html.replace(/<td.*?<\/td>/g, "")));
    assert.doesNotThrow(() => JSON.stringify(reportToJson(r)));
    assert.ok(!JSON.stringify(reportToJson(r)).includes(':null,"p99Ns"'));
  });
}

// babeltrace2 TRACE | grep -c 'syscall_exit_NAME:'
const COUNTS: Record<string, Record<string, number>> = {
  "case3-dns-outlier": {
    newfstatat: 11796,
    mmap: 9754,
    access: 9378,
    recvfrom: 7629,
    openat: 7080,
    close: 5573,
    sendto: 3822,
  },
};
for (const [name, counts] of Object.entries(COUNTS)) {
  onTrace(name, "calls by name are as many as babeltrace2 shows", (r) => {
    for (const [call, count] of Object.entries(counts)) {
      assert.equal(r.syscalls.names.rows.find((row) => row.name === call)?.count, count, call);
    }
  });
}

onTrace("case3-dns-outlier", "interrupts and packets are as many as babeltrace2 shows", (r) => {
  const total = <T>(rows: readonly T[], count: (row: T) => number) =>
    rows.reduce((sum, row) => sum + count(row), 0);
  // babeltrace2 TRACE | grep -c 'irq_softirq_exit:', 'irq_handler_exit:', 'net_if_receive_skb:', 'net_dev_xmit:',
  // 'timer_hrtimer_expire_exit:'
  assert.equal(
    total(r.interrupts.softirqs, (s) => s.count),
    19882,
  );
  assert.equal(
    total(r.interrupts.irqs, (s) => s.count),
    1527,
  );
  assert.equal(r.interrupts.timers.count, 11551);
  assert.equal(
    total(r.network.interfaces, (i) => i.receivedPackets),
    6261,
  );
  assert.equal(
    total(r.network.interfaces, (i) => i.sentPackets),
    6221,
  );
});

onTrace("case1-slow", "the four busy loops use about 35 % of each CPU, two and two; CPUs are full", (r) => {
  // Sums of sched_switch intervals by lttng-analyses (info/lttng-analyses/case1-slow/cputop.txt).
  const expected: Record<number, number> = { 330: 0.1726, 331: 0.1744, 332: 0.1729, 333: 0.1746 };
  for (const [tid, share] of Object.entries(expected)) {
    const row = r.cpu.threads.rows.find((t) => t.thread.tid === Number(tid));
    assert.equal(row?.thread.name, "report-gen");
    assert.ok(near(row!.share, share, 0.0005), `${tid}: ${row!.share}`);
  }
  for (const c of r.cpu.cpus) assert.ok(c.idleNs < 0.002 * r.machine.durationNs);
  assert.ok(r.findings.some((f) => f.kind === "saturated" && f.span.users[0]?.name === "report-gen"));
  assert.ok(r.findings.some((f) => f.kind === "queued"));
});

onTrace("case2-xz-outlier", "xz fills the CPUs while it runs (17:05:02.2 to 17:05:09.6)", (r) => {
  const finding = r.findings.find((f) => f.kind === "saturated");
  assert.ok(finding?.kind === "saturated");
  const { span } = finding;
  assert.equal(span.users[0]?.name, "xz");
  const time = (ns: number) =>
    formatUtc(BigInt(r.machine.originEpochNs) + BigInt(Math.round(ns))).slice(11, 19);
  assert.match(time(span.beginNs), /17:05:0[123]/);
  assert.match(time(span.endNs), /17:05:(09|10)/);
});

onTrace("case3-dns-outlier", "the wait for the name server leads the list", (r) => {
  const [wait] = r.waits.longest;
  assert.match(
    waitWords(wait!, r.machine),
    /^apache2 \(668\) poll on socket 8\.8\.6\.6:53, timeout 2\.50 s: timed out, ended by timer after 2\.50\d s$/,
  );
  assert.deepEqual(r.memory.missing, []);
});

onTrace("case4-coredump-outlier", "the database's and the web server's slow writes are told", (r) => {
  const find = (name: string, call: string, file: string) =>
    r.waits.longest.find((w) => w.thread.name === name && w.syscall === call && w.target?.name === file);
  assert.ok(near(find("mariadbd", "pwrite64", "/var/lib/mysql/ib_logfile0")!.durationNs, 2.8e9, 0.05e9));
  assert.ok(find("mariadbd", "fdatasync", "/var/lib/mysql/ib_logfile0")!.durationNs > 1e9);
  assert.ok(near(find("apache2", "write", "/var/log/apache2/access.log")!.durationNs, 1.58e9, 0.01e9));
  // The 743 MB core goes to vda; part of it after the end of the trace.
  const vda = r.disks.disks.find((d) => d.name === "vda")!;
  assert.ok(vda.writeBytes > 700e6 && vda.writeBytes < 760e6);
  assert.deepEqual(r.memory.missing, ["kmem_mm_page_alloc", "kmem_mm_page_free"]);
});

onTrace("stress-lost", "lost event records are told, in number", (r) => {
  assert.equal(r.machine.lost.events, 427216);
  assert.ok(r.machine.uncertain.syscalls > 0);
});

onTrace("idle-small", "short-lived processes have their own names and not that of their shell", (r) => {
  const names = r.cpu.threads.rows.map((t) => t.thread.name);
  for (const name of ["find", "ls", "dd", "wc"]) assert.ok(names.includes(name), name);
  // dd if=… of=/traces/dd.out with fsync
  const out = r.files.files.rows.find((f) => f.name === "/traces/dd.out");
  assert.ok(out !== undefined && out.writeBytes > 0 && out.readBytes === out.writeBytes && out.syncs === 1);
});

onTrace("case3-dns-outlier", "--begin keeps what is known from before", (whole) => {
  const middle = (whole.machine.beginNs + whole.machine.endNs) / 2;
  const late = runReport(openSource([`${TRACES}case3-dns-outlier`]), { beginNs: middle });
  const early = runReport(openSource([`${TRACES}case3-dns-outlier`]), { endNs: middle });
  assert.ok(near(late.cpu.busyNs + early.cpu.busyNs, whole.cpu.busyNs, 2e6));
  assert.ok(near(late.machine.durationNs + early.machine.durationNs, whole.machine.durationNs, 2e6));
  assert.ok(late.files.files.rows.some((f) => f.name === "/var/log/apache2/access.log"));
  assert.ok(late.waits.longest.every((w) => w.target?.name !== "8.8.6.6:53"));
});
