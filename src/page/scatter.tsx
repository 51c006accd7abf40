/** Instances of periods as points: when, and how long. The one red dot is a click away from its explanation. */
import { computed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { selectInstance } from "./actions.js";
import type { PeriodLine } from "./contract.js";
import { groundOf, seriesColor } from "./palette.js";
import { experiment, instances, outliers, selection, shown, theme, tooManyInstances, view } from "./state.js";
import { duration, tick, tickStep } from "./text.js";

const LEFT = 64;
const BOTTOM = 20;
const TOP = 8;
/** Width of the distribution beside the plot. */
const SIDE = 180;
const BINS = 48;

interface Scale {
  readonly x: (ns: number) => number;
  readonly y: (durationNs: number) => number;
  readonly low: number;
  readonly high: number;
}

/** Instances that are part of no other; of a range without any, all. */
const rootInstances = computed((): readonly PeriodLine[] => {
  const roots = instances.value.filter(([, , , , , parent]) => parent < 0);
  return roots.length > 0 ? roots : instances.value;
});

function scaleOf(width: number, height: number, points: readonly PeriodLine[]): Scale {
  let [low, high] = [Number.POSITIVE_INFINITY, 1];
  for (const [, , beginNs, endNs] of points) {
    const ns = Math.max(1, endNs - beginNs);
    low = Math.min(low, ns);
    high = Math.max(high, ns);
  }
  if (!Number.isFinite(low)) low = 1;
  const [from, to] = [Math.log10(low / 1.5), Math.log10(high * 1.5)];
  const { beginNs, endNs } = view.value!.whole;
  const plot = width - LEFT - SIDE - 16;
  return {
    x: (ns) => LEFT + ((ns - beginNs) / (endNs - beginNs)) * plot,
    y: (ns) =>
      TOP + (height - TOP - BOTTOM) * (1 - (Math.log10(Math.max(1, ns)) - from) / Math.max(1e-9, to - from)),
    low: from,
    high: to,
  };
}

export function Scatter() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const points = rootInstances.value;
  useEffect(() => {
    const draw = (): void => {
      if (canvas.current !== null && view.value !== undefined) paint(canvas.current, points);
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current!.parentElement!);
    return () => observer.disconnect();
  });
  // Read, so that changes are drawn.
  void [theme.value, selection.value, shown.value];
  if (points.length === 0) {
    return (
      <p class="empty" data-testid="scatter">
        {experiment.value?.status === "ready"
          ? "No periods here yet. Define them with --period, or choose a --profile: periscope periods TRACE tells which fit."
          : "Reading …"}
        <canvas ref={canvas} hidden />
      </p>
    );
  }
  const click = (event: MouseEvent): void => {
    const box = canvas.current!.getBoundingClientRect();
    const scale = scaleOf(box.width, box.height, points);
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best: { line: PeriodLine; distance: number } | undefined;
    for (const line of points) {
      const distance = Math.hypot(scale.x(line[2]) - x, scale.y(line[3] - line[2]) - y);
      if (distance < 12 && (best === undefined || distance < best.distance)) best = { line, distance };
    }
    if (best !== undefined) void selectInstance(best.line, true);
  };
  const step = (by: number): void => {
    const now = selection.value;
    const at = now.kind === "instance" ? points.findIndex(([id]) => id === now.line[0]) : -1;
    const next = points[Math.max(0, Math.min(points.length - 1, at + by))];
    if (next !== undefined) void selectInstance(next, true);
  };
  return (
    <canvas
      ref={canvas}
      class="scatter"
      data-testid="scatter"
      tabIndex={0}
      role="img"
      aria-label={`${points.length} instances by begin and duration${tooManyInstances.value ? " (the longest)" : ""}; arrow keys go through them`}
      onClick={click}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
          event.stopPropagation();
          event.preventDefault();
          step(event.key === "ArrowRight" ? 1 : -1);
        }
      }}
    />
  );
}

/** The points, painted once for all moments that the view moves: there may be tens of thousands. */
let painted: Picture | undefined;

interface Picture {
  /** What it was painted of: others make another. */
  readonly of: readonly unknown[];
  readonly canvas: HTMLCanvasElement;
  readonly scale: Scale;
}

function pictureOf(width: number, height: number, points: readonly PeriodLine[]): Picture {
  const ratio = window.devicePixelRatio || 1;
  const of = [width, height, ratio, theme.value, points, view.value];
  if (painted?.of.every((one, i) => one === of[i])) return painted;
  const canvas = document.createElement("canvas");
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const ground = groundOf(theme.value);
  const scale = scaleOf(width, height, points);
  const limits = outliers.value;
  context.font = '11px system-ui, "Segoe UI", sans-serif';
  context.textBaseline = "middle";
  axes(context, scale, width, height, width - SIDE - 16);
  for (const slowOnes of [false, true]) {
    for (const [, period, begin, end] of points) {
      const slow = end - begin > limits[period]!;
      if (slow !== slowOnes) continue;
      context.fillStyle = slow ? ground.alarm : `${seriesColor(theme.value, period)}cc`;
      context.beginPath();
      context.arc(scale.x(begin), scale.y(end - begin), slow ? 4.5 : points.length > 2000 ? 2 : 3, 0, 7);
      context.fill();
    }
  }
  histogram(context, scale, points, limits, width, height);
  painted = { of, canvas, scale };
  return painted;
}

function paint(canvas: HTMLCanvasElement, points: readonly PeriodLine[]): void {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas.parentElement!;
  if (width === 0 || height === 0) return;
  const { canvas: picture, scale } = pictureOf(width, height, points);
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const ground = groundOf(theme.value);
  const { beginNs, endNs } = shown.value;
  const [from, to] = [scale.x(beginNs), scale.x(endNs)];
  context.fillStyle = `${ground.accent}1c`;
  context.fillRect(from, TOP, Math.max(1, to - from), height - TOP - BOTTOM);
  context.drawImage(picture, 0, 0, width, height);
  const now = selection.value;
  const chosen = now.kind === "instance" ? points.find(([id]) => id === now.line[0]) : undefined;
  if (chosen === undefined) return;
  context.strokeStyle = ground.text;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(scale.x(chosen[2]), scale.y(chosen[3] - chosen[2]), 8, 0, 7);
  context.stroke();
}

/** Powers of ten between two (logarithms of) durations; with 2 and 5 between them where there are few. */
function roundDurations(low: number, high: number): number[] {
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const found: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const at = power + Math.log10(factor);
      if (at >= low && at <= high) found.push(factor * 10 ** power);
    }
  }
  return found;
}

function axes(
  context: CanvasRenderingContext2D,
  scale: Scale,
  width: number,
  height: number,
  right: number,
): void {
  const ground = groundOf(theme.value);
  context.strokeStyle = ground.line;
  context.fillStyle = ground.faint;
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "right";
  for (const ns of roundDurations(scale.low, scale.high)) {
    const y = Math.round(scale.y(ns)) + 0.5;
    context.moveTo(LEFT, y);
    context.lineTo(width - 8, y);
    context.fillText(duration(ns), LEFT - 8, y);
  }
  context.textAlign = "left";
  const whole = view.value!.whole;
  const span = whole.endNs - whole.beginNs;
  const step = tickStep(span, (right - LEFT) / 110);
  for (let at = 0; at <= span; at += step) {
    const x = Math.round(scale.x(whole.beginNs + at)) + 0.5;
    context.moveTo(x, height - BOTTOM);
    context.lineTo(x, height - BOTTOM + 4);
    if (x < right - 30) context.fillText(tick(at, step), x + 3, height - 8);
  }
  context.stroke();
}

/** How many are how long, beside the same axis. */
function histogram(
  context: CanvasRenderingContext2D,
  scale: Scale,
  points: readonly PeriodLine[],
  limits: readonly number[],
  width: number,
  height: number,
): void {
  const ground = groundOf(theme.value);
  const counts = new Array<number>(BINS).fill(0);
  const slow = new Array<number>(BINS).fill(0);
  for (const [, period, beginNs, endNs] of points) {
    const share =
      (Math.log10(Math.max(1, endNs - beginNs)) - scale.low) / Math.max(1e-9, scale.high - scale.low);
    const bin = Math.max(0, Math.min(BINS - 1, Math.floor(share * BINS)));
    counts[bin]!++;
    if (endNs - beginNs > limits[period]!) slow[bin]!++;
  }
  const most = Math.max(1, ...counts);
  const left = width - SIDE;
  const size = (height - TOP - BOTTOM) / BINS;
  counts.forEach((count, i) => {
    if (count === 0) return;
    const y = height - BOTTOM - (i + 1) * size;
    const length = (bin: number): number => Math.max(2, (bin / most) * (SIDE - 48));
    context.fillStyle = seriesColor(theme.value, 0);
    context.fillRect(left, y, length(count), Math.max(1, size - 1));
    if (slow[i]! > 0) {
      context.fillStyle = ground.alarm;
      context.fillRect(left, y, length(slow[i]!), Math.max(1, size - 1));
    }
    if (count === most || slow[i]! > 0) {
      context.fillStyle = ground.faint;
      context.fillText(String(count), left + length(count) + 5, y + size / 2);
    }
  });
}
