/** Where tracefs is, and whether we may use it. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { endianness } from "node:os";
import { dirname, join } from "node:path";
import { PeriscopeError } from "../../base/errors.js";

const TRACEFS = "/sys/kernel/tracing";
/** Says that the mount is ours, for who comes after a recorder that was killed. It does not outlive the boot. */
const MOUNTED_BY_US = "/run/periscope/tracefs-mounted";

/** Why tracefs cannot be used here, as one line; undefined when it can. Changes nothing. */
export function whyNoTracefs(): string | undefined {
  if (process.platform !== "linux") return `tracefs: this is ${process.platform}, expected Linux`;
  if (endianness() !== "LE") return "tracefs: this machine is big-endian, which is not supported";
  if (existsSync(join(TRACEFS, "instances"))) {
    try {
      accessSync(join(TRACEFS, "instances"), constants.W_OK);
      return undefined;
    } catch {
      return `tracefs: no permission to write ${TRACEFS}/instances; run as root`;
    }
  }
  // Without permission even its content is hidden.
  if (process.getuid?.() !== 0) return `tracefs: no permission to look into ${TRACEFS}; run as root`;
  if (!/\btracefs\b/.test(readFileSync("/proc/filesystems", "utf8"))) {
    return "tracefs: this kernel has no tracing (CONFIG_TRACING)";
  }
  return undefined;
}

/** Mounts tracefs where it is not. Answers its path and how to undo it. Throws `PeriscopeError`. */
export function mountTracefs(say: (message: string) => void): { path: string; release(): void } {
  if (!existsSync(join(TRACEFS, "instances"))) {
    const { status, stderr } = spawnSync("mount", ["-t", "tracefs", "nodev", TRACEFS], { encoding: "utf8" });
    if (status !== 0) {
      const reason = stderr?.trim() || "the command mount failed";
      throw new PeriscopeError(`tracefs cannot be mounted on ${TRACEFS}: ${reason}`);
    }
    say(`tracefs mounted on ${TRACEFS} while recording`);
    mkdirSync(dirname(MOUNTED_BY_US), { recursive: true });
    writeFileSync(MOUNTED_BY_US, "");
  }
  return { path: TRACEFS, release };
}

function release(): void {
  if (!existsSync(MOUNTED_BY_US)) return;
  // Somebody else may use it by now: then it stays, and whoever is last may try again.
  if (spawnSync("umount", [TRACEFS]).status === 0) rmSync(MOUNTED_BY_US, { force: true });
}
