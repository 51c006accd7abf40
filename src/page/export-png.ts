/** The timeline as a picture file. */
import { experiment } from "./state.js";

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
