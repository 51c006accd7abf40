/** One collector for one store: a file names who has it; a killed one's is taken over. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PeriscopeError } from "../base/errors.js";
import { startTime } from "../base/process.js";

/** Answers what to call at the end. Throws `PeriscopeError` when another collector runs on it. */
export function lockStore(store: string): () => void {
  mkdirSync(join(store, ".periscope"), { recursive: true });
  const path = join(store, ".periscope", "collector");
  const own = `${process.pid} ${startTime(process.pid)}`;
  const found = read(path);
  if (found !== undefined && found !== own) {
    const pid = Number(found.split(" ")[0]);
    if (startTime(pid) !== undefined && found === `${pid} ${startTime(pid)}`) {
      throw new PeriscopeError(`${store}: a collector runs on it already (process ${pid})`);
    }
  }
  writeFileSync(path, own);
  return () => rmSync(path, { force: true });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
