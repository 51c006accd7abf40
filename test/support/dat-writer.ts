/** Writes trace.dat files of the forms that the installed trace-cmd does not write: zlib, the other byte order. */
import { closeSync, openSync, readSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { type DatFile, readDatFile } from "../../src/ftrace/dat/file.js";
import { elementBytes, parseEventFormat, type TracefsEvent } from "../../src/ftrace/event-format.js";

export interface DatContent {
  readonly file: DatFile;
  /** Uncompressed pages by CPU, of the last instance. */
  readonly pages: readonly { readonly cpu: number; readonly bytes: Buffer }[];
}

/** Of a version 6 file: its pages lie as they are. */
export function contentOf(path: string): DatContent {
  const file = readDatFile(path);
  const fd = openSync(path, "r");
  const pages = file.buffers.at(-1)!.cpus.map(({ cpu, offset, size }) => {
    const bytes = Buffer.alloc(size);
    readSync(fd, bytes, 0, size, offset);
    return { cpu, bytes };
  });
  closeSync(fd);
  return { file, pages };
}

class Out {
  readonly parts: Buffer[] = [];
  at = 0;

  constructor(readonly bigEndian: boolean) {}

  bytes(bytes: Uint8Array | string): this {
    const buffer = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes);
    this.parts.push(buffer);
    this.at += buffer.length;
    return this;
  }

  number(bytes: 2 | 4 | 8, value: number): this {
    const buffer = Buffer.alloc(8);
    if (this.bigEndian) buffer.writeBigUInt64BE(BigInt(value));
    else buffer.writeBigUInt64LE(BigInt(value));
    return this.bytes(this.bigEndian ? buffer.subarray(8 - bytes) : buffer.subarray(0, bytes));
  }

  get all(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function begin(out: Out, version: string): void {
  out.bytes(Uint8Array.of(0x17, 0x08, 0x44)).bytes(`tracing${version}\0`);
  out.bytes(Uint8Array.of(out.bigEndian ? 1 : 0, 8)).number(4, 4096);
}

function writeHeaderInfo(out: Out, { headerPage }: DatFile): void {
  out.bytes("header_page\0").number(8, headerPage.length).bytes(headerPage);
  out.bytes("header_event\0").number(8, 0);
}

function writeFormats(out: Out, { formats }: DatFile, isTracers: boolean): void {
  const systems = new Map<string, string[]>();
  for (const { system, text } of formats) {
    if ((system === "ftrace") === isTracers) systems.set(system, [...(systems.get(system) ?? []), text]);
  }
  if (!isTracers) out.number(4, systems.size);
  for (const [system, texts] of systems) {
    if (!isTracers) out.bytes(`${system}\0`);
    out.number(4, texts.length);
    for (const text of texts) out.number(8, text.length).bytes(text);
  }
}

const CLOCK = "[local] global";

/** Version 6 with the pages as the top instance's; `more`: further options. */
export function writeV6(
  { file, pages }: DatContent,
  bigEndian = false,
  more: readonly (readonly [number, Buffer])[] = [],
): Buffer {
  const out = new Out(bigEndian);
  begin(out, "6");
  writeHeaderInfo(out, file);
  writeFormats(out, file, true);
  writeFormats(out, file, false);
  out.number(4, 0).number(4, 0).number(8, file.threadNames.length).bytes(file.threadNames);
  out.number(4, pages.length).bytes("options  \0");
  for (const [id, bytes] of more) out.number(2, id).number(4, bytes.length).bytes(bytes);
  out
    .number(2, 5)
    .number(4, file.options.uname.length + 1)
    .bytes(`${file.options.uname}\0`);
  out
    .number(2, 4)
    .number(4, CLOCK.length + 1)
    .bytes(`${CLOCK}\0`)
    .number(2, 0)
    .bytes("flyrecord\0");
  const head = out.at + 16 * pages.length + 8 + CLOCK.length;
  let at = Math.ceil(head / 4096) * 4096;
  const first = at;
  for (const { bytes } of pages) {
    out.number(8, at).number(8, bytes.length);
    at += bytes.length;
  }
  out.number(8, CLOCK.length).bytes(CLOCK);
  out.bytes(Buffer.alloc(first - out.at));
  for (const { bytes } of pages) out.bytes(bytes);
  return out.all;
}

/** Version 7, compressed by zlib or named to be by something else. */
export function writeV7({ file, pages }: DatContent, bigEndian = false, algorithm = "zlib"): Buffer {
  const out = new Out(bigEndian);
  begin(out, "7");
  out.bytes(`${algorithm}\x001.2.13\0`);
  const optionsAt = out.at;
  out.number(8, 0);
  const section = (id: number, make: (inner: Out) => void): number => {
    const inner = new Out(bigEndian);
    make(inner);
    const packed = deflateSync(inner.all);
    const at = out.at;
    out
      .number(2, id)
      .number(2, 1)
      .number(4, 0)
      .number(8, packed.length + 8);
    out.number(4, packed.length).number(4, inner.at).bytes(packed);
    return at;
  };
  const sections: [number, number][] = [
    [16, section(16, (inner) => writeHeaderInfo(inner, file))],
    [17, section(17, (inner) => writeFormats(inner, file, true))],
    [18, section(18, (inner) => writeFormats(inner, file, false))],
    [21, section(21, (inner) => inner.number(8, file.threadNames.length).bytes(file.threadNames))],
  ];
  const buffer = out.at;
  out.number(2, 3).number(2, 1).number(4, 0).number(8, 0);
  const cpus = pages.map(({ cpu, bytes }) => {
    const offset = out.at;
    const size = 4096 * 3;
    out.number(4, Math.ceil(bytes.length / size));
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = bytes.subarray(at, at + size);
      const packed = deflateSync(chunk);
      out.number(4, packed.length).number(4, chunk.length).bytes(packed);
    }
    return { cpu, offset, size: out.at - offset };
  });
  const options = out.at;
  out.number(2, 0).number(2, 0).number(4, 0).number(8, 0);
  for (const [id, at] of sections) out.number(2, id).number(4, 8).number(8, at);
  const { uname } = file.options;
  out
    .number(2, 5)
    .number(4, uname.length + 1)
    .bytes(`${uname}\0`);
  // An option that nobody knows.
  out.number(2, 999).number(4, 3).bytes("abc");
  out.number(2, 3).number(4, 8 + 1 + 6 + 8 + 20 * cpus.length);
  out.number(8, buffer).bytes("\0").bytes("local\0").number(4, 4096).number(4, cpus.length);
  for (const { cpu, offset, size } of cpus) out.number(4, cpu).number(8, offset).number(8, size);
  out.number(2, 0).number(4, 8).number(8, 0);
  const all = out.all;
  if (bigEndian) all.writeBigUInt64BE(BigInt(options), optionsAt);
  else all.writeBigUInt64LE(BigInt(options), optionsAt);
  return all;
}

/** The same pages as a big-endian machine would have written them. */
export function bigEndianContent({ file, pages }: DatContent): DatContent {
  const events = new Map<number, TracefsEvent>();
  for (const { system, text } of file.formats) {
    const event = parseEventFormat(text, system, system);
    events.set(event.id, event);
  }
  return {
    file,
    pages: pages.map(({ cpu, bytes }) => {
      const turned = Buffer.from(bytes);
      for (let at = 0; at < turned.length; at += 4096) turnPage(turned.subarray(at, at + 4096), events);
      return { cpu, bytes: turned };
    }),
  };
}

function turnPage(page: Buffer, events: ReadonlyMap<number, TracefsEvent>): void {
  const swap = (at: number, size: number) => page.subarray(at, at + size).reverse();
  const end = 16 + Number(page.readBigUInt64LE(8) & 0x3fffffffn);
  swap(0, 8);
  swap(8, 8);
  for (let at = 16; at < end; ) {
    const head = page.readUInt32LE(at);
    const type = head & 31;
    const word = page.readUInt32LE(at + 4);
    page.writeUInt32BE(((type << 27) | (head >>> 5)) >>> 0, at);
    if (type === 29 && head >>> 5 === 0) return;
    if (type === 0 || type >= 29) swap(at + 4, 4);
    if (type === 29) at += 4 + word;
    else if (type > 29) at += 8;
    else {
      const data = type === 0 ? at + 8 : at + 4;
      const length = type === 0 ? word - 4 : 4 * type;
      const event = events.get(page.readUInt16LE(data));
      for (const field of event === undefined ? [] : [...event.common, ...event.fields]) {
        const { kind, offset, size } = field;
        if (kind === "integer" || /^(string|data|relative)/.test(kind)) swap(data + offset, size);
        if (kind === "bytes") {
          const element = elementBytes(field) ?? 1;
          for (let k = 0; k < size; k += element) swap(data + offset + k, element);
        }
      }
      at = data + Math.ceil(length / 4) * 4;
    }
  }
}
