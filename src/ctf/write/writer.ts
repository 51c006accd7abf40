/**
 * Writes CTF 1.8 traces as LTTng lays them out: `metadata`, one data file per CPU, LTTng's index files beside them.
 *
 *     const writer = new CtfWriter("out/kernel", { environment: {…}, clock: {…}, context: { tid: INT32 } });
 *     const open = writer.event("syscall_entry_openat", { filename: { type: "string" } });
 *     writer.stream(0).append(open, cycles, [tid], ["/etc/passwd"]);
 *     writer.close();
 */
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encoderOf } from "./encoder.js";
import { eventText, headText } from "./metadata.js";
import { checkName, type FieldSpecs, type TraceSpec } from "./schema.js";
import { type RecordClass, StreamWriter } from "./stream-writer.js";

export interface CtfWriterOptions {
  /** Bytes of a packet; larger event records get larger ones. Default 256 KiB. */
  readonly packetBytes?: number;
  /** Name of the data files before `_CPU`. Default `channel0`. */
  readonly channel?: string;
  /** What `StreamWriter.reserve` counts its moments from, in cycles of the clock. Default 0. */
  readonly originCycles?: bigint;
  /** Number of every stream's first packet; see `StreamOptions`. */
  readonly firstSequence?: bigint;
}

export class CtfWriter {
  readonly uuid: string;
  readonly #directory: string;
  readonly #options: CtfWriterOptions;
  readonly #context: Pick<RecordClass, "encode" | "measure">;
  readonly #events = new Map<string, RecordClass>();
  readonly #streams = new Map<number, StreamWriter>();

  /** Makes the directory and its metadata. Throws `TypeError` for names that TSDL cannot say. */
  constructor(directory: string, spec: TraceSpec, options: CtfWriterOptions = {}) {
    checkName(spec.clock.name, "clock");
    checkFields(spec.context);
    for (const key of Object.keys(spec.environment)) checkName(key, "environment entry");
    this.uuid = spec.uuid ?? randomUUID();
    this.#directory = directory;
    this.#options = options;
    this.#context = encoderOf(spec.context);
    mkdirSync(join(directory, "index"), { recursive: true });
    writeFileSync(join(directory, "metadata"), headText(spec, this.uuid));
  }

  /**
   * An event record class, made when its name is new. Its metadata is on disk before any of its records can be.
   */
  event(name: string, fields: FieldSpecs): RecordClass {
    const known = this.#events.get(name);
    if (known !== undefined) return known;
    checkFields(fields);
    const event = { id: this.#events.size, name, ...encoderOf(fields) };
    appendFileSync(join(this.#directory, "metadata"), eventText(event.id, name, fields));
    this.#events.set(name, event);
    return event;
  }

  /** The data stream of a CPU. */
  stream(cpu: number): StreamWriter {
    let stream = this.#streams.get(cpu);
    if (stream === undefined) {
      const file = `${this.#options.channel ?? "channel0"}_${cpu}`;
      stream = new StreamWriter({
        path: join(this.#directory, file),
        indexPath: join(this.#directory, "index", `${file}.idx`),
        uuid: Uint8Array.from(Buffer.from(this.uuid.replaceAll("-", ""), "hex")),
        instance: cpu,
        cpu,
        packetBytes: this.#options.packetBytes ?? 1 << 18,
        context: this.#context,
        originCycles: this.#options.originCycles,
        firstSequence: this.#options.firstSequence,
      });
      this.#streams.set(cpu, stream);
    }
    return stream;
  }

  /** Writes what is in hand. */
  flush(): void {
    for (const stream of this.#streams.values()) stream.flush();
  }

  /** Ends all packets at `endCycles` (default: each with its last event record). */
  close(endCycles?: bigint): void {
    for (const stream of this.#streams.values()) stream.close(endCycles);
    this.#streams.clear();
  }
}

function checkFields(fields: FieldSpecs): void {
  for (const name of Object.keys(fields)) checkName(name, "field");
}
