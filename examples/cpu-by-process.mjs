// CPU time by process name, the fast way: a subscription decodes only the fields it names, into one record
// that is reused, and hands times over as plain numbers.
// Usage: node examples/cpu-by-process.mjs [PATH...]
import { open } from "periscope";

const paths = process.argv.slice(2);
const trace = open(paths.length > 0 ? paths : "samples/idle-small");
const usedNs = new Map();
const since = [];

trace.subscribe({
  matches: (event) => event.name === "sched_switch",
  fields: {
    prev: { from: "prev_comm", kind: "string" },
    prevTid: { from: "prev_tid", kind: "number" },
  },
  handle: (record) => {
    const began = since[record.cpu];
    since[record.cpu] = record.ns;
    if (began === undefined || record.prevTid === 0) return;
    usedNs.set(record.prev, (usedNs.get(record.prev) ?? 0) + record.ns - began);
  },
});
const { eventRecords } = trace.run();

console.log(`${eventRecords} event records`);
for (const [name, ns] of [...usedNs].sort((a, b) => b[1] - a[1]).slice(0, 10)) {
  console.log(`${(ns / 1e6).toFixed(3).padStart(12)} ms  ${name}`);
}
