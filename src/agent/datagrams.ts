/**
 * Datagrams of a Unix socket, each as a line. Node has no such sockets, so a few lines of Perl (which every Debian and
 * Red Hat has) or Python receive them and hand them on by a pipe: the kernel's socket buffer takes a burst, and whoever
 * sends is never held up.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { PeriscopeError } from "../base/errors.js";

/** Both remove a socket that is there, let everybody write, and end with their standard input. */
const PERL = `
use Socket; $| = 1; my $path = shift; unlink $path; my $old = umask 0;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "$!\\n"; bind($s, sockaddr_un($path)) or die "$path: $!\\n";
umask $old; setsockopt($s, SOL_SOCKET, SO_RCVBUF, 1 << 20); print "\\n"; my $ready = '';
while (1) {
  my $set = ''; vec($set, fileno($s), 1) = 1; vec($set, 0, 1) = 1; select($ready = $set, undef, undef, undef);
  if (vec($ready, 0, 1)) { last unless sysread(STDIN, my $x, 1) }
  if (vec($ready, fileno($s), 1)) {
    next unless defined recv($s, my $d, 65536, 0); $d =~ s/\\n+\\z//; $d =~ tr/\\n/ /; print "$d\\n";
  }
}
unlink $path;`;
const PYTHON = `
import os, select, socket, sys
path = sys.argv[1]
try: os.unlink(path)
except OSError: pass
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
old = os.umask(0); s.bind(path); os.umask(old)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
out = sys.stdout.buffer; out.write(b"\\n"); out.flush()
while True:
    ready = select.select([s, 0], [], [])[0]
    if 0 in ready and not os.read(0, 1): break
    if s in ready: out.write(s.recv(65536).rstrip(b"\\n").replace(b"\\n", b" ") + b"\\n"); out.flush()
os.unlink(path)`;
const RECEIVERS = [
  ["perl", "-e", PERL],
  ["python3", "-c", PYTHON],
] as const;

export interface DatagramSocket {
  close(): void;
}

/**
 * Hands every datagram that comes to the socket `path` to `take`, at once. Throws `PeriscopeError` when neither Perl
 * nor Python is there, or the socket cannot be made.
 */
export async function receiveDatagrams(path: string, take: (line: string) => void): Promise<DatagramSocket> {
  const receiver = RECEIVERS.find(([program]) => spawnSync(program, ["--version"]).status === 0);
  if (receiver === undefined) {
    throw new PeriscopeError(`${path}: datagrams of a Unix socket need perl or python3, and neither is here`);
  }
  const child = spawn(receiver[0], [...receiver.slice(1), path], { stdio: ["pipe", "pipe", "pipe"] });
  await ready(child, path, take);
  return { close: () => child.kill() };
}

/** Its first, empty line says that the socket is there. */
function ready(child: ChildProcess, path: string, take: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let errors = "";
    let isReady = false;
    child.stderr?.on("data", (bytes: Buffer) => {
      errors += bytes.toString();
    });
    child.on("error", (error) => reject(new PeriscopeError(`${path}: ${error.message}`)));
    child.on("close", () => {
      if (!isReady) reject(new PeriscopeError(`${path}: ${errors.trim().split("\n").at(-1) ?? "no socket"}`));
    });
    onLines(child.stdout!, (line) => {
      if (isReady) take(line);
      isReady = true;
      resolve();
    });
  });
}

const MAX_LINE = 65_536;

/** Lines of a stream, as they come; longer ones than 64 KiB are cut. */
export function onLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      take(rest + text.slice(from, end));
      rest = "";
      from = end + 1;
    }
    if (rest.length < MAX_LINE) rest += text.slice(from, from + MAX_LINE);
  });
  stream.on("end", () => {
    if (rest !== "") take(rest);
    rest = "";
  });
}
