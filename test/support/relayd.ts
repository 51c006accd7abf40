/** A real `lttng-relayd` on ports and in a directory of its own, beside an `Lttng` and as its user. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import type { Lttng } from "./lttng.js";
import { freePorts } from "./ports.js";

/** Resolves when somebody listens there. */
export async function listening(port: number, address = "127.0.0.1"): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, address);
      socket.on("connect", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nobody listens on ${address}:${port}`);
}

export class Relayd {
  private constructor(
    readonly child: ChildProcess,
    /** Below it are directories of hosts. */
    readonly output: string,
    /** For `lttng create --set-url`. */
    readonly url: string,
    /** For viewers: `net://…:PORT`. */
    readonly live: string,
    readonly ports: readonly [control: number, data: number],
  ) {}

  static async start(lttng: Lttng): Promise<Relayd> {
    const output = join(lttng.home, "relayd");
    const ports = await freePorts(3);
    const args = ["control", "data", "live"].map((name, i) => `--${name}-port=tcp://127.0.0.1:${ports[i]}`);
    const child = spawn("lttng-relayd", [...args, `--output=${output}`], {
      ...lttng.options(),
      stdio: "ignore",
    });
    for (const port of ports) await listening(port);
    return new Relayd(
      child,
      output,
      `net://127.0.0.1:${ports[0]}:${ports[1]}`,
      `net://127.0.0.1:${ports[2]}`,
      [ports[0]!, ports[1]!],
    );
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.kill("SIGTERM");
    await gone;
  }
}
