/**
 * Where threads' time went, as collapsed stacks (`a;b;c N`, Brendan Gregg's flamegraph.pl, speedscope, inferno): process,
 * thread, system call, what it did or waited for; N is whole microseconds.
 */
import { DOING_LABELS, DOINGS, Doing } from "../history/doing.js";
import { callName, isWait, targetName } from "../history/labels.js";
import type { Stretch } from "../history/pixels.js";
import type { StateRow } from "../history/state-row.js";
import type { TextSink } from "./text-sink.js";
import type { Timeline } from "./timeline.js";

/** Arguments of states are at least this. */
const LEAST_ARG = -1;

export function writeStacks({ history, range }: Timeline, out: TextSink): void {
  const sums = new Map<string, number>();
  const clean = (text: string) => text.replace(/[;\n]/g, ",").replace(/\s+/g, " ");
  const several = history.hosts.length > 1;
  for (const row of history.rows) {
    if (row.kind !== "thread") continue;
    const name = history.names[row.id]!;
    const frames = [`${name.process || "?"}`, `${name.label || "?"} (${name.tid})`];
    if (several) frames.unshift(history.hosts[row.host] ?? "");
    for (const [key, ns] of sumsOf(row, history.untilNs, range)) {
      const arg = Math.floor(key / DOINGS) + LEAST_ARG;
      const doing = (key % DOINGS) as Doing;
      const parts = [callName(history, doing, arg), DOING_LABELS[doing], targetName(history, doing, arg)];
      const stack = [...frames, ...parts.filter((part) => part !== "")].map(clean).join(";");
      sums.set(stack, (sums.get(stack) ?? 0) + ns);
    }
  }
  for (const [key, ns] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const us = Math.round(ns / 1000);
    if (us > 0) out.write(`${key} ${us}\n`);
  }
}

/** Nanoseconds by what was done: texts are made once for all states that are alike. */
function sumsOf(row: StateRow, untilNs: number, range: Stretch): Map<number, number> {
  const sums = new Map<number, number>();
  for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
    const beginNs = row.ns[i]!;
    if (beginNs > range.endNs) break;
    const doing = row.doing[i]!;
    const ns = Math.min(row.endOf(i, untilNs), range.endNs) - Math.max(beginNs, range.beginNs);
    if (doing <= Doing.unknown || !(ns > 0)) continue;
    // The CPU that is waited for, and which interrupt it was, make no difference.
    const arg = doing === Doing.syscall || isWait(doing as Doing) ? row.arg[i]! : LEAST_ARG;
    const key = (arg - LEAST_ARG) * DOINGS + doing;
    sums.set(key, (sums.get(key) ?? 0) + ns);
  }
  return sums;
}
