/**
 * Peers that say anything at all to the collector's control, data and live ports: conversations as session daemons,
 * consumer daemons and viewers have them, with messages left out, twice, out of order, cut and damaged. The collector
 * goes on, nothing leaves the store, and every end of a connection is told as the peer's fault, never as ours.
 * `PERISCOPE_RELAY_CONVERSATIONS=100000 node --test build/test/fuzz/relay.test.js` has more of them;
 * `PERISCOPE_RELAY_FIRST=N` begins with the one of number N.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Random } from "../property/random.js";
import { collectorArguments, Program } from "../support/programs.js";
import { OK, pack, RelayClient } from "../support/relay-client.js";

const CONVERSATIONS = Number(process.env["PERISCOPE_RELAY_CONVERSATIONS"] ?? 3000);
const FIRST = Number(process.env["PERISCOPE_RELAY_FIRST"] ?? 0);
/** Conversations at a time: also their order is a matter of chance. */
const TOGETHER = 16;
const ANSWER_MS = 30_000;

const directory = mkdtempSync(join(tmpdir(), "periscope-relay-fuzz-"));
const store = join(directory, "store");
let collector: Program;
let ports: Record<"control" | "data" | "live", number>;

before(async () => {
  collector = Program.start(...collectorArguments(store));
  ports = (await collector.ready()) as unknown as typeof ports;
});
after(async () => {
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

type Field = Parameters<typeof pack>[number];

const NAMES = [
  "s",
  "kernel",
  "metadata",
  "ust/uid/0/64-bit",
  "..",
  "/",
  "",
  "a".repeat(300),
  "é\u0001",
  "archives",
];

class Speaker {
  constructor(private readonly random: Random) {}

  /** Mostly small: numbers of sessions, streams and packets are. */
  #number(bytes: 4 | 8): Field {
    const { random } = this;
    return [bytes, random.chance(0.8) ? random.below(8) : random.bits(8 * bytes)];
  }

  #flag(): Field {
    return [1, this.random.below(2)];
  }

  #name(): string {
    const { random } = this;
    return random.chance(0.7) ? `n${random.below(4)}` : random.pick(NAMES);
  }

  #handle(): Field {
    return this.random.chance(0.9) ? [8, 1 + this.random.below(3)] : this.#number(8);
  }

  #control(command: number, ...fields: Field[]): Buffer {
    const payload = pack(...fields);
    return pack([8, 0], [8, payload.length], [4, command], [4, 0], payload);
  }

  #version(): Buffer {
    const minor = this.random.chance(0.6) ? 11 : this.random.pick([1, 2, 4, 8, 10, 15, 99]);
    return this.#control(5, [4, this.random.chance(0.95) ? 2 : 3], [4, minor]);
  }

  #createSession(): Buffer {
    const names = [this.#name(), this.#name(), this.random.chance(0.7) ? "" : this.#name()].map(
      (one) => `${one}\0`,
    );
    if (this.random.chance(0.2))
      return this.#control(2, ...names.map((one) => one.padEnd(255, "\0")), [4, 0], [4, 0]);
    return this.#control(
      2,
      ...names.map((one): Field => [4, Buffer.byteLength(one, "latin1")]),
      [4, this.random.chance(0.5) ? 1_000_000 : 0],
      this.#flag(),
      this.#flag(),
      Buffer.alloc(16, this.random.below(3)),
      this.#number(8),
      this.#number(8),
      [1, this.random.chance(0.2) ? 1 : 0],
      this.#number(8),
      ...names,
    );
  }

  #addStream(): Buffer {
    const [channel, path] = [
      this.random.chance(0.3) ? "metadata\0" : `${this.#name()}\0`,
      `${this.#name()}\0`,
    ];
    const sizes: Field[] = this.random.chance(0.7)
      ? [
          [8, 0],
          [8, 0],
        ]
      : [
          [8, this.random.below(64)],
          [8, this.random.below(3)],
        ];
    return this.#control(1, [4, channel.length], [4, path.length], ...sizes, this.#number(8), channel, path);
  }

  #index(): Buffer {
    const packet: Field = [8, this.random.chance(0.6) ? 8 * 32 : this.random.bits(64)];
    const times = Array.from({ length: 6 }, () => this.#number(8));
    return this.#control(13, this.#handle(), this.#number(8), packet, ...times, this.#number(8));
  }

  #otherControl(): Buffer {
    const { random } = this;
    const name = `${this.#name()}\0`;
    switch (random.below(12)) {
      case 0:
        return this.#control(16);
      case 1:
        return this.#control(6, this.#handle(), [4, random.below(100)], Buffer.alloc(random.below(200), 65));
      case 2:
        return this.#control(7, this.#handle(), this.#number(8));
      case 3:
        return this.#control(8, this.#handle(), this.#number(8));
      case 4:
        return this.#control(random.pick([9, 10, 11, 21, 22, 3]), this.#number(8));
      case 5:
        return this.#control(17, this.#handle(), this.#number(8));
      case 6: {
        const streams = Array.from({ length: random.below(3) }, () => [
          this.#handle(),
          this.#number(8),
        ]).flat();
        return this.#control(18, [4, streams.length / 2], this.#flag(), this.#number(8), ...streams);
      }
      case 7:
      case 8:
        return this.#control(19, this.#number(8), this.#number(8), [4, name.length], name);
      case 9:
        return this.#control(20, this.#number(8), this.#number(8), this.#flag(), [4, random.below(4)]);
      case 10:
        return this.#index();
      default:
        return this.#control(Number(random.bits(5)), Buffer.alloc(random.below(64), random.below(256)));
    }
  }

  #packet(): Buffer {
    const bytes = this.random.chance(0.7) ? 32 : this.random.below(5000);
    const claimed = this.random.chance(0.95) ? bytes : Number(this.random.bits(32));
    const padding = this.random.chance(0.8) ? 0 : Number(this.random.bits(32));
    const head = pack([8, 0], this.#handle(), this.#number(8), [4, claimed], [4, padding]);
    return Buffer.concat([head, Buffer.alloc(bytes, 1)]);
  }

  #viewer(): Buffer {
    const { random } = this;
    const request = (command: number, ...fields: Field[]) => {
      const payload = pack(...fields);
      return pack([8, payload.length], [4, command], [4, 0], payload);
    };
    switch (random.below(8)) {
      case 0:
        return request(3, this.#number(8), [8, 0], [4, 1 + random.below(3)]);
      case 1:
        return request(4, this.#handle());
      case 2:
        return request(5, this.#handle(), this.#number(8), this.#number(4));
      case 3:
        return request(6, this.#handle());
      case 4:
        return request(7, this.#number(8));
      case 5:
        return request(random.pick([2, 8]));
      case 6:
        return request(9, this.#number(8));
      default:
        return request(Number(random.bits(5)), Buffer.alloc(random.below(64)));
    }
  }

  /** The messages of one connection. */
  conversation(): { readonly to: "control" | "data" | "live"; readonly messages: Buffer[] } {
    const { random } = this;
    const times = <T>(most: number, make: () => T) => Array.from({ length: random.below(most) }, make);
    switch (random.below(4)) {
      case 0:
        return { to: "data", messages: times(6, () => this.#packet()) };
      case 1: {
        const hello = pack([8, 20], [4, 1], [4, 0], [8, 0], [4, 2], [4, random.pick([4, 11, 15])], [4, 1]);
        const create = pack([8, 0], [4, 8], [4, 0]);
        return { to: "live", messages: [hello, create, ...times(12, () => this.#viewer())] };
      }
      default: {
        const chunk = this.#control(19, [8, 0], [8, 1_790_000_000], [4, 0]);
        const begin = [this.#version(), this.#createSession(), chunk, this.#addStream(), this.#addStream()];
        return { to: "control", messages: [...begin, ...times(20, () => this.#otherControl())] };
      }
    }
  }
}

/** Messages left out, twice, swapped, cut, with flipped bits. */
function damage(messages: Buffer[], random: Random): Buffer {
  const list = messages.slice();
  for (let n = random.pick([0, 0, 1, 2]); n > 0 && list.length > 1; n--) {
    const at = random.below(list.length);
    if (random.chance(0.3)) list.splice(at, 1);
    else if (random.chance(0.4)) list.splice(at, 0, list[random.below(list.length)]!);
    else [list[0], list[at]] = [list[at]!, list[0]!];
  }
  let bytes = Buffer.concat(list);
  if (random.chance(0.3) && bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  if (random.chance(0.2)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
  return bytes;
}

/** Says it, in one or several pieces, and waits until the collector has ended the connection. */
async function say(to: number, bytes: Buffer, random: Random, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(to, "127.0.0.1");
    const timer = setTimeout(() => {
      reject(new Error(`${what}: the connection is not ended`));
      socket.destroy();
    }, ANSWER_MS);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
    const cut = random.chance(0.5) ? 0 : random.below(bytes.length + 1);
    if (cut > 0) socket.write(bytes.subarray(0, cut));
    if (random.chance(0.1)) socket.destroy();
    else socket.end(bytes.subarray(cut));
  });
}

async function works(): Promise<void> {
  const client = await RelayClient.connect(ports.control);
  await client.version();
  assert.equal(await client.createSession({ name: "after", host: "after" }), OK);
  assert.equal(await client.createChunk(0, ""), OK);
  assert.equal((await client.addStream("c_0", "ust"))?.code, OK);
  client.socket.destroy();
}

test("the collector bears whatever is said to its ports", async () => {
  for (let first = FIRST; first < FIRST + CONVERSATIONS; first += TOGETHER) {
    const batch = Array.from({ length: TOGETHER }, async (_, i) => {
      const random = new Random(first + i);
      const { to, messages } = new Speaker(random).conversation();
      await say(ports[to], damage(messages, random), random, `conversation ${first + i} with ${to}`);
    });
    await Promise.all(batch);
    const fault = collector.lines.find(({ event, level }) => level === "error" || event.includes("fault"));
    assert.equal(fault, undefined, `conversations from ${first}: ${JSON.stringify(fault)}`);
    assert.equal(collector.child.exitCode, null);
  }
  await works();
  assert.deepEqual(readdirSync(directory), ["store"]);
  const memory = readFileSync(`/proc/${collector.child.pid}/status`, "utf8");
  assert.ok(Number(/VmHWM:\s+(\d+) kB/.exec(memory)![1]) < 300_000, memory);
  // They do get somewhere: refusals of every kind, and sessions that were begun.
  const told = new Set(collector.lines.map(({ event }) => event));
  for (const event of ["refused", "session begins", "control connection closed", "data connection closed"]) {
    assert.ok(told.has(event), `${event} in ${[...told].join(", ")}`);
  }
});
