/**
 * A raw record's fields into an event record's: the hot loop of conversion, together with `PageCursor.next`. It
 * follows the words of `compileMapping`; nothing is allocated. `bench/record.mjs` guards its speed.
 */
import type { Target } from "../ctf/write/encoder.js";
import { type CompiledMapping, Operation } from "./mapping.js";
import type { PageCursor } from "./page-cursor.js";
import type { ThreadState, Threads } from "./threads.js";

/** LTTng's flags, by the letters of blk_fill_rwbs() (kernel/trace/blktrace.c). */
const WRITE = 1;
const DISCARD = 2;
const READ = 4;
const READ_AHEAD = 8;
const SYNC = 0x20;
const META = 0x40;
const SECURE = 0x80;
const FLUSH = 0x100;
const FUA = 0x200;
const PREFLUSH = 0x400;

/**
 * `WS`, `FF`, `FWFS`, `RA`, `DE`: an F first is a flush before the request, when the request itself follows; the
 * request; then what it is like, where F means that the data must reach the medium.
 */
export function rwbsFlags(letters: string): number {
  let flags = 0;
  let at = 0;
  if (letters.length > 1 && letters[0] === "F" && "WDRNFZ".includes(letters[1]!)) {
    flags |= PREFLUSH;
    at = 1;
  }
  flags |= { W: WRITE, D: DISCARD, R: READ, F: FLUSH }[letters[at] ?? ""] ?? 0;
  if (letters[at] === "D" && letters[at + 1] === "E") flags |= SECURE;
  for (const letter of letters.slice(at + 1)) {
    flags |= { F: FUA, A: READ_AHEAD, S: SYNC, M: META }[letter] ?? 0;
  }
  return flags;
}

const encoder = new TextEncoder();

export class RecordFields {
  /** Flags by the letters' bytes: there are a dozen. */
  readonly #rwbs = new Map<string, number>();
  /** What the next `Filename` field gets. */
  filename = "";

  constructor(private readonly threads: Threads) {}

  /** Bytes that a record's fields take at most. */
  most(mapping: CompiledMapping, cursor: PageCursor): number {
    return mapping.fixedBytes + mapping.varying * cursor.length + 3 * this.filename.length;
  }

  /** Writes all fields at `target.at`, and moves it. */
  write(
    mapping: CompiledMapping,
    cursor: PageCursor,
    target: Target,
    thread: ThreadState,
    cpu: number,
  ): void {
    const { words } = mapping;
    const from = cursor.view;
    const record = cursor.at;
    const to = target.view;
    let at = target.at;
    for (let i = 0; i < words.length; i += 3) {
      const source = record + words[i + 1]!;
      switch (words[i] as Operation) {
        case Operation.Copy64:
          to.setUint32(at, from.getUint32(source, true), true);
          to.setUint32(at + 4, from.getUint32(source + 4, true), true);
          at += 8;
          break;
        case Operation.Copy32:
          to.setUint32(at, from.getUint32(source, true), true);
          at += 4;
          break;
        case Operation.Copy16:
          to.setUint16(at, from.getUint16(source, true), true);
          at += 2;
          break;
        case Operation.Copy8:
          to.setUint8(at, from.getUint8(source));
          at += 1;
          break;
        case Operation.Extend32Signed:
          to.setUint32(at, from.getUint32(source, true), true);
          to.setInt32(at + 4, from.getInt32(source, true) < 0 ? -1 : 0, true);
          at += 8;
          break;
        case Operation.Extend32:
          to.setUint32(at, from.getUint32(source, true), true);
          to.setUint32(at + 4, 0, true);
          at += 8;
          break;
        case Operation.Widen8:
          to.setUint32(at, from.getUint8(source), true);
          at += 4;
          break;
        case Operation.Widen16:
          to.setUint32(at, from.getUint16(source, true), true);
          at += 4;
          break;
        case Operation.Priority:
          to.setInt32(at, from.getInt32(source, true) - 100, true);
          at += 4;
          break;
        case Operation.Text: {
          const size = words[i + 2]!;
          for (let k = 0; k + 4 <= size; k += 4) to.setUint32(at + k, from.getUint32(source + k, true), true);
          for (let k = size & ~3; k < size; k++) to.setUint8(at + k, from.getUint8(source + k));
          to.setUint8(at + size - 1, 0);
          at += size;
          break;
        }
        case Operation.Bytes: {
          const size = words[i + 2]!;
          for (let k = 0; k < size; k++) to.setUint8(at + k, from.getUint8(source + k));
          at += size;
          break;
        }
        case Operation.String:
          at = copyString(cursor, record, from.getUint32(source, true), target.u8, at);
          break;
        case Operation.RelativeString:
          at = copyString(cursor, source + 4, from.getUint32(source, true), target.u8, at);
          break;
        case Operation.TextToString:
          at = copyString(cursor, source, words[i + 2]! << 16, target.u8, at);
          break;
        case Operation.StringToText: {
          const end = copyString(cursor, record, from.getUint32(source, true), target.u8, at, words[i + 2]!);
          target.u8.fill(0, end, at + words[i + 2]!);
          at += words[i + 2]!;
          break;
        }
        case Operation.Sequence:
          at = copyData(cursor, record, from.getUint32(source, true), words[i + 2]!, target, at);
          break;
        case Operation.RelativeSequence:
          at = copyData(cursor, source + 4, from.getUint32(source, true), words[i + 2]!, target, at);
          break;
        case Operation.TailString:
          at = copyString(cursor, source, 0xffff_0000, target.u8, at);
          break;
        case Operation.Tail:
          at = copyData(cursor, source, 0xffff_0000, words[i + 2]!, target, at);
          break;
        case Operation.Tid:
          to.setInt32(at, thread.tid, true);
          at += 4;
          break;
        case Operation.Comm:
          thread.writeName(target, at);
          at += 16;
          break;
        case Operation.Process:
          to.setInt32(at, this.threads.get(from.getInt32(source, true), cpu).pid, true);
          at += 4;
          break;
        case Operation.Rwbs:
          to.setUint32(at, this.#flags(cursor, source, words[i + 2]!), true);
          at += 4;
          break;
        case Operation.Filename:
          if (this.filename !== "") {
            at += encoder.encodeInto(this.filename, target.u8.subarray(at)).written;
          }
          target.u8[at++] = 0;
          break;
      }
    }
    target.at = at;
  }

  #flags({ bytes }: PageCursor, at: number, size: number): number {
    let letters = "";
    for (let k = 0; k < size && bytes[at + k] !== 0; k++) letters += String.fromCharCode(bytes[at + k]!);
    let flags = this.#rwbs.get(letters);
    if (flags === undefined) {
      flags = rwbsFlags(letters);
      this.#rwbs.set(letters, flags);
    }
    return flags;
  }
}

/** `place`: offset from `base` (low 16 bits) and length (high ones). Answers where the copy ends, NUL included. */
function copyString(
  { bytes, at: record, length }: PageCursor,
  base: number,
  place: number,
  to: Uint8Array,
  at: number,
  most = 0xffff,
): number {
  let source = base + (place & 0xffff);
  const end = Math.min(source + Math.min(place >>> 16, most - 1), record + length);
  for (; source < end; source++) {
    const byte = bytes[source]!;
    if (byte === 0) break;
    to[at++] = byte;
  }
  to[at++] = 0;
  return at;
}

/** Integers of `size` bytes, behind their count; `place` as for `copyString`. Answers where the copy ends. */
function copyData(
  { bytes, at: record, length }: PageCursor,
  base: number,
  place: number,
  size: number,
  { u8, view }: Target,
  at: number,
): number {
  const source = base + (place & 0xffff);
  const room = Math.max(0, Math.min(place >>> 16, record + length - source));
  const count = Math.floor(room / size);
  view.setUint32(at, count, true);
  let to = at + 4;
  for (let k = 0; k < count * size; k++) u8[to++] = bytes[source + k]!;
  return to;
}
