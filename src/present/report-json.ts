/**
 * The report as plain JSON data: the sections as they are, units in the names. Moments (`beginNs`, `endNs`) are
 * ns after `machine.originEpochNs`; exact epoch times are given beside those of the machine, as text since they do
 * not fit a JSON number.
 */

import type { Report } from "../analyses/report.js";
import type { Why } from "../explain/why.js";
import { whyJson } from "./why-json.js";

/** Raised when a field is renamed, removed or changes its meaning. */
export const REPORT_JSON_VERSION = 1;

/** `why`: explanations of the periods. */
export function reportToJson(report: Report, why?: Why): unknown {
  const origin = BigInt(report.machine.originEpochNs);
  const epoch = (ns: number) => (origin + BigInt(Math.round(ns))).toString();
  return {
    format: "periscope-report",
    version: REPORT_JSON_VERSION,
    ...report,
    ...(why === undefined ? {} : { why: whyJson(why) }),
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
