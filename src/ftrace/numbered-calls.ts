/**
 * `raw_syscalls` as the calls that they are: a record has a number and six words, the tables say which call that is
 * and which word is which argument. It then goes the way of `events/syscalls`.
 */
import type { NumberedCall } from "./call-numbers.js";
import type { TracefsEvent, TracefsField } from "./event-format.js";
import { mapSyscall } from "./events/syscalls.js";
import { type CompiledMapping, compileMapping } from "./mapping.js";
import type { PageCursor } from "./page-cursor.js";

export type CallOf = (cursor: PageCursor) => CompiledMapping | undefined;

/** Ids of events are 16 bits: what is made here comes after them. */
const MADE_IDS = 1 << 16;
const MADE_EXITS = 1 << 17;

/**
 * For `raw_syscalls/sys_enter` and `sys_exit`: the mapping of the record in hand. Undefined where `format` is neither,
 * or nobody knows the machine's numbers.
 */
export function numberedCalls(
  format: TracefsEvent,
  numbers: ReadonlyMap<number, NumberedCall> | undefined,
): CallOf | undefined {
  const id = format.fields.find(({ name }) => name === "id");
  const isEntry = format.name === "sys_enter";
  if (numbers === undefined || id === undefined || (!isEntry && format.name !== "sys_exit")) return undefined;
  const fields = isEntry ? words(format) : format.fields.filter(({ name }) => name === "ret");
  if (fields === undefined) return undefined;
  const made = new Map<number, CompiledMapping | undefined>();
  const make = (number: number): CompiledMapping | undefined => {
    const found = numbers.get(number);
    if (found === undefined) return undefined;
    const event: TracefsEvent = {
      system: "syscalls",
      name: `sys_${isEntry ? "enter" : "exit"}_${found.call}`,
      id: (isEntry ? MADE_IDS : MADE_EXITS) + number,
      common: format.common,
      fields: isEntry ? found.args.flatMap((name, i) => (fields[i] ? [{ ...fields[i], name }] : [])) : fields,
    };
    return compileMapping(mapSyscall(event)!, event);
  };
  return (cursor) => {
    if (cursor.length < id.offset + 4) return undefined;
    const number = cursor.view.getInt32(cursor.at + id.offset, true);
    if (!made.has(number)) made.set(number, make(number));
    return made.get(number);
  };
}

/** The six words, as fields without names. */
function words({ fields }: TracefsEvent): TracefsField[] | undefined {
  const args = fields.find(({ name }) => name === "args");
  if (args === undefined) return undefined;
  const size = args.size / 6;
  if (size !== 4 && size !== 8) return undefined;
  return Array.from({ length: 6 }, (_, i) => ({
    name: "",
    type: "unsigned long",
    offset: args.offset + i * size,
    size,
    signed: false,
    kind: "integer",
  }));
}
