/** What descriptors mean: names and kinds of files and sockets, learnt from calls and from the state dump. */

import type { Descriptor, FileEntry, FileKind, Host, Process, SocketSide, Thread } from "./state.js";

const AT_FDCWD = -100;
const O_CLOEXEC = 0x80000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const F_DUPFD = 0;
const F_DUPFD_CLOEXEC = 1030;

export function fileEntry(host: Host, name: string, kind: FileKind, side: SocketSide = "unknown"): FileEntry {
  const key = kind === "socket" ? `socket ${side} ${name}` : name;
  let entry = host.filesByName.get(key);
  if (entry === undefined) {
    const { files } = host.registry;
    entry = { id: files.length, host, kind, name, side, fd: -1, process: undefined };
    files.push(entry);
    host.filesByName.set(key, entry);
  }
  return entry;
}

/** The descriptor `fd` of `process`; one that was opened before the trace gets an entry without a name. */
export function descriptorFile(process: Process, fd: number): FileEntry | undefined {
  const known = process.fds.get(fd);
  if (known !== undefined) return known.file;
  if (!(fd >= 0)) return undefined;
  const { files } = process.host.registry;
  const file: FileEntry = {
    id: files.length,
    host: process.host,
    kind: "unknown",
    name: "",
    side: "unknown",
    fd,
    process,
  };
  files.push(file);
  process.fds.set(fd, { file, closeOnExec: false });
  return file;
}

/** Kind of a name as the kernel shows it in /proc/PID/fd and in the state dump. */
export function kindOfName(name: string): FileKind {
  if (name.startsWith("socket:")) return "socket";
  if (name.startsWith("pipe:")) return "pipe";
  if (name.startsWith("anon_inode:") || name.startsWith("/dev/") || name.startsWith("/memfd:"))
    return "other";
  return /^\/(proc|sys)\//.test(name) ? "other" : "file";
}

function joinPath(directory: string, path: string): string {
  return directory.endsWith("/") ? directory + path : `${directory}/${path}`;
}

function open(thread: Thread, fd: number, file: FileEntry, closeOnExec: boolean): void {
  thread.process.fds.set(fd, { file, closeOnExec });
}

/** `A.B.C.D:port` or `[v6]:port` from the address fields of `connect` and `accept`; undefined when not IP. */
export function peerName(family: number, port: number, v4: unknown, v6: unknown): string | undefined {
  if (family === AF_INET) {
    if (Array.isArray(v4) && v4.length === 4) return `${v4.join(".")}:${port}`;
    if (typeof v4 === "number") {
      return `${[v4 >>> 24, (v4 >>> 16) & 255, (v4 >>> 8) & 255, v4 & 255].join(".")}:${port}`;
    }
    return undefined;
  }
  if (family !== AF_INET6 || !Array.isArray(v6) || v6.length !== 8) return undefined;
  const parts = v6 as number[];
  const [hi, lo] = [parts[6]!, parts[7]!];
  if (parts[5] === 0xffff && parts.slice(0, 5).every((p) => p === 0)) {
    return `${hi >> 8}.${hi & 255}.${lo >> 8}.${lo & 255}:${port}`;
  }
  const text = parts.map((p) => p.toString(16)).join(":");
  const zeros = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length)[0];
  const short =
    zeros === undefined
      ? text
      : `${text.slice(0, zeros.index)}::${text.slice(zeros.index + zeros[0].length).replace(/^:/, "")}`;
  return `[${short}]:${port}`;
}

/** The family alone, where no address is known. */
function familyName(family: number): string {
  if (family === AF_UNIX) return "unix";
  if (family === AF_INET || family === AF_INET6) return "unconnected";
  return family === 16 ? "netlink" : `family ${family}`;
}

/** At entry: the name counts from the attempt on, since that is what the thread waits for. */
export function beginConnect(thread: Thread, family: number, port: number, v4: unknown, v6: unknown): void {
  const known = thread.process.fds.get(thread.syscallFd);
  const name = peerName(family, port, v4, v6) ?? familyName(family);
  const file = fileEntry(thread.host, name, "socket", "client");
  if (known !== undefined) known.file = file;
  else open(thread, thread.syscallFd, file, false);
  thread.syscallFile = file;
}

/** A call that succeeded and may have changed descriptors. */
export function endDescriptorCall(thread: Thread): void {
  const syscall = thread.syscall!;
  const ret = thread.syscallRet;
  const { host, process } = thread;
  switch (syscall.kind) {
    case "open": {
      let path = thread.syscallPath;
      if (path !== "" && !path.startsWith("/")) {
        const dfd = thread.syscallArg;
        const directory = dfd !== AT_FDCWD && dfd >= 0 ? process.fds.get(dfd)?.file.name : undefined;
        if (directory !== undefined && directory !== "") path = joinPath(directory, path);
      }
      if (path === "") return;
      const file = fileEntry(host, path, kindOfName(path));
      thread.syscallFile = file;
      open(thread, ret, file, (thread.syscallArg2 & O_CLOEXEC) !== 0);
      return;
    }
    case "close":
      process.fds.delete(thread.syscallFd);
      return;
    case "dup": {
      const fcntl = syscall.name.startsWith("fcntl");
      const command = thread.syscallArg;
      if (fcntl && command !== F_DUPFD && command !== F_DUPFD_CLOEXEC) return;
      const file = descriptorFile(process, thread.syscallFd);
      const cloexec = fcntl ? command === F_DUPFD_CLOEXEC : (thread.syscallArg2 & O_CLOEXEC) !== 0;
      if (file !== undefined) open(thread, ret, file, cloexec);
      return;
    }
    case "socket": {
      const file = fileEntry(host, familyName(thread.syscallArg), "socket");
      thread.syscallFile = file;
      open(thread, ret, file, (thread.syscallArg2 & O_CLOEXEC) !== 0);
      return;
    }
    case "listen": {
      const known = process.fds.get(thread.syscallFd);
      if (known !== undefined) known.file = fileEntry(host, known.file.name, "socket", "listening");
      return;
    }
    case "make":
      open(thread, ret, fileEntry(host, `anon_inode:[${syscall.makes}]`, "other"), false);
      return;
  }
}

export function endAccept(thread: Thread, family: number, port: number, v4: unknown, v6: unknown): void {
  const name = peerName(family, port, v4, v6) ?? familyName(Number.isNaN(family) ? AF_UNIX : family);
  const file = fileEntry(thread.host, name, "socket", "server");
  open(thread, thread.syscallRet, file, (thread.syscallArg2 & O_CLOEXEC) !== 0);
}

export function endPair(thread: Thread, fds: unknown): void {
  if (!Array.isArray(fds)) return;
  const socket = thread.syscall!.name === "socketpair";
  const file = fileEntry(thread.host, socket ? "socketpair" : "pipe", socket ? "socket" : "pipe");
  for (const fd of fds as number[]) open(thread, fd, file, false);
}

/** From the state dump; what live events told in the meantime is newer. */
export function dumpedFile(
  fds: Map<number, Descriptor>,
  host: Host,
  fd: number,
  flags: number,
  name: string,
): void {
  const known = fds.get(fd);
  if (known !== undefined && known.file.name !== "") return;
  const file = fileEntry(host, name, kindOfName(name));
  if (known !== undefined) known.file = file;
  else fds.set(fd, { file, closeOnExec: (flags & O_CLOEXEC) !== 0 });
}
