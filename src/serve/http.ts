/** Requests and answers as the handlers of this folder see them. */
import type { Readable } from "node:stream";
import { UsageError } from "../base/errors.js";

export interface Request {
  readonly method: string;
  /** Decoded parts of the path below the handler's base. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly type: string;
  /** A stream is sent as it comes, and destroyed when nobody wants it any more. */
  readonly body: string | Uint8Array | Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is wrong, or asks for what is not there. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly detail?: string,
    /** Further members of the reply. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export function notFound(what: string): HttpError {
  return new HttpError(404, `There is no ${what}`);
}

/** A number of the query. Throws `UsageError` when it is missing or none. */
export function numberOf(query: URLSearchParams, name: string, otherwise?: number): number {
  const text = query.get(name);
  if (text === null || text === "") {
    if (otherwise !== undefined) return otherwise;
    throw new UsageError(`${name}: expected a number`);
  }
  const value = Number(text);
  if (!Number.isFinite(value)) throw new UsageError(`${name}: "${text}", expected a number`);
  return value;
}

const MOST_ROWS = 100_000;

/** `1,4-9` as numbers. Throws `UsageError`. */
export function rowsOf(text: string | null): number[] {
  const rows: number[] = [];
  for (const part of (text ?? "").split(",")) {
    if (part === "") continue;
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined) throw new UsageError(`rows: "${part}", expected ids as in 1,4-9`);
    for (let row = Number(first); row <= Number(last ?? first); row++) {
      if (rows.push(row) > MOST_ROWS) throw new UsageError("rows: too many");
    }
  }
  return rows;
}
