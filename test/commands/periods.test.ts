// The period commands and profiles as users call them, on real traces.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { babeltrace2, needs, periscope, root, sample, sharedTrace } from "../support.js";
import { wordpress } from "../wordpress.js";

const dns = sample("dns-outlier");
const case2 = sharedTrace("case2-xz-outlier");
const case4 = sharedTrace("case4-coredump-outlier");

/** As it was typed in the talk; see ../shared/spec/talk-commands.md. */
const TALK = [
  "--period",
  'request : $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_close" && $evt.fd == $begin.$evt.ret',
  "--period-captures",
  "request : worker_pid = $evt.pid, client_skt_fd = $evt.ret",
  "--period",
  'url_rewrite(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_newstat" && $evt.filename == "/var/www/html/wordpress/index.php"',
  "--period",
  'before_db_connect(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_newstat" && $evt.filename == "/var/www/html/wordpress/index.php" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_connect" && $evt.dport == 3306',
  "--period-aggregate",
  "url_rewrite, before_db_connect",
  "--period-aggregate-by",
  "request",
  "--period-group-by",
  "request.worker_pid",
];

function ok(args: readonly string[]): string {
  const { code, stdout, stderr } = periscope(args);
  assert.equal(code, 0, stderr);
  return Buffer.from(stdout, "latin1").toString();
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of any command
const json = (args: readonly string[]): any => JSON.parse(ok([...args, "--json"]));

test("the talk's nested command line runs as it was typed", { skip: needs(case4) }, () => {
  const { result } = json(["periodlog", ...TALK, case4!]).slices[0];
  assert.deepEqual(
    result.counts.map((one: { path: string; begun: number; completed: number }) => [
      one.path,
      one.begun,
      one.completed,
    ]),
    // The script lies elsewhere here, so that the first phase has no end and the second no begin.
    [
      ["request", 30, 30],
      ["request/url_rewrite", 30, 0],
      ["request/before_db_connect", 0, 0],
    ],
  );
  const text = ok(["periodlog", "--top", "--freq", "--stats", ...TALK, case4!]);
  assert.match(text, /Period top/);
  assert.match(text, /before_db_connect: its begin expression was never true/);
});

test("aggregated by parent, a group per captured value; each child once", { skip: needs(case4) }, () => {
  const args = [
    "periodlog",
    ...wordpress(),
    "--select",
    "db_queries, rendering",
    "--aggregate-by",
    "request",
  ];
  const { result } = json([...args, "--group-by", "request.worker_pid", case4!]).slices[0];
  assert.equal(result.aggregated.length, 60);
  const groups = new Set(result.aggregated.map(({ group }: { group: string }) => group));
  assert.ok(
    groups.size > 3 && [...groups].every((group) => /^request\.worker_pid = \d+$/.test(String(group))),
  );
  const text = ok([...args, case4!]);
  assert.match(text, /Aggregated by request/);
  assert.match(text, /Children of request/);
});

test("waterfalls: children under parents, to scale", { skip: needs(case4) }, () => {
  const lines = ok(["periodtop", ...wordpress(), "--waterfall", "--limit", "1", "--width", "80", case4!])
    .split("\n")
    .slice(-7, -1);
  assert.match(lines[1]!, /^ {2}request {9,}█+ {3}9\.28 s {2}100 %$/);
  assert.ok(lines.every((line) => [...line].length <= 80));
  const bar = (line: string): [number, number] => [
    line.search(/[█-▏]/),
    line.trimEnd().split(/[█-▏]/).length - 1,
  ];
  const [from, length] = bar(lines[4]!);
  const [rootFrom, rootLength] = bar(lines[1]!);
  // db_queries: 9.14 s of 9.28 s, from its begin on.
  assert.ok(from - rootFrom <= 1 && rootLength - length <= 2, lines.join("\n"));
});

test("any analysis by period: a slice for each instance, the begin counted, the end not", {
  skip: needs(case4),
}, () => {
  const { slices } = json(["cputop", ...wordpress().slice(0, 2), case4!]);
  assert.equal(slices.length, 30);
  for (const slice of slices) {
    const { result, beginNs, endNs, period } = slice;
    assert.equal(period.completed, true);
    assert.equal(result.durationNs, endNs - beginNs);
    const busy = result.cpus.reduce((sum: number, cpu: { usage: number }) => sum + cpu.usage, 0);
    const run = result.threads.reduce((sum: number, thread: { runNs: number }) => sum + thread.runNs, 0);
    // Ten threads are told: they have most of the time, and never more than the CPUs.
    assert.ok(run <= busy * result.durationNs + 1 && run > 0.8 * busy * result.durationNs);
  }
  // The same as a time range says.
  const [first] = slices;
  const range = `[${BigInt(first.beginEpochNs)},${BigInt(first.endEpochNs) - 1n}]`;
  const alone = json(["syscallstats", "--timerange", range, case4!]).slices[0].result.count;
  const { slices: calls } = json(["syscallstats", ...wordpress().slice(0, 2), case4!]);
  assert.equal(calls[0].result.count, alone);
});

test("one line for each instance", { skip: needs(case4) }, () => {
  for (const command of [
    "cputop",
    "schedtop",
    "syscallstats",
    "iolatencystats",
    "irqstats",
    "futextop",
    "all",
  ]) {
    const lines = ok([command, "--per-period", ...wordpress().slice(0, 2), case4!])
      .trimEnd()
      .split("\n");
    assert.equal(lines.length, 33, command);
  }
});

test("every profile that comes with Periscope can be read, and fits where its service ran", {
  skip: needs(case2, case4),
}, () => {
  const names = readdirSync(join(root, "profiles")).filter((name) => name.endsWith(".yaml"));
  const fits = (trace: string) =>
    Object.fromEntries(
      json(["periods", trace]).map(
        (one: { profile: string; fits: boolean; roots: { stats: { count: number } }[] }) => [
          one.profile,
          one.fits ? one.roots[0]!.stats.count : 0,
        ],
      ),
    );
  const found = fits(case2!);
  assert.deepEqual(Object.keys(found).sort(), names.map((name) => name.replace(".yaml", "")).sort());
  assert.deepEqual(
    [found["apache-php-mysql"], found["cron-job"], found["nginx"], found["postgresql"], found["redis"]],
    [40, 2, 0, 0, 0],
  );
  assert.equal(fits(case4!)["apache-php-mysql"], 30);
  assert.match(ok(["periods", case2!]), /These do not:\n\n(.*\n)* {2}redis +no process redis-server ran/);
});

test("nginx, PostgreSQL and Redis: as many requests as their clients made", () => {
  const found = (name: string): Record<string, number> =>
    Object.fromEntries(
      json(["periodstats", "--profile", name, sample(name)]).slices[0].result.counts.map(
        ({ path, completed }: { path: string; completed: number }) => [path, completed],
      ),
    );
  // See samples/README.md for what was asked of them.
  assert.equal(found("redis")["command"], 81);
  const nginx = found("nginx");
  assert.deepEqual([nginx["connection"], nginx["connection/request"]], [32, 59]);
  assert.equal(found("postgresql")["query"], 51);
});

test("what they find is what babeltrace2's lines say", { skip: needs("babeltrace2") }, () => {
  const count = (name: string, pattern: RegExp) =>
    babeltrace2([sample(name)])
      .stdout.split("\n")
      .filter((line) => pattern.test(line)).length;
  // Every answer of Redis is one write, every answer of nginx begins with one writev; the first has no thread.
  assert.equal(count("redis", / syscall_entry_write: /), 81);
  assert.equal(count("nginx", / syscall_entry_writev: /), 60);
  assert.equal(count("nginx", / syscall_exit_accept4: .* ret = \d/), 33);
});

test("a profile's phases are those that the talk's definitions find", { skip: needs(case4) }, () => {
  const log = (args: string[]): Record<string, string[]> => {
    const rows: Record<string, string[]> = {};
    for (const row of json(["periodlog", ...args, case4!]).slices[0].result.log) {
      (rows[row.name] ??= []).push(`${row.beginNs} ${row.endNs}`);
    }
    return rows;
  };
  const theirs = log(wordpress());
  const ours = log(["--profile", "apache-php-mysql"]);
  for (const name of ["request", "url_rewrite", "before_db_connect", "db_queries", "rendering"]) {
    assert.deepEqual(ours[name], theirs[name], name);
  }
  assert.ok(ours["db_query"]!.length > 1000);
});

test("a profile of one's own, with parameters; errors name file, line and column", () => {
  const directory = mkdtempSync(join(tmpdir(), "periscope-profile-"));
  const path = join(directory, "mine.yaml");
  const good = `# mine
name: mine
description: polls
parameters:
  who: { default: nobody, description: name of the process }
periods:
  - name: poll
    begin: $evt.$name == "syscall_entry_poll" && $evt.$procname == "\${who}"
    end: $evt.$name == "syscall_exit_poll" && $evt.$tid == $begin.$evt.$tid
    captures: { ms: $evt.timeout_msecs }
`;
  writeFileSync(path, good);
  const count = (...args: string[]) =>
    json(["periodstats", "--profile", path, ...args, dns]).slices[0].result.counts[0].completed;
  assert.equal(count(), 0);
  assert.ok(count("--param", "who=apache2") > 10);
  const wrong = (text: string): string => {
    writeFileSync(path, text);
    const { code, stderr } = periscope(["periodstats", "--profile", path, dns]);
    assert.equal(code, 1);
    return stderr.split("\n")[0]!;
  };
  assert.equal(
    wrong(good.replace("captures:", "capture:")),
    `periscope: ${path}:10:5: a period has no "capture", did you mean "captures"?`,
  );
  assert.equal(
    wrong(good.replace("description: polls\n", "")),
    `periscope: ${path}:2:1: the profile: expected "description"`,
  );
  assert.match(wrong(good.replace("default: nobody", "default: [")), /mine\.yaml:\d+:\d+: /);
  assert.match(
    wrong(good.replace('== "syscall_entry_poll"', '= "syscall_entry_poll"')),
    /mine\.yaml:7:3: Malformed period definition expression: expected "==", found "="$/,
  );
});

test("profile new drafts a profile that finds the sample and its like", { skip: needs(case4) }, () => {
  const path = join(mkdtempSync(join(tmpdir(), "periscope-draft-")), "draft.yaml");
  // One request of worker 567, from the log of periods above.
  const range = ["--begin", "1795453564.948", "--end", "1795453565.4716152"];
  const { stderr, code } = periscope([
    "profile",
    "new",
    "mine",
    case4!,
    "--tid",
    "567",
    ...range,
    "-o",
    path,
  ]);
  assert.equal(code, 0, stderr);
  const { counts, log } = json(["periodlog", "--stats", "--profile", path, case4!]).slices[0].result;
  assert.equal(counts[0].completed, 30);
  assert.ok(
    log.some(
      (row: { name: string; durationNs: number }) => row.name === "mine" && row.durationNs === 523522475,
    ),
  );
  // Files that PHP keeps in its cache are looked at by some requests only.
  assert.ok(counts.length > 3 && counts.every((one: { completed: number }) => one.completed >= 10));
  assert.equal(periscope(["profile", "new", "mine", case4!, "--tid", "99999"]).code, 1);
  assert.equal(periscope(["profile", "new", "mine", case4!]).code, 2);
});

test("report: outliers, and the waterfall of any instance in the page", { skip: needs(case4) }, () => {
  const text = ok(["report", "--profile", "apache-php-mysql", case4!]);
  assert.match(text, /request ×30: p50 477 ms, p99 9\.28 s, longest 9\.28 s; 2 outliers above 954 ms/);
  const { periods } = json(["report", "--profile", "apache-php-mysql", case4!]);
  assert.deepEqual(
    periods.roots[0].points
      .filter(({ outlier }: { outlier: boolean }) => outlier)
      .map(({ captures }: { captures: string }) => captures),
    ["worker_pid = 564, client_fd = 11", "worker_pid = 565, client_fd = 11"],
  );
  const page = join(mkdtempSync(join(tmpdir(), "periscope-page-")), "page.html");
  ok(["report", "--profile", "apache-php-mysql", "--html", page, case4!]);
  const html = readFileSync(page, "utf8");
  assert.equal(html.match(/class="dot out"/g)?.length, 2);
  const links = [...html.matchAll(/<a href="#(p\d+-\d+)">/g)].map((match) => match[1]);
  assert.equal(links.length, 30);
  for (const link of links) assert.ok(html.includes(`id="${link}"`), link);
});

test("usage errors point at the place", () => {
  const error = (...args: string[]): string => {
    const { code, stderr } = periscope(["periodlog", ...args, dns]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.equal(
    error("--period", 'r : $evt.$name == "a" & $evt.b == 1'),
    'periscope: Malformed period definition expression: expected "&&"\n  r : $evt.$name == "a" & $evt.b == 1\n                        ^\n',
  );
  assert.match(error(), /expected --period 'NAME : BEGIN : END' \(or --profile NAME\)/);
  assert.match(error("--period", "r : $evt.a == 1", "--select", "q"), /--select: there is no period "q"/);
  assert.match(error("--period", "r : $evt.a == 1", "--group-by", "r"), /expected PERIOD\.CAPTURE/);
  assert.match(error("--period", "r : $evt.a == 1", "--refresh", "1s"), /--refresh cannot be used/);
  assert.match(error("--profile", "ngnix"), /did you mean "nginx"\?/);
});

test("old options still make a period, and say how it is written now", { skip: needs(case4) }, () => {
  const { stdout, stderr, code } = periscope([
    "periodstats",
    "--json",
    "--period-begin",
    "syscall_entry_poll",
    "--period-end",
    "syscall_exit_poll",
    "--period-begin-key",
    "tid,procname",
    "--period-key-value",
    "564,apache2",
    case4!,
  ]);
  assert.equal(code, 0);
  assert.match(stderr, /the same is --period ': \$evt\.\$name == "syscall_entry_poll" && \$evt\.tid == 564/);
  assert.ok(JSON.parse(stdout).slices[0].result.counts[0].completed > 100);
});

test("LAMI: results of the four commands validate, and their metadata are the reference's", {
  skip: needs(case4),
}, () => {
  for (const command of ["periodlog", "periodtop", "periodstats", "periodfreq"]) {
    const results = JSON.parse(ok([command, "--mi", ...wordpress(), case4!]));
    assert.ok(results.results.length > 0, command);
  }
});
