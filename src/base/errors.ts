/**
 * Errors that tell a person where the input is wrong.
 *
 * One class per kind of place: a byte of a file (`DataError`), a line and column of metadata text
 * (`MetadataError`), or the command line (`UsageError`). The command line prints `message` as one line;
 * nothing else ever shows a stack trace.
 */

/** Base of every error that Periscope raises on purpose. */
export class PeriscopeError extends Error {
  override name = "PeriscopeError";
}

/** The command line or an API argument is wrong: exit code 2. */
export class UsageError extends PeriscopeError {
  override name = "UsageError";
}

/** Metadata text (TSDL or CTF 2 JSON) is wrong at `line`:`column` (both from 1) of `file`. */
export class MetadataError extends PeriscopeError {
  override name = "MetadataError";
  constructor(
    readonly file: string,
    readonly line: number,
    readonly column: number,
    /** What is wrong: what was found and what was expected. */
    readonly reason: string,
  ) {
    super(`${file}:${line}:${column}: ${reason}`);
  }
}

/** Bytes of `file` are wrong at `byteOffset`. */
export class DataError extends PeriscopeError {
  override name = "DataError";
  constructor(
    readonly file: string,
    /** Offset of the wrong byte from the start of the file. */
    readonly byteOffset: number,
    readonly reason: string,
  ) {
    super(`${file}: byte ${byteOffset}: ${reason}`);
  }
}
