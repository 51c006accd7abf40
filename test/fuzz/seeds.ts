/** Small traces to begin with: real ones, cut where they are large, and random ones. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildTrace } from "../property/build.js";
import { root } from "../support.js";

export interface Seed {
  readonly name: string;
  /** By path below the trace's directory; one is `metadata`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const mostMetadata = 24_000;
const mostData = 1_500;
const mostFiles = 3;

/** All seeds, in a fixed order. `scratch`: a directory for the random ones. */
export function collectSeeds(scratch: string): Seed[] {
  const seeds: Seed[] = [];
  for (const place of ["samples", ".cache/traces/ctf-public", ".cache/traces/ust"]) {
    const path = join(root, place);
    if (existsSync(path)) collect(path, place, seeds);
  }
  for (let seed = 1; seed <= 40; seed++) {
    const path = join(scratch, String(seed));
    buildTrace(path, seed, seed % 2 === 0 ? "tsdl" : "json");
    collect(path, `random ${seed}`, seeds);
  }
  return seeds;
}

function collect(directory: string, name: string, seeds: Seed[]): void {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name !== "index") {
      collect(join(directory, entry.name), `${name}/${entry.name}`, seeds);
    }
  }
  const metadata = join(directory, "metadata");
  if (!existsSync(metadata) || !statSync(metadata).isFile()) return;
  const files = new Map<string, Uint8Array>([["metadata", readFileSync(metadata)]]);
  if (files.get("metadata")!.length > mostMetadata) return;
  for (const entry of entries) {
    if (!entry.isFile() || entry.name === "metadata" || entry.name.startsWith(".")) continue;
    if (files.size > mostFiles) break;
    const bytes = readFileSync(join(directory, entry.name));
    if (bytes.length === 0) continue;
    files.set(entry.name, bytes.subarray(0, mostData));
    const index = join(directory, "index", `${entry.name}.idx`);
    if (bytes.length <= mostData && existsSync(index)) {
      files.set(`index/${entry.name}.idx`, readFileSync(index));
    }
  }
  seeds.push({ name, files });
}
