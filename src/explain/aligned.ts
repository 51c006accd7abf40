/** Opens traces of several hosts so that their clocks agree. */
import { type CtfSource, openSource } from "../sources/ctf.js";
import { type ClockDifference, clockDifferences, corrections } from "./clock-alignment.js";

export interface AlignedTraces {
  /** Opens the same traces anew; a source is read once. */
  readonly open: () => CtfSource;
  /** What was found between clocks, and corrected; empty where there is one host. */
  readonly differences: readonly ClockDifference[];
  /** Names of hosts whose clocks could not be compared with others. */
  readonly unaligned: readonly string[];
}

/** Reads traces of several hosts once for the packets between them. Throws when a path has no traces. */
export function alignedTraces(paths: readonly string[]): AlignedTraces {
  const source = openSource(paths);
  const { hosts } = source.info;
  if (hosts.length < 2)
    return { open: reuse(source, () => openSource(paths)), differences: [], unaligned: [] };
  const differences = clockDifferences(source);
  const clocks = corrections(source, differences);
  const known = new Set(differences.map(({ host }) => host));
  return {
    open: () => openSource(paths, { clocks }),
    differences,
    unaligned: hosts.filter((_, i) => i > 0 && !known.has(i)).map(({ name }) => name),
  };
}

/** Opens `first` for nothing: it is open already, and has not been read. */
export function reuse(first: CtfSource, open: () => CtfSource): () => CtfSource {
  let left: CtfSource | undefined = first;
  return () => {
    const source = left ?? open();
    left = undefined;
    return source;
  };
}
