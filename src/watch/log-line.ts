/**
 * Lines of access logs, taken apart: by the server's own format string where it is given, else by what the line looks
 * like (JSON, `key=value`, columns, HAProxy's timers).
 */
import { UsageError } from "../base/errors.js";

/** The values of a line by name; undefined: the line is not of this format. */
export type LineParser = (line: string) => Readonly<Record<string, string>> | undefined;

/**
 * Parser for Apache's `LogFormat` (`%h %l %u %t \"%r\" %>s %b %D`; names: the letter, or what stands in braces) or
 * nginx' `log_format` (`$remote_addr … $request_time`; names: the variables). Throws `UsageError`.
 */
export function formatParser(format: string): LineParser {
  const names: string[] = [];
  const token = /\$\{?(\w+)\}?|%(?:%|[<>]?(?:!?[\d,]+)?(?:\{([^}]*)\})?(\^?[A-Za-z]{1,3}))/g;
  let pattern = "^";
  let end = 0;
  const text = format.replace(/\\"/g, '"');
  for (const match of text.matchAll(token)) {
    const before = text.slice(end, match.index);
    pattern += escapePattern(before);
    end = match.index + match[0].length;
    if (match[0] === "%%") {
      pattern += "%";
      continue;
    }
    // Apache's letter is one, but for `^FB` and `^ti`: what follows is text.
    const letter = match[3] === undefined ? undefined : match[3].startsWith("^") ? match[3] : match[3][0]!;
    if (letter !== undefined) end -= match[3]!.length - letter.length;
    names.push(match[1] ?? (match[2] || letter!));
    const next = text[end];
    if (letter === "t" && match[2] === undefined) pattern += "\\[?([^\\]]*)\\]?";
    else if (before.endsWith('"') && next === '"') pattern += '((?:[^"\\\\]|\\\\.)*)';
    else if (next === undefined) pattern += "(.*)";
    else pattern += next === " " ? "(\\S*)" : `(.*?)`;
  }
  if (names.length === 0)
    throw new UsageError(`log format "${format}": it has no fields (%D, $request_time)`);
  pattern += escapePattern(text.slice(end));
  const expression = new RegExp(pattern);
  return (line) => {
    const match = expression.exec(line);
    if (match === null) return undefined;
    return Object.fromEntries(names.map((name, i) => [name, match[i + 1] ?? ""]));
  };
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** HAProxy's HTTP log: `TR/Tw/Tc/Tr/Ta STATUS BYTES`, ms; older: `Tq/Tw/Tc/Tr/Tt`. */
const HAPROXY = / (-?\d+)\/(-?\d+)\/(-?\d+)\/(-?\d+)\/\+?(\d+) (-?\d+) \+?(\d+) /;
const PAIR = /([A-Za-z_][\w.-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g;

/**
 * Without a format: JSON objects, HAProxy's log, `key=value` pairs; otherwise columns, named `1`, `2`, … and from the
 * end `-1`, `-2`, …; of a line whose first column is a number (as `CustomLog "|…" "%D %U"` makes it) `first`.
 */
export const guessParser: LineParser = (line) => {
  const text = line.trim();
  if (text === "") return undefined;
  if (text.startsWith("{")) return jsonFields(text);
  const haproxy = HAPROXY.exec(text);
  if (haproxy !== null) return haproxyFields(text, haproxy);
  const fields: Record<string, string> = {};
  for (const [, key, quoted, plain] of text.matchAll(PAIR)) fields[key!] = quoted ?? plain!;
  const columns = text.match(/"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+/g) ?? [];
  columns.slice(0, 100).forEach((column, i) => {
    const value = /^["[]/.test(column) ? column.slice(1, -1) : column;
    fields[String(i + 1)] = value;
    fields[String(i - columns.length)] = value;
  });
  if (/^\d+(\.\d+)?$/.test(columns[0] ?? "")) fields["first"] = columns[0]!;
  return fields;
};

function jsonFields(text: string): Record<string, string> | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)]));
  } catch {
    return undefined;
  }
}

function haproxyFields(text: string, timers: RegExpExecArray): Record<string, string> {
  const [, request, queue, connect, response, total, status, bytes] = timers;
  const fields: Record<string, string> = {
    TR: request!,
    Tq: request!,
    Tw: queue!,
    Tc: connect!,
    Tr: response!,
    Ta: total!,
    Tt: total!,
    status: status!,
    bytes: bytes!,
  };
  const asked = /"([^"]*)"\s*$/.exec(text);
  if (asked !== null) fields["request"] = asked[1]!;
  return fields;
}

/** The unit (ns) that a field of this name has by its server's documentation; undefined: not known. */
export function unitOfField(name: string): number | undefined {
  if (name === "D") return 1e3;
  if (name === "T" || /^(request_time|upstream_\w*_time|request_duration)$/.test(name)) return 1e9;
  if (/^T[RqwcrtaTd]$/.test(name)) return 1e6;
  const suffix = /(?:^|[_.])(ns|us|ms|s|sec|seconds)$/.exec(name)?.[1];
  if (suffix === undefined) return undefined;
  return { ns: 1, us: 1e3, ms: 1e6 }[suffix] ?? 1e9;
}

/** `%{ms}T` and the like: the name in braces is the unit. */
export function durationOf(
  fields: Readonly<Record<string, string>>,
  field: string,
  unitNs: number,
): number | undefined {
  // Apache's format string is not known: the duration is then the first column, or the last one.
  const text = fields[field] ?? (/^[DT]$/.test(field) ? (fields["first"] ?? fields["-1"]) : undefined);
  const value = text === undefined || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value * unitNs : undefined;
}

/** Without the header of syslog, in its old (RFC 3164) or new (RFC 5424) form. */
export function withoutSyslog(text: string): string {
  const match =
    /^<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?(?:\ufeff)?/.exec(text) ??
    /^<\d{1,3}>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(?:[^\s:[\]]+ )?[^\s:[\]]+(?:\[\d+\])?: /.exec(text);
  return match === null ? text : text.slice(match[0].length);
}
