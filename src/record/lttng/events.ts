/** Events as LTTng's command and session profiles ask for them. */
import { KNOWN_EVENTS } from "../../ftrace/events/index.js";
import { tracefsCall } from "../../ftrace/events/syscalls.js";
import type { EventSelection } from "../recorder.js";

/** What was there before: threads, descriptors, disks. LTTng tells them at the start, where they are asked for. */
const STATE_DUMP = "lttng_statedump_*";

/** LTTng's names by those of the kernel. */
const LTTNG_NAMES = new Map(
  KNOWN_EVENTS.flatMap(({ from, to }) => (to === undefined ? [] : [[from.split("/")[1]!, to]])),
);

/** LTTng's pattern: it knows `*` only, which takes a little more than `?`. */
function lttngPattern(name: string): string {
  const call = tracefsCall(name);
  const known =
    call === undefined
      ? (LTTNG_NAMES.get(name) ?? name)
      : `syscall_${call.entry ? "entry" : "exit"}_${call.call}`;
  return known.replace(/\?/g, "*");
}

const isCall = /^syscall_/;
/** Its name for LTTng, which records entry and exit together. */
const callOf = (name: string): string => name.replace(/^syscall_(entry_|exit_|\*_)?/, "");

export interface LttngEvents {
  /** System calls by name, or all of them. */
  readonly calls: readonly string[] | "all";
  /** Tracepoints, with those of the state dump. */
  readonly points: readonly string[];
  /** Those of `calls` and `points` that a person named. */
  readonly required: ReadonlySet<string>;
}

/** What LTTng is asked for. */
export function lttngEvents({ patterns, required }: EventSelection): LttngEvents {
  const wanted = required.map(lttngPattern);
  const all = [...new Set([...patterns.map(lttngPattern), ...wanted])];
  const calls = all.filter((name) => isCall.test(name));
  return {
    calls: calls.includes("syscall_*") ? "all" : [...new Set(calls.map(callOf))],
    points: [...new Set([...all.filter((name) => !isCall.test(name)), STATE_DUMP])],
    required: new Set(wanted.map((name) => (isCall.test(name) ? callOf(name) : name))),
  };
}

/** What is asked of user-space programs: the events that a person named, else all of them. */
export function userSpaceEvents({ required }: EventSelection): readonly string[] {
  return required.length === 0 ? ["*"] : [...new Set(required.map((name) => name.replace(/\?/g, "*")))];
}
