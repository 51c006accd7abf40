/**
 * Recording by LTTng: a session of our own, by the `lttng` command. Where its kernel modules are missing, it records
 * user space only, which is said.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { PeriscopeError } from "../../base/errors.js";
import { startTime } from "../../base/process.js";
import { Experiment } from "../../ctf/experiment.js";
import { summarize } from "../../ctf/summary.js";
import type { Backend, FlightOptions, FlightRecorder, Recording, SavedTrace } from "../recorder.js";
import { hasLttng, lttng, whyNoLttngKernel, withDaemon } from "./command.js";
import { lttngEvents } from "./events.js";

export { whyNoLttngKernel };

const SUBBUFFERS = 8;
const CHANNEL = "periscope";
const OURS = /\bperiscope-(\d+)-(\d+)\b/g;

export const lttngBackend: Backend = {
  name: "lttng",
  async record(options) {
    const session = await LttngSession.open(options, ["--output", resolve(options.directory)]);
    return new LttngRecording(session, resolve(options.directory));
  },
  async openFlightRecorder(options) {
    return new LttngFlightRecorder(await LttngSession.open(options, ["--snapshot"]));
  },
};

/** The largest power of two that is not above. */
const powerOfTwo = (bytes: number): number => 2 ** Math.floor(Math.log2(Math.max(bytes, 4096)));

class LttngSession {
  private constructor(
    readonly name: string,
    private readonly endDaemon: () => void,
  ) {}

  static async open(options: FlightOptions, create: readonly string[]): Promise<LttngSession> {
    if (!hasLttng()) throw new PeriscopeError("lttng is not installed");
    const endDaemon = await withDaemon();
    const session = new LttngSession(`periscope-${process.pid}-${startTime(process.pid)}`, endDaemon);
    try {
      removeStale(options.say);
      lttng("create", session.name, ...create);
      session.#configure(options, create[0] === "--snapshot");
      lttng("start", session.name);
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  #configure({ events, bufferBytes, say }: FlightOptions, overwrite: boolean): void {
    const reason = whyNoLttngKernel();
    const domain = reason === undefined ? "--kernel" : "--userspace";
    if (reason !== undefined) say(`${reason}: user space only, what programs tell by LTTng-UST`);
    const session = `--session=${this.name}`;
    const size = powerOfTwo(bufferBytes / SUBBUFFERS);
    lttng(
      ...["enable-channel", domain, session, overwrite ? "--overwrite" : "--discard"],
      ...[`--subbuf-size=${size}`, `--num-subbuf=${SUBBUFFERS}`, CHANNEL],
    );
    const channel = `--channel=${CHANNEL}`;
    if (domain === "--userspace") {
      lttng("enable-event", domain, session, channel, "--all");
      lttng("add-context", domain, session, channel, "--type=vpid", "--type=vtid", "--type=procname");
      return;
    }
    const { calls, points } = lttngEvents(events);
    if (calls === "all") lttng("enable-event", domain, session, channel, "--syscall", "--all");
    else if (calls.length > 0) lttng("enable-event", domain, session, channel, "--syscall", calls.join(","));
    for (const point of points) {
      try {
        lttng("enable-event", domain, session, channel, point);
      } catch (error) {
        // Kernels differ in what they have.
        if (events.required.includes(point)) throw error;
      }
    }
    lttng("add-context", domain, session, channel, "--type=pid", "--type=tid", "--type=procname");
  }

  close(): void {
    try {
      lttng("destroy", this.name);
    } finally {
      this.endDaemon();
    }
  }
}

/** Destroys sessions whose recorder is gone. */
function removeStale(say: (message: string) => void): void {
  for (const [name, pid, time] of lttng("list").matchAll(OURS)) {
    if (startTime(Number(pid)) === time) continue;
    lttng("destroy", name);
    say(`${name}: LTTng session destroyed, its recorder is gone`);
  }
}

/** What LTTng has written: it is read once to tell what is in it. */
function describe(path: string): SavedTrace {
  const experiment = new Experiment([path]);
  const { eventRecords, discardedEvents, beginNs, endNs, traces } = summarize(experiment);
  const streams = traces.flatMap((trace) => trace.streams);
  const folder = ["kernel", "ust"].map((name) => join(path, name)).find((one) => existsSync(one));
  return {
    path: folder ?? path,
    beginNs: beginNs ?? 0n,
    endNs: endNs ?? 0n,
    eventRecords,
    lost: discardedEvents,
    bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

class LttngRecording implements Recording {
  readonly backend = "lttng";
  constructor(
    private readonly session: LttngSession,
    private readonly directory: string,
  ) {}

  async stop(): Promise<SavedTrace> {
    try {
      lttng("stop", this.session.name);
    } finally {
      this.session.close();
    }
    return describe(this.directory);
  }

  async abandon(): Promise<void> {
    this.session.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

class LttngFlightRecorder implements FlightRecorder {
  readonly backend = "lttng";
  #isFrozen = false;
  readonly #emptyNs = process.hrtime.bigint();

  constructor(private readonly session: LttngSession) {}

  freeze(): void {
    if (this.#isFrozen) return;
    lttng("stop", "--no-wait", this.session.name);
    this.#isFrozen = true;
  }

  async save(directory: string): Promise<SavedTrace> {
    this.freeze();
    const path = resolve(directory);
    mkdirSync(path, { recursive: true });
    const before = new Set(readdirSync(path));
    try {
      lttng("snapshot", "record", `--session=${this.session.name}`, `file://${path}`);
    } finally {
      lttng("start", this.session.name);
      this.#isFrozen = false;
    }
    const made = readdirSync(path).find((name) => !before.has(name));
    return describe(made === undefined ? path : join(path, made));
  }

  /** LTTng does not tell how much its buffers hold: the time since the beginning, at most. */
  depth(): { seconds: number; lost: number } {
    return { seconds: Number(process.hrtime.bigint() - this.#emptyNs) / 1e9, lost: 0 };
  }

  async close(): Promise<void> {
    this.session.close();
  }
}
