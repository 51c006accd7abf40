/** LTTng's session daemon: one that we start where none runs, and end when nobody records by it. */
import { spawn, spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PeriscopeError } from "../../base/errors.js";
import { startTime } from "../../base/process.js";
import { complaint, isInGroup, readText, sessionNames } from "./command.js";

/** In its environment, so that whoever ends last knows that it was not there before, even when we were killed. */
const MARK = "PERISCOPE_STARTED_THIS=1";
/** For its start, and for its end. */
const LONGEST_MS = 5000;
const POLL_MS = 20;
const SYSTEM_PID_FILE = "/var/run/lttng/lttng-sessiond.pid";

export interface Daemon {
  /** False when it is known to be gone, with all that it recorded. */
  isAlive(): boolean;
  /** Ends it if Periscope started it and no session is left in it. */
  end(): Promise<void>;
}

/** The running session daemon, or one that is started. Throws `PeriscopeError` when it cannot be. */
export async function findOrStartDaemon(): Promise<Daemon> {
  if (!answers()) await start();
  const pid = daemonPid();
  const began = pid === undefined ? undefined : startTime(pid);
  const isAlive = () => pid === undefined || startTime(pid) === began;
  return {
    isAlive,
    async end() {
      if (pid === undefined || !isAlive() || !isOurs(pid) || sessionNames().length > 0) return;
      process.kill(pid);
      // Whoever comes next must not find it half gone.
      for (let ms = 0; isAlive() && ms < LONGEST_MS; ms += POLL_MS) await sleep(POLL_MS);
    },
  };
}

const answers = (): boolean => spawnSync("lttng", ["--no-sessiond", "list"]).status === 0;

async function start(): Promise<void> {
  const [name, value] = MARK.split("=") as [string, string];
  const child = spawn("lttng-sessiond", ["--daemonize"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, [name]: value },
  });
  let told = "";
  child.stderr.on("data", (part: Buffer) => {
    told += part;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const reason = code === "ENOENT" ? "is not installed" : `cannot be run: ${message}`;
      reject(new PeriscopeError(`lttng-sessiond ${reason}`));
    });
    child.once("close", resolve);
  });
  // Somebody else may have started one at the same time, which is on its way then.
  const isThere = code === 0 || told.includes("already running");
  for (let ms = 0; isThere && ms < LONGEST_MS; ms += POLL_MS) {
    if (answers()) return;
    await sleep(POLL_MS);
  }
  throw new PeriscopeError(`lttng-sessiond does not start: ${complaint(told) ?? `exit code ${code}`}`);
}

/** Of the daemon that `lttng` speaks to: root's where this user may, else the user's own. */
function daemonPid(): number | undefined {
  const running = (path: string): number | undefined => {
    const pid = Number(readText(path));
    return pid > 0 && startTime(pid) !== undefined ? pid : undefined;
  };
  if (process.getuid?.() === 0) return running(SYSTEM_PID_FILE);
  const own = join(process.env["LTTNG_HOME"] ?? homedir(), ".lttng/lttng-sessiond.pid");
  return (isInGroup("tracing") ? running(SYSTEM_PID_FILE) : undefined) ?? running(own);
}

const isOurs = (pid: number): boolean => readText(`/proc/${pid}/environ`).split("\0").includes(MARK);
