/** Colours of states (Okabe and Ito's, told apart by nearly everybody), and the style keys under which clients find them. */
import { DOING_LABELS, Doing, ON_CPU } from "../../history/doing.js";
import { isWait } from "../../history/labels.js";
import type { Style } from "./model.js";

export const COLORS: Readonly<Record<Doing, string>> = {
  [Doing.none]: "#000000",
  [Doing.unknown]: "#9a9a9a",
  [Doing.user]: "#009e73",
  [Doing.syscall]: "#0072b2",
  [Doing.irq]: "#cc79a7",
  [Doing.softirq]: "#e0a3c5",
  [Doing.runnable]: "#e69f00",
  [Doing.disk]: "#8c510a",
  [Doing.network]: "#56b4e9",
  [Doing.lock]: "#d55e00",
  [Doing.process]: "#a58bd6",
  [Doing.timer]: "#c8c8b4",
  [Doing.kernel]: "#7f8c4d",
  [Doing.blocked]: "#b9b39b",
  [Doing.idle]: "#d9d9d9",
  [Doing.memory]: "#f0e442",
  [Doing.busy]: "#5e81ac",
};

const SERIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c510a", "#a58bd6"];

export function seriesColor(index: number): string {
  return SERIES[index % SERIES.length]!;
}

function groupOf(doing: Doing): string {
  if (ON_CPU.includes(doing)) return "On a CPU";
  return isWait(doing) ? "Waiting" : "Other";
}

export const styleKey = (doing: Doing): string => `doing-${doing}`;

/** All styles of time graphs. */
export function graphStyles(): Record<string, Style> {
  const styles: Record<string, Style> = {};
  for (const doing of Object.values(Doing)) {
    if (doing === Doing.none) continue;
    styles[styleKey(doing)] = {
      values: {
        "style-name": DOING_LABELS[doing],
        "style-group": groupOf(doing),
        "background-color": COLORS[doing],
        height: ON_CPU.includes(doing) || doing === Doing.busy ? 1 : 0.5,
        opacity: 1,
      },
    };
  }
  styles["arrow"] = {
    values: { "style-name": "Wake-up", "style-group": "Arrows", color: "#6e6e6e", opacity: 0.8 },
  };
  return styles;
}

export function lineStyle(
  name: string,
  index: number,
  type: "line" | "area" | "scatter" | "bar" = "line",
): Style {
  return {
    values: { "series-type": type, color: seriesColor(index), "series-style": "solid", "style-name": name },
  };
}
