/** Slices and paths as plain data: what machine output carries and text is made from. */
import { nameOfDisk, whatOf } from "./breakdown.js";
import { type CpuUse, cpuUseDuring } from "./competitors.js";
import type { Slice, SliceKind } from "./critical-path.js";
import type { DiskRequest, OwnerBy, Packet } from "./history.js";
import { leaderOf, type Who, whoIs } from "./lineage.js";
import type { Recorder } from "./recorder.js";

export interface RequestInfo {
  readonly device: string;
  readonly kind: string;
  readonly sector: number;
  readonly bytes: number;
  /** In the device's queue before it was issued; null where that is not recorded. */
  readonly queueNs: number | null;
  readonly serviceNs: number;
  readonly submitter: Who | null;
  /** Whose data it was, and how that is known. */
  readonly owner: Who | null;
  readonly ownerBy: OwnerBy;
}

export interface PacketInfo {
  readonly device: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly sender: Who | null;
}

export interface SliceInfo {
  readonly beginEpochNs: bigint;
  readonly durationNs: number;
  readonly kind: SliceKind;
  /** System call, interrupt, device, peer, file. */
  readonly what: string;
  readonly thread: Who;
  /** From the thread asked about to this one. */
  readonly via: readonly { readonly kind: string; readonly thread: Who; readonly target: string }[];
  /** Who ended a wait that is not followed further. */
  readonly by: Who | null;
  readonly syscall: string | null;
  readonly target: string;
  readonly timeoutNs: number | null;
  readonly timedOut: boolean;
  readonly request: RequestInfo | null;
  readonly packet: PacketInfo | null;
  /** Which CPU it waited for; null: none. */
  readonly cpu: number | null;
  /** Who ran on its CPU while it waited for one, the longest first. */
  readonly instead: readonly { readonly thread: Who; readonly ns: number }[];
  /** … and how long nobody did. */
  readonly idleNs: number;
}

export class Describer {
  /** By thread and name: programs are exchanged, and rename themselves. */
  readonly #whos = new Map<string, Who>();

  constructor(
    readonly recorder: Recorder,
    readonly originNs: bigint,
  ) {}

  who(thread: Slice["thread"]): Who {
    const key = `${thread.id} ${thread.name} ${leaderOf(thread).name}`;
    let who = this.#whos.get(key);
    if (who === undefined) this.#whos.set(key, (who = whoIs(thread)));
    return who;
  }

  epoch(ns: number): bigint {
    return this.originNs + BigInt(Math.round(ns));
  }

  request(request: DiskRequest): RequestInfo {
    return {
      device: nameOfDisk(this.recorder.model, request.host, request.dev),
      kind: request.kind,
      sector: request.sector,
      bytes: request.bytes,
      queueNs: Number.isNaN(request.queuedNs) ? null : request.issueNs - request.queuedNs,
      serviceNs: request.completeNs - request.issueNs,
      submitter: request.submitter === undefined ? null : this.who(request.submitter),
      owner: request.owner === undefined ? null : this.who(request.owner),
      ownerBy: request.ownerBy,
    };
  }

  packet({ device, from, to, bytes, sender }: Packet): PacketInfo {
    return { device, from, to, bytes, sender: sender === undefined ? null : this.who(sender) };
  }

  slice(slice: Slice): SliceInfo {
    const { recorder } = this;
    const { wait, cause, kind } = slice;
    const use: CpuUse | undefined = kind === "runnable" ? cpuUseDuring(recorder, [slice]) : undefined;
    const wake = wait?.wake;
    return {
      beginEpochNs: this.epoch(slice.beginNs),
      durationNs: slice.endNs - slice.beginNs,
      kind,
      what: whatOf(recorder.model, slice),
      thread: this.who(slice.thread),
      via: slice.chain.map((link) => ({ kind: link.kind, thread: this.who(link.by), target: link.target })),
      by: cause?.by === undefined ? null : this.who(cause.by),
      syscall: wait?.call?.syscall.name ?? null,
      target: cause?.target ?? "",
      timeoutNs: cause === undefined || Number.isNaN(cause.timeoutNs) ? null : cause.timeoutNs,
      timedOut: cause?.timedOut ?? false,
      request: wake?.request === undefined ? null : this.request(wake.request),
      packet: wake?.packet === undefined ? null : this.packet(wake.packet),
      cpu: kind === "runnable" && slice.arg >= 0 ? slice.arg : null,
      instead: (use?.users ?? []).map(({ thread, ns }) => ({ thread: this.who(thread), ns })),
      idleNs: use?.idleNs ?? 0,
    };
  }
}
