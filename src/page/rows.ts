/** Which rows are shown, in which order: groups of CPUs, disks and processes, searched, filtered and sorted. */
import type { RowInfo } from "./contract.js";

export type Sort = "activity" | "name" | "tid";

/** How tall rows are: with words, without, or so low that all of them are seen. */
export const ROW_SIZES = ["tall", "low", "all"] as const;
export type RowSize = (typeof ROW_SIZES)[number];

export interface RowChoice {
  /** Words that names, numbers or processes must contain. */
  readonly filter: string;
  readonly sort: Sort;
  /** Leave out threads that were never on a CPU. */
  readonly hideIdle: boolean;
  readonly pinned: ReadonlySet<number>;
  readonly collapsed: ReadonlySet<string>;
}

export interface DisplayLine {
  /** Groups have a key to fold them; rows have none. */
  readonly group?: string;
  readonly row?: RowInfo;
  readonly label: string;
  readonly detail: string;
  readonly depth: number;
  readonly activeNs: number;
}

/** The lines of the picture from the top down. */
export function displayLines(rows: readonly RowInfo[], hosts: number, choice: RowChoice): DisplayLine[] {
  const lines: DisplayLine[] = [];
  const wanted = wantedBy(choice.filter);
  const pinned = rows.filter(({ id }) => choice.pinned.has(id));
  if (pinned.length > 0) section(lines, "pinned", "Pinned", pinned, hosts, choice);
  const cpus = rows
    .filter((row) => row.kind === "cpu")
    .sort((a, b) => a.host.localeCompare(b.host) || a.tid - b.tid);
  if (choice.filter === "" || cpus.some(wanted)) {
    section(lines, "cpus", "CPUs", choice.filter === "" ? cpus : cpus.filter(wanted), hosts, choice);
  }
  const disks = rows.filter(
    (row) => row.kind === "disk" && wanted(row) && (row.activeNs > 0 || !choice.hideIdle),
  );
  if (disks.length > 0) section(lines, "disks", "Disks", disks, hosts, choice);
  const threads = rows.filter(
    (row) => row.kind === "thread" && wanted(row) && (row.activeNs > 0 || !choice.hideIdle),
  );
  for (const group of processes(threads, hosts, choice.sort)) {
    const { key, label, detail, members } = group;
    // A process of one thread needs no heading.
    if (members.length === 1) lines.push(lineOf(members[0]!, 0, hosts));
    else section(lines, key, label, members, 1, choice, detail);
  }
  return lines;
}

function section(
  lines: DisplayLine[],
  key: string,
  label: string,
  members: readonly RowInfo[],
  /** More than one: rows tell theirs. */
  hosts: number,
  { collapsed }: RowChoice,
  detail = `${members.length}`,
): void {
  const activeNs = members.reduce((sum, row) => sum + row.activeNs, 0);
  lines.push({ group: key, label, detail, depth: 0, activeNs });
  if (collapsed.has(key)) return;
  for (const row of members) lines.push(lineOf(row, 1, hosts));
}

function lineOf(row: RowInfo, depth: number, hosts: number): DisplayLine {
  const where = hosts > 1 ? ` · ${row.host}` : "";
  const detail = row.kind === "thread" ? `${row.tid}${where}` : where.slice(3);
  return { row, label: row.label || "?", detail, depth, activeNs: row.activeNs };
}

interface ProcessGroup {
  readonly key: string;
  readonly label: string;
  readonly detail: string;
  readonly members: readonly RowInfo[];
  readonly activeNs: number;
}

/** Threads by process; processes of a container keep together behind its name. */
function processes(threads: readonly RowInfo[], hosts: number, sort: Sort): ProcessGroup[] {
  const groups = new Map<string, RowInfo[]>();
  for (const row of threads) {
    const key = `${row.host} ${row.container} ${row.pid < 0 ? `t${row.tid}` : row.pid}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const order = compareBy(sort);
  const found = [...groups].map(([key, members]): ProcessGroup => {
    const { process, pid, host, container, label } = members[0]!;
    const inside = container === "" ? "" : ` · container ${container}`;
    return {
      key,
      label: process || label || "?",
      detail: `${pid}${inside}${hosts > 1 ? ` · ${host}` : ""}`,
      members: members.sort(order),
      activeNs: members.reduce((sum, row) => sum + row.activeNs, 0),
    };
  });
  const byContainer = (a: ProcessGroup, b: ProcessGroup): number =>
    a.members[0]!.container.localeCompare(b.members[0]!.container);
  return found.sort((a, b) => {
    if (sort === "activity") return b.activeNs - a.activeNs;
    if (sort === "name") return byContainer(a, b) || a.label.localeCompare(b.label);
    return a.members[0]!.pid - b.members[0]!.pid;
  });
}

function compareBy(sort: Sort): (a: RowInfo, b: RowInfo) => number {
  if (sort === "activity") return (a, b) => b.activeNs - a.activeNs;
  if (sort === "name") return (a, b) => a.label.localeCompare(b.label) || a.tid - b.tid;
  return (a, b) => a.tid - b.tid;
}

/** All words must occur; a word that begins with `-` must not. */
function wantedBy(filter: string): (row: RowInfo) => boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => {
    const text =
      `${row.label} ${row.tid} ${row.pid} ${row.process} ${row.container} ${row.host} ${row.kind}`.toLowerCase();
    return words.every((word) =>
      word.startsWith("-") ? !text.includes(word.slice(1)) : text.includes(word),
    );
  };
}
