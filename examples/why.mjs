// Why the slow requests of a web server were slow: one line per cause.
//
//   node examples/why.mjs [PATH]
import { why } from "periscope";

const path = process.argv[2] ?? "samples/dns-outlier";
const request =
  'request : $evt.$name == "syscall_exit_accept4" && $evt.$procname == "apache2" : $evt.$name == "syscall_entry_close" && $evt.$pid == $begin.$evt.$pid && $evt.fd == $begin.$evt.ret';

for (const { count, slow, groups } of why(path, { periods: [request] }).periods) {
  console.log(`${count} requests, ${slow} slow`);
  for (const { causes, instances, certainty } of groups) {
    const [main] = causes;
    const who = main.culprits[0]?.who.process ?? "";
    console.log(
      `${instances.length}: ${[main.kind, main.name, who].filter((word) => word !== "").join(" ")}, ` +
        `${(main.ns / 1e6).toFixed(0)} ms instead of ${(main.usualNs / 1e6).toFixed(0)} ms, certainty ${certainty.level}`,
    );
  }
}
