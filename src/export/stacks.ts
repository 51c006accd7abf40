/**
 * Where threads' time went, as collapsed stacks (`a;b;c N`, Brendan Gregg's flamegraph.pl, speedscope, inferno): process,
 * thread, system call, what it did or waited for; N is whole microseconds.
 */
import { DOING_LABELS, Doing } from "../history/doing.js";
import { callName, targetName } from "../history/labels.js";
import type { TextSink } from "./text-sink.js";
import type { Timeline } from "./timeline.js";

export function writeStacks({ history, range }: Timeline, out: TextSink): void {
  const sums = new Map<string, number>();
  const clean = (text: string) => text.replace(/[;\n]/g, ",").replace(/\s+/g, " ");
  const several = history.hosts.length > 1;
  for (const row of history.rows) {
    if (row.kind !== "thread") continue;
    const name = history.names[row.id]!;
    const frames = [`${name.process || "?"}`, `${name.label || "?"} (${name.tid})`];
    if (several) frames.unshift(history.hosts[row.host] ?? "");
    for (let i = Math.max(0, row.indexAt(range.beginNs)); i < row.length; i++) {
      const beginNs = row.ns[i]!;
      if (beginNs > range.endNs) break;
      const doing = row.doing[i] as Doing;
      const ns = Math.min(row.endOf(i, history.untilNs), range.endNs) - Math.max(beginNs, range.beginNs);
      if (doing <= Doing.unknown || !(ns > 0)) continue;
      const arg = row.arg[i]!;
      const parts = [callName(history, doing, arg), DOING_LABELS[doing], targetName(history, doing, arg)];
      const key = [...frames, ...parts.filter((part) => part !== "")].map(clean).join(";");
      sums.set(key, (sums.get(key) ?? 0) + ns);
    }
  }
  for (const [key, ns] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const us = Math.round(ns / 1000);
    if (us > 0) out.write(`${key} ${us}\n`);
  }
}
