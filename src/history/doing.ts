/** What a thread, a CPU or a disk does at a moment: the values of rows of the history. */
export const Doing = {
  none: 0,
  /** Not recorded: lost events, or before anything is known. */
  unknown: 1,
  user: 2,
  syscall: 3,
  irq: 4,
  softirq: 5,
  /** Could run, has no CPU. */
  runnable: 6,
  /** Waits: for a disk, the network, a lock, another process, the passing of time, the kernel, anything else. */
  disk: 7,
  network: 8,
  lock: 9,
  process: 10,
  timer: 11,
  kernel: 12,
  blocked: 13,
  /** CPUs: nothing to do. */
  idle: 14,
  /** Waits for memory: reclaim, too many dirty pages. */
  memory: 15,
  /** Periods, and disks at work. */
  busy: 16,
} as const;
export type Doing = (typeof Doing)[keyof typeof Doing];

/** How many values there are. */
export const DOINGS = 17;

/** The states in which a CPU is used. */
export const ON_CPU: readonly Doing[] = [Doing.user, Doing.syscall, Doing.irq, Doing.softirq];

/** Bits of `Doing` values. */
export const ON_CPU_BITS = ON_CPU.reduce<number>((bits, doing) => bits | (1 << doing), 0);

/** The states in which a thread waits for something else than a CPU. */
export const WAITS: readonly Doing[] = [
  Doing.disk,
  Doing.network,
  Doing.lock,
  Doing.process,
  Doing.timer,
  Doing.kernel,
  Doing.memory,
  Doing.blocked,
];

/** As people read it. */
export const DOING_LABELS: Readonly<Record<Doing, string>> = {
  [Doing.none]: "",
  [Doing.unknown]: "not recorded",
  [Doing.user]: "user space",
  [Doing.syscall]: "system call",
  [Doing.irq]: "interrupt",
  [Doing.softirq]: "softirq",
  [Doing.runnable]: "waits for a CPU",
  [Doing.disk]: "waits for disk",
  [Doing.network]: "waits for network",
  [Doing.lock]: "waits for lock",
  [Doing.process]: "waits for process",
  [Doing.timer]: "sleeps",
  [Doing.kernel]: "waits for kernel",
  [Doing.blocked]: "waits",
  [Doing.idle]: "idle",
  [Doing.memory]: "waits for memory",
  [Doing.busy]: "busy",
};
