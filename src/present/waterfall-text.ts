/** Waterfalls as text: time runs to the right, a line per instance. */
import type { WaterfallLine } from "../analyses/waterfall.js";
import { formatDuration } from "../base/format.js";
import { fit, pad, type TextOptions, textWidth } from "./text.js";

const LEAST_BAR = 16;
const SHADES = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/** Name of a line: the last part of its path, below its parent. */
function labelOf({ path, depth, count, open }: WaterfallLine): string {
  const name = path === "" ? "(unnamed)" : path.slice(path.lastIndexOf("/") + 1);
  return `${"  ".repeat(depth)}${name}${count > 1 ? ` ×${count}` : ""}${open ? " (open)" : ""}`;
}

/** One bar where its time is; of many, each cell is as full as they fill it. */
function track(line: WaterfallLine, wholeNs: number, width: number): string {
  const covered = new Array<number>(width).fill(0);
  const scale = wholeNs > 0 ? width / wholeNs : 0;
  for (const { offsetNs, durationNs } of line.segments) {
    const from = Math.min(width - 0.125, offsetNs * scale);
    // What is too short to be seen is seen all the same.
    const to = Math.min(width, Math.max(from + 0.125, (offsetNs + durationNs) * scale));
    for (let cell = Math.floor(from); cell < to; cell++) {
      covered[cell]! += Math.min(to, cell + 1) - Math.max(from, cell);
    }
  }
  return covered.map((share) => SHADES[Math.min(8, Math.ceil(share * 8))] || " ").join("");
}

/** The lines of one waterfall. */
export function waterfallText(
  lines: readonly WaterfallLine[],
  options: Pick<TextOptions, "width">,
): string[] {
  const wholeNs = lines[0]!.totalNs;
  const labels = lines.map(labelOf);
  const durations = lines.map(({ totalNs }) => formatDuration(totalNs));
  const shares = lines.map(({ totalNs }) =>
    wholeNs > 0 ? `${Math.round((totalNs * 100) / wholeNs)} %` : "",
  );
  const right = Math.max(...durations.map(textWidth));
  const share = Math.max(...shares.map(textWidth));
  const room = options.width - 2 - right - share - 6 - LEAST_BAR;
  const label = Math.min(Math.max(8, room), Math.max(...labels.map(textWidth)));
  const width = Math.max(LEAST_BAR, options.width - 2 - label - right - share - 6);
  return lines.map((line, i) =>
    [
      `  ${pad(fit(labels[i]!, label), label, "left")}`,
      track(line, wholeNs, width),
      pad(durations[i]!, right, "right"),
      pad(shares[i]!, share, "right"),
    ].join("  "),
  );
}
