/**
 * The states of a history against a plain replay of babeltrace2's text: what every CPU ran and handled, when every
 * thread had a CPU, waited for one, or waited for something else; then the same as pictures of any width.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HistoryBuilder } from "../../src/history/builder.js";
import { Doing } from "../../src/history/doing.js";
import type { History } from "../../src/history/history.js";
import type { Stretch } from "../../src/history/pixels.js";
import { type StateLine, statesIn } from "../../src/history/queries.js";
import type { StateRow } from "../../src/history/state-row.js";
import { openSource } from "../../src/sources/ctf.js";
import { Random } from "../property/random.js";
import { replayOf, type State, settled } from "../support/replay.js";
import { needs, sharedTrace } from "../support.js";

/** As they are told apart by a replay that knows nothing of what waits are for. */
const WORDS: Readonly<Record<number, string>> = {
  [Doing.none]: "none",
  [Doing.unknown]: "?",
  [Doing.user]: "user",
  [Doing.syscall]: "call",
  [Doing.irq]: "irq",
  [Doing.softirq]: "softirq",
  [Doing.runnable]: "runnable",
  [Doing.idle]: "idle",
};

/** A row of the history in the words of the replay. */
function statesOf(history: History, row: StateRow): State[] {
  return settled(Array.from({ length: row.length }, (_, i): State => [row.ns[i]!, wordAt(history, row, i)]));
}

function wordAt(history: History, row: StateRow, index: number): string {
  const doing = row.doing[index]!;
  const word = WORDS[doing] ?? "waits";
  if (row.kind === "thread") return ON_CPU.has(doing) ? "cpu" : word;
  const arg = row.arg[index]!;
  if (word === "user" || word === "call") return `${word} ${history.names[arg]!.tid}`;
  return word === "irq" || word === "softirq" ? `${word} ${arg}` : word;
}

function assertSame(ours: readonly State[], theirs: readonly State[], what: string): void {
  const at = ours.findIndex(([ns, word], i) => ns !== theirs[i]?.[0] || word !== theirs[i]?.[1]);
  const from = Math.max(0, at - 2);
  assert.ok(
    at < 0 && ours.length === theirs.length,
    `${what}: state ${at} of ${ours.length} (${theirs.length}): ${JSON.stringify(ours.slice(from, at + 3))}, replayed ${JSON.stringify(theirs.slice(from, at + 3))}`,
  );
}

const ON_CPU: ReadonlySet<number> = new Set([Doing.user, Doing.syscall, Doing.irq, Doing.softirq]);
/** An overview has the whole trace in as many buckets; rows of as many states have one. */
const BUCKETS = 4096;

/** Time of each `Doing` in a stretch, by plain addition. */
function timesIn(lines: readonly StateLine[], beginNs: number, endNs: number): Map<number, number> {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lines[middle]![1] <= beginNs) low = middle + 1;
    else high = middle;
  }
  const times = new Map<number, number>();
  for (let i = low; i < lines.length && lines[i]![0] < endNs; i++) {
    const [from, to, doing] = lines[i]!;
    const ns = Math.min(to, endNs) - Math.max(from, beginNs);
    if (ns > 0 && doing !== Doing.none) times.set(doing, (times.get(doing) ?? 0) + ns);
  }
  return times;
}

const sum = (times: Iterable<readonly [number, number]>): number => {
  let all = 0;
  for (const [, ns] of times) all += ns;
  return all;
};
const onCpuOf = (times: ReadonlyMap<number, number>) => [...times].filter(([doing]) => ON_CPU.has(doing));

/** What took most of the time is shown; states on a CPU before waits, where they took more than a tenth. */
function assertPixel(
  times: ReadonlyMap<number, number>,
  ns: number,
  doing: number,
  share: number,
  where: string,
) {
  const onCpu = onCpuOf(times);
  const used = sum(onCpu);
  const isUsed = used > 0.1 * ns;
  // Whatever a machine's rounding says at the very edge.
  if (Math.abs(used - 0.1 * ns) < 1e-6 * ns) return;
  const candidates = isUsed ? onCpu : [...times];
  const most = Math.max(0, ...candidates.map(([, one]) => one));
  if (most === 0) {
    assert.equal(doing, Doing.none, where);
    return;
  }
  assert.ok((times.get(doing) ?? 0) >= most - 1e-6 * ns, where);
  assert.ok(!isUsed || ON_CPU.has(doing), where);
  assert.ok(Math.abs(share - (isUsed ? used : most) / ns) <= 1 / 255, where);
}

/**
 * From an overview comes only what a bucket showed: a CPU's use is at most so much too small as buckets do not show,
 * and nothing is shown that was not.
 */
function assertCoarse(
  times: ReadonlyMap<number, number>,
  ns: number,
  doing: number,
  share: number,
  where: string,
) {
  const used = sum(onCpuOf(times)) / ns;
  if (times.size === 0) assert.equal(doing, Doing.none, where);
  else assert.ok(times.has(doing) || doing === Doing.none, where);
  if (ON_CPU.has(doing)) assert.ok(share <= used + 0.01 && share >= used - 0.11, where);
  else {
    assert.ok(used <= 0.21, where);
    assert.ok(share <= (times.get(doing) ?? 0) / ns + 0.01, where);
  }
}

/** Of any length and place, beyond the trace's edges too; some from the begin of a state to that of another. */
function randomRange(random: Random, { beginNs, endNs }: History, row: StateRow): Stretch {
  const wholeNs = endNs - beginNs;
  const next = () => random.u32() / 2 ** 32;
  if (random.chance(0.2) && row.length > 1) {
    const first = random.below(row.length - 1);
    return { beginNs: row.ns[first]!, endNs: row.ns[random.between(first + 1, row.length - 1)]! };
  }
  const from = Math.floor(beginNs + (1.1 * next() - 0.05) * wholeNs);
  return { beginNs: from, endNs: from + Math.ceil(10 ** (next() * Math.log10(2 * wholeNs))) };
}

const everyState = (history: History, row: StateRow, range: Stretch): StateLine[] =>
  statesIn(history, row, range, Number.POSITIVE_INFINITY)!;

/** The states of a row in a range, as a viewer gets them, against those of the replay. */
function checkStates(
  history: History,
  row: StateRow,
  range: Stretch,
  replayed: readonly State[],
  what: string,
): void {
  const lines = everyState(history, row, range);
  const { beginNs, endNs } = range;
  const clip = (list: readonly (readonly [number, number, string])[]): State[] =>
    settled(
      list
        .filter(([from, to]) => from < endNs && to > beginNs)
        .map(([from, , word]): State => [Math.max(from, beginNs), word]),
    );
  const theirs = replayed.map(
    ([ns, word], i) => [ns, replayed[i + 1]?.[0] ?? history.untilNs, word] as const,
  );
  const ours = lines.map(([from, to, doing]) => {
    const index = row.indexAt(from);
    assert.equal(doing, row.doing[index], `${what}: state at ${from}`);
    return [from, to, wordAt(history, row, index)] as const;
  });
  assertSame(clip(ours), clip(theirs), what);
  lines.forEach(([from, to], i) => {
    assert.ok(
      from < to && (i === 0 || lines[i - 1]![1] === from),
      `${what}: state ${i} from ${from} to ${to}`,
    );
  });
  if (lines.length > 0) {
    assert.equal(statesIn(history, row, range, lines.length - 1), undefined, `${what}: more than asked for`);
  }
}

/** The picture of a row in a range against sums of its states; whether it came from an overview. */
function checkPicture(history: History, row: StateRow, range: Stretch, count: number, what: string): boolean {
  const pixelNs = (range.endNs - range.beginNs) / count;
  const picture = new Uint8Array(2 * count + 4).fill(77);
  history.pixels.read(row, range.beginNs, pixelNs, count, history.untilNs, picture, 2);
  assert.deepEqual([...picture.subarray(0, 2), ...picture.subarray(-2)], [77, 77, 77, 77], "only its bytes");
  const bucketNs = Math.max(1, (history.endNs - history.beginNs) / BUCKETS);
  const isCoarse = row.length >= BUCKETS && pixelNs >= 2 * bucketNs;
  const lines = everyState(history, row, {
    beginNs: range.beginNs - 2 * bucketNs,
    endNs: range.endNs + 2 * bucketNs,
  });
  for (let pixel = 0; pixel < count; pixel++) {
    const [doing, share] = [picture[2 * pixel + 2]!, picture[2 * pixel + 3]! / 255];
    let [from, to] = [range.beginNs + pixel * pixelNs, range.beginNs + (pixel + 1) * pixelNs];
    if (isCoarse) {
      // Whole buckets.
      const first = (from - history.beginNs) / bucketNs;
      from = history.beginNs + Math.floor(first) * bucketNs;
      to = history.beginNs + Math.floor(first + pixelNs / bucketNs) * bucketNs;
    }
    const times = timesIn(lines, from, to);
    const where = `${what} pixel ${pixel} of ${count}: ${doing} ${share}, ${JSON.stringify([...times])} of ${to - from}`;
    if (isCoarse) assertCoarse(times, to - from, doing, share, where);
    else assertPixel(times, pixelNs, doing, share, where);
  }
  return isCoarse;
}

/** Random questions about the rows that were replayed. */
function askAtRandom(history: History, replayed: ReadonlyMap<number, readonly State[]>, seed: number): void {
  const random = new Random(seed);
  const rows = [...replayed.keys()].map((id) => history.rows[id]!);
  const busy = rows.filter((row) => row.length > 1000);
  let coarse = 0;
  for (let round = 0; round < 400; round++) {
    const row = random.pick(busy.length > 0 && random.chance(0.5) ? busy : rows);
    const range = randomRange(random, history, row);
    const what = `seed ${seed} round ${round}: row ${row.id} from ${range.beginNs} to ${range.endNs}`;
    checkStates(history, row, range, replayed.get(row.id)!, what);
    if (checkPicture(history, row, range, random.between(1, 300), what)) coarse++;
  }
  if (rows.some((row) => row.length >= BUCKETS)) assert.ok(coarse > 10, `${coarse} coarse pictures`);
}

for (const name of [
  "idle-small",
  "rotated",
  "case1-slow",
  "case2-xz-outlier",
  "case3-dns-outlier",
  "case4-coredump-outlier",
  // One CPU is remembered 0.8 s longer than the other.
  "snapshot/snapshot-1-20261123-165624-0",
]) {
  const path = sharedTrace(name);
  const isSnapshot = name.startsWith("snapshot");
  test(`states are what a plain replay says: ${name}`, { skip: needs(path, "babeltrace2") }, async () => {
    const builder = new HistoryBuilder(openSource([path!]));
    while (!builder.step(Number.POSITIVE_INFINITY));
    const { history } = builder;
    const replay = await replayOf(path!, history.originNs, isSnapshot);
    assert.equal(replay.records.length, history.eventRecords);
    assert.equal(replay.beginNs, history.beginNs);
    const replayed = new Map<number, readonly State[]>();
    for (const row of history.rows) {
      const { tid, label } = history.names[row.id]!;
      const cpu = row.kind === "cpu" ? replay.cpus.get(tid) : undefined;
      const thread = row.kind === "thread" ? replay.threads.get(tid) : undefined;
      // Numbers that are given again are left to those who know when a thread ends.
      if (cpu === undefined && (thread === undefined || thread.lives > 1)) continue;
      const states = settled((cpu ?? thread!).states);
      assertSame(statesOf(history, row), states, `${label} ${tid}`);
      replayed.set(row.id, states);
    }
    assert.equal(history.rows.filter(({ kind }) => kind === "cpu").length, replay.cpus.size);
    assert.ok(
      replayed.size > 0.8 * replay.threads.size,
      `${replayed.size} of ${replay.threads.size} threads`,
    );
    askAtRandom(history, replayed, name.length);
  });
}
