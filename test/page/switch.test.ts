// Another trace is opened while answers about the one before are still on their way: nothing of that one is shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type RunningServer, startServer } from "../support/server.js";
import { sample } from "../support.js";
import { launch, openPage, noBrowser as skip, until } from "./browser.js";

const READS =
  'reads : $evt.$name == "syscall_entry_read" : $evt.$name == "syscall_exit_read" && $evt.tid == $begin.$evt.tid';
let browser: Browser;
let server: RunningServer;

before(async () => {
  if (skip !== false) return;
  server = await startServer("serve", ["--period", READS, sample("idle-small"), sample("dns-outlier")]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Ids of both experiments, and how many instances each has. */
async function experiments(): Promise<{ id: string; count: number }[]> {
  const ask = async (path: string) => (await fetch(`${server.url}/api/experiments${path}`)).json();
  const found: { id: string; count: number }[] = [];
  for (const { id } of (await ask("")) as { id: string }[]) {
    for (;;) {
      const { status, periods } = (await ask(`/${id}`)) as { status: string; periods: { count: number }[] };
      if (status === "ready" && periods.length > 0) {
        found.push({ id, count: periods[0]!.count });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return found;
}

const scatter = (page: Page) => page.locator('canvas[data-testid="scatter"]');
const choose = (page: Page, id: string) => page.getByTestId("experiments").selectOption(`experiment:${id}`);

async function hasInstances(page: Page, count: number): Promise<void> {
  await until(page, `${count} instances are shown`, async () =>
    ((await scatter(page).getAttribute("aria-label")) ?? "").startsWith(`${count} instances`),
  );
}

test("instances of a trace that was left do not come into the one that is shown", { skip }, async () => {
  const [first, second] = (await experiments()) as [
    { id: string; count: number },
    { id: string; count: number },
  ];
  assert.ok(first.count > 0 && second.count > 0 && first.count !== second.count);
  const { page, close } = await openPage(browser, server, { path: `/#experiment=${second.id}` });
  await hasInstances(page, second.count);
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isAsked = false;
  await page.route(`**/experiments/${first.id}/periods*`, async (route) => {
    isAsked = true;
    await held;
    await route.continue();
  });
  await choose(page, first.id);
  await until(page, "it asked for the instances", async () => isAsked);
  await choose(page, second.id);
  await hasInstances(page, second.count);
  const late = page.waitForResponse((response) => response.url().includes(`${first.id}/periods`));
  release();
  await (await late).finished();
  await page.waitForTimeout(200);
  await hasInstances(page, second.count);
  await close();
});

test("an explanation is of its trace, whatever the number of the instance", { skip }, async () => {
  const [first, second] = (await experiments()) as [
    { id: string; count: number },
    { id: string; count: number },
  ];
  const { page, wrong, close } = await openPage(browser, server, { path: `/#experiment=${first.id}` });
  const select = async (count: number): Promise<string> => {
    await hasInstances(page, count);
    await scatter(page).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByTestId("instance").waitFor();
    await until(page, "the address knows the instance", async () => /[#&]instance=\d+/.test(page.url()));
    return /[#&]instance=(\d+)/.exec(page.url())![1]!;
  };
  const one = await select(first.count);
  await page.getByRole("button", { name: "Why?" }).click();
  await page.getByTestId("why").waitFor();
  await choose(page, second.id);
  await until(page, "nothing is selected", async () => (await page.getByTestId("instance").count()) === 0);
  assert.equal(await select(second.count), one, "both have the same number");
  assert.equal(await page.getByTestId("why").count(), 0);
  assert.deepEqual(wrong, []);
  await close();
});
