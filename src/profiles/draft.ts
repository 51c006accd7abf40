/**
 * A first profile from what one thread did between two moments: the first and the last event record become the
 * period's begin and end, those that happen once and name something (a file, a port) are proposed as its phases.
 */

/** One event record of the sample. */
export interface Sample {
  /** `ns` since the source's origin. */
  readonly ns: number;
  readonly name: string;
  /** Payload fields: numbers and strings. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface DraftOptions {
  readonly name: string;
  /** Name of the thread. */
  readonly procname: string;
  /** How the sample was taken, for a comment. */
  readonly origin: string;
}

/** Fields that tell one event record from others of its name. */
const TELLING = ["filename", "oldname", "pathname", "dport", "name", "comm", "uri"];
/** Fields whose values live on: what a call gave back is what later calls speak of. */
const HANDLES = ["ret", "fd", "child_tid"];
const MOST_PHASES = 6;

interface Landmark {
  readonly sample: Sample;
  readonly field: string;
  readonly value: string | number;
}

function telling(sample: Sample): Pick<Landmark, "field" | "value"> | undefined {
  for (const field of TELLING) {
    const value = sample.fields[field];
    if (typeof value === "string" && value !== "") return { field, value };
    if (typeof value === "number" && value > 0 && field.endsWith("port")) return { field, value };
  }
  return undefined;
}

const quoted = (text: string): string => JSON.stringify(text);
const literal = (value: string | number): string =>
  typeof value === "string" ? quoted(value) : String(value);

/** The handle of the first record that the last one speaks of: `fd == ret`. */
function sharedHandle(first: Sample, last: Sample): string | undefined {
  for (const field of ["fd", "tid", "child_tid"]) {
    const value = last.fields[field];
    if (typeof value !== "number" || value < 3) continue;
    const from = HANDLES.find((handle) => first.fields[handle] === value);
    if (from !== undefined) return `$evt.${field} == $begin.$evt.${from}`;
  }
  return undefined;
}

/** Records that happen once in the sample and name something, in order. */
function landmarks(samples: readonly Sample[]): Landmark[] {
  const seen = new Map<string, number>();
  const keyOf = (sample: Sample, { field, value }: Pick<Landmark, "field" | "value">) =>
    `${sample.name} ${field} ${value}`;
  for (const sample of samples) {
    const mark = telling(sample);
    if (mark === undefined) continue;
    const key = keyOf(sample, mark);
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return samples.slice(1, -1).flatMap((sample) => {
    const mark = telling(sample);
    return mark !== undefined && seen.get(keyOf(sample, mark)) === 1 ? [{ sample, ...mark }] : [];
  });
}

/** Of the landmarks those after which the most time passes until the next, in order. */
function phases(all: readonly Landmark[], endNs: number): Landmark[] {
  const gap = (i: number) => (all[i + 1]?.sample.ns ?? endNs) - all[i]!.sample.ns;
  return all
    .map((mark, i) => ({ mark, gap: gap(i) }))
    .sort((a, b) => b.gap - a.gap)
    .slice(0, MOST_PHASES)
    .map(({ mark }) => mark)
    .sort((a, b) => a.sample.ns - b.sample.ns);
}

const SAME_THREAD = "$evt.$tid == $parent.$begin.$evt.$tid";

function condition({ sample, field, value }: Landmark): string {
  return `$evt.$name == ${quoted(sample.name)} && $evt.${field} == ${literal(value)}`;
}

/** A YAML scalar that needs no thought: folded text. */
function folded(text: string, indent: string): string {
  return `>-\n${indent}${text}`;
}

function milliseconds(ns: number): string {
  return `${(ns / 1e6).toFixed(3)} ms`;
}

/** The profile as YAML. `samples`: at least two, in time order. */
export function draftProfile(samples: readonly Sample[], options: DraftOptions): string {
  const first = samples[0]!;
  const last = samples[samples.length - 1]!;
  const marks = landmarks(samples);
  const chosen = phases(marks, last.ns);
  const firstMark = telling(first);
  const beginMore =
    firstMark === undefined ? "" : ` && $evt.${firstMark.field} == ${literal(firstMark.value)}`;
  const handle = sharedHandle(first, last);
  const name = options.name.replace(/\W+/g, "_").replace(/^(\d)/, "_$1");
  const events = [...new Set([first.name, last.name, ...chosen.map(({ sample }) => sample.name)])];
  const lines = [
    `# Drafted from ${samples.length} event records of ${options.origin}.`,
    "# Begin and end are the first and the last of them; make them say what a request is for you.",
    `name: ${options.name}`,
    `description: What ${options.procname} does from ${first.name} to ${last.name}.`,
    "parameters:",
    `  procname: { default: ${quoted(options.procname)}, description: name of the process }`,
    "events:",
    ...events.map((event) => `  - ${event}`),
    `processes: ["\${procname}"]`,
    "periods:",
    `  - name: ${name}`,
    `    description: "${milliseconds(last.ns - first.ns)} in the sample"`,
    "    repeat: single",
    `    begin: ${folded(`$evt.$name == ${quoted(first.name)} && $evt.$procname == "\${procname}"${beginMore}`, "      ")}`,
    `    end: ${folded(`$evt.$name == ${quoted(last.name)} && $evt.$tid == $begin.$evt.$tid${handle === undefined ? "" : ` && ${handle}`}`, "      ")}`,
    "    captures: { tid: $evt.$tid }",
  ];
  if (chosen.length > 1) {
    lines.push("    children:");
    for (let i = 0; i + 1 < chosen.length; i++) {
      const [from, to] = [chosen[i]!, chosen[i + 1]!];
      lines.push(
        `      - name: phase_${i + 1}`,
        `        description: "from ${milliseconds(from.sample.ns - first.ns)} for ${milliseconds(to.sample.ns - from.sample.ns)} in the sample"`,
        "        repeat: once",
        `        begin: ${folded(`${condition(from)} && ${SAME_THREAD}`, "          ")}`,
        `        end: ${folded(`${condition(to)} && ${SAME_THREAD}`, "          ")}`,
      );
    }
  }
  const others = marks.filter((mark) => !chosen.includes(mark)).slice(0, 20);
  if (others.length > 0) {
    lines.push("# Further event records that happened once, as marks for other phases:");
    for (const mark of others) {
      const text = `#   ${milliseconds(mark.sample.ns - first.ns)}  ${condition(mark)}`;
      lines.push(text.replace(/[\r\n]/g, " "));
    }
  }
  return `${lines.join("\n")}\n`;
}
