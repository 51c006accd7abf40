/**
 * Colours of states: Okabe and Ito's set, which people with any colour vision tell apart, in a strong form for what uses
 * or wants a CPU and muted for plain waiting, for a light and a dark ground.
 */
import { Doing } from "../history/doing.js";

export type Theme = "dark" | "light";
export type Colors = Readonly<Record<Doing, string>>;

const LIGHT: Colors = {
  [Doing.none]: "#ffffff",
  [Doing.unknown]: "#b8b8b8",
  [Doing.user]: "#009e73",
  [Doing.syscall]: "#0072b2",
  [Doing.irq]: "#cc79a7",
  [Doing.softirq]: "#e0a3c5",
  [Doing.runnable]: "#e69f00",
  [Doing.disk]: "#a8703a",
  [Doing.network]: "#7cc6ee",
  [Doing.lock]: "#d55e00",
  [Doing.process]: "#b3a2e0",
  [Doing.timer]: "#e3e3dc",
  [Doing.kernel]: "#a9b56b",
  [Doing.blocked]: "#cfc8b4",
  [Doing.idle]: "#eceef1",
  [Doing.memory]: "#e8d838",
  [Doing.busy]: "#5e81ac",
};

const DARK: Colors = {
  [Doing.none]: "#14171c",
  [Doing.unknown]: "#5d6068",
  [Doing.user]: "#22b586",
  [Doing.syscall]: "#3d92dd",
  [Doing.irq]: "#e08dc0",
  [Doing.softirq]: "#a9648f",
  [Doing.runnable]: "#f2a92c",
  [Doing.disk]: "#a2652f",
  [Doing.network]: "#2f83aa",
  [Doing.lock]: "#d9571c",
  [Doing.process]: "#6f5fb0",
  [Doing.timer]: "#2d333c",
  [Doing.kernel]: "#66723a",
  [Doing.blocked]: "#4b4739",
  [Doing.idle]: "#1d2229",
  [Doing.memory]: "#cdbd35",
  [Doing.busy]: "#5b83b5",
};

export function colorsOf(theme: Theme): Colors {
  return theme === "dark" ? DARK : LIGHT;
}

/** Colours of periods and of lines in charts. */
const SERIES: Readonly<Record<Theme, readonly string[]>> = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b57c00", "#3a9fd0", "#8c510a", "#7d69c4"],
  dark: ["#4c9fe6", "#ef7d3c", "#2fc394", "#e08dc0", "#f2b84b", "#74c9f2", "#bd8248", "#a592ea"],
};

export function seriesColor(theme: Theme, index: number): string {
  const all = SERIES[theme];
  return all[index % all.length]!;
}

/** Colours of what is around the states. */
export interface Ground {
  readonly back: string;
  readonly band: string;
  readonly line: string;
  readonly text: string;
  readonly faint: string;
  readonly accent: string;
  readonly alarm: string;
}

export function groundOf(theme: Theme): Ground {
  return theme === "dark"
    ? {
        back: "#14171c",
        band: "#191d23",
        line: "#272d36",
        text: "#dfe3e8",
        faint: "#8b939e",
        accent: "#74c9f2",
        alarm: "#ff5c49",
      }
    : {
        back: "#ffffff",
        band: "#f6f7f9",
        line: "#e3e6ea",
        text: "#1d232b",
        faint: "#69717c",
        accent: "#0072b2",
        alarm: "#c8231a",
      };
}

/** `#rrggbb` as bytes. */
export function rgb(color: string): readonly [number, number, number] {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** White or black, whichever reads better on a colour. */
export function inkOn(color: string): string {
  const [r, g, b] = rgb(color);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#10141a" : "#ffffff";
}
