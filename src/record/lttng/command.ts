/** The `lttng` command. */
import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { PeriscopeError } from "../../base/errors.js";

/**
 * Runs `lttng ARG...` with the session daemon that is there; answers its output. Throws `PeriscopeError` with its
 * complaint.
 */
export function lttng(...args: string[]): string {
  const { error, status, stdout, stderr } = spawnSync("lttng", ["--no-sessiond", ...args], {
    encoding: "utf8",
    // Ctrl-C is for us: what was begun must be undone by the same command.
    detached: true,
  } as SpawnSyncOptionsWithStringEncoding);
  if (error !== undefined) throw new PeriscopeError(`lttng cannot be run: ${error.message}`);
  if (status !== 0) {
    throw new PeriscopeError(
      `lttng ${args.join(" ")}: ${complaint(`${stderr}\n${stdout}`) ?? `exit code ${status}`}`,
    );
  }
  return stdout;
}

/** What a program of LTTng says of what went wrong, in one line; undefined when it says nothing. */
export function complaint(output: string): string | undefined {
  const error = /^Error: (.*?)\.?$/m.exec(output)?.[1];
  const cause = /^PERROR - .*?\]: (.*?)(?: \(in .*)?$/m.exec(output)?.[1];
  const both = [error, cause].filter((part) => part !== undefined);
  if (both.length > 0) return both.join(": ");
  return /^(?:Warning: )?(.+)$/m.exec(output)?.[1];
}

export function hasLttng(): boolean {
  return spawnSync("lttng", ["--version"]).status === 0;
}

/** Names of the recording sessions that this user may see. */
export function sessionNames(): string[] {
  return namesOf("session", lttng("--mi", "xml", "list"));
}

/** Names of what LTTng can record of this kernel. */
export function kernelNames(kind: "--syscall" | "--tracepoint"): string[] {
  const syscall = kind === "--syscall" ? [kind] : [];
  return namesOf("event", lttng("--mi", "xml", "list", "--kernel", ...syscall));
}

/** From LTTng's output for machines: in its text, names cannot be told from paths. */
function namesOf(element: string, xml: string): string[] {
  const start = new RegExp(`<${element}><name>([^<]*)</name>`, "g");
  return [...xml.matchAll(start)].map(([, name]) => name!);
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

/** The text of a file; empty where it cannot be read. */
export function readText(path: string): string {
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

/** Is this process in the group of that name? */
export function isInGroup(name: string): boolean {
  const gid = new RegExp(`^${name}:[^:]*:(\\d+):`, "m").exec(readText("/etc/group"))?.[1];
  return gid !== undefined && (process.getgroups?.() ?? []).includes(Number(gid));
}
