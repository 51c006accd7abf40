/** Where programs of this host say that something is late: lines by a Unix datagram or stream socket, or by UDP. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { existsSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { type DatagramSocket, onLines, receiveDatagrams } from "./datagrams.js";

export interface TriggerSocketOptions {
  /** Path of the stream socket (`periscope watch` and `periscope trigger` use it); its datagram twin has `.dgram`. */
  readonly path: string | undefined;
  /** UDP port on loopback; 0: none. */
  readonly udpPort: number;
}

/** Of the datagram socket beside the stream socket `path`. */
export function datagramPath(path: string): string {
  return path.replace(/(\.sock)?$/, ".dgram");
}

export class TriggerSockets {
  #server: Server | undefined;
  readonly #connections = new Set<Socket>();
  #datagrams: DatagramSocket | undefined;
  #udp: UdpSocket | undefined;

  private constructor(private readonly take: (line: string) => void) {}

  /** Throws `PeriscopeError` when the stream socket or the port cannot be had; datagrams need a helper, see there. */
  static async open(
    { path, udpPort }: TriggerSocketOptions,
    take: (line: string) => void,
    say: (event: string, fields: Readonly<Record<string, string>>) => void,
  ): Promise<TriggerSockets> {
    const sockets = new TriggerSockets(take);
    if (path !== undefined) {
      await sockets.#listen(path);
      try {
        sockets.#datagrams = await receiveDatagrams(datagramPath(path), take);
      } catch (error) {
        say("no datagram socket", { reason: (error as Error).message });
      }
    }
    if (udpPort > 0) await sockets.#listenUdp(udpPort);
    return sockets;
  }

  async #listen(path: string): Promise<void> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    if (existsSync(path) && statSync(path).isSocket()) unlinkSync(path);
    this.#server = createServer((socket) => {
      this.#connections.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#connections.delete(socket));
      onLines(socket, this.take);
    });
    // Whoever may run programs here may say that one was late: limits are the protection.
    const mask = process.umask(0);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server!.once("error", (error) => reject(new PeriscopeError(`${path}: ${error.message}`)));
        this.#server!.listen(path, resolve);
      });
    } finally {
      process.umask(mask);
    }
  }

  async #listenUdp(port: number): Promise<void> {
    const socket = createSocket("udp4");
    this.#udp = socket;
    socket.on("message", (bytes) => {
      for (const line of bytes.toString("utf8").split("\n")) if (line.trim() !== "") this.take(line);
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => reject(new PeriscopeError(`UDP port ${port}: ${error.message}`)));
      socket.bind(port, "127.0.0.1", resolve);
    });
  }

  close(): void {
    this.#server?.close();
    // A watcher must see that nobody listens any more, and look for the next agent.
    for (const socket of this.#connections) socket.destroy();
    this.#datagrams?.close();
    this.#udp?.close();
  }
}
