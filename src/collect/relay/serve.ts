/** The relay's ports: control, data and live viewers. */
import { moveToLanding } from "../../relay/landing.js";
import { type Listener, type ListenOptions, listen } from "../listen.js";
import type { Logger } from "../log.js";
import { serveControl } from "./control-connection.js";
import { serveData } from "./data-connection.js";
import { serveLive } from "./live-connection.js";
import type { Relay } from "./relay.js";

export interface RelayPorts {
  readonly control: ListenOptions;
  readonly data: ListenOptions;
  readonly live: ListenOptions;
}

/** Listens on all of them. Throws `PeriscopeError` when one cannot be had. */
export async function serveRelay(relay: Relay, ports: RelayPorts, log: Logger): Promise<Listener[]> {
  const counted = (serve: (socket: Parameters<typeof serveControl>[0], peer: string) => Promise<void>) => {
    return (socket: Parameters<typeof serveControl>[0], peer: string) => {
      relay.counters.connections++;
      void serve(socket, peer).finally(() => relay.counters.connections--);
    };
  };
  return [
    await listen(
      "control",
      ports.control,
      log,
      counted((socket, peer) => serveControl(socket, relay, peer)),
    ),
    await listen(
      "data",
      ports.data,
      log,
      counted((socket, peer) => serveData(socket, relay, peer)),
      moveToLanding,
    ),
    await listen(
      "live",
      ports.live,
      log,
      counted((socket, peer) => serveLive(socket, relay, peer)),
    ),
  ];
}
