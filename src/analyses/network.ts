/** Packets and bytes by network interface. Bytes by process are in the file section: sockets are descriptors. */

import type { KernelModel } from "../kernel/model.js";
import type { Range } from "./common.js";

export interface InterfaceRow {
  readonly host: number;
  readonly name: string;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

export interface NetworkSection {
  readonly missing: readonly string[];
  readonly interfaces: readonly InterfaceRow[];
}

export function attachNetwork(model: KernelModel, range: Range): () => NetworkSection {
  const sums: { receivedPackets: number; receivedBytes: number; sentPackets: number; sentBytes: number }[] =
    [];
  model.on.packet.push((device, bytes, sent, ns) => {
    if (ns < range.beginNs) return;
    let s = sums[device.id];
    if (s === undefined)
      sums[device.id] = s = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
    if (sent) {
      s.sentPackets++;
      s.sentBytes += bytes;
    } else {
      s.receivedPackets++;
      s.receivedBytes += bytes;
    }
  });
  return () => {
    const interfaces: InterfaceRow[] = [];
    sums.forEach((s, id) => {
      const device = model.interfaces[id]!;
      interfaces.push({ host: device.host.index, name: device.name, ...s });
    });
    interfaces.sort((a, b) => b.receivedBytes + b.sentBytes - a.receivedBytes - a.sentBytes);
    return { missing: model.names.missing("netSend", "netReceive"), interfaces };
  };
}
