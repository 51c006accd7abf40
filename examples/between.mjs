// What one thread did between two moments, in order: reading starts near the first, not at the beginning.
// Usage: node examples/between.mjs [PATH [TID [BEGIN [END]]]]   (moments: UTC, like 2026-11-23T16:59:34.9Z)
import { open } from "periscope";

const [
  path = "samples/dns-outlier",
  tid = "668",
  begin = "2026-11-23T16:59:34.890Z",
  end = "2026-11-23T16:59:37.770Z",
] = process.argv.slice(2);
const trace = open(path);
let last;

for (const event of trace.events({ names: "syscall_*", begin, end })) {
  if (event.context.tid !== Number(tid)) continue;
  const gap = last === undefined ? 0n : event.timestamp - last;
  last = event.timestamp;
  const fields = Object.entries(event.fields).map(([name, value]) => `${name}=${value}`);
  console.log(`${event.timestamp}  +${gap} ns  ${event.name} ${fields.join(" ")}`);
}
