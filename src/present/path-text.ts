/** The time of a thread, and critical paths, as text. */
import { formatDuration, formatPercent, formatSize } from "../base/format.js";
import type { SliceInfo } from "../explain/describe.js";
import type { Who } from "../explain/lineage.js";
import type { SliceGroup, ThreadTime } from "../explain/thread-time.js";
import { fit, pad, paint, printable, type TextOptions, wrap } from "./text.js";

export interface PathTextOptions extends TextOptions {
  readonly clock: (epochNs: bigint) => string;
}

const WORDS: Readonly<Record<string, string>> = {
  user: "on CPU",
  syscall: "on CPU in",
  reclaiming: "on CPU, reclaiming memory",
  irq: "interrupted by",
  softirq: "interrupted by softirq",
  "timer-interrupt": "interrupted by a timer",
  runnable: "waiting for a CPU",
  disk: "waiting for the disk:",
  "page-fault": "page fault, waiting for the disk:",
  "dirty-pages": "held back while writing (too much is dirty):",
  reclaim: "waiting for memory to be freed:",
  network: "waiting for the network:",
  socket: "waiting for a process, by socket:",
  pipe: "waiting for a process, by pipe:",
  lock: "waiting for a lock:",
  child: "waiting for a child:",
  timer: "waiting for time to pass:",
  thread: "waiting for another thread:",
  kernel: "waiting for the kernel:",
  gone: "not alive",
  unknown: "unknown",
};

function whoText({ name, tid, process }: Who): string {
  const of = process !== name && process !== "" ? ` of ${printable(process)}` : "";
  return `${printable(name || "?")} (${tid}${of})`;
}

/** What a piece of time was, in one line. */
export function sliceText(info: SliceInfo, short = false): string {
  const { kind, what, target, by, request, packet, timeoutNs, timedOut } = info;
  const on = kind === "disk" && target.startsWith("/") ? ` on ${printable(target)}` : "";
  const parts = [`${WORDS[kind] ?? kind} ${printable(what)}${on}`.replace(/:? *$/, "")];
  if (short) return parts[0]!;
  if (by !== null) parts.push(`ended by ${whoText(by)}`);
  if (request !== null) {
    const queue = request.queueNs === null ? "" : `, ${formatDuration(request.queueNs)} in the queue`;
    const owner =
      request.owner === null
        ? ""
        : ` of ${whoText(request.owner)}${request.ownerBy === "dirtied" ? " (likely)" : ""}`;
    parts.push(
      `${request.kind} of ${formatSize(request.bytes)}${owner}${queue}, ${formatDuration(request.serviceNs)} with the device`,
    );
  }
  if (packet !== null) parts.push(`packet from ${packet.from || "?"} by ${packet.device}`);
  if (timeoutNs !== null)
    parts.push(`${timedOut ? "ran into its limit of" : "limit"} ${formatDuration(timeoutNs)}`);
  return parts.join("; ");
}

function insteadText({ instead, idleNs, ns }: Pick<SliceGroup, "instead" | "idleNs" | "ns">): string {
  const all = [...instead].sort((a, b) => b.ns - a.ns);
  const names = all
    .slice(0, 4)
    .map(
      ({ thread, ns: ran }) =>
        `${printable(thread.process || thread.name)} (${thread.pid}) ${formatPercent(ran / ns)}`,
    );
  if (idleNs > 0) names.push(`nobody ${formatPercent(idleNs / ns)}`);
  return names.length === 0 ? "" : `ran instead: ${names.join(", ")}`;
}

function head(time: ThreadTime, { clock, width }: PathTextOptions): string[] {
  const { thread, beginEpochNs, endEpochNs, durationNs } = time;
  const parents = thread.parents.map(({ name }) => printable(name)).join(" ← ");
  return wrap(
    `${whoText(thread)}${parents === "" ? "" : `, started by ${parents}`}; from ${clock(beginEpochNs)} to ${clock(endEpochNs)}: ${formatDuration(durationNs)}`,
    width,
  );
}

function foot({ certainty, attributed }: ThreadTime, width: number): string[] {
  const why = certainty.reasons.length === 0 ? "" : ` (${certainty.reasons.join("; ")})`;
  const enable = certainty.enable.length === 0 ? "" : ` To know more, record ${certainty.enable.join(", ")}.`;
  return wrap(
    `Certainty: ${certainty.level}${why}; ${formatPercent(attributed)} of the time has a named cause.${enable}`,
    width,
  );
}

/** Sums of what is alike. */
export function waitsText(time: ThreadTime, options: PathTextOptions): string[] {
  const { width } = options;
  const out = [...head(time, options), ""];
  out.push(paint("      time    share    times   longest  what", "bold", options));
  for (const group of time.groups) {
    const { longest, ns, count } = group;
    out.push(
      fit(
        `${pad(formatDuration(ns), 10, "right")}  ${pad(formatPercent(ns / time.durationNs), 7, "right")}  ${pad(String(count), 7, "right")}  ${pad(formatDuration(longest.durationNs), 8, "right")}  ${sliceText(longest)}`,
        width,
      ),
    );
    const instead = insteadText(group);
    if (instead !== "") out.push(fit(`${" ".repeat(40)}${instead}`, width));
  }
  return [...out, "", ...foot(time, width)];
}

/** Every piece in time order. */
export function logText(time: ThreadTime, options: PathTextOptions): string[] {
  return time.slices.map(
    (slice) =>
      `${options.clock(slice.beginEpochNs)}  ${pad(formatDuration(slice.durationNs), 8, "right")}  ${indent(slice)}${whoText(slice.thread)}: ${sliceText(slice)}`,
  );
}

function indent({ via }: SliceInfo): string {
  return "  ".repeat(via.length);
}

/** The pieces that matter in time order; what is short in between is summed up. `all`: every piece. */
export function pathText(time: ThreadTime, options: PathTextOptions, all: boolean): string[] {
  const { width, clock } = options;
  const least = all ? 0 : time.durationNs / 200;
  const out = [...head(time, options), ""];
  let [shortNs, shorts] = [0, 0];
  const flush = () => {
    if (shorts > 0)
      out.push(
        fit(`${" ".repeat(20)}${pad(formatDuration(shortNs), 9, "right")}  … ${shorts} short pieces`, width),
      );
    [shortNs, shorts] = [0, 0];
  };
  let chain = "";
  for (const slice of time.slices) {
    if (slice.durationNs < least) {
      shortNs += slice.durationNs;
      shorts++;
      continue;
    }
    flush();
    const links = slice.via.map(({ kind, thread }) => `${kind} ${thread.tid}`).join(" ");
    if (links !== chain) {
      slice.via.forEach(({ kind, thread, target }, depth) => {
        const text = `${"  ".repeat(depth)}${WORDS[kind] ?? kind} ${whoText(thread)}${target === "" ? "" : `, ${printable(target)}`}`;
        out.push(paint(fit(`${" ".repeat(31)}${text}`, width), "dim", options));
      });
      chain = links;
    }
    out.push(
      fit(
        `${clock(slice.beginEpochNs).slice(-18)}  ${pad(formatDuration(slice.durationNs), 9, "right")}  ${indent(slice)}${whoText(slice.thread)} ${sliceText(slice)}`,
        width,
      ),
    );
  }
  flush();
  return [...out, "", ...foot(time, width)];
}
