/**
 * Perfetto's trace (protobuf), for ui.perfetto.dev and trace_processor. Field numbers are those of Perfetto's published
 * `trace_packet.proto` and what it imports. Timestamps are nanoseconds since the Unix epoch, exact: a snapshot says
 * that the trace's own clock (boot time) and the time of day are the same.
 *
 * Who runs where is told as the kernel told it (`ftrace.ts`), processes and threads as a process tree
 * (`perfetto-processes.ts`); here are the tracks of what the kernel has no event records for: system calls with
 * their waits and what these were for, wake-ups as flows, expired timers, disks' queues, periods.
 *
 * Every track is a sequence of packets of its own, as a thread's is where programs write such traces themselves: what
 * its packets have in common (track, clock) is said once, texts are interned, and a timestamp is what went by since
 * the packet before. Hot: an event is some ten bytes made once for all that say the same, between three numbers.
 */
import type { Stretch } from "../history/pixels.js";
import type { EventSource, SourceInfo } from "../sources/source.js";
import { FtraceExport } from "./ftrace.js";
import type { Label } from "./label.js";
import { PACKET, PerfettoPackets, SEQUENCE, STATE } from "./perfetto-packets.js";
import { writeProcesses, writeSystem } from "./perfetto-processes.js";
import { ProtoWriter } from "./protobuf.js";
import type { FileSink } from "./text-sink.js";
import { epochNs, type Timeline } from "./timeline.js";
import { type Track, type TrackGroup, type TrackSink, writeTracks } from "./tracks.js";

const DEFAULTS = { trackEvent: 11, clock: 58 };
const CLOCKS = { clock: 1, id: 1, timestamp: 2, isIncremental: 3 };
const TRACK = { uuid: 1, name: 2, thread: 4, parent: 5, counter: 8 };
const THREAD = { pid: 1, tid: 2 };
const EVENT = { category: 3, annotation: 4, type: 9, name: 10, track: 11, counterValue: 30, flow: 47 };
const ANNOTATION = { name: 1, integer: 4, string: 6, sharedString: 17 };
const INTERNED = { categories: 1, names: 2, annotationNames: 3, annotationStrings: 29 };
const TEXT = { id: 1, text: 2 };
const TYPE = { begin: 1, end: 2, instant: 3, counter: 4 };
/** BUILTIN_CLOCK_REALTIME, BUILTIN_CLOCK_BOOTTIME, the first that is a sequence's own. */
const CLOCK = { realTime: 1, bootTime: 6, ownSequence: 64 };
/** Groups are numbered apart from tracks. */
const GROUP_TRACKS = 2 ** 40;

/** `listen` before the trace is read, `finish` when it is. */
export class PerfettoExport {
  readonly #packets: PerfettoPackets;
  #info: SourceInfo | undefined;
  #ftrace: FtraceExport | undefined;

  constructor(out: FileSink) {
    this.#packets = new PerfettoPackets(out);
  }

  /** `range`: without it, everything. */
  listen(source: EventSource, range: Stretch | undefined): void {
    this.#info = source.info;
    this.#ftrace = new FtraceExport(source, this.#packets, range);
  }

  /** Answers how many packets there are. */
  finish(timeline: Timeline): number {
    const packets = this.#packets;
    this.#ftrace?.finish(timeline);
    const sink = new TrackPackets(timeline, packets);
    if (this.#info !== undefined) writeSystem(this.#info, packets);
    writeProcesses(timeline, packets);
    writeTracks(timeline, sink, { scheduling: false });
    packets.flush();
    return packets.count;
  }
}

/** One kind of interned text: numbers from 1, the same on all sequences, each of which is told what it uses. */
class Texts {
  readonly #ids = new Map<string, number>();
  /** By number: the sequence that was told last. */
  readonly #told: number[] = [];

  constructor(readonly field: number) {}

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) this.#ids.set(text, (id = this.#ids.size + 1));
    return id;
  }

  /** Whether `sequence` must be told. */
  isNews(id: number, sequence: number): boolean {
    if (this.#told[id] === sequence) return false;
    this.#told[id] = sequence;
    return true;
  }
}

class TrackPackets implements TrackSink {
  readonly #out: ProtoWriter;
  /** What all events of the track begin with, after the timestamp: sequence and flags. */
  #head: Uint8Array = new Uint8Array();
  readonly #scratch = new ProtoWriter();
  readonly #beginNs: bigint;
  #track = 0;
  #lastNs = 0;
  readonly #categories = new Texts(INTERNED.categories);
  readonly #names = new Texts(INTERNED.names);
  readonly #annotationNames = new Texts(INTERNED.annotationNames);
  readonly #annotationStrings = new Texts(INTERNED.annotationStrings);
  /** By label and type of event: the fields of the event. */
  readonly #bodies: (Uint8Array | undefined)[] = [];
  /** By label: the track whose sequence knows its texts. */
  readonly #known: number[] = [];
  readonly #endBody: Uint8Array;

  constructor(
    private readonly timeline: Timeline,
    private readonly packets: PerfettoPackets,
  ) {
    this.#out = packets.out;
    this.#beginNs = epochNs(timeline, timeline.range.beginNs);
    this.#scratch.integer(EVENT.type, TYPE.end);
    this.#endBody = this.#scratch.copy();
    const packet = packets.begin(SEQUENCE.global, STATE.cleared);
    this.#clocks([CLOCK.realTime, CLOCK.bootTime]);
    packets.end(packet);
  }

  /** What clocks showed when the exported range began; the sequence's own one counts from there. */
  #clocks(ids: readonly number[]): void {
    const out = this.#out;
    const snapshot = out.begin(PACKET.clocks);
    for (const id of ids) {
      const clock = out.begin(CLOCKS.clock);
      out.integer(CLOCKS.id, id);
      out.integer(CLOCKS.timestamp, id === CLOCK.ownSequence ? 0 : this.#beginNs);
      if (id === CLOCK.ownSequence) out.integer(CLOCKS.isIncremental, 1);
      out.end(clock);
    }
    out.end(snapshot);
  }

  group({ number, name, isProcess }: TrackGroup): void {
    // The process tree tells of them.
    if (isProcess) return;
    const packet = this.packets.begin(SEQUENCE.global);
    const track = this.#out.begin(PACKET.track);
    this.#out.integer(TRACK.uuid, GROUP_TRACKS + number);
    this.#out.string(TRACK.name, name);
    this.#out.end(track);
    this.packets.end(packet);
  }

  track(track: Track): void {
    const out = this.#out;
    const { packets } = this;
    this.#track = track.id;
    this.#lastNs = this.timeline.range.beginNs;
    const sequence = SEQUENCE.tracks + track.id;
    const first = packets.begin(sequence, STATE.cleared);
    out.integer(PACKET.firstOfSequence, 1);
    const defaults = out.begin(PACKET.defaults);
    const ofEvents = out.begin(DEFAULTS.trackEvent);
    out.integer(EVENT.track, track.id);
    out.end(ofEvents);
    out.integer(DEFAULTS.clock, CLOCK.ownSequence);
    out.end(defaults);
    this.#clocks([CLOCK.bootTime, CLOCK.ownSequence]);
    packets.end(first);
    const second = packets.begin(sequence);
    const described = out.begin(PACKET.track);
    describe(track, out);
    out.end(described);
    packets.end(second);
    const head = this.#scratch;
    head.length = 0;
    head.integer(PACKET.sequence, sequence);
    head.integer(PACKET.sequenceFlags, STATE.needed);
    this.#head = head.copy();
  }

  begin(ns: number, label: Label): void {
    this.#labelled(ns, label, TYPE.begin, -1);
  }

  end(ns: number): void {
    this.#event(ns, this.#endBody, -1, undefined);
  }

  instant(ns: number, label: Label, flow: number): void {
    this.#labelled(ns, label, TYPE.instant, flow);
  }

  counter(ns: number, value: number): void {
    const body = this.#scratch;
    body.length = 0;
    body.integer(EVENT.type, TYPE.counter);
    body.integer(EVENT.counterValue, value);
    this.#event(ns, body.used(), -1, undefined);
  }

  #labelled(ns: number, label: Label, type: number, flow: number): void {
    const { id } = label;
    if (id < 0) {
      this.#event(ns, this.#body(label, type), flow, label);
      return;
    }
    // A label is of slices or of instants, never of both.
    const body = (this.#bodies[id] ??= this.#body(label, type));
    const isKnown = this.#known[id] === this.#track;
    if (!isKnown) this.#known[id] = this.#track;
    this.#event(ns, body, flow, isKnown ? undefined : label);
  }

  /** `news`: its texts may be new to the sequence. */
  #event(ns: number, body: Uint8Array, flow: number, news: Label | undefined): void {
    const out = this.#out;
    const packet = this.packets.bare();
    const wholeNs = Math.max(this.#lastNs, Math.floor(ns));
    out.varint(PACKET.timestamp * 8);
    out.varint(wholeNs - this.#lastNs);
    this.#lastNs = wholeNs;
    out.raw(this.#head);
    if (news !== undefined) this.#tell(news);
    const event = out.begin(PACKET.trackEvent);
    out.raw(body);
    if (flow >= 0) out.fixed64(EVENT.flow, flow);
    out.end(event);
    this.packets.end(packet);
  }

  /** Fields of an event that says `label`. */
  #body(label: Label, type: number): Uint8Array {
    const body = this.#scratch;
    body.length = 0;
    body.integer(EVENT.type, type);
    body.integer(EVENT.category, this.#categories.id(label.category));
    body.integer(EVENT.name, this.#names.id(label.name));
    for (const [key, value] of label.attributes) {
      const annotation = body.begin(EVENT.annotation);
      body.integer(ANNOTATION.name, this.#annotationNames.id(key));
      if (typeof value === "number") body.integer(ANNOTATION.integer, Math.trunc(value));
      else if (label.id < 0) body.string(ANNOTATION.string, value);
      else body.integer(ANNOTATION.sharedString, this.#annotationStrings.id(value));
      body.end(annotation);
    }
    return body.copy();
  }

  /** Interned texts of a label that the track's sequence has not been told of. */
  #tell({ id, category, name, attributes }: Label): void {
    const told = this.#out.begin(PACKET.interned);
    this.#text(this.#categories, category);
    this.#text(this.#names, name);
    for (const [key, value] of attributes) {
      this.#text(this.#annotationNames, key);
      if (typeof value === "string" && id >= 0) this.#text(this.#annotationStrings, value);
    }
    this.#out.end(told);
  }

  #text(texts: Texts, text: string): void {
    const id = texts.id(text);
    if (!texts.isNews(id, this.#track)) return;
    const one = this.#out.begin(texts.field);
    this.#out.integer(TEXT.id, id);
    this.#out.string(TEXT.text, text);
    this.#out.end(one);
  }
}

function describe({ id, kind, name, group, thread }: Track, out: ProtoWriter): void {
  out.integer(TRACK.uuid, id);
  if (group.isProcess) {
    const one = out.begin(TRACK.thread);
    out.integer(THREAD.pid, group.number);
    out.integer(THREAD.tid, thread);
    out.end(one);
    return;
  }
  out.integer(TRACK.parent, GROUP_TRACKS + group.number);
  out.string(TRACK.name, name);
  if (kind === "counter") out.end(out.begin(TRACK.counter));
}
