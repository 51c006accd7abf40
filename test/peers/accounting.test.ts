// Periscope's numbers against accounting that is independent of it: babeltrace2's text, added up in the plainest way
// (lami/truth.ts). Exact, to the nanosecond and the byte.
import assert from "node:assert/strict";
import { test } from "node:test";
import { needs, periscope, sample, sharedTrace } from "../support.js";
import { account, bytesOf, cpuTimeIn, Numbers, readLines, silences, type Truth } from "./lami/truth.js";

const TRACES: readonly (readonly [string, string | undefined])[] = [
  ["idle-small", sample("idle-small")],
  ["dns-outlier", sample("dns-outlier")],
  ["case2-xz-outlier", sharedTrace("case2-xz-outlier")],
];

interface Thread {
  readonly thread: { readonly tid: number; readonly name: string };
}

// biome-ignore lint/suspicious/noExplicitAny: results of any analysis
type AnyResult = any;

function json(trace: string, ...args: string[]): { result: AnyResult; originNs: bigint; durationNs: number } {
  const { code, stdout, stderr } = periscope([...args, "--json", "--limit", "unlimited", trace]);
  assert.equal(code, 0, stderr);
  const { originEpochNs, slices } = JSON.parse(stdout) as {
    originEpochNs: string;
    slices: { beginNs: number; endNs: number; result: AnyResult }[];
  };
  const [slice] = slices;
  return {
    result: slice!.result,
    originNs: BigInt(originEpochNs),
    durationNs: slice!.endNs - slice!.beginNs,
  };
}

/** ns since the truth's first second of a moment in JSON. */
function relative(truth: Truth, originNs: bigint): (ns: number) => number {
  const offset = Number(originNs - BigInt(truth.originSecond) * 1_000_000_000n);
  return (ns) => ns + offset;
}

for (const [name, path] of TRACES) {
  const options = { skip: needs(path, "babeltrace2") };
  let known: Truth | undefined;
  const truth = (): Truth => (known ??= account(path!));

  test(`${name}: CPUs: busy and idle are all of the time, threads' times are the busy time`, options, () => {
    const { result, durationNs } = json(path!, "cputop");
    const t = truth();
    assert.equal(durationNs, t.durationNs);
    for (const { cpu, busyNs, idleNs } of result.cpus as { cpu: number; busyNs: number; idleNs: number }[]) {
      assert.equal(busyNs, t.busyNs.get(cpu) ?? 0);
      assert.equal(busyNs + idleNs, durationNs);
    }
    const threads = new Map(
      (result.threads as (Thread & { runNs: number })[]).map((r) => [r.thread.tid, r.runNs]),
    );
    for (const [tid, ns] of t.runNs) assert.equal(threads.get(tid), ns, `tid ${tid}`);
    assert.equal(
      [...threads.values()].reduce((a, b) => a + b, 0),
      [...t.busyNs.values()].reduce((a, b) => a + b, 0),
    );
  });

  test(
    `${name}: a range that begins while a CPU is silent has what ran there since its begin`,
    options,
    () => {
      const { lines, originSecond } = readLines(path!);
      const moment = (ns: number) =>
        `${originSecond + Math.floor(ns / 1e9)}.${String(ns % 1e9).padStart(9, "0")}`;
      const quiet = silences(lines);
      // One with a thread on the silent CPU, one with none; the middle one ends where the other begins.
      const begins = [quiet.find(({ tid }) => tid > 0)!.ns, quiet.find(({ tid }) => tid === 0)!.ns];
      const [first, second] = begins.sort((a, b) => a - b) as [number, number];
      for (const [from, to] of [
        [first, lines[lines.length - 1]!.ns],
        [second, lines[lines.length - 1]!.ns],
        [first, second],
      ] as const) {
        const wanted = cpuTimeIn(lines, from, to);
        const { result, durationNs } = json(path!, "cputop", "--begin", moment(from), "--end", moment(to));
        assert.equal(durationNs, wanted.endNs - wanted.beginNs);
        for (const { cpu, busyNs, idleNs, unknownNs } of result.cpus) {
          assert.deepEqual(
            [busyNs, idleNs, unknownNs],
            [wanted.busyNs.get(cpu) ?? 0, wanted.idleNs.get(cpu) ?? 0, 0],
            `CPU ${cpu}`,
          );
        }
        assert.deepEqual(
          new Map(
            result.threads
              .filter((r: AnyResult) => r.runNs > 0)
              .map((r: AnyResult) => [r.thread.tid, r.runNs]),
          ),
          new Map([...wanted.runNs].sort(([a, x], [b, y]) => y - x || a - b)),
        );
      }
    },
  );

  test(
    `${name}: system calls of every thread: count, least, most, sum, deviation, quantiles`,
    options,
    () => {
      const { result } = json(path!, "syscallstats");
      const wanted = new Map<string, Numbers>();
      for (const call of truth().calls) {
        const key = `${call.tid} ${call.name}`;
        const numbers = wanted.get(key) ?? new Numbers();
        numbers.all.push(call.endNs - call.beginNs);
        wanted.set(key, numbers);
      }
      let rows = 0;
      for (const { thread, calls } of result.threads as (Thread & { calls: AnyResult[] })[]) {
        for (const { name: call, stats } of calls) {
          const numbers = wanted.get(`${thread.tid} ${call}`);
          const what = `${thread.name} ${thread.tid} ${call}`;
          assert.ok(numbers !== undefined, what);
          rows++;
          assert.deepEqual(
            [stats.count, stats.minNs, stats.maxNs, stats.totalNs],
            [numbers.count, numbers.min, numbers.max, numbers.sum],
            what,
          );
          if (numbers.count > 1) {
            assert.ok(Math.abs(stats.stdevNs - numbers.deviation) <= 1e-9 * numbers.deviation, what);
          }
          const sorted = [...numbers.all].sort((a, b) => a - b);
          const p99 = sorted[Math.ceil(0.99 * sorted.length) - 1]!;
          assert.ok(Math.abs(stats.p99Ns - p99) <= (stats.exact ? 0 : 0.01 * p99), what);
        }
      }
      assert.equal(rows, wanted.size);
    },
  );

  test(`${name}: bytes that each thread read and wrote, and their sum over files`, options, () => {
    const { result } = json(path!, "iousagetop");
    const reads = /^(read|pread64|readv|recvfrom|recvmsg|splice|sendfile64)$/;
    const writes = /^(write|pwrite64|writev|sendto|sendmsg|splice|sendfile64)$/;
    for (const [rows, side, is] of [
      [result.usage.threadsByRead, "read", reads],
      [result.usage.threadsByWrite, "write", writes],
    ] as const) {
      const wanted = new Map<number, number>();
      for (const call of truth().calls) {
        if (is.test(call.name)) wanted.set(call.tid, (wanted.get(call.tid) ?? 0) + bytesOf(call));
      }
      let sum = 0;
      for (const row of rows) {
        const { diskBytes, networkBytes, otherBytes } = row[side];
        const total = diskBytes + networkBytes + otherBytes;
        assert.equal(total, wanted.get(row.thread.tid) ?? 0, `${row.thread.name} ${row.thread.tid} ${side}`);
        sum += total;
      }
      assert.equal(
        sum,
        [...wanted.values()].reduce((a, b) => a + b, 0),
      );
      const files = side === "read" ? result.usage.filesByRead : result.usage.filesByWrite;
      assert.equal(
        files.reduce((n: number, f: AnyResult) => n + f[`${side}Bytes`], 0),
        sum,
      );
    }
  });

  test(`${name}: every wake-up's latency`, options, () => {
    const { result, originNs } = json(path!, "schedlog");
    const at = relative(truth(), originNs);
    const line = (tid: number, wake: number, run: number, cpu: number, prio: number) =>
      `${run} ${tid} from ${wake} on ${cpu} at ${prio}`;
    assert.deepEqual(
      result.log.map((r: AnyResult) => line(r.wakee.tid, at(r.wakeupNs), at(r.switchNs), r.cpu, r.priority)),
      truth().latencies.map((l) => line(l.tid, l.wakeNs, l.switchNs, l.cpu, l.prio)),
    );
  });

  test(`${name}: every interrupt and softirq`, options, () => {
    const { result, originNs } = json(path!, "irqlog");
    const at = relative(truth(), originNs);
    assert.deepEqual(
      result.log.map((r: AnyResult) => [r.irq.hard, r.irq.number, r.cpu, at(r.beginNs), at(r.endNs)]),
      truth().irqs.map((i) => [i.hard, i.irq, i.cpu, i.beginNs, i.endNs]),
    );
  });

  test(`${name}: pages and packets`, options, () => {
    const t = truth();
    const { result } = json(path!, "iousagetop");
    for (const { name: device, receivedBytes, sentBytes } of result.usage.interfaces) {
      assert.deepEqual([receivedBytes, sentBytes], [t.received.get(device) ?? 0, t.sent.get(device) ?? 0]);
    }
    if (t.pages.allocated.size === 0) return;
    const memory = json(path!, "memtop").result;
    const sum = (map: Map<number, number>) => [...map.values()].reduce((a, b) => a + b, 0);
    assert.deepEqual(
      [memory.allocatedPages, memory.freedPages],
      [sum(t.pages.allocated), sum(t.pages.freed)],
    );
  });
}

test("what dd is known to have done: 16 blocks of 64 KiB written with fsync, and read back", {
  skip: needs("babeltrace2"),
}, () => {
  const { result } = json(sample("idle-small"), "iolog");
  const of = (tid: number, syscall: string) =>
    result.log.filter(
      (row: AnyResult) => row.thread.tid === tid && row.syscall === syscall && row.path === "/traces/dd.out",
    );
  assert.deepEqual([of(368, "write").length, of(368, "fsync").length, of(369, "read").length], [16, 1, 17]);
  assert.equal(
    of(369, "read").reduce((n: number, row: AnyResult) => n + row.bytes, 0),
    16 * 65536,
  );
});
