/**
 * Packets of a live session on disk, as a CTF trace that the ordinary reader reads: what has come and was not read, and
 * of each stream the packet before (what was lost between two packets is known by both).
 */
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAll } from "../base/write-all.js";
import { Experiment } from "../ctf/experiment.js";
import type { DataStream } from "../ctf/stream/stream.js";
import type { LiveStream, LiveUpdate } from "./update.js";

const COPY_BYTES = 1 << 20;

export class LiveSpool {
  readonly directory = mkdtempSync(join(tmpdir(), "periscope-live-"));
  readonly #streams = new Map<number, LiveStream>();
  readonly #known = new Map<number, bigint>();
  #ended = false;
  /** Traces with packets but no metadata so far: nothing can be read before it comes. */
  readonly #withoutMetadata = new Set<number>();
  readonly #withMetadata = new Set<number>();
  /** The first packets' one is that of all later ones. */
  #originSeconds: bigint | undefined;

  apply(update: LiveUpdate): void {
    for (const stream of update.streams) {
      mkdirSync(this.#tracePath(stream.trace), { recursive: true });
      if (!stream.isMetadata) this.#streams.set(stream.id, stream);
    }
    for (const { trace, bytes } of update.metadata) {
      appendFileSync(join(this.#tracePath(trace), "metadata"), bytes);
      this.#withMetadata.add(trace);
      this.#withoutMetadata.delete(trace);
    }
    for (const { stream, bytes } of update.packets) {
      const known = this.#streams.get(stream)!;
      appendFileSync(this.#path(known), bytes);
      if (!this.#withMetadata.has(known.trace)) this.#withoutMetadata.add(known.trace);
    }
    for (const [stream, cycles] of update.known) this.#known.set(stream, cycles);
    for (const stream of update.closed) {
      this.#known.delete(stream);
      this.#streams.delete(stream);
    }
    if (update.ended) this.#ended = true;
  }

  #tracePath(trace: number): string {
    return join(this.directory, String(trace));
  }

  #path({ id, trace, channel }: LiveStream): string {
    return join(this.#tracePath(trace), `${channel.replace(/[^\w.-]/g, "_")}.${id}`);
  }

  /** Everything that is here, as an experiment; undefined while there is no packet. */
  open(): Experiment | undefined {
    if (this.#withMetadata.size === 0 || this.#withoutMetadata.size > 0) return undefined;
    const experiment = new Experiment([this.directory], { originSeconds: this.#originSeconds });
    if (!experiment.streams.some(({ packets }) => packets.count > 0)) return undefined;
    this.#originSeconds ??= experiment.originSeconds;
    return experiment;
  }

  /** Up to which moment (`ns` of the experiment, exclusive) no stream can bring anything any more. */
  safeNs(experiment: Experiment): number {
    if (this.#ended) return Number.POSITIVE_INFINITY;
    const byPath = new Map(
      experiment.streams.flatMap((one) => one.files.map(({ path }) => [path, one] as const)),
    );
    const any = experiment.streams.find(({ clock }) => clock !== undefined);
    let safe = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams.values()) {
      const cycles = this.#known.get(stream.id);
      // A stream without a packet has the clock of the others.
      const found = byPath.get(this.#path(stream)) ?? any;
      if (cycles === undefined || found?.clock === undefined) return Number.NEGATIVE_INFINITY;
      safe = Math.min(safe, experiment.toNs(found, Number(cycles - found.originCycles)));
    }
    return safe;
  }

  /** Forgets packets that end before `ns`, but for the last of each stream. */
  forget(experiment: Experiment, ns: number): void {
    for (const stream of experiment.streams) {
      const [file] = stream.files;
      if (file === undefined || stream.files.length > 1) continue;
      const cut = cutOf(experiment, stream, ns);
      if (cut > 0) dropHead(file.path, cut);
    }
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Bytes at the begin of the stream's file that are not needed any more. */
function cutOf(experiment: Experiment, stream: DataStream, ns: number): number {
  const { packets } = stream;
  let read = 0;
  while (read < packets.count && experiment.toNs(stream, packets.end[read]!) < ns) read++;
  return read < 2 ? 0 : packets.offset[read - 1]!;
}

function dropHead(path: string, bytes: number): void {
  const from = openSync(path, "r");
  const to = openSync(`${path}.new`, "w");
  const block = Buffer.allocUnsafe(COPY_BYTES);
  try {
    const { size } = statSync(path);
    for (let at = bytes; at < size; ) {
      const read = readSync(from, block, 0, block.length, at);
      if (read === 0) break;
      writeAll(to, block.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(from);
    closeSync(to);
  }
  renameSync(`${path}.new`, path);
}
