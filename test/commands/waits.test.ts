// Ten waits checked by hand: the event records that decide are written down as babeltrace2 prints them (GMT), what
// they mean is written beside them, and `periscope waits` must say the same.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { babeltrace2, needs, periscope, root, sharedTrace } from "../support.js";

interface HandChecked {
  readonly what: string;
  readonly trace: string;
  readonly tid: number;
  /** Time of day of its begin and end, GMT. */
  readonly begin: string;
  readonly end: string;
  /** Of the slice, in `waits --json`. */
  readonly expected: Readonly<Record<string, unknown>>;
  readonly by?: number;
  /** Event records, from their time on. */
  readonly records: readonly string[];
}

const HAND_CHECKED: readonly HandChecked[] = [
  {
    what: "a DNS server that does not answer: poll asks for 2500 ms, and a timer ends it",
    trace: "case3-dns-outlier",
    tid: 668,
    begin: "16:59:34.990892635",
    end: "16:59:37.490993949",
    expected: { kind: "network", syscall: "poll", target: "8.8.6.6:53", timeoutNs: 2.5e9, timedOut: true },
    records: [
      '[16:59:34.990649610] labvm syscall_entry_poll: { cpu_id = 0 }, { pid = 668, tid = 668, procname = "apache2" }, { timeout_msecs = 2500, nfds = 1,',
      '[16:59:34.990892635] labvm sched_switch: { cpu_id = 0 }, { pid = 668, tid = 668, procname = "apache2" }, { prev_comm = "apache2", prev_tid = 668, prev_prio = 20, prev_state = 1,',
      '[16:59:37.490993949] labvm sched_waking: { cpu_id = 0 }, { pid = 785, tid = 785, procname = "curl" }, { comm = "apache2", tid = 668,',
    ],
  },
  {
    what: "the database writes its log: the disk takes 2.8 s for 512 bytes",
    trace: "case4-coredump-outlier",
    tid: 555,
    begin: "17:06:24.315609043",
    end: "17:06:27.124913820",
    expected: { kind: "disk", syscall: "pwrite64", target: "/var/lib/mysql/ib_logfile0" },
    records: [
      '[17:06:24.314829577] labvm syscall_entry_pwrite64: { cpu_id = 1 }, { pid = 537, tid = 555, procname = "mariadbd" }, { fd = 11, buf = 131834046312448, count = 512,',
      '[17:06:24.315354409] labvm block_rq_issue: { cpu_id = 1 }, { pid = 537, tid = 555, procname = "mariadbd" }, { dev = 266338304, sector = 24404722, nr_sector = 1, bytes = 512,',
      '[17:06:24.315609043] labvm sched_switch: { cpu_id = 1 }, { pid = 537, tid = 555, procname = "mariadbd" }, { prev_comm = "mariadbd", prev_tid = 555, prev_prio = 20, prev_state = 2,',
      '[17:06:27.124893389] labvm block_rq_complete: { cpu_id = 1 }, { pid = 0, tid = 0, procname = "swapper/1" }, { dev = 266338304, sector = 24404722, nr_sector = 1,',
      '[17:06:27.124913820] labvm sched_waking: { cpu_id = 1 }, { pid = 0, tid = 0, procname = "swapper/1" }, { comm = "mariadbd", tid = 555,',
    ],
  },
  {
    what: "a worker writes its access log: the page is on its way to the disk, by a kernel worker's request",
    trace: "case4-coredump-outlier",
    tid: 564,
    begin: "17:06:19.150929760",
    end: "17:06:20.729900187",
    expected: { kind: "disk", syscall: "write", target: "/var/log/apache2/access.log" },
    records: [
      '[17:06:18.534514281] labvm block_rq_issue: { cpu_id = 1 }, { pid = 25, tid = 25, procname = "kworker/u4:1" }, { dev = 266338304, sector = 29952, nr_sector = 8,',
      '[17:06:19.150768587] labvm syscall_entry_write: { cpu_id = 1 }, { pid = 564, tid = 564, procname = "apache2" }, { fd = 8, buf = 140342159788448, count = 92 }',
      '[17:06:20.729885935] labvm block_rq_complete: { cpu_id = 1 }, { pid = 0, tid = 0, procname = "swapper/1" }, { dev = 266338304, sector = 29952, nr_sector = 8,',
      '[17:06:20.729900187] labvm sched_waking: { cpu_id = 1 }, { pid = 0, tid = 0, procname = "swapper/1" }, { comm = "apache2", tid = 564,',
    ],
  },
  {
    what: "preempted: others run for 82 ms on its CPU, xz last",
    trace: "case2-xz-outlier",
    tid: 267,
    begin: "17:05:02.641985639",
    end: "17:05:02.724484611",
    expected: { kind: "runnable" },
    records: [
      '[17:05:02.641985639] labvm sched_switch: { cpu_id = 1 }, { pid = 267, tid = 267, procname = "apache2" }, { prev_comm = "apache2", prev_tid = 267, prev_prio = 20, prev_state = 0,',
      '[17:05:02.724484611] labvm sched_switch: { cpu_id = 1 }, { pid = 394, tid = 399, procname = "xz" }, { prev_comm = "xz", prev_tid = 399, prev_prio = 20, prev_state = 0, next_comm = "apache2", next_tid = 267,',
    ],
  },
  {
    what: "tee reads a pipe, wc writes to it",
    trace: "idle-small",
    tid: 203,
    begin: "16:55:00.630700212",
    end: "16:55:01.572128711",
    expected: { kind: "pipe", syscall: "read", target: "pipe:[13054]" },
    by: 367,
    records: [
      '[16:55:00.630638359] labvm syscall_entry_read: { cpu_id = 0 }, { pid = 203, tid = 203, procname = "tee",',
      '[16:55:01.572128711] labvm sched_waking: { cpu_id = 0 }, { pid = 367, tid = 367, procname = "wc",',
    ],
  },
  {
    what: "a mutex: the janitor, which holds it, wakes by its own system call",
    trace: "lock",
    tid: 230,
    begin: "07:23:10.752887178",
    end: "07:23:11.238932796",
    expected: { kind: "lock", syscall: "futex" },
    by: 232,
    records: [
      '[07:23:10.752742298] labvm syscall_entry_futex: { cpu_id = 0 }, { pid = 230, tid = 230, procname = "service" }, { uaddr = 4973376, op = 128, val = 2,',
      '[07:23:10.752887178] labvm sched_switch: { cpu_id = 0 }, { pid = 230, tid = 230, procname = "service" }, { prev_comm = "service", prev_tid = 230, prev_prio = 20, prev_state = 1,',
      '[07:23:11.238932796] labvm sched_waking: { cpu_id = 1 }, { pid = 230, tid = 232, procname = "janitor" }, { comm = "service", tid = 230,',
    ],
  },
  {
    what: "a child: wait4 asks for 422, which wakes its parent when it ends",
    trace: "child",
    tid: 334,
    begin: "07:23:33.785940761",
    end: "07:23:39.296312478",
    expected: { kind: "child", syscall: "wait4" },
    by: 422,
    records: [
      '[07:23:33.785876391] labvm syscall_entry_wait4: { cpu_id = 0 }, { pid = 332, tid = 334, procname = "service" }, { upid = 422,',
      '[07:23:39.296312478] labvm sched_waking: { cpu_id = 0 }, { pid = 422, tid = 422, procname = "sh" }, { comm = "service", tid = 334,',
    ],
  },
  {
    what: "asleep: clock_nanosleep, ended on an idle CPU by an interrupt that is not recorded",
    trace: "remote",
    tid: 835,
    begin: "07:25:07.263844932",
    end: "07:25:07.864571811",
    expected: { kind: "timer", syscall: "clock_nanosleep" },
    records: [
      '[07:25:07.263731219] labvm syscall_entry_clock_nanosleep: { cpu_id = 0 }, { pid = 831, tid = 835, procname = "pricing" }, { which_clock = 0, flags = 0,',
      '[07:25:07.864571811] labvm sched_waking: { cpu_id = 0 }, { pid = 0, tid = 0, procname = "swapper/0" }, { comm = "pricing", tid = 835,',
    ],
  },
  {
    what: "a server in a network namespace: its packet arrives by veth, in the context of its sender",
    trace: "remote",
    tid: 834,
    begin: "07:25:05.818106863",
    end: "07:25:06.424682666",
    expected: { kind: "socket", syscall: "recvfrom", target: "10.99.0.2:9000" },
    by: 835,
    records: [
      '[07:25:05.817997940] labvm syscall_entry_recvfrom: { cpu_id = 0 }, { pid = 832, tid = 834, procname = "service" }, { fd = 6,',
      '[07:25:06.424403065] labvm net_if_receive_skb: { cpu_id = 1 }, { pid = 831, tid = 835, procname = "pricing" }, { skbaddr = 0xFF265C68CC5E68E8, len = 57, name = "veth-web",',
      '[07:25:06.424682666] labvm sched_waking: { cpu_id = 1 }, { pid = 831, tid = 835, procname = "pricing" }, { comm = "service", tid = 834,',
    ],
  },
  {
    what: "a CPU limit: ready to run on CPU 1, which idles, then on CPU 0, which does too",
    trace: "cpulimit",
    tid: 556,
    begin: "07:24:19.597815924",
    end: "07:24:19.687972636",
    expected: { kind: "runnable" },
    records: [
      '[07:24:19.597815924] labvm sched_switch: { cpu_id = 1 }, { pid = 554, tid = 556, procname = "service" }, { prev_comm = "service", prev_tid = 556, prev_prio = 20, prev_state = 0, next_comm = "swapper/1",',
      '[07:24:19.687739712] labvm sched_migrate_task: { cpu_id = 0 }, { pid = 0, tid = 0, procname = "swapper/0" }, { comm = "service", tid = 556, prio = 20, orig_cpu = 1,',
      '[07:24:19.687972636] labvm sched_switch: { cpu_id = 0 }, { pid = 0, tid = 0, procname = "swapper/0" }, { prev_comm = "swapper/0", prev_tid = 0, prev_prio = 20, prev_state = 0, next_comm = "service", next_tid = 556,',
    ],
  },
  {
    what: "fsync: a kernel worker finishes what the disk has written, and wakes",
    trace: "fsync",
    tid: 228,
    begin: "07:52:20.557474002",
    end: "07:52:21.209059820",
    expected: { kind: "kernel", syscall: "fsync", target: "/var/lib/orders.log" },
    by: 9,
    records: [
      '[07:52:20.556642801] labvm syscall_entry_fsync: { cpu_id = 0 }, { pid = 228, tid = 228, procname = "service" }, { fd = 6 }',
      '[07:52:20.557474002] labvm sched_switch: { cpu_id = 0 }, { pid = 228, tid = 228, procname = "service" }, { prev_comm = "service", prev_tid = 228, prev_prio = 20, prev_state = 2,',
      '[07:52:21.209059820] labvm sched_waking: { cpu_id = 0 }, { pid = 9, tid = 9, procname = "kworker/u4:0" }, { comm = "service", tid = 228,',
    ],
  },
];

function find(name: string): string | undefined {
  const path = join(root, ".cache/causes", name);
  return existsSync(path) ? path : sharedTrace(name);
}

/** `hh:mm:ss.n` a nanosecond earlier (`-1n`) or later. */
function shifted(time: string, by: bigint): string {
  const [clock, fraction] = time.split(".") as [string, string];
  const [h, m, s] = clock.split(":").map(Number) as [number, number, number];
  const ns = BigInt(h * 3600 + m * 60 + s) * 1_000_000_000n + BigInt(fraction) + by;
  const seconds = Number(ns / 1_000_000_000n);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${(ns % 1_000_000_000n).toString().padStart(9, "0")}`;
}

for (const { what, trace, tid, begin, end, expected, by, records } of HAND_CHECKED) {
  const path = find(trace);
  test(`by hand: ${what}`, { skip: needs(path, "babeltrace2") }, () => {
    // The event records are what the reference prints.
    const text = babeltrace2([
      "--clock-gmt",
      "--no-delta",
      "--begin",
      records[0]!.slice(1, 19),
      "--end",
      records.at(-1)!.slice(1, 19),
      path!,
    ]).stdout;
    const lines = text.split("\n");
    for (const record of records) {
      assert.ok(
        lines.some((line) => line.startsWith(record)),
        `babeltrace2 prints no ${record}`,
      );
    }
    // A little before and after, so that begin and end are ours to find.
    const range = `[${shifted(begin, -1_000_000n)},${shifted(end, 1_000_000n)}]`;
    const { code, stdout, stderr } = periscope([
      ...["waits", "--json", "--gmt", "--tid", String(tid), "--timerange", range],
      path!,
    ]);
    assert.equal(code, 0, stderr);
    const { slices } = JSON.parse(stdout);
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the command
    const slice = slices.reduce((a: any, b: any) => (b.durationNs > a.durationNs ? b : a));
    const fraction = (ns: string) => `.${ns.slice(-9)}`;
    const exact = /"beginEpochNs": ?(\d+)/g;
    const begins = [...stdout.matchAll(exact)].map((match) => fraction(match[1]!));
    assert.ok(begins.includes(begin.slice(8)), `begins at ${begin}`);
    const seconds = (time: string) => {
      const [h, m, s] = time.slice(0, 8).split(":").map(Number) as [number, number, number];
      return BigInt(h * 3600 + m * 60 + s) * 1_000_000_000n + BigInt(time.slice(9));
    };
    assert.equal(BigInt(slice.durationNs), seconds(end) - seconds(begin));
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(slice[key], value, key);
    if (by !== undefined) assert.equal(slice.by.tid, by);
  });
}

const snapshot = sharedTrace("snapshot/snapshot-1-20261123-165624-0");
test("time in which another thread is not observed has no name", {
  skip: needs(snapshot, "babeltrace2"),
}, () => {
  // CPU 0 is not remembered yet: what apache2 (576), whom mariadbd (566) waits for, did there, nobody knows.
  const { code, stdout, stderr } = periscope([
    ...["critical-path", "--json", "--tid", "566"],
    ...["--begin", "1795452976.590881144", "--end", "1795452977.38087891"],
    snapshot!,
  ]);
  assert.equal(code, 0, stderr);
  const { slices, attributed, durationNs, certainty } = JSON.parse(
    stdout.replace(/"(\w+EpochNs)": ?(\d+)/g, '"$1":"$2"'),
  );
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the command
  const unseen = slices.filter(({ kind, thread }: any) => kind === "unknown" && thread.tid === 576);
  assert.ok(unseen.length > 0);
  const seconds = (epochNs: bigint) =>
    `${epochNs / 1_000_000_000n}.${String(epochNs % 1_000_000_000n).padStart(9, "0")}`;
  let unseenNs = 0;
  for (const { beginEpochNs, durationNs: ns } of unseen) {
    const begin = BigInt(beginEpochNs);
    const { stdout: text } = babeltrace2([
      ...["--clock-seconds", "--begin", seconds(begin), "--end", seconds(begin + BigInt(ns))],
      snapshot!,
    ]);
    const lines = text.split("\n").filter(Boolean);
    assert.ok(lines.length > 2);
    // It does nothing, and is not seen to get a CPU or to leave one.
    for (const line of lines.slice(1, -1)) {
      assert.doesNotMatch(line, /\{ pid = \d+, tid = 576,|(next|prev)_tid = 576\b/);
    }
    unseenNs += ns;
  }
  assert.ok(unseenNs > 0.02 * durationNs);
  assert.ok(attributed <= 1 - unseenNs / durationNs, `${attributed}`);
  assert.match(certainty.reasons.join(), /% of the time nothing is known/);
});
