/** Explanations in the report's page: per cause a paragraph, where the time went, and what that rests on. */
import { formatDuration, formatPercent } from "../base/format.js";
import type { PartInfo } from "../explain/summary.js";
import type { CauseGroup, PeriodWhy, Usual, Why } from "../explain/why.js";
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

export interface WhyHtmlOptions {
  readonly escape: (text: string) => string;
  readonly clock: Clock;
}

function partsHtml(
  parts: readonly PartInfo[],
  usual: Usual | undefined,
  wholeNs: number,
  draw: WhyHtmlOptions,
): string {
  const rows = parts
    .filter(({ ns }, i) => i < 8 && ns > 0.005 * wholeNs)
    .map((part) => {
      const same = usual === undefined ? undefined : usualPart(part, usual);
      const usually =
        usual === undefined
          ? ""
          : `<td class="n">${same === undefined ? "none" : formatDuration(same.ns)}</td>`;
      return `<tr><td>${draw.escape(resourceText(part))}</td><td class="n">${formatDuration(part.ns)}</td><td class="n">${formatPercent(part.ns / wholeNs)}</td>${usually}</tr>`;
    });
  const last = usual === undefined ? "" : '<th scope="col" class="n">usually</th>';
  return `<div class="scroll"><table><thead><tr><th scope="col">time went to</th><th scope="col" class="n">time</th><th scope="col" class="n">share</th>${last}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function groupHtml(why: PeriodWhy, group: CauseGroup, draw: WhyHtmlOptions): string {
  const { clock } = draw;
  const { summary } = group.instances[0]!;
  const records = group.evidence.map((one) => evidenceText(one, clock, false));
  const evidence =
    records.length === 0
      ? ""
      : `<details><summary>Event records that decide</summary><pre class="scroll">${draw.escape(records.join("\n"))}</pre></details>`;
  return `<h4>${draw.escape(groupTitle(group))}</h4><p>${draw.escape(groupParagraph(group, clock))}</p><p class="dim">${draw.escape(worstText(group))}</p>${partsHtml(summary.parts, why.usual, summary.durationNs, draw)}${evidence}`;
}

function periodHtml(why: PeriodWhy, draw: WhyHtmlOptions): string {
  const { clock } = draw;
  const paragraph = (text: string) => `<p>${draw.escape(text)}</p>`;
  const head = `<h3>${draw.escape(why.path)}</h3>${paragraph(headline(why))}`;
  if (why.verdict === "outliers") {
    return (
      head +
      why.groups.map((group) => groupHtml(why, group, draw)).join("\n") +
      comparison(why, clock).map(paragraph).join("")
    );
  }
  const parts = why.usual === undefined ? "" : partsHtml(why.usual.parts, undefined, why.usual.meanNs, draw);
  return head + normParagraphs(why, clock).map(paragraph).join("") + parts;
}

export function whyHtml(why: Why, draw: WhyHtmlOptions): string {
  return why.periods.map((one) => periodHtml(one, draw)).join("\n");
}
