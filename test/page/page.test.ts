// The page in a real browser: Debian's Chromium, driven by playwright-core. What it says is held against the command line.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { type RunningServer, startServer } from "../support/server.js";
import { periscope, root } from "../support.js";
import { clickOutlier, launch, openPage, pictures, noBrowser as skip, whenRead } from "./browser.js";

const trace = join(root, "samples/dns-outlier");
const profile = ["--profile", "apache-php-mysql"];
let browser: Browser;
let server: RunningServer;

before(async () => {
  if (skip !== false) return;
  server = await startServer("view", [...profile, trace]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function opened(path = "/", scheme: "light" | "dark" = "light") {
  const one = await openPage(browser, server, { path, scheme });
  await whenRead(one.page);
  return one;
}

test("the outlier is found by clicking; its length and its reason are the command line's", {
  skip,
}, async () => {
  const { page, wrong, close } = await opened();
  await clickOutlier(page);
  const run = periscope(["periodtop", "--json", ...profile, trace]);
  const longest = Math.max(...[...run.stdout.matchAll(/"durationNs": ?(\d+)/g)].map(([, ns]) => Number(ns)));
  const seconds = `${(longest / 1e9).toFixed(2)} s`;
  assert.match(seconds, /^2\.\d\d s$/);
  await page.getByTestId("instance").getByText(seconds).first().waitFor();
  await page.getByTestId("waterfall").getByText("db_queries").first().waitFor();
  await page.keyboard.press("y");
  await page.getByTestId("why").getByText("8.8.6.6:53").first().waitFor();
  await page.screenshot({ path: join(pictures, "outlier.png") });
  // A link opens the same.
  const address = page.url();
  const again = await opened(address);
  await again.page.getByTestId("instance").getByText(seconds).first().waitFor();
  assert.equal(again.page.url(), address);
  assert.deepEqual([...wrong, ...again.wrong], []);
  await again.close();
  await close();
});

test("by keyboard alone: help, zoom, undo, the next outlier, a mark", { skip }, async () => {
  const { page, wrong, close } = await opened("/", "dark");
  await page.keyboard.press("?");
  await page.getByTestId("help").waitFor();
  await page.keyboard.press("Escape");
  await page.getByTestId("help").waitFor({ state: "detached" });
  const length = () => page.getByTestId("range-length").first().textContent();
  const whole = await length();
  await page.keyboard.press("w");
  const becomes = async (test: (text: string | null) => boolean) => {
    for (let tries = 0; !test(await length()); tries++) {
      assert.ok(tries < 100, `it stays ${await length()}`);
      await page.waitForTimeout(50);
    }
  };
  await becomes((text) => text !== whole);
  await page.keyboard.press("z");
  await becomes((text) => text === whole);
  await page.keyboard.press("m");
  await page.keyboard.press("]");
  await page.getByTestId("instance").waitFor();
  await page.screenshot({ path: join(pictures, "dark.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("exports: the picture is a PNG, the tables come", { skip }, async () => {
  const { page, wrong, close } = await opened();
  const download = page.waitForEvent("download");
  await page.getByLabel("Export").selectOption("png");
  assert.equal(readFileSync(await (await download).path()).toString("latin1", 1, 4), "PNG");
  // Browsers ask before a second download: what the page asks for is fetched beside it.
  const saved = async (format: string): Promise<Buffer> => {
    const asked = page.waitForRequest((request) => request.url().includes("/export?"));
    await page.getByLabel("Export").selectOption(format);
    const answer = await page.context().request.get((await asked).url(), { timeout: 60_000 });
    assert.equal(answer.status(), 200, await answer.text());
    return await answer.body();
  };
  assert.match((await saved("csv")).toString("utf8", 0, 100), /^kind,host,name,/);
  assert.equal((await saved("parquet")).toString("latin1", 0, 4), "PAR1");
  assert.deepEqual(wrong, []);
  await close();
});

test("an export that fails is told, and the page stays; spans are offered where there are periods", {
  skip,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "periscope-gone-"));
  const gone = join(directory, "trace");
  cpSync(join(root, "samples/idle-small"), gone, { recursive: true });
  const other = await startServer("serve", [gone]);
  try {
    const { page, close } = await openPage(browser, other);
    await page.getByTestId("status").getByText("event records").waitFor();
    assert.equal(await page.locator("option[value=otlp]").isDisabled(), true);
    rmSync(gone, { recursive: true });
    await page.getByLabel("Export").selectOption("stacks");
    await page.getByRole("alert").getByText(gone).waitFor();
    assert.equal(await page.getByTestId("timeline").count(), 1);
    await close();
  } finally {
    await other.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
