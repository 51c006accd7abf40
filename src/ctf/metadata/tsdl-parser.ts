/**
 * TSDL text → its blocks: trace, environment, clocks, streams and events, in the order of the text.
 *
 * Only the text is checked here; what needs the whole (ids, references, roles) is in `tsdl-build.ts`.
 */

import { MAX_LENGTH, type Mutable, type MutableClock } from "./field-classes.js";
import { BRACE_OPEN, COLON, END, EQUAL, SEMICOLON, shorten } from "./tsdl-lexer.js";
import { TsdlTypes } from "./tsdl-types.js";
import type { EventRecordClass, StructClass } from "./types.js";

/** A `stream` block. */
export interface StreamBlock {
  readonly at: number;
  id?: number;
  packetContext?: StructClass;
  eventHeader?: StructClass;
  eventContext?: StructClass;
}

/**
 * An `event` block. The record is what will be in the tree: it is changed in place later on, as there are
 * many of them.
 */
export interface EventBlock {
  readonly at: number;
  /** Whether the block has an id. */
  hasId: boolean;
  streamId: number | undefined;
  readonly record: Mutable<EventRecordClass>;
}

/** A root declaration or block begins with one of these. */
const BLOCKS = "trace, env, clock, stream, event, callsite, typedef, typealias, struct, variant or enum";

/** How LTTng ends the fields of an event. */
const END_OF_FIELDS = "\n\t};";
/** How LTTng lays out an event. */
const USUAL_NAME = ' {\n\tname = "';
const USUAL_ID = '";\n\tid = ';
const USUAL_STREAM_ID = ";\n\tstream_id = ";
const USUAL_FIELDS = "\n\tfields := struct {";
/** Longer texts of fields are not looked up: hardly any is the same as another. */
const MAX_REMEMBERED = 500;
/** A line with a URI is shorter. */
const MAX_URI_LINE = 4096;

export class TsdlParser extends TsdlTypes {
  traceAt = -1;
  uuid: string | undefined;
  packetHeader: StructClass | undefined;
  readonly environment = new Map<string, string | bigint>();
  readonly streams: StreamBlock[] = [];
  readonly events: EventBlock[] = [];
  /** Attributes that the current block has had. */
  private readonly seen = new Set<string>();
  /** Fields of events by their text: see `fieldsStruct`. */
  private readonly fields = new Map<string, StructClass>();
  private fieldsEnd = -1;

  /** Reads the whole text. */
  parse(): void {
    while (this.skip() !== END) {
      if (this.typeDeclaration()) continue;
      const at = this.pos;
      const word = this.peekWord();
      switch (word) {
        case "event":
          this.word();
          this.eventBlock(at);
          break;
        case "stream":
          this.word();
          this.streamBlock(at);
          break;
        case "trace":
          this.word();
          this.traceBlock(at);
          break;
        case "env":
          this.word();
          this.environmentBlock(at);
          break;
        case "clock":
          this.word();
          this.clockBlock(at);
          break;
        case "callsite":
          this.word();
          this.expect(BRACE_OPEN);
          this.skipBlock(at);
          break;
        case "struct":
        case "variant":
        case "enum":
          this.typeSpecifier();
          break;
        default:
          if (!this.accept(SEMICOLON)) this.failExpected(BLOCKS);
          continue;
      }
      this.expectSemicolon();
    }
  }

  get nativeByteOrder() {
    return this.byteOrder;
  }

  /** Whether there are numbers whose byte order depends on a trace block that is missing. */
  get lacksByteOrder(): boolean {
    return this.needsByteOrder;
  }

  /** Takes the `{ ... }` of a block; `known` takes an attribute's `=` or `:=` and its value. */
  private attributeBlock(at: number, what: string, known: (name: string, at: number) => boolean): void {
    this.expect(BRACE_OPEN);
    this.seen.clear();
    this.openBlock(at);
    while (!this.closeBlock()) {
      if (this.typeDeclaration()) continue;
      const nameAt = this.pos;
      const name = this.attributeName();
      if (this.seen.has(name)) {
        this.fail(nameAt, `found "${shorten(name)}" a second time in one ${what} block, expected it once`);
      }
      this.seen.add(name);
      if (!known(name, nameAt)) this.unknownAttribute(name, nameAt, what);
      this.expectSemicolon();
    }
  }

  private unknownAttribute(name: string, at: number, what: string): void {
    if (this.skip() !== COLON) {
      this.skipUnknownValue(at, `attribute "${shorten(name)}" of ${what}`);
      return;
    }
    this.expectAssignment();
    this.typeSpecifier();
    this.warn(at, `unknown attribute "${shorten(name)}" of ${what} is ignored`);
  }

  /** Takes `:=`. */
  private expectAssignment(): void {
    if (this.skip() !== COLON || this.text.charCodeAt(this.pos + 1) !== EQUAL) this.failExpected('":="');
    this.pos += 2;
  }

  /** Takes `:=` and a structure. */
  private scopeStruct(): StructClass {
    this.expectAssignment();
    return this.structHere();
  }

  private structHere(): StructClass {
    this.skip();
    const at = this.pos;
    const fieldClass = this.typeSpecifier();
    if (fieldClass.type !== "struct") this.fail(at, "found another type, expected a structure");
    return fieldClass;
  }

  private traceBlock(at: number): void {
    if (this.traceAt >= 0) this.fail(at, "found a second trace block, expected one");
    this.traceAt = at;
    const version = { major: -1, minor: -1 };
    this.attributeBlock(at, "trace", (name) => {
      switch (name) {
        case "major":
        case "minor":
          this.expectEqual();
          version[name] = this.traceVersion(name);
          return true;
        case "uuid":
          this.expectEqual();
          this.uuid = this.valueUuid();
          return true;
        case "byte_order":
          this.expectEqual();
          this.traceByteOrder();
          return true;
        case "packet.header":
          this.packetHeader = this.scopeStruct();
          return true;
      }
      return false;
    });
    if (version.major < 0) this.fail(at, "found a trace block without major, expected major = 1");
    if (version.minor < 0) this.fail(at, "found a trace block without minor, expected minor = 8");
    if (this.nativeByteOrder === undefined) {
      this.fail(at, "found a trace block without byte_order, expected le or be");
    }
  }

  /** The only version of TSDL traces is 1.8. */
  private traceVersion(part: "major" | "minor"): number {
    const value = this.value();
    const expected = part === "major" ? 1 : 8;
    if (value.kind !== "integer" || value.value !== expected) {
      this.failValue(value, `${part} = ${expected}: CTF version 1.8`);
    }
    return expected;
  }

  private traceByteOrder(): void {
    this.skip();
    const at = this.pos;
    const order = this.valueByteOrder();
    if (order === undefined) this.fail(at, 'found "native", expected le or be');
    this.setByteOrder(order);
  }

  private environmentBlock(at: number): void {
    this.expect(BRACE_OPEN);
    this.openBlock(at);
    while (!this.closeBlock()) {
      const keyAt = this.pos;
      const key = this.attributeName();
      this.expectEqual();
      const value = this.value();
      if (value.kind === "words") this.failValue(value, "a string or an integer");
      if (this.environment.has(key)) this.warn(keyAt, `environment entry "${shorten(key)}" is there twice`);
      this.environment.set(key, value.kind === "integer" ? BigInt(value.value) : value.value);
      this.expectSemicolon();
    }
  }

  private clockBlock(at: number): void {
    let name: string | undefined;
    // The clock object may exist already, if a type refers to it: collect first, then fill it in.
    const values: Partial<MutableClock> = {};
    let seconds = 0n;
    let cycles = 0n;
    this.attributeBlock(at, "clock", (attribute) => {
      switch (attribute) {
        case "name":
        case "description": {
          this.expectEqual();
          const text = this.valueText();
          if (attribute === "name") name = text;
          else values.description = text;
          return true;
        }
        case "uuid":
          this.expectEqual();
          values.uid = this.valueUuid();
          return true;
        case "freq":
          this.expectEqual();
          values.frequency = this.clockCycles(1n);
          return true;
        case "precision":
          this.expectEqual();
          values.precision = this.clockCycles(0n);
          return true;
        case "offset_s":
          this.expectEqual();
          seconds = BigInt(this.valueInteger());
          return true;
        case "offset":
          this.expectEqual();
          cycles = BigInt(this.valueInteger());
          return true;
        case "absolute":
          this.expectEqual();
          values.originIsUnixEpoch = this.valueBoolean();
          return true;
      }
      return false;
    });
    if (name === undefined) this.fail(at, "found a clock without name, expected the attribute name");
    const clock = this.clockByName(name, at);
    const entry = this.clocks.get(name)!;
    if (entry.declared) this.fail(at, `found a second clock called "${shorten(name)}", expected one`);
    entry.declared = true;
    Object.assign(clock, values);
    setOffset(clock, seconds, cycles);
  }

  private clockCycles(min: bigint): bigint {
    const value = this.value();
    if (value.kind !== "integer" || value.value < min) this.failValue(value, `an integer from ${min}`);
    return BigInt(value.value);
  }

  private streamBlock(at: number): void {
    const stream: StreamBlock = { at };
    this.attributeBlock(at, "stream", (name) => {
      switch (name) {
        case "id":
          this.expectEqual();
          stream.id = this.valueId();
          return true;
        case "event.header":
          stream.eventHeader = this.scopeStruct();
          return true;
        case "event.context":
          stream.eventContext = this.scopeStruct();
          return true;
        case "packet.context":
          stream.packetContext = this.scopeStruct();
          return true;
      }
      return false;
    });
    this.streams.push(stream);
  }

  private eventBlock(at: number): void {
    const record: Mutable<EventRecordClass> = {
      id: 0,
      name: undefined,
      namespace: undefined,
      uid: undefined,
      logLevel: undefined,
      emfUri: undefined,
      specificContext: undefined,
      payload: undefined,
    };
    const event: EventBlock = { at, hasId: false, streamId: undefined, record };
    this.events.push(event);
    this.usualHead(event);
    if (!event.hasId) this.expect(BRACE_OPEN);
    this.openBlock(at);
    if (this.text.startsWith(USUAL_FIELDS, this.pos)) {
      this.pos += USUAL_FIELDS.length - "struct {".length;
      record.payload = this.fieldsStruct();
      this.expectSemicolon();
    }
    while (!this.closeBlock()) {
      if (this.typeDeclaration()) continue;
      const nameAt = this.pos;
      const name = this.attributeName();
      if (!this.eventAttribute(event, name, nameAt)) this.unknownAttribute(name, nameAt, "event");
      this.expectSemicolon();
    }
  }

  /**
   * Takes the opening brace, name, id and stream_id of an event if they are laid out as LTTng does; if
   * anything differs, takes nothing. This is three quarters of an event's tokens by four comparisons.
   */
  private usualHead(event: EventBlock): void {
    const { text } = this;
    const start = this.pos;
    if (!text.startsWith(USUAL_NAME, start)) return;
    const nameStart = start + USUAL_NAME.length;
    const nameEnd = text.indexOf('"', nameStart);
    if (!text.startsWith(USUAL_ID, nameEnd)) return;
    const name = text.slice(nameStart, nameEnd);
    if (name.includes("\\") || name.includes("\n") || name.includes("\0")) return;
    const idStart = nameEnd + USUAL_ID.length;
    const idEnd = plainDigits(text, idStart);
    if (!text.startsWith(USUAL_STREAM_ID, idEnd)) return;
    const streamIdStart = idEnd + USUAL_STREAM_ID.length;
    const streamIdEnd = plainDigits(text, streamIdStart);
    if (text.charCodeAt(streamIdEnd) !== SEMICOLON) return;
    event.record.name = name;
    event.record.id = Number(text.slice(idStart, idEnd));
    event.hasId = true;
    event.streamId = Number(text.slice(streamIdStart, streamIdEnd));
    this.pos = streamIdEnd + 1;
  }

  private eventAttribute(event: EventBlock, name: string, at: number): boolean {
    const { record } = event;
    switch (name) {
      case "name":
        this.once(record.name, name, at);
        record.name = this.valueText();
        return true;
      case "id":
        this.once(event.hasId || undefined, name, at);
        record.id = this.valueId();
        event.hasId = true;
        return true;
      case "stream_id":
        this.once(event.streamId, name, at);
        event.streamId = this.valueId();
        return true;
      case "loglevel":
        this.once(record.logLevel, name, at);
        record.logLevel = this.valueInRange(-MAX_LENGTH, MAX_LENGTH, "a log level");
        return true;
      case "model.emf.uri":
        this.once(record.emfUri, name, at);
        record.emfUri = this.emfUri();
        return true;
      case "context":
        this.refuseSecond(record.specificContext, name, at);
        record.specificContext = this.scopeStruct();
        return true;
      case "fields":
        this.refuseSecond(record.payload, name, at);
        this.expectAssignment();
        this.skip();
        record.payload = this.fieldsStruct();
        return true;
    }
    return false;
  }

  /** Takes the `=` of an attribute that must not have a value yet. */
  private once(value: unknown, name: string, at: number): void {
    this.refuseSecond(value, name, at);
    this.expectEqual();
  }

  private refuseSecond(value: unknown, name: string, at: number): void {
    if (value !== undefined) {
      this.fail(at, `found "${shorten(name)}" a second time in one event block, expected it once`);
    }
  }

  /**
   * Takes a structure that is next, like `structHere`. Half of LTTng's events have the same fields as another
   * one (system calls' exits: `_ret`), and LTTng ends them all by the same line: so the text up to that line
   * is remembered, unless what it means depends on declarations around it.
   */
  private fieldsStruct(): StructClass {
    const start = this.pos;
    // Not searched again before the last one found: the whole text is searched once at most.
    if (this.fieldsEnd < start) {
      this.fieldsEnd = this.text.indexOf(END_OF_FIELDS, start);
      if (this.fieldsEnd < 0) this.fieldsEnd = this.text.length;
    }
    const end = this.fieldsEnd;
    if (end - start > MAX_REMEMBERED) return this.structHere();
    const source = this.text.slice(start, end);
    const known = this.fields.get(source);
    const after = end + END_OF_FIELDS.length - 1;
    if (known !== undefined) {
      this.pos = after;
      return known;
    }
    this.isContextual = false;
    const struct = this.structHere();
    if (this.pos === after && !this.isContextual) this.fields.set(source, struct);
    return struct;
  }

  /**
   * Takes the value of `model.emf.uri`. LTTng (2.13 at least) does not escape quotation marks in it, which
   * would make the whole trace unreadable: what follows the string decides whether it really ended there;
   * if not, its end is the last `";` of the line.
   */
  private emfUri(): string {
    if (!this.atString()) return this.valueText();
    const start = this.text.indexOf('"', this.pos);
    const ahead = this.text.slice(start, start + MAX_URI_LINE);
    const lineEnd = ahead.indexOf("\n");
    if (lineEnd < 0) return this.string();
    const line = ahead.slice(0, lineEnd);
    if (/^"(?:[^"\\]|\\.)*"\s*(?:;|\/[*/]|$)/.test(line)) return this.string();
    const last = line.lastIndexOf('";');
    if (last < 1) return this.string();
    this.warn(start, "model.emf.uri has quotation marks that are not escaped");
    this.pos = start + last + 1;
    return line.slice(1, last);
  }
}

/** The end of the decimal digits at `start`: `start` itself if they are not a plain number of up to 15. */
function plainDigits(text: string, start: number): number {
  let end = start;
  let code = text.charCodeAt(end);
  while (code >= 48 && code <= 57) code = text.charCodeAt(++end);
  const isPlain = end - start === 1 || (end - start <= 15 && text.charCodeAt(start) !== 48);
  return isPlain ? end : start;
}

/** Sets the offset so that 0 <= cycles < frequency. */
export function setOffset(clock: MutableClock, seconds: bigint, cycles: bigint): void {
  let whole = cycles / clock.frequency;
  let rest = cycles % clock.frequency;
  if (rest < 0n) {
    whole -= 1n;
    rest += clock.frequency;
  }
  clock.offsetSeconds = seconds + whole;
  clock.offsetCycles = rest;
}
