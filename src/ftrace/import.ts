/**
 * Recordings by other programs as CTF traces: each is converted once, and read as any other trace from then on.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataError, PeriscopeError } from "../base/errors.js";
import { version } from "../version.js";
import { cached } from "./cache.js";
import { convert } from "./convert.js";
import { isDatFile } from "./dat/file.js";
import { datRecordings } from "./dat/recording.js";
import { type Foreign, foreignRecording } from "./foreign.js";
import { isLiveTracefs, rawDirectory, rawPages } from "./raw-directory.js";
import { readRawRecording, spooledRecording } from "./raw-recording.js";

/** Raised whenever conversions come out differently. */
const FORM = 1;

/** One place where data are wrong. */
export interface ImportProblem {
  readonly file: string;
  readonly byteOffset: number;
  readonly reason: string;
}

export interface Imported {
  /** Directory above the CTF traces, one for each instance. */
  readonly path: string;
  readonly problems: readonly ImportProblem[];
  /** What a reader of the results must know. */
  readonly notes: readonly string[];
}

export type Kind = "dat" | "pages" | "spool";

/** What can be imported at `path` itself; undefined: nothing. */
export function importKind(path: string): Kind | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isFile()) return isDatFile(path) || path.endsWith(".dat") ? "dat" : undefined;
  if (!stat.isDirectory()) return undefined;
  if (isLiveTracefs(path) || rawPages(path).length > 0) return "pages";
  const isSpool = existsSync(join(path, "start.json")) && !existsSync(join(path, "metadata"));
  return isSpool ? "spool" : undefined;
}

/**
 * The pages of a recorder that was killed before it put them together lie beside the file that it would have made.
 * Answers what can be done, for `path` that is not there or empty.
 */
export function killedRecorder(path: string): PeriscopeError | undefined {
  const parts: string[] = [];
  for (let cpu = 0; existsSync(`${path}.cpu${cpu}`); cpu++) parts.push(`${path}.cpu${cpu}`);
  if (parts.length === 0) return undefined;
  return new PeriscopeError(
    `${path}: its recorder was killed before it wrote the file; make it of what is left by: trace-cmd restore -o ${path} ${parts.join(" ")}`,
  );
}

/** Throws `PeriscopeError` where nothing can be read. */
export function importTrace(path: string, kind: Kind): Imported {
  const real = realpathSync(path);
  const name = hash(real);
  const state = stateOf(real, kind);
  const directory = cached(name, hash(state), (into) => {
    try {
      const result = write(path, kind, `${real} ${state}`, into);
      writeFileSync(join(into, RESULT), JSON.stringify(result));
    } catch (error) {
      if (error instanceof PeriscopeError || !(error instanceof Error && "code" in error)) throw error;
      throw new PeriscopeError(
        `${path}: ${error.message}, while it was converted in ${into} (XDG_CACHE_HOME names another place)`,
      );
    }
  });
  const result = JSON.parse(readFileSync(join(directory, RESULT), "utf8")) as Omit<Imported, "path">;
  return { path: directory, ...result };
}

const RESULT = "import.json";

const hash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 20);

/** Changes when the recording does. */
function stateOf(path: string, kind: Kind): string {
  const of = (file: string) => {
    const { size, mtimeNs } = statSync(file, { bigint: true });
    return `${file} ${size} ${mtimeNs}`;
  };
  let files: string[];
  if (kind === "dat") files = [path];
  else if (kind === "spool") files = readdirSync(path).map((name) => join(path, name));
  else {
    const described = [
      "events/header_page",
      "events",
      "saved_cmdlines",
      "saved_tgids",
      "trace_clock",
      "uname",
    ];
    files = [...rawPages(path).map((one) => one.path), ...described.map((one) => join(path, one))];
  }
  return [`${version} ${FORM}`, ...files.filter((file) => existsSync(file)).map(of)].join("\n");
}

/** So many problems are told; the rest is counted. */
const MOST_PROBLEMS = 50;

function write(path: string, kind: Kind, identity: string, into: string): Omit<Imported, "path"> {
  if (kind === "spool") {
    const { addedSwitches } = convert(spooledRecording(readRawRecording(path)), join(into, "kernel"));
    return { problems: [], notes: addedNotes(path, addedSwitches) };
  }
  const problems: ImportProblem[] = [];
  const seen = new Set<string>();
  let more = 0;
  // Every reading finds the same ones.
  const tell = (error: DataError) => {
    if (seen.has(error.message)) return;
    if (problems.length >= MOST_PROBLEMS) {
      more++;
      return;
    }
    seen.add(error.message);
    problems.push({ file: error.file, byteOffset: error.byteOffset, reason: error.reason });
  };
  const instances = kind === "dat" ? datRecordings(path, tell) : [rawDirectory(path, tell)];
  const notes = writeInstances(instances, identity, into, tell);
  if (notes === undefined) {
    const { file, byteOffset, reason } = problems[0] ?? {
      file: path,
      byteOffset: 0,
      reason: "no event records, expected pages with some",
    };
    throw new DataError(file, byteOffset, reason);
  }
  if (more > 0) notes.push(`${path}: more places are damaged than the ${MOST_PROBLEMS} that are told`);
  return { problems, notes };
}

/** Answers notes; undefined: there are no event records at all. */
function writeInstances(
  instances: readonly Foreign[],
  identity: string,
  into: string,
  tell: (error: DataError) => void,
): string[] | undefined {
  const notes: string[] = [];
  let written = 0;
  for (const [i, instance] of instances.entries()) {
    const found = foreignRecording(instance, identity, tell);
    if (found === undefined) continue;
    const name = i === 0 ? "kernel" : `kernel-${i}-${instance.name.replace(/[^\w-]/g, "_").slice(0, 100)}`;
    const { isSnapshot } = found;
    const { addedSwitches } = convert(found.recording, join(into, name), { isSnapshot, everything: true });
    notes.push(...found.notes, ...addedNotes(instance.path, addedSwitches));
    written++;
  }
  return written === 0 ? undefined : notes;
}

function addedNotes(path: string, count = 0): string[] {
  return count === 0 ? [] : [`${path}: ${count} switches were not recorded and have been put in`];
}
