/** Explanations as a person on call reads them: one paragraph per cause, then what it rests on. */
import { formatCount, formatDuration, formatPercent, formatSize } from "../base/format.js";
import type { Who } from "../explain/lineage.js";
import type { Culprit, DetailInfo, PartInfo } from "../explain/summary.js";
import type { Cause, CauseGroup, PeriodWhy, Usual } from "../explain/why.js";
import { fieldsText } from "./event-text.js";
import { fit, pad, paint, printable, type TextOptions, textWidth, wrap } from "./text.js";
import { waterfallText } from "./waterfall-text.js";

export interface WhyTextOptions extends TextOptions {
  /** Moments as text. */
  readonly clock: (epochNs: bigint) => string;
  /** The command that shows more of an instance: `periscope critical-path … --instance N`. */
  readonly more: (path: string, instance: number) => readonly string[];
  /** With the host's name, where there are several. */
  readonly hosts: boolean;
}

const SIGNALS: Readonly<Record<number, string>> = {
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  11: "SIGSEGV",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};

/** `xz (pid 512, /usr/bin/xz)`, or `xz (4 processes)`. */
function whoText({ who, processes }: Pick<Culprit, "who" | "processes">): string {
  const name = printable(who.process || who.name || "?");
  const facts = [processes > 1 ? `${processes} processes` : `pid ${who.pid >= 0 ? who.pid : who.tid}`];
  if (who.executable !== "" && !who.executable.endsWith(`/${who.process}`)) facts.push(printable(who.executable));
  return `${name} (${facts.join(", ")})`;
}

/** ` started by sh ← cron (pid 77)`; "" when nothing is known. */
function lineage({ parents }: Who): string {
  const names = parents.filter(({ name, pid }) => name !== "" && pid > 1);
  const distinct = names.filter(({ name }, i) => i === 0 || names[i - 1]!.name !== name);
  if (distinct.length === 0) return parents.some(({ pid }) => pid === 1) ? "started by init" : "";
  const chain = distinct.map(({ name, pid }, i) =>
    i === distinct.length - 1 ? `${printable(name)} (pid ${pid})` : printable(name),
  );
  return `started by ${chain.join(" ← ")}`;
}

function crashText({ crash }: Culprit, clock: WhyTextOptions["clock"]): string {
  if (crash === null) return "";
  const signal = SIGNALS[crash.signal] ?? `signal ${crash.signal}`;
  return `crashed with ${signal} at ${clock(crash.epochNs)} and was writing its core dump`;
}

export function resourceText({ resource, name }: Pick<PartInfo, "resource" | "name">): string {
  switch (resource) {
    case "cpu-wait":
      return "waiting for a CPU";
    case "computing":
      return name === "" ? "computing, itself" : `work of the kernel (${name})`;
    case "interrupts":
      return "interrupts on its CPU";
    case "disk":
      return `waiting for the disk ${name}`.trim();
    case "memory":
      return "reclaiming memory";
    case "network":
      return `waiting for the network${name === "" ? "" : `, ${name}`}`;
    case "lock":
      return name === "" ? "waiting for a lock" : `waiting for a lock that ${name} had`;
    case "child":
      return name === "" ? "waiting for a child" : `waiting for its child ${name}`;
    case "process":
      return `waiting for ${name}`;
    case "sleep":
      return "asleep, at its own wish";
    default:
      return "unknown";
  }
}

const DOING: Readonly<Record<string, string>> = {
  user: "computed",
  syscall: "was in the system call",
  runnable: "waited for a CPU",
  disk: "waited for the disk in",
  "page-fault": "waited for a page of",
  "dirty-pages": "was held back while writing, since too much was dirty, in",
  timer: "slept in",
  network: "waited for the network in",
  lock: "waited for a lock in",
  irq: "was interrupted by",
  softirq: "was interrupted by",
  "timer-interrupt": "was interrupted by timers",
  reclaim: "waited for memory in",
  reclaiming: "reclaimed memory",
  child: "waited for a child in",
  socket: "waited for an answer in",
  pipe: "waited for a pipe in",
  kernel: "waited for the kernel in",
  thread: "waited for another thread in",
  unknown: "waited for something unknown in",
};

/** What somebody did, the largest first: `computed (341 ms), was in the system call futex (20 ms)`. */
function doings(details: readonly DetailInfo[], wholeNs: number): string {
  const byText = new Map<string, number>();
  for (const { kind, what, ns } of details) {
    const text = `${DOING[kind] ?? kind} ${what}`.trim().replace(/ in$/, "");
    byText.set(text, (byText.get(text) ?? 0) + ns);
  }
  const large = [...byText].sort((a, b) => b[1] - a[1]).filter(([, ns], i) => i === 0 || ns > 0.1 * wholeNs);
  return large
    .slice(0, 3)
    .map(([text, ns]) => `${text} (${formatDuration(ns)})`)
    .join(", ");
}

function list(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** The headline of a cause: what it was, and who. */
export function causeTitle({ kind, name, culprits, part }: Cause): string {
  const first = culprits[0];
  const who = first === undefined ? "" : printable(first.who.process);
  switch (kind) {
    case "cpu-contention":
      return who === "" ? "no CPU was free" : `no CPU was free: ${who} used it`;
    case "cpu-limit":
      return "held back by a CPU limit, while CPUs were idle";
    case "computing":
      return name === "" ? "it computed more itself" : `the kernel worked for it (${name})`;
    case "interrupts": {
      const [top] = part.details;
      return `interrupts took its CPU${top === undefined ? "" : ` (${top.what || top.kind})`}`;
    }
    case "disk": {
      const disk = `the disk ${name}`.trim();
      if (first === undefined) return `it waited for ${disk}`;
      if (first.crash !== null) return `${disk} was busy with the core dump of ${who}`;
      return `${disk} was busy with data of ${who}`;
    }
    case "memory":
      return first === undefined ? "memory was short" : `memory was short: ${who} took it`;
    case "network":
      if (part.timeouts.length > 0) return `${name || "the network"} never answered`;
      return `${name || "the network"} was slow to answer`;
    case "lock":
      return `${name || "another thread"} held a lock`;
    case "child":
      return `its child ${printable(part.holder?.process ?? name)} was slow`;
    case "process":
      return `${printable(part.holder?.process ?? name)} was slow to answer`;
    case "sleep":
      return "it slept, at its own wish";
    default:
      return "the trace does not tell why";
  }
}

function shares(culprits: readonly Culprit[], measure: (culprit: Culprit) => number): string[] {
  const whole = culprits.reduce((sum, culprit) => sum + measure(culprit), 0);
  return culprits
    .filter((culprit, i) => measure(culprit) > 0 && (i === 0 || measure(culprit) > 0.1 * whole))
    .slice(0, 3)
    .map((culprit) => `${whoText(culprit)} ${Math.round((measure(culprit) * 100) / whole)} %`);
}

/** Sentences about one cause. */
export function causeSentences(cause: Cause, options: Pick<WhyTextOptions, "clock">): string[] {
  const { kind, name, ns, usualNs, share, part, culprits } = cause;
  const { clock } = options;
  const first = culprits[0];
  const usually = usualNs > 0 ? `, usually ${formatDuration(usualNs)}` : ", usually not at all";
  const of = Number.isFinite(share) && share > 0 ? `, ${Math.min(100, Math.round(share * 100))} % of what was too much` : "";
  const measured = `${formatDuration(ns)}${usually}${of}`;
  const [top] = part.details;
  const out: string[] = [];
  const family = first === undefined ? "" : lineage(first.who);
  switch (kind) {
    case "cpu-contention":
      out.push(`It was ready to run, but had to wait for a CPU (${measured}).`);
      if (first !== undefined) {
        out.push(
          `On these CPUs ran meanwhile: ${list(shares(culprits, (culprit) => culprit.ns))}.` +
            (family === "" ? "" : ` ${printable(first.who.process)} was ${family}.`),
        );
      }
      break;
    case "cpu-limit":
      out.push(
        `It was ready to run and was not let (${measured}): for ${formatDuration(part.idleNs)} of that the CPU was idle. ` +
          "That is how a CPU limit of its cgroup looks (cpu.max, CPUQuota=, a container's CPU limit): once its share of a period is used up, it must wait for the next.",
      );
      break;
    case "computing":
      out.push(
        `It worked longer itself (${measured}), without waiting: it ${doings(part.details, part.ns)}.` +
          " What it did in user space a kernel trace cannot show: a profiler (perf) can.",
      );
      break;
    case "interrupts":
      out.push(
        `Interrupts took the CPU from it (${measured}): ${list(
          part.details.slice(0, 3).map((d) => `${d.what || "timers"} ${formatDuration(d.ns)} (${formatCount(d.count)} times)`),
        )}.`,
      );
      break;
    case "disk": {
      const waiters = [...new Set(part.details.map(({ process }) => process))].slice(0, 2);
      const calls = [...new Set(part.details.map(({ what }) => what.split(" ")[0]!).filter((w) => w !== "" && w !== name))];
      out.push(
        `${list(waiters)} waited for the disk ${name} (${measured})${calls.length > 0 ? `, in ${list(calls.slice(0, 3))}` : ""}.`,
      );
      if (first !== undefined && part.bytes > 0) {
        const through = first.ownerBy === "submitter" || first.through === "" ? "" : `, written by ${first.through} on its behalf`;
        out.push(
          `In that time the disk handled ${formatSize(part.bytes)} per instance, of which ${list(shares(culprits, ({ bytes }) => bytes))}${through}.` +
            (family === "" ? "" : ` ${printable(first.who.process)} was ${family}.`),
        );
        const crash = crashText(first, clock);
        if (crash !== "") out.push(`${printable(first.who.process)} ${crash}.`);
        if (first.ownerBy === "dirtied") {
          out.push("Whose data the kernel's workers write is concluded from the pages that threads made dirty: likely, not certain.");
        } else if (first.ownerBy === "unknown") {
          out.push("Whose data the kernel's workers wrote is not recorded: a suspicion.");
        }
      }
      if (part.serviceNs > 0) {
        const queue = part.queueNs > 0 ? `${formatDuration(part.queueNs)} in the queue and ` : "";
        out.push(`The requests that it waited for were ${queue}${formatDuration(part.serviceNs)} with the device.`);
      }
      break;
    }
    case "memory":
      out.push(`It had to free memory before it got any (${measured}).`);
      if (first !== undefined) {
        out.push(
          `Most pages were taken meanwhile by ${list(shares(culprits, ({ pages }) => pages))}.` +
            (family === "" ? "" : ` ${printable(first.who.process)} was ${family}.`),
        );
      }
      break;
    case "network": {
      const port = /:(\d+)$/.exec(name)?.[1];
      const service = port === "53" ? "a DNS answer" : "an answer";
      const call = top?.what.split(" ")[0] ?? "";
      if (part.timeouts.length > 0) {
        out.push(
          `It waited for ${service} of ${name || "a peer"} that never came (${measured}): ${call} ran into its time limit of ${list(
            [...new Set(part.timeouts.map((timeout) => formatDuration(timeout)))].slice(0, 3),
          )}.`,
        );
      } else out.push(`It waited for ${service} of ${name || "a peer"} (${measured}), in ${call}.`);
      if (part.lastOpened !== "") out.push(`The code had last opened ${printable(part.lastOpened)}.`);
      break;
    }
    case "lock":
      out.push(
        `It waited for a lock${name === "" ? "" : ` that the thread ${printable(name)}${part.holder === null ? "" : ` (tid ${part.holder.tid} of ${printable(part.holder.process)})`} held`} (${measured}).`,
      );
      if (name !== "") out.push(`Holding it, ${printable(name)} ${doings(part.details, part.ns)}.`);
      break;
    case "child":
    case "process": {
      const holder = part.holder;
      const who = holder === null ? name : whoText({ who: holder, processes: 1 });
      out.push(
        `It waited for ${kind === "child" ? "its child" : "an answer of"} ${who} (${measured}), which ${doings(part.details, part.ns)}.`,
      );
      break;
    }
    case "sleep":
      out.push(`It slept because it asked for that (${measured}), in ${top?.what ?? "a system call"}.`);
      break;
    default:
      out.push(`Of this time the trace does not tell what it was for (${measured}).`);
  }
  return out;
}

const SURE = { high: "Certainty: high", medium: "Certainty: medium", low: "Certainty: low" };

function certaintyText({ certainty, attributed }: Pick<CauseGroup, "certainty" | "attributed">): string {
  const why = certainty.reasons.length === 0 ? "" : ` (${certainty.reasons.join("; ")})`;
  const enable = certainty.enable.length === 0 ? "" : ` To know more next time, record ${certainty.enable.join(", ")}.`;
  return `${SURE[certainty.level]}${why}; ${formatPercent(attributed)} of the time has a named cause.${enable}`;
}

function headline(why: PeriodWhy): string {
  const { count, medianNs, maxNs, slow, limitNs, limitBy } = why;
  const all = `${formatCount(count)} ${count === 1 ? "instance" : "instances"} of ${why.path}: median ${formatDuration(medianNs)}, longest ${formatDuration(maxNs)}.`;
  if (slow === 0) return all;
  const limit = limitBy === "percentile" ? "at or above" : "over";
  return `${all} ${formatCount(slow)} ${slow === 1 ? "is" : "are"} slow (${limit} ${formatDuration(limitNs)}).`;
}

function partsTable(parts: readonly PartInfo[], usual: Usual | undefined, wholeNs: number, width: number): string[] {
  const rows = parts.filter(({ ns }, i) => i < 7 && ns > 0.005 * wholeNs);
  const label = Math.min(44, Math.max(...rows.map((part) => textWidth(resourceText(part))), 8));
  return rows.map((part) => {
    const same = usual?.parts.find(
      ({ resource, name }) => resource === part.resource && (name === part.name || resource === "network"),
    );
    return fit(
      `    ${pad(fit(resourceText(part), label), label, "left")}  ${pad(formatDuration(part.ns), 8, "right")} ${pad(formatPercent(part.ns / wholeNs), 7, "right")}` +
        (usual === undefined ? "" : `   usually ${same === undefined ? "none" : formatDuration(same.ns)}`),
      width,
    );
  });
}

export function whyText(why: PeriodWhy, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const out: string[] = [...wrap(headline(why), width)];
  const paragraph = (text: string, indent = 0) =>
    out.push(...wrap(text, width - indent).map((line) => `${" ".repeat(indent)}${line}`));
  if (why.verdict === "norm" || why.verdict === "fine" || why.verdict === "too-few") {
    out.push("", ...usualText(why, options));
    return out;
  }
  why.groups.forEach((group, i) => out.push("", ...groupText(why, group, i + 1, options)));
  if (why.usual !== undefined) {
    out.push("");
    const { instances, meanNs, parts } = why.usual;
    paragraph(
      `Compared with ${formatCount(instances)} usual instances of ${formatDuration(meanNs)} (mean): ${list(
        parts.slice(0, 3).map((part) => `${resourceText(part)} ${formatDuration(part.ns)}`),
      )}.`,
    );
    for (const cause of why.usual.causes) {
      paragraph(`Usual ones, too, lose much of their time: ${causeTitle(cause)}. ${causeSentences(cause, { clock }).join(" ")}`);
    }
  }
  return out;
}

function groupText(why: PeriodWhy, group: CauseGroup, number: number, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const { causes, instances } = group;
  const out: string[] = [];
  const indented = (text: string) => out.push(...wrap(text, width - 3).map((line) => `   ${line}`));
  const n = instances.length;
  const [worst] = instances;
  const [main] = causes;
  const title = main === undefined ? "no cause found" : causeTitle(main);
  out.push(
    ...wrap(`${number}. ${n === 1 ? "One instance" : `${formatCount(n)} instances`}: ${title}`, width).map((line) =>
      paint(line, "bold", options),
    ),
    "",
  );
  const which = instances
    .slice(0, 4)
    .map(({ summary }) => `#${summary.number} at ${clock(summary.beginEpochNs).slice(0, -6)} (${formatDuration(summary.durationNs)})`);
  if (n > 4) which.push(`${n - 4} more`);
  const sentences = causes.slice(0, 3).flatMap((cause, i) => [
    ...(i === 1 ? ["Besides:"] : []),
    ...causeSentences(cause, { clock }),
  ]);
  indented(`${n === 1 ? "Instance" : "Instances"} ${list(which)}. ${sentences.join(" ")} ${certaintyText(group)}`);
  if (worst === undefined) return out;
  const { summary, waterfall, captures } = worst;
  const who = summary.thread === null ? "" : `, thread ${summary.thread.tid} of ${printable(summary.thread.process)}`;
  const text = captures.length === 0 ? "" : `, ${captures.map(({ key, value }) => `${key} = ${value}`).join(", ")}`;
  out.push("", fit(`   Where the time of #${summary.number} went${who}${text}:`, width));
  out.push(...partsTable(summary.parts, why.usual, summary.durationNs, width));
  if (waterfall.length > 1) {
    out.push("", "   Its phases:");
    out.push(...waterfallText(waterfall.slice(0, 14), { width: width - 2 }).map((line) => `  ${line}`));
  }
  if (group.evidence.length > 0) {
    out.push("", "   Event records that decide:");
    for (const { epochNs, procname, tid, event, payload, cpu, host } of group.evidence) {
      const where = `${options.hosts ? `${host} ` : ""}cpu ${cpu}${tid === null ? "" : `, ${printable(procname)} ${tid}`}`;
      out.push(fit(`    ${clock(epochNs)} (${where}) ${event} ${fieldsText(payload)}`, width));
    }
  }
  const more = options.more(why.path, summary.number);
  if (more.length > 0) out.push("", "   To see more:", ...more.map((line) => `    ${line}`));
  return out;
}

function usualText(why: PeriodWhy, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const { usual, verdict } = why;
  const out: string[] = [];
  const paragraph = (text: string) => out.push(...wrap(text, width));
  if (usual === undefined) {
    paragraph("There is nothing to compare: no instance was completed.");
    return out;
  }
  const { causes, parts, meanNs, instances } = usual;
  if (verdict === "norm") {
    const [main] = causes;
    const norm = why.slow > 0 ? `${formatCount(why.slow)} of ${formatCount(why.count)} are slow: this is no outlier, but the norm` : "No instance stands out, but all are slower than they need be";
    out.push(...wrap(`${norm}${main === undefined ? "" : `: ${causeTitle(main)}`}.`, width).map((line) => paint(line, "bold", options)), "");
    if (causes.length === 0) paragraph(`They do not lose their time to anything else: ${parts.slice(0, 3).map((part) => `${resourceText(part)} ${formatDuration(part.ns)}`).join(", ")}.`);
    for (const cause of causes) {
      const { part } = cause;
      paragraph(
        `On average ${formatDuration(part.ns)} of ${formatDuration(meanNs)} (${Math.round((part.ns * 100) / meanNs)} %) is ${resourceText(part)}. ${causeSentences({ ...cause, usualNs: 0, share: Number.NaN }, { clock }).join(" ").replaceAll(", usually not at all", "")}`,
      );
    }
    if (causes.some(({ kind }) => kind === "cpu-contention")) {
      const busy = 1 - usual.idleShare;
      paragraph(
        `The machine is out of CPU: its CPUs are ${Math.round(busy * 100)} % busy while these run. Who uses them: ${list(shares(usual.machine, ({ ns }) => ns))}.` +
          usual.machine
            .slice(0, 1)
            .map(({ who }) => (lineage(who) === "" ? "" : ` ${printable(who.process)} was ${lineage(who)}.`))
            .join(""),
      );
    }
  } else if (verdict === "fine") {
    paragraph(
      `Nothing is wrong here: no instance takes much longer than the others (over ${formatDuration(why.limitNs)} would be slow), and none waits long for what others have.`,
    );
  } else {
    paragraph(`${formatCount(why.count)} ${why.count === 1 ? "instance is" : "instances are"} too few to say what is usual; --threshold says which are slow.`);
  }
  paragraph(certaintyText({ certainty: usual.certainty, attributed: usual.attributed }));
  out.push("", `Where the time goes (mean of ${formatCount(instances)}):`);
  out.push(...partsTable(parts, undefined, meanNs, width));
  return out;
}
