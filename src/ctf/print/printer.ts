/**
 * Prints event records: babeltrace2's text, or JSON lines.
 *
 * For each event record class one decoder goes straight from the trace's bytes to the output's bytes.
 */
import {
  ByteWriter,
  StockText,
  writeAscii,
  writeDecimal32,
  writeDecimal64,
  writeHex,
  writeSigned32,
} from "../../base/byte-writer.js";
import {
  compile,
  headerDecoder,
  kit,
  recordGenerator,
  recordTrees,
  skipDecoder,
  wideText,
} from "../decode/decoders.js";
import { skipAction } from "../decode/generator.js";
import { Interpreter, type RawValue } from "../decode/interpreter.js";
import { isVisible } from "../decode/layout.js";
import type { Decoder } from "../decode/state.js";
import type { ClassDecoders } from "../experiment.js";
import type { EventRecordClass, FieldClass } from "../metadata/types.js";
import type { DataStreamReader } from "../stream/reader.js";
import type { DataStream } from "../stream/stream.js";
import type { Trace } from "../trace/trace.js";
import type { RecycledStrings } from "./babeltrace-strings.js";
import { JsonAction } from "./json-action.js";
import { PrettyAction } from "./pretty-action.js";
import { formatG, QuotedNames, writeQuoted } from "./quote.js";
import { type TimeOptions, TimeText, writeEpochNs } from "./time-text.js";
import {
  blobText,
  integerText,
  jsonBlob,
  jsonNumber,
  type TextWriter,
  writeJson,
  writeJsonText,
  writePretty,
  writeText,
} from "./value-text.js";

/** Which names are written (babeltrace2 `--names`). */
export interface NameOptions {
  readonly payload: boolean;
  readonly context: boolean;
  readonly header: boolean;
  readonly scope: boolean;
}

/** Which properties of trace and event are written (babeltrace2 `--fields`). */
export interface FieldOptions {
  readonly trace: boolean;
  readonly hostname: boolean;
  readonly domain: boolean;
  readonly procname: boolean;
  readonly vpid: boolean;
  readonly loglevel: boolean;
  readonly emf: boolean;
}

export interface PrettyOptions {
  readonly names: NameOptions;
  readonly fields: FieldOptions;
  readonly time: TimeOptions;
}

Object.assign(kit, {
  writeAscii,
  writeDecimal32,
  writeSigned32,
  writeDecimal64,
  writeHex,
  writeQuoted,
  quotedNames: new QuotedNames(),
  formatG,
  jsonNumber,
  writeJsonText,
  writeQuotedWide: (
    out: ByteWriter,
    at: number,
    from: Uint8Array,
    start: number,
    length: number,
    encoding: string,
  ) => {
    const bytes = Buffer.from(wideText(from, start, length, encoding));
    return writeQuoted(out, at, bytes, 0, bytes.length);
  },
  writeBase: (
    out: ByteWriter,
    at: number,
    value: number | bigint,
    size: number,
    base: number,
    signed: boolean,
  ) => writeText(out, at, integerText(value, size, base, signed)),
  writeBlob: (out: ByteWriter, at: number, from: Uint8Array, start: number, length: number, names: boolean) =>
    writeText(out, at, blobText(from.subarray(start, start + length), names)),
  writeJsonBlob: (out: ByteWriter, at: number, from: Uint8Array, start: number, length: number) =>
    writeText(out, at, jsonBlob(from.subarray(start, start + length))),
  writeEpochNs: (out: ByteWriter, at: number, reader: DataStreamReader) => {
    if (at + 32 > out.capacity) out.room(at, 32);
    return writeEpochNs(out.u8, at, reader);
  },
});

/** Whether event records of a class are printed. */
export type EventFilter = (event: EventRecordClass) => boolean;

const logLevelNames = [
  "TRACE_EMERG",
  "TRACE_ALERT",
  "TRACE_CRIT",
  "TRACE_ERR",
  "TRACE_WARNING",
  "TRACE_NOTICE",
  "TRACE_INFO",
  "TRACE_DEBUG_SYSTEM",
  "TRACE_DEBUG_PROGRAM",
  "TRACE_DEBUG_PROCESS",
  "TRACE_DEBUG_MODULE",
  "TRACE_DEBUG_UNIT",
  "TRACE_DEBUG_FUNCTION",
  "TRACE_DEBUG_LINE",
  "TRACE_DEBUG",
];

/**
 * The constant text between timestamp and first scope. The order, the separators and their oddities (nothing
 * between trace name and event name) are those of babeltrace2 2.0.4's `sink.text.pretty`.
 */
function headText(trace: Trace, event: EventRecordClass, options: PrettyOptions, hasTime: boolean): string {
  const names = options.names.header;
  const env = trace.class.environment;
  // After a named timestamp everything is separated by commas.
  const inLine = hasTime && names;
  const comma = inLine ? ", " : "";
  let text = "";
  let printed = false;
  const add = (name: string, value: string): void => {
    text += comma;
    if (names) text += `${name} = `;
    else if (printed) text += ":";
    text += value;
    printed = true;
  };
  const { fields } = options;
  if (fields.trace) text += `${comma}${names ? "trace = " : ""}${trace.name}${names ? ", " : ""}`;
  if (fields.hostname && env.has("hostname")) add("trace:hostname", String(env.get("hostname")));
  if (fields.domain && env.has("domain")) add("trace:domain", String(env.get("domain")));
  if (fields.procname && env.has("procname")) add("trace:procname", String(env.get("procname")));
  if (fields.vpid && env.has("vpid")) add("trace:vpid", `(${env.get("vpid")})`);
  if (fields.loglevel && event.logLevel !== undefined && logLevelNames[event.logLevel]) {
    add("loglevel", `${logLevelNames[event.logLevel]} (${event.logLevel})`);
  }
  if (fields.emf && event.emfUri !== undefined) add("model.emf.uri", event.emfUri);
  if (printed && !names) text += " ";
  text += comma;
  if (names) text += "name = ";
  return `${text}${event.name ?? "<unknown>"}${names ? ", " : ": "}`;
}

/** A scope that is printed after the packet context. */
export interface PrintedTree {
  readonly scope: "common" | "specific" | "payload";
  readonly tree: FieldClass;
  readonly shown: boolean;
}

export function printedTrees(stream: DataStream, event: EventRecordClass): PrintedTree[] {
  return recordTrees(stream.class, event).map(({ scope, tree }) => ({ scope, tree, shown: isVisible(tree) }));
}

const scopeNames = { common: "stream.event.context", specific: "event.context", payload: "event.fields" };

function showsPacketContext(stream: DataStream): boolean {
  return stream.class.packetContext !== undefined && isVisible(stream.class.packetContext);
}

/** Decoders that print event records as babeltrace2 does. */
export function prettyPrinter(
  out: ByteWriter,
  options: PrettyOptions,
  filter: EventFilter,
  generate: boolean,
  /** Empty strings as babeltrace2 2.0.4 prints them; without it, as they are. */
  recycled?: RecycledStrings,
  /** Knows the moment before; one for all where event records come in several runs. */
  time = new TimeText(options.time),
): (stream: DataStream) => ClassDecoders {
  const { names } = options;
  return (stream) => ({
    header: headerDecoder(stream.class, generate),
    skipper: (event) => skipDecoder(stream.class, event, generate),
    decoder: (event) => {
      if (!filter(event)) {
        const skip = skipDecoder(stream.class, event, generate);
        if (!recycled) return skip;
        return (state, at) => {
          const answer = skip(state, at);
          if (answer >= 0) {
            recycled.object();
            recycled.advance();
          }
          return answer;
        };
      }
      const head = headText(stream.trace, event, options, stream.clock !== undefined);
      const trees = printedTrees(stream, event);
      const named = (scope: string) => (scope === "payload" ? names.payload : names.context);
      const scopeName = (scope: PrintedTree["scope"]) => (names.scope ? `${scopeNames[scope]} = ` : "");
      const packet = showsPacketContext(stream);
      if (!generate) {
        return interpretPrinter(out, trees, (reader, values) => {
          if (stream.clock) out.at = time.write(out, out.at, reader);
          out.text(head);
          const object = recycled?.object();
          const text: TextWriter | undefined =
            recycled &&
            ((place, bytes) => {
              out.at = recycled.writePlace(out, out.at, object!, place, bytes, 0, bytes.length);
            });
          let first = true;
          const separate = (): void => {
            if (!first) out.text(", ");
            first = false;
          };
          if (packet) {
            separate();
            out.at = reader.prefix.write(out, out.at);
          }
          trees.forEach(({ scope, tree, shown }, i) => {
            if (!shown) return;
            separate();
            out.text(scopeName(scope));
            writePretty(out, tree, values[i], named(scope), text, scope);
          });
          out.text("\n");
          time.commit();
          recycled?.advance();
        });
      }
      const g = recordGenerator(stream.class, event);
      const action = new PrettyAction(g);
      g.line("let o = T.at, w = T.u8, d = T.dv;");
      if (recycled) {
        action.recycled = true;
        g.line("const held = B.object();");
      }
      if (stream.clock) g.line("o = X.write(T, o, s); w = T.u8; d = T.dv;");
      action.put(head);
      let first = true;
      if (packet) {
        action.copy("s.prefix");
        first = false;
      }
      for (const { scope, tree, shown } of trees) {
        if (!shown) {
          g.walk(tree, skipAction);
          continue;
        }
        action.put(`${first ? "" : ", "}${scopeName(scope)}`);
        first = false;
        action.names = named(scope);
        g.walk(tree, action);
      }
      action.put("\n");
      action.barrier();
      g.line(`T.at = o; X.commit(); ${recycled ? "B.advance(); " : ""}T.flushIfFull();`);
      g.finish();
      return compile(g, ["T", "X", "B"], [out, time, recycled]) as Decoder;
    },
    packet: (reader, header) => {
      if (!showsPacketContext(stream)) return;
      reader.prefix = aside((to) => {
        if (names.scope) to.text("stream.packet.context = ");
        writePretty(to, stream.class.packetContext!, header.context, names.context);
      });
    },
  });
}

/** Decoders that print event records as JSON, one object a line. */
export function jsonPrinter(
  out: ByteWriter,
  filter: EventFilter,
  generate: boolean,
): (stream: DataStream) => ClassDecoders {
  const keys = { common: "context", specific: "eventContext", payload: "payload" };
  return (stream) => ({
    header: headerDecoder(stream.class, generate),
    skipper: (event) => skipDecoder(stream.class, event, generate),
    decoder: (event) => {
      if (!filter(event)) return skipDecoder(stream.class, event, generate);
      const trees = printedTrees(stream, event);
      const head = jsonHead(stream, event);
      const packet = showsPacketContext(stream);
      if (!generate) {
        return interpretPrinter(out, trees, (reader, values) => {
          out.text("{");
          if (stream.clock) {
            out.text('"timestamp":');
            out.room(out.at, 32);
            out.at = writeEpochNs(out.u8, out.at, reader);
            out.text(",");
          }
          out.text(head);
          if (packet) out.at = reader.prefix.write(out, out.at);
          trees.forEach(({ scope, tree, shown }, i) => {
            if (!shown) return;
            out.text(`,"${keys[scope]}":`);
            writeJson(out, tree, values[i]);
          });
          out.text("}\n");
        });
      }
      const g = recordGenerator(stream.class, event);
      const action = new JsonAction(g);
      g.line("let o = T.at, w = T.u8, d = T.dv;");
      action.put("{");
      if (stream.clock) {
        action.put('"timestamp":');
        action.barrier();
        g.line("o = K.writeEpochNs(T, o, s); w = T.u8; d = T.dv;");
        action.put(",");
      }
      action.put(head);
      if (packet) action.copy("s.prefix");
      for (const { scope, tree, shown } of trees) {
        if (shown) action.put(`,"${keys[scope]}":`);
        g.walk(tree, shown ? action : skipAction);
      }
      action.put("}\n");
      action.barrier();
      g.line("T.at = o; T.flushIfFull();");
      g.finish();
      return compile(g, ["T"], [out]) as Decoder;
    },
    packet: (reader, header) => {
      if (!showsPacketContext(stream)) return;
      reader.prefix = aside((to) => {
        to.text(',"packet":');
        writeJson(to, stream.class.packetContext!, header.context);
      });
    },
  });
}

function jsonHead(stream: DataStream, event: EventRecordClass): string {
  const env = stream.trace.class.environment;
  let text = "";
  for (const key of ["hostname", "domain", "procname"]) {
    const value = env.get(key);
    if (value !== undefined) text += `"${key}":${JSON.stringify(String(value))},`;
  }
  const vpid = env.get("vpid");
  if (vpid !== undefined) text += `"vpid":${typeof vpid === "bigint" ? vpid : JSON.stringify(vpid)},`;
  return `${text}"name":${JSON.stringify(event.name ?? null)}`;
}

export function interpretPrinter(
  out: ByteWriter,
  trees: readonly PrintedTree[],
  print: (reader: DataStreamReader, values: readonly RawValue[]) => void,
): Decoder {
  return (state, at) => {
    const interpreter = new Interpreter(state);
    const values: RawValue[] = [];
    for (const { tree } of trees) {
      at = interpreter.read(tree, at, (value) => values.push(value));
      if (at < 0) return at;
    }
    print(state as DataStreamReader, values);
    out.flushIfFull();
    return at;
  };
}

/** Text that is made aside and kept. */
function aside(write: (to: ByteWriter) => void): StockText {
  const writer = new ByteWriter(-1, 256);
  write(writer);
  return new StockText(writer.u8.subarray(0, writer.at));
}
