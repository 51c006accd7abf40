/**
 * Block requests from issue to completion, per disk.
 *
 * A request is known by its disk and first sector. A completion of fewer sectors than are outstanding is
 * partial: the rest stays, known by its own first sector. Flushes have no sectors and complete in the order of
 * their issue.
 */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";
import type { Host } from "./state.js";

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
  /** Thread that handed it to the device: often a kernel worker, not the one who wants the data. */
  tid = -1;
}

const WRITE = 1;
const DISCARD = 2;
const FLUSH = 0x500;

/** `major:minor` of a kernel device number (20 minor bits). */
export function deviceNumbers(dev: number): string {
  return `${Math.floor(dev / 2 ** 20)}:${dev % 2 ** 20}`;
}

class Pending {
  readonly bySector = new Map<number, Request>();
  readonly flushes: Request[] = [];
  constructor(readonly disk: Disk) {}
}

export function attachBlock(source: EventSource, model: Context): void {
  const { hosts, names, on, disks } = model;
  const byHost: Map<number, Pending>[] = hosts.map(() => new Map());
  const free: Request[] = [];

  const pendingOf = (host: number, dev: number): Pending => {
    let pending = byHost[host]!.get(dev);
    if (pending === undefined) {
      const disk = { id: disks.length, host: hosts[host]!, dev };
      disks.push(disk);
      pending = new Pending(disk);
      byHost[host]!.set(dev, pending);
    }
    return pending;
  };
  const complete = (request: Request, ns: number): void => {
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
      const pending = pendingOf(r.host, r.dev);
      const request = free.pop() ?? new Request();
      request.disk = pending.disk;
      request.kind = flush ? "flush" : r.rwbs & DISCARD ? "discard" : r.rwbs & WRITE ? "write" : "read";
      request.sector = r.sector;
      request.sectorsLeft = r.sectors;
      request.bytes = r.sectors * 512;
      request.issueNs = r.ns;
      request.tid = r.tid;
      if (flush) pending.flushes.push(request);
      else pending.bySector.set(r.sector, request);
      const l = on.blockIssue;
      for (let i = 0; i < l.length; i++) l[i]!(request, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("blockComplete"),
    fields: {
      dev: { from: "dev", kind: "number" },
      sector: { from: "sector", kind: "number" },
      sectors: { from: "nr_sector", kind: "number" },
      rwbs: { from: "rwbs", kind: "number" },
    },
    handle(r) {
      const pending = pendingOf(r.host, r.dev);
      if (r.sectors === 0) {
        // The end of a write with a flush around it also has no sectors; only the flush itself has no direction.
        if ((r.rwbs & FLUSH) === 0 || (r.rwbs & WRITE) !== 0) return;
        const flush = pending.flushes.shift();
        if (flush !== undefined) complete(flush, r.ns);
        return;
      }
      const request = pending.bySector.get(r.sector);
      if (request === undefined) return;
      pending.bySector.delete(r.sector);
      request.sectorsLeft -= r.sectors;
      if (request.sectorsLeft > 0) pending.bySector.set(r.sector + r.sectors, request);
      else complete(request, r.ns);
    },
  });

  source.subscribe({
    matches: names.is("blockRequeue"),
    fields: { dev: { from: "dev", kind: "number" }, sector: { from: "sector", kind: "number" } },
    handle(r) {
      const { bySector } = pendingOf(r.host, r.dev);
      const request = bySector.get(r.sector);
      if (request === undefined) return;
      bySector.delete(r.sector);
      free.push(request);
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
