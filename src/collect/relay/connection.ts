/** What all connections share: how their ends are told, and retrying while the disk is full. */
import { Closed } from "../../relay/socket.js";
import { ProtocolError } from "../../relay/wire.js";
import type { Logger } from "../log.js";

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const RETRY_MS = 1000;

export function isFull(error: unknown): boolean {
  return error instanceof Error && FULL.has((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * Runs `operation` until the disk has room for it: the sender waits meanwhile. `whileFull` is told each time and may
 * throw to give up.
 */
export async function withSpace(operation: () => void, whileFull: (error: Error) => void): Promise<void> {
  for (;;) {
    try {
      operation();
      return;
    } catch (error) {
      if (!isFull(error)) throw error;
      whileFull(error as Error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** What the file system says of names that do not go together: a session below another one's file, say. */
const NAMES = new Set(["EEXIST", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ENOTEMPTY"]);

/** Did the peer say something that cannot be? Names that lead nowhere are its fault too. */
export function isPeersFault(error: unknown): error is Error {
  return error instanceof ProtocolError || NAMES.has((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * Says in the log why a connection ended, unless its peer just went. What is neither the peer's fault nor the file
 * system's is ours: an error.
 */
export function logEnd(log: Logger, what: string, peer: string, error: unknown): void {
  if (error instanceof Closed) return;
  const { message, code, stack } = error as NodeJS.ErrnoException;
  if (isPeersFault(error)) log("warn", `${what} closed`, { peer, reason: message });
  else if (code !== undefined) log("error", `${what} closed`, { peer, reason: message });
  else log("error", `${what} closed by a fault of this program`, { peer, reason: stack ?? message });
}
