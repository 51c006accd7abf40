// Every request of a web server, with what its worker did: how long, how much CPU, which call took most of it.
//
//   node examples/requests.mjs [PATH]
import { analyze } from "periscope";

const path = process.argv[2] ?? "samples/dns-outlier";
const request =
  'request : $evt.$name == "syscall_exit_accept4" && $evt.$procname == "apache2" : $evt.$name == "syscall_entry_close" && $evt.$pid == $begin.$evt.$pid && $evt.fd == $begin.$evt.ret';

const { list } = analyze(path, ["cputop", "syscallstats"], {
  periods: [request],
  captures: ["request : pid = $evt.$pid"],
  perPeriod: true,
});
for (const { period, results, beginNs, endNs } of list) {
  if (!period.completed) continue;
  const [cpu, calls] = results.map(({ result }) => result);
  const pid = period.beginCaptures[0].value;
  const used = cpu.threads.find(({ thread }) => thread.tid === pid)?.usage ?? 0;
  const mine = calls.threads.find(({ thread }) => thread.tid === pid);
  // The accept that began the request is counted in it, as the call that it is: it waited for the client.
  const longest = mine?.calls
    .filter(({ name }) => name !== "accept4")
    .reduce((a, b) => (b.stats.totalNs > a.stats.totalNs ? b : a));
  const call = longest ? `${longest.name} ${(longest.stats.totalNs / 1e6).toFixed(1)} ms` : "no calls";
  console.log(
    `${((endNs - beginNs) / 1e6).toFixed(1)} ms  pid ${pid}  ${(used * 100).toFixed(1)} % CPU  ${call}`,
  );
}
