/** What recordings and flight recorders by tracefs share: an instance with events, and how it is emptied. */
import { closeSync, constants, mkdirSync, openSync, readFileSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type RawStart, SpoolWriter, spoolPath } from "../../ftrace/raw-recording.js";
import type { EventSelection } from "../recorder.js";
import { realtimeOffsetNs } from "./clock.js";
import { Instance, removeStale } from "./instance.js";
import { mountTracefs } from "./mount.js";
import { makeProbes } from "./probes.js";
import { selectEvents } from "./select.js";

export interface SessionOptions {
  readonly events: EventSelection;
  readonly bufferBytes: number;
  readonly hostName?: string | undefined;
  readonly say: (message: string) => void;
}

export class Session {
  readonly instance: Instance;
  /** Monotonic. */
  beginNs = 0n;
  readonly #release: () => void;
  readonly #formats: { system: string; text: string }[] = [];
  readonly #pages: { cpu: number; file: number }[] = [];
  readonly #page: Uint8Array;
  readonly #pageView: DataView;

  /** Throws `PeriscopeError` or `UsageError`, and leaves nothing behind then. */
  constructor(private readonly options: SessionOptions) {
    const { events, bufferBytes, say } = options;
    const { path: tracefs, release } = mountTracefs(say);
    this.#release = release;
    let instance: Instance | undefined;
    try {
      for (const name of removeStale(tracefs)) say(`${name}: removed, its recorder is gone`);
      const selected = selectEvents(tracefs, events);
      instance = new Instance(tracefs, { bufferBytes });
      this.instance = instance;
      this.#enable(tracefs, selected.events, selected.allSyscalls);
      for (const cpu of instance.cpus) {
        const path = join(instance.path, `per_cpu/cpu${cpu}/trace_pipe_raw`);
        this.#pages.push({ cpu, file: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) });
      }
    } catch (error) {
      this.#closePages();
      instance?.close();
      release();
      throw error;
    }
    this.#page = new Uint8Array(this.instance.layout.pageBytes);
    this.#pageView = new DataView(this.#page.buffer);
  }

  #enable(tracefs: string, events: readonly string[], allSyscalls: boolean): void {
    const { instance } = this;
    const probes = new Set(makeProbes(tracefs, instance.probeGroup, events));
    const enabled = events.map((event) => {
      const name = event.slice(event.indexOf("/") + 1);
      return probes.has(name) ? `${instance.probeGroup}/${name}` : event;
    });
    if (allSyscalls) {
      instance.put("events/syscalls/enable", "1");
      for (const name of probes) instance.put(`events/syscalls/${name}/enable`, "0");
    }
    for (const event of enabled) {
      const system = event.slice(0, event.indexOf("/"));
      if (!allSyscalls || system !== "syscalls") instance.put(`events/${event}/enable`, "1");
      this.#formats.push({ system, text: instance.get(`events/${event}/format`) });
    }
  }

  /** From now on events are recorded. */
  begin(): void {
    this.beginNs = process.hrtime.bigint();
    this.instance.turn(true);
  }

  /** What readers must know; `beginNs` is that of the trace. */
  start(beginNs: bigint): RawStart {
    const text = (path: string) => readFileSync(path, "utf8").trim();
    return {
      version: 1,
      layout: this.instance.layout,
      beginNs: String(beginNs),
      clockOffsetNs: String(realtimeOffsetNs()),
      bootId: text("/proc/sys/kernel/random/boot_id"),
      environment: {
        hostname: this.options.hostName ?? hostname(),
        domain: "kernel",
        sysname: "Linux",
        kernel_release: text("/proc/sys/kernel/osrelease"),
        kernel_version: text("/proc/sys/kernel/version"),
        // Whose events, fields and contexts these are: tools look at it before they read.
        tracer_name: "lttng-modules",
        tracer_major: 2,
        tracer_minor: 13,
        tracer_patchlevel: 0,
        trace_buffering_scheme: "global",
        trace_name: "periscope",
        recorded_by: "periscope, from tracefs",
      },
      events: this.#formats,
      cpus: this.instance.cpus,
    };
  }

  /** Spool files for all CPUs, in a directory that is made. */
  spools(directory: string): SpoolWriter[] {
    mkdirSync(directory, { recursive: true });
    return this.instance.cpus.map((cpu) => new SpoolWriter(spoolPath(directory, cpu)));
  }

  /**
   * Moves what the buffers hold into spool files. Unless `all`, a page that is hardly filled is the last one: the
   * kernel still writes to it. `newest`: what came before a gap is dropped, the page that had been taken out for
   * reading when the last snapshot was taken. Answers the bytes of the CPU that had most.
   */
  drain(spools: readonly SpoolWriter[], all: boolean, newest = false): number {
    const { commitOffset, commitSize, dataOffset } = this.instance.layout;
    let most = 0;
    this.#pages.forEach(({ file }, i) => {
      let bytes = 0;
      for (;;) {
        const read = readPage(file, this.#page);
        if (read === 0) break;
        const commit = this.#pageView.getUint32(commitOffset, true);
        const used = dataOffset + (commit & 0x3fff_ffff);
        // The number of lost records stands behind the data.
        const length = Math.min(commit & 0x8000_0000 ? used + commitSize : used, read);
        if (newest && commit & 0x8000_0000) spools[i]!.restart();
        spools[i]!.append(this.#page, length);
        bytes += length;
        if (!all && used < read / 2) break;
      }
      most = Math.max(most, bytes);
    });
    return most;
  }

  lost(withOverwritten: boolean): Record<number, number> {
    return Object.fromEntries(
      this.instance.cpus.map((cpu) => [cpu, this.instance.lost(cpu, withOverwritten)]),
    );
  }

  #closePages(): void {
    for (const { file } of this.#pages.splice(0)) closeSync(file);
  }

  close(): void {
    this.#closePages();
    this.instance.close();
    this.#release();
  }
}

/** Bytes of the page that was read; 0 when there is none. */
function readPage(file: number, page: Uint8Array): number {
  try {
    return readSync(file, page);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}
