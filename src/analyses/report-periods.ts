/** The report's section on periods: every instance of the root periods in time, which are outliers, and their trees. */
import { Series } from "../base/series.js";
import type { PeriodInstance } from "../periods/instance.js";
import { valueText } from "../periods/values.js";
import { type CommonOptions, defineAnalysis, type Scope } from "./analysis.js";
import { type Stats, statsOf } from "./stats.js";
import { type WaterfallLine, waterfallOf } from "./waterfall.js";

export interface PeriodPoint {
  /** `ns` since the source's origin. */
  readonly beginNs: number;
  readonly durationNs: number;
  readonly outlier: boolean;
  /** Event records were lost while it was open. */
  readonly uncertain: boolean;
  /** `key = value, …` */
  readonly captures: string;
  /** Empty where there are too many instances to keep the trees of all. */
  readonly lines: readonly WaterfallLine[];
}

export interface PeriodRoot {
  readonly name: string;
  readonly stats: Stats;
  /** Longer than this is an outlier; null where too few instances say what is usual. */
  readonly outlierNs: number | null;
  readonly outliers: number;
  /** Begun, and not ended as defined. */
  readonly open: number;
  /** By begin; the longest ones when there are more than 5,000. */
  readonly points: readonly PeriodPoint[];
  /** Statistics of everything below it, by path. */
  readonly below: readonly { readonly path: string; readonly stats: Stats }[];
}

export interface PeriodSection {
  readonly roots: readonly PeriodRoot[];
}

const MOST_POINTS = 5000;
const MOST_LINES = 20_000;
/** Fewer instances do not say what is usual. */
const LEAST = 8;

interface Sums {
  readonly series: Series;
  readonly below: Map<string, Series>;
  open: number;
  points: { instance: PeriodInstance; lines: WaterfallLine[] }[];
}

class Collector {
  readonly roots = new Map<string, Sums>();
  #lines = 0;
  constructor(readonly scope: Scope<CommonOptions>) {}

  #sums(path: string): Sums {
    let sums = this.roots.get(path);
    if (sums === undefined) {
      sums = { series: new Series(this.scope.budget), below: new Map(), open: 0, points: [] };
      this.roots.set(path, sums);
    }
    return sums;
  }

  end(instance: PeriodInstance): void {
    if (instance.parent !== undefined) return;
    const sums = this.#sums(instance.definition.path);
    if (!instance.completed) {
      sums.open++;
      return;
    }
    sums.series.add(instance.endNs - instance.beginNs);
    this.#below(instance, sums.below);
    const lines = this.#lines < MOST_LINES ? waterfallOf(instance) : [];
    this.#lines += lines.length;
    sums.points.push({ instance, lines });
    if (sums.points.length < 2 * MOST_POINTS) return;
    sums.points = longest(sums.points);
  }

  #below(instance: PeriodInstance, below: Map<string, Series>): void {
    for (const child of instance.children) {
      this.#below(child, below);
      if (!child.completed) continue;
      const { path } = child.definition;
      let series = below.get(path);
      if (series === undefined) below.set(path, (series = new Series(this.scope.budget)));
      series.add(child.endNs - child.beginNs);
    }
  }
}

function longest(points: Sums["points"]): Sums["points"] {
  const length = ({ instance }: Sums["points"][number]) => instance.endNs - instance.beginNs;
  return points.sort((a, b) => length(b) - length(a)).slice(0, MOST_POINTS);
}

/** Tukey's far fence: three times the middle half's width above it; and twice the median, so that it is worth a look. */
function fence(series: Series): number | null {
  if (series.count < LEAST) return null;
  const [q1, q2, q3] = [series.quantile(0.25), series.quantile(0.5), series.quantile(0.75)];
  return Math.max(q3 + 3 * (q3 - q1), 2 * q2);
}

export const reportPeriods = defineAnalysis({
  name: "periods",
  title: "Periods",
  description: "Instances of periods, and outliers among them",
  tags: [],
  tableClasses: {},
  defaults: { limit: Number.POSITIVE_INFINITY } as CommonOptions,
  needs: () => ({ sched: false }),
  periodTrees: () => true,
  missing: () => [],
  open: (scope: Scope<CommonOptions>) => new Collector(scope),
  listen: { periodEnd: (acc: Collector, instance) => acc.end(instance) },
  close(acc: Collector): PeriodSection {
    const roots = acc.scope.periods.filter(({ path, name }) => path === name);
    return {
      roots: roots.flatMap(({ name, path }): PeriodRoot[] => {
        const sums = acc.roots.get(path);
        if (sums === undefined) return [];
        const outlierNs = fence(sums.series);
        const points = longest(sums.points)
          .sort((a, b) => a.instance.id - b.instance.id)
          .map(({ instance, lines }): PeriodPoint => {
            const durationNs = instance.endNs - instance.beginNs;
            const captures = [...instance.beginCaptures, ...instance.endCaptures];
            return {
              beginNs: instance.beginNs,
              durationNs,
              outlier: outlierNs !== null && durationNs > outlierNs,
              uncertain: instance.uncertain,
              captures: captures.map(({ key, value }) => `${key} = ${valueText(value)}`).join(", "),
              lines,
            };
          });
        return [
          {
            name,
            stats: statsOf(sums.series),
            outlierNs,
            outliers: points.filter(({ outlier }) => outlier).length,
            open: sums.open,
            points,
            below: acc.scope.periods.flatMap(({ path: below }) => {
              const series = sums.below.get(below);
              return series === undefined ? [] : [{ path: below, stats: statsOf(series) }];
            }),
          },
        ];
      }),
    };
  },
  tables: () => [],
});
