/** The timeline as a picture file, and on paper. */
import { experiment, theme } from "./state.js";

export function exportPng(): void {
  const canvas = document.querySelector<HTMLCanvasElement>("[data-testid=timeline]");
  canvas?.toBlob((blob) => {
    if (blob === null) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${(experiment.value?.name ?? "periscope").replace(/[^\w.-]+/g, "-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}

/** Paper is white: the colours are the light ones meanwhile. `drawNow`: what must be drawn before the page is taken. */
export function installPrinting(drawNow: () => void): () => void {
  let before = theme.peek();
  const begin = (): void => {
    before = theme.peek();
    theme.value = "light";
    document.documentElement.dataset["theme"] = "light";
    const height = document.querySelector(".timeline")?.clientHeight ?? 600;
    document.documentElement.style.setProperty("--timeline-height", `${height}px`);
    drawNow();
  };
  const end = (): void => {
    theme.value = before;
  };
  window.addEventListener("beforeprint", begin);
  window.addEventListener("afterprint", end);
  return () => {
    window.removeEventListener("beforeprint", begin);
    window.removeEventListener("afterprint", end);
  };
}
