// LTTng's own trigger action: an event rule of a real session daemon takes a snapshot of a user-space session and sends
// it to a relay. What comes there is timed by a proxy before the relay.
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { Lttng, whyNoLttng } from "../../build/test/support/lttng.js";
import { Relayd } from "../../build/test/support/relayd.js";

const CLOSE_TRACE_CHUNK = 20;
const HEADER_BYTES = 24;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const nowMs = () => performance.timeOrigin + performance.now();

/** For each line that it reads: some event records, then the one that matches, whose moment it prints. */
const PROGRAM = `#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "demo.h"
#include <stdio.h>
#include <time.h>
int main(void) {
  char line[100];
  setvbuf(stdout, NULL, _IONBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    for (int i = 0; i < 5000; i++) lttng_ust_tracepoint(demo, tick, 0, "some text of an ordinary length");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    lttng_ust_tracepoint(demo, tick, 1, "late");
    printf("%lld%09ld\\n", (long long)t.tv_sec, t.tv_nsec);
  }
  return 0;
}
`;

/** Hands bytes on; `look` sees those of each connection to the relay, in pieces. */
async function proxy(port, look) {
  const server = createServer((socket) => {
    const far = connect(port, "127.0.0.1");
    const see = look();
    socket.setNoDelay(true);
    far.setNoDelay(true);
    socket.on("data", (bytes) => see(bytes));
    for (const [from, to] of [
      [socket, far],
      [far, socket],
    ]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Calls `seen` with the number of every command in a control connection's bytes. */
function commands(seen) {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + Number(rest.readBigUInt64BE(8));
      if (rest.length < end) return;
      seen(rest.readUInt32BE(16));
      rest = rest.subarray(end);
    }
  };
}

/**
 * Milliseconds from the event record to: the first byte at the relay, the first byte of a ring buffer, the end of the
 * snapshot; sorted. `collector`: the same to `periscope collect`, as an incident, `frozen` asks when its agents had
 * stopped their buffers (epoch ms). Throws an error that says why it cannot be measured.
 */
export async function measureLttng(rounds, collector) {
  const why = whyNoLttng();
  if (why !== false) throw new Error(why);
  const lttng = new Lttng();
  await lttng.start();
  let relayd;
  let program;
  const servers = [];
  try {
    if (collector === undefined) relayd = await Relayd.start(lttng);
    const [control, data] = collector?.ports ?? relayd.ports;
    writeFileSync(join(lttng.directory, "late.c"), PROGRAM);
    const built = spawnSync("gcc", ["-I.", "-o", "late", "late.c", "-llttng-ust", "-ldl"], {
      cwd: lttng.directory,
      encoding: "utf8",
    });
    if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
    let round = {};
    servers.push(
      await proxy(control, () => {
        const see = commands((command) => {
          if (command === CLOSE_TRACE_CHUNK) round.end ??= nowMs();
        });
        return (bytes) => {
          round.first ??= nowMs();
          see(bytes);
        };
      }),
      await proxy(data, () => () => {
        round.data ??= nowMs();
      }),
    );
    const ports = servers.map((server) => server.address().port);
    const name = collector === undefined ? "bench" : "periscope-trigger";
    lttng.must("create", "ring", "--snapshot");
    lttng.must(
      "enable-channel",
      "-u",
      "-s",
      "ring",
      "--overwrite",
      "--subbuf-size=65536",
      "--num-subbuf=4",
      "c",
    );
    lttng.must("enable-event", "-u", "-s", "ring", "-c", "c", "demo:*");
    lttng.must("start", "ring");
    lttng.must(
      ...["add-trigger", "--name=late", "--condition=event-rule-matches", "--type=user", "--name=demo:tick"],
      ...["--filter=number == 1", "--action=snapshot-session", "ring", `--name=${name}`],
      `--url=net://127.0.0.1:${ports[0]}:${ports[1]}`,
    );
    program = spawn(join(lttng.directory, "late"), {
      ...lttng.options(),
      stdio: ["pipe", "pipe", "inherit"],
    });
    const times = { first: [], data: [], end: [], frozen: [] };
    // The first one connects, and is not counted.
    for (let n = 0; n <= rounds; n++) {
      round = {};
      program.stdin.write("late\n");
      const line = await new Promise((resolve) => program.stdout.once("data", resolve));
      const at = Number(BigInt(String(line).trim()) / 1000n) / 1000;
      for (let tries = 0; round.end === undefined; tries++) {
        if (tries > 1000) throw new Error("no snapshot came");
        await sleep(10);
      }
      const frozen = await collector?.frozen(at);
      if (n > 0) {
        for (const key of ["first", "data", "end"]) times[key].push(round[key] - at);
        if (frozen !== undefined) times.frozen.push(frozen - at);
      }
      await sleep(300);
    }
    for (const list of Object.values(times)) list.sort((a, b) => a - b);
    return times;
  } finally {
    program?.kill();
    for (const server of servers) server.close();
    await relayd?.stop();
    await lttng.stop();
  }
}
