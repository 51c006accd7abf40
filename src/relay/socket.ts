/** Reading exactly so many bytes from a socket, with its flow control, and writing with it. */
import type { Socket } from "node:net";

/** The peer closed the connection. */
export class Closed extends Error {}

/** Bytes of a socket, taken in the sizes that a protocol wants. Nothing is read ahead of what was asked for. */
export class SocketReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /** Any number of bytes up to `most`, at least one. Throws `Closed` at the end. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await this.#chunks.next();
      } catch {
        throw new Closed();
      }
      if (next.done) throw new Closed();
      this.#rest = next.value;
    }
    const piece = this.#rest.length <= most ? this.#rest : this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Is there something that came with what was read before? */
  get buffered(): number {
    return this.#rest.length;
  }

  /** Exactly `bytes`. Memory grows with what really comes, not with what is claimed. */
  async exactly(bytes: number): Promise<Uint8Array> {
    if (bytes === 0) return new Uint8Array(0);
    const first = await this.some(bytes);
    if (first.length === bytes) return first;
    const pieces = [first];
    for (let have = first.length; have < bytes; ) {
      const piece = await this.some(bytes - have);
      pieces.push(piece);
      have += piece.length;
    }
    return Buffer.concat(pieces, bytes);
  }
}

/** Writes without gathering in memory what the peer does not take. */
export async function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
    if (socket.destroyed) done();
  });
}
