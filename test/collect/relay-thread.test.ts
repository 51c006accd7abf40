// The relay's thread dies (of a fault that a debugger throws into it): another one takes its place, on the same ports.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { Session } from "node:inspector";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { LogFields } from "../../src/collect/log.js";
import { RelayThread } from "../../src/collect/relay/thread.js";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { freePorts } from "../support/ports.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-relay-thread-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Runs JavaScript in the newest thread of this process. */
async function inThread(expression: string): Promise<void> {
  const session = new Session();
  session.connect();
  const threads: string[] = [];
  session.on("NodeWorker.attachedToWorker", ({ params }) => threads.push(params.sessionId));
  await new Promise<void>((resolve, reject) => {
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false }, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  const message = JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } });
  await new Promise<void>((resolve) => {
    session.post("NodeWorker.sendMessageToWorker", { sessionId: threads.at(-1)!, message }, () => resolve());
  });
  // Long enough for the thread to get it; who watches it is told by its end.
  setTimeout(() => session.disconnect(), 1000);
}

test("a relay thread that dies is replaced: sessions begin again on the same ports", {
  skip: whyNoLttng(),
}, async () => {
  const logged: { event: string; fields: LogFields }[] = [];
  const until = async (event: string, count: number) => {
    for (let tries = 0; logged.filter((line) => line.event === event).length < count; tries++) {
      assert.ok(tries < 600, `${count} of "${event}": ${JSON.stringify(logged.slice(-5))}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const store = join(directory, "store");
  const [one, two, three] = (await freePorts(3)).map((port) => {
    return { address: "127.0.0.1", port, allow: [], maxConnections: 100 };
  });
  const relay = await RelayThread.start(
    { relay: { store, allowClear: false, sync: false }, ports: { control: one!, data: two!, live: three! } },
    (_level, event, fields = {}) => logged.push({ event, fields }),
  );
  const lttng = new Lttng();
  await lttng.start();
  try {
    const { control, data, live } = relay.ports;
    const begin = (name: string) => {
      lttng.must("create", name, "--live=100000", `--set-url=net://127.0.0.1:${control}:${data}`);
      lttng.must("enable-event", "-u", "-s", name, "demo:*");
      lttng.must("start", name);
    };
    begin("before");
    await lttng.emit(1000, 100);
    await until("session begins", 1);
    const host = join(store, hostname());
    const path = (name: string) => join(host, readdirSync(host).find((one) => one.startsWith(`${name}-`))!);
    // Stored as the live timer has it.
    for (let tries = 0, count = 0; count < 1000; tries++) {
      assert.ok(tries < 300, `${count} event records came`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      count = countByBabeltrace(path("before"));
    }
    await inThread('setTimeout(() => { throw new Error("a fault") })');
    await until("the relay died", 1);
    assert.match(String(logged.find(({ event }) => event === "the relay died")?.fields["reason"]), /a fault/);
    assert.match(relay.trouble ?? "", /a fault/);
    await until("the relay runs again", 1);
    assert.equal(relay.trouble, undefined);
    assert.deepEqual(relay.ports, { control, data, live });
    assert.equal(countByBabeltrace(path("before")), 1000);
    lttng.lttng("destroy", "before");
    begin("after");
    await lttng.emit(500);
    lttng.must("destroy", "after");
    await until("session ends", 1);
    assert.equal(countByBabeltrace(path("after")), 500);
    // A second death, by another way.
    await inThread("process.exit(3)");
    await until("the relay runs again", 2);
    const pauses = logged.flatMap(({ event, fields }) =>
      event === "the relay died" ? [Number(fields["again_after_ms"])] : [],
    );
    assert.ok(pauses.length === 2 && pauses[1]! > pauses[0]!, String(pauses));
  } finally {
    await lttng.stop();
    await relay.close();
  }
});
