// The story that the page is for, by clicking only, on a real recording: the red dot, its waterfall, the CPU that was
// taken from it, and the process that took it. Held against `periscope why` and against babeltrace2's sched_switch.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type RunningServer, startServer } from "../support/server.js";
import { babeltrace2, needs, periscope, sharedTrace } from "../support.js";
import {
  clickOutlier,
  inAddress,
  launch,
  noBrowser,
  openPage,
  originOf,
  pictures,
  until,
  whenRead,
} from "./browser.js";

const trace = sharedTrace("case2-xz-outlier");
const skip = noBrowser === false ? needs(trace, "babeltrace2") : noBrowser;
const profile = ["--profile", "apache-php-mysql"];
let browser: Browser;
let server: RunningServer;

before(async () => {
  if (skip !== false) return;
  server = await startServer("view", [...profile, trace!]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs in the page: the middle of the longest stretch of a colour in the uppermost row that has any. */
const FIND_STRETCH = `window.stretchOf = (color) => {
  const canvas = document.querySelector('canvas[data-testid="timeline"]');
  const [red, green, blue] = color;
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let y = 24; y < height; y++) {
    let best = { length: 0, x: 0 };
    for (let x = 233, length = 0; x < width; x++) {
      const i = 4 * (y * width + x);
      length = data[i] === red && data[i + 1] === green && data[i + 2] === blue ? length + 1 : 0;
      if (length > best.length) best = { length, x: x - Math.floor((length - 1) / 2) };
    }
    if (best.length > 0) return { x: best.x, y: y + 8 };
  }
  return undefined;
};`;
declare function stretchOf(color: readonly number[]): { x: number; y: number } | undefined;
/** Waits for a CPU, in light colours. */
const RUNNABLE = [0xe6, 0x9f, 0x00];

async function clickStretch(page: Page, color: readonly number[]): Promise<void> {
  await page.evaluate(FIND_STRETCH);
  await page.waitForFunction((rgb) => stretchOf(rgb) !== undefined, color);
  const position = (await page.evaluate((rgb) => stretchOf(rgb), color))!;
  await page.getByTestId("timeline").click({ position });
}

interface WhyJson {
  readonly periods: readonly {
    readonly path: string;
    readonly maxNs: number;
    readonly groups: readonly {
      readonly causes: readonly {
        readonly kind: string;
        readonly title: string;
        readonly culprits: readonly { readonly who: { readonly name: string } }[];
      }[];
    }[];
  }[];
}

test("red dot, waterfall, the CPU that was taken, the process that took it: by clicking only", {
  skip,
}, async () => {
  const run = periscope(["why", "--json", ...profile, trace!]);
  assert.equal(run.code, 0, run.stderr);
  const [request] = (JSON.parse(run.stdout) as WhyJson).periods;
  const [cause] = request!.groups[0]!.causes;
  assert.equal(cause!.kind, "cpu-contention");
  const culprit = cause!.culprits[0]!.who.name;

  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  await clickOutlier(page);
  const instance = page.getByTestId("instance");
  await instance
    .getByText(`${(request!.maxNs / 1e9).toFixed(2)} s`)
    .first()
    .waitFor();
  await instance.getByText("the longest of 40").waitFor();
  const thread = /apache2 \((\d+)\)/.exec((await instance.textContent())!)![1]!;

  // A phase of the waterfall, and back to the whole of it.
  await instance.getByRole("button", { name: /^db_queries, / }).click();
  await instance.getByRole("heading", { name: /request\/db_queries/ }).waitFor();
  await page.getByTestId("parent").click();
  await instance.getByRole("heading", { name: /^request \d/ }).waitFor();

  // What waits for a CPU is the pinned row's: the request's own thread.
  const state = page.getByTestId("state");
  await until(page, "the thread's row was clicked", async () => {
    // Rows come one after the other, coarse ones first: what was there to be clicked may have been another.
    await clickStretch(page, RUNNABLE);
    await page.waitForTimeout(500);
    const text = (await state.allTextContents()).join("");
    return text.startsWith(`apache2 (${thread})`) && text.includes("CPU taken by");
  });
  const told = (await state.textContent())!;
  assert.match(told, new RegExp(`apache2 \\(${thread}\\).*waits for a CPU`));
  const [, cpu] = /queued onCPU (\d+)/.exec(told)!;
  const [, name, tid] = /CPU taken by(\S+) \((\d+)\)/.exec(told)!;
  await until(page, "the cursor is in the address", async () => inAddress(page).has("cursor"));
  const ns = BigInt(await originOf(server)) + BigInt(inAddress(page).get("cursor")!);
  const runs = runningBy(trace!, Number(cpu), ns);
  assert.deepEqual({ name, tid: Number(tid) }, runs, `on CPU ${cpu} at ${ns}`);
  assert.equal(name, culprit);

  // The one that took it is pinned by a click, and its row tells the same.
  await state.getByRole("button", { name: `Pin ${name} (${tid})` }).click();
  await state.getByRole("button", { name: `Unpin ${name} (${tid})` }).waitFor();

  await clickOutlier(page);
  await instance.getByRole("button", { name: "Why?" }).click();
  const why = page.getByTestId("why");
  await why.getByText(cause!.title).first().waitFor();
  await page.screenshot({ path: join(pictures, "story.png") });
  await instance.getByRole("button", { name: "Critical path" }).click();
  await instance.getByRole("button", { name: "Hide path" }).waitFor();
  await page.screenshot({ path: join(pictures, "critical.png") });
  assert.deepEqual(wrong, []);
  await close();
});

/** Who ran on a CPU at a moment (epoch ns), by babeltrace2: the last switch before. */
function runningBy(path: string, cpu: number, ns: bigint): { name: string; tid: number } {
  const { stdout } = babeltrace2(["--clock-seconds", path]);
  let found = { name: "", tid: -1 };
  for (const line of stdout.split("\n")) {
    const [, seconds, nanos] = /^\[(\d+)\.(\d{9})\]/.exec(line) ?? [];
    if (seconds === undefined) continue;
    if (BigInt(seconds + nanos) > ns) break;
    if (!line.includes(" sched_switch: ") || !line.includes(`{ cpu_id = ${cpu} }`)) continue;
    const [, name, tid] = /next_comm = "([^"]*)", next_tid = (\d+)/.exec(line)!;
    found = { name: name!, tid: Number(tid) };
  }
  return found;
}
