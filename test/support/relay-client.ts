/** A sender for LTTng's relay protocol that says whatever a test wants, also what no session daemon would. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const OK = 10;

/** Numbers, big-endian, with `bytes` each; text and bytes as they are. */
export function pack(...fields: (readonly [bytes: 1 | 4 | 8, value: number | bigint] | string | Buffer)[]) {
  return Buffer.concat(
    fields.map((field) => {
      if (typeof field === "string") return Buffer.from(field, "latin1");
      if (Buffer.isBuffer(field)) return field;
      const whole = Buffer.alloc(8);
      whole.writeBigUInt64BE(BigInt.asUintN(64, BigInt(field[1])));
      return whole.subarray(8 - field[0]);
    }),
  );
}

export interface SessionNames {
  readonly name?: string;
  readonly host?: string;
  readonly base?: string;
}

export class RelayClient {
  #received = Buffer.alloc(0);
  closed = false;
  readonly #changed = new Set<() => void>();

  private constructor(readonly socket: Socket) {
    const tell = () => {
      for (const waiter of this.#changed) waiter();
    };
    socket.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      tell();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.closed = true;
      tell();
    });
  }

  static async connect(port: number): Promise<RelayClient> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RelayClient(socket);
  }

  /** What came as the answer; undefined: the connection was closed instead. */
  async answer(): Promise<Buffer | undefined> {
    while (this.#received.length === 0 && !this.closed) await this.#change();
    if (this.#received.length === 0) return undefined;
    const bytes = this.#received;
    this.#received = Buffer.alloc(0);
    return bytes;
  }

  async whenClosed(): Promise<void> {
    while (!this.closed) await this.#change();
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#changed.delete(done);
        resolve();
      };
      this.#changed.add(done);
    });
  }

  async ask(command: number, payload: Buffer): Promise<Buffer | undefined> {
    this.socket.write(pack([8, 0], [8, payload.length], [4, command], [4, 0], payload));
    return await this.answer();
  }

  async version(): Promise<Buffer | undefined> {
    return await this.ask(5, pack([4, 2], [4, 11]));
  }

  /** Return code; undefined: closed. */
  async createSession({ name = "s", host = "h", base = "" }: SessionNames): Promise<number | undefined> {
    const texts = [name, host, base].map((text) => `${text}\0`);
    const payload = pack(
      ...texts.map((text) => [4, text.length] as const),
      ...[[4, 0] as const, [1, 0] as const, [1, 0] as const],
      Buffer.alloc(16, 7),
      ...[[8, Math.floor(Math.random() * 1e9)] as const, [8, 1_790_000_000] as const, [1, 0] as const],
      [8, 0],
      ...texts,
    );
    return (await this.ask(2, payload))?.readUInt32BE(8);
  }

  async createChunk(id: number, name: string): Promise<number | undefined> {
    const text = name === "" ? "" : `${name}\0`;
    return (await this.ask(19, pack([8, id], [8, 1_790_000_000], [4, text.length], text)))?.readUInt32BE(0);
  }

  async addStream(
    channel: string,
    path: string,
    chunk = 0,
  ): Promise<{ handle: bigint; code: number } | undefined> {
    const [a, b] = [`${channel}\0`, `${path}\0`];
    const reply = await this.ask(1, pack([4, a.length], [4, b.length], [8, 0], [8, 0], [8, chunk], a, b));
    if (reply === undefined || reply.length < 12) return undefined;
    return { handle: reply.readBigUInt64BE(0), code: reply.readUInt32BE(8) };
  }
}
