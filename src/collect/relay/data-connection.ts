/** A data connection: packets of one relay session's streams, one after the other, never answered. */
import type { Socket } from "node:net";
import { DATA_HEADER_BYTES, type DataHeader, readDataHeader } from "../../relay/data.js";
import { type Landed, type Landing, land } from "../../relay/landing.js";
import { ProtocolError } from "../../relay/wire.js";
import { isFull, logEnd } from "./connection.js";
import { PacketBuffer } from "./packet-buffer.js";
import type { Relay } from "./relay.js";
import type { RelaySession } from "./relay-session.js";

/** A packet larger than this, with its padding, is no packet: ring buffers' parts are far smaller. */
const MAX_PACKET_BYTES = 1 << 30;
/** What comes at this rate is about to be whole: a megabyte within 10 ms. */
const FAST_BYTES_PER_MS = 100_000;

/** Serves one connection until it ends; never throws. */
export async function serveData(socket: Socket, relay: Relay, peer: string): Promise<void> {
  await new DataConnection(socket, relay, peer).done;
}

type Target = NonNullable<ReturnType<Relay["streamOf"]>>;

/**
 * Hundreds of megabytes a second come this way, so they are read to where they stay, without a promise for each piece.
 * Only a full disk makes it wait: then the socket is paused, and its peer waits too.
 */
class DataConnection implements Landing {
  readonly done: Promise<void>;
  #finish!: () => void;
  #session: RelaySession | undefined;
  readonly #head = new Uint8Array(DATA_HEADER_BYTES);
  #headBytes = 0;
  #header: DataHeader | undefined;
  #target: Target | undefined;
  /** When the packet began to come, ms. */
  #began = 0;
  #packet: PacketBuffer | undefined;
  /** Whose packet came whole, and is to be stored. */
  #complete: Target | undefined;
  readonly #landed: Landed;

  constructor(
    private readonly socket: Socket,
    private readonly relay: Relay,
    private readonly peer: string,
  ) {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#end());
    this.#landed = land(socket, this);
  }

  #end(): void {
    if (this.#packet !== undefined) {
      this.#target?.stream.dropComing(this.#packet);
      this.#packet.release();
    }
    this.#packet = undefined;
    if (this.#session !== undefined) this.relay.dataEnded(this.#session, this.socket);
    this.#finish();
  }

  room(): Uint8Array {
    if (this.#packet === undefined) return this.#head.subarray(this.#headBytes);
    return this.#packet.room(this.#header!.dataBytes - this.#packet.bytes);
  }

  arrived(bytes: number): boolean {
    if (this.#packet === undefined) this.#headBytes += bytes;
    else this.#packet.filled(bytes);
    try {
      this.#work();
      return !this.socket.destroyed;
    } catch (error) {
      if (isFull(error)) void this.#workWhenThereIsSpace();
      else this.#fail(error);
      return false;
    }
  }

  async #workWhenThereIsSpace(): Promise<void> {
    try {
      await this.relay.withSpace(
        () => this.#work(),
        () => this.socket.destroyed,
      );
      this.#landed.resume();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    logEnd(this.relay.log, "data connection", this.peer, error);
    this.socket.destroy();
  }

  /** Does what can be done with what came. Throws what the file system throws; called again, it goes on from there. */
  #work(): void {
    if (this.#headBytes === DATA_HEADER_BYTES) {
      this.#headBytes = 0;
      this.#begin(readDataHeader(this.#head));
    }
    const packet = this.#packet;
    if (packet !== undefined) {
      packet.flush();
      if (packet.bytes === this.#header!.dataBytes) this.#handOver(packet);
      else if (this.#willSoonBeWhole(packet))
        this.#target!.stream.storeComing(packet, this.#header!.dataBytes);
    }
    if (this.#complete !== undefined) this.#store(this.#complete);
  }

  /**
   * Then it is written while the rest comes, since its sender waits for the end of that. Not before: whoever reads the
   * file meanwhile would find a part of a packet for as long as it takes to come.
   */
  #willSoonBeWhole({ bytes }: PacketBuffer): boolean {
    return (
      bytes * 4 >= this.#header!.dataBytes && bytes >= (performance.now() - this.#began) * FAST_BYTES_PER_MS
    );
  }

  #begin(header: DataHeader): void {
    const { stream: handle, sequence, dataBytes, paddingBytes } = header;
    const target = this.relay.streamOf(handle);
    if (target === undefined) throw new ProtocolError(`packet of stream ${handle}, which is not known`);
    if (this.#session === undefined) {
      this.#session = target.session;
      this.relay.dataBegan(target.session, this.socket);
    } else if (this.#session !== target.session) {
      throw new ProtocolError(`packet of stream ${handle}, which is another session's`);
    }
    if (dataBytes + paddingBytes > MAX_PACKET_BYTES) {
      throw new ProtocolError(
        `packet ${sequence} of stream ${handle} with ${dataBytes} + ${paddingBytes} bytes, expected at most ${MAX_PACKET_BYTES}`,
      );
    }
    target.stream.checkData(sequence);
    this.#header = header;
    this.#target = target;
    this.#packet = new PacketBuffer(this.relay.budget);
    this.#began = performance.now();
  }

  /** The packet is here, whole: from now on it is the stream's. */
  #handOver(packet: PacketBuffer): void {
    const { sequence, paddingBytes } = this.#header!;
    this.#target!.stream.checkData(sequence);
    this.#target!.stream.takeData(sequence, packet, paddingBytes);
    this.#packet = undefined;
    this.#complete = this.#target;
  }

  #store(target: Target): void {
    target.stream.store();
    this.#complete = undefined;
    this.relay.stored(target.stream);
    this.relay.checkComplete(target.session);
  }
}
