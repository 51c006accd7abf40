/** Moments as people read them: `17:06:08.725123456`, with the date where it matters. */

export interface ClockOptions {
  /** GMT instead of local time. */
  readonly gmt: boolean;
  /** With the date. */
  readonly date: boolean;
}

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** Formats exact ns since the epoch. Seconds in a row are cheap: the wall clock is asked once per second. */
export class ClockText {
  #second = Number.NaN;
  #text = "";

  constructor(private readonly options: ClockOptions) {}

  /** `withDate`: also where the options do not ask for it. */
  format(epochNs: bigint, withDate = false): string {
    const negative = epochNs < 0n ? 1n : 0n;
    const second = Number((epochNs - negative * 999_999_999n) / 1_000_000_000n);
    const fraction = epochNs - BigInt(second) * 1_000_000_000n;
    if (second !== this.#second) {
      this.#second = second;
      this.#text = this.#wall(second, this.options.date);
    }
    const wall = withDate && !this.options.date ? this.#wall(second, true) : this.#text;
    return `${wall}.${fraction.toString().padStart(9, "0")}`;
  }

  #wall(second: number, date: boolean): string {
    const at = new Date(second * 1000);
    if (Number.isNaN(at.getTime())) return `${second}`;
    const { gmt } = this.options;
    const day = gmt
      ? `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} `
      : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
    const time = gmt
      ? `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
      : `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    return date ? day + time : time;
  }
}

/** Whether two moments (ns since the epoch) are on different days. */
export function spansDays(beginNs: bigint, endNs: bigint, gmt: boolean): boolean {
  const day = (ns: bigint): string => {
    const at = new Date(Number(ns / 1_000_000n));
    return gmt ? at.toISOString().slice(0, 10) : at.toDateString();
  };
  return day(beginNs) !== day(endNs);
}
