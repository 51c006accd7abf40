/** The view as the address after `#`: whoever opens the link sees the same. */
import { ROW_SIZES, type RowSize, type Sort } from "./rows.js";

/** What is shown below the timeline. */
export const BOTTOM_TABS = ["scatter", "events"] as const;
export type BottomTab = (typeof BOTTOM_TABS)[number];

export interface UrlState {
  readonly experiment?: string;
  /** `ns` since the origin. */
  readonly begin?: number;
  readonly end?: number;
  readonly selectBegin?: number;
  readonly selectEnd?: number;
  readonly instance?: number;
  readonly cursor?: number;
  readonly filter?: string;
  readonly sort?: Sort;
  readonly rows?: RowSize;
  readonly idle?: boolean;
  readonly pins?: readonly number[];
  readonly folded?: readonly string[];
  readonly marks?: readonly number[];
  readonly theme?: "dark" | "light";
  readonly tab?: BottomTab;
  /** Row and moment of the selected state. */
  readonly state?: readonly [row: number, ns: number];
  /** Row and range of the critical path. */
  readonly critical?: readonly [row: number, beginNs: number, endNs: number];
  readonly arrows?: boolean;
  readonly panel?: boolean;
  /** Line of the row cursor. */
  readonly line?: number;
}

const NUMBERS = ["begin", "end", "selectBegin", "selectEnd", "instance", "cursor", "line"] as const;

export function encode(state: UrlState): string {
  const query = new URLSearchParams();
  if (state.experiment !== undefined) query.set("experiment", state.experiment);
  for (const name of NUMBERS) {
    const value = state[name];
    if (value !== undefined && Number.isFinite(value)) query.set(name, String(Math.round(value)));
  }
  if (state.filter !== undefined && state.filter !== "") query.set("filter", state.filter);
  if (state.sort !== undefined && state.sort !== "activity") query.set("sort", state.sort);
  if (state.rows !== undefined && state.rows !== "tall") query.set("rows", state.rows);
  if (state.idle === true) query.set("idle", "1");
  if (state.pins !== undefined && state.pins.length > 0) query.set("pins", state.pins.join("."));
  if (state.folded !== undefined && state.folded.length > 0) query.set("folded", state.folded.join("|"));
  if (state.marks !== undefined && state.marks.length > 0) {
    query.set("marks", state.marks.map((ns) => Math.round(ns)).join("."));
  }
  for (const name of ["state", "critical"] as const) {
    const value = state[name];
    if (value !== undefined) query.set(name, value.map((one) => Math.round(one)).join("."));
  }
  for (const name of ["arrows", "panel"] as const) if (state[name] === false) query.set(name, "0");
  if (state.theme !== undefined) query.set("theme", state.theme);
  if (state.tab !== undefined && state.tab !== "scatter") query.set("tab", state.tab);
  return query.toString();
}

/** What is wrong in it is left out. */
export function decode(text: string): UrlState {
  const query = new URLSearchParams(text.replace(/^#/, ""));
  const state: { -readonly [K in keyof UrlState]: UrlState[K] } = {};
  const experiment = query.get("experiment");
  if (experiment !== null) state.experiment = experiment;
  for (const name of NUMBERS) {
    const value = Number(query.get(name) ?? Number.NaN);
    if (Number.isFinite(value)) state[name] = value;
  }
  const filter = query.get("filter");
  if (filter !== null) state.filter = filter;
  const sort = query.get("sort");
  if (sort === "name" || sort === "tid" || sort === "activity") state.sort = sort;
  const rows = ROW_SIZES.find((one) => one === query.get("rows"));
  if (rows !== undefined) state.rows = rows;
  if (query.get("idle") === "1") state.idle = true;
  const list = (name: string): number[] =>
    (query.get(name) ?? "")
      .split(".")
      .filter(Boolean)
      .map(Number)
      .filter((one) => Number.isFinite(one));
  state.pins = list("pins");
  state.marks = list("marks");
  state.folded = (query.get("folded") ?? "").split("|").filter(Boolean);
  const [row, ns] = list("state");
  if (row !== undefined && ns !== undefined) state.state = [row, ns];
  const [from, beginNs, endNs] = list("critical");
  if (from !== undefined && beginNs !== undefined && endNs !== undefined)
    state.critical = [from, beginNs, endNs];
  for (const name of ["arrows", "panel"] as const) if (query.get(name) === "0") state[name] = false;
  const theme = query.get("theme");
  if (theme === "dark" || theme === "light") state.theme = theme;
  const tab = BOTTOM_TABS.find((one) => one === query.get("tab"));
  if (tab !== undefined) state.tab = tab;
  return state;
}
