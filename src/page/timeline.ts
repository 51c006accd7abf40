/**
 * The timeline: axis, period lanes, rows of states, arrows, critical path, marks, on one canvas. A frame draws what is
 * there; what is missing is asked for and drawn when it has come.
 */
import type { Arrows, CriticalPath, PeriodLine, RowStates } from "./contract.js";
import { colorsOf, type Ground, groundOf, inkOn, seriesColor, type Theme } from "./palette.js";
import { firstAfter, type Lane } from "./period-lanes.js";
import type { DisplayLine, RowSize } from "./rows.js";
import type { Mark } from "./state.js";
import { tick, tickStep } from "./text.js";
import type { Tiles } from "./tiles.js";
import type { Range, View } from "./view.js";

export const LABEL_WIDTH = 232;
export const AXIS_HEIGHT = 24;
const TALL = 18;
const LOW = 7;
/** Lower rows have no words, neither on states nor of their own. */
const LEAST_FOR_WORDS = 13;
/** More arrows hide what they explain. */
const MOST_ARROWS = 600;
/** Lower rows touch each other. */
const LEAST_WITH_GAP = 4;
const LANE_HEIGHT = 17;
/** Share of the height. */
const MOST_FOR_LANES = 0.5;
/** Room between the last lane and the first row. */
const GAP = 8;
/** Narrower states have no text. */
export const NARROWEST_TEXT = 34;
const FONT = '11px system-ui, "Segoe UI", sans-serif';
const SMALL = '10px system-ui, "Segoe UI", sans-serif';
/** Distance of labels of rows without words. */
const SMALL_LINE = 12;
const BOLD = '600 11px system-ui, "Segoe UI", sans-serif';

/** Everything that a frame shows. */
export interface Scene {
  readonly view: View;
  readonly tiles: Tiles;
  readonly lines: readonly DisplayLine[];
  readonly rowSize: RowSize;
  readonly collapsed: ReadonlySet<string>;
  readonly pinned: ReadonlySet<number>;
  readonly lanes: readonly Lane[];
  readonly laneNames: readonly string[];
  readonly outliers: readonly number[];
  readonly theme: Theme;
  readonly originBeginNs: number;
  /** Nothing is read beyond. */
  readonly knownUntilNs: number;
  readonly selected: Range | undefined;
  readonly selectedInstance: number;
  readonly selectedState:
    | { readonly row: number; readonly beginNs: number; readonly endNs: number }
    | undefined;
  readonly cursorNs: number | undefined;
  readonly cursorLine: number;
  readonly marks: readonly Mark[];
  readonly critical: CriticalPath | undefined;
  readonly states: readonly RowStates[];
  readonly arrows: Arrows | undefined;
  readonly hover: { readonly x: number; readonly y: number } | undefined;
}

/** What lies under a point. */
export type Hit =
  | { readonly kind: "axis"; readonly ns: number }
  | { readonly kind: "label"; readonly line: number }
  | { readonly kind: "row"; readonly line: number; readonly ns: number }
  | { readonly kind: "lane"; readonly lane: number; readonly ns: number }
  | { readonly kind: "nothing"; readonly ns: number };

export class Timeline {
  /** Pixels that rows are scrolled up. */
  scroll = 0;
  /** Pixels of a row. */
  rowHeight = TALL;
  #width = 0;
  #height = 0;
  #laneCount = 0;

  constructor(readonly canvas: HTMLCanvasElement) {}

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    this.#width = width;
    this.#height = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }

  get tracksWidth(): number {
    return Math.max(1, this.#width - LABEL_WIDTH);
  }

  /** Lanes become thin before they take half of the picture. */
  get laneHeight(): number {
    const room = (this.#height - AXIS_HEIGHT) * MOST_FOR_LANES;
    return Math.max(3, Math.min(LANE_HEIGHT, Math.floor(room / Math.max(1, this.#laneCount))));
  }

  /** Where rows begin. */
  get top(): number {
    return AXIS_HEIGHT + (this.#laneCount > 0 ? this.#laneCount * this.laneHeight + GAP : 0);
  }

  get rowsHeight(): number {
    return Math.max(0, this.#height - this.top);
  }

  /** Whether rows are tall enough for words. */
  get hasWords(): boolean {
    return this.rowHeight >= LEAST_FOR_WORDS;
  }

  #fit(size: RowSize, lineCount: number): void {
    const before = this.rowHeight;
    const all = Math.floor(this.rowsHeight / Math.max(1, lineCount));
    this.rowHeight = size === "tall" ? TALL : size === "low" ? LOW : Math.max(1, Math.min(TALL, all));
    // What was at the top stays there.
    if (this.rowHeight !== before) this.scroll = Math.round((this.scroll * this.rowHeight) / before);
  }

  nsAt(view: View, x: number): number {
    return view.beginNs + ((x - LABEL_WIDTH) / this.tracksWidth) * view.spanNs;
  }

  xAt(view: View, ns: number): number {
    return LABEL_WIDTH + ((ns - view.beginNs) / view.spanNs) * this.tracksWidth;
  }

  scrollBy(pixels: number, lineCount: number): void {
    const most = Math.max(0, lineCount * this.rowHeight - this.rowsHeight);
    // Whole pixels: between them low rows would blur.
    this.scroll = Math.round(Math.max(0, Math.min(most, this.scroll + pixels)));
  }

  /** Scrolls so that a line is seen. */
  reveal(line: number, lineCount: number): void {
    const y = line * this.rowHeight;
    if (y < this.scroll) this.scroll = y;
    else if (y + this.rowHeight > this.scroll + this.rowsHeight)
      this.scroll = y + this.rowHeight - this.rowsHeight;
    this.scrollBy(0, lineCount);
  }

  /** First and last line that can be seen. */
  visible(lineCount: number): { first: number; last: number } {
    const first = Math.max(0, Math.floor(this.scroll / this.rowHeight));
    const last = Math.min(lineCount - 1, Math.ceil((this.scroll + this.rowsHeight) / this.rowHeight) - 1);
    return { first, last };
  }

  hit(view: View, x: number, y: number, lineCount: number): Hit {
    const ns = this.nsAt(view, x);
    if (y < AXIS_HEIGHT) return { kind: "axis", ns };
    if (y < this.top) {
      const lane = Math.floor((y - AXIS_HEIGHT) / this.laneHeight);
      return lane < this.#laneCount && x >= LABEL_WIDTH
        ? { kind: "lane", lane, ns }
        : { kind: "nothing", ns };
    }
    const line = Math.floor((y - this.top + this.scroll) / this.rowHeight);
    if (line >= lineCount) return { kind: "nothing", ns };
    return x < LABEL_WIDTH ? { kind: "label", line } : { kind: "row", line, ns };
  }

  /** Draws a frame; answers whether all tiles were there. */
  draw(scene: Scene): boolean {
    const context = this.canvas.getContext("2d", { alpha: false })!;
    const ratio = window.devicePixelRatio || 1;
    const ground = groundOf(scene.theme);
    this.#laneCount = scene.lanes.length;
    this.#fit(scene.rowSize, scene.lines.length);
    this.scrollBy(0, scene.lines.length);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = false;
    context.textBaseline = "middle";
    context.fillStyle = ground.back;
    context.fillRect(0, 0, this.#width, this.#height);
    const complete = this.#rows(context, scene, ground);
    this.#texts(context, scene);
    this.#arrows(context, scene, ground);
    this.#critical(context, scene, ground);
    this.#lanes(context, scene, ground);
    this.#axis(context, scene, ground);
    this.#overlays(context, scene, ground);
    return complete;
  }

  #rows(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): boolean {
    const { view, tiles, lines } = scene;
    const { first, last } = this.visible(lines.length);
    const { rowHeight, tracksWidth: width } = this;
    const columns = Math.max(1, Math.round(width * (window.devicePixelRatio || 1)));
    const yOf = (line: number): number => this.top + line * rowHeight - this.scroll;
    let complete = true;
    context.save();
    context.beginPath();
    context.rect(0, this.top, this.#width, this.rowsHeight);
    context.clip();
    tiles.beginFrame(view.range, columns, Math.max(1, last - first + 1));
    for (let i = first; i <= last; i++) {
      const { row } = lines[i]!;
      if (row === undefined) tiles.drawBand(i - first);
      else complete = tiles.draw(row.id, i - first) && complete;
    }
    const picture = tiles.endFrame();
    if (rowHeight < LEAST_WITH_GAP) {
      const count = last - first + 1;
      const height = rowHeight * count;
      if (count > 0) context.drawImage(picture, 0, 0, columns, count, LABEL_WIDTH, yOf(first), width, height);
    } else {
      const above = this.hasWords ? 1 : 0;
      context.fillStyle = ground.band;
      for (let i = first; i <= last; i++) {
        const y = yOf(i);
        const [top, height] = [y + above, rowHeight - above - 1];
        if (lines[i]!.row === undefined) context.fillRect(0, y, this.#width, rowHeight);
        else context.drawImage(picture, 0, i - first, columns, 1, LABEL_WIDTH, top, width, height);
      }
    }
    if (scene.knownUntilNs < view.endNs) {
      const x = Math.max(LABEL_WIDTH, this.xAt(view, scene.knownUntilNs));
      context.fillStyle = ground.band;
      context.fillRect(x, this.top, this.#width - x, this.rowsHeight);
    }
    context.fillStyle = ground.back;
    context.fillRect(0, this.top, LABEL_WIDTH, this.rowsHeight);
    if (this.hasWords) for (let i = first; i <= last; i++) this.#label(context, scene, ground, i);
    else this.#smallLabels(context, scene, ground, first, last);
    context.restore();
    return complete;
  }

  #label(context: CanvasRenderingContext2D, scene: Scene, ground: Ground, index: number): void {
    const line = scene.lines[index]!;
    const y = this.top + index * this.rowHeight - this.scroll;
    const middle = y + this.rowHeight / 2 + 0.5;
    if (line.row === undefined) {
      context.fillStyle = ground.band;
      context.fillRect(0, y, LABEL_WIDTH, this.rowHeight);
    }
    if (index === scene.cursorLine) {
      context.fillStyle = `${ground.accent}33`;
      context.fillRect(0, y, LABEL_WIDTH, this.rowHeight);
      context.fillStyle = ground.accent;
      context.fillRect(0, y, 3, this.rowHeight);
      // Its states keep their colours.
      context.fillRect(LABEL_WIDTH, y, this.#width, 1);
      context.fillRect(LABEL_WIDTH, y + this.rowHeight - 1, this.#width, 1);
    }
    let x = 10 + line.depth * 12;
    if (line.group !== undefined) {
      context.fillStyle = ground.faint;
      triangle(context, x + 3, middle, scene.collapsed.has(line.group));
      x += 13;
    }
    const isPinned = line.row !== undefined && scene.pinned.has(line.row.id);
    context.font = line.group !== undefined ? BOLD : FONT;
    context.fillStyle = isPinned ? ground.accent : ground.text;
    const detailWidth = line.detail === "" ? 0 : Math.min(70, context.measureText(line.detail).width) + 8;
    const label = fitted(context, line.label, LABEL_WIDTH - x - detailWidth - 10);
    context.fillText(label, x, middle);
    if (line.detail === "") return;
    context.font = FONT;
    context.fillStyle = ground.faint;
    context.textAlign = "right";
    context.fillText(fitted(context, line.detail, 96), LABEL_WIDTH - 10, middle);
    context.textAlign = "left";
  }

  /** Of rows without words: names of processes, as many as there is room for. */
  #smallLabels(
    context: CanvasRenderingContext2D,
    scene: Scene,
    ground: Ground,
    first: number,
    last: number,
  ): void {
    context.font = SMALL;
    let free = this.top;
    for (let i = first; i <= last; i++) {
      const line = scene.lines[i]!;
      const y = this.top + i * this.rowHeight - this.scroll;
      if (i === scene.cursorLine) {
        context.fillStyle = `${ground.accent}44`;
        context.fillRect(0, y, this.#width, this.rowHeight);
        context.fillStyle = ground.accent;
        context.fillRect(0, y, LABEL_WIDTH - 2, Math.max(2, this.rowHeight));
      }
      if (line.depth > 0 || y < free) continue;
      free = y + SMALL_LINE;
      context.fillStyle = ground.line;
      context.fillRect(LABEL_WIDTH - 8, y, 8, 1);
      context.fillStyle = line.group === undefined ? ground.faint : ground.text;
      context.fillText(fitted(context, line.label, LABEL_WIDTH - 100), 10, y + 6);
      context.fillStyle = ground.faint;
      context.textAlign = "right";
      context.fillText(fitted(context, line.detail, 80), LABEL_WIDTH - 12, y + 6);
      context.textAlign = "left";
    }
  }

  /** Words on states that are wide enough. */
  #texts(context: CanvasRenderingContext2D, scene: Scene): void {
    if (scene.states.length === 0 || !this.hasWords) return;
    const colors = colorsOf(scene.theme);
    const byRow = new Map(scene.states.map((one) => [one.row, one]));
    const { first, last } = this.visible(scene.lines.length);
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, this.top, this.tracksWidth, this.rowsHeight);
    context.clip();
    context.font = FONT;
    for (let i = first; i <= last; i++) {
      const found = byRow.get(scene.lines[i]!.row?.id ?? -1);
      if (found === undefined) continue;
      const middle = this.top + i * this.rowHeight - this.scroll + this.rowHeight / 2 + 0.5;
      for (const [beginNs, endNs, doing, label] of found.states) {
        if (label === "") continue;
        const from = Math.max(LABEL_WIDTH, this.xAt(scene.view, beginNs));
        const to = Math.min(this.#width, this.xAt(scene.view, endNs));
        if (to - from < NARROWEST_TEXT) continue;
        context.fillStyle = inkOn(colors[doing]);
        context.fillText(fitted(context, label, to - from - 8), from + 4, middle);
      }
    }
    context.restore();
  }

  #arrows(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): void {
    const { arrows, lines, view } = scene;
    if (arrows === undefined || arrows.tooMany || arrows.arrows.length > MOST_ARROWS) return;
    const lineOfRow = new Map<number, number>();
    lines.forEach((line, i) => {
      if (line.row !== undefined && !lineOfRow.has(line.row.id)) lineOfRow.set(line.row.id, i);
    });
    const center = (line: number): number =>
      this.top + line * this.rowHeight - this.scroll + this.rowHeight / 2;
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, this.top, this.tracksWidth, this.rowsHeight);
    context.clip();
    context.strokeStyle = `${ground.text}66`;
    context.fillStyle = `${ground.text}aa`;
    context.lineWidth = 1;
    const seen: [x: number, from: number, to: number][] = [];
    for (const [ns, from, to] of arrows.arrows) {
      const [a, b] = [lineOfRow.get(from), lineOfRow.get(to)];
      if (a !== undefined && b !== undefined) seen.push([this.xAt(view, ns), center(a), center(b)]);
    }
    // All shafts, then all heads: a path each would cost more than everything else.
    context.beginPath();
    for (const [x, from, to] of seen) {
      context.moveTo(x, from);
      context.lineTo(x, to - 4 * (to > from ? 1 : -1));
    }
    context.stroke();
    context.beginPath();
    for (const [x, from, to] of seen) {
      const base = to - 6 * (to > from ? 1 : -1);
      context.moveTo(x, to);
      context.lineTo(x - 3, base);
      context.lineTo(x + 3, base);
    }
    context.fill();
    context.restore();
  }

  /** The critical path as a line through the rows that it runs along. */
  #critical(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): void {
    const { critical, lines, view } = scene;
    if (critical === undefined) return;
    const lineOfRow = new Map<number, number>();
    lines.forEach((line, i) => {
      if (line.row !== undefined && !lineOfRow.has(line.row.id)) lineOfRow.set(line.row.id, i);
    });
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, this.top, this.tracksWidth, this.rowsHeight);
    context.clip();
    context.strokeStyle = ground.alarm;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    let before: { x: number; y: number } | undefined;
    for (const { row, beginNs, endNs } of critical.slices) {
      const line = lineOfRow.get(row);
      if (line === undefined || endNs < view.beginNs || beginNs > view.endNs) continue;
      const y =
        this.top + line * this.rowHeight - this.scroll + Math.max(this.rowHeight / 2, this.rowHeight - 3);
      const [from, to] = [this.xAt(view, beginNs), this.xAt(view, endNs)];
      if (before === undefined) context.moveTo(from, y);
      else {
        context.lineTo(from, before.y);
        context.lineTo(from, y);
      }
      context.lineTo(to, y);
      before = { x: to, y };
    }
    context.stroke();
    context.restore();
  }

  #lanes(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): void {
    const { lanes, view } = scene;
    if (lanes.length === 0) return;
    const { laneHeight } = this;
    let labelled = Number.NEGATIVE_INFINITY;
    context.fillStyle = ground.back;
    context.fillRect(0, AXIS_HEIGHT, this.#width, this.top - AXIS_HEIGHT);
    context.font = FONT;
    lanes.forEach((lane, i) => {
      const y = AXIS_HEIGHT + i * laneHeight;
      const middle = y + laneHeight / 2 + 0.5;
      if (lane.number === 0 && middle - labelled >= 11) {
        labelled = middle;
        context.fillStyle = lane.depth === 0 ? ground.text : ground.faint;
        context.font = lane.depth === 0 ? BOLD : FONT;
        const x = 10 + 12 * lane.depth;
        context.fillText(fitted(context, scene.laneNames[lane.period] ?? "", LABEL_WIDTH - x - 8), x, middle);
      }
      const color = seriesColor(scene.theme, lane.period);
      context.font = FONT;
      context.save();
      context.beginPath();
      context.rect(LABEL_WIDTH, y, this.tracksWidth, laneHeight);
      context.clip();
      let drawnTo = Number.NEGATIVE_INFINITY;
      for (let k = firstAfter(lane, view.beginNs); k < lane.instances.length; k++) {
        const one = lane.instances[k]!;
        const [, , beginNs, endNs] = one;
        if (beginNs > view.endNs) break;
        const from = Math.max(LABEL_WIDTH - 2, this.xAt(view, beginNs));
        const to = Math.min(this.#width + 2, this.xAt(view, endNs));
        // Thousands in one pixel are one.
        if (to < drawnTo + 0.5 && one[0] !== scene.selectedInstance) continue;
        drawnTo = Math.max(to, from + 1);
        this.#instance(context, scene, ground, one, color, from, Math.max(from + 1, to), y, middle);
      }
      context.restore();
    });
  }

  #instance(
    context: CanvasRenderingContext2D,
    scene: Scene,
    ground: Ground,
    one: PeriodLine,
    color: string,
    from: number,
    to: number,
    y: number,
    middle: number,
  ): void {
    const slow = one[3] - one[2] > (scene.outliers[one[1]] ?? Number.POSITIVE_INFINITY);
    const room = this.laneHeight > 8 ? 2 : 0.5;
    const barHeight = this.laneHeight - 2 * room;
    context.fillStyle = slow ? ground.alarm : color;
    context.fillRect(from, y + room, to - from - (to - from > 3 ? 1 : 0), barHeight);
    if (one[0] === scene.selectedInstance) {
      context.strokeStyle = ground.text;
      context.lineWidth = 2;
      context.strokeRect(from, y + room, Math.max(2, to - from - 1), barHeight);
    }
    if (to - from < NARROWEST_TEXT || this.laneHeight < 13) return;
    context.fillStyle = inkOn(slow ? ground.alarm : color);
    context.fillText(fitted(context, scene.laneNames[one[1]] ?? "", to - from - 8), from + 4, middle);
  }

  #axis(context: CanvasRenderingContext2D, { view, originBeginNs }: Scene, ground: Ground): void {
    context.fillStyle = ground.band;
    context.fillRect(0, 0, this.#width, AXIS_HEIGHT);
    context.font = FONT;
    const step = tickStep(view.spanNs, this.tracksWidth / 110);
    const from = view.beginNs - originBeginNs;
    context.fillStyle = ground.faint;
    context.strokeStyle = ground.line;
    context.lineWidth = 1;
    context.beginPath();
    for (let at = Math.ceil(from / step) * step; at <= from + view.spanNs; at += step) {
      const x = Math.round(this.xAt(view, originBeginNs + at)) + 0.5;
      context.moveTo(x, AXIS_HEIGHT - 6);
      context.lineTo(x, AXIS_HEIGHT);
      context.fillText(tick(at, step), x + 4, AXIS_HEIGHT / 2);
    }
    context.moveTo(0, AXIS_HEIGHT - 0.5);
    context.lineTo(this.#width, AXIS_HEIGHT - 0.5);
    context.moveTo(LABEL_WIDTH - 0.5, 0);
    context.lineTo(LABEL_WIDTH - 0.5, this.#height);
    if (this.#laneCount > 0) {
      context.moveTo(0, this.top - 0.5);
      context.lineTo(this.#width, this.top - 0.5);
    }
    context.stroke();
  }

  #overlays(context: CanvasRenderingContext2D, scene: Scene, ground: Ground): void {
    const { view, selected, selectedState, cursorNs, marks, hover } = scene;
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, 0, this.tracksWidth, this.#height);
    context.clip();
    if (selected !== undefined && selected.beginNs < view.endNs && selected.endNs > view.beginNs) {
      const from = Math.max(LABEL_WIDTH, this.xAt(view, selected.beginNs));
      const to = this.xAt(view, selected.endNs);
      // What is beside it is dimmed: colours within keep their meaning.
      context.fillStyle = `${ground.back}66`;
      context.fillRect(LABEL_WIDTH, AXIS_HEIGHT, from - LABEL_WIDTH, this.#height);
      context.fillRect(to, AXIS_HEIGHT, this.#width - to, this.#height);
      context.fillStyle = `${ground.accent}33`;
      context.fillRect(from, 0, to - from, AXIS_HEIGHT - 1);
      context.fillStyle = ground.accent;
      context.fillRect(from, 0, 1, this.#height);
      context.fillRect(to, 0, 1, this.#height);
    }
    if (selectedState !== undefined) {
      const line = scene.lines.findIndex(({ row }) => row?.id === selectedState.row);
      const y = this.top + line * this.rowHeight - this.scroll;
      if (line >= 0 && y >= this.top - this.rowHeight) {
        const from = this.xAt(view, selectedState.beginNs);
        const to = this.xAt(view, selectedState.endNs);
        context.strokeStyle = ground.text;
        context.lineWidth = 1.5;
        context.strokeRect(from, y + 1, Math.max(2, to - from), Math.max(1, this.rowHeight - 2));
      }
    }
    if (cursorNs !== undefined) vertical(context, this.xAt(view, cursorNs), this.#height, ground.accent, []);
    context.font = BOLD;
    for (const { ns, label } of marks) {
      const x = this.xAt(view, ns);
      vertical(context, x, this.#height, ground.alarm, []);
      context.fillStyle = ground.alarm;
      context.fillRect(x, 0, context.measureText(label).width + 8, 14);
      context.fillStyle = inkOn(ground.alarm);
      context.fillText(label, x + 4, 7.5);
    }
    if (hover !== undefined && hover.x > LABEL_WIDTH)
      vertical(context, hover.x, this.#height, ground.faint, [3, 3]);
    context.restore();
  }
}

function vertical(
  context: CanvasRenderingContext2D,
  x: number,
  height: number,
  color: string,
  dash: number[],
): void {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, 0);
  context.lineTo(Math.round(x) + 0.5, height);
  context.stroke();
  context.setLineDash([]);
}

function triangle(context: CanvasRenderingContext2D, x: number, y: number, right: boolean): void {
  context.beginPath();
  if (right) {
    context.moveTo(x - 2, y - 4);
    context.lineTo(x + 3, y);
    context.lineTo(x - 2, y + 4);
  } else {
    context.moveTo(x - 4, y - 2);
    context.lineTo(x + 4, y - 2);
    context.lineTo(x, y + 3);
  }
  context.fill();
}

const widths = new Map<string, number>();

/** Text cut to a width in pixels; "" where not even a letter fits. */
function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${context.font}${text}`;
  let whole = widths.get(key);
  if (whole === undefined) {
    whole = context.measureText(text).width;
    if (widths.size > 20_000) widths.clear();
    widths.set(key, whole);
  }
  if (whole <= width) return text;
  const letters = Math.floor((text.length * width) / whole) - 1;
  return letters < 1 ? "" : `${text.slice(0, letters)}…`;
}
