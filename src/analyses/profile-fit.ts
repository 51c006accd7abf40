/** Which profiles fit a trace: all of them tried in one pass. */
import { SampleBudget, Series } from "../base/series.js";
import { createKernelModel } from "../kernel/model.js";
import { PeriodEngine } from "../periods/engine.js";
import { globPattern } from "../periods/glob.js";
import {
  type ParameterValues,
  type Profile,
  parameterValues,
  profilePeriods,
  substitute,
} from "../profiles/profile.js";
import type { EventSource } from "../sources/source.js";
import { unite } from "./run.js";
import { type Stats, statsOf } from "./stats.js";

export interface ProfileFit {
  readonly profile: Profile;
  /** Of the events that it needs, those that the trace cannot have; alternatives with ` or ` between. */
  readonly missingEvents: readonly string[];
  /** Names of threads that it wants, when none of them ran. */
  readonly missingProcesses: readonly string[];
  /** Instances of its root periods. */
  readonly roots: readonly { readonly name: string; readonly begun: number; readonly stats: Stats }[];
  /** It has instances that completed. */
  readonly fits: boolean;
}

/** Profiles that fit nearly every trace say least. */
const GENERAL = new Set(["syscalls", "process-run", "tcp-server", "cron-job"]);

/** The first that fits and is of a service of its own; undefined: none. */
export function specialFit(fits: readonly ProfileFit[]): ProfileFit | undefined {
  return fits.find(({ fits: does, profile }) => does && !GENERAL.has(profile.name));
}

export function fitProfiles(
  source: EventSource,
  profiles: readonly Profile[],
  given: ParameterValues = {},
  options: { readonly beginNs?: number; readonly endNs?: number } = {},
): ProfileFit[] {
  const budget = new SampleBudget();
  const tried = profiles.map((profile) => {
    const set = profilePeriods(profile, given);
    const roots = set.roots.map(({ name }) => ({ name, begun: 0, series: new Series(budget) }));
    const engine = new PeriodEngine(source, set, {
      onBegin: ({ definition }) => {
        if (definition.parent === undefined) roots[set.roots.indexOf(definition)]!.begun++;
      },
      onEnd: ({ definition, completed, beginNs, endNs }) => {
        if (definition.parent !== undefined || !completed) return;
        roots[set.roots.indexOf(definition)]!.series.add(endNs - beginNs);
      },
    });
    return { profile, roots, engine };
  });
  const model = createKernelModel(source, unite([{}, ...tried.map(({ engine }) => engine.needs)]));
  for (const { engine } of tried) engine.attach(model);
  const run = model.start({ endNs: options.endNs });
  if (options.beginNs !== undefined) run.until(options.beginNs);
  for (const { engine } of tried) engine.active = true;
  run.until(Number.POSITIVE_INFINITY);
  const { lastNs } = run.end();
  for (const { engine } of tried) engine.closeAll(lastNs);

  const events = new Set(source.info.events.map(({ name }) => name));
  const names = new Set(model.threads.flatMap(({ name, earlierNames }) => [name, ...(earlierNames ?? [])]));
  return tried.map(({ profile, roots }): ProfileFit => {
    const values = parameterValues(profile, given);
    const wanted = profile.processes.map((pattern) => substitute(pattern, values));
    const ran = wanted.some((pattern) => {
      const regexp = globPattern(pattern);
      for (const name of names) if (regexp.test(name)) return true;
      return false;
    });
    return {
      profile,
      missingEvents: profile.events
        .filter((alternatives) => !alternatives.some((name) => events.has(name)))
        .map((alternatives) => alternatives.join(" or ")),
      missingProcesses: ran ? [] : wanted,
      roots: roots.map(({ name, begun, series }) => ({ name, begun, stats: statsOf(series) })),
      fits: roots.some(({ series }) => series.count > 0),
    };
  });
}
