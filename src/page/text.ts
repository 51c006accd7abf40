/** Times, durations and sizes as the page writes them. */

/** `12.3 ms` with about three digits. */
export function duration(ns: number): string {
  // What would be rounded to 1000 of a unit is one of the next.
  const size = Math.abs(ns);
  if (size < 999.5) return `${trim(ns)} ns`;
  if (size < 999.5e3) return `${trim(ns / 1e3)} µs`;
  if (size < 999.5e6) return `${trim(ns / 1e6)} ms`;
  return `${trim(ns / 1e9)} s`;
}

function trim(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [count, 0];
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${trim(value)} ${units[unit]}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share >= 0.1 ? 0 : 1)} %`;
}

/** Exact local time of day with nanoseconds: `17:25:40.272245928`. */
export function clock(originNs: string, ns: number): string {
  const epoch = BigInt(originNs) + BigInt(Math.round(ns));
  const seconds = Number(epoch / 1_000_000_000n);
  const date = new Date(seconds * 1000);
  const part = (value: number): string => String(value).padStart(2, "0");
  const fraction = String(epoch % 1_000_000_000n).padStart(9, "0");
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${fraction}`;
}

/** Epoch nanoseconds, decimal. */
export function epoch(originNs: string, ns: number): string {
  return String(BigInt(originNs) + BigInt(Math.round(ns)));
}

/** Distance of round ticks, so that there are at most `most` in `span`. */
export function tickStep(span: number, most: number): number {
  const raw = span / Math.max(1, most);
  const base = 10 ** Math.floor(Math.log10(Math.max(raw, 1e-3)));
  for (const factor of [1, 2, 5, 10]) if (base * factor >= raw) return base * factor;
  return base * 10;
}

/** A tick of the axis: after the trace's begin, with as many digits as the step needs. */
export function tick(ns: number, step: number): string {
  if (step >= 1e9) return `${(ns / 1e9).toFixed(0)} s`;
  if (step >= 1e6) return `${(ns / 1e9).toFixed(Math.max(0, 9 - Math.floor(Math.log10(step))))} s`;
  if (step >= 1e3) return `${(ns / 1e6).toFixed(Math.max(0, 6 - Math.floor(Math.log10(step))))} ms`;
  return `${(ns / 1e3).toFixed(Math.max(0, 3 - Math.floor(Math.log10(Math.max(1, step)))))} µs`;
}
