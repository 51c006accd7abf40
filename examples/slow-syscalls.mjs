// The ten slowest system calls of a kernel trace: who, which, how long.
// Usage: node examples/slow-syscalls.mjs [PATH...]
import { open } from "periscope";

const paths = process.argv.slice(2);
const trace = open(paths.length > 0 ? paths : "samples/dns-outlier");
const started = new Map();
const slowest = [];

for (const event of trace.events({
  names: ["syscall_entry_*", "syscall_exit_*"],
  fields: ["tid", "procname"],
})) {
  const { tid, procname } = event.fields;
  if (event.name.startsWith("syscall_entry_")) {
    started.set(tid, event.timestamp);
  } else if (started.has(tid)) {
    const name = event.name.slice("syscall_exit_".length);
    slowest.push({ name, procname, tid, ns: event.timestamp - started.get(tid) });
    started.delete(tid);
    if (slowest.length > 1000) keepTen();
  }
}
keepTen();
for (const { name, procname, tid, ns } of slowest) {
  console.log(`${(Number(ns) / 1e6).toFixed(3).padStart(12)} ms  ${name} in ${procname} (${tid})`);
}

function keepTen() {
  slowest.sort((a, b) => Number(b.ns - a.ns)).splice(10);
}
