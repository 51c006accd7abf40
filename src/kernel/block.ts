/**
 * Block requests from issue to completion, per disk. Where remaps are recorded, "disk" is the device that was
 * asked: the partition or the logical volume, not the disk below it.
 *
 * A request is known by its disk and first sector. A completion of fewer sectors than are outstanding is
 * partial: the rest stays, known by its own first sector. Flushes have no sectors and complete in the order of
 * their issue.
 */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";
import type { Host, Thread } from "./state.js";

export type RequestKind = "read" | "write" | "discard" | "flush";

export interface Disk {
  /** Dense over all hosts. */
  readonly id: number;
  readonly host: Host;
  readonly dev: number;
}

export class Request {
  disk!: Disk;
  kind: RequestKind = "read";
  sector = 0;
  bytes = 0;
  /** Not yet completed. */
  sectorsLeft = 0;
  issueNs = Number.NaN;
  /** When its first part was put into the device's queue, and by whom; NaN, -1 where that is not modelled. */
  queuedNs = Number.NaN;
  queuedTid = -1;
  /** Number of the CPU that was told of its completion. */
  completeCpu = -1;
  /** Thread that handed it to the device: often a kernel worker, not the one who wants the data. */
  tid = -1;
  /** The same as it lived then; undefined when it was never heard of. */
  thread: Thread | undefined = undefined;
}

const WRITE = 1;
const DISCARD = 2;
const FLUSH = 0x500;

/** `major:minor` of a kernel device number (20 minor bits). */
export function deviceNumbers(dev: number): string {
  return `${Math.floor(dev / 2 ** 20)}:${dev % 2 ** 20}`;
}

/** What is under way on one device. */
class Device {
  readonly bySector = new Map<number, Request>();
  readonly flushes: Request[] = [];
  /** By first sector: requests that wait for their issue. */
  readonly queued = new Map<number, { ns: number; tid: number }>();
  /** By sector of this device: the device from which a bio was remapped to it. */
  readonly origin = new Map<number, number>();
  constructor(readonly disk: Disk) {}
}

/** Remaps that never become a request (merged ones, say) are forgotten beyond this many. */
const MAX_REMAPS = 10_000;

export function attachBlock(source: EventSource, model: Context, withQueue: boolean): void {
  const { hosts, names, on, disks } = model;
  const byHost: Map<number, Device>[] = hosts.map(() => new Map());
  const free: Request[] = [];

  const deviceOf = (host: number, dev: number): Device => {
    let device = byHost[host]!.get(dev);
    if (device === undefined) {
      const disk = { id: disks.length, host: hosts[host]!, dev };
      disks.push(disk);
      device = new Device(disk);
      byHost[host]!.set(dev, device);
    }
    return device;
  };
  const complete = (request: Request, cpu: number, ns: number): void => {
    request.completeCpu = cpu;
    const l = on.blockComplete;
    for (let i = 0; i < l.length; i++) l[i]!(request, ns);
    free.push(request);
  };

  source.subscribe({
    matches: names.is("blockIssue"),
    fields: {
      dev: { from: "dev", kind: "number" },
      sector: { from: "sector", kind: "number" },
      sectors: { from: "nr_sector", kind: "number" },
      rwbs: { from: "rwbs", kind: "number" },
      tid: { from: "payload:tid", kind: "number" },
    },
    handle(r) {
      const flush = r.sectors === 0;
      if (flush && (r.rwbs & FLUSH) === 0) return;
      const device = deviceOf(r.host, r.dev);
      const request = free.pop() ?? new Request();
      const origin = device.origin.get(r.sector);
      if (origin !== undefined) device.origin.delete(r.sector);
      request.disk = origin === undefined ? device.disk : deviceOf(r.host, origin).disk;
      request.kind = flush ? "flush" : r.rwbs & DISCARD ? "discard" : r.rwbs & WRITE ? "write" : "read";
      request.sector = r.sector;
      request.sectorsLeft = r.sectors;
      request.bytes = r.sectors * 512;
      request.issueNs = r.ns;
      request.tid = r.tid;
      const queued = device.queued.get(r.sector);
      if (queued !== undefined && !flush) {
        device.queued.delete(r.sector);
        request.queuedNs = queued.ns;
        request.queuedTid = queued.tid;
      } else {
        request.queuedNs = Number.NaN;
        request.queuedTid = -1;
      }
      request.thread = r.tid >= 0 ? hosts[r.host]!.find(r.tid) : undefined;
      if (flush) device.flushes.push(request);
      else device.bySector.set(r.sector, request);
      const l = on.blockIssue;
      for (let i = 0; i < l.length; i++) l[i]!(request, r.ns);
    },
  });

  if (withQueue) {
    source.subscribe({
      matches: names.is("blockGetRequest"),
      fields: {
        dev: { from: "dev", kind: "number" },
        sector: { from: "sector", kind: "number" },
        tid: { from: "payload:tid", kind: "number" },
      },
      handle(r) {
        const { queued } = deviceOf(r.host, r.dev);
        if (queued.size >= MAX_REMAPS) queued.delete(queued.keys().next().value!);
        if (r.sector >= 0) queued.set(r.sector, { ns: r.ns, tid: r.tid });
      },
    });
  }

  source.subscribe({
    matches: names.is("blockComplete"),
    fields: {
      dev: { from: "dev", kind: "number" },
      sector: { from: "sector", kind: "number" },
      sectors: { from: "nr_sector", kind: "number" },
      rwbs: { from: "rwbs", kind: "number" },
    },
    handle(r) {
      const device = deviceOf(r.host, r.dev);
      if (r.sectors === 0) {
        // The end of a write with a flush around it also has no sectors; only the flush itself has no direction.
        if ((r.rwbs & FLUSH) === 0 || (r.rwbs & WRITE) !== 0) return;
        const flush = device.flushes.shift();
        if (flush !== undefined) complete(flush, r.cpu, r.ns);
        return;
      }
      const request = device.bySector.get(r.sector);
      if (request === undefined) return;
      device.bySector.delete(r.sector);
      request.sectorsLeft -= r.sectors;
      if (request.sectorsLeft > 0) device.bySector.set(r.sector + r.sectors, request);
      else complete(request, r.cpu, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("blockRequeue"),
    fields: { dev: { from: "dev", kind: "number" }, sector: { from: "sector", kind: "number" } },
    handle(r) {
      const { bySector } = deviceOf(r.host, r.dev);
      const request = bySector.get(r.sector);
      if (request === undefined) return;
      bySector.delete(r.sector);
      free.push(request);
    },
  });

  source.subscribe({
    matches: names.is("blockRemap"),
    fields: {
      dev: { from: "dev", kind: "number" },
      sector: { from: "sector", kind: "number" },
      oldDev: { from: "old_dev", kind: "number" },
      oldSector: { from: "old_sector", kind: "number" },
    },
    handle(r) {
      const { origin } = deviceOf(r.host, r.dev);
      if (origin.size >= MAX_REMAPS) origin.delete(origin.keys().next().value!);
      // Remaps chain: a logical volume on a partition on a disk.
      const above = byHost[r.host]!.get(r.oldDev)?.origin;
      const first = above?.get(r.oldSector);
      if (first !== undefined) above!.delete(r.oldSector);
      origin.set(r.sector, first ?? r.oldDev);
    },
  });
  source.subscribe({
    matches: names.is("blockMerge"),
    fields: { dev: { from: "dev", kind: "number" }, sector: { from: "sector", kind: "number" } },
    handle(r) {
      byHost[r.host]!.get(r.dev)?.origin.delete(r.sector);
    },
  });

  source.subscribe({
    matches: names.is("dumpDisk"),
    fields: { dev: { from: "dev", kind: "number" }, name: { from: "diskname", kind: "string" } },
    handle(r) {
      hosts[r.host]!.diskNames.set(r.dev, r.name);
    },
  });
}
