// Exports from the page: what the server passes on is what the command writes, whole or visibly broken, and nothing of
// it stays in the server.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { type RunningServer, startServer } from "../support/server.js";
import { periscope, root } from "../support.js";

const trace = join(root, "samples/dns-outlier");
const directory = mkdtempSync(join(tmpdir(), "periscope-stream-"));
let server: RunningServer;

before(async () => {
  const damaged = join(directory, "damaged");
  cpSync(join(root, "samples/idle-small"), damaged, { recursive: true });
  const kernel = join(damaged, "kernel");
  const streams = readdirSync(kernel).filter((name) => /_\d+$/.test(name));
  truncateSync(join(kernel, streams.sort().at(-1)!), 10_000);
  server = await startServer("serve", [trace, damaged]);
});

after(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function address(name: string, query: string): Promise<string> {
  const list = (await (await fetch(`${server.url}/api/experiments`)).json()) as {
    id: string;
    name: string;
  }[];
  const one = list.find((experiment) => experiment.name === name);
  assert.ok(one !== undefined, JSON.stringify(list));
  return `${server.url}/api/experiments/${one.id}/export?${query}`;
}

/** The running processes that the server has started. */
function children(): string[] {
  return readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "latin1").split(" ").filter(Boolean);
}

async function becomes(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (condition()) return;
    await sleep(100);
  }
  assert.fail(`${what}: not within a minute`);
}

/** Replies of which nothing is read yet. Each has its own connection: tests are busy for longer than servers wait. */
function begun(url: string, count: number, headers: Record<string, string> = {}): Promise<IncomingMessage[]> {
  const one = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false, headers }, resolve).on("error", reject);
    });
  return Promise.all(Array.from({ length: count }, one));
}

async function fetched(url: string, headers: Record<string, string> = {}) {
  const [reply] = await begun(url, 1, headers);
  const parts: Buffer[] = [];
  for await (const part of reply!) parts.push(part as Buffer);
  return { status: reply!.statusCode, headers: reply!.headers, body: Buffer.concat(parts) };
}

/** Bytes of memory that the server has held at most. */
function peakBytes(): number {
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"))![1]);
}

test("each format arrives as the command writes it", async () => {
  for (const format of ["perfetto", "chrome", "stacks", "csv", "parquet"]) {
    const path = join(directory, format);
    const states = format === "csv" || format === "parquet" ? ["--table", "states"] : [];
    // The server takes the profile that fits.
    const options = ["--profile", "apache-php-mysql", ...states];
    const run = periscope(["export", "--format", format, ...options, "-o", path, trace]);
    assert.equal(run.code, 0, run.stderr);
    const url = await address("dns-outlier", `format=${format}`);
    const plain = await fetched(url);
    assert.equal(plain.status, 200);
    assert.match(plain.headers["content-disposition"]!, /^attachment; filename=/);
    assert.ok(plain.body.equals(readFileSync(path)), format);
    if (format !== "perfetto") continue;
    const packed = await fetched(url, { "accept-encoding": "gzip" });
    assert.equal(packed.headers["content-encoding"], "gzip");
    assert.ok(gunzipSync(packed.body).equals(plain.body));
  }
});

test("a damaged trace's export arrives, too; a wrong format is said", async () => {
  const { status, body } = await fetched(await address("damaged", "format=stacks"));
  assert.equal(status, 200);
  assert.match(body.toString(), /;waits for a CPU \d+\n/);
  const wrong = await fetched(await address("damaged", "format=pdf"));
  assert.equal(wrong.status, 400);
  assert.match(wrong.body.toString(), /format: expected perfetto, chrome/);
});

test("a browser that does not read holds the export up, and one that goes away ends it", async () => {
  const before = peakBytes();
  const url = await address("dns-outlier", "format=chrome");
  const replies = await begun(url, 4);
  // 13 MB do not fit into what lies between the export and a reader that stands still.
  assert.equal(children().length, 4);
  await sleep(1000);
  assert.equal(children().length, 4);
  for (const reply of replies) reply.on("error", () => {}).destroy();
  await becomes(() => children().length === 0, "the exports end");
  // Kept whole they were 52 MB.
  const grown = peakBytes() - before;
  assert.ok(grown < 40e6, `${grown} bytes`);
});

test("an export that ends half-way breaks the download", async () => {
  const [reply] = await begun(await address("dns-outlier", "format=chrome"), 1);
  const [pid] = children();
  process.kill(Number(pid), "SIGKILL");
  await assert.rejects(async () => {
    for await (const _ of reply!);
  }, /aborted/);
});
