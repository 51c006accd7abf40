/**
 * Runs period definitions over a source: tells every instance when it begins and when it ends.
 *
 * At each event record ends come first, from the leaves up, then begins, from the roots down; several instances
 * that one event record begins or ends come in order of definition, then of age. An ancestor that ends closes
 * what is still open below it, without completing it. Instances stay on their host unless `$host` is compared.
 */
import type { KernelModel, ModelOptions } from "../kernel/model.js";
import { syscallName } from "../kernel/names.js";
import type { EventInfo, EventRecord, EventSource } from "../sources/source.js";
import {
  type CompiledPeriods,
  compilePeriods,
  type EngineCalls,
  type OpenPeriod,
  type ThreadReader,
} from "./compile.js";
import type { PeriodSet } from "./define.js";
import { Instance, type PeriodInstance } from "./instance.js";
import { descend } from "./instance-index.js";
import { captureValue } from "./values.js";

export interface PeriodEngineOptions {
  /** Called while the event record is handled, before anything that subscribes later sees it. */
  readonly onBegin?: (instance: PeriodInstance) => void;
  readonly onEnd?: (instance: PeriodInstance) => void;
  /** Instances remember the children that have ended, until their root has. */
  readonly keepTrees?: boolean;
  /** Most instances held at a time; beyond, the oldest is given up. Default 250,000. */
  readonly mostHeld?: number;
}

/** Instances that were not held to their end. */
export interface GivenUp {
  /** The trace ended, or an ancestor did. */
  open: number;
  /** Too many were held at once. */
  crowded: number;
  /** Begin of the oldest of these, and whose instance it was. */
  crowdedBeginNs: number;
  crowdedPath: string;
  /** The thread that was to end them was gone: its number belongs to another. */
  reused: number;
}

type Values = (record: object, instance: Instance | undefined) => unknown[];
type Test = (record: object, instance: Instance) => boolean;

const MOST_HELD = 250_000;

export class PeriodEngine implements EngineCalls {
  /** Subsystems of the kernel model that the definitions ask; see `attach`. */
  readonly needs: ModelOptions;
  readonly givenUp: GivenUp = {
    open: 0,
    crowded: 0,
    crowdedBeginNs: Number.NaN,
    crowdedPath: "",
    reused: 0,
  };
  active = false;

  readonly #compiled: CompiledPeriods;
  readonly #options: PeriodEngineOptions;
  readonly #mostHeld: number;
  readonly #holes: number[];
  readonly #candidates: Instance[] = [];
  #model: KernelModel | undefined;
  #count = 0;
  /** Open ones, and ended ones whose root is open. */
  #held = 0;

  /** Subscribes. What later subscribers are told of an event record comes after what it begins and ends. */
  constructor(source: EventSource, set: PeriodSet, options: PeriodEngineOptions = {}) {
    this.#options = options;
    this.#mostHeld = options.mostHeld ?? MOST_HELD;
    this.#holes = source.info.hosts.map(() => 0);
    const compiled = compilePeriods(set, source.info);
    this.#compiled = compiled;
    const { modelled } = compiled;
    this.needs = {
      sched: modelled.size > 0,
      syscalls: modelled.has("duration") || modelled.has("fd"),
      irq: modelled.has("duration"),
    };
    this.#watchThreads(source);
    const threads = this.#threads();
    for (const { event, fields, bind } of compiled.classes) {
      source.subscribe({
        matches: (other) => other === event,
        fields,
        handle: bind(this, threads) as (record: EventRecord) => void,
      });
    }
  }

  /** Gives the engine the model of the same source, whose hosts it tells of and whose losses it heeds. */
  attach(model: KernelModel): void {
    this.#model = model;
    model.on.lost.push((host) => {
      this.#holes[host.index]!++;
    });
  }

  /** A thread's number begins a new life: what waits for the thread of old waits in vain. */
  #watchThreads(source: EventSource): void {
    const { byThread } = this.#compiled;
    if (byThread.length === 0) return;
    source.subscribe({
      matches: (event) => event.name === "sched_process_fork",
      fields: { tid: { from: "child_tid", kind: "number" } },
      handle: (record) => {
        if (!this.active) return;
        for (const { host, index } of byThread) {
          if (host === record.host) this.match(descend(index.map, record.tid), record, undefined);
        }
        for (const instance of this.#take()) {
          if (!instance.open) continue;
          this.givenUp.reused++;
          this.#close(instance, record.ns);
        }
      },
    });
  }

  #threads(): ThreadReader {
    const current = (record: object) => {
      const { host, cpu } = record as EventRecord;
      return this.#model?.hosts[host]?.cpus[cpu];
    };
    const kinds = new Map<EventInfo, string>();
    const kindOf = (event: EventInfo): string => {
      let kind = kinds.get(event);
      if (kind === undefined) {
        const exit = /^(?:irq_)?(handler|softirq)_exit$/.exec(event.name)?.[1];
        kind = exit ?? (syscallName(event.name)?.kind === "exit" ? "syscall" : "");
        kinds.set(event, kind);
      }
      return kind;
    };
    return {
      tid: (record) => current(record)?.current?.tid ?? Number.NaN,
      pid: (record) => {
        const pid = current(record)?.current?.pid ?? -1;
        return pid < 0 ? Number.NaN : pid;
      },
      procname: (record) => current(record)?.current?.name || undefined,
      fd: (record) => {
        const thread = current(record)?.current;
        const ends = thread?.syscall !== undefined && kindOf((record as EventRecord).event) === "syscall";
        return ends && thread.syscallFd >= 0 ? thread.syscallFd : Number.NaN;
      },
      duration: (record) => {
        const cpu = current(record);
        const { event, ns } = record as EventRecord;
        if (cpu === undefined) return Number.NaN;
        switch (kindOf(event)) {
          case "syscall":
            return cpu.current?.syscall === undefined ? Number.NaN : ns - cpu.current.syscallBeginNs;
          case "handler":
            return cpu.irqDepth === 0 ? Number.NaN : ns - cpu.irqBeginNs[cpu.irqDepth - 1]!;
          case "softirq":
            return cpu.softirq < 0 ? Number.NaN : ns - cpu.softirqBeginNs;
          default:
            return Number.NaN;
        }
      },
    };
  }

  // --- what generated code calls ---

  match(found: unknown, record: object, test: Test | undefined): void {
    if (found === undefined) return;
    if (found instanceof Instance) {
      if (test === undefined || test(record, found)) this.#candidates.push(found);
      return;
    }
    for (const instance of found as Set<Instance>) {
      if (test === undefined || test(record, instance)) this.#candidates.push(instance);
    }
  }

  scan(period: OpenPeriod, record: object, test: Test | undefined): void {
    for (let instance = period.first; instance !== undefined; instance = instance.nextOpen) {
      if (test === undefined || test(record, instance)) this.#candidates.push(instance);
    }
  }

  drop(record: object): void {
    if (this.#candidates.length === 0) return;
    for (const instance of this.#take()) if (instance.open) this.#close(instance, (record as EventRecord).ns);
  }

  end(record: object, captures: Values | undefined): void {
    if (this.#candidates.length === 0) return;
    const { ns } = record as EventRecord;
    for (const instance of this.#take()) {
      // Found in two ways, or closed with an ancestor just now.
      if (!instance.open) continue;
      if (captures !== undefined) instance.endValues = captures(record, instance).map(captureValue);
      for (let child = instance.firstChild; child !== undefined; child = child.nextSibling) {
        this.#close(child, ns);
      }
      instance.completed = true;
      instance.endCpu = (record as EventRecord).cpu;
      this.#finish(instance, ns);
    }
  }

  begin(period: OpenPeriod, record: object, keep: Values, captures: Values | undefined): void {
    this.#begin(period, undefined, record, keep, captures);
  }

  beginUnder(period: OpenPeriod, record: object, keep: Values, captures: Values | undefined): void {
    if (this.#candidates.length === 0) return;
    let last: Instance | undefined;
    for (const parent of this.#take()) {
      if (parent === last || !parent.open) continue;
      last = parent;
      this.#begin(period, parent, record, keep, captures);
    }
  }

  /** The candidates, oldest first. */
  #take(): readonly Instance[] {
    const candidates = this.#candidates;
    if (candidates.length === 0) return candidates;
    const taken = candidates.splice(0);
    if (taken.length > 1) taken.sort((a, b) => a.id - b.id);
    return taken;
  }

  #begin(
    period: OpenPeriod,
    parent: Instance | undefined,
    record: object,
    keep: Values,
    captures: Values | undefined,
  ): void {
    const { ns, host, cpu } = record as EventRecord;
    const instance = new Instance(
      this.#count,
      period.definition,
      parent,
      ns,
      host,
      cpu,
      keep(record, undefined),
    );
    if (period.definition.repeat !== "always" && this.#excluded(period, instance)) return;
    this.#count++;
    instance.holes = this.#holes[host]!;
    if (captures !== undefined) instance.beginValues = captures(record, instance).map(captureValue);
    instance.previousOpen = period.last;
    if (period.last === undefined) period.first = instance;
    else period.last.nextOpen = instance;
    period.last = instance;
    period.count++;
    for (const index of period.indices) index.add(instance);
    if (parent !== undefined) {
      instance.nextSibling = parent.firstChild;
      if (parent.firstChild !== undefined) parent.firstChild.previousSibling = instance;
      parent.firstChild = instance;
    }
    this.#held++;
    this.#options.onBegin?.(instance);
    if (this.#held > this.#mostHeld) this.#makeRoom(ns);
  }

  /** Whether an instance may not begin because of others of its period. */
  #excluded(period: OpenPeriod, instance: Instance): boolean {
    const { parent, host } = instance;
    const { repeat, index } = period.definition;
    if (repeat === "once") {
      parent!.begun ??= [];
      const before = parent!.begun[index] === true;
      parent!.begun[index] = true;
      return before;
    }
    const excludes = (other: Instance) => other.parent === parent && other.host === host;
    if (period.single !== undefined) {
      const found = period.single.like(instance);
      if (found === undefined) return false;
      return found instanceof Instance ? excludes(found) : [...found].some(excludes);
    }
    for (let other = period.first; other !== undefined; other = other.nextOpen) {
      if (excludes(other)) return true;
    }
    return false;
  }

  /** Gives up the oldest root with all that is below it. */
  #makeRoom(ns: number): void {
    let oldest: Instance | undefined;
    for (const { definition, first } of this.#compiled.periods) {
      if (definition.parent !== undefined || first === undefined) continue;
      if (oldest === undefined || first.id < oldest.id) oldest = first;
    }
    if (oldest === undefined) return;
    const { givenUp } = this;
    if (givenUp.crowded++ === 0) {
      givenUp.crowdedBeginNs = oldest.beginNs;
      givenUp.crowdedPath = oldest.definition.path;
    }
    this.#close(oldest, ns);
  }

  /** Closes an instance without completing it. */
  #close(instance: Instance, ns: number): void {
    for (let child = instance.firstChild; child !== undefined; child = child.nextSibling) {
      this.#close(child, ns);
    }
    this.#finish(instance, ns);
  }

  #finish(instance: Instance, ns: number): void {
    const period = this.#compiled.periods[instance.definition.index]!;
    const { previousOpen, nextOpen, parent, previousSibling, nextSibling } = instance;
    for (const index of period.indices) index.remove(instance);
    instance.endNs = ns;
    instance.uncertain = instance.holes !== this.#holes[instance.host];
    if (previousOpen === undefined) period.first = nextOpen;
    else previousOpen.nextOpen = nextOpen;
    if (nextOpen === undefined) period.last = previousOpen;
    else nextOpen.previousOpen = previousOpen;
    period.count--;
    // A loop over siblings or over open ones that is on this instance must still get on: its own links stay.
    if (parent !== undefined) {
      if (previousSibling === undefined) parent.firstChild = nextSibling;
      else previousSibling.nextSibling = nextSibling;
      if (nextSibling !== undefined) nextSibling.previousSibling = previousSibling;
      if (this.#options.keepTrees && parent.open) {
        if (parent.children.length === 0) parent.children = [instance];
        else parent.children.push(instance);
      } else this.#held -= size(instance);
    } else this.#held -= size(instance);
    this.#options.onEnd?.(instance);
  }

  /** Closes what is still open at the end of the analysis, the oldest root first. */
  closeAll(ns: number): void {
    this.active = false;
    for (;;) {
      let oldest: Instance | undefined;
      for (const { first } of this.#compiled.periods) {
        if (first !== undefined && (oldest === undefined || first.id < oldest.id)) oldest = first;
      }
      if (oldest === undefined) return;
      this.givenUp.open += openBelow(oldest);
      this.#close(oldest, ns);
    }
  }
}

/** Number of instances in the tree that is kept below an instance, with it. */
function size(instance: Instance): number {
  let count = 1;
  for (const child of instance.children) count += size(child);
  return count;
}

function openBelow(instance: Instance): number {
  let count = 1;
  for (let child = instance.firstChild; child !== undefined; child = child.nextSibling) {
    count += openBelow(child);
  }
  return count;
}
