/** A progress bar on standard error, when that is a terminal: share done, event rate, time left. */

export interface Progress {
  update(doneBytes: number, totalBytes: number, eventRecords: number): void;
  /** Removes the bar. */
  end(): void;
}

const everyMs = 100;
const barWidth = 30;

/** A bar, or undefined where nobody would see it. */
export function makeProgress(): Progress | undefined {
  if (!process.stderr.isTTY) return undefined;
  const started = performance.now();
  let last = started;
  let shown = false;
  return {
    update(doneBytes, totalBytes, eventRecords) {
      const now = performance.now();
      if (now - last < everyMs || totalBytes === 0) return;
      last = now;
      const share = Math.min(1, doneBytes / totalBytes);
      const seconds = (now - started) / 1000;
      const left = share > 0 ? (seconds * (1 - share)) / share : 0;
      const full = Math.round(share * barWidth);
      const bar = "#".repeat(full) + "-".repeat(barWidth - full);
      const rate = (eventRecords / seconds / 1e6).toFixed(2);
      process.stderr.write(
        `\r[${bar}] ${(100 * share).toFixed(0).padStart(3)} %  ${rate} M events/s  ${left.toFixed(0)} s left \x1b[K`,
      );
      shown = true;
    },
    end() {
      if (shown) process.stderr.write("\r\x1b[K");
    },
  };
}
