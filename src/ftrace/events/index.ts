/** All events that the analyses need, and how any other one is written. */
import { elementBytes, type TracefsEvent, type TracefsField } from "../event-format.js";
import { type EventMapping, event, type FieldMapping } from "../mapping.js";
import { BLOCK } from "./block.js";
import { IRQ } from "./irq.js";
import { MEMORY } from "./memory.js";
import { NET } from "./net.js";
import { CARRIERS, SCHED } from "./sched.js";
import { SIGNAL } from "./signal.js";
import { mapSyscall, RAW_SYSCALLS } from "./syscalls.js";
import { TIMER } from "./timer.js";

/** Events with a name of LTTng, system calls aside. */
export const KNOWN_EVENTS: readonly EventMapping[] = [
  ...SCHED,
  ...IRQ,
  ...BLOCK,
  ...NET,
  ...MEMORY,
  ...SIGNAL,
  ...TIMER,
];
export { CARRIERS, RAW_SYSCALLS };

const BY_SOURCE = new Map(
  [...KNOWN_EVENTS, ...CARRIERS, ...RAW_SYSCALLS].map((mapping) => [mapping.from, mapping]),
);

/** How an event of this kernel is written. */
export function mappingOf(format: TracefsEvent): EventMapping {
  const known = BY_SOURCE.get(`${format.system}/${format.name}`);
  if (known !== undefined) return known;
  const call =
    format.system === "syscalls" || /^periscope_/.test(format.system) ? mapSyscall(format) : undefined;
  return call ?? asItIs(format);
}

/** An event that LTTng has no other name for: its fields as they are. `full`: named with its system. */
export function asItIs(format: TracefsEvent, full = false): EventMapping {
  const fields = format.fields.flatMap((field) => {
    const spec = specOf(field);
    const mapped: FieldMapping = {
      name: field.name,
      spec: spec!,
      origin: { kind: "field", names: [field.name] },
    };
    return spec === undefined ? [] : [mapped];
  });
  const to = full ? `${format.system}:${format.name}` : format.name;
  return event(`${format.system}/${format.name}`, to, fields);
}

function specOf(field: TracefsField): FieldMapping["spec"] | undefined {
  const { kind, size, signed, type } = field;
  const element = elementBytes(field) ?? 1;
  const integer = {
    type: "integer",
    size: (element * 8) as 8 | 16 | 32 | 64,
    signed: false,
    base: 16,
  } as const;
  switch (kind) {
    case "integer":
      return {
        type: "integer",
        size: (size * 8) as 8 | 16 | 32 | 64,
        signed,
        base: type.includes("*") ? 16 : 10,
      };
    case "text":
      return { type: "text", bytes: size };
    case "string":
    case "relative-string":
      return { type: "string" };
    case "bytes":
      return { type: "array", length: size / element, element: integer };
    case "data":
    case "relative-data":
      return { type: "sequence", element: integer };
    case "tail":
      return /\bchar\[/.test(type) ? { type: "string" } : { type: "sequence", element: integer };
    default:
      return undefined;
  }
}
