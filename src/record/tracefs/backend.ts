/** Recording by tracefs: raw pages are copied while it goes on, and become CTF at the end. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { PeriscopeError } from "../../base/errors.js";
import { convert } from "../../ftrace/convert.js";
import {
  type RawEnd,
  readRawRecording,
  type SpoolWriter,
  spooledRecording,
  writePart,
} from "../../ftrace/raw-recording.js";
import { type OpenFiles, sampleFiles, takeDump } from "../../ftrace/statedump.js";
import type {
  Backend,
  FlightOptions,
  FlightRecorder,
  Recording,
  RecordOptions,
  SavedTrace,
} from "../recorder.js";
import type { ConvertTask } from "./convert-worker.js";
import { Session } from "./session.js";

/** Between two readings of the buffers. */
const LEAST_PAUSE_MS = 5;
const MOST_PAUSE_MS = 200;
/** The next reading is meant to find the buffers filled so far. */
const WANTED_FILL = 0.2;
/** What a killed recorder may lose. */
const FLUSH_MS = 1000;
/** Open files are looked at once a second, less often where it takes long. */
const SAMPLE_MS = 1000;
const SAMPLE_SHARE = 0.005;
/** Descriptors in all samples together. */
const MOST_SAMPLED = 500_000;

const RAW = ".raw";

export const tracefsBackend: Backend = {
  name: "tracefs",
  record: async (options) => new TracefsRecording(options),
  openFlightRecorder: async (options) => new TracefsFlightRecorder(options),
};

class TracefsRecording implements Recording {
  readonly backend = "tracefs";
  readonly #session: Session;
  readonly #options: RecordOptions;
  readonly #raw: string;
  readonly #spools: SpoolWriter[];
  readonly #samples: OpenFiles[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sampler: NodeJS.Timeout | undefined;
  #sampled = 0;
  #flushed = 0;
  #pauseMs = LEAST_PAUSE_MS;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#raw = join(options.directory, RAW);
    this.#session = new Session(options);
    try {
      this.#spools = this.#session.spools(this.#raw);
      this.#session.begin();
      writePart(this.#raw, "start", this.#session.start(this.#session.beginNs));
      writePart(this.#raw, "dump", takeDump());
    } catch (error) {
      this.#session.close();
      throw error;
    }
    this.#pump();
    this.#sampleLater(SAMPLE_MS);
  }

  #pump(): void {
    const fill = this.#session.drain(this.#spools, false) / this.#session.instance.bufferBytes;
    const now = performance.now();
    if (now - this.#flushed > FLUSH_MS) {
      for (const spool of this.#spools) spool.flush();
      this.#flushed = now;
    }
    const factor = fill > 0 ? Math.min(WANTED_FILL / fill, 2) : 2;
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * factor, LEAST_PAUSE_MS), MOST_PAUSE_MS);
    this.#timer = setTimeout(() => this.#pump(), fill > 0.5 ? 0 : this.#pauseMs);
  }

  #sampleLater(ms: number): void {
    this.#sampler = setTimeout(() => {
      const begin = performance.now();
      const sample = sampleFiles();
      this.#samples.push(sample);
      this.#sampled += sample.files.length;
      const took = performance.now() - begin;
      if (this.#sampled < MOST_SAMPLED) this.#sampleLater(Math.max(SAMPLE_MS, took / SAMPLE_SHARE));
    }, ms);
  }

  #end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#sampler);
  }

  async stop(): Promise<SavedTrace> {
    this.#end();
    const session = this.#session;
    let end: RawEnd;
    try {
      session.instance.turn(false);
      const endNs = process.hrtime.bigint();
      writePart(this.#raw, "end-dump", takeDump());
      session.drain(this.#spools, true);
      for (const spool of this.#spools) spool.close();
      end = { endNs: String(endNs), lost: session.lost(true) };
      writePart(this.#raw, "end", end);
    } finally {
      session.close();
    }
    return this.#convert();
  }

  #convert(): SavedTrace {
    const raw = { ...readRawRecording(this.#raw), samples: this.#samples };
    const saved = convert(spooledRecording(raw), join(this.#options.directory, "kernel"));
    rmSync(this.#raw, { recursive: true });
    return saved;
  }

  async abandon(): Promise<void> {
    this.#end();
    this.#session.close();
    rmSync(this.#raw, { recursive: true, force: true });
  }
}

/** Makes a trace of a recording that was killed before it could. Throws `PeriscopeError`. */
export function recoverRecording(directory: string): SavedTrace {
  const saved = convert(spooledRecording(readRawRecording(join(directory, RAW))), join(directory, "kernel"));
  rmSync(join(directory, RAW), { recursive: true });
  return saved;
}

/** `convert` in a thread of its own. Throws `PeriscopeError` as it does. */
function convertElsewhere(task: ConvertTask): Promise<SavedTrace> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./convert-worker.js", import.meta.url), { workerData: task });
    worker.on("message", ({ saved, failed }: { saved?: SavedTrace; failed?: string }) => {
      if (saved !== undefined) resolve(saved);
      else reject(new PeriscopeError(failed ?? "not converted"));
    });
    worker.on("error", reject);
    worker.on("exit", () => reject(new PeriscopeError("the thread that converts ended")));
  });
}

class TracefsFlightRecorder implements FlightRecorder {
  readonly backend = "tracefs";
  readonly #session: Session;
  #isFrozen = false;
  /** Moment at which the buffers were stopped, and at which they were last empty; monotonic. */
  #frozenNs = 0n;
  #emptyNs: bigint;

  constructor(options: FlightOptions) {
    this.#session = new Session(options);
    this.#session.begin();
    this.#emptyNs = this.#session.beginNs;
  }

  freeze(): void {
    if (this.#isFrozen) return;
    this.#session.instance.turn(false);
    this.#frozenNs = process.hrtime.bigint();
    this.#isFrozen = true;
  }

  async save(directory: string): Promise<SavedTrace> {
    this.freeze();
    const session = this.#session;
    const raw = join(directory, RAW);
    const spools = session.spools(raw);
    try {
      session.drain(spools, true, true);
      for (const spool of spools) spool.close();
    } finally {
      session.instance.turn(true);
      this.#isFrozen = false;
    }
    const beganNs = this.#emptyNs;
    this.#emptyNs = process.hrtime.bigint();
    writePart(raw, "dump", takeDump());
    writePart(raw, "start", session.start(beganNs));
    writePart(raw, "end", { endNs: String(this.#frozenNs), lost: session.lost(false) });
    const saved = await convertElsewhere({
      raw,
      directory: join(directory, "kernel"),
      options: { dumpFirst: true, isSnapshot: true },
    });
    rmSync(raw, { recursive: true });
    return saved;
  }

  depth(): { seconds: number; lost: number } {
    const { instance } = this.#session;
    const now = Number(this.#isFrozen ? this.#frozenNs : process.hrtime.bigint()) / 1e9;
    // As far back as every CPU that has anything reaches: what was overwritten on one is gone.
    const oldest = instance.cpus.map((cpu) => instance.oldestSeconds(cpu)).filter((seconds) => seconds > 0);
    const lost = instance.cpus.reduce((sum, cpu) => sum + instance.lost(cpu, false), 0);
    return { seconds: oldest.length === 0 ? 0 : Math.max(now - Math.max(...oldest), 0), lost };
  }

  async close(): Promise<void> {
    this.#session.close();
  }
}
