/** Reads one trace in every way, and tells what should never happen. */
import { ByteWriter } from "../../src/base/byte-writer.js";
import { PeriscopeError } from "../../src/base/errors.js";
import { headerDecoder, skipDecoder, touchDecoder } from "../../src/ctf/decode/decoders.js";
import { Experiment } from "../../src/ctf/experiment.js";
import { jsonPrinter, prettyPrinter } from "../../src/ctf/print/printer.js";
import { summarize } from "../../src/ctf/summary.js";
import { problemLine } from "../../src/sources/ctf.js";

export type Format = "text" | "json" | "dummy" | "summary";

export type Outcome = "refused" | "partly" | "wholly";

export interface Tried {
  readonly outcome: Outcome;
  /** What is wrong with Periscope. */
  readonly anomalies: readonly string[];
}

const pretty = {
  names: { payload: true, context: true, header: true, scope: true },
  fields: {
    trace: true,
    hostname: true,
    domain: true,
    procname: true,
    vpid: true,
    loglevel: true,
    emf: true,
  },
  time: { clock: "wall", gmt: true, date: true, delta: true, names: true },
} as const;

const all = () => true;
const positioned = /: byte \d+: \S|:\d+:\d+: \S/;

interface Reading {
  readonly failures: readonly string[];
  /** Everything that must not depend on how the decoding is done. */
  readonly texts: ReadonlyMap<string, Uint8Array | string>;
  readonly problems: readonly string[];
}

function read(path: string, generate: boolean, formats: readonly Format[]): Reading {
  const experiment = new Experiment([path], { generate });
  const failures = experiment.failed.map((failed) => failed.error.message);
  const texts = new Map<string, Uint8Array | string>();
  let problems: string[] = [];
  if (experiment.traces.length === 0) return { failures, texts, problems };
  for (const format of formats) {
    if (format === "summary") {
      const summary = summarize(experiment);
      texts.set("summary", `${summary.eventRecords} ${summary.beginNs} ${summary.endNs}`);
      continue;
    }
    const out = new ByteWriter(-1, 1 << 14);
    const decoders =
      format === "text"
        ? prettyPrinter(out, pretty, all, generate)
        : format === "json"
          ? jsonPrinter(out, all, generate)
          : ({ class: stream }: (typeof experiment.streams)[number]) => ({
              header: headerDecoder(stream, generate),
              skipper: (event: never) => skipDecoder(stream, event, generate),
              decoder: (event: never) => touchDecoder(stream, event, generate),
            });
    const result = experiment.run(decoders, { anyOrder: format === "dummy" });
    problems = result.problems.map(problemLine);
    texts.set(`${format} output`, out.u8.slice(0, out.at));
    texts.set(`${format} figures`, `${result.eventRecords} records, ${result.lostPackets} lost packets`);
    texts.set(`${format} problems`, problems.slice().sort().join("\n"));
  }
  return { failures, texts, problems };
}

export function tryTrace(path: string, formats: readonly Format[]): Tried {
  const anomalies: string[] = [];
  let readings: Reading[];
  try {
    readings = [read(path, true, formats), read(path, false, formats)];
  } catch (error) {
    if (!(error instanceof PeriscopeError)) {
      anomalies.push(`exception: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return { outcome: "refused", anomalies };
  }
  const [generated, interpreted] = readings as [Reading, Reading];
  for (const [what, text] of generated.texts) {
    const other = interpreted.texts.get(what);
    if (typeof text === "string" ? text !== other : Buffer.compare(text, other as Uint8Array) !== 0) {
      anomalies.push(`difference in ${what}: ${firstDifference(text, other!)}`);
    }
  }
  const messages = [...generated.failures, ...generated.problems];
  for (const message of messages) {
    if (!positioned.test(message) || message.includes("\n") || /undefined|\[object/.test(message)) {
      anomalies.push(`message without position, or with nonsense: ${message}`);
    }
  }
  const refused = generated.texts.size === 0;
  if (refused && generated.failures.length === 0) anomalies.push("refused without a message");
  return { outcome: refused ? "refused" : messages.length > 0 ? "partly" : "wholly", anomalies };
}

function firstDifference(a: Uint8Array | string, b: Uint8Array | string): string {
  const text = (x: Uint8Array | string) => (typeof x === "string" ? x : Buffer.from(x).toString("latin1"));
  const x = text(a);
  const y = text(b);
  let at = 0;
  while (at < x.length && x[at] === y[at]) at++;
  const part = (z: string) => JSON.stringify(z.slice(Math.max(0, at - 60), at + 60));
  return `at ${at}: generated ${part(x)}, interpreted ${part(y)}`;
}
