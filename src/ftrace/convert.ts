/** Raw pages → an LTTng kernel trace in CTF: threads, names, contexts, the state dump, what was lost. */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { FieldSpecs } from "../ctf/write/schema.js";
import type { RecordClass, StreamWriter } from "../ctf/write/stream-writer.js";
import { CtfWriter } from "../ctf/write/writer.js";
import { callNumbers } from "./call-numbers.js";
import type { CpuReader } from "./cpu-reader.js";
import { asItIs, mappingOf } from "./events/index.js";
import { FileNames, isNamed, lacksName } from "./file-names.js";
import { COMM, type CompiledMapping, compileMapping } from "./mapping.js";
import { mergeRecords } from "./merge.js";
import { numberedCalls } from "./numbered-calls.js";
import type { Recording } from "./recording.js";
import { type Dump, type DumpRow, dumpRows } from "./statedump.js";
import { type ThreadState, Threads } from "./threads.js";
import { RecordFields } from "./write-record.js";

const I32 = { type: "integer", size: 32, signed: true } as const;
/** Contexts as LTTng's users add them; an event record's header is followed by 24 bytes of them. */
const CONTEXT: FieldSpecs = { pid: I32, tid: I32, procname: COMM };
const CONTEXT_BYTES = 4 + 4 + 16;

/** A trace that has been written. */
export interface ConvertedTrace {
  /** Of the CTF trace itself. */
  readonly path: string;
  /** From when on it has what happened on all CPUs. */
  readonly beginNs: bigint;
  readonly endNs: bigint;
  readonly eventRecords: number;
  /** Event records that were lost. */
  readonly lost: number;
  readonly bytes: number;
  /** `sched_switch` that the kernel did not tell, and that were put in. */
  readonly addedSwitches?: number | undefined;
  /** How many calls that opened a file there were, and of how many the file's name is known; if names were sought. */
  readonly files?: { readonly opened: number; readonly named: number } | undefined;
}

export interface ConvertOptions {
  /** The state dump was taken at the end: it is told at the begin, so that names are known. */
  readonly dumpFirst?: boolean;
  /** Also events that LTTng does not have, and that are only read for what they tell of threads. */
  readonly everything?: boolean;
  /** Older packets were overwritten. */
  readonly isSnapshot?: boolean;
}

/**
 * Writes the trace into `directory`, which is made. Two readings: the first finds names of opened files, the second
 * writes. Throws `PeriscopeError` where pages are not as expected.
 */
export function convert(
  recording: Recording,
  directory: string,
  options: ConvertOptions = {},
): ConvertedTrace {
  const { beginNs: originNs, clock, environment, uuid } = recording;
  const mappings = compileAll(recording, options);
  const known = () => new Threads(recording.dump?.threads ?? [], recording.laterThreads);
  const names = findNames(recording, mappings, known);
  mkdirSync(directory, { recursive: true });
  const writer = new CtfWriter(
    directory,
    { environment, clock, context: CONTEXT, ...(uuid === undefined ? {} : { uuid }) },
    { originCycles: originNs, firstSequence: options.isSnapshot ? 1n : 0n },
  );
  const conversion = new Conversion(recording, writer, mappings, names, known(), options);
  const readers = recording.open();
  try {
    conversion.run(readers);
  } finally {
    for (const reader of readers) reader.close();
  }
  const { offset } = clock;
  const ended = recording.endNs ?? originNs + BigInt(conversion.lastNs);
  return {
    path: directory,
    beginNs: originNs + offset + BigInt(options.isSnapshot ? conversion.rememberedNs : 0),
    endNs: ended + offset,
    eventRecords: conversion.eventRecords,
    lost: conversion.lost,
    bytes: sizeOf(directory),
    addedSwitches: conversion.addedSwitches,
    files: names === undefined ? undefined : { opened: names.opened, named: names.named },
  };
}

function compileAll(recording: Recording, { everything }: ConvertOptions): (CompiledMapping | undefined)[] {
  const { events, environment } = recording;
  const mappings: (CompiledMapping | undefined)[] = [];
  const twice = hasCallsTwice(recording);
  const numbered = callNumbers(String(environment["machine"] ?? ""));
  for (const format of events) {
    const isRaw = format.system === "raw_syscalls";
    let how = isRaw && twice ? asItIs(format, true) : mappingOf(format);
    if (everything && how.to === undefined) how = { ...asItIs(format), role: how.role };
    const mapping = compileMapping(how, format);
    const calls = isRaw && !twice ? numberedCalls(format, numbered) : undefined;
    mappings[format.id] = calls === undefined ? mapping : { ...mapping, calls };
  }
  return mappings;
}

/** Whether calls are in it by both kinds of events: then the raw ones must not count as calls again. */
function hasCallsTwice({ events, open }: Recording): boolean {
  const ids = (system: string) => new Set(events.filter((one) => one.system === system).map(({ id }) => id));
  const [named, raw] = [ids("syscalls"), ids("raw_syscalls")];
  if (named.size === 0 || raw.size === 0) return false;
  let hasNamed = false;
  let hasRaw = false;
  const readers = open();
  for (const reader of readers) {
    while (!(hasNamed && hasRaw) && reader.advance()) {
      const id = reader.length < 2 ? -1 : reader.view.getUint16(reader.at, true);
      hasNamed ||= named.has(id);
      hasRaw ||= raw.has(id);
    }
    reader.close();
  }
  return hasNamed && hasRaw;
}

/** Undefined: the kernel tells names itself, or there are no calls. */
function findNames(
  { openFiles, beginNs, open }: Recording,
  mappings: readonly (CompiledMapping | undefined)[],
  threads: () => Threads,
): FileNames | undefined {
  if (openFiles.length === 0) return undefined;
  if (!mappings.some((mapping) => mapping !== undefined && lacksName(mapping))) return undefined;
  const names = new FileNames(openFiles, beginNs);
  const concerned = mappings.map((m) =>
    m?.role === "newtask" || (m !== undefined && FileNames.concerns(m)) ? m : undefined,
  );
  const readers = open();
  mergeRecords(readers, concerned, threads(), (mapping, reader, thread) => {
    if (FileNames.concerns(mapping)) names.see(mapping, reader, thread);
  });
  names.finish();
  for (const reader of readers) reader.close();
  return names;
}

/** State of a thread that sleeps (TASK_INTERRUPTIBLE, include/linux/sched.h). */
const INTERRUPTIBLE = 1;
const NOBODY_KNOWS = -1;

class Conversion {
  eventRecords = 0;
  lost = 0;
  /** Moments of the first record (-1: there is none) and of the last one, since the origin. */
  firstNs = -1;
  lastNs = 0;
  /** In a snapshot: before it, some CPU's records were overwritten; -1: no CPU's were. */
  wholeSinceNs = -1;
  readonly #streams: StreamWriter[] = [];
  /** Of each CPU: moment of its last event record, and how many are known to be lost. */
  readonly #last: number[] = [];
  readonly #lost: number[] = [];
  readonly #begun: boolean[] = [];
  readonly #classes: (RecordClass | undefined)[] = [];
  /** Which event has a name. */
  readonly #names = new Map<string, number>();
  readonly #fields: RecordFields;
  #calls = 0;
  /** Of each CPU: who runs by the last switch; `NOBODY_KNOWS` after losses. */
  readonly #running: number[] = [];
  readonly #switch: { readonly mapping: CompiledMapping; readonly next: number } | undefined;
  /** Switches that were not recorded. */
  addedSwitches = 0;
  #rows: Iterator<DumpRow> | undefined;
  #nextRowNs = Number.POSITIVE_INFINITY;
  #row: DumpRow | undefined;
  #rowStepNs = 0;
  #dumper: readonly [number, number, string] = [0, 0, ""];

  constructor(
    private readonly recording: Recording,
    private readonly writer: CtfWriter,
    private readonly mappings: readonly (CompiledMapping | undefined)[],
    private readonly names: FileNames | undefined,
    private readonly threads: Threads,
    private readonly options: ConvertOptions,
  ) {
    this.#fields = new RecordFields(threads);
    if (recording.dump !== undefined) this.#prepareDump(recording.dump);
    for (const mapping of mappings) {
      if (mapping?.to === undefined) continue;
      if (mapping.role === "switch") this.#switch = { mapping, next: mapping.offset("next_pid") };
      this.#classOf(mapping);
    }
  }

  /** Event record class of a mapping that is written; made when it is new. */
  #classOf(mapping: CompiledMapping): RecordClass | undefined {
    const known = this.#classes[mapping.event.id];
    if (known !== undefined || mapping.to === undefined) return known;
    const { system, name } = mapping.event;
    // Two systems may have events of one name.
    const taken = this.#names.get(mapping.to);
    const to = taken === undefined || taken === mapping.event.id ? mapping.to : `${system}:${name}`;
    this.#names.set(to, mapping.event.id);
    return (this.#classes[mapping.event.id] = this.writer.event(to, mapping.fields));
  }

  /** From when on a snapshot has what happened on all CPUs: busy ones overwrite sooner. */
  get rememberedNs(): number {
    return Math.max(0, this.firstNs, this.wholeSinceNs);
  }

  run(readers: readonly CpuReader[]): void {
    const origin = this.recording.beginNs;
    for (const { cpu } of readers) {
      const stream = this.writer.stream(cpu);
      this.#streams.push(stream);
      this.#last.push(0);
      this.#lost.push(0);
      this.#running.push(NOBODY_KNOWS);
      // From here on nothing happens that is not recorded. In a snapshot that holds from the first record on.
      if (!this.options.isSnapshot) stream.open(origin);
    }
    mergeRecords(readers, this.mappings, this.threads, (mapping, reader, thread, index) =>
      this.#write(mapping, reader, thread, index),
    );
    this.#writeRows(Number.POSITIVE_INFINITY);
    const { endNs, lost } = this.recording;
    readers.forEach(({ cpu }, i) => {
      const rest = (lost?.[cpu] ?? 0) - this.#lost[i]!;
      if (rest <= 0 || this.options.isSnapshot) return;
      this.#lose(i, rest);
      this.#streams[i]!.open(endNs ?? origin + BigInt(this.#last[i]!));
    });
    this.writer.close(endNs);
  }

  #lose(index: number, count: number): void {
    this.#running[index] = NOBODY_KNOWS;
    this.#streams[index]!.lose(count);
    this.#lost[index]! += count;
    this.lost += count;
  }

  #write(mapping: CompiledMapping, reader: CpuReader, thread: ThreadState, index: number): void {
    if (this.eventRecords === 0 && this.options.dumpFirst) this.#nextRowNs = reader.ns;
    if (reader.ns >= this.#nextRowNs) this.#writeRows(reader.ns);
    if (reader.lostBefore > 0 || reader.lostUnknown) {
      // In a snapshot the oldest records were overwritten, which is what it is for.
      const isFirst = this.options.isSnapshot && !this.#begun[index];
      if (isFirst) this.wholeSinceNs = Math.max(this.wholeSinceNs, reader.ns);
      else this.#lose(index, Math.max(reader.lostBefore, 1));
      reader.lostBefore = 0;
      reader.lostUnknown = false;
    }
    this.#begun[index] = true;
    const event = this.#classes[mapping.event.id] ?? this.#classOf(mapping);
    if (event === undefined) return;
    const fields = this.#fields;
    if (this.names !== undefined) {
      fields.filename = isNamed(mapping) ? this.names.name(this.#calls++) : "";
    }
    // The kernel's clock may step back by some nanoseconds while it is being adjusted.
    const ns = Math.max(reader.ns, this.#last[index]!);
    const running = this.#running[index]!;
    if (running !== thread.tid && running !== NOBODY_KNOWS && this.#switch !== undefined) {
      // A thread that is only seen to leave came after its wake-up and whatever else was recorded.
      const leaves = mapping === this.#switch?.mapping;
      const since = Math.min(Math.max(this.#last[index]!, thread.wokenNs), ns);
      this.#addSwitch(index, leaves ? since : ns, this.threads.get(running, reader.cpu), thread);
    }
    if (running === NOBODY_KNOWS) this.#running[index] = thread.tid;
    if (mapping === this.#switch?.mapping) {
      this.#running[index] = reader.view.getInt32(reader.at + this.#switch.next, true);
    }
    this.#last[index] = ns;
    this.lastNs = ns;
    if (this.firstNs < 0) this.firstNs = ns;
    const target = this.#streams[index]!.reserve(event.id, ns, CONTEXT_BYTES + fields.most(mapping, reader));
    const { view, at } = target;
    view.setInt32(at, thread.pid, true);
    view.setInt32(at + 4, thread.tid, true);
    thread.writeName(target, at + 8);
    target.at = at + CONTEXT_BYTES;
    fields.write(mapping, reader, target, thread, reader.cpu);
    this.eventRecords++;
  }

  /**
   * `left` has left its CPU without a record: there are virtual machines whose kernel does not tell it of some
   * threads, idle ones above all. Without it nobody would know who runs. Why it left is not known: since nobody is
   * seen to push it away, it is taken to have blocked.
   */
  #addSwitch(index: number, ns: number, left: ThreadState, thread: ThreadState): void {
    this.#running[index] = thread.tid;
    const { mapping } = this.#switch!;
    const values: Record<string, string | number> = {
      prev_comm: left.name,
      prev_tid: left.tid,
      prev_prio: left.priority,
      prev_state: left.tid === 0 ? 0 : INTERRUPTIBLE,
      next_comm: thread.name,
      next_tid: thread.tid,
      next_prio: thread.priority,
    };
    this.#streams[index]!.append(
      this.#classes[mapping.event.id]!,
      this.recording.beginNs + BigInt(ns),
      [left.pid, left.tid, left.name],
      Object.keys(mapping.fields).map((name) => values[name] ?? 0),
    );
    this.eventRecords++;
    this.addedSwitches++;
  }

  #prepareDump(dump: Dump): void {
    const origin = this.recording.beginNs;
    const rows = [...dumpRows(dump)];
    const begin = this.options.dumpFirst ? 0 : Number(BigInt(dump.ns) - origin);
    const span = this.options.dumpFirst ? 0 : Number(BigInt(dump.endNs) - BigInt(dump.ns));
    this.#nextRowNs = Math.max(begin, 0);
    this.#rowStepNs = Math.floor(span / rows.length);
    this.#rows = rows[Symbol.iterator]();
    this.#row = this.#rows.next().value;
    const by = dump.threads.find(({ tid }) => tid === dump.by);
    this.#dumper = [by?.pid ?? dump.by, dump.by, by?.name ?? ""];
  }

  /** Rows of the dump up to a moment. They go to the first CPU's stream. */
  #writeRows(untilNs: number): void {
    const stream = this.#streams[0];
    const origin = this.recording.beginNs;
    while (this.#row !== undefined && stream !== undefined && this.#nextRowNs <= untilNs) {
      const { event, fields, values } = this.#row;
      const ns = Math.max(this.#nextRowNs, this.#last[0]!);
      stream.append(this.writer.event(event, fields), origin + BigInt(ns), this.#dumper, values);
      this.#last[0] = ns;
      this.eventRecords++;
      this.#nextRowNs += this.#rowStepNs;
      this.#row = this.#rows!.next().value;
    }
    if (this.#row === undefined) this.#nextRowNs = Number.POSITIVE_INFINITY;
  }
}

function sizeOf(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    bytes += entry.isDirectory() ? sizeOf(path) : statSync(path).size;
  }
  return bytes;
}
