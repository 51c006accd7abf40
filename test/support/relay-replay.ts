/**
 * Sends a kernel trace of LTTng to a relay as the session daemon did when it was recorded: real kernel sessions where
 * there are no kernel modules.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { OK, pack, RelayClient } from "./relay-client.js";

const INDEX_HEAD_BYTES = 16;
const INDEX_ENTRY_BYTES = 72;
const UNSET_SEQUENCE = -1n;
const COMMAND = {
  addStream: 1,
  createSession: 2,
  sendMetadata: 6,
  closeStream: 7,
  sendIndex: 13,
  streamsSent: 16,
  rotateStreams: 18,
  createChunk: 19,
  closeChunk: 20,
};

interface Packet {
  readonly handle: bigint;
  readonly sequence: number;
  readonly bytes: Buffer;
  /** Sizes, times, discarded, stream class, instance, sequence number: as in the index file. */
  readonly entry: Buffer;
  readonly begin: bigint;
}

export class Replay {
  readonly #packets: Packet[] = [];
  readonly #last = new Map<bigint, number>();
  #metadata = 0n;

  private constructor(
    private readonly control: RelayClient,
    private readonly data: Socket,
  ) {}

  /** Begins a live session; `kernel`: directory with LTTng's files. No packet is sent yet. */
  static async begin(
    ports: readonly [control: number, data: number],
    host: string,
    name: string,
    kernel: string,
  ) {
    const data = connect(ports[1], "127.0.0.1");
    await once(data, "connect");
    const replay = new Replay(await RelayClient.connect(ports[0]), data);
    await replay.#begin(host, name, kernel);
    return replay;
  }

  async #must(command: number, payload: Buffer, codeAt = 0): Promise<Buffer> {
    const reply = await this.control.ask(command, payload);
    const code = reply?.readUInt32BE(codeAt);
    if (reply === undefined || code !== OK) throw new Error(`command ${command}: ${code ?? "closed"}`);
    return reply;
  }

  async #begin(host: string, name: string, kernel: string): Promise<void> {
    await this.control.version();
    const texts = [name, host, ""].map((text) => `${text}\0`);
    const created = Math.floor(Date.now() / 1000);
    await this.#must(
      COMMAND.createSession,
      pack(
        ...texts.map((text) => [4, text.length] as const),
        ...[[4, 1_000_000] as const, [1, 0] as const, [1, 0] as const],
        ...[Buffer.from(name.padEnd(16, "-").slice(0, 16)), [8, 1] as const, [8, created] as const],
        ...[[1, 0] as const, [8, 0] as const],
        ...texts,
      ),
      8,
    );
    await this.#must(COMMAND.createChunk, pack([8, 0], [8, created], [4, 0]));
    for (const channel of readdirSync(kernel).filter((one) => one !== "index" && one !== "metadata")) {
      this.#load(await this.#addStream(channel), kernel, channel);
    }
    this.#packets.sort((a, b) => Number(a.begin - b.begin));
    this.#metadata = await this.#addStream("metadata");
    await this.#must(COMMAND.streamsSent, Buffer.alloc(0));
    const bytes = readFileSync(join(kernel, "metadata"));
    // The one command that is not answered.
    this.control.socket.write(
      pack(
        [8, 0],
        [8, bytes.length + 12],
        [4, COMMAND.sendMetadata],
        [4, 0],
        [8, this.#metadata],
        [4, 0],
        bytes,
      ),
    );
  }

  async #addStream(channel: string): Promise<bigint> {
    const [a, b] = [`${channel}\0`, "kernel\0"];
    const payload = pack([4, a.length], [4, b.length], [8, 0], [8, 0], [8, 0], a, b);
    return (await this.#must(COMMAND.addStream, payload, 8)).readBigUInt64BE(0);
  }

  #load(handle: bigint, kernel: string, channel: string): void {
    const file = readFileSync(join(kernel, channel));
    const index = readFileSync(join(kernel, "index", `${channel}.idx`));
    for (let at = INDEX_HEAD_BYTES, n = 0; at < index.length; at += INDEX_ENTRY_BYTES, n++) {
      const offset = Number(index.readBigUInt64BE(at));
      const size = Number(index.readBigUInt64BE(at + 8)) / 8;
      this.#packets.push({
        handle,
        sequence: n,
        bytes: file.subarray(offset, offset + size),
        entry: index.subarray(at + 8, at + INDEX_ENTRY_BYTES),
        begin: index.readBigUInt64BE(at + 24),
      });
      this.#last.set(handle, n);
    }
  }

  get left(): number {
    return this.#packets.length;
  }

  /** The next packets, in order of time. */
  async send(count: number): Promise<void> {
    for (const { handle, sequence, bytes, entry } of this.#packets.splice(0, count)) {
      this.data.write(pack([8, 0], [8, handle], [8, sequence], [4, bytes.length], [4, 0], bytes));
      await this.#must(COMMAND.sendIndex, pack([8, handle], [8, sequence], entry));
    }
  }

  async end(): Promise<void> {
    // Out of the chunk, into none.
    const rotate = (...streams: (readonly [handle: bigint, position: number])[]) =>
      this.#must(
        COMMAND.rotateStreams,
        pack(
          [4, streams.length],
          [1, 0],
          [8, 0],
          ...streams.flatMap(
            ([a, b]) =>
              [
                [8, a],
                [8, b],
              ] as const,
          ),
        ),
      );
    await rotate(...[...this.#last].map(([handle, last]) => [handle, last + 1] as const));
    await rotate([this.#metadata, 0]);
    await this.#must(COMMAND.closeChunk, pack([8, 0], [8, Math.floor(Date.now() / 1000)], [1, 0], [4, 0]));
    await this.#must(COMMAND.closeStream, pack([8, this.#metadata], [8, UNSET_SEQUENCE]));
    for (const [handle, last] of this.#last)
      await this.#must(COMMAND.closeStream, pack([8, handle], [8, last]));
    this.control.socket.end();
    this.data.end();
  }
}
