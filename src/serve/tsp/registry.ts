/** Traces, experiments, bookmarks and configurations that clients of the protocol made. */
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type ExperimentOptions, OpenExperiment, uuidOf } from "../experiment.js";
import { HttpError, notFound } from "../http.js";
import type { Configuration } from "./model.js";
import { Outputs } from "./outputs.js";

export interface TraceEntry {
  readonly uuid: string;
  readonly name: string;
  readonly path: string;
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

  /** Throws `HttpError` 404, 409. The flag tells whether it is new. */
  addTrace(path: string, name: string): TraceEntry {
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
    const known = this.traces.get(uuid);
    if (known !== undefined) return known;
    const entry = { uuid, name, path: whole };
    this.traces.set(uuid, entry);
    return entry;
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
    const paths = traces.map(({ path }) => path);
    const same = [...this.experiments.values()].find((one) => one.name === name);
    if (same !== undefined) {
      if (same.traces.map(({ path }) => path).join("\n") === paths.join("\n")) return same;
      throw new HttpError(409, "There is another experiment of this name", name, { experiment: same.uuid });
    }
    // The same traces under another name share what is built of them.
    const twin = [...this.experiments.values()].find(
      ({ open }) => open.paths.join("\n") === paths.join("\n"),
    );
    const open = twin?.open ?? new OpenExperiment(paths, name, this.options);
    const entry: ExperimentEntry = {
      uuid: twin === undefined ? open.id : uuidOf(`${name}\n${paths.join("\n")}`),
      name,
      traces,
      open,
      outputs: new Outputs(open),
      bookmarks: new Map(),
    };
    this.experiments.set(entry.uuid, entry);
    return entry;
  }

  experiment(uuid: string): ExperimentEntry {
    const experiment = this.experiments.get(uuid);
    if (experiment === undefined) throw notFound(`experiment ${uuid}`);
    return experiment;
  }

  removeExperiment(uuid: string): ExperimentEntry {
    const entry = this.experiment(uuid);
    this.experiments.delete(uuid);
    if (![...this.experiments.values()].some(({ open }) => open === entry.open)) entry.open.close();
    return entry;
  }

  close(): void {
    for (const { open } of this.experiments.values()) open.close();
    this.experiments.clear();
  }
}
