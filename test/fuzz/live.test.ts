/**
 * A relay whose answers are damaged on their way to our viewer: what it reads of a live session is what was sent, or
 * ends with an error for people; it never waits for ever, and never takes what it does not understand for a fault of
 * its own. `PERISCOPE_LIVE_VIEWERS=10000 node --test build/test/fuzz/live.test.js` has more of them;
 * `PERISCOPE_LIVE_FIRST=N` begins with the one of number N.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PeriscopeError } from "../../src/base/errors.js";
import { LiveSession, parseLiveUrl } from "../../src/live/live-session.js";
import { Random } from "../property/random.js";
import { collectorArguments, Program } from "../support/programs.js";
import { Replay } from "../support/relay-replay.js";
import { sample } from "../support.js";

const VIEWERS = Number(process.env["PERISCOPE_LIVE_VIEWERS"] ?? 300);
const FIRST = Number(process.env["PERISCOPE_LIVE_FIRST"] ?? 0);
const POLLS = 6;
/** The relay in between hangs up when nobody says anything: the viewer waits for bytes that do not come. */
const SILENCE_MS = 250;
const TOGETHER = 8;

const directory = mkdtempSync(join(tmpdir(), "periscope-live-fuzz-"));
let collector: Program;
let replay: Replay;
let livePort: number;

before(async () => {
  collector = Program.start(...collectorArguments(join(directory, "store")));
  const { control, data, live } = await collector.ready();
  livePort = live as number;
  replay = await Replay.begin(
    [control as number, data as number],
    "far",
    "session",
    join(sample("idle-small"), "kernel"),
  );
  await replay.send(replay.left);
});
after(async () => {
  await replay.end();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

/** A relay that passes everything on, and damages one of its answers. */
async function damagingRelay(random: Random): Promise<Server> {
  // Answers before the packets are small: half of the damage is to be there.
  let left = random.chance(0.5) ? random.below(3000) : random.below(1 << 20);
  const damage = (bytes: Buffer): Buffer => {
    if (left >= bytes.length) {
      left -= bytes.length;
      return bytes;
    }
    const at = left;
    left = Number.POSITIVE_INFINITY;
    const length = random.between(1, 16);
    switch (random.below(4)) {
      case 0:
        bytes[at]! ^= 1 << random.below(8);
        return bytes;
      case 1:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
      case 2:
        return Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(length, random.below(256)),
          bytes.subarray(at),
        ]);
      default:
        bytes.fill(random.pick([0, 0xff, random.below(256)]), at, Math.min(bytes.length, at + length));
        return bytes;
    }
  };
  const server = createServer((viewer) => {
    const relay = connect(livePort, "127.0.0.1");
    for (const [from, to, pass] of [
      [viewer, relay, (bytes: Buffer) => bytes],
      [relay, viewer, damage],
    ] as const) {
      from.on("data", (bytes: Buffer) => to.write(pass(bytes)));
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
    viewer.setTimeout(SILENCE_MS, () => viewer.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function view(number: number): Promise<"read" | "refused"> {
  const server = await damagingRelay(new Random(number));
  const { port } = server.address() as AddressInfo;
  let session: LiveSession | undefined;
  try {
    session = await LiveSession.open(parseLiveUrl(`net://127.0.0.1:${port}/host/far/session`));
    for (let i = 0; i < POLLS; i++) if ((await session.poll()).isCaughtUp) break;
    return "read";
  } catch (error) {
    if (error instanceof PeriscopeError && !/undefined|NaN|\[object/.test(error.message)) return "refused";
    throw new Error(`viewer ${number}: ${(error as Error).stack}`);
  } finally {
    session?.close();
    server.close();
  }
}

test("a viewer bears whatever a relay answers", async () => {
  const outcomes = { read: 0, refused: 0 };
  for (let first = FIRST; first < FIRST + VIEWERS; first += TOGETHER) {
    const batch = Array.from({ length: TOGETHER }, async (_, i) => outcomes[await view(first + i)]++);
    await Promise.all(batch);
  }
  // Damage hits something, and not everything.
  assert.ok(outcomes.read > 0 && outcomes.refused > VIEWERS / 20, JSON.stringify(outcomes));
});
