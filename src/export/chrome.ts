/**
 * Chrome's JSON (Trace Event Format, "JSON Object Format"): for chrome://tracing, Speedscope, Perfetto. Moments are
 * microseconds since the trace's begin, with three decimals, so that nothing is rounded; the begin is told beside.
 * Slices are "complete" events, which stand in the file when they end.
 */
import { ByteBuffer } from "./byte-buffer.js";
import type { Label } from "./label.js";
import type { FileSink } from "./text-sink.js";
import type { Timeline } from "./timeline.js";
import { epochNs } from "./timeline.js";
import { type Track, type TrackGroup, type TrackSink, writeTracks } from "./tracks.js";

const PIECE = 1 << 18;
const DURATION = Buffer.from(`,"dur":`);
const END = Buffer.from("}");
const POINT = 46;

export function writeChrome(timeline: Timeline, out: FileSink): void {
  const beginEpochNs = epochNs(timeline, timeline.range.beginNs);
  const sink = new ChromeSink(timeline.range.beginNs, out);
  out.write(`{"displayTimeUnit":"ns","otherData":{"beginEpochNs":"${beginEpochNs}"},"traceEvents":[`);
  writeTracks(timeline, sink, { scheduling: true });
  sink.flush();
  out.write("\n]}\n");
}

/** Hot: an event is texts that were encoded before, and two numbers (`bench/export.mjs`). */
class ChromeSink implements TrackSink {
  readonly #out = new ByteBuffer();
  /** `"pid":…,"tid":…,"ts":` of the track. */
  #at: Uint8Array = new Uint8Array();
  #counter: Uint8Array = new Uint8Array();
  /** By label. */
  readonly #slices: (Uint8Array | undefined)[] = [];
  readonly #instants: (Uint8Array | undefined)[] = [];
  /** Slices that are open on the track, the innermost last. */
  readonly #openNs: number[] = [];
  readonly #open: Uint8Array[] = [];
  /** Every event has its comma before it, which the first one must not have. */
  #skip = 1;

  constructor(
    private readonly beginNs: number,
    private readonly sink: FileSink,
  ) {}

  flush(): void {
    this.sink.bytes(this.#out.used().subarray(this.#skip));
    this.#skip = 0;
    this.#out.length = 0;
  }

  group({ number, name }: TrackGroup): void {
    this.#out.text(
      `,\n{"ph":"M","name":"process_name","pid":${number},"args":{"name":${JSON.stringify(name)}}}`,
    );
  }

  track({ kind, group, thread, name }: Track): void {
    const at = `"pid":${group.number},"tid":${thread}`;
    const said = JSON.stringify(name);
    this.#at = Buffer.from(`,${at},"ts":`);
    this.#counter = Buffer.from(`,\n{"ph":"C","name":${said},"pid":${group.number},"ts":`);
    if (kind === "slices") {
      this.#out.text(`,\n{"ph":"M","name":"thread_name",${at},"args":{"name":${said}}}`);
    }
  }

  begin(ns: number, label: Label): void {
    this.#openNs.push(this.#whole(ns));
    this.#open.push(label.id < 0 ? slice(label) : (this.#slices[label.id] ??= slice(label)));
  }

  end(ns: number): void {
    const out = this.#out;
    const beginNs = this.#openNs.pop()!;
    out.raw(this.#open.pop()!);
    out.raw(this.#at);
    this.#micros(beginNs);
    out.raw(DURATION);
    this.#micros(this.#whole(ns) - beginNs);
    this.#end();
  }

  instant(ns: number, label: Label, flow: number, end: "from" | "to"): void {
    const out = this.#out;
    out.raw((this.#instants[label.id] ??= instant(label, end)));
    out.decimal(flow);
    out.raw(this.#at);
    this.#micros(this.#whole(ns));
    this.#end();
  }

  counter(ns: number, value: number): void {
    const out = this.#out;
    out.raw(this.#counter);
    this.#micros(this.#whole(ns));
    out.text(`,"args":{"value":${value}}`);
    this.#end();
  }

  #end(): void {
    this.#out.raw(END);
    if (this.#out.length >= PIECE) this.flush();
  }

  /** `ns` since the range's begin. */
  #whole(ns: number): number {
    return Math.max(0, Math.floor(ns) - Math.floor(this.beginNs));
  }

  #micros(ns: number): void {
    const out = this.#out;
    const rest = ns % 1000;
    out.decimal((ns - rest) / 1000);
    out.bytes[out.length++] = POINT;
    out.decimal(rest, 3);
  }
}

function slice({ name, category, attributes }: Label): Uint8Array {
  const args = attributes.length === 0 ? "" : `,"args":${JSON.stringify(Object.fromEntries(attributes))}`;
  return Buffer.from(`,\n{"ph":"X","name":${JSON.stringify(name)},"cat":${JSON.stringify(category)}${args}`);
}

/** One end of an arrow, up to its number; what arrives belongs to the slice around it. */
function instant({ name }: Label, end: "from" | "to"): Uint8Array {
  const kind = end === "from" ? `"ph":"s","args":{"what":${JSON.stringify(name)}}` : `"ph":"f","bp":"e"`;
  return Buffer.from(`,\n{${kind},"name":"wake-up","cat":"wake-up","id":`);
}
