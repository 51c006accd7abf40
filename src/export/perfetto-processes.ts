/** Processes and threads by name, and the kernel, for Perfetto (`process_tree.proto`, `system_info.proto`). */
import { Doing } from "../history/doing.js";
import type { SourceInfo } from "../sources/source.js";
import { PACKET, type PerfettoPackets, SEQUENCE } from "./perfetto-packets.js";
import { epochNs, type Timeline } from "./timeline.js";
import { numberOn } from "./tracks.js";

const TREE = { process: 1, thread: 2 };
const PROCESS = { pid: 1, parent: 2, commandLine: 3 };
const THREAD = { tid: 1, name: 2, process: 3 };
const SYSTEM = { names: 1 };
const NAMES = { system: 1, version: 2, release: 3 };

/** What states of threads mean depends on the kernel's version. */
export function writeSystem({ traces }: SourceInfo, packets: PerfettoPackets): void {
  const environment = traces.find(({ domain }) => domain !== "ust")?.environment;
  const release = environment?.get("kernel_release");
  if (environment === undefined || release === undefined) return;
  const { out } = packets;
  const packet = packets.begin(SEQUENCE.global);
  const system = out.begin(PACKET.system);
  const names = out.begin(SYSTEM.names);
  out.string(NAMES.system, String(environment.get("sysname") ?? "Linux"));
  out.string(NAMES.version, String(environment.get("kernel_version") ?? ""));
  out.string(NAMES.release, String(release));
  out.end(names);
  out.end(system);
  packets.end(packet);
}

/** All who were there from the beginning in one tree; each who is born later in one of its birth. */
export function writeProcesses(timeline: Timeline, packets: PerfettoPackets): void {
  const { history, range } = timeline;
  const old: number[] = [];
  const born: number[] = [];
  for (const row of history.rows) {
    if (row.kind !== "thread" || row.length === 0 || row.ns[0]! > range.endNs) continue;
    const wasBorn = row.doing[0] === Doing.none && row.ns[0]! >= range.beginNs;
    (wasBorn ? born : old).push(row.id);
  }
  const told = new Set<number>();
  writeTree(timeline, packets, old, range.beginNs, told);
  for (const id of born) {
    const { pid, tid } = history.names[id]!;
    // A process that is born may have the number of one that is gone.
    if (pid < 0 || pid === tid) told.delete(processOf(timeline, id));
    // After the event record of its birth, which has the same moment.
    writeTree(timeline, packets, [id], history.rows[id]!.ns[0]! + 1, told);
  }
}

/** The number of a thread's process, unique over all hosts. */
function processOf({ history }: Timeline, row: number): number {
  const { tid, pid } = history.names[row]!;
  return numberOn(history.rows[row]!.host, pid >= 0 ? pid : tid);
}

/** `told`: processes that need no description any more. */
function writeTree(
  timeline: Timeline,
  packets: PerfettoPackets,
  rows: readonly number[],
  ns: number,
  told: Set<number>,
): void {
  const { history } = timeline;
  const { out } = packets;
  const packet = packets.begin(SEQUENCE.global);
  out.integer(PACKET.timestamp, epochNs(timeline, ns));
  const tree = out.begin(PACKET.processTree);
  for (const id of rows) {
    const { host } = history.rows[id]!;
    const { tid, label, process, parent } = history.names[id]!;
    const number = processOf(timeline, id);
    if (!told.has(number)) {
      const one = out.begin(TREE.process);
      out.integer(PROCESS.pid, number);
      const above = parent < 0 ? -1 : history.names[parent]!.pid;
      if (above > 0) out.integer(PROCESS.parent, numberOn(host, above));
      out.string(PROCESS.commandLine, process || label);
      out.end(one);
      told.add(number);
    }
    const one = out.begin(TREE.thread);
    out.integer(THREAD.tid, numberOn(host, tid));
    out.string(THREAD.name, label);
    out.integer(THREAD.process, number);
    out.end(one);
  }
  out.end(tree);
  packets.end(packet);
}
