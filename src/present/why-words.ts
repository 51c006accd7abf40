/** Explanations in words: what text, HTML and JSON say of causes. */
import { formatCount, formatDuration, formatList, formatPercent, formatSize } from "../base/format.js";
import type { Detail } from "../explain/breakdown.js";
import type { Evidence } from "../explain/evidence.js";
import type { Who } from "../explain/lineage.js";
import { type Culprit, measureOf, type PartInfo } from "../explain/summary.js";
import type { Cause, CauseGroup, PeriodWhy, Usual } from "../explain/why.js";
import { fieldsText } from "./event-text.js";
import { printable } from "./text.js";

/** Moments as text. */
export type Clock = (epochNs: bigint) => string;

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
  if (who.executable !== "" && !who.executable.endsWith(`/${who.process}`))
    facts.push(printable(who.executable));
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

function crashText({ crash }: Culprit, clock: Clock): string {
  if (crash === null) return "";
  const signal = SIGNALS[crash.signal] ?? `signal ${crash.signal}`;
  return `crashed with ${signal} at ${clock(crash.epochNs)} and was writing its core dump`;
}

export function resourceText({ resource, name }: Pick<PartInfo, "resource" | "name">): string {
  switch (resource) {
    case "cpu-wait":
      return "waiting for a CPU";
    case "cpu-limit":
      return "not let run, though a CPU was idle";
    case "computing":
      return name === "" ? "computing, itself" : `work of the kernel (${name})`;
    case "interrupts":
      return "interrupts";
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
  syscall: "ran the system call",
  runnable: "waited for a CPU",
  disk: "waited for the disk in",
  "page-fault": "waited for a page of",
  "dirty-pages": "had to write slowly, since too much was dirty, in",
  timer: "slept in",
  network: "waited for the network in",
  lock: "waited for a lock in",
  irq: "handled the interrupt",
  softirq: "handled the softirq",
  "timer-interrupt": "handled timers",
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
function doings(details: readonly Detail[], wholeNs: number): string {
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
      const top = part.details.find(({ kind }) => kind !== "runnable");
      const what = top === undefined ? "" : ` (${top.what || "timers"})`;
      return `interrupts took its CPU${what}${who === "" || culprits[0]!.packets * 2 < part.packets ? "" : `: packets of ${who}`}`;
    }
    case "disk": {
      const disk = `the disk ${name}`.trim();
      if (first === undefined) return `it waited for ${disk}`;
      if (part.details.some(({ process }) => process === first.who.process))
        return `${disk} was slow for its own requests`;
      if (first.crash !== null) return `${disk} was busy with the core dump of ${who}`;
      return `${disk} was busy with data of ${who}`;
    }
    case "memory":
      if (name === "limit") return "the memory limit of its cgroup was reached";
      return first === undefined ? "memory was short" : `memory was short: ${who} took it`;
    case "network":
      if (part.timeouts.length > 0) return `${name || "the network"} never answered`;
      if (part.details[0]?.what.includes(", on its way from"))
        return `the network held back what ${name} sent`;
      return `${name || "the network"} was slow to answer`;
    case "lock":
      return `${printable(name) || "another thread"} held a lock (futex)`;
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

/** `xz (4 processes) 88 %`, the large ones. */
function shares(culprits: readonly Culprit[]): string[] {
  const measure = measureOf(culprits);
  const whole = culprits.reduce((sum, culprit) => sum + measure(culprit), 0);
  return culprits
    .filter((culprit, i) => measure(culprit) > 0 && (i === 0 || measure(culprit) > 0.1 * whole))
    .slice(0, 3)
    .map((culprit) => `${whoText(culprit)} ${Math.round((measure(culprit) * 100) / whole)} %`);
}

/** Sentences about one cause of one instance (`it`) or more (`they`). */
export function causeSentences(
  cause: Cause,
  { clock, one }: { readonly clock: Clock; readonly one: boolean },
): string[] {
  const { kind, name, ns, usualNs, share, part, culprits } = cause;
  const [It, it, was, its] = one ? ["It", "it", "was", "its"] : ["They", "they", "were", "their"];
  const measured = measureText(ns, usualNs, share, one);
  const [first] = culprits;
  const ancestors = first === undefined ? "" : lineage(first.who);
  const origin = ancestors === "" ? "" : ` ${printable(first!.who.process)} was ${ancestors}.`;
  switch (kind) {
    case "cpu-contention":
      return [
        `${It} ${was} ready to run, but had to wait for a CPU (${measured}).`,
        ...(first === undefined
          ? []
          : [`On these CPUs ran meanwhile: ${formatList(shares(culprits))}.${origin}${fileText(first)}`]),
      ];
    case "cpu-limit":
      return [
        `${It} ${was} ready to run and ${was} not let (${measured}): for ${formatDuration(part.idleNs)} of that the CPU was idle.`,
        `That is how a CPU limit of ${its} cgroup looks (cpu.max, CPUQuota=, the limit of a container): once the share of a period is used up, everything in the cgroup waits for the next period.`,
      ];
    case "computing":
      return [
        `${It} worked longer ${one ? "itself" : "themselves"} (${measured}), without waiting: ${it} ${doings(part.details, part.ns)}.`,
        "What is done in user space a kernel trace cannot show; a profiler (perf) can.",
      ];
    case "interrupts":
      return interruptSentences(
        cause,
        `Interrupts took the CPU from ${one ? "it" : "them"} (${measured})`,
        origin,
      );
    case "disk":
      return diskSentences(cause, measured, origin, clock);
    case "memory":
      return [
        `Memory was short: before ${it} got any, some had to be freed (${measured}): ${it} ${doings(part.details, part.ns)}. Page faults that wait for a free page look like computing.`,
        ...(name === "limit"
          ? [
              `The machine had memory left (its kswapd did not run): what was reached is the memory limit of ${its} cgroup (memory.max, memory.high, the limit of a container).`,
            ]
          : []),
        ...(first === undefined
          ? []
          : [
              first.pages > 0
                ? `Most pages were taken meanwhile by ${formatList(shares(culprits))}.${origin}`
                : `Who took it is not recorded (kmem_mm_page_alloc); busiest meanwhile: ${formatList(shares(culprits))}.${origin}`,
            ]),
      ];
    case "network":
      return networkSentences(cause, It, measured);
    case "lock": {
      const { holder } = part;
      const whose = holder === null ? "" : ` (tid ${holder.tid} of ${printable(holder.process)})`;
      if (name === "") return [`${It} waited for a lock (futex) (${measured}).`];
      return [
        `${It} waited for a lock or a condition (futex) until the thread ${printable(name)}${whose} let ${one ? "it" : "them"} go on (${measured}).`,
        `Meanwhile ${printable(name)} ${doings(part.details, part.ns)}.`,
      ];
    }
    case "child":
    case "process": {
      const { holder } = part;
      const who = holder === null ? printable(name) : whoText({ who: holder, processes: 1 });
      const what = kind === "child" ? `${its} child` : "an answer of";
      return [`${It} waited for ${what} ${who} (${measured}), which ${doings(part.details, part.ns)}.`];
    }
    case "sleep":
      return [
        `${It} slept because ${it} asked for that (${measured}), in ${part.details[0]?.what ?? "a system call"}.`,
      ];
    default:
      return [`Of this time the trace does not tell what it was for (${measured}).`];
  }
}

/** `1.59 s on average, usually 62.5 ms, 76 % of what was too much`. */
function measureText(ns: number, usualNs: number, share: number, one: boolean): string {
  const usually = Number.isNaN(usualNs)
    ? ""
    : usualNs > 0
      ? `, usually ${formatDuration(usualNs)}`
      : ", usually not at all";
  const of = share > 0 ? `, ${Math.min(100, Math.round(share * 100))} % of what was too much` : "";
  return `${formatDuration(ns)}${one ? "" : " on average"}${usually}${of}`;
}

function fileText({ who, file }: Culprit): string {
  return file === ""
    ? ""
    : ` The file that ${printable(who.process)} had touched last is ${printable(file)}.`;
}

function interruptSentences({ part, culprits }: Cause, measured: string, origin: string): string[] {
  const byWhat = new Map<string, { ns: number; count: number }>();
  for (const { kind, what, ns, count } of part.details) {
    const name = kind === "runnable" ? "softirqs in ksoftirqd" : what || "timers";
    const sum = byWhat.get(name) ?? { ns: 0, count: 0 };
    byWhat.set(name, { ns: sum.ns + ns, count: sum.count + count });
  }
  const rows = [...byWhat].sort((a, b) => b[1].ns - a[1].ns).slice(0, 3);
  const out = [
    `${measured}: ${formatList(rows.map(([name, { ns, count }]) => `${name} ${formatDuration(ns)} (${formatCount(count)} times)`))}.`,
  ];
  if (part.packets >= 1) {
    const from = culprits.length === 0 ? "" : `, sent on this machine by ${formatList(shares(culprits))}`;
    out.push(`${formatCount(part.packets)} packets arrived in that time${from}.${origin}`);
  }
  return out;
}

function diskSentences(cause: Cause, measured: string, origin: string, clock: Clock): string[] {
  const { name, part, culprits } = cause;
  const [first] = culprits;
  const waiters = [...new Set(part.details.map(({ process }) => process))].slice(0, 2);
  const calls = [...new Set(part.details.map(({ what }) => what.split(" ")[0]!))].filter(
    (call) => call !== "" && call !== name,
  );
  const files = part.files.length === 0 ? "" : ` on ${formatList(part.files.map(printable))}`;
  const out = [
    `${formatList(waiters.map(printable))} waited for the disk ${name} (${measured})${calls.length > 0 ? `, in ${formatList(calls.slice(0, 3))}${files}` : ""}.`,
  ];
  if (first !== undefined && part.bytes > 0) {
    const through =
      first.ownerBy === "submitter" || first.through === ""
        ? ""
        : `, written by ${first.through} on its behalf`;
    out.push(
      `Then and just before the disk handled ${formatSize(part.bytes)} per instance, of which ${formatList(shares(culprits))}${through}.${origin}`,
    );
    const crash = crashText(first, clock);
    if (crash !== "") out.push(`${printable(first.who.process)} ${crash}.`);
    else if (!waiters.includes(first.who.process)) out.push(fileText(first).trim());
    const syncing = culprits
      .filter(({ syncs, who }) => syncs > 0 && !waiters.includes(who.process))
      .sort((a, b) => b.syncs - a.syncs)
      .slice(0, 3)
      .map((culprit) => `${whoText(culprit)} ${formatCount(culprit.syncs)} times`);
    if (syncing.length > 0)
      out.push(`Others forced data to the disk meanwhile (fsync and its like): ${formatList(syncing)}.`);
    if (first.ownerBy === "dirtied") {
      out.push(
        "Whose data the workers of the kernel write is concluded from the pages that threads made dirty: likely, not certain.",
      );
    } else if (first.ownerBy === "unknown") {
      out.push("Whose data the workers of the kernel wrote is not recorded: a suspicion.");
    }
  }
  if (part.serviceNs > 0) {
    const queue = part.queueNs > 0 ? `${formatDuration(part.queueNs)} in the queue and ` : "";
    out.push(
      `The requests that were waited for were ${queue}${formatDuration(part.serviceNs)} with the device.`,
    );
  }
  return out.filter((sentence) => sentence !== "");
}

function networkSentences({ name, part }: Cause, It: string, measured: string): string[] {
  const peer = printable(name) || "a peer";
  const what = /:53$/.test(name) ? "a DNS answer" : "an answer";
  const call = part.details[0]?.what.split(" ")[0] ?? "";
  const limits = [...new Set(part.timeouts.map((timeout) => formatDuration(timeout)))].slice(0, 3);
  const out =
    limits.length > 0
      ? [
          `${It} waited for ${what} of ${peer} that never came (${measured}): ${call} ran into its time limit of ${formatList(limits)}.`,
        ]
      : [`${It} waited for ${what} of ${peer} (${measured})${call === "" ? "" : `, in ${call}`}.`];
  const from = /, on its way from (.+)$/.exec(part.details[0]?.what ?? "")?.[1];
  if (from !== undefined) {
    out.push(
      `It was on its way for that long: ${printable(from)} had sent it, and the network held it back.`,
    );
  }
  if (part.lastTouched.length > 0) {
    out.push(`Before that the code had touched ${formatList(part.lastTouched.map(printable))}.`);
  }
  return out;
}

const SURE = { high: "Certainty: high", medium: "Certainty: medium", low: "Certainty: low" };

export function certaintyText({
  certainty,
  attributed,
}: Pick<CauseGroup, "certainty" | "attributed">): string {
  const why = certainty.reasons.length === 0 ? "" : ` (${certainty.reasons.join("; ")})`;
  const enable =
    certainty.enable.length === 0 ? "" : ` To know more next time, record ${certainty.enable.join(", ")}.`;
  return `${SURE[certainty.level]}${why}; ${formatPercent(attributed)} of the time has a named cause.${enable}`;
}

export function headline(why: PeriodWhy): string {
  const { count, medianNs, maxNs, slow, limitNs, limitBy } = why;
  const all = `${formatCount(count)} ${count === 1 ? "instance" : "instances"} of ${why.path}: median ${formatDuration(medianNs)}, longest ${formatDuration(maxNs)}.`;
  if (slow === 0) return all;
  const limit = limitBy === "percentile" ? "at or above" : "over";
  const told = why.groups.reduce((sum, { instances }) => sum + instances.length, 0);
  const rest =
    why.verdict !== "outliers" || told === slow
      ? ""
      : told === 0
        ? " No thread was running where they began or ended: they cannot be explained."
        : ` The ${formatCount(told)} longest are explained.`;
  return `${all} ${formatCount(slow)} ${slow === 1 ? "is" : "are"} slow (${limit} ${formatDuration(limitNs)}).${rest}`;
}

/** `2 instances: the disk vda was busy with …` */
export function groupTitle({ causes, instances }: CauseGroup): string {
  const n = instances.length;
  const [main] = causes;
  const count = n === 1 ? "One instance" : `${formatCount(n)} instances`;
  return `${count}: ${main === undefined ? "no cause found" : causeTitle(main)}`;
}

/** What a person on call must know of a group, in one paragraph. */
export function groupParagraph(group: CauseGroup, clock: Clock): string {
  const { causes, instances } = group;
  const n = instances.length;
  const one = n === 1;
  const which = instances
    .slice(0, 4)
    .map(
      ({ summary }) =>
        `#${summary.number} at ${clock(summary.beginEpochNs).replace(/(\.\d{3})\d+$/, "$1")} (${formatDuration(summary.durationNs)})`,
    );
  if (n > 4) which.push(`${n - 4} more`);
  const sentences = causes
    .slice(0, 3)
    .flatMap((cause, i) => [...(i === 1 ? ["Besides:"] : []), ...causeSentences(cause, { clock, one })]);
  return `${one ? "Instance" : "Instances"} ${formatList(which)}. ${sentences.join(" ")} ${certaintyText(group)}`;
}

/** Whose time the table of a group is about. */
export function worstText({ instances }: CauseGroup): string {
  const { summary, captures } = instances[0]!;
  const { thread } = summary;
  const who = thread === null ? "" : `, thread ${thread.tid} of ${printable(thread.process)}`;
  const text = captures.map(({ key, value }) => `, ${key} = ${printable(value)}`).join("");
  return `Where the time of #${summary.number} went${who}${text}:`;
}

/** What the slow ones were compared with. */
export function comparison({ usual }: PeriodWhy, clock: Clock): string[] {
  if (usual === undefined) return [];
  const { instances, meanNs, parts, causes } = usual;
  const most = parts.slice(0, 3).map((part) => `${resourceText(part)} ${formatDuration(part.ns)}`);
  return [
    `Compared with ${formatCount(instances)} usual instances of ${formatDuration(meanNs)} (mean): ${formatList(most)}.`,
    ...causes.map(
      (cause) =>
        `Usual ones, too, lose much of their time: ${causeTitle(cause)}. ${causeSentences(cause, { clock, one: false }).join(" ")}`,
    ),
  ];
}

/** What is said where there are no groups: the first paragraph is the verdict. */
export function normParagraphs(why: PeriodWhy, clock: Clock): string[] {
  const { usual, verdict } = why;
  if (usual === undefined) return ["There is nothing to compare: no instance was completed."];
  const { causes, parts, meanNs } = usual;
  const certain = certaintyText({ certainty: usual.certainty, attributed: usual.attributed });
  if (verdict === "fine") {
    return [
      `Nothing is wrong here: no instance takes much longer than the others (over ${formatDuration(why.limitNs)} would be slow), and none waits long for what others have.`,
      certain,
    ];
  }
  if (verdict === "too-few") {
    const count = `${formatCount(why.count)} ${why.count === 1 ? "instance is" : "instances are"}`;
    return [`${count} too few to say what is usual; --threshold says which are slow.`, certain];
  }
  const [main] = causes;
  const norm =
    why.slow > 0
      ? `${formatCount(why.slow)} of ${formatCount(why.count)} are slow: this is no outlier, but the norm`
      : "No instance stands out, but all are slower than they need be";
  const out = [`${norm}${main === undefined ? "" : `: ${causeTitle(main)}`}.`];
  if (main === undefined) {
    const most = parts.slice(0, 3).map((part) => `${resourceText(part)} ${formatDuration(part.ns)}`);
    out.push(`They lose their time to nothing in particular: ${most.join(", ")}.`);
  }
  for (const cause of causes) {
    const { part } = cause;
    const share = Math.round((part.ns * 100) / meanNs);
    const sentences = causeSentences({ ...cause, usualNs: Number.NaN, share: 0 }, { clock, one: false });
    out.push(
      `On average ${formatDuration(part.ns)} of ${formatDuration(meanNs)} (${share} %) is ${resourceText(part)}. ${sentences.join(" ")}`,
    );
  }
  if (causes.some(({ kind }) => kind === "cpu-contention")) out.push(outOfCpu(usual));
  return [...out, certain];
}

function outOfCpu({ idleShare, machine, parts }: Usual): string {
  const own = new Set(parts.flatMap(({ details }) => details.map(({ process }) => process)));
  const stranger = machine.find(({ who }) => !own.has(who.process));
  const ancestors = stranger === undefined ? "" : lineage(stranger.who);
  const origin = ancestors === "" ? "" : ` ${printable(stranger!.who.process)} was ${ancestors}.`;
  return `The machine is out of CPU: its CPUs are ${Math.round((1 - idleShare) * 100)} % busy while these run. Who uses them: ${formatList(shares(machine))}.${origin}`;
}

/** What usual instances spend on the same. */
export function usualPart(part: PartInfo, usual: Usual): PartInfo | undefined {
  return usual.parts.find(
    ({ resource, name }) => resource === part.resource && (name === part.name || resource === "network"),
  );
}

/** One event record that decides, in a line. */
export function evidenceText(evidence: Evidence, clock: Clock, withHost: boolean): string {
  const { epochNs, procname, tid, event, payload, cpu, host } = evidence;
  const thread = tid === null ? "" : `, ${printable(procname)} ${tid}`;
  return `${clock(epochNs)} (${withHost ? `${host} ` : ""}cpu ${cpu}${thread}) ${event} ${fieldsText(payload)}`;
}
