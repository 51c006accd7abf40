/** An experiment that is being looked at: its threads, and what was found of it so far. */
import { createHash } from "node:crypto";
import { basename, dirname, resolve } from "node:path";
import type { PeriodArguments } from "../periods/define.js";
import type { HistoryInfo, HistoryService, HistoryTask } from "./history-service.js";
import type { ReadingService, ReadingTask } from "./reading-service.js";
import { type Remote, ServiceThread } from "./remote.js";

export interface ExperimentOptions {
  readonly periods: PeriodArguments | undefined;
  /** Name of the profile that `periods` are from; "" none. */
  readonly profile: string;
  /** Folder of the profiles that come with Periscope. */
  readonly profiles: string;
  readonly noCache: boolean;
}

/** A UUID (version 8) made of what it names, so that links stay valid. */
export function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** A name that tells traces apart: LTTng's last folders are called `kernel`, `ust`, `64-bit`. */
export function nameOfPath(path: string): string {
  const whole = resolve(path);
  const last = basename(whole);
  return /^(kernel|ust|64-bit|32-bit|\d+)$/.test(last) ? `${basename(dirname(whole))}/${last}` : last;
}

export class OpenExperiment {
  readonly id: string;
  readonly paths: readonly string[];
  readonly #history: ServiceThread<HistoryService>;
  readonly #reading: ReadingTask;
  #reader: ServiceThread<ReadingService> | undefined;
  /** Settled when the periods are known, or none fit. */
  readonly periodsKnown: Promise<void>;
  #definitions: PeriodArguments | undefined;
  #info: HistoryInfo | undefined;

  constructor(
    paths: readonly string[],
    readonly name: string,
    { periods, profile, profiles, noCache }: ExperimentOptions,
  ) {
    this.paths = paths.map((path) => resolve(path));
    this.id = uuidOf(this.paths.join("\n"));
    const task: HistoryTask = { paths: this.paths, noCache };
    this.#history = new ServiceThread(new URL("./history-worker.js", import.meta.url), task);
    this.#reading = { paths: this.paths, periods, profile, profiles };
    this.periodsKnown = this.#findPeriods();
    this.periodsKnown.catch(() => {});
  }

  get history(): Remote<HistoryService> {
    return this.#history.service;
  }

  /** A reader for events and explanations, made when it is needed first. */
  async reader(): Promise<Remote<ReadingService>> {
    this.#reader ??= this.#readingThread();
    const { service } = this.#reader;
    await this.periodsKnown;
    await service.useDefinitions(this.#definitions);
    return service;
  }

  /** A reader that need not know about periods. */
  get eventReader(): Remote<ReadingService> {
    this.#reader ??= this.#readingThread();
    return this.#reader.service;
  }

  #readingThread(task: ReadingTask = this.#reading): ServiceThread<ReadingService> {
    return new ServiceThread(new URL("./reading-worker.js", import.meta.url), task);
  }

  async #findPeriods(): Promise<void> {
    // The history's thread starts alone: its pictures come first.
    await this.history.info(false);
    const thread = this.#readingThread({ ...this.#reading, background: true });
    try {
      const data = await thread.service.periods();
      this.#definitions = await thread.service.definitions();
      if (data !== undefined) await this.history.setPeriods(data);
    } finally {
      thread.close();
    }
  }

  /** Finds the instances of further periods, under a key of their own. Rejects for wrong definitions. */
  async addPeriods(definitions: PeriodArguments, key: string): Promise<void> {
    const thread = this.#readingThread({ ...this.#reading, periods: definitions, profile: "" });
    try {
      const data = await thread.service.periods();
      if (data !== undefined) await this.history.setPeriods(data, key);
    } finally {
      thread.close();
    }
  }

  /** What is known of it; kept once it is all read. Rejects where its traces cannot be read. */
  async info(): Promise<HistoryInfo> {
    if (this.#info !== undefined) return this.#info;
    const info = await this.history.info(true);
    if (info.complete) this.#info = info;
    return info;
  }

  close(): void {
    this.#history.close();
    this.#reader?.close();
  }
}
