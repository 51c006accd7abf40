/** Words for states: what is written on them, and what a reader wants to know of a moment. */

import { lowerBound } from "../base/columns.js";
import { formatDuration } from "../base/format.js";
import { softirqName } from "../kernel/names.js";
import { DOING_LABELS, Doing, WAITS } from "./doing.js";
import { CALL_BITS, type History } from "./history.js";

const WAIT_BITS = WAITS.reduce<number>((bits, doing) => bits | (1 << doing), 0);

export function isWait(doing: Doing): boolean {
  return ((WAIT_BITS >> doing) & 1) !== 0;
}

/** `mysqld (565)` */
export function threadName(history: History, row: number): string {
  const name = history.names[row];
  return name === undefined ? "?" : `${name.label || "?"} (${name.tid})`;
}

/** Name of the system call of a wait or call state; "" none. */
export function callName(history: History, doing: Doing, arg: number): string {
  if (doing === Doing.syscall) return history.syscallNames[arg] ?? "";
  if (!isWait(doing)) return "";
  const call = (arg & (2 ** CALL_BITS - 1)) - 1;
  return call < 0 ? "" : (history.syscallNames[call] ?? "");
}

/** What a wait was for, by name; "" not known. */
export function targetName(history: History, doing: Doing, arg: number): string {
  return isWait(doing) ? (history.targets[arg >>> CALL_BITS] ?? "") : "";
}

/** What is written on a state of row `row`. */
export function stateLabel(history: History, row: number, doing: Doing, arg: number): string {
  const { kind, host } = history.rows[row]!;
  if (kind === "disk") return doing === Doing.busy ? `${arg}` : "";
  if (doing === Doing.irq) {
    if (arg < 0) return "hrtimer";
    return `${arg} ${history.irqNames.get(`${host} ${arg}`) ?? ""}`.trimEnd();
  }
  if (doing === Doing.softirq) return softirqName(arg);
  if (kind === "cpu")
    return doing === Doing.user || doing === Doing.syscall ? (history.names[arg]?.label ?? "") : "";
  if (doing === Doing.runnable) return arg < 0 ? "" : `CPU ${arg}`;
  const call = callName(history, doing, arg);
  const target = targetName(history, doing, arg);
  return target === "" ? call : `${call} ${target}`.trim();
}

export interface MomentDetails {
  readonly row: number;
  readonly beginNs: number;
  readonly endNs: number;
  readonly doing: Doing;
  readonly label: string;
  readonly details: readonly (readonly [name: string, value: string])[];
  /** The row that goes with it: of the thread on a CPU, of the waker; -1 none. */
  readonly other: number;
}

/** All that is known of a row at a moment; undefined: nothing. */
export function momentOf(history: History, rowId: number, ns: number): MomentDetails | undefined {
  const row = history.rows[rowId];
  if (row === undefined) return undefined;
  const index = row.indexAt(ns);
  if (index < 0) return undefined;
  const doing = row.doing[index] as Doing;
  const arg = row.arg[index]!;
  const beginNs = row.ns[index]!;
  const endNs = row.endOf(index, history.untilNs);
  const details: [string, string][] = [];
  let other = -1;
  if (row.kind === "cpu" && (doing === Doing.user || doing === Doing.syscall)) {
    other = arg;
    details.push(["runs", threadName(history, arg)]);
    const thread = history.rows[arg]!;
    const at = thread.indexAt(Math.max(beginNs, ns));
    const call = at < 0 ? "" : callName(history, thread.doing[at] as Doing, thread.arg[at]!);
    if (call !== "") details.push(["system call", call]);
  }
  if (row.kind === "thread") {
    const call = callName(history, doing, arg);
    if (call !== "") details.push(["system call", call]);
    const target = targetName(history, doing, arg);
    if (target !== "") details.push(["waits for", target]);
    if (doing === Doing.runnable && arg >= 0) {
      details.push(["queued on", `CPU ${arg}`]);
      other = runningInstead(history, row.host, arg, ns);
      if (other >= 0) details.push(["CPU taken by", threadName(history, other)]);
    }
    if (isWait(doing)) {
      other = wakerAt(history, rowId, endNs);
      if (other >= 0) details.push(["woken by", threadName(history, other)]);
    }
  }
  if (doing === Doing.irq || doing === Doing.softirq) {
    details.push([DOING_LABELS[doing], stateLabel(history, rowId, doing, arg)]);
  }
  if (row.kind === "disk" && doing === Doing.busy) details.push(["requests under way", `${arg}`]);
  details.push(["for", formatDuration(endNs - beginNs)]);
  const label = stateLabel(history, rowId, doing, arg);
  return { row: rowId, beginNs, endNs, doing, label, details, other };
}

/** Row of the thread that woke `row` at `ns`; -1: an interrupt did, or nobody knows. */
export function wakerAt(history: History, row: number, ns: number): number {
  const { wakes } = history.tables;
  const { of, length } = wakes;
  for (let i = lowerBound(of.ns, length, ns); i < length && of.ns[i] === ns; i++) {
    if (of.to[i] === row) return of.from[i]!;
  }
  return -1;
}

/** Row of the thread that a CPU runs at `ns`, though an interrupt may have it for the moment; -1 none. */
export function runningInstead(history: History, host: number, cpu: number, ns: number): number {
  for (const row of history.rows) {
    if (row.kind !== "cpu" || row.host !== host || history.names[row.id]!.tid !== cpu) continue;
    let index = row.indexAt(ns);
    while (index >= 0 && (row.doing[index] === Doing.irq || row.doing[index] === Doing.softirq)) index--;
    const doing = index < 0 ? Doing.none : (row.doing[index] as Doing);
    return doing === Doing.user || doing === Doing.syscall ? row.arg[index]! : -1;
  }
  return -1;
}
