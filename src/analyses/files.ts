/**
 * What processes read and write through descriptors: by process and by file. Bytes are what the calls
 * returned; failed calls count no bytes. Descriptors opened before the trace count like all others.
 */

import type { KernelModel } from "../kernel/model.js";
import type { FileEntry, FileKind, Thread } from "../kernel/state.js";
import { byProcess, type ProcessRef, type Range, type Ranked, ranked } from "./common.js";

export interface IoSums {
  diskReadBytes: number;
  diskWriteBytes: number;
  networkReadBytes: number;
  networkWriteBytes: number;
  /** Pipes, devices, and descriptors of which nothing is known. */
  otherReadBytes: number;
  otherWriteBytes: number;
  /** Time inside the calls on files. */
  diskReadNs: number;
  diskWriteNs: number;
  diskSyncNs: number;
  diskOpenNs: number;
}

export type ProcessIo = ProcessRef & IoSums;

export interface FileIo {
  readonly host: number;
  /** "" when the trace does not tell: then `fd` of process `pid`. */
  readonly name: string;
  readonly kind: FileKind;
  readonly fd: number | null;
  readonly pid: number | null;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
  readonly syncs: number;
  /** Time inside these calls, and the longest of them. */
  readonly totalNs: number;
  readonly maxNs: number;
}

export interface FileSection {
  readonly missing: readonly string[];
  readonly processes: Ranked<ProcessIo>;
  /** Files on disk, by time in calls. */
  readonly files: Ranked<FileIo>;
  /** By bytes. Accepted connections are put together by the client's address, without its port. */
  readonly sockets: Ranked<FileIo>;
}

class FileSums {
  readBytes = 0;
  writeBytes = 0;
  reads = 0;
  writes = 0;
  syncs = 0;
  totalNs = 0;
  maxNs = 0;
}

function addRows(a: FileIo | undefined, b: FileIo): FileIo {
  if (a === undefined) return b;
  return {
    ...a,
    readBytes: a.readBytes + b.readBytes,
    writeBytes: a.writeBytes + b.writeBytes,
    reads: a.reads + b.reads,
    writes: a.writes + b.writes,
    syncs: a.syncs + b.syncs,
    totalNs: a.totalNs + b.totalNs,
    maxNs: Math.max(a.maxNs, b.maxNs),
  };
}

function newIoSums(): IoSums {
  return {
    diskReadBytes: 0,
    diskWriteBytes: 0,
    networkReadBytes: 0,
    networkWriteBytes: 0,
    otherReadBytes: 0,
    otherWriteBytes: 0,
    diskReadNs: 0,
    diskWriteNs: 0,
    diskSyncNs: 0,
    diskOpenNs: 0,
  };
}

export function attachFiles(model: KernelModel, range: Range): () => FileSection {
  const perThread: (IoSums | undefined)[] = [];
  const perFile: (FileSums | undefined)[] = [];

  const sumsOf = (thread: Thread): IoSums => {
    let s = perThread[thread.id];
    if (s === undefined) perThread[thread.id] = s = newIoSums();
    return s;
  };
  const fileSums = (file: FileEntry): FileSums => {
    let f = perFile[file.id];
    if (f === undefined) perFile[file.id] = f = new FileSums();
    return f;
  };
  const moved = (thread: Thread, file: FileEntry, bytes: number, spent: number, write: boolean): void => {
    const s = sumsOf(thread);
    const f = fileSums(file);
    if (file.kind === "file") {
      if (write) {
        s.diskWriteBytes += bytes;
        s.diskWriteNs += spent;
      } else {
        s.diskReadBytes += bytes;
        s.diskReadNs += spent;
      }
    } else if (file.kind === "socket") {
      if (write) s.networkWriteBytes += bytes;
      else s.networkReadBytes += bytes;
    } else if (write) s.otherWriteBytes += bytes;
    else s.otherReadBytes += bytes;
    if (write) {
      f.writes++;
      f.writeBytes += bytes;
    } else {
      f.reads++;
      f.readBytes += bytes;
    }
    f.totalNs += spent;
    if (spent > f.maxNs) f.maxNs = spent;
  };

  model.on.syscallEnd.push((thread, ns) => {
    const kind = thread.syscall!.kind;
    if (kind === "other" || ns < range.beginNs) return;
    const file = thread.syscallFile;
    const spent = ns - thread.syscallBeginNs;
    const ret = thread.syscallRet;
    const bytes = Math.max(0, ret);
    switch (kind) {
      case "read":
        if (file !== undefined) moved(thread, file, bytes, spent, false);
        return;
      case "write":
        if (file !== undefined) moved(thread, file, bytes, spent, true);
        return;
      case "copy":
        if (file !== undefined) moved(thread, file, bytes, spent, false);
        if (thread.syscallFile2 !== undefined) moved(thread, thread.syscallFile2, bytes, spent, true);
        return;
      case "sync": {
        sumsOf(thread).diskSyncNs += spent;
        if (file === undefined) return;
        const f = fileSums(file);
        f.syncs++;
        f.totalNs += spent;
        if (spent > f.maxNs) f.maxNs = spent;
        return;
      }
      case "open":
        sumsOf(thread).diskOpenNs += spent;
    }
  });

  return () => {
    const processes = byProcess(perThread, model.threads, newIoSums, (sum, part) => {
      for (const key of Object.keys(part) as (keyof IoSums)[]) sum[key] += part[key];
    });
    const files: FileIo[] = [];
    const sockets = new Map<string, FileIo>();
    perFile.forEach((f, id) => {
      const entry = model.files[id]!;
      const row: FileIo = {
        host: entry.host.index,
        name: entry.side === "server" ? `clients at ${entry.name.replace(/:\d+$/, "")}` : entry.name,
        kind: entry.kind,
        fd: entry.fd < 0 ? null : entry.fd,
        pid: entry.process?.pid ?? null,
        ...f!,
      };
      if (entry.kind !== "socket") files.push(row);
      else {
        const key = row.name === "" ? `#${id}` : `${row.host} ${row.name}`;
        sockets.set(key, addRows(sockets.get(key), row));
      }
    });
    const disk = files.filter((f) => f.kind === "file");
    return {
      missing: model.names.hasSyscalls ? [] : ["syscall_entry_*", "syscall_exit_*"],
      processes: ranked(
        processes,
        (p) => p.diskReadBytes + p.diskWriteBytes + p.networkReadBytes + p.networkWriteBytes,
      ),
      files: ranked(disk, (f) => f.totalNs),
      sockets: ranked([...sockets.values()], (f) => f.readBytes + f.writeBytes),
    };
  };
}
