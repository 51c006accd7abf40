// The keyboard alone: every key of the help does what it says, and everything can be reached by Tab.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type RunningServer, startServer } from "../support/server.js";
import { periscope, root } from "../support.js";
import { inAddress, launch, openPage, noBrowser as skip, until, whenRead } from "./browser.js";

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

const number = (page: Page, name: string): number => Number(inAddress(page).get(name) ?? Number.NaN);

/** Presses a key; waits until the address says what it should. */
async function press(page: Page, key: string, what: (state: URLSearchParams) => boolean): Promise<void> {
  await page.keyboard.press(key);
  await until(page, `after ${key}: ${what}`, async () => what(inAddress(page)));
}

test("view: zoom, move, all, back and forth, fit, height of rows", { skip }, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  await until(page, "the address has the view", async () => inAddress(page).has("end"));
  const [begin, end] = [number(page, "begin"), number(page, "end")];
  const span = (state: URLSearchParams): number => Number(state.get("end")) - Number(state.get("begin"));
  const isWhole = (state: URLSearchParams): boolean =>
    Number(state.get("begin")) === begin && Number(state.get("end")) === end;
  await press(page, "w", (state) => Math.abs(span(state) / (end - begin) - 0.7) < 0.001);
  await page.waitForTimeout(700);
  const before = number(page, "begin");
  await press(page, "d", (state) => Number(state.get("begin")) > before);
  await page.waitForTimeout(700);
  const after = number(page, "begin");
  await press(page, "a", (state) => Number(state.get("begin")) < after);
  await page.waitForTimeout(700);
  await press(page, "z", (state) => Number(state.get("begin")) === after);
  await press(page, "Shift+Z", (state) => Number(state.get("begin")) < after);
  await press(page, "s", (state) => span(state) > 0.9 * (end - begin));
  await press(page, "0", isWhole);
  await press(page, "h", (state) => state.get("rows") === "low");
  await press(page, "h", (state) => state.get("rows") === "all");
  await press(page, "h", (state) => !state.has("rows"));
  // To the slow one, away, and back by its fit.
  await press(page, "]", (state) => state.has("instance") && !isWhole(state));
  await press(page, "0", isWhole);
  await press(page, "f", (state) => {
    const [from, to] = [Number(state.get("selectBegin")), Number(state.get("selectEnd"))];
    return (
      Number(state.get("begin")) <= from && Number(state.get("end")) >= to && span(state) < 1.5 * (to - from)
    );
  });
  await press(page, "Escape", (state) => !state.has("instance") && !state.has("selectEnd"));
  assert.deepEqual(wrong, []);
  await close();
});

test("rows: up and down, states left and right, pin, fold, filter", { skip }, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  // The first line is the heading of the CPUs, the second one a CPU.
  await press(page, "ArrowDown", (state) => state.get("line") === "0");
  await press(page, "Enter", (state) => state.get("folded") === "cpus");
  await press(page, "Enter", (state) => !state.has("folded"));
  await press(page, "j", (state) => state.get("line") === "1");
  await press(page, "Enter", (state) => state.has("state"));
  const state = page.getByTestId("state");
  await state.getByRole("heading", { name: "CPU 0" }).waitFor();
  // The next state begins where this one ends; back again it is the same.
  const [row, first] = inAddress(page).get("state")!.split(".").map(Number);
  const length = Number(/\((\d+) ns\)/.exec((await state.textContent())!)![1]);
  await press(page, "ArrowRight", (now) => now.get("state") === `${row}.${first! + length}`);
  await press(page, "ArrowLeft", (now) => now.get("state") === `${row}.${first}`);
  await press(page, "p", (now) => now.get("pins") === `${row}`);
  await press(page, "p", (now) => !now.has("pins"));
  await press(page, "k", (now) => now.get("line") === "0");
  await press(page, "End", (now) => Number(now.get("line")) > 10);
  const last = number(page, "line");
  await press(page, "PageUp", (now) => Number(now.get("line")) === last - 20);
  await press(page, "PageDown", (now) => Number(now.get("line")) === last);
  await press(page, "Home", (now) => now.get("line") === "0");
  // What the row cursor is on is said.
  await page.getByRole("application").press("Escape");
  await page.locator(".sr-only").getByText("CPUs").waitFor({ state: "attached" });
  await page.keyboard.press("/");
  await page.keyboard.type("mariadbd");
  await until(page, "the rows are filtered", async () => inAddress(page).get("filter") === "mariadbd");
  // Keys are letters while one types; afterwards they are keys.
  await page.keyboard.press("Escape");
  await press(page, "End", (now) => Number(now.get("line")) < last);
  assert.deepEqual(wrong, []);
  await close();
});

test("instances: there and back, why, the critical path, tabs, marks, a link", { skip }, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await whenRead(page);
  const run = periscope(["why", "--json", ...profile, trace]);
  const [slow] = JSON.parse(run.stdout).periods as [
    { slow: number; groups: { causes: { title: string }[] }[] },
  ];
  // As many steps as there are slow ones, and no more.
  let last = "";
  for (let i = 0; i < slow.slow; i++) {
    await press(page, "]", (state) => state.has("instance") && state.get("instance") !== last);
    last = inAddress(page).get("instance")!;
  }
  await page.keyboard.press("]");
  await page.waitForTimeout(600);
  assert.equal(inAddress(page).get("instance"), last);
  await page.keyboard.press("y");
  await page.getByTestId("why").getByText(slow.groups[0]!.causes[0]!.title).first().waitFor();
  await press(page, "c", (state) => state.has("critical"));
  await press(page, "m", (state) => state.has("marks"));
  await press(page, "m", (state) => !state.has("marks"));
  await press(page, "e", (state) => state.get("tab") === "events");
  // Lines of the table are reached by Tab and taken by Enter.
  const line = page.getByTestId("events").locator("tbody tr").nth(4);
  await line.waitFor();
  const time = (await line.locator("td").first().textContent())!;
  await page.getByRole("button", { name: "↓ Later" }).focus();
  for (let i = 0; i <= 4; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByTestId("events").locator("tr.current").getByText(time).waitFor();
  await press(page, "t", (state) => !state.has("tab"));
  await page.waitForTimeout(500);
  await page.keyboard.press("l");
  await until(page, "the link is in the clipboard", async () => {
    return (await page.evaluate<string>("navigator.clipboard.readText()")) === page.url();
  });
  // Points of the scatter plot are gone through by arrows.
  await page.locator('canvas[data-testid="scatter"]').focus();
  await press(page, "ArrowLeft", (state) => state.get("instance") !== last);
  await press(page, "ArrowRight", (state) => state.get("instance") === last);
  assert.deepEqual(wrong, []);
  await close();
});

test("Tab comes to every control, in the order that they are seen", { skip }, async () => {
  const { page, wrong, close } = await openPage(browser, server);
  await whenRead(page);
  await page.keyboard.press("]");
  await page.getByTestId("waterfall").waitFor();
  const seen: string[] = [];
  for (let i = 0; i < 400; i++) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate<string>(
      `(() => { const one = document.activeElement; return one === document.body ? "" :
        (one.ariaLabel || one.labels?.[0]?.textContent || one.textContent || one.dataset.testid).trim(); })()`,
    );
    if (now === "") break;
    seen.push(now);
  }
  const wanted = [
    "Trace",
    "Filter rows",
    "Sort rows",
    "hide idle",
    "wake-ups",
    "Height of rows",
    "Export",
    "Side panel",
    "Help",
    /^Timeline of CPUs/,
    "Why?",
    "Critical path",
    "Clear",
    "Durations",
    "Events",
    /instances by begin and duration/,
  ];
  let at = 0;
  for (const one of wanted) {
    const found = seen.findIndex(
      (text, i) => i >= at && (typeof one === "string" ? text === one : one.test(text)),
    );
    assert.ok(found >= 0, `${one} in ${seen.slice(at).join(" | ")}`);
    at = found;
  }
  assert.deepEqual(wrong, []);
  await close();
});
