/**
 * How `periscope snapshot` reaches a flight recorder: a Unix socket, one line of JSON each way. One request at a
 * time; the next one waits.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import type { FlightRecorder, SavedTrace } from "./recorder.js";

/** A trace, and who recorded it. */
export type Snapshot = SavedTrace & Pick<FlightRecorder, "backend">;

const DEFAULT_NAME = "recorder";
const NAME = /^[\w.-]+$/;

/** Where sockets are: for root below /run, for others in their own runtime directory. */
function socketDirectory(): string {
  if (process.getuid?.() === 0) return "/run/periscope";
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return join(runtime || join(tmpdir(), `periscope-${process.getuid?.() ?? 0}`), "periscope");
}

/** Throws `UsageError` for a name that cannot be a file's. */
export function socketPath(name: string | undefined): string {
  if (name !== undefined && !NAME.test(name)) {
    throw new UsageError(`--name: "${name}", expected letters, digits, ".", "-" and "_"`);
  }
  return join(socketDirectory(), `${name ?? DEFAULT_NAME}.sock`);
}

export type SnapshotAnswer =
  | {
      readonly saved: Omit<Snapshot, "beginNs" | "endNs"> & {
        readonly beginNs: string;
        readonly endNs: string;
      };
    }
  | { readonly error: string };

/** Answers requests with what `recorder` saves. Throws `PeriscopeError` where a recorder of that name runs already. */
export async function listenForSnapshots(path: string, recorder: FlightRecorder): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path)) {
    if (await isAlive(path)) {
      throw new PeriscopeError(`${path}: a flight recorder of that name runs; choose another --name`);
    }
    // Its recorder was killed.
    rmSync(path);
  }
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("data", (part: string) => {
      text += part;
      const end = text.indexOf("\n");
      if (end < 0) return;
      const line = text.slice(0, end);
      text = "";
      last = last.then(async () => {
        socket.end(`${JSON.stringify(await answer(line, recorder))}\n`);
      });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return server;
}

async function answer(line: string, recorder: FlightRecorder): Promise<SnapshotAnswer> {
  try {
    const { directory } = JSON.parse(line) as { directory?: unknown };
    if (typeof directory !== "string") return { error: 'expected {"directory": PATH}' };
    const saved = await recorder.save(directory);
    return {
      saved: {
        ...saved,
        backend: recorder.backend,
        beginNs: String(saved.beginNs),
        endNs: String(saved.endNs),
      },
    };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Asks the flight recorder for a trace in `directory`, an absolute path. Throws `PeriscopeError`. */
export function requestSnapshot(path: string, directory: string): Promise<Snapshot> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`${JSON.stringify({ directory })}\n`));
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.once("error", () => reject(new PeriscopeError(`no flight recorder at ${path}${others(path)}`)));
    socket.once("end", () => {
      if (text === "") return reject(new PeriscopeError(`${path}: the flight recorder ended`));
      const found = JSON.parse(text) as SnapshotAnswer;
      if ("error" in found) return reject(new PeriscopeError(found.error));
      const { beginNs, endNs } = found.saved;
      resolve({ ...found.saved, beginNs: BigInt(beginNs), endNs: BigInt(endNs) });
    });
  });
}

function others(path: string): string {
  const directory = dirname(path);
  const names = existsSync(directory)
    ? readdirSync(directory).flatMap((file) => (file.endsWith(".sock") ? [file.slice(0, -5)] : []))
    : [];
  // What was asked does not answer: its recorder was killed.
  const rest = names.filter((name) => name !== DEFAULT_NAME && name !== basename(path, ".sock"));
  if (rest.length > 0) return `; there is --name ${rest.join(", ")}`;
  return "; periscope record --flight-recorder starts one";
}
