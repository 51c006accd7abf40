/** Trees of periods as waterfalls: every instance in time under its parent, to scale. */
import type { PeriodInstance } from "../periods/instance.js";

/** One line: an instance, or all of a kind under one parent where there are many. */
export interface WaterfallLine {
  /** Full path of the definition. */
  readonly path: string;
  readonly depth: number;
  readonly count: number;
  /** Begin after the root's begin, and duration, of each; ns, by begin. */
  readonly segments: readonly { readonly offsetNs: number; readonly durationNs: number }[];
  readonly totalNs: number;
  /** Some did not end as defined. */
  readonly open: boolean;
}

/** More than this many of a kind under one parent share a line. */
const APART = 4;

/** The lines of an instance's tree, the root first. */
export function waterfallOf(root: PeriodInstance): WaterfallLine[] {
  const lines: WaterfallLine[] = [];
  const add = (instances: readonly PeriodInstance[], depth: number): void => {
    const { path } = instances[0]!.definition;
    lines.push({
      path,
      depth,
      count: instances.length,
      segments: instances.map((one) => ({
        offsetNs: one.beginNs - root.beginNs,
        durationNs: one.endNs - one.beginNs,
      })),
      totalNs: instances.reduce((sum, one) => sum + one.endNs - one.beginNs, 0),
      open: instances.some((one) => !one.completed),
    });
    const below = instances.flatMap((one) => one.children);
    for (const group of groupsOf(below)) {
      if (instances.length === 1 && group.length <= APART) for (const one of group) add([one], depth + 1);
      else add(group, depth + 1);
    }
  };
  add([root], 0);
  return lines;
}

/** By definition, in order of first begin; each in order of begin. */
function groupsOf(instances: readonly PeriodInstance[]): PeriodInstance[][] {
  const groups = new Map<number, PeriodInstance[]>();
  const ordered = [...instances].sort((a, b) => a.id - b.id);
  for (const one of ordered) {
    const group = groups.get(one.definition.index);
    if (group === undefined) groups.set(one.definition.index, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}
