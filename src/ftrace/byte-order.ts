/**
 * Pages of a big-endian machine, made little-endian in place: the page's head, the records' heads (whose bit fields
 * lie the other way round, too) and every field that the descriptions of events know.
 */
import { elementBytes, type TracefsEvent, type TracefsField } from "./event-format.js";
import type { PageLayout } from "./ring-buffer.js";

const PADDING = 29;
const LENGTH_MASK = 0x3fff_ffff;

export function littleEndianPages(
  layout: PageLayout,
  events: readonly TracefsEvent[],
): (page: DataView) => void {
  const { commitOffset, commitSize, dataOffset } = layout;
  const fields: (readonly TracefsField[] | undefined)[] = [];
  for (const event of events) fields[event.id] = [...event.common, ...event.fields];
  return (page) => {
    if (page.byteLength < dataOffset) return;
    turn(page, 0, 8);
    turn(page, commitOffset, commitSize);
    const used = page.getUint32(commitOffset, true) & LENGTH_MASK;
    const end = Math.min(dataOffset + used, page.byteLength);
    // Behind the data may be the number of lost records.
    if (end + commitSize <= page.byteLength) turn(page, end, commitSize);
    for (let at = dataOffset; at + 4 <= end; ) {
      const head = page.getUint32(at);
      const type = head >>> 27;
      page.setUint32(at, ((head << 5) | type) >>> 0, true);
      let length = 4 * type;
      let data = at + 4;
      if (type === 0 || type >= PADDING) {
        if (data + 4 > end) return;
        turn(page, data, 4);
        length = page.getUint32(data, true);
        if (type === PADDING) {
          if (head << 5 === 0) return;
          at = data + length;
          continue;
        }
        data += 4;
        if (type > PADDING) {
          at = data;
          continue;
        }
        length -= 4;
      }
      if (length < 2 || data + length > end) return;
      const known = fields[page.getUint16(data)];
      if (known !== undefined) for (const field of known) turnField(page, data, length, field);
      at = data + ((length + 3) & ~3);
    }
  };
}

function turnField(page: DataView, record: number, length: number, field: TracefsField): void {
  const { kind, offset, size } = field;
  const at = record + offset;
  if (kind === "text" || (kind !== "tail" && offset + size > length)) return;
  const element = elementBytes(field) ?? 1;
  if (kind === "integer") turn(page, at, size);
  else if (kind === "bytes") turnAll(page, at, at + size, element);
  else if (kind === "tail") turnAll(page, at, record + length, element);
  else {
    turn(page, at, 4);
    const place = page.getUint32(at, true);
    const from = (kind.startsWith("relative") ? at + 4 : record) + (place & 0xffff);
    if (kind.endsWith("data")) turnAll(page, from, Math.min(from + (place >>> 16), record + length), element);
  }
}

function turnAll(page: DataView, from: number, end: number, size: number): void {
  if (size > 1) for (let at = from; at + size <= end; at += size) turn(page, at, size);
}

function turn(page: DataView, at: number, size: number): void {
  if (size === 2) page.setUint16(at, page.getUint16(at), true);
  else if (size === 4) page.setUint32(at, page.getUint32(at), true);
  else if (size === 8) page.setBigUint64(at, page.getBigUint64(at), true);
}
