/** The timeline on the page: keeps its canvas drawn, and turns what the pointer does into changes of the view. */
import { computed, effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { onRedraw, selectInstance, selectRange, selectState } from "./actions.js";
import type { Arrows, RowStates } from "./contract.js";
import { DOING_LABELS, type Moment } from "./contract.js";
import { installPrinting } from "./export-png.js";
import { colorsOf, groundOf, type Theme } from "./palette.js";
import { instanceAt, lanesOf } from "./period-lanes.js";
import {
  client,
  collapsed,
  critical,
  cursorLine,
  cursorNs,
  experiment,
  instances,
  lines,
  marks,
  outliers,
  pinned,
  rowName,
  rowSize,
  selectedRange,
  selection,
  shown,
  theme,
  toggle,
  view,
  withArrows,
} from "./state.js";
import { clock, duration } from "./text.js";
import { Tiles } from "./tiles.js";
import { type Hit, LABEL_WIDTH, NARROWEST_TEXT, Timeline } from "./timeline.js";

/** The view must rest this long before details are asked for. */
const REST_MS = 120;
/** Less far is a click, no drag. */
const CLICK_PIXELS = 4;
/** Rows whose words or arrows are asked for at once: with more than that nothing could be told apart. */
const MOST_ROWS = 80;

const lanes = computed(() => lanesOf(experiment.value?.periods ?? [], instances.value));
const laneNames = computed(() => (experiment.value?.periods ?? []).map(({ name }) => name));

interface Tooltip {
  readonly x: number;
  readonly y: number;
  readonly title: string;
  readonly lines: readonly string[];
}
const tooltip = signal<Tooltip | undefined>(undefined);

/** For keys that act where the pointer is. */
export const pointer: { ns: number | undefined } = { ns: undefined };
export let timeline: Timeline | undefined;

/** Scrolls to a row and puts the row cursor on it. */
export function showLine(row: number): void {
  const line = lines.value.findIndex((one) => one.row?.id === row);
  if (line < 0) return;
  cursorLine.value = line;
  timeline?.reveal(line, lines.value.length);
}

function paint(tiles: Tiles, now: Theme): void {
  const { back, band } = groundOf(now);
  tiles.paint(colorsOf(now), back, band);
}

class Controller {
  readonly #timeline: Timeline;
  #tiles: Tiles | undefined;
  #states: readonly RowStates[] = [];
  #arrows: Arrows | undefined;
  #details: AbortController | undefined;
  #restTimer = 0;
  #hoverTimer = 0;
  #frame = 0;
  #hover: { x: number; y: number } | undefined;
  #drag:
    | {
        readonly x: number;
        readonly y: number;
        readonly hit: Hit;
        readonly selects: boolean;
        lastX: number;
        moved: boolean;
      }
    | undefined;
  readonly #stop: (() => void)[] = [];

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly box: HTMLElement,
  ) {
    this.#timeline = timeline = new Timeline(canvas);
    onRedraw(() => this.#changed());
    this.#stop.push(
      effect(() => {
        const [source, now] = [client.value, view.value];
        this.#tiles?.forget();
        this.#tiles = undefined;
        if (source === undefined || now === undefined) return;
        const made = new Tiles(source, now.whole);
        paint(made, theme.peek());
        made.onArrival = () => this.redraw();
        this.#tiles = made;
      }),
      effect(() => {
        if (this.#tiles !== undefined) paint(this.#tiles, theme.value);
        this.redraw();
      }),
      effect(() => {
        if (this.#tiles !== undefined) this.#tiles.knownUntilNs = experiment.value?.knownUntilNs ?? 0;
        void [lines.value, lanes.value, withArrows.value, rowSize.value];
        this.#changed();
      }),
      effect(() => {
        void [
          selection.value,
          selectedRange.value,
          cursorNs.value,
          cursorLine.value,
          marks.value,
          critical.value,
        ];
        this.redraw();
      }),
    );
    const observer = new ResizeObserver(() => this.#resize());
    observer.observe(box);
    this.#stop.push(() => observer.disconnect());
    this.#stop.push(
      installPrinting(() => {
        if (this.#tiles !== undefined) paint(this.#tiles, "light");
        this.#draw();
      }),
    );
    this.#resize();
    this.#listen();
  }

  close(): void {
    for (const stop of this.#stop) stop();
    onRedraw(() => {});
  }

  #resize(): void {
    this.#timeline.resize(this.box.clientWidth, this.box.clientHeight);
    this.#changed();
  }

  /** The picture is another: details are asked for anew once it rests. */
  #changed(): void {
    this.redraw();
    window.clearTimeout(this.#restTimer);
    this.#restTimer = window.setTimeout(() => void this.#rest(), REST_MS);
  }

  redraw(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const [now, made] = [view.value, experiment.value];
    if (now === undefined || made === undefined || this.#tiles === undefined) return;
    const chosen = selection.value;
    this.#timeline.draw({
      view: now,
      tiles: this.#tiles,
      lines: lines.value,
      rowSize: rowSize.value,
      collapsed: collapsed.value,
      pinned: pinned.value,
      lanes: lanes.value,
      laneNames: laneNames.value,
      outliers: outliers.value,
      theme: theme.value,
      originBeginNs: made.beginNs,
      knownUntilNs: made.knownUntilNs,
      selected: selectedRange.value,
      selectedInstance: chosen.kind === "instance" ? chosen.line[0] : -1,
      selectedState: chosen.kind === "state" ? chosen.moment : undefined,
      cursorNs: cursorNs.value,
      cursorLine: cursorLine.value,
      marks: marks.value,
      critical: critical.value,
      states: this.#states,
      arrows: withArrows.value ? this.#arrows : undefined,
      hover: this.#hover,
    });
  }

  /** Words and arrows of what is seen now. */
  async #rest(): Promise<void> {
    const [now, source] = [view.value, client.value];
    if (now === undefined || source === undefined) return;
    this.#details?.abort();
    const abort = new AbortController();
    this.#details = abort;
    const { first, last } = this.#timeline.visible(lines.value.length);
    const rows = lines.value
      .slice(first, last + 1)
      .flatMap(({ row }) => (row === undefined ? [] : [row.id]))
      .slice(0, MOST_ROWS);
    if (rows.length === 0) return;
    const leastNs = (NARROWEST_TEXT / this.#timeline.tracksWidth) * now.spanNs;
    try {
      const [states, arrows] = await Promise.all([
        this.#timeline.hasWords ? source.states(rows, now.range, leastNs, abort.signal) : [],
        withArrows.value ? source.arrows(rows, now.range, abort.signal) : undefined,
      ]);
      if (abort.signal.aborted) return;
      this.#states = states;
      this.#arrows = arrows;
      this.redraw();
    } catch {
      // The next rest asks again.
    }
  }

  #point(event: MouseEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #listen(): void {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => {
      this.#drag = undefined;
    });
    canvas.addEventListener("pointerleave", () => {
      this.#hover = undefined;
      pointer.ns = undefined;
      tooltip.value = undefined;
      this.redraw();
    });
    canvas.addEventListener("dblclick", (event) => void this.#doubleClick(event));
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const now = view.value;
    if (now === undefined) return;
    tooltip.value = undefined;
    const unit = event.deltaMode === 1 ? 18 : 1;
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const { x } = this.#point(event);
      now.zoom(Math.exp((event.deltaY * unit) / 300), this.#timeline.nsAt(now, Math.max(LABEL_WIDTH, x)));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const delta = event.deltaX === 0 ? event.deltaY : event.deltaX;
      now.panBy(((delta * unit) / this.#timeline.tracksWidth) * now.spanNs);
    } else {
      const before = this.#timeline.scroll;
      this.#timeline.scrollBy(event.deltaY * unit, lines.value.length);
      if (this.#timeline.scroll !== before) this.#changed();
    }
  }

  #down(event: PointerEvent): void {
    const now = view.value;
    if (now === undefined || event.button !== 0) return;
    const { x, y } = this.#point(event);
    const hit = this.#timeline.hit(now, x, y, lines.value.length);
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus();
    tooltip.value = undefined;
    this.#drag = { x, y, hit, selects: hit.kind === "axis" || event.shiftKey, lastX: x, moved: false };
  }

  #move(event: PointerEvent): void {
    const now = view.value;
    if (now === undefined) return;
    const { x, y } = this.#point(event);
    this.#hover = { x, y };
    pointer.ns = x >= LABEL_WIDTH ? this.#timeline.nsAt(now, x) : undefined;
    const drag = this.#drag;
    if (drag === undefined) {
      this.redraw();
      this.#explain(x, y);
      return;
    }
    if (Math.abs(x - drag.x) + Math.abs(y - drag.y) > CLICK_PIXELS) drag.moved = true;
    if (!drag.moved) return;
    if (drag.selects) {
      const [a, b] = [this.#timeline.nsAt(now, drag.x), this.#timeline.nsAt(now, x)];
      selectRange({
        beginNs: Math.max(now.whole.beginNs, Math.min(a, b)),
        endNs: Math.min(now.whole.endNs, Math.max(a, b)),
      });
    } else {
      this.#timeline.scrollBy(-event.movementY, lines.value.length);
      now.panBy(((drag.lastX - x) / this.#timeline.tracksWidth) * now.spanNs);
      this.#changed();
    }
    drag.lastX = x;
  }

  #up(event: PointerEvent): void {
    const drag = this.#drag;
    this.#drag = undefined;
    if (drag === undefined || drag.moved) return;
    this.canvas.releasePointerCapture(event.pointerId);
    const { hit } = drag;
    if (hit.kind === "label" || hit.kind === "row") {
      cursorLine.value = hit.line;
      const line = lines.value[hit.line]!;
      if (line.group !== undefined) collapsed.value = toggle(collapsed.value, line.group);
      else if (hit.kind === "row") void selectState(line.row!.id, hit.ns);
    } else if (hit.kind === "lane") {
      const found = instanceAt(lanes.value[hit.lane]!, this.#pixelAt(hit.ns));
      if (found !== undefined) void selectInstance(found, false);
      cursorNs.value = hit.ns;
    } else {
      cursorNs.value = hit.ns;
      selectRange(undefined);
    }
  }

  #pixelAt(ns: number): { beginNs: number; endNs: number } {
    const half = ((view.value?.spanNs ?? 0) / this.#timeline.tracksWidth) * 1.5;
    return { beginNs: ns - half, endNs: ns + half };
  }

  async #doubleClick(event: MouseEvent): Promise<void> {
    const now = view.value;
    if (now === undefined) return;
    const { x, y } = this.#point(event);
    const hit = this.#timeline.hit(now, x, y, lines.value.length);
    if (hit.kind === "row") {
      const row = lines.value[hit.line]?.row;
      const moment =
        row === undefined ? undefined : await client.value?.at(row.id, hit.ns).catch(() => undefined);
      if (moment !== undefined) now.showAround(moment.beginNs, moment.endNs);
    } else if (hit.kind === "lane") {
      const found = instanceAt(lanes.value[hit.lane]!, this.#pixelAt(hit.ns));
      if (found !== undefined) now.showAround(found[2], found[3]);
    } else if (hit.kind === "axis") now.all();
  }

  /** The tooltip: what is known at once, then the details. */
  #explain(x: number, y: number): void {
    window.clearTimeout(this.#hoverTimer);
    const [now, made] = [view.value, experiment.value];
    if (now === undefined || made === undefined) return;
    const hit = this.#timeline.hit(now, x, y, lines.value.length);
    if (hit.kind === "lane") {
      const found = instanceAt(lanes.value[hit.lane]!, this.#pixelAt(hit.ns));
      tooltip.value =
        found === undefined
          ? undefined
          : {
              x,
              y,
              title: `${made.periods[found[1]]!.path} · ${duration(found[3] - found[2])}`,
              lines: [clock(made.originNs, found[2]), ...(found[4] >= 0 ? [rowName(found[4])] : [])],
            };
      return;
    }
    const row = hit.kind === "row" ? lines.value[hit.line]?.row : undefined;
    if (hit.kind !== "row" || row === undefined) {
      tooltip.value = undefined;
      return;
    }
    const title = row.kind === "thread" ? `${row.label} (${row.tid})` : row.label;
    tooltip.value = { x, y, title, lines: [clock(made.originNs, hit.ns)] };
    this.#hoverTimer = window.setTimeout(() => {
      void client.value
        ?.at(row.id, hit.ns)
        .then((moment) => {
          const current = tooltip.value;
          if (current?.x === x && current.y === y) tooltip.value = { ...current, lines: momentLines(moment) };
        })
        .catch(() => {});
    }, 60);
  }
}

function momentLines({ doing, label, beginNs, endNs, details }: Moment): string[] {
  const { originNs } = experiment.value!;
  return [
    `${DOING_LABELS[doing]}${label === "" ? "" : ` · ${label}`}`,
    `${clock(originNs, beginNs)} for ${duration(endNs - beginNs)}`,
    ...details.filter(([name]) => name !== "for").map(([name, value]) => `${name}: ${value}`),
  ];
}

export function TimelineView() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const controller = new Controller(canvas.current!, box.current!);
    return () => controller.close();
  }, []);
  return (
    <div class="timeline" ref={box}>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: screen readers pass the keys on to it */}
      <canvas
        ref={canvas}
        data-testid="timeline"
        tabIndex={0}
        role="application"
        aria-label="Timeline of CPUs, threads and periods; press ? for its keys"
      />
      <TooltipBox />
      <p class="sr-only" aria-live="polite">
        {spoken.value}
      </p>
    </div>
  );
}

/** What the row cursor is on, for those who cannot see it. */
const spoken = computed(() => {
  const line = lines.value[cursorLine.value];
  const chosen = selection.value;
  if (chosen.kind === "state" && experiment.value !== undefined) {
    return `${rowName(chosen.moment.row)}: ${momentLines(chosen.moment).join(", ")}`;
  }
  return line === undefined
    ? `${duration(shown.value.endNs - shown.value.beginNs)} shown`
    : `${line.label} ${line.detail}`;
});

function TooltipBox() {
  const now = tooltip.value;
  if (now === undefined) return null;
  const left = Math.min(now.x + 14, Math.max(0, window.innerWidth - 360));
  return (
    <div class="tooltip" data-testid="tooltip" style={{ left: `${left}px`, top: `${now.y + 18}px` }}>
      <b>{now.title}</b>
      {now.lines.map((line) => (
        <div key={line}>{line}</div>
      ))}
    </div>
  );
}
