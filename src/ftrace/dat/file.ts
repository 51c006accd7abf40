/**
 * The head of a trace.dat file: descriptions, options, and where which CPU's pages lie.
 * Format: trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5); what they leave open was learnt from files.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { DataError, PeriscopeError } from "../../base/errors.js";
import { Cursor, filePlace, memoryPlace } from "./cursor.js";
import { type Decompress, decompressorOf } from "./decompress.js";
import { Options } from "./options.js";

export interface CpuPart {
  readonly cpu: number;
  readonly offset: number;
  readonly size: number;
}

/** The pages of one instance; the top one has no name. */
export interface DatBuffer {
  readonly name: string;
  /** The clock's name, as `trace_clock` has it; "" where nobody says. */
  readonly clock: string;
  readonly pageBytes: number;
  readonly cpus: readonly CpuPart[];
  /** The pages are in compressed chunks. */
  readonly isCompressed: boolean;
}

export interface DatFile {
  readonly path: string;
  readonly size: number;
  readonly version: number;
  readonly bigEndian: boolean;
  readonly decompress: Decompress | undefined;
  readonly headerPage: string;
  readonly formats: readonly { readonly system: string; readonly text: string; readonly at: number }[];
  /** Of `saved_cmdlines`: a thread and its name a line. */
  readonly threadNames: string;
  readonly options: Options;
  readonly buffers: readonly DatBuffer[];
  /** What could not be read. */
  readonly problems: readonly DataError[];
}

export const MAGIC = Uint8Array.of(0x17, 0x08, 0x44, ...Buffer.from("tracing"));

/** Whether the file begins like a trace.dat. False for what cannot be read. */
export function isDatFile(path: string): boolean {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const head = Buffer.alloc(MAGIC.length);
    return readSync(file, head, 0, head.length, 0) === head.length && head.equals(MAGIC);
  } catch {
    return false;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A section larger than this would not be one of descriptions. */
const MOST_SECTION = 256 << 20;

/** Reads the head. Throws `DataError` where the file cannot be understood at all. */
export function readDatFile(path: string): DatFile {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const place = filePlace(file, size);
    let cursor = new Cursor(path, place, false);
    cursor.expect(Buffer.from(MAGIC).toString("latin1"), "trace.dat's first bytes");
    const at = cursor.at;
    const version = cursor.name("version");
    if (version !== "6" && version !== "7") {
      throw cursor.fault(`version ${JSON.stringify(version)}, expected 6 or 7`, at);
    }
    const order = cursor.u8("byte order");
    if (order > 1) throw cursor.fault(`byte order ${order}, expected 0 or 1`, cursor.at - 1);
    const long = cursor.u8("size of a long");
    if (long !== 4 && long !== 8)
      throw cursor.fault(`size of a long ${long}, expected 4 or 8`, cursor.at - 1);
    cursor = new Cursor(path, place, order === 1, cursor.at);
    const pageBytes = cursor.u32("size of a page");
    return version === "6" ? new HeadOf6(cursor, pageBytes).read() : new HeadOf7(cursor, pageBytes).read();
  } finally {
    closeSync(file);
  }
}

/** What both versions have, in different places. */
class Head {
  headerPage = "";
  readonly formats: { system: string; text: string; at: number }[] = [];
  threadNames = "";
  readonly options = new Options();
  readonly buffers: DatBuffer[] = [];
  readonly problems: DataError[] = [];

  constructor(
    readonly cursor: Cursor,
    readonly pageBytes: number,
  ) {
    if (pageBytes < 512 || pageBytes > 1 << 24) {
      throw cursor.fault(`pages of ${pageBytes} bytes, expected 512 to 16777216`, cursor.at - 4);
    }
  }

  protected readHeaderInfo(cursor: Cursor): void {
    cursor.expect("header_page\0", "the name");
    this.headerPage = cursor.text(cursor.size("size of header_page"), "header_page");
    cursor.expect("header_event\0", "the name");
    cursor.skip(cursor.size("size of header_event"), "header_event");
  }

  protected readTracers(cursor: Cursor): void {
    this.#readFormats(cursor, "ftrace", cursor.u32("number of the tracers' events"));
  }

  protected readEvents(cursor: Cursor): void {
    const systems = cursor.u32("number of event systems");
    for (let i = 0; i < systems; i++) {
      const system = cursor.name("name of an event system");
      this.#readFormats(cursor, system, cursor.u32(`number of events of ${JSON.stringify(system)}`));
    }
  }

  #readFormats(cursor: Cursor, system: string, count: number): void {
    for (let i = 0; i < count; i++) {
      const size = cursor.size("size of an event's description");
      const at = cursor.section ?? cursor.at;
      this.formats.push({
        system,
        text: cursor.text(size, `description of an event of ${JSON.stringify(system)}`),
        at,
      });
    }
  }

  protected readThreadNames(cursor: Cursor): void {
    this.threadNames = cursor.text(cursor.size("size of the threads' names"), "the threads' names");
  }

  /** Goes on without what `read` could not read. */
  protected attempt(read: () => void): boolean {
    try {
      read();
      return true;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      this.problems.push(error);
      return false;
    }
  }

  protected done(version: number, decompress: Decompress | undefined): DatFile {
    const { cursor, headerPage, formats, threadNames, options, buffers, problems } = this;
    const { file: path, bigEndian, place } = cursor;
    const { size } = place;
    if (options.guestAt !== undefined) {
      throw cursor.fault(
        "the recording of a guest, whose clock is told in terms of its host's; expected that of a host, or of a machine by itself",
        options.guestAt,
      );
    }
    return {
      ...{ path, size, version, bigEndian, decompress },
      ...{ headerPage, formats, threadNames, options, buffers, problems },
    };
  }

  protected textOnly(what: string, at: number): never {
    throw this.cursor.fault(
      `${what} holds the text of a latency tracer (irqsoff, wakeup, …), not event records; trace-cmd report shows it`,
      at,
    );
  }
}

class HeadOf6 extends Head {
  #cpus = 0;

  read(): DatFile {
    const { cursor } = this;
    this.readHeaderInfo(cursor);
    this.readTracers(cursor);
    this.readEvents(cursor);
    cursor.skip(cursor.u32("size of the kernel's symbols"), "the kernel's symbols");
    cursor.skip(cursor.u32("size of the printk formats"), "the printk formats");
    this.readThreadNames(cursor);
    this.#cpus = cursor.u32("number of CPUs");
    const top = this.#readBuffer("", cursor.at);
    if (this.options.hasClock) {
      // The file trace_clock, behind the first table of CPUs.
      this.attempt(() =>
        this.options.setClock(cursor.text(cursor.size("size of trace_clock"), "trace_clock")),
      );
    }
    const clock = this.options.clock;
    this.buffers.push({ ...top, clock });
    for (const { name, offset } of this.options.instances) {
      this.attempt(() => this.buffers.push({ ...this.#readBuffer(name, offset), clock }));
    }
    return this.done(6, undefined);
  }

  #readBuffer(name: string, at: number): Omit<DatBuffer, "clock"> {
    const { cursor } = this;
    cursor.at = at;
    let kind = cursor.text(10, "what follows");
    if (kind === "options  \0") {
      this.options.readAll(cursor, true);
      kind = cursor.text(10, "what follows the options");
    }
    if (kind === "latency  \0")
      this.textOnly(name === "" ? "the file" : `the instance ${JSON.stringify(name)}`, cursor.at - 10);
    if (kind !== "flyrecord\0") {
      throw cursor.fault(
        `expected options, flyrecord or latency, found ${JSON.stringify(kind)}`,
        cursor.at - 10,
      );
    }
    const cpus: CpuPart[] = [];
    // An option corrects the number: CPUs may have been taken away.
    const count = this.options.cpus ?? this.#cpus;
    for (let cpu = 0; cpu < count; cpu++) {
      cpus.push({
        cpu,
        offset: cursor.size("place of a CPU's pages"),
        size: cursor.size("size of a CPU's pages"),
      });
    }
    if (count < this.#cpus) cursor.skip(Math.min(16, cursor.left), "an empty CPU");
    return { name, pageBytes: this.pageBytes, cpus, isCompressed: false };
  }
}

/** Ids of sections, which the options with the same id point to. */
const HEADER_INFO = 16;
const TRACERS = 17;
const EVENTS = 18;
const THREAD_NAMES = 21;
const COMPRESSED = 1;

class HeadOf7 extends Head {
  #decompress: Decompress | undefined;
  #algorithm = "none";
  #algorithmAt = 0;

  read(): DatFile {
    const { cursor, options } = this;
    this.#algorithmAt = cursor.at;
    this.#algorithm = cursor.name("name of the compression");
    cursor.name("version of the compression");
    this.#decompress = decompressorOf(this.#algorithm);
    const seen = new Set<number>();
    for (let next = cursor.size("place of the options"); next !== 0; ) {
      if (seen.has(next)) throw cursor.fault(`options at byte ${next} follow themselves`);
      seen.add(next);
      let following = 0;
      const ok = this.attempt(() => {
        following = options.readAll(this.#section(next, 0), false);
      });
      if (!ok && seen.size === 1) throw this.problems[0]!;
      next = following;
    }
    for (const [id, read] of [
      [HEADER_INFO, (section: Cursor) => this.readHeaderInfo(section)],
      [TRACERS, (section: Cursor) => this.readTracers(section)],
      [EVENTS, (section: Cursor) => this.readEvents(section)],
      [THREAD_NAMES, (section: Cursor) => this.readThreadNames(section)],
    ] as const) {
      const at = options.sections.get(id);
      if (at !== undefined) this.attempt(() => read(this.#section(at, id)));
    }
    if (this.headerPage === "" || this.formats.length === 0) {
      throw this.problems[0] ?? cursor.fault("no section describes pages and events");
    }
    for (const { text, offset, ...buffer } of options.buffers) {
      if (text)
        this.textOnly(
          buffer.name === "" ? "the file" : `the instance ${JSON.stringify(buffer.name)}`,
          offset,
        );
      this.attempt(() => {
        const { flags } = this.#sectionHead(offset);
        const isCompressed = (flags & COMPRESSED) !== 0;
        if (isCompressed) this.#known();
        this.buffers.push({ ...buffer, isCompressed });
      });
    }
    return this.done(7, this.#decompress);
  }

  /** Throws where the algorithm is not known. */
  #known(): Decompress {
    if (this.#decompress !== undefined) return this.#decompress;
    throw new DataError(
      this.cursor.file,
      this.#algorithmAt,
      `compressed by ${JSON.stringify(this.#algorithm)}, expected zlib or zstd; convert it by: trace-cmd convert --compression none -i ${this.cursor.file} -o plain.dat`,
    );
  }

  #sectionHead(at: number): { id: number; flags: number; size: number } {
    const { cursor } = this;
    if (at >= cursor.place.size) {
      throw cursor.fault(`expected a section here, but the file ends at byte ${cursor.place.size}`, at);
    }
    cursor.at = at;
    const id = cursor.u16("id of a section");
    const flags = cursor.u16("flags of a section");
    cursor.u32("description of a section");
    return { id, flags, size: cursor.size("size of a section") };
  }

  /** What a section holds, uncompressed. */
  #section(at: number, id: number): Cursor {
    const { cursor } = this;
    const head = this.#sectionHead(at);
    if (head.id !== id) throw cursor.fault(`section ${head.id}, expected section ${id}`, at);
    if ((head.flags & COMPRESSED) === 0)
      return new Cursor(cursor.file, cursor.place, cursor.bigEndian, cursor.at);
    const decompress = this.#known();
    const packed = cursor.u32("size of the compressed section");
    const size = cursor.u32("size of the uncompressed section");
    if (size > MOST_SECTION) {
      throw cursor.fault(`a section of ${size} bytes, expected at most ${MOST_SECTION}`, cursor.at - 4);
    }
    const bytes = cursor.bytes(packed, "a compressed section");
    return new Cursor(
      cursor.file,
      memoryPlace(decompressed(decompress, bytes, size, cursor, at)),
      cursor.bigEndian,
      0,
      at,
    );
  }
}

function decompressed(decompress: Decompress, bytes: Uint8Array, size: number, cursor: Cursor, at: number) {
  try {
    return decompress(bytes, size);
  } catch (error) {
    const reason = error instanceof PeriscopeError || error instanceof Error ? error.message : String(error);
    throw cursor.fault(`a compressed section that cannot be uncompressed: ${reason}`, at);
  }
}
