/** Numbers as people read them. Widths stay small: at most four significant digits and a unit. */

function digits(value: number): string {
  const a = Math.abs(value);
  if (a >= 100) return value.toFixed(0);
  if (a >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** `950 ns`, `12.3 µs`, `4.56 ms`, `2.50 s`, `12 min 5 s`, `3 h 20 min`. */
export function formatDuration(ns: number): string {
  if (!Number.isFinite(ns)) return "?";
  if (ns < 0) return `-${formatDuration(-ns)}`;
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${digits(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${digits(ns / 1e6)} ms`;
  if (ns < 600e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Seconds with milliseconds, where two moments or waits are compared: `2.501 s`. */
export function formatSeconds(ns: number): string {
  if (!Number.isFinite(ns)) return "?";
  return ns < 1e9 ? formatDuration(ns) : `${(ns / 1e9).toFixed(3)} s`;
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Powers of 1024: `60 B`, `12.8 KiB`. */
export function formatSize(bytes: number): string {
  if (!Number.isFinite(bytes)) return "?";
  if (bytes < 0) return `-${formatSize(-bytes)}`;
  let unit = 0;
  while (bytes >= 1023.5 && unit < SIZES.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.round(bytes)} B` : `${digits(bytes)} ${SIZES[unit]}`;
}

/** `1,234,567`; non-numbers as `?`. */
export function formatCount(n: number): string {
  if (!Number.isFinite(n)) return "?";
  if (n > -1000 && n < 1000) return String(Math.round(n));
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A fraction as `12.3 %`. */
export function formatPercent(fraction: number): string {
  if (!Number.isFinite(fraction)) return "?";
  const p = fraction * 100;
  if (p > 0 && p < 0.05) return "<0.1 %";
  return `${p.toFixed(1)} %`;
}

/** Exact epoch ns as UTC `2026-11-23 16:59:33.475123456`. */
export function formatUtc(epochNs: bigint): string {
  const ms = epochNs / 1_000_000n;
  const rest = ((epochNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) return `${epochNs} ns`;
  return `${date.toISOString().slice(0, 19).replace("T", " ")}.${rest.toString().padStart(9, "0")}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function formatList(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
