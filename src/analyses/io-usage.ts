/** Who moves how many bytes: by process, file, peer, disk and network interface. */

import { type Disk, deviceNumbers, type Request } from "../kernel/block.js";
import type { NetInterface } from "../kernel/net.js";
import type { FileEntry, FileKind, Thread } from "../kernel/state.js";
import {
  type Cell,
  type Column,
  duration,
  hostOf,
  number,
  processCell,
  size,
  type Table,
  type TableClass,
  type ThreadRef,
  text,
  threadRef,
} from "./table.js";

/** Bytes by where they went. */
export interface Bytes {
  readonly diskBytes: number;
  readonly networkBytes: number;
  /** Pipes, devices, and descriptors of which nothing is known. */
  readonly otherBytes: number;
}

export interface ThreadUsage {
  readonly thread: ThreadRef;
  readonly read: Bytes;
  readonly write: Bytes;
}

export interface FileUsage {
  readonly host: number;
  /** Of what has no name of its own (pipes, sockets, unknown descriptors), with the process's name behind it. */
  readonly path: string;
  readonly kind: FileKind;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly owners: readonly { readonly fd: number; readonly name: string; readonly pid: number }[];
}

export interface PeerUsage {
  readonly host: number;
  /** Address and port that was called, or the address of callers. */
  readonly peer: string;
  readonly side: "client" | "server";
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly calls: number;
}

export interface BlockUsage {
  readonly thread: ThreadRef;
  readonly readBytes: number;
  readonly writeBytes: number;
}

export interface DiskUsage {
  readonly host: number;
  readonly disk: string;
  readonly sectors: number;
  readonly requests: number;
  readonly totalNs: number;
  readonly flushes: number;
  readonly discardBytes: number;
}

export interface InterfaceUsage {
  readonly host: number;
  readonly name: string;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
}

/** Tables by reads and by writes have their own order, each at most `limit` rows. */
export interface UsageResult {
  readonly threadsByRead: readonly ThreadUsage[];
  readonly threadsByWrite: readonly ThreadUsage[];
  readonly filesByRead: readonly FileUsage[];
  readonly filesByWrite: readonly FileUsage[];
  readonly peers: readonly PeerUsage[];
  readonly blockByRead: readonly BlockUsage[];
  readonly blockByWrite: readonly BlockUsage[];
  readonly disks: readonly DiskUsage[];
  readonly interfaces: readonly InterfaceUsage[];
}

interface FileSums {
  readBytes: number;
  writeBytes: number;
  calls: number;
  readonly fds: Set<number>;
}

interface ThreadSums {
  readonly thread: Thread;
  readonly files: Map<FileEntry, FileSums>;
}

const OWNERS_TOLD = 20;

/** What a file is called: sockets without a peer by their family, the nameless `unknown`. */
export function fileName(file: FileEntry): string {
  if (file.kind !== "socket") return file.name === "" ? "unknown" : file.name;
  if (file.name === "") return "unknown";
  if (file.name === "unconnected") return "socket";
  return /^(unix|netlink|family \d+)$/.test(file.name) ? `socket (${file.name})` : file.name;
}

/** Names that many processes use for different things. */
function isShared(name: string): boolean {
  return /^(pipe|socket|anon_inode|unknown)/.test(name);
}

export class Usage {
  readonly #threads = new Map<Thread, ThreadSums>();
  readonly #block = new Map<Thread, { readBytes: number; writeBytes: number }>();
  readonly #disks = new Map<Disk, { -readonly [K in keyof DiskUsage]: DiskUsage[K] }>();
  readonly #interfaces = new Map<
    NetInterface,
    { -readonly [K in keyof InterfaceUsage]: InterfaceUsage[K] }
  >();
  #last: ThreadSums | undefined;

  /** A call of `thread` moved bytes (0 when it failed). */
  moved(thread: Thread, file: FileEntry, fd: number, bytes: number, write: boolean): void {
    let own = this.#last;
    if (own === undefined || own.thread !== thread) {
      own = this.#threads.get(thread);
      if (own === undefined) {
        own = { thread, files: new Map() };
        this.#threads.set(thread, own);
      }
      this.#last = own;
    }
    let sums = own.files.get(file);
    if (sums === undefined) {
      sums = { readBytes: 0, writeBytes: 0, calls: 0, fds: new Set() };
      own.files.set(file, sums);
    }
    sums.calls++;
    if (write) sums.writeBytes += bytes;
    else sums.readBytes += bytes;
    if (fd >= 0 && sums.fds.size < OWNERS_TOLD) sums.fds.add(fd);
  }

  /** A request to a disk is done. */
  completed(request: Request, ns: number): void {
    const { disk, kind, bytes } = request;
    const { host } = disk;
    let sums = this.#disks.get(disk);
    if (sums === undefined) {
      const name = host.diskNames.get(disk.dev) ?? `(${deviceNumbers(disk.dev).replace(":", ",")})`;
      const none = { sectors: 0, requests: 0, totalNs: 0, flushes: 0, discardBytes: 0 };
      sums = { host: host.index, disk: name, ...none };
      this.#disks.set(disk, sums);
    }
    if (kind === "flush") {
      sums.flushes++;
      return;
    }
    sums.requests++;
    sums.sectors += bytes / 512;
    sums.totalNs += ns - request.issueNs;
    if (kind === "discard") {
      sums.discardBytes += bytes;
      return;
    }
    const { thread } = request;
    if (thread === undefined) return;
    let block = this.#block.get(thread);
    if (block === undefined) {
      block = { readBytes: 0, writeBytes: 0 };
      this.#block.set(thread, block);
    }
    if (kind === "write") block.writeBytes += bytes;
    else block.readBytes += bytes;
  }

  packet(device: NetInterface, bytes: number, sent: boolean): void {
    let sums = this.#interfaces.get(device);
    if (sums === undefined) {
      const none = { receivedBytes: 0, receivedPackets: 0, sentBytes: 0, sentPackets: 0 };
      sums = { host: device.host.index, name: device.name, ...none };
      this.#interfaces.set(device, sums);
    }
    if (sent) {
      sums.sentBytes += bytes;
      sums.sentPackets++;
    } else {
      sums.receivedBytes += bytes;
      sums.receivedPackets++;
    }
  }

  result(limit: number): UsageResult {
    const most = limit > 0 ? limit : undefined;
    function top<T>(rows: readonly T[], value: (row: T) => number, zeros = false): T[] {
      const kept = zeros ? [...rows] : rows.filter((row) => value(row) > 0);
      return kept.sort((a, b) => value(b) - value(a)).slice(0, most);
    }
    const all = (bytes: Bytes) => bytes.diskBytes + bytes.networkBytes + bytes.otherBytes;
    const threads = [...this.#threads.values()].map((own) => this.#thread(own));
    const { files, peers } = this.#files();
    const block = [...this.#block].map(([thread, bytes]) => ({ thread: threadRef(thread), ...bytes }));
    return {
      threadsByRead: top(threads, (row) => all(row.read), true),
      threadsByWrite: top(threads, (row) => all(row.write), true),
      filesByRead: top(files, (row) => row.readBytes),
      filesByWrite: top(files, (row) => row.writeBytes),
      peers: top(peers, (row) => row.readBytes + row.writeBytes),
      blockByRead: top(block, (row) => row.readBytes),
      blockByWrite: top(block, (row) => row.writeBytes),
      disks: [...this.#disks.values()],
      interfaces: [...this.#interfaces.values()],
    };
  }

  #thread({ thread, files }: ThreadSums): ThreadUsage {
    const read = { diskBytes: 0, networkBytes: 0, otherBytes: 0 };
    const write = { diskBytes: 0, networkBytes: 0, otherBytes: 0 };
    for (const [{ kind }, sums] of files) {
      const where = kind === "file" ? "diskBytes" : kind === "socket" ? "networkBytes" : "otherBytes";
      read[where] += sums.readBytes;
      write[where] += sums.writeBytes;
    }
    return { thread: threadRef(thread), read, write };
  }

  /** Descriptors belong to processes, which are told by their leader. */
  #owner(thread: Thread): ThreadRef {
    if (thread.pid === -1 || thread.tid === thread.pid) return threadRef(thread);
    const leader = thread.host.find(thread.pid);
    return leader?.process === thread.process && leader.name !== ""
      ? threadRef(leader)
      : { ...threadRef(thread), tid: thread.pid };
  }

  #files(): { files: FileUsage[]; peers: PeerUsage[] } {
    const files = new Map<string, FileUsage & { owners: { fd: number; name: string; pid: number }[] }>();
    const peers = new Map<string, PeerUsage>();
    for (const { thread, files: own } of this.#threads.values()) {
      const owner = this.#owner(thread);
      for (const [file, { readBytes, writeBytes, calls, fds }] of own) {
        const plain = fileName(file);
        const path = isShared(plain) ? `${plain} (${owner.name})` : plain;
        const key = `${owner.host} ${path}`;
        const before = files.get(key);
        const owners = before?.owners ?? [];
        const pid = owner.pid ?? owner.tid;
        for (const fd of fds) {
          if (owners.length < OWNERS_TOLD && !owners.some((o) => o.fd === fd && o.pid === pid))
            owners.push({ fd, name: owner.name, pid });
        }
        files.set(key, {
          host: owner.host,
          path,
          kind: file.kind,
          readBytes: readBytes + (before?.readBytes ?? 0),
          writeBytes: writeBytes + (before?.writeBytes ?? 0),
          owners,
        });
        if (!plain.includes(":") || (file.side !== "client" && file.side !== "server")) continue;
        // Callers come from ever new ports.
        const peer = file.side === "server" ? plain.replace(/:\d+$/, "") : plain;
        const peerKey = `${owner.host} ${file.side} ${peer}`;
        const known = peers.get(peerKey);
        peers.set(peerKey, {
          host: owner.host,
          peer,
          side: file.side,
          readBytes: readBytes + (known?.readBytes ?? 0),
          writeBytes: writeBytes + (known?.writeBytes ?? 0),
          calls: calls + (known?.calls ?? 0),
        });
      }
    }
    return { files: [...files.values()], peers: [...peers.values()] };
  }
}

export const usageClasses = {
  "per-process-top": {
    title: "Per-process top I/O operations",
    columns: [
      { title: "Process", class: "process" },
      { title: "Total operations size", class: "size" },
      { title: "Disk operations size", class: "size" },
      { title: "Network operations size", class: "size" },
      { title: "Unknown operations size", class: "size" },
    ],
  },
  "per-file-top": {
    title: "Per-file top I/O operations",
    columns: [
      { title: "File path/info", class: "path" },
      { title: "Operations size", class: "size" },
      { title: "File descriptor owners", class: "string" },
    ],
  },
  "per-process-top-block": {
    title: "Per-process top block I/O operations",
    columns: [
      { title: "Process", class: "process" },
      { title: "Operations size", class: "size" },
    ],
  },
  "per-disk-top-sector": {
    title: "Per-disk top sector I/O operations",
    columns: [
      { title: "Disk", class: "disk" },
      { title: "Sector count", class: "number", unit: "sectors" },
    ],
  },
  "per-disk-top-request": {
    title: "Per-disk top I/O requests",
    columns: [
      { title: "Disk", class: "disk" },
      { title: "Request count", class: "number", unit: "I/O requests" },
    ],
  },
  "per-disk-top-rps": {
    title: "Per-disk top I/O request time/sector",
    columns: [
      { title: "Disk", class: "disk" },
      { title: "Request time/sector", class: "duration" },
    ],
  },
  "per-netif-top": {
    title: "Per-network interface top I/O operations",
    columns: [
      { title: "Network interface", class: "netif" },
      { title: "Operations size", class: "size" },
    ],
  },
} as const satisfies Record<string, TableClass>;

function barTable(
  name: keyof typeof usageClasses,
  which: string,
  heading: string,
  texts: readonly (string | undefined)[],
  rows: Cell[][],
): Table {
  const { title, columns } = usageClasses[name];
  return {
    class: name,
    ...(which === "" ? {} : { title: `${title} [${which}]` }),
    heading,
    view: { kind: "bars", value: 1 },
    // Of a narrow terminal the parts of the size are left out, not what they are of.
    columns: columns.map((lami, i): Column => ({ lami, text: texts[i], drop: i < 2 ? 0 : i })),
    rows,
  };
}

/** The eleven tables of the reference, in its order, and the peers of sockets. */
export function usageTables(usage: UsageResult, hosts: readonly string[]): Table[] {
  const threads = (rows: readonly ThreadUsage[], side: "read" | "write"): Cell[][] =>
    rows.map((row) => {
      const { diskBytes, networkBytes, otherBytes } = row[side];
      const total = diskBytes + networkBytes + otherBytes;
      return [
        processCell(hosts, row.thread),
        size(total),
        size(diskBytes),
        size(networkBytes),
        size(otherBytes),
      ];
    });
  const files = (rows: readonly FileUsage[], side: "readBytes" | "writeBytes"): Cell[][] =>
    rows.map((row) => [
      { class: "path", path: row.path, ...hostOf(hosts, row.host) },
      size(row[side]),
      text(row.owners.map(({ fd, name, pid }) => `fd ${fd} in ${name} (${pid})`).join(", ")),
    ]);
  const block = (rows: readonly BlockUsage[], side: "readBytes" | "writeBytes"): Cell[][] =>
    rows.map((row) => [processCell(hosts, row.thread), size(row[side])]);
  const byDisk = (value: (disk: DiskUsage) => number, cell: (value: number) => Cell): Cell[][] =>
    [...usage.disks]
      .filter((disk) => disk.requests > 0)
      .sort((a, b) => value(b) - value(a))
      .map((disk) => [{ class: "disk", name: disk.disk, ...hostOf(hosts, disk.host) }, cell(value(disk))]);
  const byInterface = (side: "receivedBytes" | "sentBytes"): Cell[][] =>
    [...usage.interfaces]
      .sort((a, b) => b[side] - a[side])
      .map((row) => [{ class: "netif", name: row.name, ...hostOf(hosts, row.host) }, size(row[side])]);
  const process = ["Process", "Size", "Disk", "Net", "Other"];
  const tables = [
    barTable(
      "per-process-top",
      "read",
      "Per-process I/O Read",
      process,
      threads(usage.threadsByRead, "read"),
    ),
    barTable(
      "per-process-top",
      "written",
      "Per-process I/O Write",
      process,
      threads(usage.threadsByWrite, "write"),
    ),
    barTable(
      "per-file-top",
      "read",
      "Per-file I/O Read",
      ["Path", "Size"],
      files(usage.filesByRead, "readBytes"),
    ),
    barTable(
      "per-file-top",
      "written",
      "Per-file I/O Write",
      ["Path", "Size"],
      files(usage.filesByWrite, "writeBytes"),
    ),
    barTable(
      "per-process-top-block",
      "read",
      "Block I/O Read",
      process,
      block(usage.blockByRead, "readBytes"),
    ),
    barTable(
      "per-process-top-block",
      "written",
      "Block I/O Write",
      process,
      block(usage.blockByWrite, "writeBytes"),
    ),
    barTable(
      "per-disk-top-sector",
      "",
      "Disk Requests Sector Count",
      ["Disk", "Sectors"],
      byDisk((d) => d.sectors, number),
    ),
    barTable(
      "per-disk-top-request",
      "",
      "Disk Request Count",
      ["Disk", "Requests"],
      byDisk((d) => d.requests, number),
    ),
    barTable(
      "per-disk-top-rps",
      "",
      "Disk Request Average Latency",
      ["Disk", "Latency"],
      byDisk((d) => d.totalNs / d.requests, duration),
    ),
    barTable(
      "per-netif-top",
      "received",
      "Network Received Bytes",
      ["Interface", "Size"],
      byInterface("receivedBytes"),
    ),
    barTable("per-netif-top", "sent", "Network Sent Bytes", ["Interface", "Size"], byInterface("sentBytes")),
  ];
  tables.push({
    class: undefined,
    heading: "Network I/O by peer",
    view: { kind: "table" },
    columns: ["Peer", "", "Read", "Written", "Calls"].map((title) => ({ lami: undefined, text: title })),
    rows: usage.peers.map((row) => [
      { class: "path", path: row.peer, ...hostOf(hosts, row.host) },
      text(row.side === "client" ? "called" : "caller"),
      size(row.readBytes),
      size(row.writeBytes),
      number(row.calls),
    ]),
  });
  return tables;
}
