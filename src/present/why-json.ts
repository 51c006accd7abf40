/** Explanations as JSON: ns, bytes; moments as ns since the Unix epoch. */
import type { Cause, CauseGroup, PeriodWhy, SlowInstance, Usual, Why } from "../explain/why.js";
import { causeSentences, causeTitle } from "./why-words.js";

export function whyJson(why: Why): object {
  return { periods: why.periods.map(periodJson), eventRecords: why.eventRecords, problems: why.problems };
}

function periodJson(one: PeriodWhy): object {
  const { groups, usual, ...rest } = one;
  return {
    ...rest,
    limitNs: Number.isNaN(rest.limitNs) ? null : rest.limitNs,
    groups: groups.map(groupJson),
    usual: usual === undefined ? null : usualJson(usual),
  };
}

function causeJson(cause: Cause): object {
  const { kind, name, ns, usualNs, share, part, culprits } = cause;
  return {
    kind,
    name,
    title: causeTitle(cause),
    text: causeSentences(cause, { clock: (epochNs) => `${epochNs}`, one: false }).join(" "),
    ns,
    usualNs,
    share: Number.isFinite(share) ? share : null,
    culprits,
    holder: part.holder,
    lastTouched: part.lastTouched,
    files: part.files,
    packets: part.packets,
    timeouts: part.timeouts,
    idleNs: part.idleNs,
    queueNs: part.queueNs,
    serviceNs: part.serviceNs,
    bytes: part.bytes,
    details: part.details,
  };
}

function groupJson({ causes, instances, ...rest }: CauseGroup): object {
  return { ...rest, causes: causes.map(causeJson), instances: instances.map(instanceJson) };
}

function instanceJson({ summary, captures, waterfall }: SlowInstance): object {
  const { moments: _moments, beginNs: _begin, endNs: _end, ...rest } = summary;
  return { ...rest, captures, waterfall };
}

function usualJson({ causes, ...rest }: Usual): object {
  return { ...rest, causes: causes.map(causeJson) };
}
