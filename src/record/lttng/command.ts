/** The `lttng` command and its session daemon. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir, release } from "node:os";
import { join } from "node:path";
import { PeriscopeError } from "../../base/errors.js";

/** Runs `lttng ARG...`; answers its output. Throws `PeriscopeError` with its complaint. */
export function lttng(...args: string[]): string {
  const { error, status, stdout, stderr } = spawnSync("lttng", args, { encoding: "utf8" });
  if (error !== undefined) throw new PeriscopeError(`lttng cannot be run: ${error.message}`);
  if (status !== 0) {
    const reason = `${stderr}\n${stdout}`
      .split("\n")
      .map((line) => line.replace(/^(Error|Warning): /, "").trim())
      .find((line) => line !== "");
    throw new PeriscopeError(`lttng ${args.join(" ")}: ${reason ?? `exit code ${status}`}`);
  }
  return stdout;
}

export function hasLttng(): boolean {
  return spawnSync("lttng", ["--version"]).status === 0;
}

/** Why LTTng cannot trace this kernel, as one line; undefined when it can. */
export function whyNoLttngKernel(): string | undefined {
  if (!hasLttng()) return "lttng is not installed";
  const loaded = /^lttng_tracer /m.test(readText("/proc/modules")) || existsSync("/proc/lttng");
  if (!loaded && !hasModule(join("/lib/modules", release()))) return "LTTng has no modules for this kernel";
  if (process.getuid?.() === 0) return undefined;
  return isInGroup("tracing")
    ? undefined
    : "no permission to trace by LTTng; run as root or join group tracing";
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function hasModule(modules: string): boolean {
  if (/\/lttng-tracer\.ko/.test(readText(join(modules, "modules.dep")))) return true;
  return ["extra", "updates", "updates/dkms"].some((folder) => {
    const path = join(modules, folder);
    return existsSync(path) && readdirSync(path).some((name) => name.startsWith("lttng-tracer.ko"));
  });
}

function isInGroup(name: string): boolean {
  const gid = new RegExp(`^${name}:[^:]*:(\\d+):`, "m").exec(readText("/etc/group"))?.[1];
  return gid !== undefined && (process.getgroups?.() ?? []).includes(Number(gid));
}

function daemonPid(): number | undefined {
  const own = join(process.env["LTTNG_HOME"] ?? homedir(), ".lttng/lttng-sessiond.pid");
  const path = process.getuid?.() === 0 ? "/var/run/lttng/lttng-sessiond.pid" : own;
  const pid = Number(readText(path).trim());
  return pid > 0 && existsSync(`/proc/${pid}`) ? pid : undefined;
}

/** A session daemon, started where none runs. Answers how to end it if it is ours. */
export async function withDaemon(): Promise<() => void> {
  if (spawnSync("lttng", ["--no-sessiond", "list"]).status === 0) return () => {};
  await new Promise<void>((resolve, reject) => {
    const child = spawn("lttng-sessiond", ["--daemonize"], { stdio: "ignore" });
    child.once("error", (error) => reject(new PeriscopeError(`lttng-sessiond: ${error.message}`)));
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new PeriscopeError(`lttng-sessiond ended with exit code ${code}`)),
    );
  });
  const pid = daemonPid();
  return () => {
    if (pid !== undefined && daemonPid() === pid) process.kill(pid);
  };
}
