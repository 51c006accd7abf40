/**
 * Timestamps of printed records, and the time since the record before.
 *
 * Hours, minutes and seconds change rarely: their bytes are kept until the second changes. `write` may be
 * called again for a record that turned out to need more data; only `commit` makes it the last one.
 */
import {
  type ByteWriter,
  StockText,
  writeAscii,
  writeDecimal32,
  writeNineDigits,
} from "../../base/byte-writer.js";
import type { DataStreamReader } from "../stream/reader.js";

export interface TimeOptions {
  /** `hh:mm:ss.nnnnnnnnn` (wall), `s.nnnnnnnnn` (seconds) or the clock's value (cycles). */
  readonly clock: "wall" | "seconds" | "cycles";
  /** Wall time in GMT instead of the local time zone. */
  readonly gmt: boolean;
  /** Wall time with the date. */
  readonly date: boolean;
  readonly delta: boolean;
  /** With `timestamp = ` and `delta = ` instead of brackets. */
  readonly names: boolean;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** `hh:mm:ss` of a moment, with the date before it if wanted. */
export function wallTime(seconds: number, options: { gmt: boolean; date: boolean }): string {
  const date = new Date(seconds * 1000);
  if (options.gmt) {
    const text = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
    if (!options.date) return text;
    return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${text}`;
  }
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (!options.date) return text;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${text}`;
}

/** Text of a moment as babeltrace2 writes it, also before the epoch. */
export function timeText(epochNs: bigint, options: { clock: string; gmt: boolean; date: boolean }): string {
  const negative = epochNs < 0n;
  const absolute = negative ? -epochNs : epochNs;
  const seconds = absolute / 1_000_000_000n;
  const fraction = String(absolute % 1_000_000_000n).padStart(9, "0");
  if (options.clock === "seconds" || negative) return `${negative ? "-" : ""}${seconds}.${fraction}`;
  return `${wallTime(Number(seconds), options)}.${fraction}`;
}

export class TimeText {
  /** The second whose text `#head` is: since the origin of streams that have origin `#secondOrigin`. */
  #secondRel = Number.NaN;
  #secondOrigin = Number.NaN;
  #head = new StockText(new Uint8Array(0));
  // The last record printed and the one being printed, as seconds and nanoseconds.
  #lastSecond = Number.NaN;
  #lastNs = 0;
  #nowSecond = 0;
  #nowNs = 0;
  #lastCycles: bigint | undefined;
  #nowCycles = 0n;

  constructor(private readonly options: TimeOptions) {}

  /** Writes the timestamp (and delta) of the reader's record at `at`; returns the position after it. */
  write(out: ByteWriter, at: number, reader: DataStreamReader): number {
    if (at + 128 > out.capacity) out.room(at, 128);
    const { u8 } = out;
    if (this.options.clock === "cycles") return this.#writeCycles(u8, at, reader);
    const rel = reader.rel;
    // Most records are in the second of the one before: no division then.
    let ns = rel - this.#secondRel;
    if (!(ns >= 0 && ns < 1e9) || reader.originSecond !== this.#secondOrigin) {
      const whole = Math.floor(rel / 1e9);
      ns = rel - whole * 1e9;
      this.#secondRel = whole * 1e9;
      this.#secondOrigin = reader.originSecond;
      this.#nowSecond = reader.originSecond + whole;
      if (this.#nowSecond >= 0) this.#newSecond(this.#nowSecond);
    }
    this.#nowNs = ns;
    if (this.#nowSecond < 0) return this.#writeEarly(u8, at);
    at = this.#head.write(out, at);
    writeNineDigits(u8, at, ns);
    return this.#writeDelta(u8, at + 9);
  }

  /** The record that was written last is complete. */
  commit(): void {
    this.#lastSecond = this.#nowSecond;
    this.#lastNs = this.#nowNs;
    this.#lastCycles = this.#nowCycles;
  }

  #newSecond(second: number): void {
    const { options } = this;
    const text = options.clock === "seconds" ? String(second) : wallTime(second, options);
    this.#head = new StockText(Buffer.from(`${options.names ? "timestamp = " : "["}${text}.`));
  }

  #writeDelta(u8: Uint8Array, at: number): number {
    const { names, delta } = this.options;
    if (!delta) return names ? at : writeAscii(u8, at, "] ");
    if (names) at = writeAscii(u8, at, ", delta = +");
    else {
      // "] (+"
      u8[at] = 93;
      u8[at + 1] = 32;
      u8[at + 2] = 40;
      u8[at + 3] = 43;
      at += 4;
    }
    let seconds = this.#nowSecond - this.#lastSecond;
    let ns = this.#nowNs - this.#lastNs;
    if (ns < 0) {
      ns += 1e9;
      seconds--;
    }
    if (seconds >= 0) {
      if (seconds < 10) u8[at++] = 48 + seconds;
      else if (seconds < 4294967296) at = writeDecimal32(u8, at, seconds);
      else at = writeAscii(u8, at, String(seconds));
      u8[at] = 46;
      writeNineDigits(u8, at + 1, ns);
      at += 10;
    } else if (Number.isNaN(seconds)) at = writeAscii(u8, at, "?.?????????");
    else {
      // babeltrace2 shows a step back as an unsigned 64-bit number.
      const wrapped = BigInt.asUintN(64, BigInt(seconds) * 1_000_000_000n + BigInt(ns));
      at = writeAscii(u8, at, `${wrapped / 1_000_000_000n}.`);
      at = writeAscii(u8, at, String(wrapped % 1_000_000_000n).padStart(9, "0"));
    }
    if (names) return at;
    u8[at] = 41;
    u8[at + 1] = 32;
    return at + 2;
  }

  #writeEarly(u8: Uint8Array, at: number): number {
    const epochNs = BigInt(this.#nowSecond) * 1_000_000_000n + BigInt(this.#nowNs);
    const head = this.options.names ? "timestamp = " : "[";
    return this.#writeDelta(u8, writeAscii(u8, at, head + timeText(epochNs, this.options)));
  }

  #writeCycles(u8: Uint8Array, at: number, reader: DataStreamReader): number {
    const { names, delta } = this.options;
    const cycles = BigInt.asUintN(64, reader.clockValue);
    this.#nowCycles = cycles;
    at = writeAscii(u8, at, `${names ? "timestamp = " : "["}${String(cycles).padStart(20, "0")}`);
    if (!names) at = writeAscii(u8, at, "] ");
    if (!delta) return at;
    const difference =
      this.#lastCycles === undefined
        ? "????????????"
        : String(BigInt.asUintN(64, cycles - this.#lastCycles)).padStart(12, "0");
    return writeAscii(u8, at, names ? `, delta = +${difference}` : `(+${difference}) `);
  }
}

/** Nanoseconds since the Unix epoch in decimal. */
export function writeEpochNs(u8: Uint8Array, at: number, reader: DataStreamReader): number {
  const whole = Math.floor(reader.rel / 1e9);
  const ns = reader.rel - whole * 1e9;
  const second = reader.originSecond + whole;
  if (second > 0 && second < 4294967296) {
    at = writeDecimal32(u8, at, second);
    writeNineDigits(u8, at, ns);
    return at + 9;
  }
  return writeAscii(u8, at, String(BigInt(second) * 1_000_000_000n + BigInt(ns)));
}
