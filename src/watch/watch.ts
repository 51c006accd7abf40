/** Looks at lines of an access log as they come, and says which requests were too slow. */
import { realtimeNs } from "../base/realtime.js";
import { durationOf, type LineParser } from "./log-line.js";

export interface WatchOptions {
  readonly parse: LineParser;
  readonly field: string;
  readonly unitNs: number;
  readonly thresholdNs: number;
  readonly cause: string;
  /** Names of fields that the trigger carries; empty: all that have one. */
  readonly captures: readonly string[];
}

export interface SlowRequest {
  readonly cause: string;
  readonly atNs: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const MAX_VALUE = 300;

export class Watch {
  lines = 0;
  slow = 0;
  /** Lines without the field. */
  unread = 0;

  constructor(
    private readonly options: WatchOptions,
    private readonly report: (request: SlowRequest) => void,
  ) {}

  line(line: string): void {
    if (line === "") return;
    this.lines++;
    const { parse, field, unitNs, thresholdNs, cause } = this.options;
    const fields = parse(line);
    const durationNs = fields === undefined ? undefined : durationOf(fields, field, unitNs);
    if (fields === undefined || durationNs === undefined) {
      this.unread++;
      return;
    }
    if (durationNs < thresholdNs) return;
    this.slow++;
    this.report({
      cause,
      atNs: realtimeNs(),
      attributes: { ...this.#captured(fields), duration_ms: durationNs / 1e6 },
    });
  }

  #captured(fields: Readonly<Record<string, string>>): Record<string, string> {
    const { captures } = this.options;
    const wanted =
      captures.length > 0
        ? captures
        : Object.keys(fields).filter((name) => name !== "first" && !/^-/.test(name));
    const kept: Record<string, string> = {};
    for (const name of wanted.slice(0, 40)) {
      const value = fields[name];
      if (value !== undefined) kept[name] = value.slice(0, MAX_VALUE);
    }
    return kept;
  }
}
