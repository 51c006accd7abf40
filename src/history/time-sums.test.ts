import assert from "node:assert/strict";
import { test } from "node:test";
import { DOINGS, type Doing } from "./doing.js";
import { StateRow } from "./state-row.js";
import { timesOf } from "./time-sums.js";

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("sums of any stretch are those of a walk over all states, while the row grows, too", () => {
  const next = random(7);
  const row = new StateRow(0, "thread", 0);
  const states: { ns: number; doing: number }[] = [];
  let ns = 1000;
  for (let part = 0; part < 6; part++) {
    for (let i = 0; i < 1500; i++) {
      ns += 1 + next(500);
      const doing = 1 + ((states.at(-1)?.doing ?? 0) % (DOINGS - 1));
      states.push({ ns, doing });
      row.push(doing as Doing, 0, ns);
    }
    const untilNs = ns + 300;
    for (let i = 0; i < 60; i++) {
      const bounds = [next(untilNs + 2000), next(untilNs + 2000)].sort((a, b) => a - b);
      const [beginNs, endNs] = i === 0 ? [0, untilNs + 5] : (bounds as [number, number]);
      const wanted = new Float64Array(DOINGS);
      states.forEach((one, k) => {
        const to = Math.min(states[k + 1]?.ns ?? untilNs, endNs, untilNs);
        const from = Math.max(one.ns, beginNs);
        if (to > from) wanted[one.doing]! += to - from;
      });
      const times = new Float64Array(DOINGS);
      timesOf(row, { beginNs, endNs }, untilNs, times);
      assert.deepEqual(times, wanted, `${beginNs} to ${endNs} of ${states.length} states`);
    }
  }
});
