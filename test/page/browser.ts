/** Debian's Chromium, driven by playwright-core, for the tests of the page. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import type { RunningServer } from "../support/server.js";
import { root } from "../support.js";

const program = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));

/** Machines are busy. */
const WAIT_MS = 60_000;

/** For `test(name, { skip }, …)`. */
export const noBrowser = program === undefined ? "Chromium is not installed" : false;

/** Where screenshots go, for people to look at. */
export const pictures = join(root, ".cache/screenshots");

export async function launch(): Promise<Browser> {
  mkdirSync(pictures, { recursive: true });
  return await chromium.launch({
    executablePath: program!,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

export interface OpenPage {
  readonly page: Page;
  /** Errors of the page, and whatever it asked of others than its server. */
  readonly wrong: string[];
  readonly close: () => Promise<void>;
}

export interface HowToOpen {
  /** Below the server's address, or a whole one. */
  readonly path?: string;
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

/** A page that has drawn. */
export async function openPage(
  browser: Browser,
  server: RunningServer,
  { path = "/", scheme = "light", width = 1600, height = 1000 }: HowToOpen = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    timezoneId: "UTC",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const wrong: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && !server.url.includes(url.host))
      wrong.push(request.url());
  });
  await page.goto(path.startsWith("http") ? path : `${server.url}${path}`);
  await page.getByTestId("timeline").waitFor();
  return { page, wrong, close: () => context.close() };
}

/** Waits until the trace is read, its periods are known and its numbers are there. */
export async function whenRead(page: Page): Promise<void> {
  await page.getByTestId("range-length").first().waitFor();
  await page.locator('canvas[data-testid="scatter"]').waitFor();
  await page.getByTestId("status").getByText("event records").waitFor();
}

/** Runs in the page: the middle of the first dot of the alarm's colour in the scatter plot. */
const FIND_RED = `window.redPoint = () => {
  const canvas = document.querySelector('canvas[data-testid="scatter"]');
  if (canvas === null || canvas.width === 0) return undefined;
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const ratio = canvas.width / canvas.getBoundingClientRect().width;
  // The distribution is beside it.
  const right = width - 200 * ratio;
  for (let y = 0; y < height; y++) for (let x = 0; x < right; x++) {
    const i = 4 * (y * width + x);
    if (data[i] > 190 && data[i + 1] < 100 && data[i + 2] < 80 && data[i + 3] > 250)
      return { x: x / ratio, y: y / ratio + 3 };
  }
  return undefined;
};`;
declare function redPoint(): { x: number; y: number } | undefined;

/** Clicks the slowest red dot: the one highest up. */
export async function clickOutlier(page: Page): Promise<void> {
  await page.evaluate(FIND_RED);
  await page.waitForFunction(() => redPoint() !== undefined);
  const at = (await page.evaluate(() => redPoint()))!;
  await page.locator('canvas[data-testid="scatter"]').click({ position: at });
  await page.getByTestId("instance").waitFor();
}

/** What the address says of the view: numbers are ns since the experiment's origin. */
export function inAddress(page: Page): URLSearchParams {
  return new URLSearchParams(new URL(page.url()).hash.slice(1));
}

/** Asks again until it is true. */
export async function until(page: Page, what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`it never came true: ${what}`);
    await page.waitForTimeout(50);
  }
}

/** Epoch ns of moment 0 of the first experiment, decimal. */
export async function originOf(server: RunningServer): Promise<string> {
  const [{ id }] = (await (await fetch(`${server.url}/api/experiments`)).json()) as [{ id: string }];
  const { originNs } = (await (await fetch(`${server.url}/api/experiments/${id}`)).json()) as {
    originNs: string;
  };
  return originNs;
}
