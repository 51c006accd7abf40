/** Keeps the address and the state of the page the same. */
import { effect, signal } from "@preact/signals";
import { complain, open, selectInstance, selectRange, selectState, showCritical } from "./actions.js";
import {
  bottom,
  client,
  collapsed,
  critical,
  criticalOf,
  cursorLine,
  cursorNs,
  experimentList,
  filter,
  hideIdle,
  instances,
  marks,
  panelShown,
  pinned,
  rowSize,
  selectedRange,
  selection,
  shown,
  sort,
  theme,
  withArrows,
} from "./state.js";
import { decode, encode, type UrlState } from "./url-state.js";

const SETTLE_MS = 250;

/** Instance that a link asks for, until the instances are known: the address must not forget it meanwhile. */
const awaited = signal<number | undefined>(undefined);

function current(): UrlState {
  const chosen = selection.value;
  const range = selectedRange.value;
  const instance = chosen.kind === "instance" ? chosen.line[0] : awaited.value;
  return {
    ...(client.value === undefined ? {} : { experiment: client.value.id }),
    begin: shown.value.beginNs,
    end: shown.value.endNs,
    ...(range === undefined ? {} : { selectBegin: range.beginNs, selectEnd: range.endNs }),
    ...(instance === undefined ? {} : { instance }),
    ...(cursorNs.value === undefined ? {} : { cursor: cursorNs.value }),
    filter: filter.value,
    sort: sort.value,
    rows: rowSize.value,
    idle: !hideIdle.value,
    pins: [...pinned.value],
    folded: [...collapsed.value],
    marks: marks.value.map(({ ns }) => ns),
    theme: theme.value,
    tab: bottom.value,
    ...(chosen.kind === "state" ? { state: [chosen.moment.row, chosen.moment.beginNs] as const } : {}),
    ...(critical.value === undefined || criticalOf.value === undefined ? {} : { critical: criticalOf.value }),
    arrows: withArrows.value,
    panel: panelShown.value,
    ...(cursorLine.value < 0 ? {} : { line: cursorLine.value }),
  };
}

/** Opens what the address says, or the first trace; then writes every change to the address. */
export async function followAddress(): Promise<void> {
  const state = decode(window.location.hash);
  const preferred = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  theme.value = state.theme ?? preferred;
  filter.value = state.filter ?? "";
  sort.value = state.sort ?? "activity";
  rowSize.value = state.rows ?? "tall";
  hideIdle.value = state.idle !== true;
  pinned.value = new Set(state.pins);
  collapsed.value = new Set(state.folded);
  marks.value = (state.marks ?? []).map((ns, i) => ({ ns, label: `${i + 1}` }));
  cursorNs.value = state.cursor;
  cursorLine.value = state.line ?? -1;
  withArrows.value = state.arrows !== false;
  panelShown.value = state.panel !== false;
  if (state.tab !== undefined) bottom.value = state.tab;
  const known = experimentList.value.find(({ id }) => id === state.experiment) ?? experimentList.value[0];
  if (known === undefined) return;
  const range =
    state.begin === undefined || state.end === undefined
      ? undefined
      : { beginNs: state.begin, endNs: state.end };
  const opened = open(known.id, range);
  if (state.selectBegin !== undefined && state.selectEnd !== undefined) {
    selectRange({ beginNs: state.selectBegin, endNs: state.selectEnd });
  }
  if (state.instance !== undefined) selectWhenKnown(state.instance);
  const { state: chosenState, critical: path } = state;
  if (chosenState !== undefined && client.value !== undefined) {
    void opened
      .then(() => selectState(...chosenState))
      .then(() => {
        cursorNs.value = state.cursor;
        panelShown.value = state.panel !== false;
      });
  }
  if (path !== undefined) void opened.then(() => showCritical(path[0], { beginNs: path[1], endNs: path[2] }));
  // A link pasted into the address bar of the open page. What we write ourselves is no such event.
  window.addEventListener("hashchange", () => window.location.reload());
  let timer = 0;
  effect(() => {
    const text = encode(current());
    window.clearTimeout(timer);
    timer = window.setTimeout(() => window.history.replaceState(null, "", `#${text}`), SETTLE_MS);
  });
  await opened.catch(complain);
}

function selectWhenKnown(id: number): void {
  awaited.value = id;
  const stop = effect(() => {
    const found = instances.value.find((one) => one[0] === id);
    if (found === undefined) return;
    queueMicrotask(() => {
      stop();
      void selectInstance(found, false);
      awaited.value = undefined;
    });
  });
}
