// What becomes of packets on their way into files: byte by byte, from many senders at once, in pieces of all sizes, with
// more of them half there than may be held in memory; and what is left of a packet that came in part, or that turned out
// to belong elsewhere. The bytes are compared with what was sent.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { collectorArguments, Program } from "../support/programs.js";
import { OK, pack, RelayClient } from "../support/relay-client.js";

const directory = mkdtempSync(join(tmpdir(), "periscope-packets-"));
const store = join(directory, "store");
const INDEX_HEADER_BYTES = 16;
const INDEX_ENTRY_BYTES = 72;
let collector: Program;
let port: number;
let dataPort: number;

before(async () => {
  collector = Program.start(...collectorArguments(store));
  const ready = await collector.ready();
  port = ready["control"] as number;
  dataPort = ready["data"] as number;
});
after(async () => {
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

class Sender {
  #packets = 0;

  private constructor(
    private readonly name: string,
    readonly control: RelayClient,
    readonly data: Socket,
    readonly stream: bigint,
  ) {}

  static async open(name: string): Promise<Sender> {
    const control = await RelayClient.connect(port);
    await control.version();
    assert.equal(await control.createSession({ name }), OK);
    assert.equal(await control.createChunk(0, ""), OK);
    const stream = await control.addStream("c_0", "ust");
    assert.equal(stream?.code, OK);
    const data = connect(dataPort, "127.0.0.1");
    data.on("error", () => data.destroy());
    data.setNoDelay(true);
    await once(data, "connect");
    return new Sender(name, control, data, stream.handle);
  }

  head(bytes: number, padding: number): Buffer {
    return pack([8, 0], [8, this.stream], [8, this.#packets], [4, bytes], [4, padding]);
  }

  /** Says that the packet is sent. Answers the return code, which comes when it is stored. */
  async index(bytes: number): Promise<number | undefined> {
    const number = this.#packets++;
    const bits = bytes * 8;
    const entry = [this.stream, number, bits, bits, number, number, 0, 0, 0, number] as const;
    return (await this.control.ask(13, pack(...entry.map((value) => [8, value] as const))))?.readUInt32BE(0);
  }

  /** Streams go to chunk `id`, this one from its next packet on. */
  async rotate(id: number): Promise<void> {
    assert.equal(await this.control.createChunk(id, ""), OK);
    const head = pack([4, 1], [1, 1], [8, id]);
    const rotated = await this.control.ask(
      18,
      Buffer.concat([head, pack([8, this.stream], [8, this.#packets])]),
    );
    assert.equal(rotated?.readUInt32BE(0), OK);
  }

  get directory(): string {
    const host = join(store, "h");
    return join(host, readdirSync(host).find((one) => one.startsWith(`${this.name}-`))!);
  }

  get file(): string {
    return join(this.directory, "ust", "c_0");
  }

  close(): void {
    this.control.socket.destroy();
    this.data.destroy();
  }
}

/** The same for the same seed, without pattern. */
function noise(bytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words[i] = state ^ (state >>> 15);
  }
  return Buffer.from(words.buffer, 0, bytes);
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (!socket.write(bytes)) await once(socket, "drain");
}

test("packets of all sizes, from 30 senders at once, lie in their files as they were sent", async () => {
  const sizes = [1, 31, 4096, 0, 65_537, 1 << 20, (1 << 20) + 7, 3_300_000, 17];
  const senders = await Promise.all(Array.from({ length: 30 }, (_, i) => Sender.open(`sizes${i}x`)));
  const sent: Buffer[][] = senders.map(() => []);
  for (const [n, size] of sizes.entries()) {
    const padding = n % 3 === 0 ? 4096 - (size % 4096) : 0;
    const packets = senders.map((_, i) => noise(size, i * 100 + n));
    // All of them come to the same point before one goes on: 30 packets of 3.3 MB are 99 MB, of which 64 have room.
    for (const [i, sender] of senders.entries()) {
      const whole = Buffer.concat([sender.head(size, padding), packets[i]!]);
      const cut = Math.max(7, Math.floor(whole.length * 0.9) - i);
      await write(sender.data, whole.subarray(0, 7));
      await write(sender.data, whole.subarray(7, cut));
      packets[i] = Buffer.concat([packets[i]!, Buffer.alloc(padding)]);
      sent[i]!.push(packets[i]!, whole.subarray(cut));
    }
    for (const [i, sender] of senders.entries()) {
      await write(sender.data, sent[i]!.pop()!);
      assert.equal(await sender.index(size + padding), OK);
    }
  }
  for (const [i, sender] of senders.entries()) {
    const expected = Buffer.concat(sent[i]!);
    const found = readFileSync(sender.file);
    assert.equal(found.length, expected.length, `sender ${i}`);
    assert.ok(
      found.equals(expected),
      `sender ${i}: byte ${found.findIndex((byte, at) => byte !== expected[at])}`,
    );
    const index = statSync(join(sender.directory, "ust", "index", "c_0.idx")).size;
    assert.equal(index, INDEX_HEADER_BYTES + sizes.length * INDEX_ENTRY_BYTES);
    sender.close();
  }
});

const FIRST = noise(100_000, 1);
const LARGE = noise(8 << 20, 2);
/** What is sent of the large one, so fast that its begin is written before its end comes. */
const PART = 6 << 20;

/** A sender whose first packet is stored, and whose second, large one is there in part, some of it in the file. */
async function halfSent(name: string): Promise<Sender> {
  for (let tries = 0; tries < 20; tries++) {
    const sender = await Sender.open(`${name}${tries}`);
    sender.data.write(Buffer.concat([sender.head(FIRST.length, 0), FIRST]));
    assert.equal(await sender.index(FIRST.length), OK);
    sender.data.write(Buffer.concat([sender.head(LARGE.length, 0), LARGE.subarray(0, PART)]));
    for (let waits = 0; waits < 20; waits++) {
      if (statSync(sender.file).size > FIRST.length) return sender;
      await sleep(10);
    }
    // A busy machine: it came too slowly.
    sender.close();
  }
  throw new Error("no packet was written while it came");
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let waits = 0; !holds(); waits++) {
    assert.ok(waits < 500, what);
    await sleep(10);
  }
}

test("a packet that ends in the middle leaves nothing in the file", async () => {
  const sender = await halfSent("gone");
  sender.data.destroy();
  await until("its part is taken back", () => statSync(sender.file).size === FIRST.length);
  assert.ok(readFileSync(sender.file).equals(FIRST));
  sender.close();
});

test("a packet that came in part before its stream went to the next chunk lies in that one only", async () => {
  const sender = await halfSent("rotated");
  await sender.rotate(1);
  sender.data.write(LARGE.subarray(PART));
  assert.equal(await sender.index(LARGE.length), OK);
  assert.ok(readFileSync(sender.file).equals(FIRST));
  const chunk = readdirSync(sender.directory).find((name) => name.endsWith("-1"))!;
  assert.ok(readFileSync(join(sender.directory, chunk, "ust", "c_0")).equals(LARGE));
  sender.close();
});

test("a packet that was written while it came is whole when its end comes late", async () => {
  const sender = await halfSent("late");
  await sleep(50);
  sender.data.write(LARGE.subarray(PART));
  assert.equal(await sender.index(LARGE.length), OK);
  assert.ok(readFileSync(sender.file).equals(Buffer.concat([FIRST, LARGE])));
  sender.close();
});
