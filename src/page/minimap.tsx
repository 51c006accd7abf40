/** The whole trace in one strip: how much happened when, how busy the CPUs were, and where the view is. */
import { useEffect, useRef } from "preact/hooks";
import { groundOf, seriesColor } from "./palette.js";
import { client, experiment, shown, slowInstances, theme, view } from "./state.js";

const HEIGHT = 46;
const PIXELS = 600;

export function Minimap() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const data = useRef<{ density: readonly number[]; cpu: readonly number[] }>({ density: [], cpu: [] });
  const now = experiment.value;
  const whole = view.value?.whole;
  const draw = (): void => {
    if (canvas.current !== null && whole !== undefined) paint(canvas.current, data.current, whole);
  };
  useEffect(() => {
    if (whole === undefined || client.value === undefined) return;
    let isAwaited = true;
    void Promise.all([client.value.density(whole, PIXELS), client.value.series(whole, PIXELS)])
      .then(([density, series]) => {
        if (!isAwaited) return;
        data.current = { density, cpu: series.find(({ name }) => name === "cpu")?.values ?? [] };
        draw();
      })
      .catch(() => {});
    return () => {
      isAwaited = false;
    };
  }, [now?.knownUntilNs, whole, client.value]);
  useEffect(draw, [shown.value, theme.value, slowInstances.value]);
  useEffect(() => {
    window.addEventListener("resize", draw);
    return () => window.removeEventListener("resize", draw);
  });

  const move = (event: PointerEvent): void => {
    const current = view.value;
    if (event.buttons !== 1 || current === undefined || whole === undefined) return;
    const box = canvas.current!.getBoundingClientRect();
    const at = whole.beginNs + ((event.clientX - box.left) / box.width) * (whole.endNs - whole.beginNs);
    current.show(at - current.spanNs / 2, at + current.spanNs / 2);
  };
  return (
    <canvas
      ref={canvas}
      class="minimap"
      data-testid="minimap"
      role="img"
      aria-label="Overview of the whole trace: event records and use of the CPUs over time"
      onPointerDown={(event) => {
        (event.target as HTMLElement).setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={move}
    />
  );
}

function paint(
  canvas: HTMLCanvasElement,
  { density, cpu }: { density: readonly number[]; cpu: readonly number[] },
  whole: { beginNs: number; endNs: number },
): void {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const ground = groundOf(theme.value);
  context.fillStyle = ground.band;
  context.fillRect(0, 0, width, HEIGHT);
  const most = Math.max(1, ...density);
  const step = width / Math.max(1, density.length);
  context.fillStyle = `${ground.faint}88`;
  density.forEach((count, i) => {
    const height = (count / most) * (HEIGHT - 8);
    context.fillRect(i * step, HEIGHT - height, Math.max(1, step), height);
  });
  context.strokeStyle = seriesColor(theme.value, 0);
  context.lineWidth = 1.5;
  context.beginPath();
  cpu.forEach((share, i) => {
    const y = HEIGHT - 2 - Math.min(1, share) * (HEIGHT - 8);
    if (i === 0) context.moveTo(0, y);
    else context.lineTo((i + 0.5) * (width / cpu.length), y);
  });
  context.stroke();
  const xOf = (ns: number): number => ((ns - whole.beginNs) / (whole.endNs - whole.beginNs)) * width;
  context.fillStyle = ground.alarm;
  for (const [, , beginNs, endNs] of slowInstances.value) {
    context.fillRect(xOf(beginNs), 1, Math.max(3, xOf(endNs) - xOf(beginNs)), 4);
  }
  const { beginNs, endNs } = shown.value;
  const [from, to] = [xOf(beginNs), Math.max(xOf(beginNs) + 2, xOf(endNs))];
  context.fillStyle = `${ground.back}b0`;
  context.fillRect(0, 0, from, HEIGHT);
  context.fillRect(to, 0, width - to, HEIGHT);
  context.strokeStyle = ground.accent;
  context.lineWidth = 1.5;
  context.strokeRect(from + 0.75, 0.75, Math.max(1, to - from - 1.5), HEIGHT - 1.5);
}
