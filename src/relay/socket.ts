/** Reading exactly so many bytes from a socket, with its flow control, and writing with it. */
import type { Socket } from "node:net";

/** The peer closed the connection. */
export class Closed extends Error {}

/** Bytes read ahead of what was asked for; with more, the socket is paused: the peer waits. */
const READ_AHEAD_BYTES = 1 << 16;

/**
 * Bytes of a socket, taken in the sizes that a protocol wants. Pieces come by "data" events, not by async iteration:
 * that stops and starts the socket's polling around each piece of 64 KiB, which made a relay half as fast.
 */
export class SocketReader {
  /** What came and was not taken, in order; the first one from `#at` on. */
  readonly #pieces: Uint8Array[] = [];
  #at = 0;
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(private readonly socket: Socket) {
    socket.on("data", (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
      if (this.#wake !== undefined) this.#wake();
      else if (this.#bytes >= READ_AHEAD_BYTES) socket.pause();
    });
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on("end", end).on("close", end);
  }

  /** Any number of bytes up to `most`, at least one. Throws `Closed` at the end. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#bytes === 0) {
      if (this.#ended || this.socket.destroyed) throw new Closed();
      const arrival = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.socket.isPaused()) this.socket.resume();
      await arrival;
      this.#wake = undefined;
    }
    return this.#take(most);
  }

  #take(most: number): Uint8Array {
    const first = this.#pieces[0]!;
    const rest = first.length - this.#at;
    const piece =
      this.#at === 0 && rest <= most ? first : first.subarray(this.#at, this.#at + Math.min(rest, most));
    if (piece.length === rest) {
      this.#pieces.shift();
      this.#at = 0;
    } else this.#at += piece.length;
    this.#bytes -= piece.length;
    return piece;
  }

  /** Exactly `bytes`, if they are here already. */
  now(bytes: number): Uint8Array | undefined {
    if (this.#bytes < bytes) return undefined;
    if (bytes === 0) return new Uint8Array(0);
    const first = this.#take(bytes);
    if (first.length === bytes) return first;
    const pieces = [first];
    for (let have = first.length; have < bytes; ) {
      const piece = this.#take(bytes - have);
      pieces.push(piece);
      have += piece.length;
    }
    return Buffer.concat(pieces, bytes);
  }

  /** Exactly `bytes`. Memory grows with what really comes, not with what is claimed. */
  async exactly(bytes: number): Promise<Uint8Array> {
    const here = this.now(bytes);
    if (here !== undefined) return here;
    const pieces: Uint8Array[] = [];
    for (let have = 0; have < bytes; ) {
      const piece = await this.some(bytes - have);
      pieces.push(piece);
      have += piece.length;
    }
    return Buffer.concat(pieces, bytes);
  }
}

/** Writes without gathering in memory what the peer does not take. */
export async function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (!socket.write(bytes)) await drained(socket);
}

/** Resolves when the peer has taken what was written, or is gone. */
export async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
    if (socket.destroyed) done();
  });
}
