/** System calls by number of our own (dense), with what the model must know of some of them. */

/** What a call does to bytes or descriptors. */
export type SyscallKind =
  | "read"
  | "write"
  /** Copies from one descriptor to another. */
  | "copy"
  | "sync"
  | "open"
  | "close"
  | "dup"
  | "socket"
  | "connect"
  | "accept"
  | "listen"
  | "pair"
  /** Makes a descriptor of another sort (`makes` names it). */
  | "make"
  | "fork"
  | "other";

/** What a blocked thread waits for in this call, when it blocks. */
export type WaitKind =
  /** Data on a descriptor: whose descriptor tells what it means. */
  | "data"
  /** One of several descriptors. */
  | "poll"
  /** The passing of time. */
  | "sleep"
  /** New work: connections, signals, children, events. */
  | "work"
  /** Another thread of the same memory. */
  | "futex"
  /** Anything else: the kernel has to get something done. */
  | "kernel";

export interface Syscall {
  readonly id: number;
  readonly name: string;
  readonly compat: boolean;
  readonly kind: SyscallKind;
  readonly wait: WaitKind;
  /** For `make`: what the descriptor is called. */
  readonly makes: string;
  /** Its end may change descriptors. */
  readonly changesFds: boolean;
  /** Calls that only sockets know. */
  readonly onSocket: boolean;
}

function each<T>(value: T, names: string): [string, T][] {
  return names.split(" ").map((name) => [name, value]);
}

const KINDS = new Map<string, SyscallKind>([
  ...each("read" as const, "read pread pread64 readv preadv preadv2 recv recvfrom recvmsg"),
  ...each("write" as const, "write pwrite pwrite64 writev pwritev pwritev2 send sendto sendmsg"),
  ...each("copy" as const, "sendfile sendfile64 splice copy_file_range"),
  ...each("sync" as const, "sync fsync fdatasync sync_file_range sync_file_range2 syncfs msync"),
  ...each("open" as const, "open openat openat2 creat"),
  ...each("close" as const, "close"),
  ...each("dup" as const, "dup dup2 dup3 fcntl fcntl64"),
  ...each("socket" as const, "socket"),
  ...each("connect" as const, "connect"),
  ...each("accept" as const, "accept accept4"),
  ...each("listen" as const, "listen"),
  ...each("pair" as const, "pipe pipe2 socketpair"),
  ...each("fork" as const, "clone clone3 fork vfork"),
]);

const MAKES = new Map<string, string>([
  ...each("eventfd", "eventfd eventfd2"),
  ...each("epoll", "epoll_create epoll_create1"),
  ...each("timerfd", "timerfd_create"),
  ...each("signalfd", "signalfd signalfd4"),
  ...each("inotify", "inotify_init inotify_init1"),
  ...each("memfd", "memfd_create"),
  ...each("pidfd", "pidfd_open"),
  ...each("io_uring", "io_uring_setup"),
  ...each("perf", "perf_event_open"),
]);

const WAITS = new Map<string, WaitKind>([
  ...each(
    "data" as const,
    "read readv pread pread64 preadv preadv2 recv recvfrom recvmsg recvmmsg splice tee vmsplice",
  ),
  ...each("data" as const, "write writev send sendto sendmsg sendmmsg connect"),
  ...each("poll" as const, "poll ppoll select pselect6 _newselect"),
  ...each("sleep" as const, "nanosleep clock_nanosleep pause alarm"),
  ...each(
    "work" as const,
    "accept accept4 epoll_wait epoll_pwait epoll_pwait2 epoll_ctl_wait rt_sigtimedwait rt_sigsuspend sigsuspend " +
      "wait4 waitid waitpid msgrcv mq_timedreceive semop semtimedop io_getevents io_pgetevents io_uring_enter " +
      "restart_syscall syslog clone clone3 vfork fork exit exit_group ptrace",
  ),
  ...each("futex" as const, "futex futex_waitv"),
]);

const SOCKET_CALLS = new Set(
  (
    "recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg connect accept accept4 listen bind " +
    "getsockopt setsockopt getsockname getpeername shutdown"
  ).split(" "),
);

const FD_KINDS = new Set<SyscallKind>([
  "open",
  "close",
  "dup",
  "socket",
  "connect",
  "accept",
  "listen",
  "pair",
  "make",
]);

export class SyscallTable {
  readonly all: Syscall[] = [];
  private readonly byName = new Map<string, Syscall>();

  get(name: string, compat: boolean): Syscall {
    const key = compat ? `${name}/32` : name;
    let syscall = this.byName.get(key);
    if (syscall === undefined) {
      const makes = MAKES.get(name) ?? "";
      syscall = {
        id: this.all.length,
        name,
        compat,
        kind: makes !== "" ? "make" : (KINDS.get(name) ?? "other"),
        wait: WAITS.get(name) ?? "kernel",
        makes,
        changesFds: makes !== "" || FD_KINDS.has(KINDS.get(name) ?? "other"),
        onSocket: SOCKET_CALLS.has(name),
      };
      this.all.push(syscall);
      this.byName.set(key, syscall);
    }
    return syscall;
  }
}
