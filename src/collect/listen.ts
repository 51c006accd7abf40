/** Listening sockets with what is common to all of the collector's ports: address, who may come, TLS, a limit. */
import { BlockList, createServer, isIP, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { Logger } from "./log.js";

export interface ListenOptions {
  /** Address to bind to. Without authentication that should be loopback. */
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Addresses or networks (`10.0.0.0/8`) that may connect; none: all. */
  readonly allow: readonly string[];
  readonly tls?: TlsOptions;
  readonly maxConnections: number;
}

/** Makes a new connection, which is paused, one that is served. */
export type Prepare = (socket: Socket) => Socket;

export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly server: Server;
  close(): Promise<void>;
}

/**
 * Listens and hands every connection that may be to `serve`. Throws `PeriscopeError` when the port cannot be had.
 */
export async function listen(
  name: string,
  options: ListenOptions,
  log: Logger,
  serve: (socket: Socket, peer: string) => void,
  prepare?: Prepare,
): Promise<Listener> {
  const mayCome = addressFilter(options.allow);
  const sockets = new Set<Socket>();
  let lastRefusal = 0;
  const accept = (accepted: Socket) => {
    const socket = prepare?.(accepted) ?? accepted;
    const address = addressOf(socket);
    const peer = peerOf(socket);
    const refused = !mayCome(address)
      ? "address not allowed"
      : sockets.size >= options.maxConnections
        ? `more than ${options.maxConnections} connections`
        : undefined;
    if (refused !== undefined) {
      socket.destroy();
      if (Date.now() - lastRefusal > 1000)
        log("warn", "connection refused", { port: name, peer, reason: refused });
      lastRefusal = Date.now();
      return;
    }
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    serve(socket, peer);
  };
  const server =
    options.tls === undefined
      ? createServer({ pauseOnConnect: prepare !== undefined }, accept)
      : createTlsServer(options.tls, accept);
  // Who hangs up during the handshake has no address any more when that is told.
  const shaking = new Map<string, Socket>();
  if (options.tls !== undefined) {
    server.on("connection", (socket: Socket) => {
      const peer = peerOf(socket);
      shaking.set(peer, socket);
      socket.on("close", () => setImmediate(() => shaking.delete(peer)));
    });
    server.on("secureConnection", (socket: Socket) => shaking.delete(peerOf(socket)));
  }
  server.on("tlsClientError", (error: Error, socket: Socket) => {
    const gone = [...shaking].filter(([, { destroyed }]) => destroyed).map(([peer]) => peer);
    const peer = socket.remoteAddress === undefined ? gone.join(", ") : peerOf(socket);
    log("warn", "no TLS", { port: name, peer, reason: error.message });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new PeriscopeError(`${name} port ${options.address}:${options.port}: ${reason(error)}`));
    });
    server.listen(options.port, options.address, resolve);
  });
  server.on("error", (error) => log("error", "listening failed", { port: name, reason: error.message }));
  const bound = server.address();
  return {
    name,
    address: options.address,
    port: typeof bound === "object" && bound !== null ? bound.port : options.port,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function addressOf({ remoteAddress = "" }: Socket): string {
  return remoteAddress.replace(/^::ffff:/, "");
}

function peerOf(socket: Socket): string {
  return `${addressOf(socket)}:${socket.remotePort}`;
}

function reason(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "in use by another program";
  if (error.code === "EACCES") return "not permitted";
  if (error.code === "EADDRNOTAVAIL") return "no such address on this machine";
  return error.message;
}

/** Whether an address is in one of these networks; none: all are. Throws `UsageError` for what is no network. */
export function addressFilter(entries: readonly string[]): (address: string) => boolean {
  if (entries.length === 0) return () => true;
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? most : Number(bits);
    if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > most) {
      throw new UsageError(`"${entry}", expected an address or a network like 10.0.0.0/8`);
    }
    list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  return (address) => {
    const plain = address.replace(/^::ffff:/, "");
    return list.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
  };
}
