/** Whether this machine's kernel can be traced by tests. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const TRACEFS = "/sys/kernel/tracing";

/** Why it cannot be here; false: it can. Mounts tracefs where it is not. */
export function whyNoTracefs(): string | false {
  if (process.getuid?.() !== 0) return "tracefs: not root";
  const hasInstances = () => existsSync(join(TRACEFS, "instances"));
  if (!hasInstances()) spawnSync("mount", ["-t", "tracefs", "nodev", TRACEFS]);
  return hasInstances() ? false : "tracefs cannot be mounted here";
}
