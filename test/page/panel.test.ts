// What the panel and the table of events say of a range and a moment: held against the command line and babeltrace2.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type RunningServer, startServer } from "../support/server.js";
import { babeltrace2, needs, periscope, root } from "../support.js";
import {
  inAddress,
  launch,
  openPage,
  originOf,
  pictures,
  noBrowser as skip,
  until,
  whenRead,
} from "./browser.js";

const trace = join(root, "samples/dns-outlier");
let browser: Browser;
let server: RunningServer;

before(async () => {
  if (skip !== false) return;
  server = await startServer("view", ["--profile", "apache-php-mysql", trace]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Width of the rows' names, and the middle of the axis above the rows. */
const LEFT = 232;
const AXIS = 12;

/** Selects a part of what is shown, 0 … 1, by dragging on the axis; epoch ns. */
async function drag(page: Page, from: number, to: number): Promise<{ begin: bigint; end: bigint }> {
  const box = (await page.getByTestId("timeline").boundingBox())!;
  const x = (share: number): number => box.x + LEFT + share * (box.width - LEFT);
  await page.mouse.move(x(from), box.y + AXIS);
  await page.mouse.down();
  await page.mouse.move(x((from + to) / 2), box.y + AXIS, { steps: 5 });
  await page.mouse.move(x(to), box.y + AXIS, { steps: 5 });
  await page.mouse.up();
  await page.getByRole("heading", { name: "Selected range" }).waitFor();
  const length = Math.round(((to - from) * (await shownNs(page))) / 1e6);
  const selected = (): number =>
    Number(inAddress(page).get("selectEnd")) - Number(inAddress(page).get("selectBegin"));
  await until(
    page,
    "the address has the range",
    async () => Math.abs(selected() / 1e6 - length) < 0.02 * length,
  );
  const origin = BigInt(await originOf(server));
  const query = inAddress(page);
  return {
    begin: origin + BigInt(query.get("selectBegin")!),
    end: origin + BigInt(query.get("selectEnd")!),
  };
}

async function shownNs(page: Page): Promise<number> {
  await until(page, "the address has the view", async () => inAddress(page).has("end"));
  return Number(inAddress(page).get("end")) - Number(inAddress(page).get("begin"));
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

/** A duration as the page writes it, and by how much it may be rounded; ns. */
function durationOf(text: string): { ns: number; roundingNs: number } {
  const [, number, unit] = /^([\d.]+) (ns|µs|ms|s)$/.exec(text) ?? [];
  assert.ok(number !== undefined, `a duration: ${text}`);
  const digits = number.split(".")[1]?.length ?? 0;
  return { ns: Number(number) * UNITS[unit!]!, roundingNs: (UNITS[unit!]! / 10 ** digits) * 0.51 };
}

interface CpuTop {
  readonly slices: readonly {
    readonly beginEpochNs: string;
    readonly endEpochNs: string;
    readonly result: {
      readonly usage: number;
      readonly threads: readonly { readonly thread: { readonly tid: number }; readonly runNs: number }[];
    };
  }[];
}

test("a range selected by dragging: who used the CPUs is what cputop says of it", { skip }, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  for (const [from, to] of [
    [0.31, 0.74],
    [0.55, 0.61],
  ] as const) {
    const { begin, end } = await drag(page, from, to);
    const range = ["--begin", String(begin), "--end", String(end)];
    const run = periscope(["cputop", "--json", "--limit", "unlimited", ...range, trace]);
    assert.equal(run.code, 0, run.stderr);
    const [slice] = (JSON.parse(run.stdout) as CpuTop).slices;
    // Its slice is from the first event record to the last one, the panel's from pixel to pixel.
    const slackNs = Number(BigInt(slice!.beginEpochNs) - begin + end - BigInt(slice!.endEpochNs));
    assert.ok(slackNs >= 0 && slackNs < 0.2 * Number(end - begin));
    const theirs = new Map(slice!.result.threads.map(({ thread, runNs }) => [thread.tid, runNs]));
    const wrongIn = async (): Promise<string[]> => {
      const lines = await page.getByTestId("cpu").locator(".bar-line").allTextContents();
      const found: string[] = [];
      let least = Number.POSITIVE_INFINITY;
      const seen = new Set<number>();
      for (const line of lines) {
        const [, tid, value] = /\((\d+)\)([\d.]+ \S+) · /.exec(line)!;
        const { ns, roundingNs } = durationOf(value!);
        seen.add(Number(tid));
        least = Math.min(least, ns);
        const wanted = theirs.get(Number(tid)) ?? 0;
        if (Math.abs(ns - wanted) > slackNs + roundingNs) found.push(`${line}: ${wanted} ns by cputop`);
      }
      for (const [tid, ns] of theirs)
        if (!seen.has(tid) && ns > 1.01 * least + slackNs) found.push(`${tid} is missing: ${ns} ns`);
      return lines.length > 3 ? found : ["too few lines"];
    };
    // The sums of the range before are shown until the new ones have come.
    let last: string[] = [];
    await until(page, "the sums are cputop's", async () => {
      last = await wrongIn();
      return last.length === 0;
    }).catch((error: Error) => assert.deepEqual(last, [], error.message));
    const all = await page.getByRole("heading", { name: /^CPU · / }).textContent();
    const percent = Number(/([\d.]+) %/.exec(all!)![1]);
    const slackPercent = (100 * slackNs) / Number(end - begin) + 0.51;
    assert.ok(Math.abs(percent - 100 * slice!.result.usage) <= slackPercent, `${all} ${slice!.result.usage}`);
  }
  await page.screenshot({ path: join(pictures, "range.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("the table of events is in step with the cursor, line for line babeltrace2's", {
  skip: skip === false ? needs("babeltrace2") : skip,
}, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  const all = babeltrace2(["--clock-seconds", "--no-delta", trace]).stdout.split("\n").filter(Boolean);
  const epochOf = (line: string): bigint => BigInt(/^\[(\d+)\.(\d{9})\]/.exec(line)!.slice(1).join(""));
  await page.getByRole("tab", { name: "Events" }).click();
  const box = (await page.getByTestId("timeline").boundingBox())!;
  const origin = BigInt(await originOf(server));
  const rows = page.getByTestId("events").locator("tbody tr");
  for (const share of [0.2, 0.63]) {
    const before = inAddress(page).get("cursor");
    // A click on the axis sets the cursor.
    await page.mouse.click(box.x + LEFT + share * (box.width - LEFT), box.y + AXIS);
    await until(page, "the cursor moved", async () => {
      const now = inAddress(page).get("cursor");
      return now !== null && now !== before;
    });
    const ns = origin + BigInt(inAddress(page).get("cursor")!);
    const first = all.findIndex((line) => epochOf(line) >= ns);
    const wanted = all.slice(first, first + 20).map((line) => {
      const [, , name, cpu, payload] =
        /^\[[^\]]*\] (\S+) (\S+): \{ cpu_id = (\d+) \}, (?:\{[^}]*\}, )?(\{.*\})$/.exec(line)!;
      const time = new Date(Number(epochOf(line) / 1_000_000n)).toISOString().slice(11, 19);
      const nanos = String(epochOf(line) % 1_000_000_000n).padStart(9, "0");
      return [`${time}.${nanos}`, cpu, name, payload];
    });
    const shown = async (): Promise<unknown> => {
      const lines = await rows.evaluateAll((list) =>
        list.slice(0, 20).map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)),
      );
      return lines.map(([time, cpu, , name, text]) => [time, cpu, name, text]);
    };
    let last: unknown;
    await until(page, "the table is babeltrace2's", async () => {
      last = await shown();
      return JSON.stringify(last) === JSON.stringify(wanted);
    }).catch((error: Error) => assert.deepEqual(last, wanted, error.message));
  }
  // And the cursor is in step with the table.
  const line = rows.nth(7);
  const time = await line.locator("td").first().textContent();
  await line.click();
  await page.getByTestId("events").locator("tr.current").getByText(time!).waitFor();
  await until(page, "the cursor is there", async () => {
    const ns = origin + BigInt(inAddress(page).get("cursor")!);
    return time!.endsWith(String(ns % 1_000_000_000n).padStart(9, "0"));
  });
  await page.screenshot({ path: join(pictures, "events.png") });
  assert.deepEqual(wrong, []);
  await close();
});

/** Runs in the page: how much of the panel is cut off, how far the page sticks out, a pixel of the empty picture. */
const MEASURE = `(() => {
  const canvas = document.querySelector("[data-testid=timeline]");
  const pixel = canvas.getContext("2d").getImageData(5, canvas.height - 5, 1, 1).data;
  const panel = document.querySelector(".panel");
  return {
    hidden: panel.scrollHeight - panel.clientHeight,
    corner: [...pixel],
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
})()`;

test("on paper: light, without controls, everything of the panel, a page of its own size", {
  skip,
}, async () => {
  const { page, wrong, close } = await openPage(browser, server, { scheme: "dark" });
  await whenRead(page);
  await page.keyboard.press("]");
  await page.getByTestId("instance").waitFor();
  const paper = await page.pdf({ preferCSSPageSize: true });
  writeFileSync(join(pictures, "paper.pdf"), paper);
  const text = paper.toString("latin1");
  assert.match(text.slice(0, 8), /^%PDF-1/);
  const sheets = [...text.matchAll(/\/Type\s*\/Page\b/g)].length;
  assert.ok(sheets >= 1 && sheets <= 6, `${sheets} sheets`);
  const [, , , width, height] = /\/MediaBox\s*\[(\S+) (\S+) (\S+) (\S+)\]/.exec(text)!;
  assert.ok(Number(width) > Number(height), "landscape");
  // The same rules on the screen.
  await page.emulateMedia({ media: "print" });
  await page.evaluate(`window.dispatchEvent(new Event("beforeprint"))`);
  const seen = (selector: string): Promise<boolean> => page.locator(selector).first().isVisible();
  for (const selector of ["#filter", ".toolbar button", ".buttons button", ".tabs button"])
    assert.equal(await seen(selector), false, selector);
  for (const selector of [
    "[data-testid=timeline]",
    "[data-testid=legend]",
    "[data-testid=instance]",
    "[data-testid=syscalls]",
  ])
    assert.equal(await seen(selector), true, selector);
  const { hidden, corner, wide } = await page.evaluate<{ hidden: number; corner: number[]; wide: number }>(
    MEASURE,
  );
  assert.ok(hidden <= 1, "nothing of the panel is cut off");
  assert.ok(wide <= 1, "nothing sticks out");
  assert.deepEqual(corner, [255, 255, 255, 255]);
  await page.evaluate(`window.dispatchEvent(new Event("afterprint"))`);
  await page.locator('html[data-theme="dark"]').waitFor();
  assert.deepEqual(wrong, []);
  await close();
});
