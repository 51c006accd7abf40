/** Traces, experiments, bookmarks and configurations that clients of the protocol made. */
import { randomUUID } from "node:crypto";
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { PeriscopeError } from "../../base/errors.js";
import { type ExperimentOptions, OpenExperiment, uuidOf } from "../experiment.js";
import { HttpError, notFound } from "../http.js";
import type { ReadingService, TraceFacts } from "../reading-service.js";
import { ServiceThread } from "../remote.js";
import type { Configuration } from "./model.js";
import { Outputs } from "./outputs.js";

export interface TraceEntry {
  readonly uuid: string;
  readonly name: string;
  readonly path: string;
}

/** What reading a trace once tells. */
export interface EventRecords {
  readonly count: number;
  /** Of the first one, `ns` since the trace's origin; NaN: there is none. */
  readonly beginNs: number;
}

export interface Bookmark {
  readonly uuid: string;
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

export interface ExperimentEntry {
  readonly uuid: string;
  readonly name: string;
  readonly traces: readonly TraceEntry[];
  readonly open: OpenExperiment;
  readonly outputs: Outputs;
  readonly bookmarks: Map<string, Bookmark>;
}

const pathsOf = (traces: readonly TraceEntry[]): string => traces.map(({ path }) => path).join("\n");

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It is not there.
    return resolve(path);
  }
}

export class Registry {
  readonly traces = new Map<string, TraceEntry>();
  readonly experiments = new Map<string, ExperimentEntry>();
  /** By type, then id. */
  readonly configurations = new Map<string, Map<string, Configuration>>();
  /** By path: what was looked up once. */
  readonly #facts = new Map<string, Promise<TraceFacts>>();
  readonly #counts = new Map<string, EventRecords | "counting">();

  constructor(
    /** Folders and files that may be opened: these, and what lies below. */
    private readonly roots: readonly string[],
    private readonly options: ExperimentOptions,
  ) {}

  /** Whether a path may be opened: links count for where they lead. */
  isAllowed(path: string): boolean {
    const whole = realPath(path);
    return this.roots.some((root) => {
      const folder = realPath(root);
      return whole === folder || whole.startsWith(`${folder}/`);
    });
  }

  /** Takes a trace of a client, if it can be read. Rejects with `HttpError` 404, 406, 409. */
  async importTrace(path: string, name: string): Promise<TraceEntry> {
    const { entry, known } = this.#traceAt(path, name);
    if (known !== undefined) return known;
    const stat = statSync(entry.path);
    // Whoever opened a pipe would wait for its other end.
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new HttpError(406, "Cannot read this trace type", `${path}: neither a file nor a folder`);
    }
    try {
      await this.facts(entry);
    } catch (error) {
      if (!(error instanceof PeriscopeError)) throw error;
      throw new HttpError(406, "Cannot read this trace type", error.message);
    }
    return this.addTrace(path, name);
  }

  /** Throws `HttpError` 404, 409. */
  addTrace(path: string, name: string): TraceEntry {
    const { entry, known } = this.#traceAt(path, name);
    if (known !== undefined) return known;
    this.traces.set(entry.uuid, entry);
    return entry;
  }

  /** Throws `HttpError` 404, 409. */
  #traceAt(path: string, name: string): { entry: TraceEntry; known: TraceEntry | undefined } {
    const whole = resolve(path);
    if (!this.isAllowed(whole))
      throw new HttpError(404, "No trace at this path", `${path}: not below the folders that are served`);
    try {
      statSync(whole);
    } catch {
      throw new HttpError(404, "No trace at this path", path);
    }
    const uuid = uuidOf(`trace ${whole}`);
    const same = [...this.traces.values()].find((one) => one.name === name);
    if (same !== undefined && same.uuid !== uuid) {
      throw new HttpError(409, "There is another trace of this name", name, { trace: same.uuid });
    }
    return { entry: { uuid, name, path: whole }, known: this.traces.get(uuid) };
  }

  /** What a trace says of itself. Rejects with `PeriscopeError` where it cannot be read. */
  facts({ path }: TraceEntry): Promise<TraceFacts> {
    let facts = this.#facts.get(path);
    if (facts === undefined) {
      this.#facts.set(path, (facts = this.#reading(path, (service) => service.facts())));
      // It may be there, or whole, the next time.
      facts.catch(() => this.#facts.delete(path));
    }
    return facts;
  }

  /** The event records of a trace alone; undefined: they are being counted. */
  eventRecords({ path }: TraceEntry): EventRecords | undefined {
    const known = this.#counts.get(path);
    if (known === undefined) {
      this.#counts.set(path, "counting");
      this.#reading(path, (service) => service.events({ index: 0, count: 1 })).then(
        ({ total, lines }) => this.#counts.set(path, { count: total, beginNs: lines[0]?.ns ?? Number.NaN }),
        () => this.#counts.delete(path),
      );
    }
    return typeof known === "object" ? known : undefined;
  }

  /** Asks a thread that reads one trace, and ends it. */
  async #reading<T>(
    path: string,
    ask: (service: ServiceThread<ReadingService>["service"]) => Promise<T>,
  ): Promise<T> {
    const { periods, profile, profiles } = this.options;
    const thread = new ServiceThread<ReadingService>(new URL("./reading-worker.js", import.meta.url), {
      paths: [path],
      periods,
      profile,
      profiles,
    });
    try {
      return await ask(thread.service);
    } finally {
      thread.close();
    }
  }

  /** Throws `HttpError` 409 when it is in use, 404. */
  removeTrace(uuid: string): TraceEntry {
    const trace = this.trace(uuid);
    for (const { traces } of this.experiments.values()) {
      if (traces.includes(trace))
        throw new HttpError(409, "The trace is in use by an experiment", trace.name, { trace: uuid });
    }
    this.traces.delete(uuid);
    return trace;
  }

  trace(uuid: string): TraceEntry {
    const trace = this.traces.get(uuid);
    if (trace === undefined) throw notFound(`trace ${uuid}`);
    return trace;
  }

  /** Throws `HttpError` 409 when another has this name. */
  addExperiment(name: string, traces: readonly TraceEntry[]): ExperimentEntry {
    const same = [...this.experiments.values()].find((one) => one.name === name);
    if (same !== undefined) {
      if (pathsOf(same.traces) === pathsOf(traces)) return same;
      throw new HttpError(409, "There is another experiment of this name", name, { experiment: same.uuid });
    }
    const open = this.#open(name, traces);
    // The same as ever, so that links stay valid; unless an experiment has it that was changed since, or a twin.
    const uuid = [open.id, uuidOf(`${name}\n${pathsOf(traces)}`)].find((one) => !this.experiments.has(one));
    const entry: ExperimentEntry = {
      uuid: uuid ?? randomUUID(),
      name,
      traces,
      open,
      outputs: new Outputs(open),
      bookmarks: new Map(),
    };
    this.experiments.set(entry.uuid, entry);
    return entry;
  }

  /** The same traces under another name share what is built of them. */
  #open(name: string, traces: readonly TraceEntry[]): OpenExperiment {
    const paths = pathsOf(traces);
    const twin = [...this.experiments.values()].find((one) => pathsOf(one.traces) === paths);
    return (
      twin?.open ??
      new OpenExperiment(
        traces.map(({ path }) => path),
        name,
        this.options,
      )
    );
  }

  /** Renames an experiment, or gives it other traces. Throws `HttpError` 404, 409 when another has this name. */
  updateExperiment(uuid: string, name: string, traces: readonly TraceEntry[]): ExperimentEntry {
    const before = this.experiment(uuid);
    const same = [...this.experiments.values()].find((one) => one.name === name && one !== before);
    if (same !== undefined) {
      throw new HttpError(409, "There is another experiment of this name", name, { experiment: same.uuid });
    }
    const isSame = pathsOf(traces) === pathsOf(before.traces);
    const open = isSame ? before.open : this.#open(name, traces);
    const outputs = isSame ? before.outputs : new Outputs(open);
    const entry: ExperimentEntry = { ...before, name, traces, open, outputs };
    this.experiments.set(uuid, entry);
    this.#closeUnused(before);
    return entry;
  }

  #closeUnused({ open }: ExperimentEntry): void {
    if (![...this.experiments.values()].some((one) => one.open === open)) open.close();
  }

  experiment(uuid: string): ExperimentEntry {
    const experiment = this.experiments.get(uuid);
    if (experiment === undefined) throw notFound(`experiment ${uuid}`);
    return experiment;
  }

  removeExperiment(uuid: string): ExperimentEntry {
    const entry = this.experiment(uuid);
    this.experiments.delete(uuid);
    this.#closeUnused(entry);
    return entry;
  }

  close(): void {
    for (const { open } of this.experiments.values()) open.close();
    this.experiments.clear();
  }
}
