/**
 * Command-line options: declared as data, long names may be shortened to an unambiguous prefix.
 */
import { UsageError } from "../base/errors.js";
import { wrap } from "../present/text.js";

export interface OptionSpec {
  /** Long name, without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of the value in the help text; absent: a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly many?: boolean;
  readonly help: string;
}

export interface CommandSpec {
  readonly name: string;
  /** What comes after the options. */
  readonly operands: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  /** Further text at the end of the help. */
  readonly notes?: string;
  /** An option given again replaces what was given before; else that is an error. */
  readonly lastWins?: boolean;
}

export class ParsedArguments {
  readonly operands: string[] = [];
  /** How many operands came before `--`; undefined without it. */
  beforeDashes: number | undefined;
  readonly #values = new Map<string, string[]>();

  add(name: string, value: string): void {
    const values = this.#values.get(name);
    if (values) values.push(value);
    else this.#values.set(name, [value]);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The last value given. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

const helpOption: OptionSpec = { name: "help", short: "h", help: "show this help" };

/** Parses arguments after the command's name. Throws `UsageError`. */
export function parseArguments(spec: CommandSpec, args: readonly string[]): ParsedArguments {
  const parsed = new ParsedArguments();
  const options = [...spec.options, helpOption];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      parsed.beforeDashes = parsed.operands.length;
      parsed.operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      parsed.operands.push(arg);
      continue;
    }
    let option: OptionSpec;
    let attached: string | undefined;
    if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      option = findLong(spec, options, equals < 0 ? arg.slice(2) : arg.slice(2, equals));
      attached = equals < 0 ? undefined : arg.slice(equals + 1);
    } else {
      const found = options.find((candidate) => candidate.short === arg[1]);
      if (!found)
        throw new UsageError(`${spec.name}: no option -${arg[1]}; see periscope ${spec.name} --help`);
      option = found;
      attached = arg.length > 2 ? arg.slice(2) : undefined;
      if (found.value === undefined && attached !== undefined) {
        throw new UsageError(`${spec.name}: ${arg}: give one-letter options apart`);
      }
    }
    if (option.value === undefined) {
      if (attached !== undefined) throw new UsageError(`${spec.name}: --${option.name} takes no value`);
      parsed.add(option.name, "");
      continue;
    }
    const value = attached ?? args[++i];
    if (value === undefined)
      throw new UsageError(`${spec.name}: --${option.name} needs a value: ${option.value}`);
    if (!option.many && !spec.lastWins && parsed.has(option.name))
      throw new UsageError(`${spec.name}: --${option.name} given twice`);
    parsed.add(option.name, value);
  }
  return parsed;
}

function findLong(spec: CommandSpec, options: readonly OptionSpec[], name: string): OptionSpec {
  const exact = options.find((option) => option.name === name);
  if (exact) return exact;
  const candidates = options.filter((option) => option.name.startsWith(name));
  if (candidates.length === 1) return candidates[0]!;
  const see = `see periscope ${spec.name} --help`;
  if (candidates.length === 0) throw new UsageError(`${spec.name}: no option --${name}; ${see}`);
  const names = candidates.map((option) => `--${option.name}`).join(", ");
  throw new UsageError(`${spec.name}: --${name} may be ${names}; ${see}`);
}

/** The help of a command, in lines of at most `width` columns; lines that begin with a space (examples) stay whole. */
export function helpText(spec: CommandSpec, width: number): string {
  const rows = [...spec.options, helpOption].map((option) => {
    const short = option.short ? `-${option.short}, ` : "    ";
    return [`  ${short}--${option.name}${option.value ? ` ${option.value}` : ""}`, option.help] as const;
  });
  const indent = Math.min(34, Math.max(...rows.map(([left]) => left.length)) + 2);
  const lines = rows.flatMap(([left, right]) => {
    // A short default stays in one line.
    const kept = right.replace(/\(default: [^)]{1,30}\)/, (all) => all.replaceAll(" ", "\u00a0"));
    const [first = "", ...more] = wrap(kept, width - indent);
    const rest = more.map((line) => " ".repeat(indent) + line);
    return left.length < indent
      ? [left.padEnd(indent) + first, ...rest]
      : [left, " ".repeat(indent) + first, ...rest];
  });
  const prose = (text: string) =>
    text.split("\n").flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, width)));
  return [
    ...wrap(`Usage: periscope ${spec.name} [OPTION...] ${spec.operands}`.trimEnd(), width, "  "),
    "",
    ...prose(spec.summary.replaceAll("\n", " ")),
    "",
    "Options:",
    ...lines,
    ...(spec.notes ? ["", ...prose(spec.notes)] : []),
    "",
  ].join("\n");
}
