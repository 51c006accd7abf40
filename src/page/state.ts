/** What the page knows and what its user chose, as signals: whoever reads one is told of its changes. */
import { computed, signal } from "@preact/signals";
import type { ExperimentClient } from "./api-client.js";
import type {
  CriticalPath,
  Experiment,
  ExperimentInfo,
  IncidentLine,
  InstanceDetails,
  Moment,
  PeriodLine,
} from "./contract.js";
import type { Theme } from "./palette.js";
import { outlierLimits } from "./period-lanes.js";
import { type DisplayLine, displayLines, type RowSize, type Sort } from "./rows.js";
import type { BottomTab } from "./url-state.js";
import type { Range, View } from "./view.js";

/** What the side panel is about. */
export type Selection =
  | { readonly kind: "none" }
  | { readonly kind: "range"; readonly range: Range }
  | { readonly kind: "state"; readonly moment: Moment }
  | { readonly kind: "instance"; readonly line: PeriodLine; readonly details?: InstanceDetails };

export interface Mark {
  readonly ns: number;
  readonly label: string;
}

export const experimentList = signal<readonly ExperimentInfo[]>([]);
export const incidentList = signal<readonly IncidentLine[]>([]);
export const client = signal<ExperimentClient | undefined>(undefined);
export const experiment = signal<Experiment | undefined>(undefined);
export const view = signal<View | undefined>(undefined);
/** The range shown, told with some delay while it moves. */
export const shown = signal<Range>({ beginNs: 0, endNs: 1 });
export const failure = signal("");

export const theme = signal<Theme>("dark");
export const filter = signal("");
export const sort = signal<Sort>("activity");
export const rowSize = signal<RowSize>("tall");
export const hideIdle = signal(true);
export const pinned = signal<ReadonlySet<number>>(new Set());
export const collapsed = signal<ReadonlySet<string>>(new Set());
export const withArrows = signal(true);

export const selection = signal<Selection>({ kind: "none" });
/** The range that the panel sums up. */
export const selectedRange = signal<Range | undefined>(undefined);
export const cursorNs = signal<number | undefined>(undefined);
/** Line that the keyboard is on. */
export const cursorLine = signal(-1);
export const marks = signal<readonly Mark[]>([]);
export const critical = signal<CriticalPath | undefined>(undefined);
/** Row and range that the critical path is of. */
export const criticalOf = signal<readonly [row: number, beginNs: number, endNs: number] | undefined>(
  undefined,
);
/** Instances of the whole trace, as many as are shown. */
export const instances = signal<readonly PeriodLine[]>([]);
/** Longer instances are outliers, for each definition, ns. */
export const outliers = computed(() =>
  outlierLimits(experiment.value?.periods ?? [], instances.value, experiment.value?.endNs),
);
/** Instances that are part of no other and outliers, in order of begin. */
export const slowInstances = computed(() =>
  instances.value.filter(
    ([, period, beginNs, endNs, , parent]) => parent < 0 && endNs - beginNs > outliers.value[period]!,
  ),
);
export const tooManyInstances = signal(false);
export const bottom = signal<BottomTab>("scatter");
export const helpShown = signal(false);
export const panelShown = signal(true);

export const lines = computed<readonly DisplayLine[]>(() => {
  const now = experiment.value;
  if (now === undefined) return [];
  return displayLines(now.rows, now.hosts.length, {
    filter: filter.value,
    sort: sort.value,
    hideIdle: hideIdle.value,
    pinned: pinned.value,
    collapsed: collapsed.value,
  });
});

export function toggle<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  const changed = new Set(set);
  if (!changed.delete(item)) changed.add(item);
  return changed;
}

/** Label of a row, with its number. */
export function rowName(row: number): string {
  const info = experiment.value?.rows[row];
  if (info === undefined) return "";
  return info.kind === "thread" ? `${info.label} (${info.tid})` : info.label;
}
