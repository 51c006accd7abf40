// How smoothly the timeline moves in a browser: 500 threads and 10 million states in headless Chromium, without a GPU,
// dragged, zoomed with the wheel and scrolled; how long frames are apart, what each costs its thread, and how fast the
// server answers meanwhile.
//
//   npm run bench:frames [-- --states 10000000] [--threads 500] [--seconds 5] [--runs 3] [--profile FILE]
//
// A frame is in time when it came at most 16.7 ms and half a millisecond after the one before: the display's clock is
// 60 Hz, and the half is what the timer of the measurement trembles. `--profile` keeps a CPU profile of the dragging for
// Chromium's developer tools.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { manyStates } from "./many-states.mjs";

const { values } = parseArgs({
  options: {
    states: { type: "string", default: "10000000" },
    threads: { type: "string", default: "500" },
    seconds: { type: "string", default: "5" },
    runs: { type: "string", default: "3" },
    profile: { type: "string" },
  },
});
const threads = Number(values.threads);
const seconds = Number(values.seconds);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const IN_TIME_MS = 16.7 + 0.5;
/** Moves of the pointer and turns of the wheel, a second: what a good mouse sends. */
const INPUTS = 120;

const program = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));
if (program === undefined) throw new Error("Chromium is not installed");
const trace = manyStates(join(root, ".cache/bench"), { states: Number(values.states), threads });
const kept = mkdtempSync(join(tmpdir(), "periscope-bench-frames-"));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const ascending = (list) => [...list].sort((a, b) => a - b);

/** Two hundred thousand instances: lanes, the scatter plot and the panel are there as well. */
const PERIOD =
  'reading : $evt.$name == "syscall_entry_read" : ' +
  '$evt.$name == "syscall_exit_read" && $evt.$tid == $begin.$evt.$tid';

async function startServer() {
  const child = spawn(
    process.execPath,
    [join(root, "bin/periscope"), "view", "--no-browser", "--port", "0", "--period", PERIOD, trace],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, XDG_CACHE_HOME: kept } },
  );
  const url = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const [, found] = /^(http:\S+)\n/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`periscope view ended (${code})`)));
  });
  return { child, url };
}

/** Waits for the whole history; answers how much there is. */
async function readWhole(url) {
  for (;;) {
    const [{ id, error }] = await (await fetch(`${url}api/experiments`)).json();
    if (error !== undefined) throw new Error(error);
    const found = await (await fetch(`${url}api/experiments/${id}`)).json();
    if (found.status === "ready" && found.periods.length > 0) return found;
    await sleep(200);
  }
}

/** In the page: gathers the moments of frames, long tasks and requests until `stopped`. */
const RECORD = `window.record = () => {
  const frames = [], long = [];
  const tasks = new PerformanceObserver((list) => { for (const one of list.getEntries()) long.push(one.duration); });
  tasks.observe({ type: "longtask" });
  performance.clearResourceTimings();
  performance.setResourceTimingBufferSize(100_000);
  let going = true;
  const next = (ms) => { if (!going) return; frames.push(ms); requestAnimationFrame(next); };
  requestAnimationFrame(next);
  window.stopped = () => {
    going = false;
    tasks.disconnect();
    const requests = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/api/"))
      .filter(({ responseStatus }) => responseStatus === 200).map((one) => one.responseEnd - one.requestStart);
    return { frames, long, requests };
  };
};`;

/** Calls `input` at an even pace for so many seconds with how far it is, 0 … 1. */
async function inputs(input) {
  const began = performance.now();
  const count = seconds * INPUTS;
  for (let i = 0; i < count; i++) {
    await input(i / count, i);
    const rest = began + ((i + 1) * 1000) / INPUTS - performance.now();
    if (rest > 1) await sleep(rest);
    if (performance.now() - began > seconds * 1000) break;
  }
}

async function measured(page, session, act) {
  const counters = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  await page.evaluate("record()");
  const before = await counters();
  await act();
  const after = await counters();
  const { frames, long, requests } = await page.evaluate("stopped()");
  const gaps = frames.slice(1).map((ms, i) => ms - frames[i]);
  const each = (name) => (1000 * (after[name] - before[name])) / Math.max(1, gaps.length);
  return { gaps, long, requests, taskMs: each("TaskDuration"), scriptMs: each("ScriptDuration") };
}

/** Share of frames. */
const inTime = ({ gaps }) => gaps.filter((ms) => ms <= IN_TIME_MS).length / gaps.length;

const report = (name, results) => {
  const { gaps, long, requests, taskMs, scriptMs } = results;
  const sorted = ascending(gaps);
  const times = ascending(requests);
  return [
    name,
    `${(100 * inTime(results)).toFixed(1)} %`,
    ...[0.5, 0.95, 0.99, 1].map((share) => `${at(sorted, share).toFixed(1)}`),
    `${scriptMs.toFixed(1)}`,
    `${taskMs.toFixed(1)}`,
    `${long.length}`,
    `${times.length}`,
    `${at(times, 0.5).toFixed(0)}`,
    `${at(times, 0.95).toFixed(0)}`,
  ];
};

const WHAT = ["frames in time", "median", "95 %", "99 %", "max", "script", "task", "long tasks"];
const HEAD = ["", ...WHAT, "requests", "median", "95 %"];

/** Views of the page that are measured. */
const VIEWS = [
  { name: "rows with words", viewport: { width: 1600, height: 1000 }, keys: [] },
  { name: "all rows at once", viewport: { width: 1600, height: 1000 }, keys: ["h", "h"] },
];

async function measureView(url, { viewport, keys }, profileTo) {
  const browser = await chromium.launch({
    executablePath: program,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const page = await browser.newPage({ viewport });
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  await page.goto(url);
  await page.evaluate(RECORD);
  await page.getByTestId("range-length").first().waitFor();
  for (const key of keys) await page.keyboard.press(key);
  await page.waitForLoadState("networkidle");
  const box = await page.getByTestId("timeline").boundingBox();
  const [left, top] = [box.x + 260, box.y + 60];
  const [width, height] = [box.width - 300, box.height - 100];
  const middle = [left + width / 2, top + height / 2];
  // A sixteenth of the trace: there is something on all sides.
  await page.mouse.move(...middle);
  for (let i = 0; i < 8; i++) await page.keyboard.press("w");
  await sleep(1500);
  const results = {};
  if (profileTo !== undefined) {
    await session.send("Profiler.enable");
    await session.send("Profiler.setSamplingInterval", { interval: 200 });
    await session.send("Profiler.start");
  }
  let held = false;
  results.drag = await measured(page, session, async () => {
    // Strokes to the left, each a second long, and a little up: there is always something new at the right.
    await inputs(async (share) => {
      const stroke = (share * seconds) % 1;
      if (stroke < 0.02 && held) {
        await page.mouse.up();
        held = false;
      }
      const x = left + width * (1 - stroke);
      await page.mouse.move(x, middle[1] - 40 * stroke);
      if (!held) {
        await page.mouse.down();
        held = true;
      }
    });
    await page.mouse.up();
  });
  if (profileTo !== undefined) {
    const { profile } = await session.send("Profiler.stop");
    writeFileSync(profileTo, JSON.stringify(profile));
  }
  await page.mouse.move(...middle);
  await page.keyboard.press("0");
  await sleep(1000);
  results.zoom = await measured(page, session, async () => {
    await page.keyboard.down("Control");
    await inputs((share) => page.mouse.wheel(0, share < 0.5 ? -7 : 7));
    await page.keyboard.up("Control");
  });
  await sleep(500);
  results.scroll = await measured(page, session, () =>
    inputs((share) => page.mouse.wheel(0, share < 0.5 ? 30 : -30)),
  );
  await browser.close();
  return results;
}

const { child, url } = await startServer();
try {
  const { rows, eventRecords, periods } = await readWhole(url);
  const states = rows.reduce((sum, row) => sum + row.states, 0);
  const counted = rows.filter(({ kind }) => kind === "thread").length;
  console.log(
    `Node ${process.version}; ${eventRecords} event records, ${counted} threads, ${states} states, ` +
      `${periods[0].count} instances of a period; ${values.seconds} s each, ` +
      `the median of ${values.runs} runs by frames in time; ms; ${new Date().toISOString()}`,
  );
  const table = [HEAD];
  for (const view of VIEWS) {
    const runs = [];
    for (let i = 0; i < Number(values.runs); i++)
      runs.push(await measureView(url, view, i === 0 ? values.profile : undefined));
    for (const act of ["drag", "zoom", "scroll"]) {
      const sorted = runs.map((run) => run[act]).sort((a, b) => inTime(a) - inTime(b));
      table.push(report(`${view.name}, ${act}`, sorted[Math.floor(runs.length / 2)]));
    }
  }
  const widths = HEAD.map((_, i) => Math.max(...table.map((line) => line[i].length)));
  for (const line of table) console.log(line.map((cell, i) => cell.padStart(widths[i])).join("  "));
} finally {
  child.kill("SIGTERM");
  rmSync(kept, { recursive: true, force: true });
}
