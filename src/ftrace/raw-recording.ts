/**
 * What lies between recording and conversion: raw pages in spool files, one per CPU, and what must be known to read
 * them. It is on disk while recording goes on, so that a recording which was killed can still be converted.
 *
 * A spool file is a row of pages, each behind its length (32 bits); of a page only what is used is kept.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { writeAll } from "../base/write-all.js";
import { CpuReader } from "./cpu-reader.js";
import { parseEventFormat } from "./event-format.js";
import type { Recording } from "./recording.js";
import type { PageLayout } from "./ring-buffer.js";
import type { Dump, OpenFiles } from "./statedump.js";

/** Known when recording begins. Moments are nanoseconds of the monotonic clock, as text where they are bigints. */
export interface RawStart {
  readonly version: 1;
  readonly layout: PageLayout;
  readonly beginNs: string;
  /** Realtime less monotonic. */
  readonly clockOffsetNs: string;
  readonly bootId: string;
  readonly environment: Readonly<Record<string, string | number>>;
  /** `system`, and the text of `format`. */
  readonly events: readonly { readonly system: string; readonly text: string }[];
  readonly cpus: readonly number[];
}

/** Known when it has ended. */
export interface RawEnd {
  readonly endNs: string;
  /** Per CPU: records that the kernel says were lost. */
  readonly lost: Readonly<Record<number, number>>;
}

const FLUSH_BYTES = 1 << 20;

/** Writes one CPU's pages. */
export class SpoolWriter {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(FLUSH_BYTES + (1 << 17));
  #used = 0;
  bytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  /** `page` holds `length` used bytes. */
  append(page: Uint8Array, length: number): void {
    if (this.#used + length + 4 > this.#buffer.length) this.flush();
    this.#buffer.writeUInt32LE(length, this.#used);
    this.#buffer.set(length === page.length ? page : page.subarray(0, length), this.#used + 4);
    this.#used += length + 4;
    if (this.#used >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    writeAll(this.#file, this.#buffer.subarray(0, this.#used), this.bytes);
    this.bytes += this.#used;
    this.#used = 0;
  }

  /** Forgets what was written. */
  restart(): void {
    this.#used = 0;
    this.bytes = 0;
    ftruncateSync(this.#file, 0);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

const CHUNK_BYTES = 4 << 20;

/** One CPU's records in their order. */
export class SpoolReader extends CpuReader {
  readonly #file: number;
  #chunk = Buffer.alloc(CHUNK_BYTES);
  #chunkView = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
  #from = 0;
  #filled = 0;

  constructor(
    readonly cpu: number,
    path: string,
    layout: PageLayout,
    originNs: bigint,
  ) {
    super(layout, originNs, path);
    this.#file = openSync(path, "r");
  }

  protected turn(): boolean {
    if (!this.#have(4)) return false;
    const length = this.#chunk.readUInt32LE(this.#from);
    // Cut off: the recorder was killed while it wrote.
    if (!this.#have(4 + length)) return false;
    this.open(this.#chunk, this.#chunkView, this.#from + 4, length);
    this.#from += 4 + length;
    if (this.lost < 0) this.lostUnknown = true;
    else this.lostBefore += this.lost;
    return true;
  }

  /** Makes so many bytes lie at `#from`; the page before may be moved over. */
  #have(bytes: number): boolean {
    if (this.#filled - this.#from >= bytes) return true;
    this.#chunk.copyWithin(0, this.#from, this.#filled);
    this.#filled -= this.#from;
    this.#from = 0;
    while (this.#filled < bytes) {
      const read = readSync(this.#file, this.#chunk, this.#filled, this.#chunk.length - this.#filled, null);
      if (read === 0) return false;
      this.#filled += read;
    }
    return true;
  }

  close(): void {
    closeSync(this.#file);
  }
}

export const spoolPath = (directory: string, cpu: number): string => join(directory, `cpu${cpu}`);

export type RawPart = "start" | "end" | "dump" | "end-dump" | "samples";

export function writePart(directory: string, part: RawPart, value: object): void {
  writeFileSync(join(directory, `${part}.json`), JSON.stringify(value));
}

function readPart<T>(directory: string, part: RawPart): T | undefined {
  const path = join(directory, `${part}.json`);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    throw new PeriscopeError(`${path}: expected JSON, as periscope record writes it`);
  }
}

export interface RawRecording {
  readonly directory: string;
  readonly start: RawStart;
  /** Undefined: the recording was killed. */
  readonly end: RawEnd | undefined;
  readonly dump: Dump | undefined;
  readonly endDump: Dump | undefined;
  readonly samples: readonly OpenFiles[];
}

/** Throws `PeriscopeError` where there is no raw recording. */
export function readRawRecording(directory: string): RawRecording {
  const start = readPart<RawStart>(directory, "start");
  if (start === undefined) throw new PeriscopeError(`${directory}: no raw recording (start.json) here`);
  return {
    directory,
    start,
    end: readPart(directory, "end"),
    dump: readPart(directory, "dump"),
    endDump: readPart(directory, "end-dump"),
    samples: readPart<{ samples: OpenFiles[] }>(directory, "samples")?.samples ?? [],
  };
}

/** What a conversion needs of it. Throws `PeriscopeError` where a description of an event is not as expected. */
export function spooledRecording(raw: RawRecording): Recording {
  const { start, end, dump, endDump, samples } = raw;
  const beginNs = BigInt(start.beginNs);
  return {
    beginNs,
    endNs: end === undefined ? undefined : BigInt(end.endNs),
    clock: {
      name: "monotonic",
      description: "Monotonic Clock",
      uuid: start.bootId,
      frequency: 1_000_000_000n,
      offset: BigInt(start.clockOffsetNs),
    },
    environment: start.environment,
    events: start.events.map(({ system, text }) => parseEventFormat(text, system, `${system}/format`)),
    lost: end?.lost,
    dump,
    laterThreads: endDump?.threads ?? [],
    openFiles: [dump, ...samples, endDump].filter((one) => one !== undefined),
    open: () =>
      start.cpus.map((cpu) => new SpoolReader(cpu, spoolPath(raw.directory, cpu), start.layout, beginNs)),
  };
}
