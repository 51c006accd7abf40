/**
 * Recording by LTTng: a session of our own, by the `lttng` command. Where its kernel modules are missing, it records
 * user space only, which is said.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { PeriscopeError, UsageError } from "../../base/errors.js";
import { globToRegExp } from "../../base/glob.js";
import { startTime } from "../../base/process.js";
import { Experiment } from "../../ctf/experiment.js";
import { summarize } from "../../ctf/summary.js";
import type {
  Backend,
  EventSelection,
  FlightOptions,
  FlightRecorder,
  Recording,
  SavedTrace,
} from "../recorder.js";
import { hasLttng, kernelNames, lttng, sessionNames, whyNoLttngKernel } from "./command.js";
import { type Daemon, findOrStartDaemon } from "./daemon.js";
import { type LttngEvents, lttngEvents, userSpaceEvents } from "./events.js";

export { whyNoLttngKernel };

const SUBBUFFERS = 8;
const CHANNEL = "periscope";
/** PID and start time of its recorder. */
const OURS = /^periscope-(\d+)-(\d+)$/;

export const lttngBackend: Backend = {
  name: "lttng",
  async record(options) {
    const directory = resolve(options.directory);
    // LTTng would make it, and not say which one it cannot make.
    const made = mkdirSync(directory, { recursive: true });
    try {
      return new LttngRecording(await LttngSession.open(options, ["--output", directory]), directory);
    } catch (error) {
      if (made !== undefined) rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  },
  async openFlightRecorder(options) {
    return new LttngFlightRecorder(await LttngSession.open(options, ["--snapshot"]));
  },
};

/** The largest power of two that is not above. */
const powerOfTwo = (bytes: number): number => 2 ** Math.floor(Math.log2(Math.max(bytes, 4096)));

class LttngSession {
  #isCreated = false;

  private constructor(
    readonly name: string,
    readonly daemon: Daemon,
    readonly options: FlightOptions,
  ) {}

  static async open(options: FlightOptions, create: readonly string[]): Promise<LttngSession> {
    if (!hasLttng()) throw new PeriscopeError("lttng is not installed");
    const daemon = await findOrStartDaemon();
    const session = new LttngSession(`periscope-${process.pid}-${startTime(process.pid)}`, daemon, options);
    try {
      removeStale(options.say);
      keepingCurrentSession(() => lttng("create", session.name, ...create));
      session.#isCreated = true;
      session.#configure(create[0] === "--snapshot");
      lttng("start", session.name);
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  #configure(overwrite: boolean): void {
    const { events, bufferBytes, say } = this.options;
    const reason = whyNoLttngKernel();
    const domain = reason === undefined ? "--kernel" : "--userspace";
    if (reason !== undefined) say(`${reason}: user space only, what programs tell by LTTng-UST`);
    const session = `--session=${this.name}`;
    const size = powerOfTwo(bufferBytes / SUBBUFFERS);
    lttng(
      ...["enable-channel", domain, session, overwrite ? "--overwrite" : "--discard"],
      ...[`--subbuf-size=${size}`, `--num-subbuf=${SUBBUFFERS}`, CHANNEL],
    );
    const channel = [domain, session, `--channel=${CHANNEL}`];
    if (reason !== undefined) {
      lttng("enable-event", ...channel, userSpaceEvents(events).join(","));
      lttng("add-context", ...channel, "--type=vpid", "--type=vtid", "--type=procname");
      return;
    }
    enableKernelEvents(lttngEvents(events), channel);
    lttng("add-context", ...channel, "--type=pid", "--type=tid", "--type=procname");
  }

  /** What `directory` holds. Throws `PeriscopeError`, and removes it, where nothing was recorded. */
  describe(directory: string): SavedTrace {
    const saved = hasMetadata(directory) ? describe(directory) : undefined;
    if (saved !== undefined && saved.eventRecords + saved.lost > 0) return saved;
    rmSync(directory, { recursive: true, force: true });
    throw new PeriscopeError(nothingRecorded(this.options.events));
  }

  /** Ends it, and a daemon that is not needed any more. Never throws: whatever went wrong before is worth more. */
  async close(): Promise<void> {
    try {
      if (this.#isCreated) lttng("destroy", this.name);
      await this.daemon.end();
    } catch (error) {
      if (this.daemon.isAlive()) this.options.say((error as Error).message);
    }
  }
}

/** Throws `UsageError` for a name that a person gave and LTTng does not know: its tracer accepts any. */
function enableKernelEvents({ calls, points, required }: LttngEvents, channel: readonly string[]): void {
  const named = (all: readonly string[]) => all.filter((name) => required.has(name));
  if (calls !== "all") checkNames(named(calls), "--syscall");
  checkNames(named(points), "--tracepoint");
  if (calls === "all") lttng("enable-event", ...channel, "--syscall", "--all");
  else if (calls.length > 0) lttng("enable-event", ...channel, "--syscall", calls.join(","));
  for (const point of points) {
    try {
      lttng("enable-event", ...channel, point);
    } catch (error) {
      // Kernels differ in what they have.
      if (required.has(point)) throw error;
    }
  }
}

function checkNames(patterns: readonly string[], kind: "--syscall" | "--tracepoint"): void {
  if (patterns.length === 0) return;
  const names = kernelNames(kind);
  for (const pattern of patterns) {
    const regexp = globToRegExp(pattern);
    if (!names.some((name) => regexp.test(name))) {
      throw new UsageError(`--events: LTTng has no event "${pattern}" for this kernel`);
    }
  }
}

/** `lttng create` makes its session the user's current one, which commands without a session's name mean. */
function keepingCurrentSession(create: () => void): void {
  const path = join(process.env["LTTNG_HOME"] ?? homedir(), ".lttngrc");
  const before = existsSync(path) ? readFileSync(path) : undefined;
  try {
    create();
  } finally {
    if (before === undefined) rmSync(path, { force: true });
    else writeFileSync(path, before);
  }
}

/** Destroys sessions whose recorder is gone. */
function removeStale(say: (message: string) => void): void {
  for (const name of sessionNames()) {
    const [, pid, time] = OURS.exec(name) ?? [];
    if (time === undefined || startTime(Number(pid)) === time) continue;
    try {
      lttng("destroy", name);
      say(`${name}: LTTng session destroyed, its recorder is gone`);
    } catch (error) {
      // Another recorder may have been faster.
      if (sessionNames().includes(name)) say((error as Error).message);
    }
  }
}

function hasMetadata(directory: string): boolean {
  if (!existsSync(directory)) return false;
  return readdirSync(directory, { recursive: true }).some((path) => basename(String(path)) === "metadata");
}

function nothingRecorded({ required }: EventSelection): string {
  if (whyNoLttngKernel() === undefined) return "nothing recorded: none of these events happened";
  // Root's daemon hears all programs, another one those of its own user.
  const whose = process.getuid?.() === 0 ? "no program" : "none of your programs";
  const what = required.length === 0 ? "anything" : `of ${required.join(", ")}`;
  return (
    `nothing recorded: ${whose} told ${what} by LTTng-UST; ` +
    '"lttng list --userspace" shows which programs can, --backend tracefs records the kernel'
  );
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
    } catch (error) {
      const rest = hasMetadata(this.directory)
        ? `; what it had written until then is in ${this.directory}`
        : "";
      throw new PeriscopeError(`${(error as Error).message}${rest}`);
    } finally {
      await this.session.close();
    }
    return this.session.describe(this.directory);
  }

  async abandon(): Promise<void> {
    await this.session.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

class LttngFlightRecorder implements FlightRecorder {
  readonly backend = "lttng";
  #isFrozen = false;
  #isGone = false;

  constructor(private readonly session: LttngSession) {}

  freeze(): void {
    if (this.#isFrozen) return;
    lttng("stop", "--no-wait", this.session.name);
    this.#isFrozen = true;
  }

  async save(directory: string): Promise<SavedTrace> {
    this.freeze();
    const path = resolve(directory);
    const made = mkdirSync(path, { recursive: true });
    const before = new Set(readdirSync(path));
    try {
      lttng("snapshot", "record", `--session=${this.session.name}`, `file://${path}`);
    } finally {
      lttng("start", this.session.name);
      this.#isFrozen = false;
    }
    const snapshot = readdirSync(path).find((name) => !before.has(name));
    try {
      return this.session.describe(join(path, snapshot ?? "ust"));
    } catch (error) {
      if (made !== undefined) rmSync(path, { recursive: true });
      throw error;
    }
  }

  /** LTTng does not tell how much its buffers hold. What is overwritten is not lost. */
  depth(): { seconds: number | undefined; lost: number } {
    const { daemon, options } = this.session;
    if (daemon.isAlive()) return { seconds: undefined, lost: 0 };
    if (!this.#isGone)
      options.say("LTTng's session daemon ended: nothing is recorded until this is started again");
    this.#isGone = true;
    return { seconds: 0, lost: 0 };
  }

  close(): Promise<void> {
    return this.session.close();
  }
}
