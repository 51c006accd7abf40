/** Sentences about waits and findings, shared by text and HTML. */

import type { ProcessRef, ThreadRef } from "../analyses/common.js";
import type { FileIo } from "../analyses/files.js";
import type { Finding } from "../analyses/findings.js";
import type { Machine } from "../analyses/report.js";
import type { Wait } from "../analyses/waits.js";
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatSeconds,
  formatSize,
  formatUtc,
} from "../base/format.js";

/** `apache2 (668)`, with the host when there are several. */
export function threadWords(thread: ThreadRef, machine: Machine): string {
  return `${thread.name} (${thread.tid})${hostWords(thread.host, machine)}`;
}

export function processWords(process: ProcessRef, machine: Machine): string {
  return `${process.name} (${process.pid})${hostWords(process.host, machine)}`;
}

export function hostWords(host: number, machine: Machine): string {
  return machine.hosts.length > 1 ? ` on ${machine.hosts[host]?.name ?? host}` : "";
}

export function fileWords(file: FileIo, machine: Machine): string {
  const name = file.name === "" ? `fd ${file.fd} of pid ${file.pid}` : file.name;
  return name + hostWords(file.host, machine);
}

/** Wall-clock UTC of a moment; `short`: time of day with milliseconds. */
export function momentWords(ns: number, machine: Machine, short: boolean): string {
  const text = formatUtc(BigInt(machine.originEpochNs) + BigInt(Math.round(ns)));
  return short ? text.slice(11, 23) : text;
}

function targetWords(wait: Wait): string {
  const { target } = wait;
  if (target === null) return "";
  const more = wait.otherFds > 0 ? ` and ${wait.otherFds} more` : "";
  const unnamed = target.fd === null ? "" : `fd ${target.fd}`;
  if (target.kind === "socket") {
    const name = target.name === "" ? unnamed : target.name;
    return ` on ${target.side === "server" ? "accepted " : ""}socket ${name}${more}`;
  }
  const name = target.name === "" ? unnamed : target.name;
  return name === "" ? "" : ` on ${name}${more}`;
}

function waitedIn(wait: Wait): string {
  if (wait.syscall === null) return "blocked in the kernel outside system calls";
  return wait.syscall + targetWords(wait);
}

function enderWords(wait: Wait): string {
  const { endedBy } = wait;
  switch (endedBy.kind) {
    case "timer":
      return "timer";
    case "thread":
      return endedBy.thread === null ? "another thread" : `${endedBy.thread.name} (${endedBy.thread.tid})`;
    case "irq":
      return `interrupt ${endedBy.name}`;
    case "softirq":
      return `softirq ${endedBy.name}`;
    case "interrupt":
      return "an interrupt";
    default:
      return "";
  }
}

/** Timeouts from here on (poll with a day, say) mean "for ever". */
const NO_LIMIT_NS = 3600e9;

/** `apache2 (668) poll on socket 8.8.6.6:53, timeout 2.50 s: ended by timer after 2.501 s`. */
export function waitWords(wait: Wait, machine: Machine): string {
  const timeout =
    wait.timeoutNs === null || wait.timeoutNs >= NO_LIMIT_NS
      ? ""
      : `, timeout ${formatDuration(wait.timeoutNs)}`;
  const head = `${threadWords(wait.thread, machine)} ${waitedIn(wait)}${timeout}`;
  if (!wait.ended) return `${head}: still waiting at the end, after ${formatSeconds(wait.durationNs)}`;
  const ender = enderWords(wait);
  const by = wait.timedOut ? "timed out, ended by timer" : ender === "" ? "ended" : `ended by ${ender}`;
  const blocked = wait.durationNs - wait.blockedNs > 0.1 * wait.durationNs;
  const asleep = blocked ? `, ${formatSeconds(wait.blockedNs)} of it asleep` : "";
  const naps = wait.blocks > 1 ? ` in ${formatCount(wait.blocks)} sleeps` : "";
  const error =
    wait.ret !== null && wait.ret < 0 && wait.ret > -4096 ? `, failed with ${errnoName(-wait.ret)}` : "";
  return `${head}: ${by} after ${formatSeconds(wait.durationNs)}${asleep}${naps}${error}`;
}

export function otherWaitsWords(wait: Wait): string {
  if (wait.othersCount === 0) return "";
  const next = wait.others[0];
  const longest = next === undefined ? "" : `, next longest ${formatSeconds(next.blockedNs)}`;
  return `${formatCount(wait.othersCount)} more like it${longest}`;
}

const ERRNO: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  17: "EEXIST",
  22: "EINVAL",
  28: "ENOSPC",
  32: "EPIPE",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
  115: "EINPROGRESS",
  512: "ERESTARTSYS",
  514: "ERESTARTNOHAND",
  516: "ERESTART_RESTARTBLOCK",
};

export function errnoName(errno: number): string {
  return ERRNO[errno] ?? `error ${errno}`;
}

/** How much a finding matters: for colour. */
export function findingSeverity(finding: Finding): "bad" | "warn" {
  return finding.kind === "longWait" || finding.kind === "slowDisk" ? "bad" : "warn";
}

export function findingWords(finding: Finding, machine: Machine): string {
  switch (finding.kind) {
    case "lost": {
      const what = [
        finding.events > 0 ? `${formatCount(finding.events)} event records` : "",
        finding.packets > 0 ? `${formatCount(finding.packets)} packets` : "",
      ].filter((w) => w !== "");
      const holes = finding.holes === 1 ? "one hole" : `${formatCount(finding.holes)} holes`;
      return `The tracer lost ${what.join(" and ")} in ${holes}: times are missing there, sums are too low.`;
    }
    case "saturated": {
      const { span } = finding;
      const users = span.users
        .map((u) => `${u.name}${u.threads > 1 ? ` ×${u.threads}` : ""} ${formatPercent(u.share)}`)
        .join(", ");
      const also =
        finding.spans > 1 ? ` ${finding.spans} such times, ${formatSeconds(finding.totalNs)} in all.` : "";
      const from = momentWords(span.beginNs, machine, true);
      return (
        `CPUs full for ${formatSeconds(span.endNs - span.beginNs)} from ${from}: ` +
        `${formatPercent(span.busyShare)} busy; ${users}.${also}`
      );
    }
    case "queued":
      return (
        `Threads queue for a CPU: ${formatDuration(finding.perSecondNs)} of waiting per second, ` +
        `p99 ${formatDuration(finding.p99Ns)}, longest ${formatSeconds(finding.maxNs)}.`
      );
    case "slowDisk":
      return (
        `Disk ${finding.disk}: slowest of ${formatCount(finding.requests)} requests took ` +
        `${formatSeconds(finding.maxNs)}, p99 ${formatDuration(finding.p99Ns)}.`
      );
    case "longWait":
      return `At ${momentWords(finding.wait.beginNs, machine, true)} ${waitWords(finding.wait, machine)}.`;
  }
}

export function missingWords(missing: readonly string[]): string {
  return `Not in this trace. To see it, enable: ${missing.join(", ")}`;
}

export function sizePerSecond(bytes: number, durationNs: number): string {
  return durationNs > 0 ? `${formatSize(bytes / (durationNs / 1e9))}/s` : "";
}
