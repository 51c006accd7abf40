/** What keys do: see the list in `help.tsx`. */
import { addMark, nextRowSize, selectInstance, selectState, showCritical } from "./actions.js";
import {
  bottom,
  client,
  collapsed,
  critical,
  cursorLine,
  cursorNs,
  failure,
  helpShown,
  lines,
  pinned,
  selectedRange,
  selection,
  slowInstances,
  toggle,
  view,
} from "./state.js";
import { pointer, timeline } from "./timeline-view.js";

const ZOOM = 0.7;
const PAN = 0.12;

export function installKeys(): () => void {
  const listen = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      leave(target);
      return;
    }
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
    // Buttons are pressed by Enter and the space bar.
    if (target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
    const act = KEYS[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  window.addEventListener("keydown", listen);
  return () => window.removeEventListener("keydown", listen);
}

function leave(target: HTMLElement): void {
  if (helpShown.value) helpShown.value = false;
  else if (target.tagName === "INPUT") target.blur();
  else {
    selection.value = { kind: "none" };
    selectedRange.value = undefined;
    critical.value = undefined;
    failure.value = "";
  }
}

const zoom = (factor: number): void => view.value?.zoom(factor, pointer.ns ?? cursorInView());

function cursorInView(): number | undefined {
  const [ns, now] = [cursorNs.value, view.value];
  return ns !== undefined && now !== undefined && ns >= now.beginNs && ns <= now.endNs ? ns : undefined;
}

function moveLine(by: number): void {
  const count = lines.value.length;
  if (count === 0) return;
  cursorLine.value = Math.max(0, Math.min(count - 1, cursorLine.value + by));
  timeline?.reveal(cursorLine.value, count);
}

/** To the state before or after, in the cursor's row. */
async function moveState(forwards: boolean): Promise<void> {
  const row = lines.value[cursorLine.value]?.row;
  const now = view.value;
  if (row === undefined || now === undefined) {
    view.value?.pan(forwards ? PAN : -PAN);
    return;
  }
  const chosen = selection.value;
  const here = chosen.kind === "state" && chosen.moment.row === row.id ? chosen.moment : undefined;
  const middle = cursorInView() ?? (now.beginNs + now.endNs) / 2;
  const ns = here === undefined ? middle : forwards ? here.endNs : here.beginNs - 1;
  await selectState(row.id, ns);
  if (ns < now.beginNs || ns > now.endNs) now.show(ns - now.spanNs / 2, ns + now.spanNs / 2);
}

function enter(): void {
  const line = lines.value[cursorLine.value];
  const now = view.value;
  if (line === undefined || now === undefined) return;
  if (line.group !== undefined) collapsed.value = toggle(collapsed.value, line.group);
  else void selectState(line.row!.id, cursorInView() ?? (now.beginNs + now.endNs) / 2);
}

/** The next slow root instance in time. */
function moveOutlier(forwards: boolean): void {
  const slow = slowInstances.value;
  const chosen = selection.value;
  const from =
    chosen.kind === "instance"
      ? chosen.line[2]
      : forwards
        ? Number.NEGATIVE_INFINITY
        : Number.POSITIVE_INFINITY;
  const next = forwards ? slow.find((one) => one[2] > from) : slow.filter((one) => one[2] < from).at(-1);
  if (next !== undefined) void selectInstance(next, true);
}

function fit(): void {
  const chosen = selection.value;
  const range =
    chosen.kind === "state"
      ? chosen.moment
      : chosen.kind === "instance"
        ? { beginNs: chosen.line[2], endNs: chosen.line[3] }
        : selectedRange.value;
  if (range !== undefined) view.value?.showAround(range.beginNs, range.endNs);
}

function criticalOfSelection(): void {
  const chosen = selection.value;
  if (chosen.kind === "instance" && chosen.line[4] >= 0) {
    void showCritical(chosen.line[4], { beginNs: chosen.line[2], endNs: chosen.line[3] });
  } else if (chosen.kind === "state") void showCritical(chosen.moment.row, chosen.moment);
}

const press = (selector: string): void => document.querySelector<HTMLButtonElement>(selector)?.click();

const KEYS: Readonly<Record<string, () => void>> = {
  w: () => zoom(ZOOM),
  s: () => zoom(1 / ZOOM),
  "+": () => zoom(ZOOM),
  "-": () => zoom(1 / ZOOM),
  a: () => view.value?.pan(-PAN),
  d: () => view.value?.pan(PAN),
  f: fit,
  "0": () => view.value?.all(),
  z: () => view.value?.undo(),
  Z: () => view.value?.redo(),
  ArrowUp: () => moveLine(-1),
  k: () => moveLine(-1),
  ArrowDown: () => moveLine(1),
  j: () => moveLine(1),
  PageUp: () => moveLine(-20),
  PageDown: () => moveLine(20),
  Home: () => moveLine(-lines.value.length),
  End: () => moveLine(lines.value.length),
  ArrowLeft: () => void moveState(false),
  ArrowRight: () => void moveState(true),
  Enter: enter,
  p: () => {
    const row = lines.value[cursorLine.value]?.row;
    if (row !== undefined) pinned.value = toggle(pinned.value, row.id);
  },
  h: nextRowSize,
  m: addMark,
  "[": () => moveOutlier(false),
  "]": () => moveOutlier(true),
  y: () => press("[data-testid=instance] button.main"),
  c: criticalOfSelection,
  e: () => {
    bottom.value = "events";
  },
  t: () => {
    bottom.value = "scatter";
  },
  "/": () => document.getElementById("filter")?.focus(),
  l: () => void navigator.clipboard?.writeText(window.location.href),
  "?": () => {
    helpShown.value = client.value !== undefined;
  },
};
