/**
 * What a socket receives, read to where its reader wants it. Node gives 64 KiB of new memory with every read; a relay
 * that takes in hundreds of megabytes a second spends more time there than in all of its own code. Node can read into
 * memory of its caller's (`onread`), but offers that for outgoing connections only: for an incoming one the connection
 * is moved to a socket that is made with the option. Where that cannot be done (TLS, another Node) pieces are copied.
 */
import { Socket, type SocketConstructorOpts } from "node:net";

/** Who takes what a socket receives. */
export interface Landing {
  /** Where the next bytes are to lie: at least one byte, used only until `arrived` returns. */
  room(): Uint8Array;
  /**
   * So many bytes, at least one, lie at the begin of the last `room`. False: no more until `Landed.resume`. What waits
   * then is lost when the socket closes.
   */
  arrived(bytes: number): boolean;
}

export interface Landed {
  /** Goes on after `arrived` answered false. */
  resume(): void;
}

/** Bytes of the buffer for what comes while there is no room; small, since they are copied. */
const ELSEWHERE_BYTES = 4096;

const moved = new WeakMap<Socket, Arrivals>();

/**
 * Moves a connection that has not been read from (`pauseOnConnect`) to a socket that reads where `land` says. Answers
 * the same socket where that cannot be done.
 */
export function moveToLanding(socket: Socket): Socket {
  // Not public, but it is how Node itself hands sockets to other processes; what is used of it is looked for first.
  const owner = socket as unknown as { _handle: { useUserBuffer?: unknown } | null };
  const handle = owner._handle;
  if (socket.constructor !== Socket || typeof handle?.useUserBuffer !== "function") return socket;
  owner._handle = null;
  socket.destroy();
  const arrivals = new Arrivals();
  const elsewhere = new Uint8Array(ELSEWHERE_BYTES);
  const options = {
    handle,
    pauseOnCreate: true,
    onread: {
      buffer: () => arrivals.room() ?? elsewhere,
      callback: (bytes: number, buffer: Uint8Array) =>
        buffer === elsewhere ? arrivals.copy(elsewhere.subarray(0, bytes)) : arrivals.arrived(bytes),
    },
  };
  const reading = new Socket(options as unknown as SocketConstructorOpts);
  moved.set(reading, arrivals);
  return reading;
}

/** From now on `socket`'s bytes go to `landing`. */
export function land(socket: Socket, landing: Landing): Landed {
  const direct = moved.get(socket);
  const arrivals = direct ?? new Arrivals();
  arrivals.landing = landing;
  if (direct === undefined) {
    socket.on("data", (piece: Uint8Array) => {
      if (!arrivals.copy(piece)) socket.pause();
    });
  }
  socket.resume();
  return {
    resume: () => {
      if (arrivals.goOn()) socket.resume();
    },
  };
}

/** What came, on its way to the landing's rooms. */
class Arrivals {
  landing: Landing | undefined;
  /** The landing takes no more at present. */
  #waits = false;
  /** What came and waits with it. */
  #rest: Uint8Array = new Uint8Array(0);

  /** Undefined: nowhere. */
  room(): Uint8Array | undefined {
    return this.#waits ? undefined : this.landing?.room();
  }

  arrived(bytes: number): boolean {
    this.#waits = !this.landing!.arrived(bytes);
    return !this.#waits;
  }

  copy(piece: Uint8Array): boolean {
    let rest = piece;
    while (!this.#waits && rest.length > 0) {
      const room = this.landing!.room();
      const bytes = Math.min(room.length, rest.length);
      room.set(rest.subarray(0, bytes));
      rest = rest.subarray(bytes);
      this.arrived(bytes);
    }
    // The buffer that it lies in may be used again.
    this.#rest = rest.slice();
    return !this.#waits;
  }

  goOn(): boolean {
    this.#waits = false;
    return this.copy(this.#rest);
  }
}
