/**
 * Packets: what arrives at a CPU, from where, and which thread of the same machine sent it.
 *
 * A packet that does not leave the machine (loopback, veth pairs, bridges) keeps its buffer: the address of the
 * buffer at its sending and at its arrival is the same, which names the sender. A network card frees buffers after
 * sending, and their addresses come back with packets from elsewhere: its arrivals have no sender.
 */
import type { KernelModel } from "../kernel/model.js";
import type { Cpu, Thread } from "../kernel/state.js";
import type { EventSource } from "../sources/source.js";
import type { Packet } from "./history.js";

/** Sent buffers that are remembered. */
const MOST_SENT = 4096;
/** A packet to the same machine arrives within this time, or its buffer is another. */
const LONGEST_WAY_NS = 1e9;
/** Names of devices that stand for hardware. */
const HARDWARE = /^(eth|en|wl|ww|ib|bond|usb)/;

interface Sent {
  readonly ns: number;
  readonly device: string;
  readonly thread: Thread | undefined;
}

interface Header {
  readonly saddr?: unknown;
  readonly daddr?: unknown;
  readonly tot_len?: number;
  readonly payload_len?: number;
  readonly id?: number;
  readonly transport_header?: {
    readonly source_port?: number;
    readonly dest_port?: number;
    readonly seq?: number;
    readonly ack_seq?: number;
    readonly flags?: number;
  };
}

/** What arrived in one run of the receiving softirq. */
interface Batch {
  beginNs: number;
  packets: Packet[];
}

const MOST_IN_BATCH = 64;

export class Packets {
  readonly #sent: Map<number, Sent>[];
  readonly #batches: Batch[] = [];
  /** Segments on their way between traced hosts. */
  readonly #queued = new Map<string, Sent & { readonly host: number }>();
  /** Called for every arrival. */
  onArrival: ((packet: Packet, cpu: Cpu) => void) | undefined;

  constructor(source: EventSource, model: KernelModel) {
    const { hosts, names } = model;
    this.#sent = hosts.map(() => new Map());
    source.subscribe({
      matches: names.is("netSend"),
      fields: { skb: { from: "skbaddr", kind: "address" }, name: { from: "name", kind: "string" } },
      handle: (r) => {
        const host = hosts[r.host]!;
        const cpu = host.cpu(r.cpu, r.ns);
        if (HARDWARE.test(r.name)) return;
        // Queued before by whoever sent it; a queue may hold it back, and hand it on in some other context.
        const queued = this.#sent[r.host]!.get(r.skb);
        if (queued?.device === r.name) return;
        this.#remember(r.host, r.skb, { ns: r.ns, device: r.name, thread: this.#sender(cpu) });
      },
    });
    source.subscribe({
      matches: names.is("netQueue"),
      fields: { skb: { from: "skbaddr", kind: "address" }, name: { from: "name", kind: "string" } },
      handle: (r) => {
        if (HARDWARE.test(r.name)) return;
        const thread = this.#sender(hosts[r.host]!.cpu(r.cpu, r.ns));
        this.#remember(r.host, r.skb, { ns: r.ns, device: r.name, thread });
      },
    });
    if (hosts.length > 1) {
      source.subscribe({
        matches: names.is("netQueue"),
        fields: { name: { from: "name", kind: "string" }, header: { from: "network_header", kind: "value" } },
        handle: (r) => {
          const key = segmentKey(r.header);
          if (key === "") return;
          const thread = this.#sender(hosts[r.host]!.cpu(r.cpu, r.ns));
          if (this.#queued.size >= MOST_SENT) this.#queued.delete(this.#queued.keys().next().value!);
          this.#queued.set(key, { host: r.host, ns: r.ns, device: r.name, thread });
        },
      });
    }
    source.subscribe({
      matches: names.is("netReceive"),
      fields: {
        skb: { from: "skbaddr", kind: "address" },
        len: { from: "len", kind: "number" },
        name: { from: "name", kind: "string" },
        header: { from: "network_header", kind: "value" },
      },
      handle: (r) => {
        const host = hosts[r.host]!;
        const cpu = host.cpu(r.cpu, r.ns);
        const remote = this.#fromOtherHost(r.header, r.host, r.ns);
        const sent = remote ?? this.#sent[r.host]!.get(r.skb);
        if (remote === undefined) this.#sent[r.host]!.delete(r.skb);
        const way =
          remote ??
          (sent !== undefined && r.ns - sent.ns < LONGEST_WAY_NS && !HARDWARE.test(r.name)
            ? sent
            : undefined);
        const { from, to } = addresses(r.header);
        const packet: Packet = {
          ns: r.ns,
          device: r.name,
          bytes: r.len,
          from,
          to,
          sender: way?.thread,
          sentNs: way?.ns ?? Number.NaN,
        };
        const batch = this.#batch(cpu);
        if (batch.packets.length >= MOST_IN_BATCH) batch.packets.shift();
        batch.packets.push(packet);
        this.onArrival?.(packet, cpu);
      },
    });
  }

  #remember(host: number, skb: number, sent: Sent): void {
    const map = this.#sent[host]!;
    map.delete(skb);
    if (map.size >= MOST_SENT) map.delete(map.keys().next().value!);
    map.set(skb, sent);
  }

  /** With several hosts traced, and their clocks aligned: the segment as it left another one. */
  #fromOtherHost(header: unknown, host: number, ns: number): Sent | undefined {
    if (this.#queued.size === 0) return undefined;
    const key = segmentKey(header);
    const queued = key === "" ? undefined : this.#queued.get(key);
    if (queued === undefined || queued.host === host || queued.ns > ns) return undefined;
    this.#queued.delete(key);
    return queued;
  }

  /** Who sends on this CPU now: in a softirq that answers a packet, it is who sent that one. */
  #sender(cpu: Cpu): Thread | undefined {
    if (cpu.softirq >= 0 || cpu.irqDepth > 0) return this.#current(cpu)?.sender;
    return cpu.current === undefined || cpu.current.tid === 0 ? undefined : cpu.current;
  }

  #batch(cpu: Cpu): Batch {
    const batch = this.#batches[cpu.id] ?? { beginNs: Number.NaN, packets: [] };
    this.#batches[cpu.id] = batch;
    if (batch.beginNs !== cpu.softirqBeginNs) {
      batch.beginNs = cpu.softirqBeginNs;
      batch.packets = [];
    }
    return batch;
  }

  #current(cpu: Cpu): Packet | undefined {
    const batch = this.#batches[cpu.id];
    return batch?.beginNs === cpu.softirqBeginNs ? batch.packets.at(-1) : undefined;
  }

  /**
   * The packet that is being handled on `cpu`: the last one from `peer` that arrived in this softirq, else the last
   * one. Undefined when none did.
   */
  handled(cpu: Cpu, peer: string): Packet | undefined {
    const batch = this.#batches[cpu.id];
    if (batch === undefined || batch.beginNs !== cpu.softirqBeginNs) return undefined;
    if (peer !== "") {
      for (let i = batch.packets.length - 1; i >= 0; i--) {
        if (batch.packets[i]!.from === peer) return batch.packets[i];
      }
    }
    return batch.packets.at(-1);
  }
}

/** Addresses in a packet's headers, as far as the tracer recorded them. */
export function addresses(header: unknown): { from: string; to: string } {
  const { saddr, daddr, transport_header: transport } = (header ?? {}) as Header;
  return { from: end(saddr, transport?.source_port), to: end(daddr, transport?.dest_port) };
}

function end(address: unknown, port: number | undefined): string {
  if (!Array.isArray(address)) return "";
  const host =
    address.length === 4
      ? address.join(".")
      : address.length === 16
        ? `[${pairs(address as number[])}]`
        : address.length === 8
          ? `[${(address as number[]).map((part) => part.toString(16)).join(":")}]`
          : "";
  return host === "" || port === undefined ? host : `${host}:${port}`;
}

function pairs(bytes: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) parts.push((bytes[i]! * 256 + bytes[i + 1]!).toString(16));
  return parts.join(":");
}

/** What tells a TCP segment from all others, on any host; "" for everything else. */
export function segmentKey(header: unknown): string {
  const ip = (header ?? {}) as Header;
  const tcp = ip.transport_header;
  if (tcp?.seq === undefined) return "";
  const { from, to } = addresses(header);
  const length = ip.tot_len ?? ip.payload_len ?? 0;
  return from === "" ? "" : `${from} ${to} ${tcp.seq} ${tcp.ack_seq} ${tcp.flags} ${length} ${ip.id ?? 0}`;
}
