/** Files that come with Periscope, wherever this module was bundled to. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of `file`, relative to the folder that Periscope is in. */
export function installed(file: string): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, file)) && dirname(at) !== at) at = dirname(at);
  return join(at, file);
}
