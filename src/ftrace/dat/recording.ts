/** The instances of a trace.dat file, ready for conversion. */
import { DataError, PeriscopeError } from "../../base/errors.js";
import { PlainBlocks } from "../blocks.js";
import { type Foreign, parseFormats, parseThreads, type Tell } from "../foreign.js";
import { type PageLayout, parseHeaderPage } from "../ring-buffer.js";
import { ChunkBlocks } from "./chunks.js";
import { type CpuPart, type DatBuffer, type DatFile, readDatFile } from "./file.js";

/** Throws `DataError` where the file cannot be understood at all. */
export function datRecordings(path: string, tell: Tell): Foreign[] {
  const dat = readDatFile(path);
  for (const problem of dat.problems) tell(problem);
  const { bigEndian, options } = dat;
  const events = parseFormats(path, dat.formats, tell);
  const threads = parseThreads(dat.threadNames);
  return dat.buffers.map((buffer) => ({
    path,
    name: buffer.name,
    layout: layoutOf(dat, buffer),
    bigEndian,
    events,
    threads,
    clock: buffer.clock || options.clock,
    tsc: options.tsc,
    offsetNs: options.offsetNs,
    uname: options.uname,
    recordedBy: `trace-cmd ${options.version}`.trim(),
    lost: options.lost.get(buffer.name),
    sources: buffer.cpus
      .filter(({ size }) => size > 0)
      .map((part) => ({ cpu: part.cpu, open: () => blocksOf(dat, buffer, part) })),
  }));
}

function layoutOf({ path, headerPage }: DatFile, { pageBytes }: DatBuffer): PageLayout {
  let layout: PageLayout;
  try {
    layout = parseHeaderPage(headerPage, "header_page");
  } catch (error) {
    if (!(error instanceof PeriscopeError)) throw error;
    throw new DataError(path, 0, error.message);
  }
  const { commitOffset, commitSize, dataOffset } = layout;
  if (
    (commitSize !== 4 && commitSize !== 8) ||
    commitOffset < 8 ||
    commitOffset + commitSize > dataOffset ||
    dataOffset > 64
  ) {
    throw new DataError(path, 0, "header_page: expected a commit of 4 or 8 bytes behind the time, then data");
  }
  return { commitOffset, commitSize, dataOffset, pageBytes };
}

function blocksOf(dat: DatFile, { isCompressed, pageBytes }: DatBuffer, { offset, size }: CpuPart) {
  const { path, bigEndian, decompress } = dat;
  if (isCompressed) return new ChunkBlocks(path, offset, size, bigEndian, decompress!);
  return new PlainBlocks(path, offset, size, pageBytes);
}
