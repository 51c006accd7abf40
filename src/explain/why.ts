/**
 * Why the slow ones were slow: finds the outliers among a period's instances, breaks each down along its critical
 * path, compares with the usual ones, and ranks what is different by the time that it explains.
 *
 * Two readings: the first finds the instances, the second records histories around the outliers and a sample of
 * the others only.
 */

import type { WaterfallLine } from "../analyses/waterfall.js";
import { spreadLimit } from "../base/outliers.js";
import type { Thread } from "../kernel/state.js";
import type { PeriodSet } from "../periods/define.js";
import type { EventSource } from "../sources/source.js";
import { addDetail, type Detail, type Resource } from "./breakdown.js";
import type { Certainty } from "./certainty.js";
import { Describer } from "./describe.js";
import { type Evidence, evidenceAt } from "./evidence.js";
import {
  capturesOf,
  collectInstances,
  lengthOf,
  type Occurrence,
  type Occurrences,
  waterfallLinesOf,
} from "./instances.js";
import { explainRanges } from "./run.js";
import { type Culprit, type InstanceSummary, type PartInfo, sortCulprits, summarise } from "./summary.js";

export interface WhyOptions {
  /** Instances of this period; else of all that have no parent. */
  readonly path?: string | undefined;
  /** Instances longer than this are slow, ns. */
  readonly thresholdNs?: number;
  /** Instances at or above this percentile of durations are slow, 0 … 100. */
  readonly percentile?: number;
  readonly beginNs?: number | undefined;
  readonly endNs?: number | undefined;
  readonly onProgress?: (doneBytes: number, totalBytes: number, eventRecords: number) => void;
}

/** What an instance had too much of. */
export type CauseKind = Exclude<Resource, "cpu-wait"> | "cpu-contention";

export interface Cause {
  readonly kind: CauseKind;
  /** Device, peer, lock holder, child, process; `limit`: memory that a cgroup may not have; "" where there is none. */
  readonly name: string;
  /** Mean time of the slow ones on it, of the usual ones, and the share of the slow ones' extra time that it explains. */
  readonly ns: number;
  readonly usualNs: number;
  readonly share: number;
  readonly part: PartInfo;
  readonly culprits: readonly Culprit[];
}

export interface SlowInstance {
  readonly summary: InstanceSummary;
  readonly captures: readonly { readonly key: string; readonly value: string }[];
  readonly waterfall: readonly WaterfallLine[];
}

/** Slow instances with the same main cause. */
export interface CauseGroup {
  /** What explains most first. */
  readonly causes: readonly Cause[];
  /** The longest first. */
  readonly instances: readonly SlowInstance[];
  readonly meanNs: number;
  readonly certainty: Certainty;
  /** Least of its instances, 0 … 1. */
  readonly attributed: number;
  readonly evidence: readonly Evidence[];
}

export interface Usual {
  /** How many were looked at. */
  readonly instances: number;
  readonly meanNs: number;
  readonly parts: readonly PartInfo[];
  /** What even usual ones lose much time to; empty: nothing. */
  readonly causes: readonly Cause[];
  readonly certainty: Certainty;
  readonly attributed: number;
  readonly idleShare: number;
  /** CPU time of the kernel's thread that frees memory, for each ns of theirs. */
  readonly kswapdShare: number;
  readonly machine: readonly Culprit[];
}

export type Verdict =
  /** Some are slow, for the causes in `groups`. */
  | "outliers"
  /** Most are slow, or all lose much time to the same thing: `usual.causes`. */
  | "norm"
  /** Nothing stands out. */
  | "fine"
  /** There is nothing to compare. */
  | "too-few";

export interface PeriodWhy {
  readonly path: string;
  readonly count: number;
  /** Begun, not ended as defined. */
  readonly open: number;
  readonly minNs: number;
  readonly medianNs: number;
  readonly maxNs: number;
  /** Longer is slow; NaN: there is none. */
  readonly limitNs: number;
  readonly limitBy: "threshold" | "percentile" | "spread";
  readonly slow: number;
  readonly verdict: Verdict;
  readonly groups: readonly CauseGroup[];
  /** Undefined: all are slow. */
  readonly usual: Usual | undefined;
}

export interface Why {
  readonly periods: readonly PeriodWhy[];
  readonly eventRecords: number;
  readonly problems: readonly string[];
}

/** Slow instances that are explained, the longest; and usual ones that they are compared with. */
const MOST_SLOW = 100;
const MOST_USUAL = 32;
/** Fewer do not say what is usual. */
const LEAST = 5;
/** A cause must explain this share of the extra time. */
const LEAST_SHARE = 0.1;
/** Waiting for the same thing for this share of their time is trouble for usual instances, too. */
const TROUBLE_SHARE = 0.35;
const TROUBLES = new Set<Resource>(["cpu-wait", "cpu-limit", "disk", "memory", "lock", "interrupts"]);

interface Job extends Occurrence {
  beginThread: Thread | undefined;
  pages: number[];
  summary: InstanceSummary | undefined;
}

/** `open` gives the same source anew for every reading. */
export function explainPeriods(open: () => EventSource, periods: PeriodSet, options: WhyOptions = {}): Why {
  const first = open();
  const { path, beginNs, endNs, onProgress } = options;
  const found = collectInstances(first, periods, { path, beginNs, endNs, onProgress });
  const plans = [...found.byPath].map(([one, list]) => plan(one, list, options));
  const jobs = plans.flatMap(({ slow, usual }) => [...slow, ...usual]);
  const source = open();
  let describer: Describer | undefined;
  const result = explainRanges(source, jobs, {
    onProgress,
    begin(job, recorder) {
      job.beginThread = recorder.model.hosts[job.host]?.cpus[job.cpu]?.current;
      job.pages = recorder.pages.slice();
    },
    end(job, recorder) {
      describer ??= new Describer(recorder, source.info.originNs);
      const last = recorder.model.hosts[job.host]?.cpus[job.endCpu]?.current;
      const thread = [last, job.beginThread].find((one) => one !== undefined && one.tid !== 0);
      if (thread !== undefined) {
        job.summary = summarise(recorder, describer, thread, job, job.number, job.pages);
      }
      job.pages = [];
    },
  });
  const explained = plans.map((one) => explain(one, open));
  return {
    periods: explained,
    eventRecords: result.eventRecords,
    problems: [...new Set([...found.problems, ...result.problems])],
  };
}

interface Plan {
  readonly path: string;
  /** In ascending order. */
  readonly durations: Float64Array;
  readonly open: number;
  readonly limitNs: number;
  readonly limitBy: PeriodWhy["limitBy"];
  readonly slowCount: number;
  readonly slow: readonly Job[];
  readonly usual: readonly Job[];
}

function plan(path: string, list: Occurrences, options: WhyOptions): Plan {
  const complete = list.completed();
  const durations = Float64Array.from(complete, (index) => list.durationAt(index)).sort();
  const [limitNs, limitBy] = limitOf(durations, options);
  const isSlow = (index: number) => list.durationAt(index) > limitNs;
  const job = (index: number): Job => ({
    ...list.at(index),
    beginThread: undefined,
    pages: [],
    summary: undefined,
  });
  const slow = complete.filter(isSlow).sort((a, b) => list.durationAt(b) - list.durationAt(a));
  const others = complete.filter((index) => !isSlow(index));
  const step = Math.max(1, others.length / MOST_USUAL);
  const usual: number[] = [];
  for (let at = step / 2; at < others.length; at += step) usual.push(others[Math.floor(at)]!);
  return {
    path,
    durations,
    open: list.length - complete.length,
    limitNs,
    limitBy,
    slowCount: slow.length,
    slow: Array.from(slow.slice(0, MOST_SLOW), (index) => job(index)),
    usual: usual.map((index) => job(index)),
  };
}

/** What is longer is slow: as the options say, or far above the others. */
function limitOf(sorted: Float64Array, options: WhyOptions): [number, PeriodWhy["limitBy"]] {
  if (options.thresholdNs !== undefined) return [options.thresholdNs, "threshold"];
  if (options.percentile !== undefined) {
    const index = Math.ceil((options.percentile / 100) * sorted.length) - 1;
    const value = sorted[Math.max(0, index)] ?? Number.NaN;
    // At or above: so that the percentile of few is not empty.
    return [value - 1, "percentile"];
  }
  // Of few, those that took twice as long as the fastest; one alone is worth a look.
  if (sorted.length < LEAST) return [sorted.length === 1 ? 0 : 2 * (sorted[0] ?? Number.NaN), "spread"];
  return [spreadLimit(sorted), "spread"];
}

function explain(one: Plan, open: () => EventSource): PeriodWhy {
  const { durations } = one;
  const usualJobs = one.usual.filter(({ summary }) => summary !== undefined);
  const usual = usualJobs.length === 0 ? undefined : usualOf(usualJobs.map(({ summary }) => summary!));
  const slow = one.slow.filter(({ summary }) => summary !== undefined);
  const most = one.slowCount > durations.length / 2 && durations.length >= LEAST;
  const everyone =
    most && slow.length > 0
      ? usualOf(
          slow.map(({ summary }) => summary!),
          () => true,
        )
      : usual;
  const verdict: Verdict =
    most && slow.length > 0
      ? "norm"
      : one.slowCount > 0
        ? "outliers"
        : durations.length < LEAST
          ? "too-few"
          : (usual?.causes.length ?? 0) > 0
            ? "norm"
            : "fine";
  return {
    path: one.path,
    count: durations.length,
    open: one.open,
    minNs: durations[0] ?? Number.NaN,
    medianNs: durations[Math.floor(durations.length / 2)] ?? Number.NaN,
    maxNs: durations.at(-1) ?? Number.NaN,
    limitNs: one.limitNs,
    limitBy: one.limitBy,
    slow: one.slowCount,
    verdict,
    groups: most ? [] : groupsOf(slow, usual, open),
    usual: everyone,
  };
}

function keyOf({ resource, name }: { resource: Resource; name: string }): string {
  // Who a client is differs from request to request.
  return resource === "network" ? "network" : `${resource} ${name}`;
}

function usualOf(
  summaries: readonly InstanceSummary[],
  isTrouble = (resource: Resource) => TROUBLES.has(resource),
): Usual {
  const meanNs = mean(summaries.map(({ durationNs }) => durationNs));
  const parts = mergeParts(summaries);
  const causes = parts
    .filter(({ resource, ns }) => isTrouble(resource) && ns > TROUBLE_SHARE * meanNs)
    .map((part) => causeOf(part, part.ns, 0, part.ns / meanNs));
  const machines = summaries.map(({ machine }) => machine);
  return {
    instances: summaries.length,
    meanNs,
    parts,
    causes,
    certainty: leastCertain(summaries),
    attributed: Math.min(...summaries.map(({ attributed }) => attributed)),
    idleShare: mean(machines.map(({ idleShare }) => idleShare)),
    kswapdShare: kswapdShare(summaries),
    machine: mergeCulprits(machines.map(({ users }) => users)),
  };
}

/** Means over instances. */
function mergeParts(summaries: readonly InstanceSummary[]): PartInfo[] {
  const merged = new Map<string, PartInfo[]>();
  for (const { parts } of summaries) {
    for (const part of parts) {
      const same = merged.get(keyOf(part));
      if (same === undefined) merged.set(keyOf(part), [part]);
      else same.push(part);
    }
  }
  const n = summaries.length;
  return [...merged.values()]
    .map((same): PartInfo => {
      const sum = (pick: (part: PartInfo) => number) => same.reduce((total, part) => total + pick(part), 0);
      const largest = same.reduce((a, b) => (b.ns > a.ns ? b : a));
      const details = new Map<string, Detail>();
      for (const detail of same.flatMap((part) => part.details)) {
        addDetail(details, { ...detail, ns: detail.ns / n });
      }
      return {
        ...largest,
        ns: sum((part) => part.ns) / n,
        details: [...details.values()].sort((a, b) => b.ns - a.ns).slice(0, 8),
        culprits: mergeCulprits(same.map(({ culprits }) => culprits)),
        idleNs: sum((part) => part.idleNs) / n,
        queueNs: sum((part) => part.queueNs) / n,
        serviceNs: sum((part) => part.serviceNs) / n,
        bytes: sum((part) => part.bytes) / n,
        packets: sum((part) => part.packets) / n,
      };
    })
    .sort((a, b) => b.ns - a.ns);
}

/** Sums over instances. */
function mergeCulprits(lists: readonly (readonly Culprit[])[]): Culprit[] {
  const byName = new Map<string, Culprit>();
  for (const list of lists) {
    for (const culprit of list) {
      const known = byName.get(culprit.who.process);
      if (known === undefined) byName.set(culprit.who.process, { ...culprit });
      else {
        known.ns += culprit.ns;
        known.bytes += culprit.bytes;
        known.pages += culprit.pages;
        known.packets += culprit.packets;
        known.syncs += culprit.syncs;
        known.processes = Math.max(known.processes, culprit.processes);
      }
    }
  }
  return sortCulprits([...byName.values()]);
}

function causeOf(part: PartInfo, ns: number, usualNs: number, share: number): Cause {
  const kind: CauseKind = part.resource === "cpu-wait" ? "cpu-contention" : part.resource;
  return { kind, name: part.name, ns, usualNs, share, part, culprits: part.culprits };
}

function groupsOf(slow: readonly Job[], usual: Usual | undefined, open: () => EventSource): CauseGroup[] {
  const groups = new Map<string, Job[]>();
  for (const job of slow) {
    const [cause] = causesOf([job.summary!], usual);
    const who = cause === undefined || cause.kind === "cpu-limit" ? "" : cause.culprits[0]?.who.process;
    const key = cause === undefined ? "" : `${cause.kind} ${cause.name} ${who ?? ""}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [job]);
    else group.push(job);
  }
  return [...groups.values()]
    .sort((a, b) => total(b) - total(a))
    .map((jobs, i): CauseGroup => {
      const summaries = jobs.map(({ summary }) => summary!);
      const causes = causesOf(summaries, usual);
      const [worst] = summaries;
      const wanted = causes
        .slice(0, 2)
        .flatMap(({ part }) =>
          worst!.moments.filter(({ resource, name }) => resource === part.resource && name === part.name),
        );
      return {
        causes,
        instances: jobs.map((job) => ({
          summary: job.summary!,
          captures: capturesOf(job),
          waterfall: waterfallLinesOf(job),
        })),
        meanNs: mean(summaries.map(({ durationNs }) => durationNs)),
        certainty: leastCertain(summaries),
        attributed: Math.min(...summaries.map(({ attributed }) => attributed)),
        evidence:
          i < 3 && worst !== undefined
            ? evidenceAt(
                open,
                wanted.map(({ ns }) => ns),
              )
            : [],
      };
    });
}

function total(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => sum + lengthOf(job), 0);
}

/** What the instances had more of than usual, by the extra time that it explains. */
function causesOf(summaries: readonly InstanceSummary[], usual: Usual | undefined): Cause[] {
  const usualNs = new Map(usual?.parts.map((part) => [keyOf(part), part.ns]));
  const extra = mean(summaries.map(({ durationNs }) => durationNs)) - (usual?.meanNs ?? 0);
  const all = mergeParts(summaries).map((part) => {
    const before = usualNs.get(keyOf(part)) ?? 0;
    return causeOf(part, part.ns, before, extra > 0 ? (part.ns - before) / extra : 0);
  });
  const reclaimed = all.some(({ kind, share }) => kind === "memory" && share > LEAST_SHARE);
  return (reclaimed || memoryWasShort(summaries, usual) ? foldMemory(all, summaries) : all)
    .sort((a, b) => b.share - a.share)
    .filter(({ share }, i) => share >= LEAST_SHARE || i === 0);
}

/**
 * Where memory was short, it is one cause: reclaim by the thread itself, page faults that wait for a free page (time
 * in user space, to a trace without their events), and the CPU that the kernel's reclaim took from it.
 */
function foldMemory(all: readonly Cause[], summaries: readonly InstanceSummary[]): Cause[] {
  const isMemory = ({ kind, name, share, culprits }: Cause) =>
    share > 0 &&
    (kind === "memory" ||
      (kind === "computing" && name === "") ||
      (kind === "cpu-contention" &&
        culprits.slice(0, 2).some(({ who }) => /^k(swap|compact)d/.test(who.process))));
  const folded = all.filter(isMemory);
  if (folded.length === 0) return [...all];
  const sum = (pick: (cause: Cause) => number) => folded.reduce((total, cause) => total + pick(cause), 0);
  const first = folded.find(({ kind }) => kind === "memory") ?? folded[0]!;
  const allocators = mergeCulprits(summaries.map(({ machine }) => machine.allocators));
  const details = folded.flatMap(({ part }) => part.details).sort((a, b) => b.ns - a.ns);
  // Where the machine has memory left, it is a limit that was reached.
  const limit = kswapdShare(summaries) < 0.01;
  const memory: Cause = {
    kind: "memory",
    name: limit ? "limit" : "",
    ns: sum(({ ns }) => ns),
    usualNs: sum(({ usualNs }) => usualNs),
    share: sum(({ share }) => share),
    part: { ...first.part, ns: sum(({ ns }) => ns), details },
    // Who took pages may not be recorded; who was busiest meanwhile is.
    culprits: limit ? [] : allocators.length > 0 ? allocators : busiestOthers(summaries),
  };
  return [memory, ...all.filter((cause) => !folded.includes(cause))];
}

function busiestOthers(summaries: readonly InstanceSummary[]): Culprit[] {
  const own = new Set(summaries.map(({ thread }) => thread?.process));
  return mergeCulprits(summaries.map(({ machine }) => machine.users)).filter(
    ({ who }) => !own.has(who.process) && !/^k(swap|compact)d/.test(who.process),
  );
}

/** The kernel's thread that frees memory was at work, and usually is not. */
function memoryWasShort(summaries: readonly InstanceSummary[], usual: Usual | undefined): boolean {
  const share = kswapdShare(summaries);
  return share > 0.1 && !(share < 2 * (usual?.kswapdShare ?? 0));
}

function kswapdShare(summaries: readonly InstanceSummary[]): number {
  return mean(summaries.map(({ machine, durationNs }) => machine.kswapdNs / durationNs));
}

function leastCertain(summaries: readonly InstanceSummary[]): Certainty {
  const order = ["high", "medium", "low"];
  const worst = summaries.reduce<Certainty>(
    (a, { certainty: b }) => (order.indexOf(b.level) > order.indexOf(a.level) ? b : a),
    { level: "high", reasons: [], enable: [] },
  );
  return {
    level: worst.level,
    reasons: worst.reasons,
    enable: [...new Set(summaries.flatMap(({ certainty }) => certainty.enable))],
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
