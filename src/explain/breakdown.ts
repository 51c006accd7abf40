/** Slices of a critical path summed up: by resource and whom it was waited for, so that instances can be compared. */

import { deviceNumbers } from "../kernel/block.js";
import type { KernelModel } from "../kernel/model.js";
import { softirqName } from "../kernel/names.js";
import type { Link, Slice, SliceKind } from "./critical-path.js";
import { isKernelThread, leaderOf } from "./lineage.js";
import type { Recorder } from "./recorder.js";
import { isLocal } from "./wait-cause.js";

/** What time is spent on, coarsely: what is compared between instances. */
export type Resource =
  | "computing"
  | "cpu-wait"
  /** Not let run, though its CPU was idle. */
  | "cpu-limit"
  | "interrupts"
  | "disk"
  | "memory"
  | "network"
  | "lock"
  | "child"
  | "process"
  | "sleep"
  | "unknown";

/** A sum of slices that are alike. */
export interface Part {
  readonly resource: Resource;
  /** Device, peer, lock holder, child or process; "" where the resource has none. */
  readonly name: string;
  ns: number;
  /** The same by what was done, largest first once `sortParts` has run. */
  readonly details: Map<string, Detail>;
  readonly slices: Slice[];
}

export interface Detail {
  readonly process: string;
  readonly kind: SliceKind;
  /** System call, device, peer, interrupt, … */
  readonly what: string;
  /** Through whom: `lock janitor`, `socket mariadbd`, nearest first. */
  readonly via: readonly string[];
  ns: number;
  count: number;
}

/** Adds to the detail that is like it, or as a new one. */
export function addDetail(details: Map<string, Detail>, detail: Detail): void {
  const { process, kind, what, via, ns, count } = detail;
  const key = [process, kind, what, ...via].join("\n");
  const known = details.get(key);
  if (known === undefined) details.set(key, { ...detail });
  else {
    known.ns += ns;
    known.count += count;
  }
}

/** `kworker/u4:1-events` is a kworker; numbers of workers mean nothing to people. */
export function plainName(name: string): string {
  return name.replace(/^(kworker|ksoftirqd|kswapd|migration)[/0-9].*$/, "$1");
}

const DISK_KINDS = new Set<SliceKind>(["disk", "page-fault", "dirty-pages"]);

export class Breakdown {
  readonly parts = new Map<string, Part>();
  totalNs = 0;

  readonly model: KernelModel;

  constructor(readonly recorder: Recorder) {
    this.model = recorder.model;
  }

  add(slice: Slice): void {
    const ns = slice.endNs - slice.beginNs;
    const [resource, name] = this.#resource(slice);
    const key = `${resource} ${name}`;
    let part = this.parts.get(key);
    if (part === undefined)
      this.parts.set(key, (part = { resource, name, ns: 0, details: new Map(), slices: [] }));
    part.ns += ns;
    part.slices.push(slice);
    this.totalNs += ns;
    const process = plainName(leaderOf(slice.thread).name);
    const what = whatOf(this.model, slice);
    const via = viaOf(slice.chain);
    addDetail(part.details, { process, kind: slice.kind, what, via, ns, count: 1 });
  }

  /** Who has the CPU instead decides: somebody, a softirq in its own thread, or nobody. */
  #cpuWait({ arg, beginNs, endNs }: Slice): Resource {
    let [idleNs, softirqNs] = [0, 0];
    this.recorder.cpu(arg)?.runs(beginNs, endNs, (id, ns) => {
      if (id < 0) return;
      const { tid, name } = this.model.threads[id]!;
      if (tid === 0) idleNs += ns;
      else if (name.startsWith("ksoftirqd")) softirqNs += ns;
    });
    const halfNs = (endNs - beginNs) / 2;
    if (softirqNs > halfNs) return "interrupts";
    return idleNs > halfNs && endNs - beginNs > NO_LIMIT_NS ? "cpu-limit" : "cpu-wait";
  }

  #resource(slice: Slice): [Resource, string] {
    const { kind, thread, chain } = slice;
    const held = chain.find((link) => link.kind === "lock" || link.kind === "child");
    if (held !== undefined) {
      return held.kind === "lock"
        ? ["lock", plainName(held.by.name)]
        : ["child", plainName(leaderOf(held.by).name)];
    }
    switch (kind) {
      case "runnable":
        return [this.#cpuWait(slice), ""];
      case "irq":
      case "softirq":
      case "timer-interrupt":
        return ["interrupts", ""];
      case "disk":
      case "page-fault":
      case "dirty-pages":
        return ["disk", diskOf(slice)];
      case "reclaim":
      case "reclaiming":
        return ["memory", ""];
      case "network":
        return isLocal(slice.cause?.target ?? "") && slice.wait?.wake?.packet?.sender === undefined
          ? ["process", slice.cause?.target ?? ""]
          : ["network", slice.cause?.target ?? ""];
    }
    const other = [...chain].reverse().find((link) => !isKernelThread(link.by));
    if (other !== undefined && leaderOf(other.by) !== leaderOf(chain[0]!.thread)) {
      return ["process", plainName(leaderOf(other.by).name)];
    }
    switch (kind) {
      case "user":
      case "syscall":
        return ["computing", isKernelThread(thread) ? plainName(thread.name) : ""];
      case "timer":
        return isKernelThread(thread) ? ["process", plainName(thread.name)] : ["sleep", ""];
      case "lock":
        return ["lock", ""];
      case "child":
        return ["child", ""];
      case "socket":
      case "pipe":
        return ["process", slice.cause?.target ?? ""];
      default:
        return ["unknown", ""];
    }
  }
}

/** Waking a CPU that sleeps takes a moment, on a busy host of virtual machines a longer one. */
const NO_LIMIT_NS = 2e6;

export function nameOfDisk(model: KernelModel, host: number, dev: number): string {
  return model.hosts[host]?.diskNames.get(dev) ?? deviceNumbers(dev);
}

function diskOf({ wait, thread }: Slice): string {
  const request = wait?.wake?.request;
  if (request === undefined) return "";
  return thread.host.diskNames.get(request.dev) ?? deviceNumbers(request.dev);
}

/** The object of a slice, in a few words. */
export function whatOf(model: KernelModel, slice: Slice): string {
  const { kind, arg, wait, cause, thread } = slice;
  switch (kind) {
    case "syscall":
      return model.syscalls.all[arg]?.name ?? "";
    case "irq":
      return thread.host.irqName(arg) || `irq ${arg}`;
    case "softirq":
      return softirqName(arg);
    default: {
      if (wait === undefined) return "";
      const call = wait.call?.syscall.name ?? "";
      const sender = kind === "network" ? wait.wake?.packet?.sender : undefined;
      if (sender !== undefined)
        return `${call} ${cause?.target ?? ""}, on its way from ${plainName(leaderOf(sender).name)}`;
      const target = DISK_KINDS.has(kind) ? diskOf(slice) : (cause?.target ?? "");
      return [call, target].filter((part) => part !== "").join(" ");
    }
  }
}

function viaOf(chain: readonly Link[]): string[] {
  const out: string[] = [];
  for (const { kind, by } of chain) {
    const step = `${kind} ${plainName(kind === "lock" ? by.name : leaderOf(by).name)}`;
    if (out.at(-1) !== step) out.push(step);
  }
  return out;
}

export function breakdownOf(recorder: Recorder, slices: readonly Slice[]): Breakdown {
  const breakdown = new Breakdown(recorder);
  for (const slice of slices) breakdown.add(slice);
  return breakdown;
}
