/**
 * The periods of the report as HTML: a scatter plot of instances over time, each dot a link to its waterfall. No
 * script: the waterfall that the address names (`:target`) is shown.
 */
import type { PeriodPoint, PeriodRoot, PeriodSection } from "../analyses/report-periods.js";
import type { WaterfallLine } from "../analyses/waterfall.js";
import { formatCount, formatDuration } from "../base/format.js";

export const PERIODS_STYLE = `
.dot{fill:var(--blue);fill-opacity:.75}.dot.out{fill:var(--red);fill-opacity:1}a:focus .dot,a:hover .dot{stroke:var(--fg);stroke-width:2}
.fence{stroke:var(--orange);stroke-dasharray:5 4}
.fall{display:none;scroll-margin-top:22rem;background:var(--card);border:1px solid var(--line);border-radius:4px;padding:.5rem .75rem;margin:.4rem 0}
.fall.first,.fall:target{display:block}.falls:has(.fall:target) .fall.first:not(:target){display:none}
.track{fill:var(--grid)}.span{fill:var(--blue)}.span.d0{fill:var(--dim)}.span.d2{fill:var(--blue-soft)}
`;

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 64;

export interface Drawing {
  readonly escape: (text: string) => string;
  /** Moment in words. */
  readonly moment: (ns: number) => string;
  /** Horizontal position of a moment, and the labels of its axis. */
  readonly axis: (left: number, width: number, height: number) => { x: (ns: number) => number; axis: string };
}

/** Logarithmic from below the shortest to above the longest: outliers and the usual are both seen. */
function scale({ points }: PeriodRoot): { y: (ns: number) => number; grid: string } {
  const positive = points.map(({ durationNs }) => Math.max(1, durationNs));
  const low = Math.log10(Math.min(...positive)) - 0.1;
  const high = Math.log10(Math.max(...positive)) + 0.1;
  const y = (ns: number) => HEIGHT - ((Math.log10(Math.max(1, ns)) - low) / (high - low)) * HEIGHT;
  let grid = "";
  const steps = high - low > 3 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const step of steps) {
      const ns = step * 10 ** power;
      if (Math.log10(ns) < low || Math.log10(ns) > high) continue;
      const at = y(ns).toFixed(1);
      grid += `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${Number(at) + 4}" text-anchor="end">${formatDuration(ns)}</text>`;
    }
  }
  return { y, grid };
}

function scatter(root: PeriodRoot, index: number, draw: Drawing): string {
  const { y, grid } = scale(root);
  const { x, axis } = draw.axis(LEFT, WIDTH - LEFT - 10, HEIGHT);
  const fence =
    root.outlierNs === null || root.outliers === 0
      ? ""
      : `<line class="fence" x1="${LEFT}" x2="${WIDTH}" y1="${y(root.outlierNs).toFixed(1)}" y2="${y(root.outlierNs).toFixed(1)}"/>`;
  const dots = root.points.map((point, i) => {
    const title = `${draw.moment(point.beginNs)}: ${formatDuration(point.durationNs)}${point.captures === "" ? "" : ` (${point.captures})`}`;
    const dot = `<circle class="dot${point.outlier ? " out" : ""}" cx="${x(point.beginNs).toFixed(1)}" cy="${y(point.durationNs).toFixed(1)}" r="${point.outlier ? 6 : 4}"><title>${draw.escape(title)}</title></circle>`;
    return point.lines.length === 0 ? dot : `<a href="#p${index}-${i}">${dot}</a>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT + 22}" role="img" aria-label="${draw.escape(`${root.name}: durations over time`)}">${axis}${grid}${fence}${dots.join("")}</svg>`;
}

function waterfall(lines: readonly WaterfallLine[], draw: Drawing): string {
  const row = 20;
  const label = 220;
  const right = 130;
  const width = WIDTH - label - right;
  const whole = Math.max(1, lines[0]!.totalNs);
  const rows = lines.map((line, i) => {
    const at = i * row;
    const name = line.path.slice(line.path.lastIndexOf("/") + 1) || "(unnamed)";
    const text = `${name}${line.count > 1 ? ` ×${line.count}` : ""}${line.open ? " (open)" : ""}`;
    const spans = line.segments.map(({ offsetNs, durationNs }) => {
      const from = label + (offsetNs / whole) * width;
      const length = Math.max(1, (durationNs / whole) * width);
      return `<rect class="span d${Math.min(2, line.depth)}" x="${from.toFixed(1)}" y="${at + 4}" width="${length.toFixed(1)}" height="${row - 8}"/>`;
    });
    const share = `${formatDuration(line.totalNs)}  ${Math.round((line.totalNs * 100) / whole)} %`;
    return `<text x="${line.depth * 14}" y="${at + 14}">${draw.escape(text)}</text><rect class="track" x="${label}" y="${at + 9}" width="${width}" height="1"/>${spans.join("")}<text x="${WIDTH}" y="${at + 14}" text-anchor="end">${share}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${lines.length * row}" role="img" aria-label="Waterfall">${rows.join("")}</svg>`;
}

function fall(point: PeriodPoint, id: string, first: boolean, name: string, draw: Drawing): string {
  const captures = point.captures === "" ? "" : ` <span class="dim">${draw.escape(point.captures)}</span>`;
  const marks = `${point.outlier ? ", an outlier" : ""}${point.uncertain ? ", event records were lost" : ""}`;
  return `<div class="fall${first ? " first" : ""}" id="${id}"><b>${draw.escape(name)}</b> at ${draw.escape(draw.moment(point.beginNs))}, ${formatDuration(point.durationNs)}${marks}${captures}${waterfall(point.lines, draw)}</div>`;
}

function rootHtml(root: PeriodRoot, index: number, draw: Drawing): string {
  const { stats, points, outlierNs, outliers, open } = root;
  const facts = [
    `${formatCount(stats.count)} instances`,
    `p50 ${formatDuration(stats.p50Ns)}`,
    `p99 ${formatDuration(stats.p99Ns)}`,
    `longest ${formatDuration(stats.maxNs)}`,
    ...(outliers > 0 && outlierNs !== null
      ? [`${formatCount(outliers)} outliers above ${formatDuration(outlierNs)}`]
      : outlierNs === null
        ? []
        : ["no outliers"]),
    ...(open > 0 ? [`${formatCount(open)} did not end as defined`] : []),
  ];
  const longest = points.reduce((most, point) => (point.durationNs > most.durationNs ? point : most));
  const falls = points.map((point, i) =>
    point.lines.length === 0 ? "" : fall(point, `p${index}-${i}`, point === longest, root.name, draw),
  );
  const head = `<h3>${draw.escape(root.name)}</h3><p class="dim">${draw.escape(facts.join(", "))}. A dot is an instance; click it for its waterfall.</p>`;
  return `${head}${scatter(root, index, draw)}<div class="falls">${falls.join("\n")}</div>`;
}

export function periodsHtml(section: PeriodSection, draw: Drawing): string {
  return section.roots
    .filter(({ points }) => points.length > 0)
    .map((root, i) => rootHtml(root, i, draw))
    .join("\n");
}
