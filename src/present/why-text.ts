/** Explanations as a person on call reads them: one paragraph per cause, then what it rests on. */
import { formatCount, formatDuration, formatPercent } from "../base/format.js";
import type { PartInfo } from "../explain/summary.js";
import type { CauseGroup, PeriodWhy, Usual } from "../explain/why.js";
import { fit, pad, paint, type TextOptions, textWidth, wrap } from "./text.js";
import { waterfallText } from "./waterfall-text.js";
import {
  type Clock,
  comparison,
  evidenceText,
  groupParagraph,
  groupTitle,
  headline,
  normParagraphs,
  resourceText,
  usualPart,
  worstText,
} from "./why-words.js";

export interface WhyTextOptions extends TextOptions {
  readonly clock: Clock;
  /** Commands that show more of an instance. */
  readonly more: (path: string, instance: number) => readonly string[];
  /** With the host's name, where there are several. */
  readonly hosts: boolean;
}

const MOST_PHASES = 14;

function partsTable(
  parts: readonly PartInfo[],
  usual: Usual | undefined,
  wholeNs: number,
  width: number,
): string[] {
  const rows = parts.filter(({ ns }, i) => i < 7 && ns > 0.005 * wholeNs);
  const label = Math.min(44, Math.max(...rows.map((part) => textWidth(resourceText(part))), 8));
  return rows.map((part) => {
    const same = usual === undefined ? undefined : usualPart(part, usual);
    return fit(
      `    ${pad(fit(resourceText(part), label), label, "left")}  ${pad(formatDuration(part.ns), 8, "right")} ${pad(formatPercent(part.ns / wholeNs), 7, "right")}` +
        (usual === undefined ? "" : `   usually ${same === undefined ? "none" : formatDuration(same.ns)}`),
      width,
    );
  });
}

export function whyText(why: PeriodWhy, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const out: string[] = wrap(headline(why), width);
  if (why.verdict !== "outliers") return [...out, "", ...normText(why, options)];
  for (const [i, group] of why.groups.entries()) out.push("", ...groupText(why, group, i + 1, options));
  const compared = comparison(why, clock).flatMap((paragraph) => wrap(paragraph, width));
  return compared.length === 0 ? out : [...out, "", ...compared];
}

function groupText(why: PeriodWhy, group: CauseGroup, number: number, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const title = wrap(`${number}. ${groupTitle(group)}`, width).map((line) => paint(line, "bold", options));
  const paragraph = wrap(groupParagraph(group, clock), width - 3).map((line) => `   ${line}`);
  const { summary, waterfall } = group.instances[0]!;
  const out = [...title, "", ...paragraph, "", fit(`   ${worstText(group)}`, width)];
  out.push(...partsTable(summary.parts, why.usual, summary.durationNs, width));
  if (waterfall.length > 1) {
    out.push("", "   Its phases:");
    const lines = waterfallText(waterfall.slice(0, MOST_PHASES), { width: width - 2 });
    out.push(...lines.map((line) => `  ${line}`));
  }
  if (group.evidence.length > 0) {
    out.push("", "   Event records that decide:");
    for (const one of group.evidence) out.push(fit(`    ${evidenceText(one, clock, options.hosts)}`, width));
  }
  const more = options.more(why.path, summary.number);
  return more.length === 0 ? out : [...out, "", "   To see more:", ...more.map((line) => `    ${line}`)];
}

function normText(why: PeriodWhy, options: WhyTextOptions): string[] {
  const { width, clock } = options;
  const [verdict, ...rest] = normParagraphs(why, clock).map((paragraph) => wrap(paragraph, width));
  const out = verdict!.map((line) => paint(line, "bold", options));
  if (why.verdict === "norm") out.push("");
  out.push(...rest.flat());
  if (why.usual === undefined) return out;
  out.push("", `Where the time goes (mean of ${formatCount(why.usual.instances)}):`);
  return [...out, ...partsTable(why.usual.parts, undefined, why.usual.meanNs, width)];
}
