/**
 * Pages of the kernel's ring buffer, as `per_cpu/cpuN/trace_pipe_raw` gives them, taken apart into records.
 *
 * A page begins with the time of its first record and the number of bytes that are used. Every record begins with a
 * word of 5 bits of type or length and 27 bits of time since the one before. (The kernel's
 * Documentation/trace/ring-buffer-design.rst and include/linux/ring_buffer.h; the widths are told by
 * `events/header_page` and `events/header_event`.)
 */
import { PeriscopeError } from "../base/errors.js";

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const DELTA_BITS = 2 ** 27;
/** Flags in the upper bits of a page's length: records were lost before it; how many is told at its end. */
const MISSED_EVENTS = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
const LENGTH_MASK = 0x3fff_ffff;
/** Absolute times have 59 bits; the rest is that of the page. */
const ABSOLUTE_MASK = (1n << 59n) - 1n;

export interface PageLayout {
  /** Of the word with the used length. */
  readonly commitOffset: number;
  readonly commitSize: number;
  readonly dataOffset: number;
  /** Bytes of a page, with its header. */
  readonly pageBytes: number;
}

/** From `events/header_page`. Throws `PeriscopeError` where that is not as expected. */
export function parseHeaderPage(text: string, where: string): PageLayout {
  const field = (name: string) => {
    const match = new RegExp(`field:.*\\b${name};\\s*offset:(\\d+);\\s*size:(\\d+);`).exec(text);
    if (match === null) throw new PeriscopeError(`${where}: expected a field "${name}"`);
    return { offset: Number(match[1]), size: Number(match[2]) };
  };
  const [commit, data] = [field("commit"), field("data")];
  return {
    commitOffset: commit.offset,
    commitSize: commit.size,
    dataOffset: data.offset,
    pageBytes: data.offset + data.size,
  };
}

/** What a page holds besides its records. */
export interface PageSummary {
  readonly records: number;
  /** Time of its first record's page, by the buffer's clock. */
  readonly beginTime: bigint;
  /** Records that were lost before it: their number, or `unknown`. */
  readonly lost: number | "unknown";
}

/** `at`, `bytes`: where the record's own data lie in the page. Times do not go back within a buffer. */
export type RecordCall = (time: bigint, at: number, bytes: number) => void;

/** Takes one page apart. Throws `PeriscopeError` with the byte offset where the page is not as expected. */
export function readPage(page: Uint8Array, layout: PageLayout, where: string, each: RecordCall): PageSummary {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const beginTime = view.getBigUint64(0, true);
  const commit = view.getUint32(layout.commitOffset, true);
  const used = commit & LENGTH_MASK;
  const end = layout.dataOffset + used;
  if (end > page.byteLength) {
    throw new PeriscopeError(
      `${where}: byte ${layout.commitOffset}: ${used} bytes used, expected at most ${page.byteLength - layout.dataOffset}`,
    );
  }
  let lost: PageSummary["lost"] = 0;
  if (commit & MISSED_EVENTS) {
    const stored = (commit & MISSED_STORED) !== 0 && end + layout.commitSize <= page.byteLength;
    lost = stored ? Number(view.getBigUint64(end, true)) : "unknown";
  }
  let records = 0;
  let time = beginTime;
  let at = layout.dataOffset;
  while (at + 4 <= end) {
    const head = view.getUint32(at, true);
    const type = head & 31;
    const delta = head >>> 5;
    if (type === PADDING) {
      // The rest of the page, or the place of a record that was taken back.
      if (delta === 0) break;
      at += 4 + view.getUint32(at + 4, true);
      continue;
    }
    if (type === TIME_EXTEND || type === TIME_STAMP) {
      if (at + 8 > end) throw cutOff(where, at, end);
      const long = BigInt(view.getUint32(at + 4, true)) * BigInt(DELTA_BITS) + BigInt(delta);
      time = type === TIME_EXTEND ? time + long : (time & ~ABSOLUTE_MASK) | (long & ABSOLUTE_MASK);
      at += 8;
      continue;
    }
    time += BigInt(delta);
    const long = type === 0;
    // Of long ones the length counts its own word.
    const bytes = long ? view.getUint32(at + 4, true) - 4 : type * 4;
    const data = at + (long ? 8 : 4);
    if (bytes < 0 || data + bytes > end) throw cutOff(where, at, end);
    each(time, data, bytes);
    records++;
    at = data + Math.ceil(bytes / 4) * 4;
  }
  return { records, beginTime, lost };
}

function cutOff(where: string, at: number, end: number): PeriscopeError {
  return new PeriscopeError(
    `${where}: byte ${at}: a record reaches beyond byte ${end}, where the page's data end`,
  );
}
