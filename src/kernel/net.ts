/** Packets by network interface. */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";
import type { Host } from "./state.js";

export interface NetInterface {
  /** Dense over all hosts. */
  readonly id: number;
  readonly host: Host;
  readonly name: string;
}

export function attachNet(source: EventSource, model: Context): void {
  const { hosts, names, on, interfaces } = model;
  const byHost: Map<string, NetInterface>[] = hosts.map(() => new Map());
  const find = (host: number, name: string): NetInterface => {
    let device = byHost[host]!.get(name);
    if (device === undefined) {
      device = { id: interfaces.length, host: hosts[host]!, name };
      interfaces.push(device);
      byHost[host]!.set(name, device);
    }
    return device;
  };
  const told = (host: number, cpu: number, name: string, bytes: number, sent: boolean, ns: number): void => {
    const device = find(host, name);
    const where = hosts[host]!.cpu(cpu, ns);
    const l = on.packet;
    for (let i = 0; i < l.length; i++) l[i]!(device, bytes, sent, ns, where);
  };
  source.subscribe({
    matches: names.is("netSend"),
    fields: {
      len: { from: "len", kind: "number" },
      rc: { from: "rc", kind: "number" },
      name: { from: "name", kind: "string" },
    },
    handle(r) {
      // Not 0: the driver was busy, the packet comes again.
      if (r.rc > 0) return;
      told(r.host, r.cpu, r.name, r.len, true, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("netReceive"),
    fields: { len: { from: "len", kind: "number" }, name: { from: "name", kind: "string" } },
    handle(r) {
      told(r.host, r.cpu, r.name, r.len, false, r.ns);
    },
  });
}
