// The time of threads against sums made by hand from babeltrace2's text: on a CPU, ready to run, blocked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { timeOf } from "../../src/explain/critical-path.js";
import { explainRanges } from "../../src/explain/run.js";
import { openSource } from "../../src/sources/ctf.js";
import { babeltrace2, needs, sharedTrace } from "../support.js";

interface Sums {
  cpu: number;
  ready: number;
  blocked: number;
}

type State = "cpu" | "ready" | "blocked" | "";

/** What every thread did in [begin, end), from switches and wake-ups alone; ns since the epoch, as bigint. */
function byHand(text: string, begin: bigint, end: bigint): Map<number, Sums> {
  const sums = new Map<number, Sums>();
  const states = new Map<number, { state: State; since: bigint; wokenEarly: boolean }>();
  const of = (tid: number) => {
    let one = states.get(tid);
    if (one === undefined) states.set(tid, (one = { state: "", since: 0n, wokenEarly: false }));
    return one;
  };
  const to = (tid: number, state: State, at: bigint) => {
    const one = of(tid);
    const from = one.since > begin ? one.since : begin;
    const until = at < end ? at : end;
    if (one.state !== "" && until > from) {
      const sum = sums.get(tid) ?? { cpu: 0, ready: 0, blocked: 0 };
      sum[one.state] += Number(until - from);
      sums.set(tid, sum);
    }
    one.state = state;
    one.since = at;
  };
  for (const line of text.split("\n")) {
    const head = /^\[(\d+)\.(\d{9})\] \S+ (sched_switch|sched_waking|sched_wakeup_new): /.exec(line);
    if (head === null) continue;
    const at = BigInt(head[1]!) * 1_000_000_000n + BigInt(head[2]!);
    if (head[3] === "sched_switch") {
      const [, prev, state, next] = / prev_tid = (\d+), .*prev_state = (\d+), .*next_tid = (\d+),/.exec(
        line,
      )!;
      const left = Number(prev);
      if (left !== 0) {
        const asleep = (Number(state) & 0xff) !== 0;
        const gone = (Number(state) & 0x30) !== 0;
        to(left, gone ? "" : asleep ? "blocked" : "ready", at);
      }
      if (Number(next) !== 0) {
        const one = of(Number(next));
        // Nobody woke it after it had left: it had been woken just before.
        if (one.state === "blocked" && one.wokenEarly) one.state = "ready";
        one.wokenEarly = false;
        to(Number(next), "cpu", at);
      }
    } else {
      const tid = Number(/\{ comm = ".*", tid = (\d+),/.exec(line)![1]);
      const { state } = of(tid);
      if (head[3] === "sched_wakeup_new") to(tid, "ready", at);
      else if (state === "cpu") of(tid).wokenEarly = true;
      else if (state === "blocked" || state === "") {
        of(tid).wokenEarly = false;
        to(tid, "ready", at);
      }
    }
  }
  for (const tid of states.keys()) to(tid, "", end);
  return sums;
}

for (const name of ["case3-dns-outlier", "case4-coredump-outlier", "case2-xz-outlier"]) {
  const path = sharedTrace(name);
  test(`times of threads equal those in babeltrace2's text: ${name}`, {
    skip: needs(path, "babeltrace2"),
  }, () => {
    const source = openSource([path!]);
    const { info } = source;
    // Well inside: the first states of threads are not told.
    const range = {
      beginNs: Math.floor(info.beginNs + (info.endNs - info.beginNs) * 0.4),
      endNs: Math.floor(info.beginNs + (info.endNs - info.beginNs) * 0.8),
    };
    const { stdout } = babeltrace2(["--clock-seconds", "--no-delta", path!]);
    const expected = byHand(
      stdout,
      info.originNs + BigInt(range.beginNs),
      info.originNs + BigInt(range.endNs),
    );
    let compared = 0;
    explainRanges(source, [range], {
      end(_range, recorder) {
        const seen = new Map<number, Sums>();
        for (const thread of recorder.model.threads) {
          if (thread.tid === 0 || recorder.history(thread) === undefined) continue;
          const sum = seen.get(thread.tid) ?? { cpu: 0, ready: 0, blocked: 0 };
          for (const { kind, wait, beginNs, endNs } of timeOf(recorder, thread, range.beginNs, range.endNs)) {
            // What came before a thread was first heard of is not in the text.
            if (wait?.early) continue;
            if (wait !== undefined) sum.blocked += endNs - beginNs;
            else if (kind === "runnable") sum.ready += endNs - beginNs;
            else if (kind !== "unknown" && kind !== "gone") sum.cpu += endNs - beginNs;
          }
          seen.set(thread.tid, sum);
        }
        for (const [tid, sums] of expected) {
          const ours = seen.get(tid);
          // Born in the range: the time between fork and first wake-up is nobody's.
          assert.deepEqual(ours, sums, `thread ${tid}`);
          compared++;
        }
      },
    });
    assert.ok(compared > 30, `${compared} threads`);
  });
}
