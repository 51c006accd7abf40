/** Retrying while the disk is full. */

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
