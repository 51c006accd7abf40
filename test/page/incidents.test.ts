// A real incident (a flight recorder on this kernel, a trigger, a collector) opened from the page's list, by mouse and by
// keyboard; what is opened is what babeltrace2 reads in the store.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { collectorArguments, Program } from "../support/programs.js";
import { type RunningServer, startServer } from "../support/server.js";
import { babeltrace2, needs, periscope, root } from "../support.js";
import { launch, noBrowser, type OpenPage, openPage, pictures } from "./browser.js";

const TRACEFS = "/sys/kernel/tracing";

function whyNot(): string | false {
  if (noBrowser !== false) return noBrowser;
  if (process.getuid?.() !== 0) return "tracefs: not root";
  if (!existsSync(join(TRACEFS, "instances"))) spawnSync("mount", ["-t", "tracefs", "nodev", TRACEFS]);
  if (!existsSync(join(TRACEFS, "instances"))) return "tracefs cannot be mounted here";
  if (spawnSync("openssl", ["version"]).status !== 0) return "openssl is not installed";
  return needs("babeltrace2");
}
const skip = whyNot();
const directory = mkdtempSync(join(tmpdir(), "periscope-page-incidents-"));
const store = join(directory, "store");
let collector: Program;
let agent: Program;
let browser: Browser;
let server: RunningServer;
let id = "";

before(async () => {
  if (skip !== false) return;
  const certificates = join(directory, "certificates");
  const file = (name: string): string => join(certificates, name);
  assert.equal(periscope(["certificates", certificates]).code, 0);
  collector = Program.start(
    ...collectorArguments(store),
    ...["--tls-cert", file("collector.pem"), "--tls-key", file("collector.key"), "--tls-ca", file("ca.pem")],
    ...["--token-file", file("token")],
  );
  const { agents } = await collector.ready();
  const socket = join(directory, "agent.sock");
  agent = Program.start(
    ...["agent", "--collector", `127.0.0.1:${agents}`, "--ca", file("ca.pem"), "--host-name", "shop"],
    ...["--token-file", file("token"), "--socket", socket, "--spool", join(directory, "spool")],
    ...["--buffer-size", "1M"],
  );
  await agent.ready();
  await collector.line(({ event }) => event === "agent connected", "the agent connected");
  spawnSync("sh", ["-c", "ls -lR /etc > /dev/null"]);
  const said = periscope(["trigger", "slow checkout", "url=/cart", "--socket", socket]);
  assert.equal(said.code, 0, said.stderr);
  const why = await collector.line(({ event }) => event === "why", "the incident was explained");
  id = why["incident"] as string;
  server = await startServer("view", ["--store", store, join(root, "samples/dns-outlier")]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await agent?.kill();
  await collector?.kill();
  rmSync(directory, { recursive: true, force: true });
});

/** The page shows as many event records as babeltrace2 reads lines, of the incident's host. */
async function isIncident({ page, wrong }: OpenPage): Promise<void> {
  const { code, stdout, stderr } = babeltrace2([join(store, "incidents", id)]);
  assert.equal(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  const [, host] = /^\[[^\]]*\] (?:\([^)]*\) )?(\S+) /.exec(lines[0]!)!;
  await page
    .getByTestId("status")
    .getByText(`${lines.length.toLocaleString("en")} event records · ${host}`)
    .waitFor();
  assert.equal(await page.title(), `incident ${id} · Periscope`);
  assert.equal(
    await page.getByTestId("experiments").locator("option:checked").textContent(),
    `incident ${id}`,
  );
  assert.deepEqual(wrong, []);
}

test("an incident is opened from the list; a link to it opens it again", { skip }, async () => {
  const first = await openPage(browser, server);
  const { page } = first;
  await page.getByTestId("status").getByText("event records").waitFor();
  const list = page.getByTestId("experiments");
  const item = list.locator("optgroup[label=Incidents] option");
  assert.match((await item.textContent())!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d · slow checkout · shop$/);
  await list.selectOption({ label: (await item.textContent())! });
  await isIncident(first);
  // The flight recorder's own ls is among its rows.
  await page.getByTestId("cpu").locator(".bar-line").first().waitFor();
  await page.screenshot({ path: join(pictures, "incident.png") });
  await page.waitForFunction(
    `new URLSearchParams(location.hash.slice(1)).get("experiment") === ${JSON.stringify(await idOf())}`,
  );
  const again = await openPage(browser, server, { path: page.url() });
  await isIncident(again);
  await again.close();
  await first.close();
});

async function idOf(): Promise<string> {
  const all = (await (await fetch(`${server.url}/api/experiments`)).json()) as { id: string; name: string }[];
  return all.find(({ name }) => name === `incident ${id}`)!.id;
}

test("an incident is opened by keyboard", { skip }, async () => {
  const opened = await openPage(browser, server);
  const { page } = opened;
  await page.getByTestId("status").getByText("event records").waitFor();
  const list = page.getByTestId("experiments");
  // It is the first that the Tab key comes to.
  await page.keyboard.press("Tab");
  assert.equal(
    await list.evaluate((element) => element === element.ownerDocument.activeElement),
    true,
    "the list has the focus",
  );
  // Letters choose by the beginning of the name: the incident's is its date.
  const [year] = (await list.locator("optgroup[label=Incidents] option").textContent())!.split("-");
  await page.keyboard.type(year!);
  await isIncident(opened);
  await opened.close();
});
