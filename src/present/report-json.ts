/**
 * The report as plain JSON data: the sections as they are, units in the names. Moments (`beginNs`, `endNs`) are
 * ns after `machine.originEpochNs`; exact epoch times are given beside those of the machine, as text since they do
 * not fit a JSON number.
 */

import type { Report } from "../analyses/report.js";

/** Raised when a field is renamed, removed or changes its meaning. */
export const REPORT_JSON_VERSION = 1;

export function reportToJson(report: Report): unknown {
  const origin = BigInt(report.machine.originEpochNs);
  const epoch = (ns: number) => (origin + BigInt(Math.round(ns))).toString();
  return {
    format: "periscope-report",
    version: REPORT_JSON_VERSION,
    ...report,
    machine: {
      ...report.machine,
      beginEpochNs: epoch(report.machine.beginNs),
      endEpochNs: epoch(report.machine.endNs),
    },
    waits: {
      ...report.waits,
      longest: report.waits.longest.map((w) => ({ ...w, beginEpochNs: epoch(w.beginNs) })),
    },
  };
}
