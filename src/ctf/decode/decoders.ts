/**
 * Decoders of one data stream class: event record headers, and event records for what is wanted of them.
 *
 * Both forms answer alike: `generate*` makes functions from source text, `interpret*` closures over the
 * interpreter. `mayGenerate` says once whether the process allows the first.
 */
import {
  bits,
  exactValue,
  float16FromBits,
  float32FromBits,
  float64FromBits,
  readBits,
  readLeb128,
  reverseBits,
  signExtend,
} from "../../base/bits.js";
import { Interner } from "../../base/interner.js";
import type {
  DataStreamClass,
  EventRecordClass,
  FieldClass,
  FieldRef,
  FixedIntClass,
  StructClass,
  VarIntClass,
} from "../metadata/types.js";
import type { Action, IntSource } from "./generator.js";
import { Generator, skipAction, updatesClock } from "./generator.js";
import { Interpreter, setMember } from "./interpreter.js";
import { TouchAction } from "./record-action.js";
import type { Decoder, DecodeState } from "./state.js";
import { inRanges, textEnd } from "./state.js";

let generation: boolean | undefined;

/** Whether this process may turn text into code. `PERISCOPE_NO_CODEGEN=1` forbids it, too. */
export function mayGenerate(): boolean {
  if (generation === undefined) {
    generation = process.env["PERISCOPE_NO_CODEGEN"] !== "1";
    try {
      if (generation) new Function("");
    } catch {
      generation = false;
    }
  }
  return generation;
}

/** Helpers that generated code calls as `K.name`. */
export const kit: Record<string, unknown> = {
  bits,
  exactValue,
  readBits,
  readLeb128,
  reverseBits,
  signExtend,
  float16FromBits,
  float32FromBits,
  float64FromBits,
  textEnd,
  inRanges,
  setMember,
  wideText,
};

/** All decoders of a process share one table of strings. */
export const strings = new Interner();

const textDecoders = new Map<string, { decode(bytes: Uint8Array): string }>();

/** Text of an encoding other than UTF-8. */
export function wideText(bytes: Uint8Array, start: number, length: number, encoding: string): string {
  const part = bytes.subarray(start, start + length);
  if (encoding.startsWith("utf-32")) {
    let text = "";
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let i = 0; i + 4 <= length; i += 4) {
      const code = view.getUint32(i, encoding === "utf-32le");
      text += code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
    }
    return text;
  }
  let decoder = textDecoders.get(encoding);
  if (!decoder) {
    decoder = new TextDecoder(encoding, { ignoreBOM: true });
    textDecoders.set(encoding, decoder);
  }
  return decoder.decode(part);
}

/** Text of bytes in an encoding, interned if UTF-8. */
export function fieldText(bytes: Uint8Array, encoding: string): string {
  if (encoding === "utf-8") return strings.intern(bytes, 0, bytes.length);
  return wideText(bytes, 0, bytes.length, encoding);
}

const headerSlotSets = new WeakMap<DataStreamClass, Set<number>>();

/** Slots that event records' decoders read although their fields are in a header or in the packet context. */
export function headerSlots(stream: DataStreamClass): Set<number> {
  let slots = headerSlotSets.get(stream);
  if (!slots) {
    slots = new Set();
    // Event record classes of equal text share one tree.
    const seen = new Set<FieldClass>();
    for (const event of stream.eventRecordClasses.values()) {
      for (const { tree } of recordTrees(stream, event)) {
        if (seen.has(tree)) continue;
        seen.add(tree);
        collectHeaderSlots(tree, slots);
      }
    }
    headerSlotSets.set(stream, slots);
  }
  return slots;
}

function collectHeaderSlots(fc: FieldClass, slots: Set<number>): void {
  const refer = (ref: FieldRef) => {
    if (ref.scope.startsWith("packet") || ref.scope === "event-record-header") slots.add(ref.slot);
  };
  switch (fc.type) {
    case "struct":
      for (const member of fc.members) collectHeaderSlots(member.fieldClass, slots);
      break;
    case "dynamic-string":
    case "dynamic-blob":
      refer(fc.length);
      break;
    case "static-array":
      collectHeaderSlots(fc.element, slots);
      break;
    case "dynamic-array":
      refer(fc.length);
      collectHeaderSlots(fc.element, slots);
      break;
    case "optional":
      refer(fc.selector);
      collectHeaderSlots(fc.fieldClass, slots);
      break;
    case "variant":
      refer(fc.selector);
      for (const option of fc.options) collectHeaderSlots(option.fieldClass, slots);
      break;
  }
}

/**
 * In headers, only integers with a role matter: the event record class and the clock. They are kept in local
 * variables and stored at the end, so that a header which turns out to be incomplete changes nothing.
 */
class HeaderAction implements Action {
  readonly wanted = true;
  constructor(
    private readonly g: Generator,
    only: number,
    private readonly home: HeaderHome,
  ) {
    g.declare("id", String(only));
    g.declare("cycles", home.cycles);
    g.declare("low", home.low);
    g.moveClock = (lo, hi, size) => this.#moveClock(lo, hi, size);
  }

  int(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    const { g } = this;
    if (fc.roles.includes("event-record-class-id")) {
      g.line(`id = ${"small" in value ? value.small : `${value.hi} * 4294967296 + ${value.lo}`};`);
    }
    if (!fc.roles.includes("default-clock-timestamp")) return;
    if ("small" in value && fc.type === "int") {
      const mask = fc.size === 32 ? -1 : fc.size === 31 ? 0x7fffffff : (1 << fc.size) - 1;
      const delta = g.name("dt");
      // The field wrapped once if it is below the low bits of the clock: modular difference.
      g.line(`const ${delta} = ((${value.small} - low) & ${mask}) >>> 0;`);
      g.line(`cycles += ${delta}; low = (low + ${delta}) | 0;`);
      return;
    }
    const { lo, hi } = value as { lo: string; hi: string };
    const size = fc.type === "varint" ? "K.bits.bytes * 7" : String(fc.size);
    this.#moveClock(lo, `${hi} >>> 0`, size);
  }

  /** The general case works on the state: what it was is put back, in case the header is incomplete. */
  #moveClock(lo: string, hi: string, size: string): void {
    const { g } = this;
    const was = g.name("was");
    g.line(`const ${was} = s.cycles, ${was}l = s.clockLow; s.cycles = cycles; s.clockLow = low;`);
    g.line(`s.updateClock(${lo}, ${hi}, ${size}); cycles = s.cycles; low = s.clockLow;`);
    g.line(`s.cycles = ${was}; s.clockLow = ${was}l;`);
  }

  /** Stores what was found. */
  commit(): void {
    const { home } = this;
    this.g.line(`${home.id} = id; ${home.cycles} = cycles; ${home.low} = low;`);
  }

  float(): void {}
  text(): void {}
  blob(): void {}
  structBegin(): void {}
  member(fc: StructClass, index: number): Action {
    return hasRole(fc.members[index]!.fieldClass) ? this : skipAction;
  }
  structEnd(): void {}
  arrayBegin(): void {}
  element(fc: FieldClass): Action {
    return hasRole(fc) ? this : skipAction;
  }
  arrayEnd(): void {}
  optionBegin(): Action {
    return this;
  }
  optionEnd(): void {}
  optionalBegin(): Action {
    return this;
  }
  optionalEnd(): void {}
  optionalAbsent(): void {}
  barrier(): void {}
}

function hasRole(fc: FieldClass): boolean {
  switch (fc.type) {
    case "int":
    case "varint":
      return fc.roles.length > 0;
    case "struct":
      return fc.members.some((m) => hasRole(m.fieldClass));
    case "static-array":
    case "dynamic-array":
      return hasRole(fc.element);
    case "optional":
      return hasRole(fc.fieldClass);
    case "variant":
      return fc.options.some((o) => hasRole(o.fieldClass));
    default:
      return false;
  }
}

/** Decoder of an event record's header: sets `id` and moves the clock. Changes nothing if it is incomplete. */
export function headerDecoder(stream: DataStreamClass, generate: boolean): Decoder {
  const header = stream.eventRecordHeader;
  const only = onlyClass(stream);
  if (!header) {
    return (state, at) => {
      state.id = only;
      return at;
    };
  }
  if (!generate) return interpretHeader(header, only);
  const g = new Generator(headerSlots(stream));
  walkHeader(g, stream, header);
  return compile(g, [], []) as Decoder;
}

/** Without an id in the header there can be only one class. */
function onlyClass(stream: DataStreamClass): number {
  return stream.eventRecordClasses.size === 1 ? [...stream.eventRecordClasses.keys()][0]! : -1;
}

/** Where the record class and the clock are between records: in the state, or in variables of a loop. */
interface HeaderHome {
  readonly id: string;
  readonly cycles: string;
  readonly low: string;
}

const inState: HeaderHome = { id: "s.id", cycles: "s.cycles", low: "s.clockLow" };
const inLoop: HeaderHome = { id: "idNow", cycles: "cyclesNow", low: "lowNow" };

function walkHeader(g: Generator, stream: DataStreamClass, header: StructClass, home = inState): void {
  if (header.align >= 8) {
    g.line("p = (at + 7) >>> 3;");
    g.begin(8);
  } else g.begin(1);
  const action = new HeaderAction(g, onlyClass(stream), home);
  g.walk(header, action);
  action.commit();
  g.finish();
}

/** Why a record loop stopped. */
export const LOOP_LIMIT = 0;
/** The record at `state.record` needs the slow path: `state.answer` is what its decoder said. */
export const LOOP_RECORD = 1;
/** There is no header at `state.record` that can be read here: the window's or the packet's end, or a fault. */
export const LOOP_HEADER = 2;

/**
 * Goes from record to record: calls each record's decoder, decodes the next header, until the time is `limit`
 * or `budget` records are done. The number done is in `state.done`. Records of classes in `idle`, which nobody wants,
 * are passed over beyond the limit, up to `hard`: their order among those of other streams cannot be seen.
 */
export type RecordLoop = (
  state: DecodeState,
  decoders: readonly (Decoder | undefined)[],
  limit: number,
  budget: number,
  hard: number,
  idle: readonly boolean[],
) => number;

/**
 * The hot loop of a stream class with the header's decoder inside it, so that a record costs one call and the
 * clock stays in variables. Only for clocks of 10^9 Hz (time is cycles, without arithmetic).
 */
export function recordLoop(
  stream: DataStreamClass,
  generate: boolean,
  /** The decoders do not look at the reader's record class, clock or time: these stay in variables. */
  lean = false,
): RecordLoop | undefined {
  const header = stream.eventRecordHeader;
  const clock = stream.defaultClock;
  if (!generate || !header || (clock && clock.frequency !== 1_000_000_000n)) return undefined;
  const inVariables = lean && !recordsMoveClock(stream);
  const home = inVariables ? inLoop : inState;
  const g = new Generator(headerSlots(stream), (value) => `{ next = ${value}; break header; }`);
  walkHeader(g, stream, header, home);
  const keep = inVariables ? "s.id = idNow; s.cycles = cyclesNow; s.clockLow = lowNow; s.ns = ns; " : "";
  const leave = (why: number, record: string) => `${keep}s.record = ${record}; s.done = done; return ${why};`;
  const source = `"use strict"; return function (s, decoders, limit, budget, hard, idle) {
const u8 = s.u8, dv = s.dv, end = s.end, base = s.baseNs;
let record = s.record, done = 0, ns = s.ns;
${inVariables ? "let idNow = s.id, cyclesNow = s.cycles, lowNow = s.clockLow;" : ""}
for (;;) {
  const decode = decoders[${home.id}];
  if (decode === undefined) { s.answer = -1; ${leave(LOOP_RECORD, "record")} }
  const at = decode(s, record);
  if (at < 0) { s.answer = at; ${leave(LOOP_RECORD, "record")} }
  done++;
  if (at >= end) { ${leave(LOOP_HEADER, "at")} }
  let next = -1;
  header: {
${g.inner()}
  }
  if (next < 0) { ${leave(LOOP_HEADER, "at")} }
  record = next;
  ns = ${home.cycles} + base;
  ${inVariables ? "" : "s.ns = ns;"}
  if ((!(ns < limit) && !(ns < hard && idle[${home.id}] === true)) || done >= budget) { ${leave(LOOP_LIMIT, "record")} }
}
};`;
  return new Function("K", "C", "I", source)(kit, g.constants, strings) as RecordLoop;
}

/** Whether fields outside the header move the clock (CTF 1.8 allows it; nobody does it). */
function recordsMoveClock(stream: DataStreamClass): boolean {
  const seen = new Set<FieldClass>();
  const moves = (fc: FieldClass): boolean => {
    switch (fc.type) {
      case "int":
        return updatesClock(fc);
      case "struct":
        if (seen.has(fc)) return false;
        seen.add(fc);
        return fc.members.some((member) => moves(member.fieldClass));
      case "static-array":
      case "dynamic-array":
        return moves(fc.element);
      case "optional":
        return moves(fc.fieldClass);
      case "variant":
        return fc.options.some((option) => moves(option.fieldClass));
      default:
        return false;
    }
  };
  for (const event of stream.eventRecordClasses.values()) {
    if (recordTrees(stream, event).some(({ tree }) => moves(tree))) return true;
  }
  return false;
}

function interpretHeader(header: StructClass, only: number): Decoder {
  let interpreter: Interpreter | undefined;
  let current: DecodeState | undefined;
  return (state, at) => {
    if (current !== state || !interpreter) {
      current = state;
      interpreter = new Interpreter(state);
      interpreter.onInt = (fc, lo, hi, size) => {
        if (fc.roles.includes("event-record-class-id")) state.id = hi * 4294967296 + lo;
        if (fc.roles.includes("default-clock-timestamp")) state.updateClock(lo, hi >>> 0, size);
      };
    }
    const { id, cycles, clockLow } = state;
    state.id = only;
    interpreter.emptyElements = 0;
    const answer = interpreter.read(header, at, () => {});
    if (answer < 0) {
      // Incomplete: as if it had not been tried.
      state.id = id;
      state.cycles = cycles;
      state.clockLow = clockLow;
    }
    return answer;
  };
}

/** Turns a finished generator's body into a function `(s, at)` over `names` = `values`. */
export function compile(g: Generator, names: readonly string[], values: readonly unknown[]): unknown {
  const source = `"use strict"; return function (s, at) {\n${g.body()}\n};`;
  const make = new Function("K", "C", "I", ...names, source);
  return make(kit, g.constants, strings, ...values);
}

/** The trees of an event record after its header, in order, with what scope they are. */
export function recordTrees(
  stream: DataStreamClass,
  event: EventRecordClass,
): { scope: "common" | "specific" | "payload"; tree: StructClass }[] {
  const trees: { scope: "common" | "specific" | "payload"; tree: StructClass }[] = [];
  if (stream.commonContext) trees.push({ scope: "common", tree: stream.commonContext });
  if (event.specificContext) trees.push({ scope: "specific", tree: event.specificContext });
  if (event.payload) trees.push({ scope: "payload", tree: event.payload });
  return trees;
}

/**
 * A generator positioned after the header. With a header of byte alignment and whole-byte content the
 * position is known to be on a byte; otherwise nothing is known of it.
 */
export function recordGenerator(stream: DataStreamClass, event: EventRecordClass): Generator {
  const g = new Generator(headerSlots(stream));
  const first = recordTrees(stream, event)[0];
  if (first && first.tree.align >= 8) {
    g.line("p = (at + 7) >>> 3;");
    g.begin(8);
  } else g.begin(1);
  return g;
}

/** Decoder that only finds the end of an event record. */
export function skipDecoder(stream: DataStreamClass, event: EventRecordClass, generate: boolean): Decoder {
  return shared(skippers, stream, event, generate, () => skipAction);
}

/** Decoder that reads every field and keeps nothing. */
export function touchDecoder(stream: DataStreamClass, event: EventRecordClass, generate: boolean): Decoder {
  return shared(touchers, stream, event, generate, (g) => new TouchAction(g));
}

type SharedDecoders = WeakMap<DataStreamClass, Map<unknown, Decoder>>;
const skippers: SharedDecoders = new WeakMap();
const touchers: SharedDecoders = new WeakMap();

/**
 * Event record classes with the same fields (the metadata reader gives them one tree) share a decoder: what
 * hundreds of system calls' exits have in common is compiled once and becomes fast sooner.
 */
function shared(
  decoders: SharedDecoders,
  stream: DataStreamClass,
  event: EventRecordClass,
  generate: boolean,
  action: (g: Generator) => Action,
): Decoder {
  if (!generate || event.specificContext) return plainDecoder(stream, event, generate, action);
  let known = decoders.get(stream);
  if (!known) {
    known = new Map();
    decoders.set(stream, known);
  }
  let decoder = known.get(event.payload);
  if (!decoder) {
    decoder = plainDecoder(stream, event, generate, action);
    known.set(event.payload, decoder);
  }
  return decoder;
}

function plainDecoder(
  stream: DataStreamClass,
  event: EventRecordClass,
  generate: boolean,
  action: (g: Generator) => Action,
): Decoder {
  const trees = recordTrees(stream, event);
  if (!generate) {
    return (state, at) => {
      const interpreter = new Interpreter(state);
      for (const { tree } of trees) {
        at = interpreter.read(tree, at, () => {});
        if (at < 0) return at;
      }
      return at;
    };
  }
  const g = recordGenerator(stream, event);
  const what = action(g);
  for (const { tree } of trees) g.walk(tree, what);
  if (what.wanted) g.line("s.sink = t;");
  g.finish();
  if (g.constants.length > 0) return compile(g, [], []) as Decoder;
  // Names play no part here: classes whose fields have the same layout have the same code.
  const body = g.body();
  let decoder = bySource.get(body);
  if (!decoder) {
    decoder = compile(g, [], []) as Decoder;
    // A process that opens many traces must not keep what it made for all of them.
    if (bySource.size >= 4096) bySource.clear();
    bySource.set(body, decoder);
  }
  return decoder;
}

const bySource = new Map<string, Decoder>();
