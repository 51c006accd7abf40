/** What users do: open, select, explain, mark. */
import * as api from "./api-client.js";
import { ExperimentClient } from "./api-client.js";
import type { PeriodLine } from "./contract.js";
import { ROW_SIZES } from "./rows.js";
import {
  bottom,
  client,
  collapsed,
  critical,
  criticalOf,
  cursorLine,
  cursorNs,
  experiment,
  experimentList,
  failure,
  incidentList,
  instances,
  marks,
  panelShown,
  pinned,
  rowSize,
  selectedRange,
  selection,
  shown,
  tooManyInstances,
  view,
} from "./state.js";
import { type Range, View } from "./view.js";

const POLL_MS = 200;
/** Instances that are drawn. */
const MOST_INSTANCES = 50_000;

export function complain(error: unknown): void {
  failure.value = error instanceof Error ? error.message : String(error);
}

export async function loadLists(): Promise<void> {
  experimentList.value = await api.experiments();
  incidentList.value = await api.incidents().catch(() => []);
}

/** Opens an experiment and follows it until it is read. `range`: what to show of it. */
export async function open(id: string, range?: Range): Promise<void> {
  const mine = new ExperimentClient(id);
  client.value = mine;
  let first = true;
  for (;;) {
    const now = await mine.experiment();
    if (client.value !== mine) return;
    if (first) {
      first = false;
      const made = new View({ beginNs: now.beginNs, endNs: now.endNs });
      made.onChange = viewChanged;
      if (range !== undefined) made.show(range.beginNs, range.endNs, false);
      view.value = made;
      shown.value = made.range;
      selection.value = { kind: "none" };
      critical.value = undefined;
      instances.value = [];
    }
    experiment.value = now;
    document.title = `${now.name} · Periscope`;
    if (now.periods.length > 0 && instances.value.length === 0) await loadInstances();
    if (now.status === "failed") throw new Error(now.error ?? "the trace cannot be read");
    if (now.status === "ready") break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  void awaitPeriods(mine);
}

/** Periods may be known some time after the states are. */
async function awaitPeriods(mine: ExperimentClient): Promise<void> {
  for (let i = 0; i < 600 && client.value === mine && instances.value.length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, i < 20 ? POLL_MS : 1000));
    const now = await mine.experiment();
    if (client.value !== mine) return;
    if (now.periods.length === 0) continue;
    experiment.value = now;
    await loadInstances();
    return;
  }
}

async function loadInstances(): Promise<void> {
  const [source, current] = [client.value, view.value];
  if (source === undefined || current === undefined) return;
  const { instances: found, tooMany } = await source.periods(current.whole, MOST_INSTANCES);
  // Another trace was opened meanwhile.
  if (client.value !== source) return;
  instances.value = found;
  tooManyInstances.value = tooMany;
}

let scheduled = false;

/** Panels follow the view with some delay; the picture itself does not wait. */
function viewChanged(): void {
  redraw();
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    if (view.value !== undefined) shown.value = view.value.range;
  }, 60);
}

/** Opens another experiment: what was chosen in the one before has no meaning in it. */
export async function switchTo(id: string): Promise<void> {
  pinned.value = new Set();
  collapsed.value = new Set();
  marks.value = [];
  cursorNs.value = undefined;
  cursorLine.value = -1;
  selectedRange.value = undefined;
  await open(id);
}

/** Set by the timeline. */
let redraw: () => void = () => {};
export function onRedraw(call: () => void): void {
  redraw = call;
}

export function selectRange(range: Range | undefined): void {
  selectedRange.value = range;
  if (range === undefined) {
    if (selection.value.kind === "range") selection.value = { kind: "none" };
  } else {
    selection.value = { kind: "range", range };
    panelShown.value = true;
  }
}

/** Selects an instance: the panel tells about it, its range is what the sums are of. */
export async function selectInstance(line: PeriodLine, zoom: boolean): Promise<void> {
  selection.value = { kind: "instance", line };
  selectedRange.value = { beginNs: line[2], endNs: line[3] };
  panelShown.value = true;
  if (zoom) view.value?.showAround(line[2], line[3]);
  if (line[4] >= 0) pinned.value = new Set([...pinned.value, line[4]]);
  const source = client.value;
  try {
    const details = await source?.instance(line[0]);
    const now = selection.value;
    if (client.value !== source) return;
    if (details !== undefined && now.kind === "instance" && now.line[0] === line[0]) {
      selection.value = { kind: "instance", line, details };
    }
  } catch (error) {
    complain(error);
  }
}

export async function selectState(row: number, ns: number): Promise<void> {
  cursorNs.value = ns;
  const source = client.value;
  // Who chooses something else meanwhile has no use for this.
  const isAwaited = () => client.value === source && cursorNs.value === ns;
  try {
    const moment = await source?.at(row, ns);
    if (moment === undefined || !isAwaited()) return;
    selection.value = { kind: "state", moment };
    panelShown.value = true;
  } catch {
    if (isAwaited()) selection.value = { kind: "none" };
  }
}

/** Follows the time of a row to whoever it waited for, and pins the rows that it leads through. */
export async function showCritical(row: number, range: Range): Promise<void> {
  const source = client.value;
  try {
    const path = await source?.critical(row, range);
    if (path === undefined || client.value !== source) return;
    critical.value = path;
    criticalOf.value = [row, range.beginNs, range.endNs];
    const times = new Map<number, number>();
    for (const { row: one, beginNs, endNs } of path.slices)
      times.set(one, (times.get(one) ?? 0) + endNs - beginNs);
    const longest = [...times].sort((a, b) => b[1] - a[1]).slice(0, 12);
    pinned.value = new Set([...pinned.value, ...longest.map(([one]) => one).filter((one) => one >= 0)]);
  } catch (error) {
    complain(error);
  }
}

export function addMark(): void {
  const ns =
    cursorNs.value ?? (view.value === undefined ? undefined : (view.value.beginNs + view.value.endNs) / 2);
  if (ns === undefined) return;
  const same = marks.value.find((mark) => mark.ns === ns);
  marks.value =
    same !== undefined
      ? marks.value.filter((mark) => mark !== same)
      : [...marks.value, { ns, label: `${marks.value.length + 1}` }];
}

/** Rows with words, low ones, all at once, and again. */
export function nextRowSize(): void {
  rowSize.value = ROW_SIZES[(ROW_SIZES.indexOf(rowSize.value) + 1) % ROW_SIZES.length]!;
}

export function showEventsAt(ns: number): void {
  cursorNs.value = ns;
  bottom.value = "events";
}
