/**
 * A real `lttng-sessiond` of its own with a user-space program that it traces, for tests. Each test file has one, as a
 * user of its own where it may (a daemon of root would be the machine's).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROVIDER = `#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER demo
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./demo.h"
#if !defined(DEMO_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define DEMO_H
#include <lttng/tracepoint.h>
LTTNG_UST_TRACEPOINT_EVENT(demo, tick, LTTNG_UST_TP_ARGS(int, number, const char *, text),
  LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, number, number) lttng_ust_field_string(text, text)))
#endif
#include <lttng/tracepoint-event.h>
`;
const PROGRAM = `#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "demo.h"
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int count = atoi(argv[1]), pause = argc > 2 ? atoi(argv[2]) : 0;
  for (int i = 0; i < count; i++) {
    lttng_ust_tracepoint(demo, tick, i, "some text of an ordinary length");
    if (pause) usleep(pause);
  }
  return 0;
}
`;
const UID = 29_431;

/** Why it cannot be had here; false: it can. */
export function whyNoLttng(): string | false {
  for (const program of ["lttng", "lttng-sessiond", "babeltrace2", "gcc"]) {
    if (spawnSync("which", [program]).status !== 0) return `${program} is not installed`;
  }
  const { status } = spawnSync("gcc", ["-E", "-x", "c", "-"], { input: "#include <lttng/tracepoint.h>\n" });
  if (status !== 0) return "liblttng-ust-dev is not installed";
  return false;
}

export class Lttng {
  readonly directory = mkdtempSync(join(tmpdir(), "periscope-lttng-"));
  readonly home = join(this.directory, "home");
  /** Emits as many event records `demo:tick` as its first argument says, with a pause of so many µs after each. */
  readonly program = join(this.directory, "demo");
  readonly #ids = process.getuid?.() === 0 ? { uid: UID, gid: UID } : {};
  #daemon: ChildProcess | undefined;

  /** The program and a home for its user; no daemon yet. */
  build(): void {
    const { directory } = this;
    writeFileSync(join(directory, "demo.h"), PROVIDER);
    writeFileSync(join(directory, "demo.c"), PROGRAM);
    const built = spawnSync("gcc", ["-I.", "-o", "demo", "demo.c", "-llttng-ust", "-ldl"], {
      cwd: directory,
    });
    if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
    mkdirSync(this.home);
    if (this.#ids.uid !== undefined) {
      chmodSync(directory, 0o755);
      chownSync(this.home, UID, UID);
    }
  }

  /** `network`: namespace (a file) in which the daemon and its consumers are; their sockets are files, for all. */
  async start(network?: string): Promise<void> {
    if (!existsSync(this.program)) this.build();
    const daemon = ["lttng-sessiond", "--no-kernel"];
    if (network === undefined) {
      this.#daemon = spawn(daemon[0]!, daemon.slice(1), { ...this.options(), stdio: "ignore" });
    } else {
      // Only root may enter it, and only there it becomes another user.
      const { uid, gid, ...options } = this.options();
      const user = uid === undefined ? [] : [`--setuid=${uid}`, `--setgid=${gid}`];
      this.#daemon = spawn("nsenter", [`--net=${network}`, ...user, ...daemon], {
        ...options,
        stdio: "ignore",
      });
    }
    for (let tries = 0; this.lttng("list").status !== 0; tries++) {
      if (tries > 100) throw new Error("lttng-sessiond does not answer");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Where and as whom LTTng's programs run; the daemon's user may write below `home` only. */
  options() {
    const { home } = this;
    const env = {
      ...process.env,
      HOME: home,
      LTTNG_HOME: home,
      LTTNG_UST_REGISTER_TIMEOUT: "-1",
      // For channels that ask for it (`--blocking-timeout`): a program waits instead of losing event records.
      LTTNG_UST_ALLOW_BLOCKING: "1",
    };
    return { cwd: this.directory, env, ...this.#ids };
  }

  /** Runs `lttng …`, which does not prompt. */
  lttng(...args: string[]): { readonly status: number | null; readonly text: string } {
    const { status, stdout, stderr } = spawnSync("lttng", args, { ...this.options(), encoding: "utf8" });
    return { status, text: stdout + stderr };
  }

  /** The same; throws when it fails. */
  must(...args: string[]): string {
    const { status, text } = this.lttng(...args);
    if (status !== 0) throw new Error(`lttng ${args.join(" ")}: ${text}`);
    return text;
  }

  /** Emits `count` event records `demo:tick`, with a pause in µs after each; `cpu`: only on this one. */
  async emit(count: number, pauseUs = 0, cpu?: number): Promise<void> {
    const command = [this.program, String(count), String(pauseUs)];
    if (cpu !== undefined) command.unshift("taskset", "-c", String(cpu));
    const child = spawn(command[0]!, command.slice(1), this.options());
    await new Promise((resolve) => child.on("exit", resolve));
  }

  /** The process that moves what user-space programs write, while there is one. */
  get consumer(): number | undefined {
    const daemon = this.#daemon?.pid;
    const found = readdirSync("/proc").find((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        // PID (NAME) STATE PARENT …
        const [, name, parent] = /\((.*)\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        return name === "lttng-consumerd" && Number(parent) === daemon;
      } catch {
        return false;
      }
    });
    return found === undefined ? undefined : Number(found);
  }

  /** A command before another one that then runs as `options` say. */
  starter(): string[] {
    const { uid, gid } = this.#ids;
    const user = uid === undefined ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    const { HOME, LTTNG_HOME, LTTNG_UST_REGISTER_TIMEOUT } = this.options().env;
    return [
      ...user,
      "env",
      `HOME=${HOME}`,
      `LTTNG_HOME=${LTTNG_HOME}`,
      `LTTNG_UST_REGISTER_TIMEOUT=${LTTNG_UST_REGISTER_TIMEOUT}`,
    ];
  }

  /** PIDs of LTTng's daemons that run for this home, whoever started them. */
  daemons(): number[] {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => {
        try {
          return (
            /^(.*\/)?lttng-(sessiond|consumerd)/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8")) &&
            readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`LTTNG_HOME=${this.home}`)
          );
        } catch {
          return false;
        }
      });
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon !== undefined) {
      const gone = new Promise((resolve) => daemon.on("exit", resolve));
      daemon.kill("SIGTERM");
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Event records below `path`, by babeltrace2. */
export function countByBabeltrace(path: string, name = "demo:tick"): number {
  const { stdout, status, stderr } = spawnSync("babeltrace2", [path], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`babeltrace2 ${path}: ${stderr}`);
  return stdout.split("\n").filter((line) => line.includes(` ${name}: `)).length;
}
